r"""Certified errors of float64 solutions on continuous actions.

At the actions mu(s) a model is a Markov chain with rewards, :math:`P_\mu` and :math:`R_\mu`, and its solution is that of an
MDP of one action. The exact answer is that of the very floats which the model's functions returned; what these functions
themselves round is theirs. The gradient adds the floats of :math:`\nabla_a P`, :math:`\nabla_a R` and :math:`\nabla\mu`.
See :mod:`pgtheory.certify`.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from ..arithmetic.balls import Balls
from ..certify import error_bounds, neighbourhood
from ..errors import PGTheoryError
from .slopes import slopes


def chain_bounds(solution):
    """Bounds on the errors of "V", "Q", "d", "D", "J" of a :class:`ContinuousSolution`; Q is that of the policy's own actions.

    For a density they are those of its quadrature's P_pi and r_pi. Raises :class:`PGTheoryError` for a batch.

    >>> import pgtheory as pg, numpy as np
    >>> from pgtheory.continuous.bounds import chain_bounds
    >>> model = pg.ContinuousActionMDP(lambda s, a: np.ones(1), lambda s, a: np.cos(a), 0.9, [1.0])
    >>> chain_bounds(pg.solve(model, [[1.0]]))["V"] < 1e-15
    True
    """
    if solution.batched:
        raise PGTheoryError("error bounds need one solution, not a batch: solve each member by itself")
    return error_bounds(_as_one_action(solution))


def gradient_bound(solution, policy, theta, gradient) -> float:
    """At least the largest entry of ``|gradient - exact|`` of a deterministic policy gradient, in units of the gradient.

    0 in exact arithmetic; infinity for a density, and where V or d cannot be certified.

    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.continuous.bounds import gradient_bound
    >>> model, policy, theta = pg.models.load("thermostat"), pg.DeterministicPolicy(np.eye(9)), np.zeros((9, 1))
    >>> solution, gradient = pg.solve(model, policy.actions(theta)), pg.policy_gradient(model, policy, theta)
    >>> gradient_bound(solution, policy, theta, gradient) < 1e-13
    True
    >>> gradient_bound(solution, policy, theta, gradient + 0.5) >= 0.5
    True
    """
    if solution.arithmetic.exact:
        return 0.0
    if solution.actions is None or solution.batched or np.iscomplexobj(solution.V):
        return np.inf
    with np.errstate(all="ignore"):
        V, d = neighbourhood(_as_one_action(solution), np.zeros((len(solution.V), 1)))
        each = d[:, None] * _grad_Q(solution, V[:, 0])
        jacobian = policy.jacobian(theta)
        exact = each.reshape(each.mid.shape + (1,) * (jacobian.ndim - 2)) * Balls.of(jacobian)
        exact = exact.reshape((-1,) + jacobian.shape[2:]).sum(axis=0)
        largest = np.max((Balls.of(gradient) - exact).magnitude, initial=0.0)
    return float(largest) if largest >= 0 else np.inf       # what is not a number bounds nothing


def _grad_Q(solution, V) -> Balls:
    """(S, k): sum_s' grad_a P (R + gamma V) + P grad_a R."""
    P, R, _ = solution._at(solution.actions)
    dP, dR = (Balls.of(slope.array) for slope in slopes(solution.mdp, solution.actions))
    gains = Balls.of(np.broadcast_to(R, P.shape)) + (V * Balls.of(solution.gamma))[None, :]
    return (dP * gains[:, :, None]).sum(axis=1) + (dR * Balls.of(P)[:, :, None]).sum(axis=1)


def _as_one_action(solution):
    """The solution as :mod:`pgtheory.certify` takes it: of an MDP with one action."""
    if solution.actions is None:
        P, R = solution.P_pi, solution.r_pi[:, None]
        Q = solution.r_pi + solution.gamma * (P @ solution.V)
    else:
        P, R, _ = solution._at(solution.actions)
        R = np.array(np.broadcast_to(R, P.shape))[:, None]
        Q = solution.Q_at(solution.actions)
    S = len(P)
    mdp = SimpleNamespace(kernel=SimpleNamespace(rows=P), R=R, r=R, gamma=solution.gamma, rho=solution.rho, n_states=S,
                          n_actions=1, terminal=solution.terminal)
    return SimpleNamespace(mdp=mdp, pi=np.ones((S, 1), dtype=complex if np.iscomplexobj(P) else float),
                           arithmetic=solution.arithmetic, resolvent=solution.resolvent, V=solution.V, Q=Q[:, None],
                           d=solution.d, J=solution.J, **({} if solution.gamma == 1 else {"D": solution.D}))
