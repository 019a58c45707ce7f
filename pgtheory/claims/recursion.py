r"""The one-step recursion of the gradient: what differentiating the Bellman equation gives."""

from __future__ import annotations

import numpy as np

from .equation import Claim, Equation


def local_gradient(problem):
    r"""(S, n): :math:`\sum_a \nabla\pi(a|s) Q(s,a)`, the gradient's source in each state, along the problem's directions.

    With a deterministic policy it is :math:`\nabla\mu(s) \nabla_a Q(s,a)` at a = mu(s): the weights are the slope of Q in
    what the policy hands out.
    """
    if "source" not in problem.memory:
        problem.memory["source"] = _source(problem)
    return problem.memory["source"]


def _source(problem):
    policy, theta, weights = problem.policy, problem.theta, problem.weights
    if getattr(policy, "tabular", False) and not problem.complete:
        rows = policy.pullback(theta, weights)   # row s of theta moves pi in state s alone: no (S, S, A) array is needed
        return np.einsum("sa,nsa->sn", rows, problem.directions)
    return problem.along(policy.state_pullback(theta, weights))


def solution(problem):
    """(S, n): the resolvent of the source, grad V by linear algebra."""
    if "solved" not in problem.memory:
        problem.memory["solved"] = problem.solution.resolvent(local_gradient(problem))
    return problem.memory["solved"]


def certified(problem) -> tuple[float, float]:
    """Bounds on the errors of both right sides: of one step, rounding what it is given; and of the recursion solved."""
    if "certified recursion" not in problem.memory:
        problem.memory["certified recursion"] = problem.certified_recursion(local_gradient(problem), solution(problem))
    return problem.memory["certified recursion"]


def terms_size(problem, start=None) -> float:
    """What gradients are made of before states cancel: max of (I - gamma P_pi)^-1 |source|, or of its mean over the start."""
    if problem.arithmetic.symbolic:
        return 0.0
    spread = problem.solution.resolvent(abs(local_gradient(problem)))
    return float(np.max(spread if start is None else start @ spread, initial=0.0))


def equations(problem) -> list[Equation]:
    """grad V = source + gamma P_pi grad V, for every start state at once; and its solution by the resolvent."""
    source, P_pi, gamma = local_gradient(problem), problem.solution.P_pi, problem.gamma
    scale, size = problem.gradient_scale, terms_size(problem)
    one_step, solved = certified(problem)
    return [
        Equation("one step", "grad V", lambda grad_V: source + (P_pi @ grad_V) * gamma, scale, size=size, certified=one_step),
        Equation("solved", "grad V", solution(problem), scale, size=size, certified=solved),
    ]


CLAIM = Claim(
    slug="recursion",
    title="One-step recursion of the policy gradient",
    statement=r"\nabla V^\pi(s) = \sum_a \nabla\pi(a|s)\, Q^\pi(s,a) "
              r"+ \gamma \sum_a \pi(a|s) \sum_{s'} P(s'|s,a)\, \nabla V^\pi(s')",
    hypotheses=("finite states and actions", "the policy is differentiable in theta",
                "gamma < 1, or gamma = 1 and every state reaches a terminal state under the policy"),
    source="Sutton, McAllester, Singh & Mansour 2000, proof of theorem 1",
    equations=equations,
    kinds=("finite", "density"),
)
