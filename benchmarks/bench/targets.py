# SPDX-License-Identifier: Apache-2.0
"""The figures to be reached (targets.json), and whether they are.

A target is {"what": title, "measure": M, "at_most": number}, with "figures": [names] or "group": a group of figures, and
perhaps "floor": the mechanism whose own cost bounds it. Measures:

  ratio       each figure's ratio to native
  median      each figure's median, in its own unit
  geomean     the geometric mean of the figures' ratios
"""
import collections
import json

from . import stats

# @best is the same of the best samples: what a quiet machine might have shown.
Row = collections.namedtuple("Row", "what name value best limit floor")


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def chosen(results, target):
    if "group" in target:
        return results.group(target["group"])
    return [results.figures[name] for name in target["figures"] if name in results.figures]


def measured(figure, measure, system):
    """(value, best) of a figure, None where it was not measured."""
    if not figure.samples.get(system):
        return None
    if measure == "median":
        return figure.median(system), min(figure.samples[system])
    ratio = figure.ratio(system)
    return None if ratio is None else (ratio, figure.best_ratio(system))


def check(results, targets, system):
    """A Row for each figure, and one for each mean; what was not measured is left out."""
    rows = []
    for target in targets:
        what, limit, floor = target["what"], target["at_most"], ""
        if target.get("floor") in results.floor:
            floor = "%s %.0f ns" % (target["floor"], results.floor[target["floor"]])
        found = [(figure.name, measured(figure, target["measure"], system)) for figure in chosen(results, target)]
        found = [(name,) + pair for name, pair in found if pair]
        if target["measure"] == "geomean" and found:
            value, best = (stats.geometric_mean(column) for column in list(zip(*found))[1:])
            rows.append(Row(what, "geometric mean of %d" % len(found), value, best, limit, floor))
        elif target["measure"] != "geomean":
            rows += [Row(what, name, value, best, limit, floor) for name, value, best in found]
    return rows


def met(rows):
    return sum(1 for row in rows if row.value <= row.limit)


def show(rows, out):
    for row in rows:
        print("%-6s %-44s %-24s %8.2f (best %8.2f)  at most %-6g %s"
              % ("ok" if row.value <= row.limit else "MISSED", row.what, row.name, row.value, row.best, row.limit, row.floor), file=out)
    print("%d of %d targets met" % (met(rows), len(rows)), file=out)
