r"""The discounted state distribution: the series, its tail, its sum, and the distribution D."""

from __future__ import annotations

from ..claims.occupancy import CLAIM
from .common import STATE_LAWS, claimed, unit, value, visits
from .line import AT_MOST, Line


def partial_visits(setting, k: int):
    """(S,) d_k(x) = sum_{t<k} gamma^t Pr(s_0 -> x, t, pi), s_0 drawn from rho, outside terminal states at gamma = 1."""
    laws = setting.state_laws(k)[:k]
    discounted = (setting.start @ laws) * setting.discounts(k)[:, None]
    return discounted.sum(axis=0) * setting.alive


def _tail(setting):
    return setting.start @ setting.power(setting.k) @ _resolvent(setting)


def _resolvent(setting):
    return setting.solution.resolvent(setting.power(0))


def lines(setting) -> list[Line]:
    """The laws, the series with its exact tail, the flow equation, the sum; D; and J in terms of d."""
    return [
        STATE_LAWS,
        Line("Each law is a distribution", r"\sum_x \Pr(s \to x, t, \pi) = 1",
             "every walk ends somewhere: the rows of P_pi sum to 1, so those of its powers do",
             lambda it: it.state_laws(it.k).sum(axis=2),
             lambda it: it.filled((it.k + 1, it.S), 1), ("t", "s"), unit),
        Line("What the first k terms leave out",
             r"d^\pi(x) - \sum_{t<k} \gamma^t \Pr(s_0 \to x, t, \pi) "
             r"= \left( \rho^\top (\gamma P_\pi)^k (I - \gamma P_\pi)^{-1} \right)(x)",
             "multiply out: the sum of the first k powers times I - gamma P_pi is I - (gamma P_pi)^k",
             lambda it: it.solution.d - partial_visits(it, it.k), _tail, ("x",), visits),
        *(_ending(setting) if setting.gamma == 1 else _discounted()),
        Line("Visits weigh rewards", r"J = \sum_s \rho(s) V^\pi(s) = \sum_x d^\pi(x) r_\pi(x)",
             "both are rho^T (I - gamma P_pi)^{-1} r_pi, solved from the right or from the left",
             lambda it: (it.problem.rho * it.solution.V).sum(keepdims=True),
             lambda it: (it.solution.d * it.r_pi).sum(keepdims=True), (), value),
    ]


def _discounted():
    """What holds for gamma < 1 only."""
    return [
        Line("The series converges", r"\sum_x \left( d^\pi(x) - \sum_{t<k} \gamma^t \Pr(s_0 \to x, t, \pi) \right) "
             r"= \frac{\gamma^k}{1-\gamma}",
             "each law sums to 1, so the tail is the geometric series from k on, which tends to 0",
             lambda it: (it.solution.d - partial_visits(it, it.k)).sum(keepdims=True),
             lambda it: it.discounts(it.k + 1)[-1:] / (it.number(1) - it.gamma), (), visits),
        Line("Flow", r"d^\pi(x) = \rho(x) + \gamma \sum_y d^\pi(y) \sum_a \pi(a|y) P(x|y,a)",
             "the term t = 0 is rho, the others are one step after the term before; the right side is the claim's code",
             lambda it: it.solution.d, claimed(CLAIM, "flow: d = rho + gamma P_pi^T d"), ("x",), visits),
        Line("The sum of d", r"\sum_x d^\pi(x) = \frac{1}{1-\gamma}",
             "sum the flow over x: the sum is 1 plus gamma times itself",
             lambda it: it.solution.d.sum(keepdims=True),
             lambda it: it.filled(1, 1) / (it.number(1) - it.gamma), (), visits),
        Line("D is not negative", r"0 \leq D^\pi(x) = (1-\gamma) d^\pi(x)", "every term of the series is at least 0",
             lambda it: it.filled(it.S, 0), lambda it: it.solution.D, ("x",), unit, AT_MOST),
        Line("D sums to 1", r"\sum_x D^\pi(x) = 1", "by the sum of d",
             lambda it: it.solution.D.sum(keepdims=True), lambda it: it.filled(1, 1), (), unit),
        Line("D is the law at a geometric time", r"D^\pi(x) = (1-\gamma) \rho(x) + \gamma \sum_y D^\pi(y) P_\pi(y, x)",
             "stop before each step with probability 1 - gamma: either at once, in a state drawn from rho, or later",
             lambda it: it.solution.D,
             lambda it: it.problem.rho * (it.number(1) - it.gamma)
             + (it.solution.D @ it.P_pi) * it.gamma, ("x",), unit),
    ]


def _ending(setting):
    """What takes its place at gamma = 1, where every episode ends."""
    return [
        Line("The series converges", r"\sum_x \left( d^\pi(x) - \sum_{t<k} \Pr(s_0 \to x, t, \pi) \right) "
             r"\leq \max_y \Pr(y \text{ has not ended after } k) \sum_x d^\pi(x)",
             "episodes end, so the mass that is still under way vanishes; d counts states that are not terminal",
             lambda it: (it.solution.d - partial_visits(it, it.k)).sum(keepdims=True),
             lambda it: it.solution.d.sum(keepdims=True) * it.contraction(), (), visits, AT_MOST),
        Line("Flow", r"d^\pi(x) = \rho(x) + \sum_y d^\pi(y) \sum_a \pi(a|y) P(x|y,a), \qquad x \text{ not terminal}",
             "the term t = 0 is rho, the others are one step after the term before; the right side is the claim's code",
             lambda it: it.solution.d[it.alive], claimed(CLAIM, "flow: d = rho + P_pi^T d"), ("x",), visits),
        Line("The sum of d is the mean episode length",
             r"\sum_x d^\pi(x) = \sum_s \rho(s) L(s), \qquad L = (I - P_\pi)^{-1} 1",
             "d counts the steps before the end, one by one; L solves L = 1 + P_pi L on the states that are not terminal",
             lambda it: it.solution.d.sum(keepdims=True),
             lambda it: (it.start * it.solution.resolvent(it.filled(it.S, 1))).sum(keepdims=True),
             (), visits),
    ]
