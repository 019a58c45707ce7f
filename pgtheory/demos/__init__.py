"""Teaching demonstrations: each computes its numbers exactly or to rounding, and draws one figure for a lecture.

>>> import pgtheory as pg
>>> pg.demo.names()
('why-policies', 'occupancy', 'baseline', 'gamma-t', 'variance', 'ascent', 'sigma-limit')
"""

from __future__ import annotations

import difflib
from importlib import import_module

from ..errors import PGTheoryError

_MODULES = {"why-policies": "why_policies", "occupancy": "occupancy", "baseline": "baseline", "gamma-t": "gamma_t",
            "variance": "variance", "ascent": "ascent", "sigma-limit": "shrinking_noise"}


def names() -> tuple[str, ...]:
    """The names of all demonstrations, in the order of a course."""
    return tuple(_MODULES)


def title(name: str) -> str:
    """What the demonstration shows, in a sentence.

    >>> from pgtheory.demos import title
    >>> title("baseline")
    'A baseline leaves the mean alone and moves the variance, not always down'
    """
    return _module(name).TITLE


def demo(name: str):
    """The figure of a demonstration; its numbers are ``figure.numbers``, a dict, each computed by this library.

    Needs no display: the figure is a ``matplotlib.figure.Figure``, which a notebook shows and ``figure.savefig(path)`` writes.
    Raises :class:`PGTheoryError` where there is none of that name, with those that come close.

    >>> import pgtheory as pg
    >>> pg.demo("baseline").numbers["variance without"]
    Fraction(9, 10000)
    """
    from .style import canvas, set_letters

    module = _module(name)
    figure = canvas(module.numbers(), module.SIZE)
    module.draw(figure, figure.numbers)
    figure.suptitle(module.TITLE, fontsize=18)
    set_letters(figure)
    return figure


demo.names = names   # type: ignore[attr-defined]


def _module(name: str):
    if name not in _MODULES:
        close = difflib.get_close_matches(str(name), _MODULES, n=3, cutoff=0.4)
        raise PGTheoryError(f"no demonstration {name!r}: " + (f"did you mean {', '.join(close)}?" if close else
                            f"there are {', '.join(_MODULES)}"))
    return import_module(f".{_MODULES[name]}", __name__)
