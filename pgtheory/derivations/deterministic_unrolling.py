r"""The deterministic recursion put into itself, k times."""

from __future__ import annotations

from ..claims.deterministic_unrolling import CLAIM
from . import unrolling
from .deterministic_bellman import of_mu
from .line import Line

PHI = r"phi(x) is short for grad mu(x) grad_a Q(x,a) at a = mu(x)"


def lines(setting) -> list[Line]:
    """The lines of the stochastic unrolling, with one action a state."""
    walking, composed, first, *others = unrolling.lines(setting)
    unrolled, remainder = others.pop(-2), others.pop()
    return [
        of_mu(walking, statement=r"\Pr(s \to x, t, \mu) = \sum_{s_1, \ldots, s_{t-1}} \prod_{i=0}^{t-1} "
                                 r"P(s_{i+1}|s_i, \mu(s_i)) = (P_\mu^t)[s, x]",
              because="a walk of t steps has the product of its probabilities; adding up over the states between is the t-th "
                      "power of P_mu, whose entries are P(s'|s, mu(s))"),
        of_mu(composed, statement=r"\Pr(s \to x, k+1, \mu) = \sum_y \Pr(s \to y, k, \mu) P(x|y,\mu(y))"),
        of_mu(first, because=f"the recursion itself: with 0 steps the law sits on s; {PHI}"),
        *(of_mu(line) for line in others),
        of_mu(unrolled, statement=CLAIM.statement),
        of_mu(remainder),
    ]
