"""Which known bug gives these weights, or a mean like theirs?"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..trajectories.scores import contract_scores
from .additions import added
from .asking import close
from .grouping import Groups
from .likeness import factor_words, nearest, one_of_each
from .result import Finding
from .zoo.added import ADDED

SOME, ALIKE = 400, 0.97 # groups looked at for weights with parts exchanged; share that must be the same: ties are rounded either way
MOST = 0.8              # share of groups on which a bug of sets may be the same in any order: some divide rounding by rounding


def expectation(groups: Groups, weights):
    """theta's shape: the mean over all groups of (1/k) sum over rows and steps of w score."""
    return contract_scores(groups.fixture.policy, groups.fixture.theta, weight_table(groups, weights).sum(axis=0)[None])[0]


def weight_table(groups, weights):
    """(T, S, A): weights times probability, added up by time, state and action; 0 where there is no step."""
    fixture, batch = groups.fixture, groups.fixture.batch
    S, A = fixture.pi.shape
    T = weights.shape[-1]
    share = np.where(batch.valid[groups.rows], weights, 0.0) * (groups.probability / groups.size)[:, None, None]
    place = np.arange(T) * (S * A) + batch.states[:, :-1] * A + batch.actions
    return np.bincount(place[groups.rows].ravel(), weights=share.ravel(), minlength=T * S * A).reshape(T, S, A)


def diagnose(compared, target):
    """The known bugs with this mean; where some also have these very weights, those only."""
    found, expected = (np.concatenate([np.ravel(x) for x in parts]) for parts in
                       zip(*((c.found / c.scale, c.truth) for c in compared), strict=True))
    means = [dict(known_means(c.groups, target.name, target.discounted)) for c in compared]
    everywhere = [bug for bug in means[0] if all(bug in known for known in means)]
    candidates = [(bug, np.concatenate([np.ravel(known[bug] / c.scale_of(known[bug])) for c, known in zip(compared, means, strict=True)]))
                  for bug in everywhere]
    findings, next_best = nearest(found, expected, candidates)
    told = tuple(f for f in findings if any(
        all(_same_weights(c, bug, target) for c in compared) for bug, _ in candidates if bug.bug == f.bug))
    findings = told or _exchanged(compared, target, found, expected) or findings or _added(compared, target, found, expected)
    return (one_of_each(findings), next_best) if findings else (_factor(found, expected, compared), next_best)


def _added(compared, target, found, expected) -> tuple[Finding, ...]:
    """A term of which a multiple is added to weights that are right."""
    terms = []
    for mutant in ADDED:
        if mutant.weights is not None:
            means = (expectation(c.groups, _bug_weights(mutant, _steps(c.groups, target.discounted))) for c in compared)
            terms.append((mutant, np.concatenate([np.ravel(mean) for mean in means])))
    scales = np.concatenate([np.full(c.truth.size, c.scale) for c in compared])     # undone: one scale for all problems
    return added(found * scales if target.up_to_scale else found, expected, terms, target.up_to_scale)


def _exchanged(compared, target, found, expected) -> tuple[Finding, ...]:
    """The leave-one-out advantage with one part exchanged, else with two; for single rows those of plain estimators.

    By the weights themselves on some groups: a mean says less, and two ways to round a tie may turn it.
    """
    from .zoo.exchanged import group_bugs, plain_weights
    from .zoo.pooled import pooled_bugs

    factor = float(found @ expected / (expected @ expected))
    if close(found, factor * expected):
        return ()
    c = compared[0]
    chosen = np.unique(np.linspace(0, len(c.groups.rows) - 1, SOME).astype(int))
    some, ours = Groups(c.groups.fixture, c.groups.rows[chosen], c.groups.probability[chosen]), c.answer.weights[chosen]
    steps, bugs = _steps(some, target.discounted), group_bugs() + pooled_bugs() if c.groups.size > 1 else plain_weights()
    for n in (0, 1):
        shares = [(_share_alike(_bug_weights(bug, steps), ours, target.up_to_scale), bug) for bug in bugs if bug.bug.count(" + ") == n]
        best = max(share for share, _ in shares)
        if best > ALIKE:
            named = dict.fromkeys(_stripped(bug, bugs, c, target) for share, bug in shares if share == best)
            return tuple(Finding(bug.bug, bug.words, 1 - best, links=bug.links, look=bug.look) for bug in named)
    return ()


