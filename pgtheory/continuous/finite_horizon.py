r"""Continuous actions for T steps, solved by one backward and one forward pass.

.. math::
    V_T = 0, \qquad V_t(s) = r(s, \mu(s)) + \gamma \sum_{s'} P(s'|s, \mu(s))\, V_{t+1}(s'), \qquad
    \nabla J = \sum_{t<T} \gamma^t \sum_s \Pr(s_t = s)\, \nabla_\theta\mu(s)\, \nabla_a Q_t(s,a) \big|_{a=\mu(s)},

and for a density with the score-weighted :math:`Q_t` in place of :math:`\nabla_a Q_t`. The steps differ in V alone, and the
gradient is linear in it: the visits are multiplied by the values that follow them first, so that the derivatives of P and R
are summed over once, whatever T is. Nothing is earned after the horizon, nothing is bootstrapped at it, and gamma may be 1.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ..arithmetic import Arithmetic
from ..errors import PGTheoryError
from ..horizon import check_horizon, powers
from ..validation import read_only
from .gaussian_solution import moments, relative_move
from .quadrature import doubled
from .slopes import expected_slope, slopes
from .solution import arithmetic_of


class HorizonChain:
    """States, their law and reward under a policy, for T steps.

    Attributes
    ----------
    V : (..., T+1, S) value of the steps t..T-1, reward units; V[T] = 0
    state_distribution : (..., T, S) Pr(s_t = s), undiscounted
    J : (...) rho . V[0], reward units
    P_pi : (..., S, S); r_pi : (..., S); mdp : the model; horizon : T
    """

    def __init__(self, model, P_pi, r_pi, horizon: int, arithmetic: Arithmetic):
        self.mdp, self.horizon, self.arithmetic = model, horizon, arithmetic
        self.P_pi, self.r_pi = read_only(P_pi.view()), read_only(r_pi.view())
        self.gamma, self.rho = arithmetic.number(model.gamma), arithmetic.convert(model.rho)

    @cached_property
    def V(self):
        """(..., T+1, S) value of the steps still to come, reward units."""
        V = [self.arithmetic.zeros(self.r_pi.shape)]
        for _ in range(self.horizon):
            V.append(self.r_pi + (self.P_pi @ V[-1][..., None])[..., 0] * self.gamma)
        return read_only(np.stack(V[::-1], axis=-2))

    @cached_property
    def state_distribution(self):
        """(..., T, S) Pr(s_t = s), probabilities."""
        rows = [np.broadcast_to(self.rho, self.r_pi.shape)]
        for _ in range(self.horizon - 1):
            rows.append((rows[-1][..., None, :] @ self.P_pi)[..., 0, :])
        return read_only(np.stack(rows, axis=-2))

    @cached_property
    def J(self):
        """Expected discounted return of the T steps from the start distribution, reward units."""
        return self.V[..., 0, :] @ self.rho

    @cached_property
    def _visits(self):
        """(S,) sum_t gamma^t Pr(s_t = s), and (S, S) the same with gamma V_{t+1}(s') as weights."""
        if self.V.ndim > 2:
            raise PGTheoryError("this needs one solution, not a batch: solve each member by itself")
        visits = self.state_distribution * powers(self.gamma, self.horizon, self.arithmetic)[:, None]
        return visits.sum(axis=0), visits.T @ (self.V[1:] * self.gamma)

    def __repr__(self):
        return f"{type(self).__name__}({self.mdp!r}, horizon={self.horizon})"


class ContinuousHorizonSolution(HorizonChain):
    """What :func:`pgtheory.solve` returns for a :class:`pgtheory.ContinuousActionMDP` and ``horizon=T``.

    Attributes
    ----------
    actions : (..., S, k)
    gradient_weights : (S, k) sum_t gamma^t Pr(s_t = s) grad_a Q_t(s, mu(s)); pulled back to theta it is the gradient
    and those of :class:`HorizonChain`

    >>> import pgtheory as pg, sympy
    >>> a = sympy.Symbol("a")
    >>> model = pg.ContinuousActionMDP.from_sympy([[1]], [a - a**2], a, 1, [1.0])
    >>> solution = pg.solve(model, [[0.25]], horizon=3)
    >>> solution.V[:, 0], solution.gradient_weights
    (array([0.5625, 0.375 , 0.1875, 0.    ]), array([[1.5]]))
    """

    def __init__(self, model, actions, law, horizon: int):
        P, _, r = law
        super().__init__(model, P, r, horizon, arithmetic_of(P, r))
        self.actions, self._law = actions, law

    def Q_at(self, actions):
        """(T, ..., S): value of acting by ``actions`` (..., S, k) at step t and following the policy after, reward units."""
        P, _, r = self.mdp.valid_law(self._checked(actions))
        return np.stack([r + (P @ V) * self.gamma for V in self.V[1:]])

    def grad_Q_at(self, actions):
        """(T, ..., S, k): grad_a Q_t(s, a) at ``actions`` (..., S, k), reward per unit of action."""
        actions = self._checked(actions)
        P, R, _ = self.mdp.valid_law(actions)
        dP, dR = slopes(self.mdp, actions)
        gains = [lambda part, V=V: R[..., part, :] + V * self.gamma for V in self.V[1:]]
        return np.stack(dP.times(*gains)) + dR.times(lambda part: P[..., part, :])[0]

    @cached_property
    def gradient_weights(self):
        """(S, k) sum_t gamma^t Pr(s_t = s) grad_a Q_t(s, mu(s)), reward per unit of action."""
        visits, following = self._visits
        P, R, _ = self._law
        every = visits[:, None]
        return read_only(expected_slope(self.mdp, self.actions, P * every, R * every + following, visits * 0))

    def _checked(self, actions):
        if self.V.ndim > 2:
            raise PGTheoryError("Q needs one solution, not a batch: solve each member by itself")
        return self.mdp.check_actions(actions)


class GaussianHorizonSolution(HorizonChain):
    """A density over actions for T steps, by quadrature.

    Attributes
    ----------
    gradient_weights : (S, p) sum_t gamma^t Pr(s_t = s) E_a[d log pi / d (mean, log sigma) Q_t(s, a)]
    nodes, size, history : as of :class:`pgtheory.GaussianSolution`
    and those of :class:`HorizonChain`
    """

    def __init__(self, model, P_moments, r_moments, horizon: int, size: float):
        P, r = np.ascontiguousarray(P_moments[:, 0]), np.ascontiguousarray(r_moments[:, 0])
        super().__init__(model, P, r, horizon, arithmetic_of(P, r))
        visits, following = self._visits
        weights = r_moments[:, 1:] * visits[:, None] + (P_moments[:, 1:] @ following[..., None])[..., 0]
        self.gradient_weights = read_only(weights)
        self.nodes, self.history, self.size = 0, (), size


def solve_actions_horizon(model, actions, horizon) -> ContinuousHorizonSolution:
    """``pgtheory.solve(model, actions, horizon=T)``; any number of steps, whether or not episodes end.

    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.continuous.finite_horizon import solve_actions_horizon
    >>> model = pg.ContinuousActionMDP(lambda s, a: np.ones(1), lambda s, a: np.cos(a), 0.5, [1.0])
    >>> solve_actions_horizon(model, [[0.0]], 3).J
    np.float64(1.75)
    """
    actions = model.check_actions(actions)
    return ContinuousHorizonSolution(model, read_only(np.array(actions)), model.valid_law(actions), check_horizon(horizon))


def solve_density_horizon(model, policy, theta, horizon) -> GaussianHorizonSolution:
    """As :func:`pgtheory.continuous.gaussian_solution.solve_density`, for T steps.

    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.continuous.finite_horizon import solve_density_horizon
    >>> model = pg.ContinuousActionMDP(lambda s, a: np.ones(1), lambda s, a: np.cos(a), 1, [1.0])
    >>> solution = solve_density_horizon(model, pg.GaussianPolicy(features=[[1.0]], sigma=1.0), [[0.0]], 2)
    >>> bool(abs(solution.J - 2 * np.exp(-0.5)) < 1e-14)
    True
    """
    horizon = check_horizon(horizon)

    def at_nodes(n):
        P_moments, r_moments, _, size = moments(model, policy, theta, n)
        return GaussianHorizonSolution(model, P_moments, r_moments, horizon, size)

    def moved(new, old):
        return relative_move((new.V, new.gradient_weights), (old.V, old.gradient_weights), new.size)

    result = doubled(at_nodes, moved, policy.limit(theta), policy.tolerance)
    solution = result.value
    solution.nodes, solution.history = result.nodes, result.history
    return solution
