"""The world that is learned: its words, prompts, shapes and pictures. Nothing that learns."""

from course_lib.fruit.prompts import phrasings, understand
from course_lib.fruit.words import ALL_PAIRS, COLOURS, HELD_OUT_PAIRS, KINDS, TRAINING_PAIRS, VOCABULARY

__all__ = ["ALL_PAIRS", "COLOURS", "HELD_OUT_PAIRS", "KINDS", "phrasings", "TRAINING_PAIRS", "understand", "VOCABULARY"]
