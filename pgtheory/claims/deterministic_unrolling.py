r"""The deterministic recursion unrolled k times, with its exact remainder."""

from __future__ import annotations

from . import unrolling
from .equation import Claim

CLAIM = Claim(
    slug="deterministic-unrolling",
    title="The deterministic recursion unrolled, with its remainder",
    statement=r"\nabla_\theta V^\mu(s) = \sum_{t=0}^{k-1} \gamma^t \sum_x \Pr(s \to x, t, \mu)\, \nabla_\theta \mu_\theta(x)\, "
              r"\nabla_a Q^\mu(x,a) \big|_{a=\mu_\theta(x)} "
              r"+ \gamma^k \sum_x \Pr(s \to x, k, \mu)\, \nabla_\theta V^\mu(x)",
    hypotheses=("those of the deterministic recursion", "every k >= 0; the remainder vanishes as k grows where gamma < 1"),
    source="Silver, Lever, Heess, Degris, Wierstra & Riedmiller 2014, proof of theorem 1",
    equations=unrolling.equations,
    main=2,
    kinds=("deterministic",),
)
