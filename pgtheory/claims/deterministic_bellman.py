r"""The Bellman equation of a deterministic policy on continuous actions."""

from __future__ import annotations

from ..arithmetic import EPS
from .equation import Claim, Equation


def backup(problem, V):
    r"""(S,): :math:`r(s, \mu(s)) + \gamma \sum_{s'} P(s'|s,\mu(s)) V(s')`, summed as the equation is written.

    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.claims.deterministic_bellman import backup
    >>> from pgtheory.problems.continuous import problem_of
    >>> model = pg.ContinuousActionMDP(lambda s, a: np.ones(1), lambda s, a: 1 - a**2, 0.5, [1.0])
    >>> backup(problem_of(model, pg.DeterministicPolicy(features=[[1.0]]), [[0.5]]), np.array([4.0]))
    array([2.75])
    """
    P, R = problem.mdp.law(problem.solution.actions)
    r = (P * R).sum(axis=-1)
    return r + (P * V).sum(axis=-1) * problem.gamma


def equations(problem) -> list[Equation]:
    """V(s) = Q(s, mu(s)) against the series and the solve, and Q(s, mu(s)) spelled out."""
    solution, scale = problem.solution, problem.value_scale
    Q = solution.Q_at(solution.actions)
    size = 0.0 if problem.arithmetic.symbolic else scale
    V_off, Q_off = problem.certified("V"), problem.certified("Q")
    sums = 0.0 if problem.exact else 4 * EPS * (len(Q) + 8) * scale
    return [
        Equation("V = Q(s, mu(s))", "V", Q, scale, size=size, certified=Q_off),
        Equation("V = Q(s, mu(s)), solved", "given", Q, scale, lhs=solution.V, size=size, certified=V_off + Q_off),
        Equation("Q(s, mu(s)) = r + gamma sum P V", "given", backup(problem, solution.V), scale, lhs=Q, size=size,
                 certified=V_off + Q_off + sums),
    ]


CLAIM = Claim(
    slug="deterministic-bellman",
    title="Bellman equation of a deterministic policy",
    statement=r"V^\mu(s) = Q^\mu(s, \mu(s)) = r(s, \mu(s)) + \gamma \sum_{s'} P(s'|s, \mu(s))\, V^\mu(s'), \qquad "
              r"r(s,a) = \sum_{s'} P(s'|s,a)\, R(s,a,s')",
    hypotheses=("finite states, actions in R^k",
                "gamma < 1, or gamma = 1 and every state reaches a terminal state under the policy"),
    source="Bellman 1957; Silver et al. 2014, section 2.1",
    equations=equations,
    main=1,
    kinds=("deterministic",),
)
