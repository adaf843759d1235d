"""What any program needs: files whole or not at all, bytes and pixels, bars. Nothing knows of noise or of fruit."""
