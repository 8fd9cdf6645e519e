# SPDX-License-Identifier: Apache-2.0
"""Writes the page of figures, docs/benchmarks.md, from the JSON of a run."""
from . import macro, table, targets
from .results import NATIVE

HEAD = """# Benchmarks

<!-- Generated: do not edit. `%s` -->

Measured with

```
%s
```

which runs every system in turn, round by round, and draws this page from the figures. `./dev bench --compare docs/benchmarks.json`
measures anew and names what got slower. Medians; ± is the median absolute deviation (scaled to a standard deviation);
ratios are medians of the ratios within each round.

%s, %s CPUs, Linux %s.

![ratios](benchmarks.svg)
"""

COMMAND = "./dev bench --json docs/benchmarks.json --document"

TITLES = (
    ("micro", "One operation", "Measured by a program inside of the sandbox, hot. `-same`: both ends on one CPU; `-split`: on two; else where "
     "the scheduler puts them."),
    ("start", "Start", "From the start of `sentry run` to the end of everything, milliseconds."),
    ("macro", "Programs", "From the start of `sentry run` to the end of everything."),
    ("macro-cpu", "Programs: CPU time", "User and system time of all processes, the sandbox's own included."),
    ("servers", "Servers under load", "Server and client in one sandbox, over loopback: the time of a request. redis-benchmark with 50 connections, `-pipelined`: "
     "16 requests at a time; nginx with 20 connections kept alive; Python's `http.server` with one."),
    ("link", "Links", "TCP between a program in the sandbox and the host's kernel, over `--network packet:IF` (a veth) and `tap:IF`, from the "
     "sandbox's side: 64 KiB, or a byte there and back. Natively the program is in a network namespace at the other end of a veth."),
    ("trace", "Looking at calls", "Wall time of the programs under `--trace FILE` next to the same sandbox without: the geometric mean of each form over all programs "
     "of a round, and of each program in JSON lines."),
    ("sandbox", "Being there", "`pss` is the proportional set size of a sandbox with a shell that waits; `many` are 50 of them at once."),
)


def cell(figure, system):
    if not figure.samples.get(system):
        return "-"
    text = "%s ±%.0f%%" % (table.number(figure.median(system)), 100 * figure.spread(system))
    ratio = None if system == NATIVE else figure.ratio(system)
    return text if ratio is None or figure.group == "sandbox" else "%s, **%.2fx**" % (text, ratio)


def section(results, systems, group, title, words):
    figures = results.group(group)
    if not figures:
        return []
    lines = ["", "## " + title, "", words, "", "| | %s |" % " | ".join(systems), "|---|%s" % ("---|" * len(systems))]
    for figure in figures:
        name = figure.name.removesuffix(macro.CPU) if group.endswith(macro.CPU) else figure.name
        lines.append("| %s (%s) | %s |" % (name, figure.unit, " | ".join(cell(figure, s) for s in systems)))
    return lines


def floor_section(results):
    lines = ["", "## What the machine allows", "", "Each mechanism alone, without any sandbox (`benchmarks/floor.c`).", "",
             "| | ns |", "|---|---|"]
    return lines + ["| %s | %s |" % (name, table.number(value)) for name, value in results.floor.items()]


def targets_section(results, rows, system):
    lines = ["", "## Targets", "", "%d of %d met on %s. `best` is the same figure of the best samples." % (targets.met(rows), len(rows), system), "",
             "| | | value | best | at most | |", "|---|---|---|---|---|---|"]
    for row in rows:
        verdict = "yes" if row.value <= row.limit else "**no**" + (" (floor: %s)" % row.floor if row.floor else "")
        lines.append("| %s | %s | %.2f | %.2f | %g | %s |" % (row.what, row.name, row.value, row.best, row.limit, verdict))
    return lines


def write(results, rows, system):
    """The page as text; @rows are the targets' (targets.check())."""
    systems = results.systems()
    machine = results.machine
    lines = [HEAD % (COMMAND, COMMAND, machine.get("cpu"), machine.get("cpus"), machine.get("kernel"))]
    summary = table.summary(results, systems)
    if summary:
        others = [s for s in systems if s != NATIVE]
        lines += ["| geometric mean | %s |" % " | ".join(others), "|---|%s" % ("---|" * len(others))]
        lines += ["| %s | %s |" % (title, " | ".join("%.2fx" % means[s] if s in means else "-" for s in others))
                  for title, means in summary]
    lines += targets_section(results, rows, system)
    for group, title, words in TITLES:
        lines += section(results, systems, group, title, words)
    lines += floor_section(results)
    return "\n".join(lines) + "\n"
