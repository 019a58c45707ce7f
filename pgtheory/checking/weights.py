r"""``check_weights``: what multiplies the scores, :math:`\hat g = \sum_t w_t \nabla\log\pi(a_t|s_t)`, for groups of trajectories.

A loss fits too: :math:`w = -\partial\,\mathrm{loss} / \partial\log\pi`. The function gives numbers, many groups in one call; the
scores are contracted here, exactly. The expectation over all groups of small problems is compared with the target, without
statistics.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..checks.record import FAIL, INCONCLUSIVE, PASS
from ..errors import PGTheoryError
from ..horizon import powers
from ..solution import solve
from ..trajectories.scores import contract_scores
from ..validation import whole_number
from .fixtures import GAMMA, blind_spots
from .grouping import FEW, MANY, Groups, group_problems
from .result import DOUBLE, SINGLE, Result
from .several import all_calls, ask_calls, misplaced, one_group_counts, undecided
from .targets import Target
from .targets import as_target as any_target
from .weighing import Answer, ask, call, nature
from .weight_bugs import diagnose, expectation, weight_table

ORDERED = 3             # up to this size all orders of a group are gone through
PRECISE, ROUNDING = 1e-9, {DOUBLE: 1e-13, SINGLE: 1e-7}


def check_weights(fn, group_size=1, same_start=True, target="gradient", *, gamma=None, tolerance=1e-5) -> Result:
    r"""Is the gradient with these weights unbiased; if not, how far off is it, where, and which known bug does it look like?

    Parameters
    ----------
    fn : function (batch) -> (N, T), what multiplies the score of step t in row n. ``batch`` is a
        :class:`~pgtheory.checking.grouping.GroupBatch` of many groups: rewards (N, T), valid (N, T), group (N,), ...; what is
        returned where ``valid`` is False is not looked at. For a loss return minus its derivative by log pi. The estimate of a
        group is the mean over its rows of sum_t w score; the sum, for a function that divides by the number of rows itself,
        as a mean loss does. Where the groups of a call change each other (a mean over all steps, a baseline over the whole batch)
        every group is asked for by itself, and all pairs of groups of a small problem with both in one call, triples too where
        they are few: all of these must have the right mean, each with a scale of its own where the target leaves that free.
        Rows of ``group_size=1`` that change each other are asked for together only. Too many pairs are drawn from: that may
        fail, and is INCONCLUSIVE otherwise
    group_size : int; same_start : bool, the members of a group share the start state
    target : "gradient", "gradient up to scale", "without gamma^t", "without gamma^t up to scale", or another of
        :mod:`pgtheory.checking.targets`. Up to scale a positive factor is free, and reported; a turned gradient is not let pass
    gamma : float, discount of the problems; None takes 0.8 for functions that read ``batch.gamma``, else 1
    tolerance : float, relative bias let pass; the verdict says "single precision" where it is above 1e-9

    Returns
    -------
    Result; ``bias`` in theta's shape, on the problem where it is relatively largest

    Raises
    ------
    EstimatorError
        ``fn`` raised, returned another shape or NaN, changes its input, keeps state, or is random.
    PGTheoryError
        There are too many groups to go through, with their number.

    Examples
    --------
    >>> import numpy as np, pgtheory as pg
    >>> def grpo(batch, spread=False):
    ...     total = (batch.rewards * batch.valid).sum(axis=1).reshape(-1, 3)
    ...     others = (total.sum(axis=1, keepdims=True) - total) / 2
    ...     A = (total - others) / (total.std(axis=1, keepdims=True) + 1e-6 if spread else 1)
    ...     return A.reshape(-1, 1) * batch.valid
    >>> pg.check_weights(grpo, group_size=3).verdict
    'PASS'
    >>> result = pg.check_weights(lambda batch: grpo(batch, spread=True), group_size=3, target="gradient up to scale")
    >>> result.verdict, result.relative_bias > 0.01, result.cosine > 0.9
    ('FAIL', True, True)
    """
    if not callable(fn):
        raise PGTheoryError(f"fn is {type(fn).__name__}: it must be a function (batch) -> (N, T)")
    k = whole_number(group_size, "group_size", PGTheoryError, 1)
    declared = any_target(target)
    if declared.off_policy:
        raise PGTheoryError(f"target {target!r} is about another policy's trajectories: use check_estimator")
    discount = _discount(fn, k, gamma, declared, same_start)
    problems = group_problems(k, discount, declared.critic, bool(same_start), _at_most(fn, k, discount, declared, bool(same_start)))
    answers = [ask(fn, problems[0])]
    if answers[0].coupled or (answers[0].rescaled and not declared.up_to_scale):
        alone = [Compared(problems[0], answers[0], declared)] if answers[0].weights.size else []
        several = [Compared(calls, ask_calls(fn, calls), declared)
                   for calls in all_calls(fn, k, discount, declared.critic, bool(same_start))]
        return _judge_calls(fn, alone, several, answers[0].called, declared, float(tolerance))
    answers += [ask(fn, groups) for groups in problems[1:]]
    return _judge([Compared(groups, answer, declared) for groups, answer in zip(problems, answers, strict=True)], declared,
                  float(tolerance))


def _at_most(fn, k, discount, target, same_start) -> int | None:
    """How many groups to go through, each in one order; None for every order."""
    if k == 1:
        return None
    little = group_problems(k, discount, target.critic, same_start, 1)[0]       # the smallest there is
    any_order, coupled = nature(fn, little)
    if not any_order or (k <= ORDERED and not coupled):
        return None
    return FEW if coupled else MANY


def _discount(fn, k, gamma, target, same_start) -> float:
    """The gamma given; else what suits the function: 1 where it never asks for one."""
    if gamma is not None:
        if not 0 <= float(gamma) <= 1:
            raise PGTheoryError(f"gamma is {gamma}: it must lie in [0, 1]")
        return float(gamma)
    groups = group_problems(k, GAMMA, target.critic, bool(same_start), None if k == 1 else 1)[0]
    batch = groups.batch(slice(0, 2))       # one row alone has no other to be compared with
    call(fn, batch)
    return GAMMA if "gamma" in batch.read else 1.0


# ------------------------------------------------------------------------------------------------ comparing


@dataclass(frozen=True, eq=False)
class Compared:
    """One problem: the expectation with the weights given, beside the target."""

    groups: Groups
    answer: Answer
    target: Target

    @cached_property
    def found(self):
        return expectation(self.groups, self.answer.weights)

    @cached_property
    def truth(self):
        return np.asarray(self.target.value(self.groups.fixture), dtype=float)

    @cached_property
    def scale(self) -> float:
        return self.scale_of(self.found)

    def scale_of(self, found) -> float:
        """The multiple of the target nearest to what was found, where it is free and positive; else 1."""
        factor = float((found * self.truth).sum() / (self.truth**2).sum())
        return factor if self.target.up_to_scale and factor > 0 else 1.0

    @property
    def expected(self):
        return self.truth * self.scale

    @property
    def bias(self):
        return self.found - self.expected

    @property
    def relative(self) -> float:
        return float(np.linalg.norm(self.bias) / np.linalg.norm(self.expected))

    @cached_property
    def size(self) -> float:
        """E sum |w|: the scale of what was averaged."""
        per_group = np.abs(self.answer.weights).sum(axis=(1, 2)) / self.groups.size
        return float(self.groups.probability @ per_group)

    def within(self, tolerance, rounding) -> bool:
        allowed = max(tolerance * float(np.linalg.norm(self.expected)), rounding * self.size)
        return float(np.linalg.norm(self.bias)) <= allowed


def _judge(compared, target, tolerance) -> Result:
    worst = max(compared, key=lambda c: c.relative)
    passed = all(c.within(tolerance, ROUNDING[DOUBLE]) for c in compared)
    blind = blind_spots([c.groups.fixture for c in compared])
    result = Result(PASS if passed else FAIL, target.words, "exact", worst.bias, worst.relative, worst.expected, worst.found,
                    blind=tuple(words for words in blind if "target=" not in words), details=_details(compared, target))
    if passed:
        precise = all(c.within(PRECISE, ROUNDING[DOUBLE]) for c in compared)
        return replace(result, precision=DOUBLE if precise else SINGLE)
    findings, next_best = diagnose(compared, target)
    return replace(result, diagnosis=findings, next_best=next_best, where=_where(compared, target, tolerance),
                   look="" if findings else _look(worst))


def _judge_calls(fn, alone, several, called, target, tolerance) -> Result:
    """The verdict where the groups of a call change each other: of single groups, and of calls with several."""
    alone, several = _as_meant(alone, several, tolerance)
    details = {"called": "; ".join([called, *(c.groups.words for c in several)])}
    decided = [c for c in several if not undecided(c)]
    moved = misplaced(fn, several[0].groups)
    if moved:
        details["rows"] = f"{moved[0].words}; those of other groups are noise to the score"
    if not all(c.within(tolerance, ROUNDING[DOUBLE]) for c in alone):
        result = _judge(alone, target, tolerance)
        return replace(result, details={**result.details, **details})
    if all(c.within(tolerance, ROUNDING[DOUBLE]) for c in decided):
        result = _judge(alone + decided or several, target, tolerance)
        if len(decided) < len(several):
            result = replace(result, verdict=INCONCLUSIVE, precision="", diagnosis=moved, look=(
                "the groups of a call change each other, and the calls with several groups are too many to go through: those drawn "
                "show no bias, which is no proof; take a smaller group_size, or compute every group by itself"))
        return replace(result, details={**result.details, **details})
    result = _judge(decided, target, tolerance)
    findings = moved or one_group_counts(decided) or result.diagnosis
    where = f"with {' and '.join(str(c.groups.together) for c in decided)} {'groups' if alone else 'of them'} in a call"
    return replace(result, diagnosis=findings, details={**result.details, **details}, look="" if findings else result.look,
                   where="; ".join([where + (", not with one" if alone else ""), result.where]))


def _as_meant(alone, several, tolerance):
    """Everything as it is, or as sums over the rows of a call, where only that is right: its weights are shares of a mean."""
    summed = [[replace(c, answer=replace(c.answer, weights=c.answer.weights * c.groups.size)) for c in some] for some in (alone, several)]
    plain, shares = (all(c.within(tolerance, ROUNDING[DOUBLE]) for some in both for c in some) for both in ((alone, several), summed))
    return summed if shares and not plain else (alone, several)


def _details(compared, target) -> dict:
    details = {}
    if target.up_to_scale:
        details["scale"] = ", ".join(f"{c.scale:.6g}" for c in compared) + " times the target"
    if compared[0].groups.unordered:
        details["order"] = "that of a group does not matter: each group was asked for in one order"
    if compared[0].answer.called:
        details["called"] = compared[0].answer.called
    return details


def _look(worst) -> str:
    if not worst.found.any():
        return "it is 0 in the mean: are the weights constant in the rewards, or cut off from log pi?"
    return "no known bug has this mean; the table says in which coordinates it is off"


def _where(compared, target, tolerance) -> str:
    worst = max(compared, key=lambda c: c.relative)
    share = (worst.bias**2).sum(axis=1) / (worst.bias**2).sum()
    words = [worst.groups.fixture.name, *_times(worst, target, tolerance),
             f"{100 * share.max():.0f} % of the squared bias in state {int(np.argmax(share))}"]
    return "; ".join(words)


def _times(c, target, tolerance):
    """The time indices whose part of the gradient is off, where the target has such parts."""
    if not target.words.startswith("the gradient"):
        return
    fixture = c.groups.fixture
    solved = solve(fixture.mdp, fixture.pi, horizon=fixture.horizon)
    visits = solved.state_distribution
    if target.discounted:
        visits = visits * powers(fixture.gamma, len(visits), fixture.batch.arithmetic)[:, None]
    live = ~fixture.mdp.terminal[:, None]
    parts = contract_scores(fixture.policy, fixture.theta, visits[..., None] * fixture.pi * solved.Q * live)
    found = contract_scores(fixture.policy, fixture.theta, weight_table(c.groups, c.answer.weights))
    off = np.linalg.norm((found - c.scale * parts).reshape(len(parts), -1), axis=1)
    wrong = np.flatnonzero(off > max(tolerance * np.linalg.norm(c.expected), 1e-10 * c.size))
    if 0 < len(wrong) < len(parts):
        yield f"at time {'index' if len(wrong) == 1 else 'indices'} {', '.join(map(str, wrong))} only"
