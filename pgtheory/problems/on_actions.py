r"""What problems on continuous actions share, whether the policy is deterministic or a density."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from ..arithmetic import EXPRESSION, INTEGER, as_array, factored, rational_field
from ..continuous.deterministic_policies import DeterministicPolicy
from ..continuous.gradients import solve_policy
from ..continuous.model import OWN_ROUNDINGS
from .base import N_DIRECTIONS, SWEEP_FLOPS, AnyProblem

SWEEP_ENTRIES = 4_000_000   # of P, over all directions of comparison; differences evaluate as many some sixty times
LEAST = 1e-20               # of what a state adds: a complex step of h misses h^2 times a third derivative
FEWEST = 2                  # random directions where there are more


class ContinuousProblem(AnyProblem):
    """A policy on a model of continuous actions: what the two kinds share.

    Attributes
    ----------
    pi : (S, ...) the policy's own table: actions (S, k), or densities (S, N) at some actions
    and those of :class:`pgtheory.problems.finite.AnyProblem`
    """

    code = "the code of the policy or of the model"

    def __init__(self, model, policy, theta, rng=0, *, complete=None):
        self.mdp = model
        if isinstance(policy, DeterministicPolicy):
            theta = _in_a_field(model, policy.check_theta(theta))
        solution = solve_policy(model, policy, theta)
        super().__init__(policy, policy.check_theta(theta), solution, rng, complete)

    @property
    def terminal(self):
        """(S,) bool."""
        return self.solution.terminal

    @property
    def actions_in_words(self) -> dict:
        """What a report says of the actions."""
        return {"action_dim": self.mdp.action_dim}

    @cached_property
    def complete(self) -> bool:
        """Whether every coordinate is a direction of comparison: where the model's functions are not asked for too much."""
        if self._complete is not None:
            return self._complete
        few = self.theta.size * self._entries <= SWEEP_ENTRIES
        return self.exact or few and self.theta.size * self.mdp.n_states**3 <= SWEEP_FLOPS

    @cached_property
    def directions(self):
        """(n,) + theta.shape: all coordinates, or between 2 and 16 random directions."""
        if self.complete:
            return super().directions
        n = int(min(N_DIRECTIONS, self.theta.size, max(FEWEST, SWEEP_ENTRIES // self._entries)))
        return self._rng.standard_normal((n,) + self.theta.shape) / np.sqrt(self.theta.size)

    @property
    def _entries(self) -> int:
        """Of a table of P, for one theta."""
        return self.mdp.n_states**2

    def V_at(self, theta):
        """(..., S): the value at a stack of parameters."""
        return self._stacked(lambda one: self._solved(one).V, theta)

    def probe(self, theta):
        """(S, 2) what must follow a complex step for V to follow it: the chain's law, against weights, and its reward."""
        return self._probed(self._solved(theta))

    def _probed(self, solution):
        weights = 1 + np.modf(np.arange(1, self.mdp.n_states + 1) * 0.6180339887498949)[0]
        return np.stack([solution.P_pi @ weights, solution.r_pi], axis=-1)

    def _stacked(self, f, theta):
        if theta.ndim == self.theta.ndim:
            return f(theta)
        return np.stack([f(one) for one in theta])

    @property
    def _width(self) -> int:
        """Of sums over states and action coordinates, the user's own formula counted with them."""
        return self.mdp.n_states + self.mdp.action_dim + OWN_ROUNDINGS

    @cached_property
    def _source_scale(self) -> float:
        """Largest entry of what one state adds to the gradient, with the absolute values of all terms."""
        return self._reach_of(self._size_of_weights)

    def _reach_of(self, sizes) -> float:
        """Largest entry of what weights of these sizes (S, p) may add in one state, theirs included."""
        theta, total = self.theta, 0.0
        for j in range(sizes.shape[1]):
            column = np.where(np.arange(sizes.shape[1]) == j, sizes, sizes * 0)
            total = total + abs(self.along(self.policy.state_pullback(theta, column)))
        return max(float(np.max(total, initial=0)), float(np.max(sizes)), LEAST)

    @property
    def _size_of_weights(self):
        """(S, p) the weights, with the absolute values of all terms."""
        raise NotImplementedError

    def _solved(self, theta) -> Any:
        raise NotImplementedError


def _in_a_field(model, theta):
    """theta over one field of rational functions in factored form, where it is symbolic and allows it."""
    arithmetic = as_array(theta)[1]
    if not arithmetic.symbolic or not model.arithmetic.exact and model.arithmetic != INTEGER:
        return theta
    if arithmetic == EXPRESSION:
        arithmetic = rational_field(theta, model.gamma, model.rho)
    return theta if arithmetic is None else factored(arithmetic).convert(theta)
