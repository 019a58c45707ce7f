"""One line of a derivation as it is stated, and as it was checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arithmetic import canonical
from ..checks.record import FAIL, INCONCLUSIVE, PASS
from ..errors import PGTheoryError
from ..routes.left import Left

EQUAL, AT_MOST = "=", "<="
RESOLUTION = 0.05   # a bound beyond this part of the scale would let a wrong formula pass: then nothing was shown


@dataclass(frozen=True)
class Line:
    r"""What a derivation says at one place, and how each side is computed.

    title : what is done here, in words
    statement : LaTeX
    because : why it follows from the lines above
    left, right : functions of a :class:`~pgtheory.derivations.setting.Setting`, each with its own computation; they return
        an array, or a :class:`~pgtheory.routes.left.Left`, which brings the error of the side along
    axes : names of the indices of both sides; "theta" is the flattened parameter
    scale : function of a Setting, size of the terms before they cancel; rounding is relative to it
    relation : "=" or "<="
    """

    title: str
    statement: str
    because: str
    left: Callable
    right: Callable
    axes: tuple[str, ...]
    scale: Callable
    relation: str = EQUAL


@dataclass(frozen=True)
class Step:
    """A line, checked on one instance.

    number : its place in the proof, from 1
    title, statement (LaTeX), because, relation : as the line says
    axes : names of the indices of both sides; theta_shape unravels the one called "theta"
    lhs, rhs : arrays of one shape, in the arithmetic of the instance
    error : largest absolute difference (for "<=", largest excess of the left side); NaN for symbols
    bound : what the error may be: 0 in exact arithmetic, the rounding of both sides otherwise
    verdict : "PASS", "FAIL" or "INCONCLUSIVE"

    >>> import pgtheory as pg
    >>> step = pg.prove("unrolling").steps[0]
    >>> step.title, step.verdict, step.error
    ('State laws by walking', 'PASS', 0.0)
    """

    number: int
    title: str
    statement: str
    because: str
    axes: tuple[str, ...]
    theta_shape: tuple[int, ...]
    relation: str
    lhs: np.ndarray
    rhs: np.ndarray
    error: float
    bound: float
    verdict: str

    @property
    def passed(self) -> bool:
        return self.verdict == PASS


def check(line: Line, setting, number: int = 1) -> Step:
    r"""Compute both sides of ``line`` and compare them: with == in exact arithmetic, within a bound otherwise.

    The bound is the error that each side reports, plus the rounding of the setting, relative to the scale of the line;
    plus, for each side that averages derivatives, the error that these came with.
    """
    with np.errstate(all="ignore"):   # what overflows has no finite bound, and is not called a PASS
        left, right = _side(line.left(setting)), _side(line.right(setting))
        lhs, rhs = canonical(np.asarray(left.value), np.asarray(right.value))
        if lhs.shape != rhs.shape:
            raise PGTheoryError(f"the sides of the line {line.title!r} have shapes {lhs.shape} and {rhs.shape}")
        scale = 0.0 if setting.exact else float(line.scale(setting))
        bound = 0.0 if setting.exact else float(left.error + right.error) + _inherited(line, setting, scale)
        equal = setting.exact and line.relation == EQUAL and bool(np.all(lhs == rhs))
        error = 0.0 if equal else _excess(lhs, rhs, line.relation)
    return Step(number, line.title, line.statement, line.because, line.axes, setting.problem.theta.shape, line.relation,
                lhs, rhs, error, bound, _verdict(equal or error <= bound, bound, scale))


def _inherited(line, setting, scale) -> float:
    """Rounding, and the error of the derivatives that both sides are made of."""
    derivatives = 2 * setting.derivative_error() if "theta" in line.axes else 0.0
    return setting.rounding * scale + derivatives


def _verdict(holds, bound, scale) -> str:
    """A bound that is wide against the scale, or not finite, tells nothing apart; beyond a finite bound is a FAIL."""
    if np.isfinite(bound) and not holds:
        return FAIL
    return PASS if np.isfinite(bound) and bound <= RESOLUTION * scale else INCONCLUSIVE


def _side(value: Any) -> Left:
    return value if isinstance(value, Left) else Left(value, 0)


def _excess(lhs, rhs, relation) -> float:
    """How far the sides are from the relation: largest entry; NaN for symbols, which have no size."""
    try:
        difference = abs(lhs - rhs) if relation == EQUAL else lhs - rhs
        worst = max(difference.flat, default=0)
        return float(worst) or 5e-324 * (worst > 0)   # a Fraction above 0 never rounds to 0
    except TypeError:
        return float("nan")
