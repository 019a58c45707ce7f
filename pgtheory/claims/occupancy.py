r"""The discounted state distribution: what d is, what it sums to, and that D is a distribution."""

from __future__ import annotations

import numpy as np

from ..arithmetic import EPS
from .equation import Claim, Equation


def equations(problem) -> list[Equation]:
    """d against its series, the flow equation it solves, and its sum."""
    solution, rho = problem.solution, problem.rho
    d, scale = solution.d, float(problem.conditioning)
    flow = rho + (solution.P_pi.T @ d) * problem.gamma
    off = problem.certified("d")
    # a column of P_pi may sum to S; so many terms of the flow are rounded, none larger than the conditioning
    both = off + len(d) * (off + 4 * EPS * (len(d) + 8) * scale)
    if problem.gamma == 1:
        alive = ~problem.terminal
        return [Equation("d = sum_t Pr(s_t = s)", "d", d, scale, certified=off),
                Equation("flow: d = rho + P_pi^T d", "given", flow[alive], scale, lhs=d[alive], certified=both)]
    one = problem.arithmetic.number(1)
    constant = np.array([one / (1 - problem.gamma)], dtype=d.dtype)
    return [
        Equation("d = sum_t gamma^t Pr(s_t = s)", "d", d, scale, certified=off),
        Equation("flow: d = rho + gamma P_pi^T d", "given", flow, scale, lhs=d, certified=both),
        Equation("sum of d = 1/(1 - gamma)", "given", constant, scale, lhs=d.sum(keepdims=True)),
        Equation("D = (1 - gamma) d is a distribution", "given", _as_distribution(solution.D, one), 1.0, lhs=solution.D),
    ]


def _as_distribution(D, one):
    """The nearest thing to D that is non-negative and sums to 1: D itself, if the claim holds."""
    positive = np.where(D < 0, D * 0, D) if _ordered(D) else D
    return positive * (one / positive.sum())


def _ordered(D) -> bool:
    return D.dtype != object or all(hasattr(x, "numerator") and not hasattr(x, "numer") for x in D)


CLAIM = Claim(
    slug="occupancy",
    title="Discounted state distribution",
    statement=r"d^\pi(x) = \sum_{t=0}^{\infty} \gamma^t \Pr(s_0 \to x, t, \pi), \qquad "
              r"\sum_x d^\pi(x) = \frac{1}{1-\gamma}, \qquad D^\pi = (1-\gamma)\, d^\pi",
    hypotheses=("finite states and actions",
                "gamma < 1 for the sum and for D; at gamma = 1 every state reaches a terminal state, and d sums to the mean "
                "episode length"),
    source="Sutton et al. 2000, section 1 (unnormalised d); Agarwal, Kakade, Lee & Mahajan 2021, equation 4 (normalised D)",
    equations=equations,
    main=1,
    kinds=("finite", "deterministic", "density"),
)
