r"""The Bellman equations of a policy: V from Q, and Q from V."""

from __future__ import annotations

import numpy as np
import scipy.sparse

from .equation import Claim, Equation


def backup(mdp, V):
    r"""(S, A): :math:`\sum_{s'} P(s'|s,a)\,(R(s,a,s') + \gamma V(s'))`, summed as the equation is written.

    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.claims.bellman import backup
    >>> backup(pg.MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [1.0, 0.0], 0.5, 0), np.array([4.0, 0.0]))
    array([[2.],
           [0.]])
    """
    if scipy.sparse.issparse(mdp.P) or mdp.R.ndim < 3:
        return mdp.r + mdp.kernel.expect(V) * mdp.gamma
    target = mdp.R + V * mdp.gamma
    if mdp.arithmetic.exact:
        return (mdp.P * target).sum(axis=-1)
    return np.einsum("sat,sat->sa", mdp.P, target)


def equations(problem) -> list[Equation]:
    """V = sum_a pi Q and Q = sum P (R + gamma V), against series; and the residual of the solve."""
    solution, scale = problem.solution, problem.value_scale
    residual = Equation("Bellman residual of V", "given", solution.r_pi + (solution.P_pi @ solution.V) * problem.gamma, scale,
                        lhs=solution.V)
    if problem.kind == "density":
        return [Equation("V = integral of pi Q", "V", problem.mean_Q, scale), residual]
    return [
        Equation("V = sum_a pi Q", "V", (problem.pi * solution.Q).sum(axis=-1), scale),
        Equation("Q = sum P (R + gamma V)", "Q", backup(solution.mdp, solution.V), scale),
        residual,
    ]


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
