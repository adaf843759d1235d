# Figures with twice the pixels, so that they are crisp on high-density screens.
c.InlineBackend.figure_formats = {"retina"}  # noqa: F821
