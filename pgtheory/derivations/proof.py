"""A proof, executed: its steps with a verdict each."""

from __future__ import annotations

from dataclasses import dataclass

from ..checks.record import PASS
from .line import Step


@dataclass(frozen=True)
class Proof:
    """What :func:`pgtheory.prove` returns: the derivation of one claim, every step checked on one instance.

    slug, title, statement (LaTeX), hypotheses, source : of the claim
    file : where the proof stands in full, for every model
    model, policy : the instance, in words
    k : int, how many steps were unrolled
    exact : bool, True where both sides of every step were compared with ==
    steps : tuple of Step
    skipped : tuple of (title, reason) of lines that cannot be checked here

    ``str(proof)`` prints the steps in 80 columns, one entry of each; a notebook typesets them; ``to_html`` and ``to_dict``
    hold every entry.

    >>> import pgtheory as pg
    >>> proof = pg.prove("occupancy", k=2)
    >>> proof.passed, len(proof.steps)
    (True, 10)
    """

    slug: str
    title: str
    statement: str
    hypotheses: tuple[str, ...]
    source: str
    file: str
    model: str
    policy: str
    k: int
    exact: bool
    steps: tuple[Step, ...]
    skipped: tuple[tuple[str, str], ...] = ()

    @property
    def passed(self) -> bool:
        """Every step holds."""
        return bool(self.steps) and all(step.verdict == PASS for step in self.steps)

    def to_dict(self) -> dict:
        """Plain values for JSON, both sides of every step whole: see :func:`pgtheory.report.data.plain`."""
        from .page import as_dict

        return as_dict(self)

    def to_html(self) -> str:
        """One self-contained HTML page, both sides of every step whole."""
        from .page import as_page

        return as_page([self])

    def __str__(self):
        from .display import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        from .display import as_html

        return as_html(self)

    def _repr_latex_(self) -> str:
        from .display import as_latex

        return as_latex(self)
