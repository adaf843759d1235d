"""What lessons show: figures, broken runs, this machine. Nothing that a program without a reader needs."""
