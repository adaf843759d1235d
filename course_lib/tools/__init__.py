"""What any program needs: files whole or not at all, bytes and pixels, bars, cells. Nothing knows noise or fruit."""
