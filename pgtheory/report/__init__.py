"""What was found, for people and programs: text, JSON, HTML."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..checks.record import FAIL, PASS, Check


@dataclass(frozen=True)
class Report:
    """What :func:`pgtheory.verify` found.

    checks : tuple of Check
    skipped : tuple of (claim slug, reason)
    model, policy : their descriptions in words
    context : dict of plain values: n_states, n_actions, gamma, conditioning, scale, directions, alpha, tolerance, seed, ...
    expected : tuple of (claim slug, its main part), the claims that apply, whether or not a route could check them

    ``str(report)`` is a table of 80 columns; in a notebook a report shows itself as HTML.

    >>> import numpy as np, pgtheory as pg
    >>> one = np.array([1.0])
    >>> check = pg.Check("bellman", "V", "linear solve", "bounded", one, one, error=0.0, bound=1e-15, verdict="PASS")
    >>> report = pg.Report(checks=(check,), model="a toy")
    >>> report.passed, report.count("PASS"), list(report.claims)
    (True, 1, ['bellman'])
    >>> print(report)
    a toy
    <BLANKLINE>
    claim, part, route  |left|  |right|  error     bound  verdict
    bellman
      V
        linear solve         1        1      0  1.00e-15  PASS
    <BLANKLINE>
    PASSED: 1 of 1 claims established; 1 agreement within its bound.
    """

    checks: tuple[Check, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    model: str = ""
    policy: str = ""
    context: dict = field(default_factory=dict)
    expected: tuple[tuple[str, str], ...] = ()

    @property
    def claims(self) -> dict[str, tuple[Check, ...]]:
        """Claim slug -> its checks, in the order in which they were made."""
        grouped: dict[str, list[Check]] = {slug: [] for slug, _ in self.expected}
        for check in self.checks:
            grouped.setdefault(check.theorem, []).append(check)
        return {slug: tuple(checks) for slug, checks in grouped.items()}

    @property
    def established(self) -> tuple[str, ...]:
        """The claims without a FAIL and with an exact or bounded PASS of their main part."""
        main = dict(self.expected)
        return tuple(slug for slug, checks in self.claims.items() if not any(c.verdict == FAIL for c in checks)
                     and any(c.verdict == PASS and c.kind in ("exact", "bounded") and c.part == main.get(slug, c.part)
                             for c in checks))

    @property
    def passed(self) -> bool:
        """No FAIL, and every claim that applies has at least one exact or bounded PASS."""
        return bool(self.claims) and len(self.established) == len(self.claims)

    def count(self, verdict: str) -> int:
        """Number of checks with this verdict."""
        return sum(c.verdict == verdict for c in self.checks)

    def __repr__(self):
        from .words import established

        return f"<Report on {self.model or 'no model'}: {established([self])} print() shows it whole>"

    def __str__(self):
        from .text import as_text

        return as_text(self)

    def to_dict(self) -> dict:
        """Plain values for JSON, lossless: see :func:`pgtheory.report.data.as_dict`."""
        from .data import as_dict

        return as_dict(self)

    def to_html(self) -> str:
        """One self-contained HTML page."""
        from .html import as_html

        return as_html([self])

    def _repr_html_(self) -> str:
        from .html import as_fragment

        return as_fragment(self)
