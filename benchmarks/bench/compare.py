# SPDX-License-Identifier: Apache-2.0
"""What got slower since an older run.

Compared are ratios to native, because two runs rarely see the same machine. A figure counts as slower only when three things
agree: the median ratio grew by more than THRESHOLD; it grew by more than NOISE times the spread of both runs' ratios; and the
ratio of the best samples grew too, by half the threshold, which a disturbance of a few rounds does not do.
"""
import math

from . import stats
from .results import NATIVE

THRESHOLD = 0.10
NOISE = 3.0


def is_slower(old, new, system):
    """(old ratio, new ratio) where the figure became slower on the system, else None."""
    before, now = old.ratios(system), new.ratios(system)
    if not before or not now:
        return None
    ratio_before, ratio_now = stats.median(before), stats.median(now)
    growth = ratio_now - ratio_before
    if growth <= THRESHOLD * ratio_before:
        return None
    if growth <= NOISE * math.hypot(stats.sigma(before), stats.sigma(now)):
        return None
    if new.best_ratio(system) <= (1 + THRESHOLD / 2) * old.best_ratio(system):
        return None
    return ratio_before, ratio_now


def slower(old, new):
    """[(figure's name, system, old ratio, new ratio)], the worst first."""
    found = []
    for name, figure in new.figures.items():
        if name not in old.figures:
            continue
        for system in figure.samples:
            change = None if system == NATIVE else is_slower(old.figures[name], figure, system)
            if change:
                found.append((name, system) + change)
    return sorted(found, key=lambda row: row[2] / row[3])


def missing(old, new):
    """What the older run has and this one could not measure: [(figure's name, system)]."""
    return [(name, system) for name in new.failed if name in old.figures for system in new.failed[name]
            if old.figures[name].samples.get(system)]


def show(old, new, out):
    """Prints the verdict; returns how many became slower or stopped working."""
    rows, gone = slower(old, new), missing(old, new)
    for name, system, before, now in rows:
        print("slower: %s on %s: %.2fx native, was %.2fx" % (name, system, now, before), file=out)
    for name, system in gone:
        print("fails: %s on %s" % (name, system), file=out)
    print("%d slower" % len(rows) + (", %d fail" % len(gone) if gone else ""), file=out)
    return len(rows) + len(gone)
