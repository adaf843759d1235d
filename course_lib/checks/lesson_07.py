"""The exercises of lesson 07: a distance."""

from course_lib.checks.engine import exercise
from course_lib.judging import measure

CURVES = {
    "the same curve twice": (1.0, 2.0, 1.0, 2.0),
    "curves of one width, 3 apart": (0.0, 1.0, 3.0, 1.0),
    "curves with one middle, of widths 1 and 4": (2.0, 1.0, 2.0, 4.0),
    "curves that differ in both": (-1.0, 2.0, 1.5, 0.5),
}


@exercise(measure.frechet_distance_1d, CURVES)
def frechet_distance_1d(mean_a, std_a, mean_b, std_b):
    """Lesson 07: how far two bell curves are apart, from their means and standard deviations."""
    apart, wider = mean_a - mean_b, std_a - std_b
    variances = std_a**2 - std_b**2
    return {
        "your widths are variances: compare the standard deviations themselves, (std_a - std_b) squared.": (
            apart**2 + variances**2
        ),
        "that is the difference of the variances. Take the difference of the standard deviations, then square it.": (
            apart**2 + abs(variances)
        ),
        "the same curve twice is at distance 0, but yours is not: subtract the widths before you square.": (
            apart**2 + std_a**2 + std_b**2
        ),
        "two curves with one middle can still differ: where are the widths?": apart**2,
        "curves of one width can still lie apart: where are the means?": wider**2,
        "the differences are not squared.": abs(apart) + abs(wider),
        "that is its square root. By custom the number is left squared.": (apart**2 + wider**2) ** 0.5,
        "square each difference for itself, then add: as it is, a mean too high makes up for a width too small.": (
            (apart + wider) ** 2
        ),
    }
