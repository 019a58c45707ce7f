"""Lines and scales that several derivations share."""

from __future__ import annotations

import numpy as np

from ..claims.equation import Claim
from .line import AT_MOST, Line
from .setting import Setting


def unit(setting: Setting) -> float:
    """Probabilities."""
    return 1.0


def value(setting: Setting) -> float:
    """V, Q and J before they cancel."""
    return setting.problem.value_scale


def gradient(setting: Setting) -> float:
    """Derivatives of V, Q and J before they cancel."""
    return setting.problem.gradient_scale


def visits(setting: Setting) -> float:
    """d, which sums to at most the conditioning."""
    return float(setting.problem.conditioning)


def claimed(claim: Claim, part: str):
    """The right side of an equation of the claim, as :mod:`pgtheory.claims` computes it."""
    def right(setting):
        equation = next(e for e in claim.equations(setting.problem) if e.part == part)
        return equation.right(setting.grad("V").value) if equation.recursive else equation.rhs
    return right


STATE_LAWS = Line(
    title="State laws by walking",
    statement=r"\Pr(s \to x, t, \pi) = \sum_{a_0, s_1, \ldots, a_{t-1}} \prod_{i=0}^{t-1} \pi(a_i|s_i) P(s_{i+1}|s_i, a_i) "
              r"= (P_\pi^t)[s, x]",
    because="a walk of t steps has the product of its probabilities; adding up over the actions and the states between is "
            "the t-th power of P_pi, whose entries are sum_a pi(a|s) P(s'|s,a)",
    left=Setting.walked_laws,
    right=lambda it: it.state_laws(len(it.walks) - 1),
    axes=("t", "s", "x"),
    scale=unit,
)


def vanishing_remainder(setting) -> Line:
    """The remainder of the unrolled gradient against its bound."""
    if setting.gamma == 1:
        statement = (r"\left| \sum_x \Pr(s \to x, k, \pi) \nabla V^\pi(x) \right| "
                     r"\leq \max_y \Pr(y \text{ has not ended after } k) \max_x \left| \nabla V^\pi(x) \right|")
        because = "terminal states have grad V = 0; the rest of the law has the mass that is still under way, and that "\
                  "vanishes as k grows, since every state terminates"
    else:
        statement = (r"\left| \gamma^k \sum_x \Pr(s \to x, k, \pi) \nabla V^\pi(x) \right| "
                     r"\leq \gamma^k \max_x \left| \nabla V^\pi(x) \right|")
        because = "the probabilities are not negative and sum to 1, and gamma^k tends to 0; this is the only limit of the "\
                  "proof, and no derivative stands under it"
    return Line(
        title="The remainder vanishes", statement=statement, because=because,
        left=lambda it: abs(it.remainder(it.k)),
        right=lambda it: np.broadcast_to(abs(it.grad("V").value).max(axis=0) * it.contraction(),
                                              it.grad("V").value.shape),
        axes=("s", "theta"), scale=gradient, relation=AT_MOST)
