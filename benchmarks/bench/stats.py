# SPDX-License-Identifier: Apache-2.0
"""Statistics of a handful of samples taken on a machine that does other things too.

Nothing here assumes a normal distribution: disturbances only ever make a sample larger, and some samples are larger by
a lot. So: medians, and as the spread the median absolute deviation scaled to what a standard deviation would be.

Samples of two systems with the same index were taken one after the other (the systems take turns), so a ratio is made
within each round: a machine that slows down for a second slows both.
"""
import math
import statistics

MAD_TO_SIGMA = 1.4826


def median(values):
    return statistics.median(values)


def sigma(values):
    """The robust spread, in the unit of the values; 0 for a single one."""
    middle = statistics.median(values)
    return MAD_TO_SIGMA * statistics.median(abs(v - middle) for v in values)


def spread(values):
    """The robust spread as a share of the median."""
    middle = statistics.median(values)
    return sigma(values) / middle if middle else 0.0


def ratios(values, base):
    """Ratios round by round; samples that one of the two lacks at the end are left out."""
    return [value / under for value, under in zip(values, base) if under]


def ratio(values, base):
    """The median of the rounds' ratios, or None without a common round."""
    pairs = ratios(values, base)
    return statistics.median(pairs) if pairs else None


def best_ratio(values, base):
    """The ratio of the smallest samples: what is left when every disturbance is taken away."""
    return min(values) / min(base) if values and base and min(base) else None


def geometric_mean(values):
    values = list(values)
    return math.exp(sum(math.log(v) for v in values) / len(values)) if values else None
