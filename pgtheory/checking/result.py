"""What a check of a user's function found: the verdict, how far off, where, which known bug, and what could not be seen."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..checks.record import FAIL, INCONCLUSIVE, PASS

WIDTH = 80
SHOWN = 12              # coordinates printed at most, the furthest off first
TOLD = 3                # ties printed in full; the others by name
DOUBLE, SINGLE = "double", "single precision"


@dataclass(frozen=True)
class Finding:
    """A known bug that does what the function does. Findings of one result tie: these settings cannot tell them apart.

    bug : id in the zoo
    words : what it does
    residual : relative distance between the function's bias and that of the bug, times ``scale``
    scale : the multiple of the bug at which they are nearest; 1 where it is the bug as it stands
    links : public threads that met it, repository#number; empty where none is known
    look : what to look at in the code
    """

    bug: str
    words: str
    residual: float
    scale: float = 1.0
    links: tuple[str, ...] = ()
    look: str = ""

    def as_dict(self) -> dict:
        """Plain data, for JSON."""
        return {"bug": self.bug, "words": self.words, "residual": self.residual, "scale": self.scale,
                "links": list(self.links), "look": self.look}


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """The outcome of a check; ``str(result)`` is the report of 80 columns.

    verdict : "PASS", "FAIL" or "INCONCLUSIVE"
    target : what the function was compared with, in words
    method : "pathwise", "exact" or "sequential", the tier that decided
    bias : array, what was found minus what was expected; of the fixture where it is relatively largest
    relative_bias : float, |bias| / |expected| in the Euclidean norm, the largest over the fixtures
    expected, found : arrays like bias, or None where they are not known
    diagnosis : findings that fit, all of them ties; empty where nothing known fits
    next_best : the residual of the best finding that does not fit, inf where there is none
    blind : what these settings cannot see
    look : the first thing to look at, where no finding says it
    where : where the deviation sits: time index, state, fixture
    precision : "double", "single precision" where the deviation lies between 1e-9 and the tolerance, or "" where no
        precision was reached
    coordinate : what an index of bias is an index of
    details : anything else, by name

    >>> import numpy as np
    >>> result = Result("FAIL", "the gradient", "exact", np.array([0.5, 0.0]), 0.5, expected=np.array([1.0, 0.0]),
    ...                 found=np.array([1.5, 0.0]), where="from 2 steps on")
    >>> print(result)
    FAIL: not the gradient; off by 50 % of its size (exact)
      bias       theta          expected             found              bias
                 [0]                   1               1.5              +0.5
                 [1]                   0                 0                 0
      where      from 2 steps on
      cosine     1.000000: the angle, no test (a wrong length has cosine 1)
    """

    verdict: str
    target: str
    method: str
    bias: np.ndarray
    relative_bias: float
    expected: np.ndarray | None = None
    found: np.ndarray | None = None
    diagnosis: tuple[Finding, ...] = ()
    next_best: float = float("inf")
    blind: tuple[str, ...] = ()
    look: str = ""
    where: str = ""
    precision: str = ""
    coordinate: str = "theta"
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """The verdict is PASS."""
        return self.verdict == PASS

    @property
    def cosine(self) -> float:
        """Cosine of the angle between found and expected; nan where either is unknown or 0."""
        if self.expected is None or self.found is None:
            return float("nan")
        a, b = np.ravel(self.found).astype(float), np.ravel(self.expected).astype(float)
        size = float(np.linalg.norm(a) * np.linalg.norm(b))
        return float(a @ b) / size if size > 0 else float("nan")

    def as_dict(self) -> dict:
        """Plain data, for JSON."""
        arrays = {name: None if getattr(self, name) is None else np.asarray(getattr(self, name)).tolist()
                  for name in ("bias", "expected", "found")}
        words = {name: getattr(self, name) for name in ("verdict", "target", "method", "relative_bias", "next_best", "look",
                                                        "where", "precision", "coordinate")}
        return {**words, **arrays, "cosine": self.cosine, "blind": list(self.blind),
                "diagnosis": [finding.as_dict() for finding in self.diagnosis], "details": dict(self.details)}

    def __str__(self):
        headline = textwrap.wrap(self._headline(), WIDTH, subsequent_indent="  ", break_on_hyphens=False)
        return "\n".join([*headline, *self._first_look(), *self._table(), *self._rest()])

    def __repr__(self):
        return f"Result({self.verdict}, {self.target}, {self.method}, relative_bias={self.relative_bias:.3g})"

    def _headline(self) -> str:
        how = ", ".join(filter(None, (self.method, self.precision if self.precision == SINGLE else "")))
        size = percent(self.relative_bias)
        words = {PASS: f"{self.target}; deviation {self.relative_bias:.1e} of its size",
                 FAIL: f"not {self.target}; off by {size} of its size",
                 INCONCLUSIVE: f"{self.target}? undecided; estimated deviation {size} of its size"}
        return f"{self.verdict}: {words[self.verdict]} ({how})"

    def _first_look(self):
        for k, finding in enumerate(self.diagnosis[:TOLD]):
            scale = "" if abs(finding.scale - 1) < 1e-6 else f", {finding.scale:.6g} times it"
            yield from _entry(f"{finding.words} [{finding.bug}]; residual {finding.residual:.0e}{scale}",
                              "or like" if k else "looks like")
            yield from _entry(finding.look, "look at")
            yield from _entry(", ".join(finding.links), "reported")
        yield from _entry(", ".join(finding.bug for finding in self.diagnosis[TOLD:]), "or like")
        if self.diagnosis and np.isfinite(self.next_best):
            tie = "these cannot be told apart here; " if len(self.diagnosis) > 1 else ""
            yield from _entry(f"{tie}the next known bug has residual {self.next_best:.0e}", "told by")
        yield from _entry(self.look, "look at")

    def _table(self):
        if self.verdict == PASS or self.expected is None or self.found is None or not np.size(self.bias):
            return
        order = np.argsort(-np.abs(np.ravel(self.bias)), kind="stable")[:SHOWN]
        shown = sorted(order) if np.size(self.bias) <= SHOWN else order
        yield f"  {'bias':<11}{self.coordinate:<8}{'expected':>15}{'found':>18}{'bias':>18}"
        for flat in shown:
            index = ", ".join(str(int(i)) for i in np.unravel_index(int(flat), np.shape(self.bias)))
            values = [f"{float(np.ravel(x)[flat]):.6g}" for x in (self.expected, self.found)]
            bias = float(np.ravel(self.bias)[flat])
            yield f"  {'':<11}{f'[{index}]':<8}{values[0]:>15}{values[1]:>18}{f'{bias:+.6g}' if bias else '0':>18}"
        if np.size(self.bias) > SHOWN:
            yield from _entry(f"... and {np.size(self.bias) - SHOWN} more, not so far off", "")

    def _rest(self):
        yield from _entry(self.where, "where")
        if self.verdict != PASS and np.isfinite(self.cosine):
            yield from _entry(f"{self.cosine:.6f}: the angle, no test (a wrong length has cosine 1)", "cosine")
        for name, value in self.details.items():
            yield from _entry(f"{value}", name)
        for k, words in enumerate(self.blind):
            yield from _entry(words, "not seen" if k == 0 else "")


def percent(share: float) -> str:
    """A share in words: 21 %, 0.0030 %, 3e-12.

    >>> percent(0.2134), percent(1.0), percent(3e-12)
    ('21 %', '100 %', '3e-12')
    """
    if not np.isfinite(share) or share < 1e-6 or share >= 100:
        return f"{share:.0e}" if np.isfinite(share) else str(share)
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.0f} %"


def _entry(text, label):
    """Lines of 80 columns, the label in a column of its own; none where there is no text."""
    return textwrap.wrap(text, WIDTH, initial_indent=f"  {label:<11}", subsequent_indent=" " * 13, break_on_hyphens=False)
