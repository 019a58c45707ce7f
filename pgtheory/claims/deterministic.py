r"""The deterministic policy gradient theorem."""

from __future__ import annotations

from .deterministic_horizon import ending
from .equation import Claim, Equation
from .recursion import terms_size
from .stochastic import gradient_form

STEPS = 3   # of the problem that ends


def equations(problem) -> list[Equation]:
    r"""grad J, with the constant 1/(1 - gamma) and the normalised D.

    The theorem side is that of the stochastic theorem: :math:`\frac{1}{1-\gamma} \sum_s D(s)` times the slope of Q in what
    the policy hands out, pulled back to theta. Here the policy hands out an action, and the slope is grad_a Q. The second
    equation is its form for a problem that ends.
    """
    gradient = gradient_form(problem)
    return [Equation("grad mu grad_a Q", "grad J", problem.along(gradient), problem.gradient_scale,
                     size=terms_size(problem, problem.rho), certified=problem.certified_gradient(gradient)), ending(problem, STEPS)]


CLAIM = Claim(
    slug="deterministic",
    title="Deterministic policy gradient theorem",
    statement=r"\nabla_\theta J(\theta) = \frac{1}{1-\gamma}\, \mathbb{E}_{s \sim D^\mu} "
              r"\left[ \nabla_\theta \mu_\theta(s)\, \nabla_a Q^\mu(s,a) \big|_{a=\mu_\theta(s)} \right]",
    hypotheses=("finite states, actions in R^k", "mu_theta(s) is differentiable in theta",
                "P(s'|s,a) and r(s,a) are differentiable in a at mu_theta(s)",
                "gamma < 1; at gamma = 1 every state reaches a terminal state, and d replaces D/(1 - gamma)"),
    source="Silver, Lever, Heess, Degris, Wierstra & Riedmiller 2014, theorem 1",
    equations=equations,
    kinds=("deterministic",),
)
