r"""Policy gradients on models of continuous actions: the deterministic theorem, and the stochastic one for densities."""

from __future__ import annotations

import numpy as np

from ..errors import InvalidPolicyError
from .deterministic_policies import DeterministicPolicy
from .finite_horizon import solve_actions_horizon, solve_density_horizon
from .gaussian_policies import GaussianPolicy
from .gaussian_solution import solve_density
from .solution import solve_actions


def continuous_policy_gradient(model, policy, theta, horizon=None):
    r"""theta's shape: the policy gradient, :math:`\frac{1}{1-\gamma} E_{s \sim D}[\nabla_\theta\mu(s) \nabla_a Q(s,a)]` at
    a = mu(s), or for a density :math:`\frac{1}{1-\gamma} E_{s \sim D, a \sim \pi}[\nabla_\theta\log\pi(a|s) Q(s,a)]`.

    With ``horizon=T`` that of the T steps. Source: Silver et al. 2014, theorem 1; Sutton et al. 2000, theorem 1.

    >>> import pgtheory as pg, sympy
    >>> a = sympy.Symbol("a")
    >>> model = pg.ContinuousActionMDP.from_sympy([[1]], [a - a**2], a, 0.5, [1.0])
    >>> pg.policy_gradient(model, pg.DeterministicPolicy(features=[[2.0]]), [[0.125]])
    array([[2.]])
    """
    if horizon is not None:
        solution = solve_policy(model, policy, theta, horizon)
        return policy.pullback(policy.check_theta(theta), solution.gradient_weights)
    theta, solution, weights = contributions(model, policy, theta)
    return policy.pullback(theta, solution.d[:, None] * weights)


def continuous_value_gradient(model, policy, theta):
    """(S,) + shape: grad V(s) for every start state; the resolvent applied to what every state contributes."""
    theta, solution, weights = contributions(model, policy, theta)
    return solution.resolvent(policy.state_pullback(theta, weights))


def solve_policy(model, policy, theta, horizon=None):
    """The model solved under a policy at theta, for ever or for T steps: at its actions, or by quadrature over its density.

    >>> import pgtheory as pg, sympy
    >>> a = sympy.Symbol("a")
    >>> model = pg.ContinuousActionMDP.from_sympy([[1]], [a - a**2], a, 0.5, [1.0])
    >>> solve_policy(model, pg.GaussianPolicy(features=[[1.0]], sigma=0.5), [[0.25]]).V.round(12)
    array([-0.125])
    """
    if not isinstance(policy, (DeterministicPolicy, GaussianPolicy)):
        raise InvalidPolicyError(f"policy is {type(policy).__name__}: on a ContinuousActionMDP it must choose actions in "
                                 "R^k, as DeterministicPolicy and GaussianPolicy do")
    theta = policy.check_theta(theta)
    actions = policy.actions(theta) if isinstance(policy, DeterministicPolicy) else policy.means(theta)
    expected = (model.n_states, model.action_dim)
    if np.shape(actions) != expected:
        raise InvalidPolicyError(f"{policy!r} gives actions of shape {np.shape(actions)} at theta of shape {theta.shape}: "
                                 f"the model has {expected[0]} states and actions in R^{expected[1]}")
    if isinstance(policy, DeterministicPolicy):
        return solve_actions(model, actions) if horizon is None else solve_actions_horizon(model, actions, horizon)
    return solve_density(model, policy, theta) if horizon is None else solve_density_horizon(model, policy, theta, horizon)


def contributions(model, policy, theta):
    """(theta, solution, weights): weights (S, p) are the slope of Q in the policy's own coordinates, state by state."""
    solution = solve_policy(model, policy, theta)
    weights = solution.grad_Q if isinstance(policy, DeterministicPolicy) else solution.score_weighted_Q
    return policy.check_theta(theta), solution, weights


def require_finite_actions(policy) -> None:
    """Refuse a policy on R^k where the actions are finitely many; :class:`InvalidPolicyError` says why."""
    if isinstance(policy, DeterministicPolicy):
        raise InvalidPolicyError("the deterministic policy gradient theorem differentiates Q(s, a) in the action, and an "
                                 "MDP of finitely many actions has no such derivative: pass a ContinuousActionMDP, or a "
                                 "stochastic policy such as SoftmaxPolicy(S, A)")
    if isinstance(policy, GaussianPolicy):
        raise InvalidPolicyError(f"{type(policy).__name__} is a density over actions in R^k, and an MDP has finitely many "
                                 "actions: pass a ContinuousActionMDP, or SoftmaxPolicy(S, A)")
