"""The records of evidence: what was compared, by which route, how far apart, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

PASS, FAIL, INCONCLUSIVE = "PASS", "FAIL", "INCONCLUSIVE"
TOO_WIDE = "the bound is too wide to tell"   # in the note of what more bits may decide
OF_SCORES = "what the scores of an episode may add up to"   # in the note where a tolerance is a part of that: the left side is 0


class Side(np.ndarray):
    """An array whose comparison ``lhs == rhs`` is true where every entry is equal, so that it reads like the identity."""

    def __bool__(self):
        return bool(np.asarray(self).all()) if self.dtype == bool else super().__bool__()

    def __ne__(self, other):
        return np.asarray(np.ndarray.__ne__(self, other)).view(_Somewhere)

    __hash__ = None   # type: ignore[assignment]


class _Somewhere(np.ndarray):
    """What ``lhs != rhs`` returns: true where some entry differs."""

    def __bool__(self):
        return bool(np.asarray(self).any())


class Identity(NamedTuple):
    """Both sides of a claim, arrays of the same shape in the arithmetic of the inputs.

    >>> import numpy as np
    >>> from pgtheory.checks.record import Side
    >>> import pgtheory as pg
    >>> identity = pg.Identity(np.array([1, 2]).view(Side), np.array([1, 2]).view(Side))
    >>> bool(identity.lhs == identity.rhs)
    True
    """

    lhs: Any
    rhs: Any


@dataclass(frozen=True)
class Check:
    """One comparison of two sides.

    theorem : slug of the claim
    part : what of the claim is compared, in words ("log form", "k = 3")
    route : how the left side was got ("complex step", "Monte Carlo", ...)
    kind : "exact" (==), "bounded" (error <= bound) or "statistical" (an e-process)
    lhs, rhs : arrays of one shape
    error : largest absolute difference
    bound : what the error is compared with; for a statistical check, the resolution tolerance * scale
    verdict : "PASS", "FAIL" or "INCONCLUSIVE"
    note : what the bound rests on, or what was drawn
    curve : (steps, errors) of a finite-difference sweep, or None

    >>> import pgtheory as pg
    >>> report = pg.verify(pg.models.load("start-matters"), pg.SoftmaxPolicy(2, 2), [[0.0, 0.0], [0.0, 0.0]],
    ...                    theorems=["stochastic"], routes=["complex-step"])
    >>> check = report.checks[0]
    >>> check.theorem, check.part, check.route, check.kind, check.verdict, check.error <= check.bound
    ('stochastic', 'grad-pi form', 'complex-step', 'bounded', 'PASS', True)
    """

    theorem: str
    part: str
    route: str
    kind: str
    lhs: np.ndarray
    rhs: np.ndarray
    error: float
    bound: float
    verdict: str
    note: str = ""
    curve: tuple | None = None
