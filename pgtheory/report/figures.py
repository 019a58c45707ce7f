"""Figures as inline SVG: drawn without a display, the same bytes for the same numbers."""

from __future__ import annotations

import io
import re
from html import escape

import numpy as np

INK = "#010203"   # stands for the colour of the page's own text, which replaces it
MEASURED, BEST, TRUNCATION, ROUNDING = "#3b82c4", "#d9782d", "#7a9a3a", "#a06fb0"   # legible on white and on black


def error_curve(steps, errors, ident: str, title: str = "finite differences") -> str:
    """Error of the finite difference against its step, both on logarithmic axes, as an ``<svg>`` element.

    Marks the step of least error, the slope 2 of truncation to its right and the slope -1 of rounding to its left.
    ``ident`` starts every id in the figure, so that one page can hold many; empty where fewer than two errors are
    positive and finite.

    >>> import xml.etree.ElementTree as ET
    >>> h = [2.0**-k for k in range(1, 30)]
    >>> ET.fromstring(error_curve(h, [x**2 + 1e-16 / x for x in h], "f1")).tag
    '{http://www.w3.org/2000/svg}svg'
    """
    h, e = np.asarray(steps, dtype=float).ravel(), np.asarray(errors, dtype=float).ravel()
    shown = np.isfinite(h) & np.isfinite(e) & (h > 0) & (e > 0)
    if shown.sum() < 2:
        return ""
    order = np.argsort(h[shown])
    return _inline(h[shown][order], e[shown][order], ident, title)


def guides(h, e, best: int):
    """(c2, c1): truncation is c2 h^2 right of the best step, rounding c1 / h left of it; None where no step lies there.

    >>> h = np.array([1e-8, 1e-4, 1e-2])
    >>> [round(float(c), 12) for c in guides(h, np.array([3e-8, 1e-12, 2e-4]), 1)]
    [2.0, 0.0]
    """
    right, left = slice(best + 1, best + 9), slice(max(best - 8, 0), best)
    c2 = np.median(e[right] / h[right] ** 2) if best + 1 < len(h) else None
    c1 = np.median(e[left] * h[left]) if best else None
    return c2, c1


def _draw(h, e):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 3.1), layout="constrained", facecolor="none")
    axes = figure.add_subplot(facecolor="none")
    best = int(np.argmin(e))
    axes.loglog(h, e, "o-", color=MEASURED, markersize=3, linewidth=1, label="central difference")
    c2, c1 = guides(h, e, best)
    if c2 is not None:
        axes.loglog(h[best:], c2 * h[best:] ** 2, "--", color=TRUNCATION, linewidth=1.3, label="truncation, slope 2")
    if c1 is not None:
        axes.loglog(h[: best + 1], c1 / h[: best + 1], ":", color=ROUNDING, linewidth=1.6, label="rounding, slope -1")
    axes.loglog(h[best], e[best], "D", color=BEST, markersize=7, fillstyle="none", label=f"least error, h = {h[best]:.1e}")
    axes.set(xlabel="step h", ylabel="largest error")
    axes.legend(fontsize=8, frameon=False, labelcolor=INK)
    _tint(axes)
    return figure


def _tint(axes) -> None:
    """Every line and letter of the frame in the ink of the page; powers of ten as plain text."""
    for spine in axes.spines.values():
        spine.set_color(INK)
    axes.tick_params(which="both", colors=INK, labelsize=8)
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set_color(INK)
        axis.set_major_formatter(lambda x, _: f"1e{round(np.log10(x))}")
        axis.set_minor_formatter(lambda x, _: "")


def _inline(h, e, ident: str, title: str) -> str:
    """The figure as one ``<svg>`` element with ids of its own, in ``currentColor``, whatever the user's matplotlibrc says."""
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": ident, "font.family": "sans-serif", "font.size": 9})
        _draw(h, e).savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    svg = buffer.getvalue()
    svg = re.sub(r"<style.*?</style>", "", svg[svg.index("<svg"):], flags=re.DOTALL).replace(INK, "currentColor")
    svg = re.sub(r'\bid="', f'id="{ident}-', svg)
    svg = re.sub(r'(url\(#|href="#)', rf"\g<1>{ident}-", svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(title, quote=True)}"', 1).strip()
