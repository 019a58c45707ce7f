r"""The stochastic policy gradient theorem, in the grad-pi form and in the log form."""

from __future__ import annotations

from .equation import Claim, Equation
from .recursion import terms_size
from .score_function import has_scores, without_scores


def gradient_form(problem):
    r"""theta's shape: :math:`\frac{1}{1-\gamma} \sum_s D(s) \sum_a \nabla\pi(a|s) Q(s,a)` (d in place of D/(1-gamma) at 1)."""
    visits, constant = _weighting(problem)
    return problem.policy.pullback(problem.theta, visits[:, None] * problem.weights) * constant


def log_form(problem):
    r"""theta's shape: :math:`\frac{1}{1-\gamma} E_{s \sim D, a \sim \pi}[Q(s,a) \nabla\log\pi(a|s)]`."""
    visits, constant = _weighting(problem)
    weights = visits[:, None] * problem.pi * problem.solution.Q
    return problem.policy.score_pullback(problem.theta, weights) * constant


def _weighting(problem):
    """(D, 1/(1 - gamma)), or (d, 1) at gamma = 1, where D does not exist."""
    one = problem.arithmetic.number(1)
    if problem.gamma == 1:
        return problem.solution.d, one
    return problem.solution.D, one / (1 - problem.gamma)


def equations(problem) -> list[Equation]:
    """grad J in both forms; the log form only where every pi(a|s) > 0."""
    scale, size = problem.gradient_scale, terms_size(problem, problem.rho)

    def form(name, gradient, **keywords):
        return Equation(name, "grad J", problem.along(gradient), scale, size=size,
                        certified=problem.certified_gradient(gradient), **keywords)

    if problem.kind == "density":
        return [form("log form", gradient_form(problem))]
    has_log = has_scores(problem)
    found = [form("grad-pi form", gradient_form(problem), simulate=not has_log)]
    return [*found, form("log form", log_form(problem))] if has_log else found


CLAIM = Claim(
    slug="stochastic",
    title="Stochastic policy gradient theorem",
    statement=r"\nabla J(\theta) = \frac{1}{1-\gamma} \sum_s D^\pi(s) \sum_a \nabla\pi_\theta(a|s)\, Q^\pi(s,a) "
              r"= \frac{1}{1-\gamma}\, \mathbb{E}_{s \sim D^\pi,\, a \sim \pi_\theta} "
              r"\left[ Q^\pi(s,a)\, \nabla \log \pi_\theta(a|s) \right]",
    hypotheses=("finite states and actions", "the policy is differentiable in theta", "the log form needs pi(a|s) > 0",
                "gamma < 1; at gamma = 1 every state reaches a terminal state, and d replaces D/(1 - gamma)"),
    source="Sutton, McAllester, Singh & Mansour 2000, theorem 1 (with unnormalised d)",
    equations=equations,
    omitted=without_scores,
    kinds=("finite", "density"),
)
