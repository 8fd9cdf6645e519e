# SPDX-License-Identifier: Apache-2.0
"""docs/coverage.md and docs/coverage.svg: the tables of what the applications need."""
import os
import sys
from xml.sax.saxutils import escape

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from bench.plot import STYLE, STYLE_DARK  # noqa: E402

HEAD = """# What real software needs

<!-- Generated: do not edit. `./dev coverage --document` -->

%d applications (tests/apps; each a program or several, with work to do) under `sentry run --coverage`: the calls, flags, requests,
options and pseudo-files of the system call surface that they use, and which of them are supported. Made with

```
./dev coverage --document
```

In all %s calls of %d kinds: %d supported fully, %d in part, %d not at all; %d flags, %d ioctl requests, %d socket options, %d operations of
prctl, fcntl, futex and the like, %d pseudo-files. **%.1f %%** of these %d things are supported. A value that stands in no table of
Sentry's, but was taken, counts as supported; one that made its call fail does not. A pseudo-file is not supported when the host has it
and nobody could open it in the sandbox.

`./dev coverage` compares a run with `benchmarks/coverage/baseline.json` and fails when something is answered ENOSYS that was not, or
lost support. `./dev coverage --quick` is the part that CI runs; `build/coverage/` then has `junit.xml` and `coverage.sarif`.

![calls](coverage.svg)
"""

LEGEND = """Not supported is what could be asked for and was refused: programs that ask for it live with the answer, which is why all of these applications
do their work ([README](../README.md#applications) has the comparison with native runs)."""


def listed(items, most=12):
    names = ["`%s`" % item.short for item in items[:most]]
    return ", ".join(names) + (", and %d more" % (len(items) - most) if len(items) > most else "") if names else ""


def application_rows(surfaces):
    for name in sorted(surfaces, key=str.lower):
        one = surfaces[name]
        yield "| %s | %d | %d | %d | %d | %d | %d | %d | %.1f %% | %s |" % (
            name, len(one.of("call")), len(one.calls("full")), len(one.of("flag")), len(one.of("ioctl")), len(one.of("socket option")),
            len(one.of("operation")), len(one.of("file")), 100 * one.share(), listed(one.unsupported()))


def users(surfaces, item):
    return sorted((name for name, one in surfaces.items() if any(i.name == item.name for i in one.items)), key=str.lower)


def errors_of(item):
    return " ".join("%s:%d" % pair for pair in sorted(item.errors.items()))


def unsupported_rows(surfaces, whole):
    rows = [(len(users(surfaces, item)), item) for item in whole.unsupported()]
    for count, item in sorted(rows, key=lambda row: (-row[0], row[1].name)):
        yield "| `%s` | %s | %s | %s |" % (item.short, item.kind, errors_of(item), ", ".join(users(surfaces, item)))


def call_rows(surfaces, whole):
    rows = [(len(users(surfaces, item)), item) for item in whole.of("call")]
    for count, item in sorted(rows, key=lambda row: (-row[0], row[1].name)):
        yield "| `%s` | %d | %s | %s |" % (item.name, count, item.support, errors_of(item))


def table(head, rows):
    return ["| %s |" % " | ".join(head), "|" + "---|" * len(head)] + list(rows)


ROW, LABEL, WIDTH, TOP, RIGHT = 16, 190, 760, 60, 60
COLOURS = (("full", "#0969da", "#58a6ff"), ("partial", "#bc4c00", "#f0883e"), ("none", "#57606a", "#9198a1"))


def draw(surfaces):
    """A bar an application: different calls, by support, with the other things behind it in a thinner bar."""
    names = sorted(surfaces, key=lambda name: (-len(surfaces[name].of("call")), name))
    most = max(len(one.of("call")) for one in surfaces.values())
    scale = (WIDTH - LABEL - RIGHT) / most
    out, y = [], TOP
    for name in names:
        x = LABEL
        out.append('<text x="%d" y="%d" text-anchor="end">%s</text>' % (LABEL - 8, y + 12, escape(name)))
        for support, _, _ in COLOURS:
            size = len(surfaces[name].calls(support)) * scale
            if size:
                out.append('<rect class="%s" x="%.1f" y="%d" width="%.1f" height="%d"><title>%s: %d calls, support %s</title></rect>'
                           % (support, x, y + 2, size, ROW - 5, escape(name), len(surfaces[name].calls(support)), support))
            x += size
        out.append('<text class="quiet" x="%.1f" y="%d">%d</text>' % (x + 5, y + 12, len(surfaces[name].of("call"))))
        y += ROW
    legend, x = [], LABEL
    for support, _, _ in COLOURS:
        legend.append('<rect class="%s" x="%d" y="36" width="10" height="10"/><text x="%d" y="45">%s</text>' % (support, x, x + 15, support))
        x += 80
    style = "".join("  .%s { fill: %s }\n" % (name, light) for name, light, _ in COLOURS)
    dark = "".join("  .%s { fill: %s }\n" % (name, dark) for name, _, dark in COLOURS)
    return "\n".join(['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">' % (WIDTH, y + 12, WIDTH, y + 12),
                      "<title>Different system calls of each application, by support</title>",
                      "<style>%s%s@media (prefers-color-scheme: dark) {%s%s}</style>" % (STYLE, style, STYLE_DARK, dark),
                      '<rect class="back" width="%d" height="%d"/>' % (WIDTH, y + 12),
                      '<text class="title" x="12" y="22">Different system calls that each application makes, by how well they are supported</text>',
                      *legend, *out, "</svg>", ""])


def write(top, surfaces, whole):
    counts = [len(whole.of(kind)) for kind in ("flag", "ioctl", "socket option", "operation", "file")]
    lines = [HEAD % (len(surfaces), "{:,}".format(whole.made()), len(whole.of("call")), len(whole.calls("full")), len(whole.calls("partial")),
                     len(whole.calls("none")), *counts, 100 * whole.share(), len(whole.items))]
    lines += ["## Applications", ""]
    lines += table(("application", "calls", "of these fully", "flags", "ioctls", "socket options", "operations", "pseudo-files", "supported", "not supported"),
                   application_rows(surfaces))
    lines += ["", LEGEND, "", "## What is not there", ""]
    lines += table(("what", "kind", "answers", "asked for by"), unsupported_rows(surfaces, whole))
    lines += ["", "## Calls", "", "By the number of applications that make them.", ""]
    lines += table(("call", "applications", "support", "errors"), call_rows(surfaces, whole))
    with open(os.path.join(top, "docs", "coverage.md"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    with open(os.path.join(top, "docs", "coverage.svg"), "w", encoding="utf-8") as file:
        file.write(draw(surfaces))
