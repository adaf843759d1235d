"""What any program needs: files whole or not at all, bytes and pixels, bars, the cells of a notebook. Nothing knows of noise or of fruit."""
