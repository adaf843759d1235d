"""Who says whether a picture is right, and how like the real ones it is. Nothing that trains a denoiser."""

from course_lib.judging.counts import Score
from course_lib.judging.fruit_exam import evaluate
from course_lib.judging.judge import Judge, score
from course_lib.judging.measure import benchmark, diversity, error_by_level, frechet_distance, nearest
from course_lib.judging.panel import Panel

__all__ = [
    "benchmark",
    "diversity",
    "error_by_level",
    "evaluate",
    "frechet_distance",
    "Judge",
    "nearest",
    "Panel",
    "score",
    "Score",
]
