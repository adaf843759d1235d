"""A learner's own pictures: folders made ready to train on. Nothing that knows of fruit."""
