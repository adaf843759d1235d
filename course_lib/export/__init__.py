"""The ways out: our networks for other programs, and for a page in a browser. Nothing here trains or draws."""
