r"""Models in files: .json (exact or floating, may be written by hand) and .npz (floating, compact).

A .json model is one object::

    {"P": [[["1/3", "2/3"], [0, 1]], [[0, 1], [0, 1]]], "R": [[1, 0], [0, 0]], "gamma": "9/10", "rho": 0}

P is nested [s][a][s'], R is [s][a][s'], [s][a] or [s], rho a start state or a list over the states. A number in quotes is
exact ("1/3", "0.25"); integers go with either kind; a bare decimal is a float, and does not go with numbers in quotes. A
sparse P or R is {"entries": [[s, a, s', value], ...]}. "normalize": true divides every row by its sum; keys that are not
named here are left alone.

A .npz model holds the arrays P, R, gamma, rho; sparse ones as P_row, P_col, P_data (row s*A + a) beside n_actions. Nothing
is ever pickled.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import InvalidMDPError, NotExactError, PGTheoryError
from ..files import write_whole
from . import binary, text

_FORMATS = {".json": text, ".npz": binary}


def save(mdp, path) -> None:
    """Write ``mdp`` to ``path``: .json in any arithmetic of numbers, .npz floats (and integers) only.

    The file appears whole or not at all: it is written beside ``path`` and then renamed.

    Raises
    ------
    NotExactError
        An exact model into .npz.
    PGTheoryError
        Another suffix, a model of symbols, or a place that cannot be written.

    >>> import pgtheory as pg, tempfile, pathlib
    >>> from pgtheory.storage import load, save
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "walk.json"
    >>> save(pg.models.load("random-walk", exact=True), path)
    >>> load(path, pg.MDP).P[3, 0, 2]
    Fraction(1, 2)
    """
    target = _as_path(path, PGTheoryError)
    layout = _layout(target, PGTheoryError)
    if mdp.arithmetic.symbolic:
        raise PGTheoryError("a model of symbols cannot be saved: substitute numbers for them first")
    write_whole(target, layout.encode(mdp))


def load(path, build: Callable):
    """``build(P=, R=, gamma=, rho=, normalize=)`` of a file that :func:`save` or a person wrote (layout: see the module's text).

    Raises
    ------
    InvalidMDPError
        No such file, an unknown suffix, a damaged file, missing keys, entries that are no numbers, or no MDP.
    NotExactError
        Floats beside numbers in quotes.

    >>> import tempfile, pathlib
    >>> from pgtheory.storage import load
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "mine.json"
    >>> _ = path.write_text('{"P": [[["1/3", 0.5]]], "R": [0], "gamma": 0, "rho": 0}')
    >>> load(path, dict)
    Traceback (most recent call last):
        ...
    pgtheory.errors.NotExactError: mine.json: P[0, 0, 1] is the float 0.5 in a file with exact numbers in quotes: floats \
are never silently rounded; write it as "1/2"
    """
    source = _as_path(path, InvalidMDPError)
    layout = _layout(source, InvalidMDPError)
    content = _read(source)
    try:
        return layout.decode(content, build)
    except (InvalidMDPError, NotExactError) as error:
        hint = f" (in the file: {layout.NORMALIZE})" if "normalize=True" in str(error) else ""
        raise type(error)(f"{source.name}: {error}{hint}") from None
    except (MemoryError, OverflowError) as error:
        raise InvalidMDPError(f"{source.name}: a number or a shape is too large ({error or 'out of memory'}): correct it") \
            from None


def _as_path(path, error) -> Path:
    try:
        return Path(path)
    except TypeError:
        raise error(f"the path of a model is {path!r}: it must be a string or a pathlib.Path") from None


def _layout(path, error):
    if path.suffix.lower() not in _FORMATS:
        raise error(f"{str(path)!r} has the suffix {path.suffix!r}: a model file ends in .json or .npz")
    return _FORMATS[path.suffix.lower()]


def _read(source: Path) -> bytes:
    try:
        return source.read_bytes()
    except FileNotFoundError:
        raise InvalidMDPError(f"{source} does not exist: check the spelling and the directory") from None
    except (OSError, ValueError) as error:
        raise InvalidMDPError(f"{source} cannot be read: {getattr(error, 'strerror', None) or error}") from None
