"""Figures as inline SVG: drawn without a display, the same bytes for the same numbers."""

from __future__ import annotations

import io
import re
from html import escape
from itertools import cycle
from textwrap import shorten
from typing import Any

import numpy as np

INK = "#010203"   # stands for the colour of the page's own text, which replaces it
MEASURED = (("#3b82c4", "o"), ("#c2557a", "s"), ("#2f9e8f", "^"), ("#8d7bd1", "v"))   # legible on white and on black
LEAST, TRUNCATION, ROUNDING = "#d9782d", "#7a9a3a", "#a06fb0"
STYLE: dict[Any, Any] = {"svg.fonttype": "none", "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans", "Arial"],
                         "font.size": 9}


def error_figure(curves, ident: str, title: str = "finite differences") -> str:
    """Error of finite differences against their step, both on logarithmic axes, as an ``<svg>`` element.

    ``curves`` holds (name, steps, errors). Marks the step of least error of the first curve, the slope 2 of truncation to
    its right and the slope -1 of rounding to its left. ``ident`` starts every id in the figure, so that one page can hold
    many. Empty where no curve has two errors that are positive and finite.

    >>> import xml.etree.ElementTree as ET
    >>> h = [2.0**-k for k in range(1, 30)]
    >>> ET.fromstring(error_figure([("sine", h, [x**2 + 1e-16 / x for x in h])], "f1")).tag
    '{http://www.w3.org/2000/svg}svg'
    """
    shown = [(name, *_positive(steps, errors)) for name, steps, errors in curves]
    shown = [curve for curve in shown if len(curve[1]) > 1]
    return _inline(shown, ident, title) if shown else ""


def _positive(steps, errors):
    """(h, e) in the order of h, without what a logarithm cannot show."""
    h, e = np.asarray(steps, dtype=float).ravel(), np.asarray(errors, dtype=float).ravel()
    shown = np.isfinite(h) & np.isfinite(e) & (h > 0) & (e > 0)
    order = np.argsort(h[shown])
    return h[shown][order], e[shown][order]


def guides(h, e, best: int):
    """(c2, c1): truncation is c2 h^2 right of the best step, rounding c1 / h left of it; None where no step lies there.

    >>> h = np.array([1e-8, 1e-4, 1e-2])
    >>> [float(c) for c in guides(h, np.array([3e-8, 1e-12, 2e-4]), 1)]
    [2.0, 3e-16]
    """
    right, left = slice(best + 1, best + 9), slice(max(best - 8, 0), best)
    c2 = np.median(e[right] / h[right] ** 2) if best + 1 < len(h) else None
    c1 = np.median(e[left] * h[left]) if best else None
    return c2, c1


def _draw(curves):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.8, 3.2), layout="constrained", facecolor="none")
    axes = figure.add_subplot(facecolor="none")
    for (name, h, e), (colour, marker) in zip(curves, cycle(MEASURED), strict=False):
        axes.loglog(h, e, color=colour, marker=marker, markersize=3, linewidth=1, label=_legend(name))
    _guide(axes, *curves[0][1:])
    axes.set(xlabel="step h of the central difference", ylabel="largest error")
    axes.legend(fontsize=8, frameon=False, labelcolor=INK)
    _tint(axes)
    return figure


def _legend(name: str) -> str:
    """Short enough for its place, and no mathematics: matplotlib would typeset what stands between two dollars."""
    return shorten(name, 32, placeholder="...").replace("$", r"\$").lstrip("_")


def _guide(axes, h, e) -> None:
    best = int(np.argmin(e))
    c2, c1 = guides(h, e, best)
    if c2 is not None:
        axes.loglog(h[best:], c2 * h[best:] ** 2, "--", color=TRUNCATION, linewidth=1.5, label="truncation, slope 2")
    if c1 is not None:
        axes.loglog(h[: best + 1], c1 / h[: best + 1], ":", color=ROUNDING, linewidth=1.8, label="rounding, slope -1")
    axes.loglog(h[best], e[best], "D", color=LEAST, markersize=8, fillstyle="none", label=f"least error, h = {h[best]:.1e}")


def _tint(axes) -> None:
    """Every line and letter of the frame in the ink of the page; powers of ten as plain text."""
    for spine in axes.spines.values():
        spine.set_color(INK)
    axes.minorticks_off()
    axes.tick_params(colors=INK, labelsize=8)
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set_color(INK)
        axis.set_major_formatter(lambda x, _: f"1e{round(np.log10(x))}")


def _inline(curves, ident: str, title: str) -> str:
    """The figure as one ``<svg>`` element with ids of its own, in ``currentColor``; the user's matplotlibrc has no say."""
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE | {"svg.hashsalt": ident})
        _draw(curves).savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    svg = buffer.getvalue()
    svg = re.sub(r"<style.*?</style>", "", svg[svg.index("<svg"):], flags=re.DOTALL).replace(INK, "currentColor")
    svg = re.sub(r'\bid="', f'id="{ident}-', svg)
    svg = re.sub(r'(url\(#|href="#)', rf"\g<1>{ident}-", svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(title, quote=True)}"', 1).strip()
