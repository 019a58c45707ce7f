"""``check_advantages``: a function of advantages or returns against the recursion it declares, step by step.

The same records go through both; they agree or they do not, so the verdict needs no statistics. A wrong function is named
after the known bugs that give its numbers, and shown the smallest record on which it is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..checks.record import FAIL, PASS
from ..errors import PGTheoryError
from ..validation import whole_number
from .asking import ADVANTAGES, ARRAYS, BOTH, RETURNS, ROLLOUT, Question, in_words, require_steady
from .comparing import Compared, Comparison
from .paths import ABSENT, AS_TERMINATION, BOOTSTRAP, Rollout, episodes, rollout
from .references import Setting, as_target
from .result import DOUBLE, SINGLE, Result
from .shrinking import Shrinker

PRECISE = 1e-9          # relative deviation that double precision leaves
RECORDS = 3
LARGE = 1e3             # numbers beyond this are no example to show


def check_advantages(fn, gamma, lam=0.95, target="gae", form="arrays", truncation="bootstrap", output="advantages",
                     tolerance=1e-5, *, n=3, rng=0) -> Result:
    r"""Does ``fn`` compute the advantages or returns it declares, on every step; if not, where, and which bug is it?

    Parameters
    ----------
    fn : function. With ``form="arrays"``, fn(rewards (N, T), values (N, T+1), terminated (N, T), truncated (N, T)) -> (N, T):
        one episode a row, which ends, and arbitrary finite data after its end. With ``form="rollout"``, fn(rollout) -> (N, T): rows of T
        steps with several episodes and automatic resets, see :class:`~pgtheory.checking.paths.Rollout`; rows with holes are
        tried where it reads ``rollout.valid``. What it returns where there is no step is not looked at
    gamma : float, discount; lam : float, lambda of the trace; n : int, steps of the n-step targets
    target : "gae", "lambda returns", "td residual", "n-step", "n-step returns", "monte carlo", "monte carlo returns" (also
        "reward-to-go"), "v-trace", "v-trace returns" (clips at 1, ``rollout.ratios``); one ending in "returns" is what a
        single output is compared with
    truncation : how a time limit counts: "bootstrap", the critic's value follows; "as_termination", nothing follows, on
        purpose; "absent", there is none in the records
    output : "advantages", "returns", or "both" for a pair (advantages, returns)
    tolerance : float, the largest deviation let pass, relative to the largest entry; the verdict says "single precision"
        where it is above 1e-9
    rng : Generator or seed of the records

    Returns
    -------
    Result; ``bias`` (N, T), or (2, N, T) for both, on the record where it is relatively largest

    Raises
    ------
    EstimatorError
        ``fn`` raised (with the row that caused it), returned another shape, changes its input, keeps state, or is random.

    Notes
    -----
    Source of the recursions: Schulman et al., ICLR 2016, equation 16; Sutton & Barto 2018, chapters 7 and 12; time limits:
    Pardo, Tavakoli, Levdik, Kormushev, *Time limits in reinforcement learning*, ICML 2018.

    Examples
    --------
    >>> import numpy as np, pgtheory as pg
    >>> def gae(rewards, values, terminated, truncated, gamma=0.8, lam=0.9):
    ...     advantages, carry = np.zeros_like(rewards), 0.0
    ...     for t in reversed(range(rewards.shape[1])):
    ...         delta = rewards[:, t] + gamma * values[:, t + 1] * ~terminated[:, t] - values[:, t]
    ...         carry = delta + gamma * lam * ~(terminated | truncated)[:, t] * carry
    ...         advantages[:, t] = carry
    ...     return advantages
    >>> pg.check_advantages(gae, gamma=0.8, lam=0.9).verdict
    'PASS'
    >>> ended = lambda r, v, terminated, truncated: gae(r, v, terminated | truncated, truncated)
    >>> result = pg.check_advantages(ended, gamma=0.8, lam=0.9)
    >>> result.verdict, result.diagnosis[0].bug, result.details["smallest"]
    ('FAIL', 'B6/B7', 'rewards [0], values [0, 1], terminated [0], truncated [1]: advantages [0], should be [0.8]')
    >>> pg.check_advantages(ended, gamma=0.8, lam=0.9, truncation="as_termination").verdict
    'PASS'
    """
    if not callable(fn):
        raise PGTheoryError(f"fn is {type(fn).__name__}: it must be a function")
    form = _one_of(form, "form", (ARRAYS, ROLLOUT))
    comparison = declared(gamma, lam, target, truncation, output, tolerance, n, form)
    if comparison.setting.family == "v-trace" and form == ARRAYS:
        raise PGTheoryError("v-trace needs the ratios pi/b, which the form 'arrays' does not have: use form='rollout'")
    return Check(Question(fn, form, comparison.output), comparison, np.random.default_rng(rng)).result()


def declared(gamma, lam, target, truncation, output, tolerance, n, form) -> Comparison:
    """What is to be compared, checked; a target that is a return is compared with returns."""
    setting = Setting(_share(gamma, "gamma"), _share(lam, "lam"), whole_number(n, "n", PGTheoryError, 1), as_target(target),
                      _one_of(truncation, "truncation", (BOOTSTRAP, AS_TERMINATION, ABSENT)), form)
    output = _one_of(output, "output", (ADVANTAGES, RETURNS, BOTH))
    output = RETURNS if setting.target.endswith("returns") and output == ADVANTAGES else output
    return Comparison(setting, output, float(tolerance))


def _share(value, name) -> float:
    value = float(value)
    if not 0 <= value <= 1:
        raise PGTheoryError(f"{name} is {value}: it must lie in [0, 1]")
    return value


def _one_of(value, name, allowed) -> str:
    if value not in allowed:
        raise PGTheoryError(f"{name} is {value!r}: it must be one of {', '.join(map(repr, allowed))}")
    return value


@dataclass(frozen=True, eq=False)
class Check:
    """One run of ``check_advantages``."""

    question: Question
    comparison: Comparison
    rng: np.random.Generator

    @property
    def setting(self) -> Setting:
        return self.comparison.setting

    def result(self) -> Result:
        compared, read = self._compare_all()
        result = judged(self.comparison, compared, blind_spots(self.setting, self.question, read), self._smallest)
        words = self._both_at_once() if result.passed and self.setting.truncation != ABSENT else ""
        return replace(result, details={**result.details, "both": words}) if words else result

    def _both_at_once(self) -> str:
        """What is made of a step that is both terminated and truncated, which Gymnasium allows; no matter of the verdict."""
        record = self._record()
        record = replace(record, truncated=record.truncated | record.terminated)
        try:
            right = self._asked(record).deviation <= self.comparison.tolerance
        except PGTheoryError:
            right = False
        return "" if right else ("a step both terminated and truncated is not taken for a termination: see that your environment says "
                                 "only one of them, truncated and not terminated")

    def _compare_all(self):
        """Every record compared; the fields that the function looked at."""
        records = [self._record() for _ in range(RECORDS)]
        answers = [self.question.ask(record) for record in records]
        read = set().union(*(fields for _, fields in answers))
        found = [answer for answer, _ in answers]
        if self.question.form == ROLLOUT and "valid" in read:
            records.append(rollout(self.rng, self.setting.truncation, holes=True))
            found.append(self.question.ask(records[-1])[0])
        require_steady(self.question, records[0], found[0], self.question.ask(records[0])[0])
        return [self.comparison.compare(record, answer) for record, answer in zip(records, found, strict=True)], read

    def _record(self) -> Rollout:
        if self.question.form == ROLLOUT:
            return rollout(self.rng, self.setting.truncation)
        return episodes(self.rng, self.setting.truncation)

    def _smallest(self, compared, findings) -> dict:
        """The smallest record on which it is wrong in the same way."""
        c, _, row, _ = self.comparison.first_wrong(compared)
        named = {finding.bug for finding in findings[:1] if finding.scale == 1}
        bugs = [bug for bug in self.comparison.bugs() if bug.bug in named]

        def fails(record):
            try:
                smaller = self._asked(record)
            except PGTheoryError:
                return False
            same = all(np.allclose(smaller.found, self.comparison.wrong(bug, record), rtol=1e-4, atol=1e-4) for bug in bugs)
            seen = np.abs(smaller.bias).max() > max(self.comparison.tolerance, PRECISE) * np.abs(c.expected).max()   # more than rounding
            return bool(same and seen and np.abs(smaller.found).max() < LARGE
                        and smaller.deviation > max(self.comparison.tolerance, 1e-3))

        arrays = self.question.form == ARRAYS
        small = Shrinker(fails, arrays).shrink(c.record, row)
        return {} if small is None else {"smallest": self._shown(self._asked(small))}

    def _asked(self, record) -> Compared:
        return self.comparison.compare(record, self.question.ask(record)[0])

    def _shown(self, c) -> str:
        wrong = int(np.argmax(c.failing(self.comparison.tolerance).any(axis=(1, 2))))
        found, expected = (", ".join(_row(row) for row in x[wrong]) for x in (c.found, c.expected))
        return f"{in_words(c.record, self.question.form)}: {self.comparison.names[wrong]} {found}, should be {expected}"


def judged(comparison, compared, blind, smallest=None, at="row {row} at time index {step}") -> Result:
    """The verdict over all records; ``smallest(compared, findings)`` gives details of a failure."""
    worst = max(compared, key=lambda c: c.relative)
    deviation = max(c.deviation for c in compared)
    passed = deviation <= comparison.tolerance
    bias, expected, found = (comparison.trimmed(x) for x in (worst.bias, worst.expected, worst.found))
    result = Result(PASS if passed else FAIL, comparison.words(), "pathwise", bias, worst.relative, expected, found,
                    blind=tuple(blind), coordinate="step")
    if passed:
        return replace(result, precision=DOUBLE if deviation <= PRECISE else SINGLE)
    findings, next_best = comparison.diagnose(compared)
    return replace(result, diagnosis=findings, next_best=next_best, where=comparison.where(compared, at),
                   look="" if findings else _look(worst), details=smallest(compared, findings) if smallest else {})


def _look(worst) -> str:
    if not np.isfinite(worst.relative):
        return "a number that is none: a division by 0, or a mask applied to it by multiplication"
    if not worst.found.any():
        return "it returns 0 everywhere: is the array filled, and the filled one returned?"
    if worst.relative < 1e-3:
        return "a deviation as small as this is rounding (a lower precision?) or an epsilon; pass tolerance if it is meant"
    return "no known bug gives these numbers; the first of them that is wrong, and the smallest record, are below"


def _row(numbers) -> str:
    return "[" + ", ".join(f"{x:.6g}" for x in numbers) + "]"


def blind_spots(s: Setting, question: Question, read=()) -> tuple[str, ...]:
    """What these settings cannot see, in words.

    >>> blind_spots(Setting(0.8, 1.0), Question(None, "rollout", "both"), {"valid"})
    ('lam = 1: the trace (lambda forgotten in the carry, or applied where it does not belong)',)
    """
    traced = s.target in ("gae", "lambda returns", "v-trace", "v-trace returns")
    spots = (
        (traced and s.lam == 1, "lam = 1: the trace (lambda forgotten in the carry, or applied where it does not belong)"),
        (traced and s.lam == 0, "lam = 0: the carry (nothing is carried, so nothing leaks over the end of an episode)"),
        (s.gamma == 1, "gamma = 1: mistakes in discounting"),
        (s.gamma == 0, "gamma = 0: the critic at the next state, the carry, and every boundary"),
        (s.family == "n-step" and s.n == 1, "n = 1: windows and powers of gamma"),
        (s.truncation == ABSENT, "truncation absent: time limits"),
        (question.form == ARRAYS, "form 'arrays': several episodes a row, the state after a reset, masked steps (form='rollout')"),
        (question.form == ARRAYS and s.truncation != BOOTSTRAP, "no row is still running at its end: the value after the last step"),
        (question.form == ROLLOUT and "valid" not in read, "it does not read rollout.valid: rows with masked steps were not tried"),
        (question.output == ADVANTAGES, "output 'advantages': the returns (output='both')"),
    )
    return tuple(words for applies, words in spots if applies)
