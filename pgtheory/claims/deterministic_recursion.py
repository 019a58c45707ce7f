r"""The one-step recursion of the gradient under a deterministic policy: the chain rule through the action."""

from __future__ import annotations

from . import recursion
from .equation import Claim

CLAIM = Claim(
    slug="deterministic-recursion",
    title="One-step recursion of the deterministic policy gradient",
    statement=r"\nabla_\theta V^\mu(s) = \nabla_\theta \mu_\theta(s)\, \nabla_a Q^\mu(s,a) \big|_{a=\mu_\theta(s)} "
              r"+ \gamma \sum_{s'} P(s'|s, \mu_\theta(s))\, \nabla_\theta V^\mu(s')",
    hypotheses=("finite states, actions in R^k", "mu_theta(s) is differentiable in theta",
                "P(s'|s,a) and r(s,a) are differentiable in a at mu_theta(s)",
                "gamma < 1, or gamma = 1 and every state reaches a terminal state under the policy"),
    source="Silver, Lever, Heess, Degris, Wierstra & Riedmiller 2014, proof of theorem 1",
    equations=recursion.equations,
    kinds=("deterministic",),
)
