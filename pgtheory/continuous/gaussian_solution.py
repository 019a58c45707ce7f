r"""A density over actions on a model of continuous actions, solved by quadrature.

.. math::
    P_\pi(s'|s) = \int \pi(a|s) P(s'|s,a)\, da, \qquad r_\pi(s) = \int \pi(a|s) \sum_{s'} P(s'|s,a) R(s,a,s')\, da,

and the stochastic policy gradient theorem needs :math:`E_a[\nabla\log\pi(a|s) Q(s,a)]`. With the score as a second weight
beside 1 these are the same integrals, so one pass over the nodes yields both.
"""

from __future__ import annotations

import numpy as np

from ..arithmetic import dot_rows
from ..validation import read_only
from .quadrature import doubled, parts
from .solution import ContinuousSolution, arithmetic_of, rests

ENTRIES = 2**21   # of a table of P at several nodes, held at once


class GaussianSolution(ContinuousSolution):
    """What :func:`solve_density` returns: V, d, D, J of a density over actions, Q at any action, and how they converged.

    Attributes
    ----------
    V, d, D, J, P_pi, r_pi, resolvent : as in :class:`pgtheory.ContinuousSolution`
    score_weighted_Q : (S, p) E_a[d log pi / d (mean, log sigma) Q(s, a)], what a state contributes to the gradient
    nodes : quadrature nodes an action dimension
    size : largest E|r| of a state, reward units
    history : ((nodes, moved), ...), how far each doubling moved V and score_weighted_Q, relative to their scale

    One state that stays and pays a - a^2, gamma = 1/2, a normal with mean m and deviation 1/2: V = 2 (m - m^2 - 1/4).

    >>> import pgtheory as pg, sympy
    >>> from pgtheory.continuous.gaussian_solution import solve_density
    >>> a = sympy.Symbol("a")
    >>> model = pg.ContinuousActionMDP.from_sympy([[1]], [a - a**2], a, 0.5, [1.0])
    >>> solution = solve_density(model, pg.GaussianPolicy(features=[[1.0]], sigma=0.5), [[0.25]])
    >>> isinstance(solution, pg.GaussianSolution), solution.V.round(12)
    (True, array([-0.125]))
    """

    def __init__(self, model, P_moments, r_moments, terminal, size):
        P, r = np.ascontiguousarray(P_moments[:, 0]), np.ascontiguousarray(r_moments[:, 0])
        super().__init__(model, P, r, arithmetic_of(P, r), terminal)
        self.score_weighted_Q = read_only(r_moments[:, 1:] + self.gamma * (P_moments[:, 1:] @ self.V))
        self.nodes, self.history, self.size = 0, (), size


def solve_density(model, policy, theta) -> GaussianSolution:
    r"""Solve ``model`` under a Gaussian policy (or its bounded kin), the nodes doubled until the answer stands.

    Raises :class:`UndefinedError` where it does not stand within the policy's ``max_nodes``, and what evaluating the model
    at the nodes raises.

    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.continuous.gaussian_solution import solve_density
    >>> model = pg.ContinuousActionMDP(lambda s, a: np.ones(1), lambda s, a: np.cos(a), 0.5, [1.0])
    >>> solution = solve_density(model, pg.GaussianPolicy(features=[[1.0]], sigma=1.0), [[0.0]])
    >>> bool(abs(solution.V[0] - 2 * np.exp(-0.5)) < 1e-14), solution.nodes
    (True, 32)
    """
    result = doubled(lambda n: at_nodes(model, policy, theta, n), _moved, policy.limit(theta), policy.tolerance)
    solution = result.value
    solution.nodes, solution.history = result.nodes, result.history
    return solution


def at_nodes(model, policy, theta, n: int) -> GaussianSolution:
    """The solution with ``n`` nodes an action dimension, whether or not that is enough; theta may be complex."""
    return GaussianSolution(model, *moments(model, policy, theta, n))


def moments(model, policy, theta, n: int):
    """(S, 1 + p, S) of P and (S, 1 + p) of the reward, with ``n`` nodes: their means, and their means weighted by the scores;
    (S,) bool, which states rest at every node; and the largest E|r| of a state."""
    theta = policy.check_theta(theta)
    S, k = policy.means(theta).shape
    P_moments, r_moments, resting, sizes = 0.0, 0.0, np.ones(S, dtype=bool), 0.0
    for part in parts(n**k, max(1, ENTRIES // S**2)):
        P, r, rest, size = _moments(model, policy.rule(theta, n, part))
        P_moments, r_moments, resting, sizes = P_moments + P, r_moments + r, resting & rest, sizes + size
    return P_moments, r_moments, resting, float(np.max(sizes))


def _moments(model, rule):
    """(S, 1 + p, S) of P and (S, 1 + p) of the reward, weighted by 1 and by the scores; which states rest throughout; (S,) E|r|."""
    P, _, r = model.valid_law(model.check_actions(rule.actions))
    weights = np.concatenate([rule.weights[..., None], rule.weights[..., None] * rule.scores], axis=-1)
    by_state = np.moveaxis(weights, 0, -1)
    size = np.abs(rule.weights * r).sum(axis=0)
    return by_state @ np.moveaxis(P, 0, 1), dot_rows(by_state, r.T[:, None, :]), rests(P, r).all(axis=0), size


def _moved(new, old) -> float:
    return relative_move((new.V, new.score_weighted_Q), (old.V, old.score_weighted_Q), new.size)


def relative_move(new, old, size) -> float:
    """Largest change of (V, score-weighted Q), each relative to its largest entry; terms that cancel count too.

    ``size`` is that of the rewards: an integral that vanishes by symmetry has no other.
    """
    (V, weights), (old_V, old_weights) = new, old
    largest, tiny = max(np.abs(V).max(), size), np.finfo(float).tiny
    change = np.abs(weights - old_weights).max() / max(np.abs(weights).max(), largest, tiny)
    return max(np.abs(V - old_V).max() / max(largest, tiny), change)
