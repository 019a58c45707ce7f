r"""Verdicts in balls, and the second look with more bits at what float64 could not decide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..arithmetic import Ball
from ..arithmetic.precise import flint_or_raise
from ..claims.episodes import Episodes
from ..errors import MissingExtraError, PGTheoryError, UndefinedError
from ..policies import DirectPolicy, EscortPolicy, SoftmaxPolicy
from ..problems.finite import Problem
from .record import FAIL, INCONCLUSIVE, PASS, TOO_WIDE, Check

FIRST_BITS, LAST_BITS = 256, 4096
RESOLVED = 1e-24         # of the sides: a ball that is wider decides nothing yet, small terms beside large ones least of all
WORK = 2e5               # entries of transition laws that are differentiated, one by one in Python
FEW_DIRECTIONS = 4       # random ones; a wrong gradient is orthogonal to one with probability 0
TRAJECTORY_WORK = 20_000   # numbers that are differentiated where trajectories are enumerated
ENCLOSED = (SoftmaxPolicy, DirectPolicy, EscortPolicy)


def judge_balls(slug, equation, route, lhs, rhs, arithmetic, missing=0.0) -> Check:
    """Compare two sides that are enclosed: disjoint balls are a FAIL, narrow balls that overlap a PASS.

    missing : what the left side lacks at most, where it is a series that was cut off
    """
    off = np.asarray(lhs - rhs, dtype=object)
    apart = [_ball(x, arithmetic) for x in off.flat]
    error = max((abs(x.mid) for x in apart), default=0.0)
    bound = max((x.rad for x in apart), default=0.0) + float(missing)
    size = max(_size(lhs, arithmetic), _size(rhs, arithmetic), float(equation.size))
    note, verdict = f"in balls of {arithmetic.field} bits", PASS
    if any(x.lower > missing for x in apart):
        verdict, note = FAIL, f"{note}, which are disjoint"
    elif not bound <= RESOLVED * size:
        verdict, note = INCONCLUSIVE, f"{note}; {TOO_WIDE}"
    return Check(slug, equation.part, route, "bounded", lhs, rhs, error, bound, verdict, note)


def _size(side, arithmetic) -> float:
    return max((_ball(x, arithmetic).upper for x in np.asarray(side, dtype=object).flat), default=0.0)


def _ball(x, arithmetic) -> Ball:
    return Ball.of(x, arithmetic.field)


def decided(check: Check, problem, again: Callable) -> Check:
    """The check, or where its bound was too wide the one that ``again(problem in balls)`` makes, with as many bits as it takes.

    The precision is doubled from 256 bits until the balls are disjoint or narrow. Rewards, gamma and theta are the very floats
    that they are. The claims are about distributions, and so the rows of P, rho, and the probabilities of a
    :class:`DirectPolicy`, which miss 1 by rounding, are divided by their sums, in balls. Every left side is got without the
    claim, by dual numbers or by the series. What cannot be put into balls (policies of one's own, continuous actions, models
    of more than about a hundred states, thousands of trajectories) stays as it is.
    """
    if check.verdict != INCONCLUSIVE or TOO_WIDE not in check.note or not can_be_enclosed(problem):
        return check
    try:
        flint_or_raise()
    except MissingExtraError as missing:
        return replace(check, note=f"{check.note}; {missing}")
    bits = FIRST_BITS
    while bits <= LAST_BITS:
        try:
            found = again(in_balls(problem, bits))
        except UndefinedError:               # so many bits cannot tell whether the quantity exists
            found = check
        except PGTheoryError as error:
            return replace(check, note=f"{check.note}, and no balls: {error}")
        if found.verdict != INCONCLUSIVE:
            return found
        bits *= 2
    return replace(check, note=f"{check.note}, in balls of {LAST_BITS} bits neither")


def can_be_enclosed(problem) -> bool:
    """A float64 model of moderate size and a policy whose formula is known to be made of what balls can do."""
    if problem.kind != "finite" or problem.exact or type(problem.policy) not in ENCLOSED:
        return False
    S, A = problem.pi.shape
    return S * A * S * FEW_DIRECTIONS <= WORK


def _directions(problem):
    """None for all coordinates where they are cheap, a few random directions otherwise, as the problem may have them already."""
    S, A = problem.pi.shape
    if problem.complete and S * A * S * problem.theta.size <= WORK / 4:
        return None
    if not problem.complete:
        return problem.directions[:FEW_DIRECTIONS]
    return np.random.default_rng(S).standard_normal((FEW_DIRECTIONS,) + problem.theta.shape) / np.sqrt(problem.theta.size)


def in_balls(problem, bits: int) -> Problem:
    """The problem with every number a ball of that many bits; made once for each precision.

    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.checks.enclosed import in_balls
    >>> problem = Problem(pg.models.load("start-matters"), pg.SoftmaxPolicy(2, 2), np.zeros((2, 2)))
    >>> in_balls(problem, 128).solution.J.overlaps(problem.solution.J)
    False
    >>> abs(in_balls(problem, 128).solution.J - problem.solution.J).upper < 1e-13
    True
    """
    key = ("in balls", bits)
    if key not in problem.memory:
        mdp = problem.mdp.in_balls(bits)
        directions = _directions(problem)
        enclosed = Problem(mdp, problem.policy, _as_distribution(problem, mdp.arithmetic), complete=directions is None)
        if directions is not None:
            enclosed.directions = directions
        if _few(episodes := problem.memory.get("episodes")):
            enclosed.memory["episodes"] = Episodes(enclosed, episodes.horizon)   # the same trajectories
        problem.memory[key] = enclosed
    return problem.memory[key]


def _as_distribution(problem, arithmetic):
    """theta; of a direct policy the probabilities over their sums."""
    theta = arithmetic.convert(problem.theta)
    return theta / theta.sum(axis=1, keepdims=True) if isinstance(problem.policy, DirectPolicy) else theta


def _few(episodes) -> bool:
    """There are trajectories, and few enough to be gone through in Python."""
    return episodes is not None and episodes.batch.actions.size * episodes.problem.theta.size <= TRAJECTORY_WORK
