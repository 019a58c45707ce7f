"""How the figures of the demonstrations look, and how they are written to a file."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

BLUE, RED, GREEN, ORANGE, VIOLET, GREY = "#2b6cb0", "#c2455f", "#2f8f7f", "#d9782d", "#7a5fb5", "#777777"   # on white
FORMATS = ("svg", "png", "pdf")
LETTERS = {"gamma^t": r"$\gamma^t$", "gamma^k": r"$\gamma^k$", "gamma =": r"$\gamma$ =", "sqrt 2": r"$\sqrt{2}$", "sigma^2": r"$\sigma^2$"}


class DemoFigure(Figure):
    """A figure that carries the numbers it was drawn from, and shows itself in a notebook.

    numbers : dict of what was computed, by name
    """

    def __init__(self, numbers=None, **settings):
        super().__init__(**settings)
        self.numbers = {} if numbers is None else numbers

    def _repr_png_(self):
        return as_bytes(self, "png")


def canvas(numbers, size) -> DemoFigure:
    """An empty figure of ``size`` inches, with room around its panels.

    >>> from pgtheory.demos.style import canvas
    >>> canvas({"gamma": 0.5}, (4, 3)).numbers
    {'gamma': 0.5}
    """
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    return DemoFigure(numbers, figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08))


def as_bytes(figure, format: str) -> bytes:
    """The figure as a file of that format; the same bytes for the same numbers where the format allows it.

    >>> from pgtheory.demos.style import DemoFigure, as_bytes
    >>> as_bytes(DemoFigure(), "png")[:4]
    b'\\x89PNG'
    """
    from matplotlib import rc_context

    buffer = io.BytesIO()
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(format, {})
    with rc_context({"svg.hashsalt": "pgtheory"}):
        figure.savefig(buffer, format=format, metadata=metadata, dpi=150)
    return buffer.getvalue()


def plain(axes, title: str, xlabel: str, ylabel: str) -> None:
    """A frame of two sides, faint lines behind, everything labelled, in letters that the last row of a lecture room reads.

    >>> from pgtheory.demos.style import DemoFigure, plain
    >>> axes = DemoFigure().add_subplot()
    >>> plain(axes, "a parabola", "x", "y")
    >>> axes.get_xlabel()
    'x'
    """
    axes.set_title(title, fontsize=14)
    axes.set_xlabel(xlabel, fontsize=13)
    axes.set_ylabel(ylabel, fontsize=13)
    axes.tick_params(labelsize=12)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)


def set_letters(figure) -> None:
    r"""Greek letters, powers and roots as they are written by hand, wherever the figure spells them.

    >>> from pgtheory.demos.style import DemoFigure, set_letters
    >>> figure = DemoFigure()
    >>> _ = figure.suptitle("without gamma^t")
    >>> set_letters(figure)
    >>> figure.get_suptitle()
    'without $\\gamma^t$'
    """
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        words = text.get_text()
        for spelt, written in LETTERS.items():
            words = words.replace(spelt, written)
        if words != text.get_text():
            text.set_text(words)
