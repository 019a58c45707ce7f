"""Exact means of trajectory estimators along a few directions, where their covariance would be too large to hold."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..problems.slopes import slopes_along
from .exact import Blocks
from .lifted import Machine, Setting, machine


def mean_along(estimator, problem, horizon, directions):
    """(k,): the exact mean of one trajectory's estimate along ``directions`` (k, *theta.shape), by linear recursion.

    estimator : one of ``pg.estimators``, or None for the score of the trajectory, whose mean is 0
    problem : Problem in floats, with every pi(a|s) > 0; horizon : int, T

    Reward units per unit of theta. The first moments alone are carried: (S, k) numbers a block, whatever theta's size.

    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.problems.finite import Problem
    >>> problem = Problem(pg.models.load("bandit"), pg.SoftmaxPolicy(2, 2), np.zeros((2, 2)))
    >>> mean_along(pg.estimators.Reinforce(), problem, 1, problem.directions).round(12) + 0.0
    array([ 0.25, -0.25,  0.  ,  0.  ])
    """
    given = (problem.solution.mdp, problem.policy, problem.theta, problem.pi, problem.pi, horizon, problem.arithmetic)
    setting = _Directed(*given, problem, directions)
    engine = _scores(setting) if estimator is None else machine(estimator, setting)
    return Blocks(setting, engine, type(estimator).__name__, first_only=True).mean()


@dataclass(frozen=True, eq=False)
class _Directed(Setting):
    """A setting whose score is that along a few directions."""

    problem: Any
    directions: np.ndarray

    @property
    def width(self) -> int:
        """Directions."""
        return len(self.directions)

    @cached_property
    def score(self):
        """(S*A, k)."""
        slopes = slopes_along(self.problem, self.directions)
        return slopes.reshape(self.pi.size, -1) / self.pi.reshape(-1, 1)


def _scores(setting) -> Machine:
    """Y = (1, Z): Z = score + Z'."""
    one = setting.arithmetic.number(1)
    return Machine((False, True), (1, 0), lambda t: {(0, 0): one, (1, 0): one, (1, 1): one}, lambda t: setting.score)
