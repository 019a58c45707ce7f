"""Estimators from the rewards of the episode alone, with or without a baseline."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..arithmetic import as_array
from ..errors import NotExactError, UndefinedError
from .base import Estimator, FullReturnEstimator, returns


@dataclass(frozen=True, eq=False)
class Reinforce(FullReturnEstimator):
    r"""REINFORCE: :math:`\sum_t \nabla\log\pi(a_t|s_t)\, R(\tau)`, with :math:`R(\tau) = \sum_k \gamma^k r_k`.

    Source: Williams, *Simple statistical gradient-following algorithms*, Machine Learning 8 (1992).

    >>> import pgtheory as pg
    >>> bandit = pg.MDP([[[0, 1], [0, 1]], [[0, 1], [0, 1]]], [[1.0, 0.0], [0.0, 0.0]], 1.0, 0)
    >>> batch = pg.enumerate_trajectories(bandit, [[0.5, 0.5]] * 2, horizon=1)
    >>> batch.mean(pg.estimators.Reinforce()(batch, pg.SoftmaxPolicy(2, 2), [[0.0, 0.0]] * 2, 1.0))[0]
    array([ 0.25, -0.25])
    """

    def _discounted(self, batch, pi, gamma):
        total = returns(batch, gamma)[:, :1]
        return np.repeat(total, batch.actions.shape[1], axis=1)


@dataclass(frozen=True, eq=False)
class RewardToGo(Estimator):
    r"""Reward-to-go: :math:`\sum_t \gamma^t \nabla\log\pi(a_t|s_t) \sum_{k \ge t} \gamma^{k-t} r_k`.

    Same mean as REINFORCE; the variance may be smaller or larger. Source: Sutton & Barto 2018, section 13.3.
    """

    def _weights(self, batch, pi, gamma):
        return returns(batch, gamma)


@dataclass(frozen=True, eq=False)
class Gpomdp(RewardToGo):
    r"""GPOMDP: :math:`\sum_k \gamma^k r_k \sum_{t \le k} \nabla\log\pi(a_t|s_t)`, rewards times an eligibility trace.

    Summed in the other order it is reward-to-go, trajectory by trajectory. Without gamma_weighting the trace decays by
    gamma, which is how it was published. Source: Baxter & Bartlett, *Infinite-horizon policy-gradient estimation*, JAIR 15
    (2001).
    """


@dataclass(frozen=True, eq=False)
class Baseline(Estimator):
    r"""Return minus a baseline of the state: :math:`\sum_t \gamma^t \nabla\log\pi(a_t|s_t) (G_t - b_t(s_t))`.

    b : (S,), (T+1, S) by time, or a constant; reward units
    full_return : bool, subtract it from the whole return, :math:`R(\tau) - \gamma^t b_t(s_t)`, instead of from reward-to-go

    The mean does not change; the variance does, either way. Source: Williams 1992; Sutton & Barto 2018, section 13.4.
    """

    b: Any
    full_return: bool = field(default=False, kw_only=True)

    def weights(self, batch, pi, gamma):
        """(N, T) return minus baseline, gamma^t included; 0 after the end."""
        gained = (Reinforce if self.full_return else RewardToGo)(gamma_weighting=self.gamma_weighting)
        return gained.weights(batch, pi, gamma) - super().weights(batch, pi, gamma)

    def _weights(self, batch, pi, gamma):
        return batch.with_critic(self.b).values


@dataclass(frozen=True, eq=False)
class LeaveOneOut(FullReturnEstimator):
    r"""The whole return minus the mean return of the *other* trajectories of the batch.

    :math:`\sum_t \nabla\log\pi(a_t|s_t)\,(R_n - \frac{1}{N-1}\sum_{m \ne n} R_m)`; the mean over a sample is unbiased. In an
    enumerated batch the others are independent draws, whose mean return is the expected one. Source: Kool, van Hoof,
    Welling, *Buy 4 REINFORCE samples, get a baseline for free*, ICLR workshop 2019.
    """

    def _discounted(self, batch, pi, gamma):
        total = returns(batch, gamma)[:, :1]
        N = len(batch)
        if not batch.sampled:
            others = batch.mean(total)
        elif N > 1:
            others = (total.sum(axis=0) - total) / (N - 1)
        else:
            raise UndefinedError("leave-one-out needs at least two trajectories: one has no others")
        return np.repeat(total - others, batch.actions.shape[1], axis=1)


def surrogate_loss(batch, policy, theta, gamma, estimator=None):
    r"""The scalar :math:`-\frac1N \sum_n \sum_t w_{nt} \log\pi_\theta(a_t|s_t)`, with the weights held fixed.

    Parameters
    ----------
    batch, policy, theta, gamma : as for an estimator; theta may be complex, need not be where the batch was drawn, and may
        be a stack (..., *shape), one loss each, where the policy takes stacks
    estimator : whose weights w to use, at the batch's own policy; REINFORCE's, R(tau), where None

    Its gradient is minus the batch mean of the estimator; its value means nothing. Floats (and the complex step) only.
    Source: Schulman, Heess, Weber, Abbeel, *Gradient estimation using stochastic computation graphs*, NIPS 2015.

    >>> import numpy as np, pgtheory as pg
    >>> bandit = pg.MDP([[[0, 1], [0, 1]], [[0, 1], [0, 1]]], [[1.0, 0.0], [0.0, 0.0]], 1.0, 0)
    >>> batch = pg.enumerate_trajectories(bandit, [[0.5, 0.5]] * 2, horizon=1)
    >>> bool(np.isclose(surrogate_loss(batch, pg.SoftmaxPolicy(2, 2), np.zeros((2, 2)), 1.0), np.log(2) / 2))
    True
    """
    pi = policy.probabilities(policy.check_theta(theta))
    if batch.arithmetic.exact or as_array(pi, "pi")[1].exact:
        raise NotExactError("log pi of exact numbers is not rational: the surrogate loss needs floats")
    weights = (Reinforce() if estimator is None else estimator).weights(batch, batch.behaviour, gamma)
    taken = np.where(batch.valid, pi[..., batch.states[:, :-1], batch.actions], 1)
    return -((weights * np.log(taken)).sum(axis=-1) @ batch.probability)
