r"""A policy on an MDP, solved: V, Q, A, d, D and J from one factorisation of :math:`I - \gamma P_\pi`.

.. math::
    V = (I - \gamma P_\pi)^{-1} r_\pi, \qquad Q(s,a) = r(s,a) + \gamma \sum_{s'} P(s'|s,a) V(s'), \qquad A = Q - V,

    d^\top = \rho^\top (I - \gamma P_\pi)^{-1}, \qquad D = (1-\gamma)\, d, \qquad J = \rho^\top V.

At gamma = 1 the terminal states leave the system: V = 0 and d = 0 there, and d sums to the mean episode length.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from .arithmetic import (
    COMPLEX,
    EPS,
    FLOAT,
    INTEGER,
    Arithmetic,
    as_array,
    dot_rows,
    is_sparse,
    join,
)
from .chain import Resolved, require_proper
from .continuous.finite_horizon import solve_actions_horizon
from .continuous.gradients import (
    continuous_policy_gradient,
    continuous_value_gradient,
    require_finite_actions,
)
from .continuous.model import ContinuousActionMDP
from .continuous.solution import solve_actions
from .errors import InvalidPolicyError, NotExactError, PGTheoryError, UndefinedError
from .mdp import MDP
from .policies import Policy, one_theta
from .validation import read_only, require_finite, require_nonnegative, require_stochastic


class Solution(Resolved):
    """What :func:`solve` returns; every attribute is read-only and computed once, when first asked for.

    Attributes
    ----------
    V : (..., S) value, reward units
    Q : (..., S, A) action value, reward units
    A : (..., S, A) advantage Q - V, reward units
    d : (..., S) = sum_t gamma^t Pr(s_t = s), sums to 1/(1 - gamma); at gamma = 1, expected visits before the end
    D : (..., S) = (1 - gamma) d, a probability distribution; UndefinedError at gamma = 1
    J : (...) rho . V, reward units
    P_pi : (..., S, S) transition law of the states; r_pi : (..., S) its expected reward
    pi, mdp : what was solved
    error_bounds : certified bounds on the errors of V, Q, d, D, J

    Examples
    --------
    >>> import pgtheory as pg
    >>> mdp = pg.MDP([[[1, 0], [0, 1]], [[0, 1], [0, 1]]], [[1.0, 0.0], [2.0, 0.0]], 0.9, 0)
    >>> solution = pg.solve(mdp, [[0.5, 0.5], [0.5, 0.5]])
    >>> solution.V.round(4), solution.D.round(4), round(float(solution.J), 4)
    (array([ 9.0909, 10.    ]), array([0.1818, 0.8182]), 9.0909)
    """

    def __init__(self, mdp: MDP, pi: np.ndarray, arithmetic: Arithmetic):
        self.mdp, self.pi, self._kernel = mdp, pi, mdp.kernel
        terminal = mdp.terminal if mdp.gamma == 1 else None
        if terminal is not None:
            require_proper(self._kernel.mix(pi), terminal)
        if not arithmetic.exact and mdp.gamma != 1 and 1 - mdp.gamma <= 8 * mdp.n_states * EPS:
            raise UndefinedError(f"gamma = 1 - {1 - mdp.gamma:.1e} is closer to 1 than float rows of {mdp.n_states} entries are to "
                                 "distributions: nothing can be said of V; lower gamma, or state the model in Fractions")
        super().__init__(self._kernel.system(pi, mdp.gamma), terminal, mdp.gamma, mdp.rho, arithmetic)

    @cached_property
    def P_pi(self):
        """(..., S, S) sum_a pi(a|s) P(s'|s,a), probabilities; sparse where P is."""
        return read_only(self._kernel.mix(self.pi))

    @cached_property
    def r_pi(self):
        """(..., S) expected reward of a step, reward units."""
        return read_only(dot_rows(self.pi, self.mdp.r))

    @cached_property
    def Q(self):
        """(..., S, A) action value, reward units."""
        future = self._kernel.expect(self.V)
        if self.arithmetic.exact:
            future = future * self.mdp.gamma
        else:
            future *= self.mdp.gamma
        future += self.mdp.r
        return read_only(future)

    @cached_property
    def A(self):
        """(..., S, A) advantage Q - V, reward units."""
        return read_only(self.Q - self.V[..., None])

    @cached_property
    def error_bounds(self):
        """Certified bounds on |computed - exact| of "V", "Q", "d", "D", "J": the largest entry's; 0 in exact arithmetic.

        The exact values are those of the floats stored in P, R, gamma, rho and pi. Every rounding of the residual is
        counted.

        >>> import pgtheory as pg
        >>> mdp = pg.MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [1.0, 2.0], 0.5, 0)
        >>> pg.solve(mdp, [[1.0], [1.0]]).error_bounds["V"] < 1e-13
        True
        """
        from .certify import error_bounds

        return error_bounds(self)

    def __repr__(self):
        batch = f", batch={self.pi.shape[:-2]}" if self.pi.ndim > 2 else ""
        return f"Solution({self.mdp!r}{batch})"


def solve(model, pi, horizon=None):
    r"""Solve ``model`` under the policy ``pi``: V, Q, A, d, D, J by linear algebra.

    Parameters
    ----------
    model : MDP
    pi : (S, A) or (..., S, A) probabilities pi(a | s), in the model's arithmetic; a batch solves every policy
    horizon : int or None, the number of steps after which the problem itself ends; gamma = 1 is always answered then

    Returns
    -------
    Solution, or FiniteHorizonSolution where a horizon is given

    Raises
    ------
    InvalidPolicyError
        Wrong shape, NaN, negative entries, rows that do not sum to 1 within 4 A eps.
    NotExactError
        Floats met Fractions.
    UndefinedError
        gamma = 1 and some state cannot reach a terminal one under pi.

    Notes
    -----
    Source: Sutton & Barto 2018, equations 3.14 and 4.4; Puterman 1994, theorem 6.1.1.

    Examples
    --------
    >>> import pgtheory as pg
    >>> corridor = pg.models.load("short-corridor")
    >>> pg.solve(corridor, [[0.5, 0.5]] * 4).V
    array([-12., -10.,  -6.,   0.])
    """
    if isinstance(model, ContinuousActionMDP):
        return solve_actions(model, pi) if horizon is None else solve_actions_horizon(model, pi, horizon)
    if not isinstance(model, MDP):
        raise PGTheoryError(f"solve needs an MDP, not {type(model).__name__}")
    pi, arithmetic = as_policy(pi, model)
    if horizon is None:
        return evaluate(model, pi, arithmetic)
    from .horizon import evaluate_horizon

    return evaluate_horizon(model, pi, horizon, arithmetic)


def evaluate(mdp, pi, arithmetic=None) -> Solution:
    """:func:`solve` without the checks of pi, for parameters that are being moved off the simplex to differentiate.

    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.solution import evaluate
    >>> mdp = pg.MDP([[[1.0], [1.0]]], [[1.0, 0.0]], 0.5, 0)
    >>> evaluate(mdp, np.array([[0.5 + 1e-3j, 0.5 - 1e-3j]])).V
    array([1.+0.002j])
    """
    if arithmetic is None:
        arithmetic = as_array(pi, "pi")[1]
    if mdp.arithmetic is arithmetic is FLOAT:
        return Solution(mdp, pi, FLOAT)
    common = join(mdp.arithmetic, arithmetic)
    if common == INTEGER:
        common = FLOAT
    mdp = mdp.into(common)
    if pi.dtype != object and not common.exact:
        pi = pi if pi.dtype.kind in "fc" else read_only(pi.astype(float))
        return Solution(mdp, pi, COMPLEX if pi.dtype.kind == "c" else common)
    return Solution(mdp, read_only(common.convert(pi)), common)


def as_policy(pi, mdp):
    S, A = mdp.n_states, mdp.n_actions
    if is_sparse(pi):
        raise InvalidPolicyError("pi is sparse: pass a dense (S, A) array")
    if isinstance(pi, Policy):
        raise InvalidPolicyError(f"pi is the policy {pi!r}: pass its probabilities, policy.probabilities(theta)")
    try:
        pi, arithmetic = as_array(pi, "pi")
    except NotExactError:
        raise
    except PGTheoryError as bad:
        raise InvalidPolicyError(str(bad)) from None
    if pi.shape[-2:] != (S, A):
        raise InvalidPolicyError(f"pi has shape {pi.shape}: it must be {(S, A)}{_policy_hint(pi, S, A)}")
    if not _is_policy(pi, arithmetic):
        require_finite(pi, "pi", InvalidPolicyError)
        require_nonnegative(pi, "pi", InvalidPolicyError)
        checked = FLOAT if arithmetic == INTEGER else arithmetic
        require_stochastic(pi.sum(axis=-1), "pi", A, checked, InvalidPolicyError, _policy_advice)
    return (pi if arithmetic == INTEGER else read_only(np.array(pi, order="C"))), arithmetic


def _is_policy(pi, arithmetic) -> bool:
    """Floats that pass every check at once, NaN included; what does not is looked at again to find the words."""
    if arithmetic is not FLOAT or pi.min(initial=0.0) < 0:
        return False
    off = abs(np.einsum("...a->...", pi) - 1)
    return bool(np.maximum.reduce(off, axis=None, initial=0.0) <= 4 * pi.shape[-1] * EPS)


def _policy_hint(pi, S, A) -> str:
    if pi.shape == (A, S):
        return "; looks like (A, S): did you mean pi.T?"
    if pi.shape == (S,):
        return "; a deterministic policy of action numbers is numpy.eye(A)[actions]"
    return ""


def _policy_advice(index, total) -> str:
    if abs(float(np.real(total)) - 1) < 1e-5:
        return "off by rounding (float32 or printed decimals?): divide each row by its sum"
    return "each row must be a distribution over the actions"


def policy_gradient(model, policy, theta, horizon=None):
    r"""Policy gradient theorem: (1 - gamma) grad J = sum_s D(s) sum_a grad pi(a|s) Q(s, a).

    Parameters
    ----------
    model : MDP
    policy : Policy
    theta : policy.shape parameters
    horizon : int or None; with T steps the gradient is sum_t gamma^t sum_s Pr(s_t = s) sum_a grad pi(a|s) Q_t(s, a)

    Returns
    -------
    gradient : policy.shape, reward units per unit of theta

    Notes
    -----
    d = D / (1 - gamma) carries the constant, so that gamma = 1 is covered too. Source: Sutton, McAllester, Singh, Mansour,
    *Policy gradient methods for reinforcement learning with function approximation*, NIPS 2000, theorem 1.

    Raises what :func:`solve` and the policy raise.

    >>> import pgtheory as pg
    >>> corridor = pg.models.load("short-corridor")
    >>> shared = [[[0.0], [1.0]]] * 4
    >>> pg.policy_gradient(corridor, pg.SoftmaxPolicy(features=shared), [0.0])
    array([2.])
    """
    if isinstance(model, ContinuousActionMDP):
        return continuous_policy_gradient(model, policy, theta, horizon)
    theta, solution = _solve_at(model, policy, theta, horizon)
    weights = solution.d[:, None] * solution.Q if horizon is None else solution.gradient_weights
    return policy.pullback(theta, weights)


def value_gradient(model, policy, theta):
    r"""(S,) + shape: grad V(s) for every start state, :math:`(I - \gamma P_\pi)^{-1} \sum_a \nabla\pi(a|s) Q(s,a)`.

    Reward units per unit of theta. Source: Sutton et al. 2000, proof of theorem 1. Raises what :func:`solve` raises.

    >>> import pgtheory as pg
    >>> mdp = pg.MDP([[[1, 0], [0, 1]], [[0, 1], [0, 1]]], [[1.0, 0.0], [2.0, 0.0]], 0.9, 0)
    >>> pg.value_gradient(mdp, pg.SoftmaxPolicy(2, 2), [[0.0, 0.0], [0.0, 0.0]]).round(6)[0]
    array([[ 0.082645, -0.082645],
           [ 4.090909, -4.090909]])
    """
    if isinstance(model, ContinuousActionMDP):
        return continuous_value_gradient(model, policy, theta)
    theta, solution = _solve_at(model, policy, theta)
    return solution.resolvent(policy.state_pullback(theta, solution.Q))


def _solve_at(model, policy, theta, horizon=None):
    """theta, checked, and the solution under pi_theta."""
    require_finite_actions(policy)
    theta = one_theta(policy, theta, model)
    pi = np.asarray(policy.probabilities(theta))
    if isinstance(model, MDP) and pi.shape != (model.n_states, model.n_actions):
        raise InvalidPolicyError(f"{policy!r} gives probabilities of shape {pi.shape}: the model has {model.n_states} "
                                 f"states and {model.n_actions} actions")
    return theta, solve(model, pi, horizon)


