r"""The deterministic theorem for a problem that ends after T steps, a part of the claim ``deterministic``."""

from __future__ import annotations

import numpy as np

from ..continuous.gradients import solve_policy
from ..slope import Slope
from .equation import Equation


def ending(problem, T: int) -> Equation:
    r""":math:`\nabla J_T = \sum_{t<T} \gamma^t \sum_s \Pr(s_t = s) \nabla\mu(s) \nabla_a Q_t(s, a)`, and Q_t carries the time.

    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.claims.deterministic_horizon import ending
    >>> from pgtheory.problems.continuous import problem_of
    >>> model = pg.ContinuousActionMDP(lambda s, a: np.ones(1), lambda s, a: a - a**2, 0.5, [1.0])
    >>> ending(problem_of(model, pg.DeterministicPolicy(features=[[1.0]]), [[0.25]]), 3).rhs
    array([0.875])
    """
    policy, theta = problem.policy, problem.theta
    solution = solve_policy(problem.mdp, policy, theta, T)
    weights, slope = solution.gradient_weights, grad_J(problem, solution)
    size = 0.0 if problem.arithmetic.symbolic else _largest(problem.along(policy.state_pullback(theta, weights)))
    return Equation(f"grad mu grad_a Q_t, which ends after T = {T} steps", slope, problem.along(policy.pullback(theta, weights)),
                    slope.steepness, size=size, unit=slope.unit)


def grad_J(problem, solution) -> Slope:
    """The gradient of J_T, which routes differentiate as the backward recursion gives it."""
    T, nan = solution.horizon, float("nan")
    size, steepness = (nan, nan) if problem.arithmetic.symbolic else problem.sizes_until(solution)
    return Slope(f"grad J_{T}", lambda theta: problem.J_at(theta, T), size, steepness, problem.step_unit * T, problem.mdp.n_states**2)


def _largest(each) -> float:
    """Of the sums over states of absolute values."""
    return float(np.max(abs(each).sum(axis=0), initial=0))
