r"""A policy on an MDP for T steps, solved by one backward and one forward pass.

.. math::
    V_T = 0, \qquad Q_t(s,a) = r(s,a) + \gamma \sum_{s'} P(s'|s,a) V_{t+1}(s'), \qquad V_t(s) = \sum_a \pi(a|s) Q_t(s,a),

    J = \rho^\top V_0, \qquad
    \nabla J = \sum_{t<T} \gamma^t \sum_s \Pr(s_t = s) \sum_a \nabla\pi(a|s)\, Q_t(s,a).

The horizon belongs to the problem: nothing is earned after it, nothing is bootstrapped at it, and gamma may be 1. V and Q
carry the time index, even though the policy does not.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from .arithmetic import FLOAT, INTEGER, Arithmetic, as_array, join
from .errors import PGTheoryError
from .mdp import MDP
from .validation import read_only, whole_number


class FiniteHorizonSolution:
    """What :func:`pgtheory.solve` returns for ``horizon=T``; every attribute is read-only and computed when first asked for.

    Attributes
    ----------
    V : (T+1, S) value of the steps t..T-1, reward units; V[T] = 0
    Q : (T, S, A) action value, reward units
    A : (T, S, A) advantage Q[t] - V[t], reward units
    state_distribution : (T, S) Pr(s_t = s), undiscounted, each row sums to 1
    J : rho . V[0], reward units
    gradient_weights : (S, A) sum_t gamma^t Pr(s_t = s) Q_t(s, a): the policy gradient is their sum against grad pi
    mdp, pi, horizon : what was solved
    error_bounds : certified bounds on the errors of V, Q, state_distribution, J

    A batch of policies (..., S, A) puts its axes in front of every attribute.

    Examples
    --------
    >>> import pgtheory as pg
    >>> mdp = pg.MDP([[[1, 0], [0, 1]], [[0, 1], [0, 1]]], [[1.0, 0.0], [0.0, 0.0]], 1.0, 0)
    >>> solution = pg.solve(mdp, [[0.5, 0.5], [0.5, 0.5]], horizon=2)
    >>> solution.V
    array([[0.75, 0.  ],
           [0.5 , 0.  ],
           [0.  , 0.  ]])
    >>> solution.state_distribution
    array([[1. , 0. ],
           [0.5, 0.5]])
    """

    def __init__(self, mdp: MDP, pi: np.ndarray, horizon: int, arithmetic: Arithmetic):
        self.mdp, self.pi, self.horizon, self.arithmetic = mdp, pi, horizon, arithmetic

    @cached_property
    def _passes(self):
        """V and Q, backwards from V_T = 0."""
        V, Q = [self.arithmetic.zeros(self.pi.shape[:-1])], []
        for _ in range(self.horizon):
            Q.append(self.mdp.kernel.expect(V[-1]) * self.mdp.gamma + self.mdp.r)
            V.append((self.pi * Q[-1]).sum(axis=-1))
        return np.stack(V[::-1], axis=-2), np.stack(Q[::-1], axis=-3)

    @property
    def V(self):
        """(T+1, S) value of the steps still to come, reward units."""
        return read_only(self._passes[0])

    @property
    def Q(self):
        """(T, S, A) action value, reward units."""
        return read_only(self._passes[1])

    @cached_property
    def A(self):
        """(T, S, A) advantage, reward units."""
        return read_only(self.Q - self.V[..., :-1, :, None])

    @cached_property
    def state_distribution(self):
        """(T, S) Pr(s_t = s), probabilities."""
        P_pi = self.mdp.kernel.mix(self.pi)
        rows = [np.broadcast_to(self.mdp.rho, self.pi.shape[:-1])]
        for _ in range(self.horizon - 1):
            rows.append(rows[-1] @ P_pi if self.pi.ndim == 2 else (rows[-1][..., None, :] @ P_pi)[..., 0, :])
        return read_only(np.stack(rows, axis=-2))

    @cached_property
    def J(self):
        """Expected discounted return of the T steps from the start distribution, reward units."""
        return self.V[..., 0, :] @ self.mdp.rho

    @cached_property
    def gradient_weights(self):
        """(S, A) sum_t gamma^t Pr(s_t = s) Q_t(s, a), reward units."""
        visits = self.state_distribution * powers(self.mdp.gamma, self.horizon, self.arithmetic)[:, None]
        return read_only((self.Q * visits[..., None]).sum(axis=-3))

    @cached_property
    def error_bounds(self):
        """Certified bounds on |computed - exact| of "V", "Q", "state_distribution", "J": the largest entry's; 0 if exact.

        The exact values are those of the floats stored in P, R, gamma, rho and pi; every rounding is counted.

        >>> import pgtheory as pg
        >>> mdp = pg.MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [0.1, 0.2], 0.9, 0)
        >>> 0 < pg.solve(mdp, [[1.0], [1.0]], horizon=5).error_bounds["Q"] < 1e-15
        True
        """
        from .horizon_bounds import HorizonBounds

        return HorizonBounds(self)

    def __repr__(self):
        batch = f", {self.pi.shape[:-2]} policies" if self.pi.ndim > 2 else ""
        return f"FiniteHorizonSolution({self.mdp!r}, horizon={self.horizon}{batch})"


def powers(gamma, n: int, arithmetic: Arithmetic) -> np.ndarray:
    """(n,) 1, gamma, gamma^2, ... by repeated multiplication, in the given arithmetic.

    >>> from fractions import Fraction
    >>> from pgtheory.arithmetic import FRACTION
    >>> powers(Fraction(1, 2), 3, FRACTION)
    array([Fraction(1, 1), Fraction(1, 2), Fraction(1, 4)], dtype=object)
    """
    out = arithmetic.zeros(n)
    power = arithmetic.number(1)
    for t in range(n):
        out[t] = power
        power = power * gamma
    return out


def check_horizon(horizon) -> int:
    """The number of steps as an int of at least 1, or the error that says why not."""
    return whole_number(horizon, "horizon", PGTheoryError, 1)


def evaluate_horizon(mdp, pi, horizon, arithmetic=None) -> FiniteHorizonSolution:
    """``solve(mdp, pi, horizon=T)`` without the checks of pi, for parameters moved off the simplex to differentiate.

    >>> import numpy as np, pgtheory as pg
    >>> mdp = pg.MDP([[[1.0], [1.0]]], [[1.0, 0.0]], 1.0, 0)
    >>> evaluate_horizon(mdp, np.array([[0.5 + 1e-3j, 0.5]]), 2).J
    np.complex128(0.999999+0.0025j)
    """
    if arithmetic is None:
        arithmetic = as_array(pi, "pi")[1]
    common = join(mdp.arithmetic, arithmetic)
    common = FLOAT if common == INTEGER else common
    horizon = check_horizon(horizon)
    return FiniteHorizonSolution(mdp.into(common), common.convert(pi), horizon, common)
