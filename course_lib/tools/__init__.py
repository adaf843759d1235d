"""What any program needs: whole files, bytes and pixels, bars, cells, the processor. Nothing knows noise or fruit."""
