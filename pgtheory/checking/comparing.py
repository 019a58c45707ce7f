"""Advantages and returns beside the reference, on one record or several, and the known bugs run on the same records."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from ..validation import first
from .asking import ADVANTAGES, BOTH, RETURNS, ROLLOUT
from .likeness import nearest, one_of_each
from .numbers import of_the_right, other_numbers
from .paths import ABSENT, AS_TERMINATION, BOOTSTRAP, Rollout
from .references import Setting, reference
from .result import Finding


@dataclass(frozen=True, eq=False)
class Compared:
    """One record: what was found and what is expected, (1 or 2, N, T) each, equal where there is no step."""

    record: Rollout
    found: np.ndarray
    expected: np.ndarray

    @property
    def bias(self):
        return self.found - self.expected

    @property
    def deviation(self) -> float:
        """The largest deviation over the largest entry; inf where a number is none."""
        return _share(float(np.abs(self.bias).max()), float(np.abs(self.expected).max()))

    @property
    def relative(self) -> float:
        """|bias| / |expected|."""
        return _share(float(np.linalg.norm(self.bias)), float(np.linalg.norm(self.expected)))

    def failing(self, tolerance):
        """(1 or 2, N, T) bool."""
        with np.errstate(invalid="ignore"):
            return ~(np.abs(self.bias) <= tolerance * np.abs(self.expected).max())


@lru_cache(maxsize=8192)
def _outputs(bug, record, setting):
    """(advantages, returns) of a bug; kept, as pairs of outputs are looked at together and then one by one."""
    with np.errstate(all="ignore"):
        return bug.wrong(record, setting)


def _share(part, whole) -> float:
    if part == 0:
        return 0.0
    return part / whole if np.isfinite(part) and whole > 0 else float("inf")


def _made_of(c) -> bool:
    """The returns found are the advantages found plus the values."""
    advantages, returns = c.found
    gap = np.where(c.record.valid, returns - advantages - c.record.values, 0.0)
    return bool(np.abs(gap).max() <= 1e-5 * np.abs(returns).max())


def _end(c, row, step) -> str:
    return {(True, False): ", which terminates", (False, True): ", cut by a time limit"}.get(
        (bool(c.record.terminated[row, step]), bool(c.record.truncated[row, step])), "")


@dataclass(frozen=True)
class Comparison:
    """How to compare: with which recursion, and which of its outputs."""

    setting: Setting
    output: str
    tolerance: float

    def compare(self, record, found) -> Compared:
        """``found`` (1 or 2, N, T) beside the reference."""
        expected = self.picked(reference(record, self.setting))
        return Compared(record, np.where(record.valid, found, 0.0), np.where(record.valid, expected, 0.0))

    def picked(self, pair):
        """(1 or 2, N, T): the outputs asked for, of a pair."""
        return np.stack({ADVANTAGES: pair[:1], RETURNS: pair[1:], BOTH: pair}[self.output])

    def trimmed(self, array):
        """(2, N, T) for both outputs, else (N, T)."""
        return array if self.output == BOTH else array[0]

    def bugs(self):
        """The known bugs that the declared recursion can have."""
        from .zoo.advantages import BUGS

        return [bug for bug in BUGS if self.setting.family in bug.families]

    def wrong(self, bug, record):
        """(1 or 2, N, T): what a bug makes of a record."""
        return np.where(record.valid, self.picked(_outputs(bug, record, self.setting)), 0.0)

    def diagnose(self, compared):
        """(findings, next best) over all records together: the known bugs; then every part of the recursion exchanged, one or
        two at a time; then other numbers than were declared; then a multiple, or a normalised version, of what is right."""
        found, expected = (np.concatenate([np.ravel(getattr(c, name)) for c in compared]) for name in ("found", "expected"))

        def candidates(bugs):
            return ((bug, np.concatenate([np.ravel(self.wrong(bug, c.record)) for c in compared])) for bug in bugs)
        findings, next_best = nearest(found, expected, list(candidates(self.bugs())))
        if findings:
            return findings, next_best
        one, two = self._composed()
        findings, closest = nearest(found, expected, candidates(one), multiples=False)
        findings = findings or other_numbers(self, compared) or of_the_right(self.setting, compared)
        if not findings:
            findings, _ = nearest(found, expected, candidates(bug for bug in two if self._near(bug, compared[0])), multiples=False)
            findings = tuple(self._stripped(finding, one, compared) for finding in findings)
        return one_of_each(findings) or self._each_output(compared), min(next_best, closest)

    def _stripped(self, finding, one, compared) -> Finding:
        """Without the half of a pair that is no mistake by itself: it only says what stands where no step is."""
        for half in finding.bug.split(" + "):
            single = next((bug for bug in one if bug.bug == half), None)
            if single and all(np.allclose(self.wrong(single, c.record), c.expected, atol=1e-9) for c in compared):
                other = next((bug for bug in one if bug.bug != half and bug.bug in finding.bug.split(" + ")), None)
                return replace(finding, bug=other.bug, words=other.words, look=other.look) if other else finding
        return finding

    def _near(self, bug, c) -> bool:
        """One record is enough to see that this is not it."""
        return bool(np.abs(self.wrong(bug, c.record) - c.found).max() <= 1e-3 * max(np.abs(c.found).max(), np.abs(c.expected).max()))

    def _each_output(self, compared) -> tuple[Finding, ...]:
        """Of a pair: what is wrong with the advantages, and whether the returns are made of them, or wrong by themselves."""
        if self.output != BOTH:
            return ()
        told: list = []
        for place, output in enumerate((ADVANTAGES, RETURNS)):
            ones = [Compared(c.record, c.found[[place]], c.expected[[place]]) for c in compared]
            if all(c.deviation <= self.tolerance for c in ones):
                continue
            if output == RETURNS and told and all(_made_of(c) for c in compared):
                told.append(Finding("made-of-them", "the returns are made of these advantages", 0.0, look="the order: returns first"))
                continue
            found, _ = replace(self, output=output).diagnose(ones)
            if not found:
                return ()
            told.append(replace(found[0], words=f"{output}: {found[0].words}"))
        return (Finding(" + ".join(f.bug for f in told), "; ".join(f.words for f in told), max(f.residual for f in told),
                        look=" and ".join(filter(None, (f.look for f in told)))),) if told else ()

    def _composed(self):
        """Recursions with one part exchanged, and with two."""
        from .zoo.composed import composed

        bugs = [b for b in composed(self.setting.family) if self.setting.form == ROLLOUT or "since-start" not in b.bug]  # t itself there
        return [b for b in bugs if " + " not in b.bug], [b for b in bugs if " + " in b.bug]

    def first_wrong(self, compared):
        """(comparison, output, row, step): the first in the order of rows, then of time."""
        c = next(c for c in compared if c.failing(self.tolerance).any())
        return c, *first(c.failing(self.tolerance))

    def where(self, compared, at="row {row} at time index {step}") -> str:
        """The first wrong number, the last one of its row (errors spread backwards in time), and how many there are."""
        c, which, row, step = self.first_wrong(compared)
        last = int(np.flatnonzero(c.failing(self.tolerance)[which, row])[-1])
        wrong = sum(int(c.failing(self.tolerance).sum()) for c in compared)
        of = sum(int(c.record.valid.sum()) * len(c.bias) for c in compared)
        words = [f"first in {at.format(row=row, step=step)}{_end(c, row, step)}: {self.names[which]} "
                 f"{c.found[which, row, step]:.6g}, should be {c.expected[which, row, step]:.6g}"]
        if last != step:
            words.append(f"last in that row at time index {last}{_end(c, row, last)}")
        return "; ".join([*words, f"{wrong} of {of} numbers are wrong"])

    @property
    def names(self) -> tuple[str, ...]:
        return (ADVANTAGES, RETURNS) if self.output == BOTH else (self.output,)

    def words(self) -> str:
        """What is compared with, in words."""
        s, what = self.setting, self.setting.target
        number = {"gae": f" (gamma {s.gamma:g}, lambda {s.lam:g})", "n-step": f" (gamma {s.gamma:g}, n = {s.n})"}.get(
            what.removesuffix(" returns"), f" (gamma {s.gamma:g})")
        limits = {BOOTSTRAP: "time limits bootstrapped", AS_TERMINATION: "time limits taken for terminations",
                  ABSENT: "no time limits"}[s.truncation]
        name = {"gae": "GAE", "v-trace": "V-trace", "v-trace returns": "V-trace returns"}.get(what, what)
        outputs = "" if what.endswith("returns") else {RETURNS: " returns", BOTH: " advantages and returns"}.get(
            self.output, " advantages")
        return f"the {name}{outputs}{number}, {limits}"
