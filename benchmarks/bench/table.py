# SPDX-License-Identifier: Apache-2.0
"""Figures as lines of text."""
from . import macro, stats
from .results import NATIVE


def number(value):
    return "%.3g" % value if value < 100 else "%.0f" % value


def header(systems):
    return "%-28s" % "median, spread, ratio" + "".join(" %24s" % name for name in systems)


def row(figure, systems):
    line = "%-28s" % ("%s (%s)" % (figure.name, figure.unit))
    for system in systems:
        if not figure.samples.get(system):
            line += " %24s" % "-"
            continue
        cell = "%s ±%.0f%%" % (number(figure.median(system)), 100 * figure.spread(system))
        ratio = None if system == NATIVE else figure.ratio(system)
        cell += "" if ratio is None else " %6.2fx" % ratio
        line += " %24s" % cell
    return line


def summary(results, systems):
    """Geometric means of the ratios, [(title, {system: value})]."""
    cpu_bound = [f for f in results.group(macro.GROUP) if f.name in macro.CPU_BOUND]
    rows = []
    for title, figures in (("all micro", results.group("micro")), ("all macro", results.group(macro.GROUP)),
                           ("macro, CPU-bound", cpu_bound), ("macro, CPU time burnt", results.group(macro.GROUP + macro.CPU))):
        means = {}
        for system in systems:
            values = [r for r in (f.ratio(system) for f in figures) if r]
            if values and system != NATIVE:
                means[system] = stats.geometric_mean(values)
        if means:
            rows.append((title, means))
    return rows


def show_summary(results, systems, out):
    for title, means in summary(results, systems):
        line = "%-28s" % title
        for system in systems:
            line += " %24s" % ("%.2fx" % means[system] if system in means else "-")
        print(line, file=out)
