"""The records of evidence: what was compared, by which route, how far apart, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

PASS, FAIL, INCONCLUSIVE = "PASS", "FAIL", "INCONCLUSIVE"


class Side(np.ndarray):
    """An array whose comparison ``lhs == rhs`` is true where every entry is equal, so that it reads like the identity."""

    def __bool__(self):
        return bool(np.asarray(self).all()) if self.dtype == bool else super().__bool__()


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


@dataclass(frozen=True)
class Report:
    """What :func:`pgtheory.verify` found.

    checks : tuple of Check
    skipped : tuple of (claim slug, reason)
    model, policy : their descriptions in words
    context : dict of plain values: n_states, n_actions, gamma, conditioning, scale, directions, alpha, tolerance, seed, ...
    """

    checks: tuple[Check, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    model: str = ""
    policy: str = ""
    context: dict = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """No FAIL, and every claim that applies has at least one exact or bounded PASS."""
        claims = {c.theorem for c in self.checks}
        proved = {c.theorem for c in self.checks if c.verdict == PASS and c.kind in ("exact", "bounded")}
        return bool(claims) and claims == proved and not any(c.verdict == FAIL for c in self.checks)

    def count(self, verdict: str) -> int:
        """Number of checks with this verdict."""
        return sum(c.verdict == verdict for c in self.checks)

    def __str__(self):
        from ..report import as_text

        return as_text(self)

    def to_dict(self) -> dict:
        """Plain values for JSON: every array as nested lists, Fractions as "1/3"."""
        from ..report import as_dict

        return as_dict(self)

    def to_html(self) -> str:
        """One self-contained HTML page."""
        from ..report import as_html

        return as_html([self])

    def _repr_html_(self) -> str:
        from ..report import as_fragment

        return as_fragment(self)
