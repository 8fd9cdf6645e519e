# SPDX-License-Identifier: Apache-2.0
"""The figures to be reached (targets.json), and whether they are.

A target is {"what": title, "measure": M, "at_most": number}, with "figures": [names] or "group": a group of figures, and
perhaps "floor": the mechanism whose own cost bounds it. Measures:

  ratio       each figure's ratio to native
  median      each figure's median, in its own unit
  geomean     the geometric mean of the figures' ratios
"""
import json

from . import stats


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def chosen(results, target):
    if "group" in target:
        return results.group(target["group"])
    return [results.figures[name] for name in target["figures"] if name in results.figures]


def check(results, targets, system):
    """Rows (title, name, value, limit, floor text); what was not measured is left out."""
    rows = []
    for target in targets:
        figures, limit = chosen(results, target), target["at_most"]
        floor = ""
        if target.get("floor") in results.floor:
            floor = "%s %.0f ns" % (target["floor"], results.floor[target["floor"]])
        if target["measure"] == "geomean":
            values = [figure.ratio(system) for figure in figures]
            values = [value for value in values if value]
            if values:
                rows.append((target["what"], "geometric mean of %d" % len(values), stats.geometric_mean(values), limit, floor))
            continue
        for figure in figures:
            value = figure.ratio(system) if target["measure"] == "ratio" else figure.median(system)
            if value is not None:
                rows.append((target["what"], figure.name, value, limit, floor))
    return rows


def met(rows):
    return sum(1 for row in rows if row[2] <= row[3])


def show(rows, out):
    for what, name, value, limit, floor in rows:
        verdict = "ok" if value <= limit else "MISSED"
        print("%-6s %-44s %-24s %8.2f  at most %-6g %s" % (verdict, what, name, value, limit, floor), file=out)
    print("%d of %d targets met" % (met(rows), len(rows)), file=out)
