"""Exercises: one engine that tries a learner's answer, and one file a lesson. Nothing that teaches."""
