r"""The Bellman equations of a policy: V from Q, and Q from V."""

from __future__ import annotations

import numpy as np
import scipy.sparse

from ..arithmetic import EPS
from .equation import Claim, Equation


def backup(mdp, V):
    r"""(S, A): :math:`\sum_{s'} P(s'|s,a)\,(R(s,a,s') + \gamma V(s'))`, summed as the equation is written.

    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.claims.bellman import backup
    >>> backup(pg.MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [1.0, 0.0], 0.5, 0), np.array([4.0, 0.0]))
    array([[2.],
           [0.]])
    """
    S, A = mdp.n_states, mdp.n_actions
    if scipy.sparse.issparse(mdp.P):
        return expected_rewards(mdp) + (mdp.P @ V).reshape(S, A) * mdp.gamma
    R = mdp.R.reshape(mdp.R.shape + (1,) * (3 - mdp.R.ndim))
    target = R + V * mdp.gamma
    if mdp.arithmetic.exact:
        return (mdp.P * target).sum(axis=-1)
    return np.einsum("sat,sat->sa", mdp.P, np.broadcast_to(target, mdp.P.shape))


def expected_rewards(mdp):
    """(S, A): the reward of a sparse model averaged over what follows, from its stored entries."""
    S, A = mdp.n_states, mdp.n_actions
    if scipy.sparse.issparse(mdp.R):
        return np.asarray((mdp.P * mdp.R).sum(axis=1)).reshape(S, A)
    R = mdp.R.reshape(mdp.R.shape + (1,) * (2 - mdp.R.ndim))
    return np.broadcast_to(R, (S, A))


def equations(problem) -> list[Equation]:
    """V = sum_a pi Q and Q = sum P (R + gamma V), against series; and the residual of the solve."""
    solution, scale = problem.solution, problem.value_scale
    size = 0.0 if problem.arithmetic.symbolic else scale
    V_off, Q_off, rounding = problem.certified("V"), problem.certified("Q"), _sums(problem)
    residual = Equation("Bellman residual of V", "given", solution.r_pi + (solution.P_pi @ solution.V) * problem.gamma, scale,
                        lhs=solution.V, size=size, certified=2 * V_off + rounding)
    if problem.kind == "density":
        return [Equation("V = integral of pi Q", "V", problem.mean_Q, scale, size=size), residual]
    return [
        Equation("V = sum_a pi Q", "V", (problem.pi * solution.Q).sum(axis=-1), scale, size=size, certified=Q_off + rounding),
        Equation("Q = sum P (R + gamma V)", "Q", backup(solution.mdp, solution.V), problem.action_value_scale, size=size,
                 certified=V_off + rounding),
        residual,
    ]


def _sums(problem) -> float:
    """What adding up a right side loses: sums over S and A of terms no larger than the rewards and the values."""
    if problem.kind != "finite" or problem.exact:
        return 0.0
    terms = problem.mdp.n_states + problem.mdp.n_actions + 8
    return 4 * EPS * terms * (problem.value_scale + float(problem.mdp.r_max) + float(np.abs(problem.solution.Q).max()))


CLAIM = Claim(
    slug="bellman",
    title="Bellman equations of a policy",
    statement=r"V^\pi(s) = \sum_a \pi(a|s)\, Q^\pi(s,a), \qquad "
              r"Q^\pi(s,a) = \sum_{s'} P(s'|s,a) \left( R(s,a,s') + \gamma V^\pi(s') \right)",
    hypotheses=("finite states and actions",
                "gamma < 1, or gamma = 1 and every state reaches a terminal state under the policy"),
    source="Bellman 1957; Sutton & Barto 2018, equation 3.14; Puterman 1994, theorem 6.1.1",
    equations=equations,
    main=2,
    kinds=("finite", "density"),
)
