"""Estimators that lean on a critic: v (S,), or (T+1, S) by time, or a constant; reward units.

In a terminal state the next value counts 0. At the horizon it counts 0 too, because the problem ends there; ``bootstrap``
makes it count, and what is estimated is then no longer the finite-horizon gradient. At a time limit it always counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import PGTheoryError, UndefinedError
from ..horizon import powers
from ..mdp import MDP
from ..solution import solve
from ..trajectories.scores import gradient_sums
from ..validation import numbers, whole_number
from .base import Estimator, discounted_sums, number, td_errors


@dataclass(frozen=True, eq=False)
class ActorCritic(Estimator):
    r"""One-step actor-critic: :math:`\Phi_t = r_t + \gamma v(s_{t+1}) - v(s_t)`.

    Unbiased where the critic is the true value. Source: Sutton & Barto 2018, section 13.5.
    """

    critic: Any
    bootstrap: bool = False

    def _weights(self, batch, pi, gamma):
        return td_errors(batch, self.critic, gamma, self.bootstrap)


@dataclass(frozen=True, eq=False)
class NStep(Estimator):
    r"""n-step advantage: :math:`\Phi_t = \sum_{k<n} \gamma^k r_{t+k} + \gamma^n v(s_{t+n}) - v(s_t)`, shorter near an end.

    Source: Sutton & Barto 2018, section 7.1; Mnih et al., *Asynchronous methods for deep reinforcement learning*, ICML 2016.
    """

    critic: Any
    n: int
    bootstrap: bool = False

    def __post_init__(self):
        whole_number(self.n, "n", PGTheoryError, 1)

    def _weights(self, batch, pi, gamma):
        delta = td_errors(batch, self.critic, gamma, self.bootstrap)
        total, T = delta.copy(), delta.shape[1]
        factor = powers(gamma, self.n, number(batch, pi, gamma)[1])
        for k in range(1, min(self.n, T)):
            total[:, :T - k] = total[:, :T - k] + delta[:, k:] * factor[k]
        return total


@dataclass(frozen=True, eq=False)
class GAE(Estimator):
    r"""Generalised advantage estimation: :math:`\Phi_t = \sum_k (\gamma\lambda)^k \delta_{t+k}`, deltas of the critic.

    critic : (S,), (T+1, S) or a constant; lam : lambda in [0, 1]; bootstrap : count the critic at the horizon
    Unbiased for lambda = 1 with any critic, and for any lambda with the true value. Source: Schulman, Moritz, Levine,
    Jordan, Abbeel, *High-dimensional continuous control using generalized advantage estimation*, ICLR 2016, equation 16.

    >>> import pgtheory as pg
    >>> chain = pg.MDP([[[0, 1]], [[0, 1]]], [1.0, 2.0], 0.5, 0)
    >>> batch = pg.enumerate_trajectories(chain, [[1.0], [1.0]], horizon=2)
    >>> pg.estimators.GAE([0.0, 4.0], 1.0).weights(batch, batch.behaviour, 0.5)
    array([[ 2., -1.]])
    """

    critic: Any
    lam: Any
    bootstrap: bool = False

    def _weights(self, batch, pi, gamma):
        lam, _ = number(batch, pi, self.lam, "lam")
        return discounted_sums(td_errors(batch, self.critic, gamma, self.bootstrap), gamma * lam)


@dataclass(frozen=True, eq=False)
class AllAction(Estimator):
    r"""All actions of every visited state: :math:`\sum_t \gamma^t \sum_a \nabla\pi(a|s_t)\, Q_t(s_t, a)`.

    Q : (S, A) or (T, S, A) action values; None takes the exact ones of the policy at theta, from the batch's own model
    Source: Sutton, Singh, McAllester, *Comparing policy-gradient algorithms*, 2001; Ciosek & Whiteson, AAAI 2018.
    """

    Q: Any = None

    def __call__(self, batch, policy, theta, gamma):
        """(N,) + shape: one estimate per trajectory, reward units per unit of theta."""
        theta = policy.check_theta(theta)
        pi = policy.probabilities(theta)
        gamma, arithmetic = number(batch, pi, gamma)
        T = batch.actions.shape[1]
        Q = self.action_values(batch.mdp, pi, gamma, batch.horizon)
        states = batch.states[:, :-1]
        at = Q[states] if Q.ndim == 2 else Q[np.arange(T), states]
        if self.gamma_weighting:
            at = at * powers(gamma, T, arithmetic)[:, None]
        return gradient_sums(batch, policy, theta, at)

    def _weights(self, batch, pi, gamma):
        raise UndefinedError("AllAction sums over all actions of a state: the one taken has no weight of its own, and there is no "
                             "surrogate loss")

    def action_values(self, mdp, pi, gamma, horizon):
        """(S, A) or (T, S, A): the Q in use."""
        if self.Q is None:
            return solve(mdp if gamma == mdp.gamma else MDP(mdp.P, mdp.R, gamma, mdp.rho), pi, horizon).Q
        Q, _ = numbers(self.Q, "Q", PGTheoryError)
        shape = (mdp.n_states, mdp.n_actions)
        if Q.shape != shape and Q.shape != (horizon, *shape):
            raise PGTheoryError(f"Q has shape {Q.shape}: it must be {shape} or {(horizon, *shape)}")
        return Q
