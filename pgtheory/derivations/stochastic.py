r"""The stochastic policy gradient theorem: start distribution, unrolling, exchange of sums, limit, normalisation, score."""

from __future__ import annotations

import numpy as np

from ..claims import stochastic
from .common import gradient
from .line import AT_MOST, Line
from .occupancy import partial_visits
from .setting import Setting

CLAIM = stochastic.CLAIM


def _state_by_state(setting):
    """(n,) sum_s rho(s) sum_{t<k} gamma^t sum_x Pr(s -> x, t, pi) phi(x), state by state, step by step."""
    total = setting.arithmetic.zeros(setting.source.shape[1])
    laws, discounts, rho = setting.state_laws(setting.k), setting.discounts(setting.k), setting.problem.rho
    for s in range(setting.S):
        for t in range(setting.k):
            total = total + (laws[t, s] @ setting.source) * (rho[s] * discounts[t])
    return total


def _by_visits(setting, visits):
    return visits @ setting.source


def _start_remainder(setting):
    return setting.problem.rho @ setting.remainder(setting.k)


def lines(setting) -> list[Line]:
    """From grad J to the theorem in both forms."""
    found = [
        Line("From J to V", r"\nabla J = \sum_s \rho(s) \nabla V^\pi(s)",
             "rho does not depend on theta; on the left J = sum_x d(x) r_pi(x), so that V takes no part",
             lambda it: it.grad("J"), lambda it: it.problem.rho @ it.grad("V").value,
             ("theta",), gradient),
        Line("Unroll k times",
             r"\nabla J = \sum_s \rho(s) \sum_{t<k} \gamma^t \sum_x \Pr(s \to x, t, \pi) \phi(x) "
             r"+ \gamma^k \sum_s \rho(s) \sum_x \Pr(s \to x, k, \pi) \nabla V^\pi(x)",
             "the claim unrolling, averaged over the start; phi(x) is short for sum_a grad pi(a|x) Q(x,a)",
             lambda it: it.grad("J"), lambda it: _state_by_state(it) + _start_remainder(it),
             ("theta",), gradient),
        Line("Exchange the sums",
             r"\sum_s \rho(s) \sum_{t<k} \gamma^t \sum_x \Pr(s \to x, t, \pi) \phi(x) = \sum_x d_k(x) \phi(x), \qquad "
             r"d_k(x) := \sum_{t<k} \gamma^t \Pr(s_0 \to x, t, \pi)",
             "finite sums, in another order",
             _state_by_state, lambda it: _by_visits(it, partial_visits(it, it.k)), ("theta",), gradient),
        Line("What the first k terms leave out",
             r"\sum_x d^\pi(x) \phi(x) - \sum_x d_k(x) \phi(x) "
             r"= \gamma^k \sum_s \rho(s) \sum_x \Pr(s \to x, k, \pi) \nabla V^\pi(x)",
             "d - d_k is the discounted law of the state at time k, carried on by the resolvent (claim occupancy), and the "
             "resolvent of phi is grad V (claim recursion)",
             lambda it: _by_visits(it, it.solution.d - partial_visits(it, it.k)),
             _start_remainder, ("theta",), gradient),
        _limit(setting),
        Line("The theorem with d", r"\nabla J = \sum_x d^\pi(x) \sum_a \nabla\pi(a|x) Q^\pi(x,a)",
             "unroll, exchange, and let k grow: both remainders are the same and vanish",
             lambda it: it.grad("J"),
             lambda it: ((it.jacobian * it.solution.Q[:, :, None]).sum(axis=1)
                              * it.solution.d[:, None]).sum(axis=0), ("theta",), gradient),
    ]
    if setting.gamma != 1:
        found.append(Line(
            "Normalise", r"\nabla J = \frac{1}{1-\gamma} \sum_s D^\pi(s) \sum_a \nabla\pi(a|s) Q^\pi(s,a)",
            "d = D / (1 - gamma), and D is a distribution; the right side is the claim's code",
            lambda it: it.grad("J"),
            lambda it: it.problem.along(stochastic.gradient_form(it.problem)), ("theta",), gradient))
    if not np.any(setting.pi == 0):
        found += _log_form(setting)
    return found


def _limit(setting):
    if setting.gamma == 1:
        rate, because = r"\max_y \Pr(y \text{ has not ended after } k)", "terminal states have grad V = 0, and episodes end"
    else:
        rate, because = r"\gamma^k", "rho and the laws are not negative and sum to 1, and gamma^k tends to 0"
    return Line(
        "The remainder vanishes",
        r"\left| \gamma^k \sum_s \rho(s) \sum_x \Pr(s \to x, k, \pi) \nabla V^\pi(x) \right| "
        rf"\leq {rate} \max_x \left| \nabla V^\pi(x) \right|", because,
        lambda it: abs(_start_remainder(it)),
        lambda it: abs(it.grad("V").value).max(axis=0) * it.contraction(),
        ("theta",), gradient, AT_MOST)


def _log_form(setting):
    expectation = (r"\nabla J = \frac{1}{1-\gamma} \mathbb{E}_{s \sim D^\pi, a \sim \pi} "
                   r"\left[ Q^\pi(s,a) \nabla\log\pi(a|s) \right]")
    visited = r"\nabla J = \sum_s d^\pi(s) \sum_a \pi(a|s) Q^\pi(s,a) \nabla\log\pi(a|s)"
    return [
        Line("The derivative of the logarithm", r"\nabla\pi(a|s) = \pi(a|s) \nabla\log\pi(a|s)",
             "chain rule, where pi(a|s) > 0 (claim score-function)",
             lambda it: it.grad("pi"),
             lambda it: it.problem.along(it.problem.policy.score(it.problem.theta))
             * it.pi[:, :, None], ("s", "a", "theta"), Setting.slope_size),
        Line("The log form", visited if setting.gamma == 1 else expectation,
             "put it in: the sum over a is an expectation under pi; the right side is the claim's code",
             lambda it: it.grad("J"),
             lambda it: it.problem.along(stochastic.log_form(it.problem)), ("theta",), gradient),
    ]


def skipped(setting) -> list[tuple[str, str]]:
    """Why the normalised or the log form is left out."""
    out = []
    if setting.gamma == 1:
        out.append(("Normalise", "D does not exist at gamma = 1: d sums to the mean episode length"))
    if np.any(setting.pi == 0):
        out.append(("The log form", "some pi(a|s) is 0, where the logarithm has no derivative"))
    return out
