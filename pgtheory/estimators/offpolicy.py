r"""Estimators for trajectories of another policy, through the ratios :math:`\rho_t = \pi(a_t|s_t) / b(a_t|s_t)`.

The behaviour b is the batch's own; pi is the policy at theta. Where pi takes an action that b never takes, no weighting of
b's trajectories can be unbiased, and the estimators refuse.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np

from ..arithmetic import as_array, join
from ..errors import UndefinedError
from ..validation import first
from .base import Estimator, FullReturnEstimator, discounted_sums, number, returns, td_errors


def ratios(batch, pi):
    """(N, T) pi(a_t | s_t) / b(a_t | s_t); 1 after the end."""
    require_support(pi, batch.behaviour, np.isin(np.arange(len(pi)), batch.states[:, :-1][batch.valid]))
    s, a = batch.states[:, :-1], batch.actions
    one = join(batch.arithmetic, as_array(pi, "pi")[1]).number(1)
    return np.where(batch.valid, pi[s, a], one) / np.where(batch.valid, batch.behaviour[s, a], one)


def at_most(ratio, clip, number):
    """Ratios clipped at ``number(clip)``; infinity leaves them as they are, in exact arithmetic too.

    >>> import numpy as np
    >>> at_most(np.array([0.5, 3.0]), 2, float).tolist(), at_most(np.array([0.5, 3.0]), np.inf, float).tolist()
    ([0.5, 2.0], [0.5, 3.0])
    """
    return ratio if clip == inf else np.minimum(ratio, number(clip))


def require_support(pi, behaviour, visited) -> None:
    """pi(a|s) > 0 asks for behaviour(a|s) > 0 in every state of ``visited`` (S,) bool."""
    missing = np.array(pi != 0, dtype=bool) & np.array(behaviour == 0, dtype=bool) & visited[:, None]
    if missing.any():
        s, a = first(missing)
        raise UndefinedError(f"behaviour[{s}, {a}] is 0 where the target takes that action: importance weights cannot "
                             "reach it; let the behaviour try every action")


@dataclass(frozen=True, eq=False)
class PerDecisionIS(Estimator):
    r"""Per-decision importance sampling: :math:`\sum_k \gamma^k \rho_{0:k}\, r_k \sum_{t\le k} \nabla\log\pi(a_t|s_t)`.

    Every reward is weighted by the ratios up to its own step. Source: Precup, Sutton, Singh, *Eligibility traces for
    off-policy policy evaluation*, ICML 2000.
    """

    def _weights(self, batch, pi, gamma):
        ratio = ratios(batch, pi)
        returns(batch, gamma)       # refuses episodes cut by a time limit
        after = discounted_sums(ratio * batch.rewards, ratio * gamma)
        return after * _before(ratio)


@dataclass(frozen=True, eq=False)
class TrajectoryIS(FullReturnEstimator):
    r"""Whole-trajectory importance sampling: REINFORCE times :math:`\rho_{0:L-1} = P_\pi(\tau) / P_b(\tau)`.

    Source: Precup, Sutton, Singh 2000; Jie & Abbeel, *On a connection between importance sampling and the likelihood ratio
    policy gradient*, NIPS 2010.
    """

    def _discounted(self, batch, pi, gamma):
        whole = np.multiply.reduce(ratios(batch, pi), axis=1)
        return np.repeat((whole * returns(batch, gamma)[:, 0])[:, None], batch.actions.shape[1], axis=1)


@dataclass(frozen=True, eq=False)
class VTrace(Estimator):
    r"""V-trace actor-critic: :math:`\Phi_t = \bar\rho_t (r_t + \gamma v_{t+1} - v(s_t))`.

    With :math:`\bar\rho_t = \min(\bar\rho, \rho_t)`, :math:`c_t = \lambda \min(\bar c, \rho_t)` and
    :math:`v_t - v(s_t) = \bar\rho_t \delta_t + \gamma c_t (v_{t+1} - v(s_{t+1}))`.

    critic : (S,), (T+1, S) or a constant; rho_bar, c_bar : clips of the ratios, infinity for none; lam : lambda; bootstrap : at the horizon
    States are weighted as the behaviour visits them, so off policy the mean is not the gradient, clipped or not. Source:
    Espeholt et al., *IMPALA*, ICML 2018, equation 1 and section 4.2; lambda as in its remark 2.
    """

    critic: Any
    rho_bar: Any = 1
    c_bar: Any = 1
    lam: Any = 1
    bootstrap: bool = False

    def _weights(self, batch, pi, gamma):
        ratio, (lam, _) = ratios(batch, pi), number(batch, pi, self.lam, "lam")
        clipped, traced = (at_most(ratio, getattr(self, name), lambda x, name=name: number(batch, pi, x, name)[0])
                           for name in ("rho_bar", "c_bar"))
        traced = traced * lam
        delta = td_errors(batch, self.critic, gamma, self.bootstrap)
        ahead = discounted_sums(clipped * delta, traced * gamma)      # v_t - v(s_t)
        following = np.concatenate([ahead[:, 1:], ahead[:, :1] * 0], axis=1)
        return clipped * (delta + following * gamma)


def _before(ratio):
    """(N, T) product of the ratios before step t."""
    before = np.ones_like(ratio)
    for t in range(1, ratio.shape[1]):
        before[:, t] = before[:, t - 1] * ratio[:, t - 1]
    return before
