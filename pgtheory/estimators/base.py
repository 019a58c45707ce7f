r"""What all estimators share: :math:`\hat g = \sum_t \gamma^t \, \Phi_t \, \nabla\log\pi(a_t|s_t)`, one per trajectory.

An estimator is its weight :math:`\Phi_t`, as seen from step t. Those built on the whole return know
:math:`\gamma^t\Phi_t` instead, because the return is discounted from the start.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from numbers import Rational

import numpy as np

from ..arithmetic import as_array, join
from ..errors import NotExactError, PGTheoryError, UndefinedError
from ..horizon import powers
from ..trajectories.scores import score_sums
from ..validation import first, in_words


@dataclass(frozen=True, eq=False)
class Estimator:
    """Base of the estimators; a subclass gives ``_weights``: (N, T), seen from step t, without gamma^t.

    gamma_weighting : bool, multiply the score of step t by gamma^t
    """

    gamma_weighting: bool = field(default=True, kw_only=True)

    def __call__(self, batch, policy, theta, gamma):
        """(N,) + shape: one estimate per trajectory, reward units per unit of theta."""
        theta = policy.check_theta(theta)
        return score_sums(batch, policy, theta, self.weights(batch, policy.probabilities(theta), gamma))

    def weights(self, batch, pi, gamma):
        """(N, T) what multiplies grad log pi(a_t | s_t), gamma^t included; 0 after the end. ``pi`` (S, A) is the target."""
        gamma, arithmetic = number(batch, pi, gamma)
        weights = self._weights(batch, pi, gamma)
        if self.gamma_weighting:
            weights = weights * powers(gamma, weights.shape[1], arithmetic)
        return np.where(batch.valid, weights, arithmetic.number(0))

    def _weights(self, batch, pi, gamma):
        raise NotImplementedError(f"{type(self).__name__} must define _weights(batch, pi, gamma) -> (N, T)")


@dataclass(frozen=True, eq=False)
class FullReturnEstimator(Estimator):
    r"""Estimators that know :math:`\gamma^t\Phi_t`; a subclass gives ``_discounted``: (N, T), gamma^t included.

    Without gamma_weighting the weight of step t is divided by gamma^t: the whole return, past rewards too, as seen from t.
    """

    def weights(self, batch, pi, gamma):
        """(N, T) what multiplies grad log pi(a_t | s_t); 0 after the end. ``pi`` (S, A) is the target."""
        gamma, arithmetic = number(batch, pi, gamma)
        weights = self._discounted(batch, pi, gamma)
        if not self.gamma_weighting:
            if gamma == 0 and weights.shape[1] > 1:
                raise UndefinedError("the whole return as seen from step t is R / gamma^t, which does not exist at "
                                     "gamma = 0: use RewardToGo")
            weights = weights / powers(gamma, weights.shape[1], arithmetic)
        return np.where(batch.valid, weights, arithmetic.number(0))

    def _discounted(self, batch, pi, gamma):
        raise NotImplementedError(f"{type(self).__name__} must define _discounted(batch, pi, gamma) -> (N, T)")


def require_estimator(estimator) -> None:
    """An object that can be called, not the class that makes one.

    >>> require_estimator(Estimator)
    Traceback (most recent call last):
    pgtheory.errors.PGTheoryError: estimator is the class Estimator: pass an object of it, Estimator(...)
    """
    if isinstance(estimator, type):
        raise PGTheoryError(f"estimator is the class {estimator.__name__}: pass an object of it, {estimator.__name__}(...)")
    if not callable(estimator):
        raise PGTheoryError(f"estimator is {estimator!r}: it must be one of pg.estimators, or a function "
                            "(batch, policy, theta, gamma) -> (N,) + shape")


def parameter(value, name):
    """(number, arithmetic) of what an estimator is told: gamma and lam lie in [0, 1], clips of ratios are not negative.

    >>> parameter(1.0, "gamma")[0]
    1
    """
    if isinstance(value, float) and value.is_integer():     # the gamma of a model of integers, which waits as a float
        value = int(value)
    array, arithmetic = as_array(value, name)
    if array.shape:
        raise PGTheoryError(f"{name} has shape {array.shape}: it must be one number")
    value = array.item()
    share = name in ("gamma", "lam")
    if isinstance(value, (float, Rational)) and not 0 <= value <= (1 if share else inf):     # type: ignore[operator]
        raise PGTheoryError(f"{name} is {in_words(value)}: it must {'lie in [0, 1]' if share else 'be at least 0'}")
    return value, arithmetic


def number(batch, pi, value, name="gamma"):
    """A number in the arithmetic in which it, the batch and the policy meet, and that arithmetic."""
    value, other = parameter(value, name)
    arithmetic = join(batch.arithmetic, as_array(pi, "pi")[1], other)
    if arithmetic.exact and arithmetic != batch.arithmetic:
        raise NotExactError(f"the trajectories are in {batch.arithmetic.name} numbers, and {name} or the policy in "
                            f"{arithmetic.name} ones: make the trajectories in the larger arithmetic")
    return arithmetic.number(value), arithmetic


def discounted_sums(x, factor):
    """(N, T) y[:, t] = x[:, t] + factor[:, t] y[:, t+1], backwards from 0; factor is a number or (N, T).

    >>> import numpy as np
    >>> discounted_sums(np.array([[1.0, 2.0, 4.0]]), 0.5)
    array([[3., 4., 4.]])
    """
    y = x.copy()
    for t in range(x.shape[1] - 2, -1, -1):
        y[:, t] = x[:, t] + y[:, t + 1] * (factor if np.ndim(factor) == 0 else factor[:, t])
    return y


def returns(batch, gamma):
    """(N, T) reward-to-go sum_{k >= t} gamma^(k-t) r_k, reward units. Refused where a time limit cut an episode."""
    if batch.truncated.any():
        n, t = first(batch.truncated)
        raise UndefinedError(f"episode {n} was cut by the time limit after step {t}: its return is not known; "
                             "bootstrap with a critic (GAE, NStep, ActorCritic), or sample to the end or the horizon")
    return discounted_sums(batch.rewards, gamma)


def td_errors(batch, critic, gamma, bootstrap):
    """(N, T) r_t + gamma v(s_{t+1}) - v(s_t), reward units; 0 after the end.

    The next value counts 0 in a terminal state, and at the horizon unless ``bootstrap``; it counts at a time limit, where
    the problem goes on.
    """
    batch = batch.with_critic(critic)
    ends = batch.entered_terminal if bootstrap else batch.terminated
    return batch.rewards + np.where(ends, batch.arithmetic.number(0), batch.next_values) * gamma - batch.values
