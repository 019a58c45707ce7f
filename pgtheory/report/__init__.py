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
        from .text import as_text

        return as_text(self)

    def to_dict(self) -> dict:
        """Plain values for JSON: every array as nested lists, Fractions as "1/3"."""
        from .data import as_dict

        return as_dict(self)

    def to_html(self) -> str:
        """One self-contained HTML page."""
        from .html import as_html

        return as_html([self])

    def _repr_html_(self) -> str:
        from .html import as_fragment

        return as_fragment(self)
