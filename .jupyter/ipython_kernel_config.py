# Your own figures with twice the pixels, crisp on high-density screens; those of the course are alike everywhere.
c.InlineBackend.figure_formats = {"retina"}  # noqa: F821
