r"""The recursion put into itself, k times: every substitution is a line of its own."""

from __future__ import annotations

from ..claims.unrolling import CLAIM, unrolled
from .common import STATE_LAWS, gradient, unit, vanishing_remainder
from .line import Line


def substitution(t: int) -> Line:
    """The remainder after t steps: the recursion put in for grad V(x)."""
    def right(setting):
        term = (setting.state_laws(t)[t] @ setting.source) * setting.discounts(t + 1)[t]
        return term + setting.remainder(t + 1)

    return Line(
        f"Substitution {t + 1}: the remainder after {t} step{'s' * (t != 1)}",
        rf"\gamma^{{{t}}} \sum_x \Pr(s \to x, {t}, \pi) \nabla V^\pi(x) "
        rf"= \gamma^{{{t}}} \sum_x \Pr(s \to x, {t}, \pi) \phi(x) "
        rf"+ \gamma^{{{t + 1}}} \sum_x \Pr(s \to x, {t + 1}, \pi) \nabla V^\pi(x)",
        "the recursion at x, averaged over the law of the state at time t" if t else
        "the recursion itself: with 0 steps the law sits on s; phi(x) is short for sum_a grad pi(a|x) Q(x,a)",
        lambda it: it.remainder(t), right, ("s", "theta"), gradient)


def lines(setting) -> list[Line]:
    """The state laws and how they compose, one substitution a step, their sum, and the remainder."""
    return [
        STATE_LAWS,
        Line("One more step (Chapman-Kolmogorov)",
             r"\Pr(s \to x, k+1, \pi) = \sum_y \Pr(s \to y, k, \pi) \sum_a \pi(a|y) P(x|y,a)",
             "split the walk at its last step; the left side splits it at its first",
             lambda it: it.P_pi @ it.state_laws(it.k)[-1],
             lambda it: ((it.state_laws(it.k)[-1] @ (it.P * it.pi[:, :, None]).reshape(
                 it.S, -1)).reshape(it.S, it.A, it.S)).sum(axis=1), ("s", "x"), unit),
        *(substitution(t) for t in range(setting.k)),
        Line("Unrolled k times", CLAIM.statement,
             "add up the substitutions: all remainders but the last cancel (induction on k); the right side is the claim's "
             "code",
             lambda it: it.grad("V"),
             lambda it: unrolled(it.problem, it.k, it.grad("V").value), ("s", "theta"), gradient),
        vanishing_remainder(setting),
    ]
