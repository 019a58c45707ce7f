r"""The deterministic policy gradient along trajectories, :math:`\sum_t \gamma^t \nabla\mu(s_t)\, \nabla_a Q(s_t, \mu(s_t))`.

The actions are the policy's own, so a trajectory is a walk of the chain that they leave: :func:`walk_model` is that chain as
an MDP of one action, to be sampled and enumerated like any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arithmetic import join
from ..continuous.solution import walk_model
from ..errors import NotExactError, PGTheoryError, UndefinedError
from ..horizon import powers
from ..validation import numbers
from .base import Estimator, parameter

__all__ = ["DeterministicGradient", "walk_model"]


@dataclass(frozen=True, eq=False)
class DeterministicGradient(Estimator):
    r"""Deterministic policy gradient from visited states.

    action_gradient : (S, k) or (T, S, k) grad_a Q(s, mu(s)), reward per unit of action

    Called with a :class:`DeterministicPolicy` and a batch of :func:`walk_model`. With the true time-indexed gradient the
    mean is the finite-horizon gradient; with the stationary one it lacks what comes after the horizon. Source: Silver,
    Lever, Heess, Degris, Wierstra, Riedmiller, *Deterministic policy gradient algorithms*, ICML 2014, theorem 1.

    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.continuous.deterministic_policies import DeterministicPolicy
    >>> chain = pg.MDP([[[0, 1]], [[0, 1]]], [1.0, 2.0], 0.5, 0)
    >>> batch = pg.sample(chain, [[1.0], [1.0]], n=1, horizon=2)
    >>> policy = DeterministicPolicy(features=np.eye(2))
    >>> pg.estimators.DeterministicGradient([[3.0], [4.0]])(batch, policy, [[0.0], [0.0]], 0.5)
    array([[[3.],
            [2.]]])
    """

    action_gradient: Any

    def __call__(self, batch, policy, theta, gamma):
        """(N,) + shape: one estimate per trajectory, reward units per unit of theta."""
        slopes, gamma, arithmetic = self._slopes(batch, gamma)
        (N, T), S = batch.actions.shape, batch.mdp.n_states
        states = batch.states[:, :-1]
        running = batch.valid | batch.mdp.terminal[states]      # a state at rest may have a slope; a cut episode has no more
        weights = slopes[states] if slopes.ndim == 2 else slopes[np.arange(T), states]
        if self.gamma_weighting:
            weights = weights * powers(gamma, T, arithmetic)[:, None]
        table = arithmetic.zeros((N, S, slopes.shape[-1]))
        n, t = np.nonzero(running)
        np.add.at(table, (n, states[n, t]), weights[n, t])
        return np.tensordot(table, policy.jacobian(theta), axes=2)

    def _weights(self, batch, pi, gamma):
        raise UndefinedError("DeterministicGradient multiplies no score: it has no weights and no surrogate loss")

    def _slopes(self, batch, gamma):
        slopes, other = numbers(self.action_gradient, "action_gradient", PGTheoryError)
        gamma, gamma_arithmetic = parameter(gamma, "gamma")
        arithmetic = join(batch.arithmetic, other, gamma_arithmetic)
        if arithmetic.exact and arithmetic != batch.arithmetic:
            raise NotExactError(f"the trajectories are in {batch.arithmetic.name} numbers, action_gradient or gamma in "
                                f"{arithmetic.name} ones")
        T, S = batch.actions.shape[1], batch.mdp.n_states
        if slopes.shape[:-1] not in ((S,), (T, S)):
            raise PGTheoryError(f"action_gradient has shape {slopes.shape}: it must be ({S}, k), or ({T}, {S}, k) by time")
        return arithmetic.convert(slopes), arithmetic.number(gamma), arithmetic
