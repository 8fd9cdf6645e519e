# SPDX-License-Identifier: Apache-2.0
"""Draws ratios to native as an SVG: a row for each figure, a dot for each system, a whisker for its spread, on a
logarithmic scale with native's 1 as a line. Colours are told apart without hue, too: each system has a shape."""
import math
from xml.sax.saxutils import escape

from . import stats
from .macro import CPU
from .results import NATIVE

LABEL, WIDTH, RIGHT, ROW, TOP = 190, 760, 24, 17, 64
GROUPS = (("micro", "One operation"), ("macro", "Programs, wall time"), ("macro-cpu", "Programs, CPU time of all processes"))
LIGHT = ("#0969da", "#bc4c00", "#8250df", "#1a7f37", "#cf222e")
DARK = ("#58a6ff", "#f0883e", "#bc8cff", "#3fb950", "#ff7b72")

STYLE = """
  text { font: 11px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 13px; font-weight: 600 }
  .quiet { fill: #59636e }
  .back { fill: #ffffff }
  .grid { stroke: #d1d9e0; stroke-width: 1 }
  .stripe { fill: #f6f8fa }
  .one { stroke: #59636e; stroke-width: 1.5 }
"""
STYLE_DARK = """
  text { fill: #e6edf3 }
  .quiet { fill: #9198a1 }
  .back { fill: #0d1117 }
  .grid { stroke: #30363d }
  .stripe { fill: #161b22 }
  .one { stroke: #9198a1 }
"""


class Scale:
    """Ratios to x coordinates, logarithmic, from a power of ten's simple part to another."""

    TICKS = [m * 10.0 ** e for e in range(-3, 5) for m in (1, 2, 5)]

    def __init__(self, values):
        low, high = min(values + [0.5]), max(values + [2])
        self.low = max(t for t in self.TICKS if t <= low)
        self.high = min(t for t in self.TICKS if t >= high)
        self.ticks = [t for t in self.TICKS if self.low <= t <= self.high]

    def x(self, value):
        value = min(max(value, self.low), self.high)
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return LABEL + share * (WIDTH - LABEL - RIGHT)


def mark(shape, x, y, css):
    """Shapes of about the same weight: circle, square, diamond, triangle, circle again."""
    if shape % 4 == 1:
        return '<rect class="%s" x="%.1f" y="%.1f" width="7" height="7"/>' % (css, x - 3.5, y - 3.5)
    if shape % 4 == 2:
        return '<path class="%s" d="M%.1f %.1fl4.5 4.5-4.5 4.5-4.5-4.5z"/>' % (css, x, y - 4.5)
    if shape % 4 == 3:
        return '<path class="%s" d="M%.1f %.1fl4.5 8h-9z"/>' % (css, x, y - 5)
    return '<circle class="%s" cx="%.1f" cy="%.1f" r="4"/>' % (css, x, y)


def tick_text(value):
    return ("%g" % value) + "x"


def draw_rows(figures, systems, scale, y):
    out = []
    for index, figure in enumerate(figures):
        middle = y + ROW / 2
        label = figure.name.removesuffix(CPU) if figure.group.endswith(CPU) else figure.name
        if index % 2 == 0:
            out.append('<rect class="stripe" x="0" y="%.1f" width="%d" height="%d"/>' % (y, WIDTH, ROW))
        out.append('<text x="%d" y="%.1f" text-anchor="end">%s</text>' % (LABEL - 12, middle + 4, escape(label)))
        for number, system in enumerate(systems):
            pairs = figure.ratios(system)
            if not pairs:
                continue
            ratio, sigma = stats.median(pairs), stats.sigma(pairs)
            title = "<title>%s, %s: %.2fx native (%.3g %s)</title>" % (
                escape(figure.name), escape(system), ratio, figure.median(system), escape(figure.unit))
            out.append('<g>%s<line class="w%d" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>%s</g>' % (
                title, number, scale.x(ratio - sigma), scale.x(ratio + sigma), middle, middle,
                mark(number, scale.x(ratio), middle, "s%d" % number)))
        y += ROW
    return out, y


def draw(results):
    """The SVG as text."""
    systems = [s for s in results.systems() if s != NATIVE]
    groups = [(title, [f for f in results.group(group) if any(f.ratios(s) for s in systems)]) for group, title in GROUPS]
    groups = [(title, figures) for title, figures in groups if figures]
    scale = Scale([r for _, figures in groups for f in figures for s in systems for r in f.ratios(s)[:1] and [f.ratio(s)]])
    body, y = [], TOP
    for title, figures in groups:
        means = ["%s %.2fx" % (s, stats.geometric_mean([r for r in (f.ratio(s) for f in figures) if r]))
                 for s in systems if any(f.ratios(s) for f in figures)]
        body.append('<text class="title" x="12" y="%d">%s</text>' % (y + 16, escape(title)))
        body.append('<text class="quiet" x="%d" y="%d" text-anchor="end">geometric mean: %s</text>'
                    % (WIDTH - RIGHT, y + 16, escape(", ".join(means))))
        y += 24
        top = y
        rows, y = draw_rows(figures, systems, scale, y)
        grid = []
        for tick in scale.ticks:
            x = scale.x(tick)
            grid.append('<line class="%s" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>' % ("one" if tick == 1 else "grid", x, x, top, y))
            grid.append('<text class="quiet" x="%.1f" y="%d" text-anchor="middle">%s</text>' % (x, y + 13, tick_text(tick)))
        stripes = [r for r in rows if r.startswith("<rect class=\"stripe\"")]
        body += stripes + grid + [r for r in rows if r not in stripes]
        y += 30
    legend, x = [], 12
    for number, system in enumerate(systems):
        legend.append(mark(number, x + 4, 44, "s%d" % number))
        legend.append('<text x="%d" y="48">%s</text>' % (x + 14, escape(system)))
        x += 40 + 7 * len(system)
    colours = "".join("  .s%d { fill: %s } .w%d { stroke: %s; stroke-width: 1.5 }\n" % (i, c, i, c) for i, c in enumerate(LIGHT))
    dark = "".join("  .s%d { fill: %s } .w%d { stroke: %s }\n" % (i, c, i, c) for i, c in enumerate(DARK))
    return "\n".join([
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">' % (WIDTH, y, WIDTH, y),
        "<title>Ratios to native Linux</title>",
        "<style>%s%s@media (prefers-color-scheme: dark) {%s%s}</style>" % (STYLE, colours, STYLE_DARK, dark),
        '<rect class="back" width="%d" height="%d"/>' % (WIDTH, y),
        '<text class="title" x="12" y="22">Time next to native Linux, which is 1x (less is better, logarithmic)</text>',
        *legend, *body, "</svg>", ""])
