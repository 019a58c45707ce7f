r"""The recursion unrolled k times, with its exact remainder."""

from __future__ import annotations

from .equation import Claim, Equation
from .recursion import certified, local_gradient, terms_size

STEPS = (1, 2, 3, 8)
SYMBOLIC_STEPS = (1, 2, 3)   # rational functions grow with every power of P_pi


def terms(problem, k: int):
    r"""k arrays (S, n): term t is :math:`\gamma^t \sum_x \Pr(s \to x, t, \pi) \sum_a \nabla\pi(a|x) Q(x,a)`.

    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.problems.finite import Problem
    >>> from pgtheory.claims.unrolling import terms
    >>> problem = Problem(pg.models.load("start-matters"), pg.SoftmaxPolicy(2, 2), np.zeros((2, 2)))
    >>> [term[0].round(4).tolist() for term in terms(problem, 2)]
    [[0.0455, -0.0455, 0.0, 0.0], [0.0205, -0.0205, 0.225, -0.225]]
    """
    P_pi = problem.solution.P_pi
    out: list = []
    for _ in range(k):
        out.append(local_gradient(problem) if not out else (P_pi @ out[-1]) * problem.gamma)
    return out


def unrolled(problem, k: int, grad_V):
    r"""(S, n): the k terms and the remainder :math:`\gamma^k \sum_x \Pr(s \to x, k, \pi) \nabla V(x)`.

    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.problems.finite import Problem
    >>> from pgtheory.claims.unrolling import unrolled
    >>> problem = Problem(pg.models.load("start-matters"), pg.SoftmaxPolicy(2, 2), np.zeros((2, 2)))
    >>> unrolled(problem, 0, np.ones((2, 4)))[0]
    array([1., 1., 1., 1.])
    """
    total = grad_V
    for _ in range(k):
        total = (problem.solution.P_pi @ total) * problem.gamma
    for term in terms(problem, k):
        total = total + term
    return total


def equations(problem) -> list[Equation]:
    """The unrolling for several k, every start state at once, with the remainder in the gradient itself."""
    steps = SYMBOLIC_STEPS if problem.arithmetic.symbolic else STEPS
    size, (one_step, _) = terms_size(problem), certified(problem)   # no factor of a term is larger than 1
    return [Equation(f"k = {k}", "grad V", lambda grad_V, k=k: unrolled(problem, k, grad_V), problem.gradient_scale,
                     size=size, certified=2 * k * one_step)
            for k in steps]


CLAIM = Claim(
    slug="unrolling",
    title="The recursion unrolled, with its remainder",
    statement=r"\nabla V^\pi(s) = \sum_{t=0}^{k-1} \gamma^t \sum_x \Pr(s \to x, t, \pi) \sum_a \nabla\pi(a|x)\, Q^\pi(x,a) "
              r"+ \gamma^k \sum_x \Pr(s \to x, k, \pi)\, \nabla V^\pi(x)",
    hypotheses=("those of the recursion", "every k >= 0; the remainder vanishes as k grows where gamma < 1"),
    source="Sutton, McAllester, Singh & Mansour 2000, proof of theorem 1",
    equations=equations,
    main=2,
    kinds=("finite", "density"),
)