def _stripped(bug, bugs, c, target):
    """Of a pair one of which is no mistake by itself, as the mean is right with it: the other one."""
    for half in bug.bug.split(" + ") if " + " in bug.bug else ():
        single = next((one for one in bugs if one.bug == half), None)
        if single is not None:
            mean = expectation(c.groups, _bug_weights(single, _steps(c.groups, target.discounted)))
            if close(mean / c.scale_of(mean), c.truth):
                rest = " + ".join(part for part in bug.bug.split(" + ") if part != half)
                return next((one for one in bugs if one.bug == rest), bug)
    return bug


def _share_alike(theirs, ours, up_to_scale) -> float:
    """Share of the groups with the same weights, up to one factor where that is free."""
    with np.errstate(all="ignore"):
        size = np.abs(theirs).max(axis=(1, 2))
        told = np.flatnonzero(size > 0)
        ratios = np.abs(ours[told]).max(axis=(1, 2)) / size[told]
        factor = float(np.median(ratios)) if up_to_scale and len(told) else 1.0
        gap = np.abs(factor * theirs - ours).max(axis=(1, 2))
        return float(np.mean(gap <= 1e-6 * np.maximum(factor * size, np.abs(ours).max(axis=(1, 2)))))


@lru_cache(maxsize=32)
def known_means(groups: Groups, target: str, discounted: bool):
    """(bug, theta's shape): the expectation of every known bug on a problem."""
    from .zoo.weights import weight_bugs

    steps = _steps(groups, discounted)
    bugs = [bug for bug in weight_bugs(groups.size, target) if not groups.unordered or _takes_any_order(bug, groups, discounted)]
    return tuple((bug, expectation(groups, _bug_weights(bug, steps))) for bug in bugs)


def _takes_any_order(bug, groups, discounted) -> bool:
    """Where groups stand for all their orders, only such bugs have the mean that is computed."""
    some = Groups(groups.fixture, groups.rows[:: len(groups.rows) // 50 + 1], groups.probability)
    turned = Groups(groups.fixture, np.roll(some.rows, 1, axis=1), groups.probability)
    one, other = (_bug_weights(bug, _steps(x, discounted)) for x in (some, turned))
    same = [close(a, b) for a, b in zip(np.roll(one, 1, axis=1), other, strict=True)]
    return bool(np.mean(same) > MOST)


def _steps(groups, discounted):
    """What the bugs are written over, (G, k, T) each."""
    from .zoo.mutant import Steps

    fixture = groups.fixture
    return Steps(fixture.batch, fixture.policy, fixture.theta, fixture.gamma, discounted, rows=groups.rows)


def _bug_weights(bug, steps):
    with np.errstate(all="ignore"):
        return np.where(steps.valid, bug.weights(steps), 0.0)


def _same_weights(c, bug, target) -> bool:
    """Equal row by row, which settles a tie of means."""
    weights = _bug_weights(bug, _steps(c.groups, target.discounted))
    return close(weights / c.scale_of(expectation(c.groups, weights)), c.answer.weights / c.scale)


def _factor(found, expected, compared) -> tuple[Finding, ...]:
    """The one number that the target would have to be multiplied with, on all problems, or nothing."""
    factor = float(found @ expected / (expected @ expected))
    off = float(np.linalg.norm(found - factor * expected) / np.linalg.norm(found - expected))
    if off > 1e-6 or abs(factor) < 1e-9:
        return ()
    gamma = float(compared[0].groups.fixture.gamma)
    words = "the sign is flipped" if abs(factor + 1) < 1e-6 else f"{factor_words(factor, gamma)}, whatever the problem"
    return (Finding("factor", words, off, factor, look="a mean where a sum belongs, or a loss where a gain belongs"),)
