r"""The stochastic policy gradient theorem: start distribution, unrolling, exchange of sums, limit, normalisation, score."""

from __future__ import annotations

import numpy as np

from ..claims import stochastic
from .common import gradient, unit
from .line import AT_MOST, Line
from .occupancy import partial_visits

CLAIM = stochastic.CLAIM


def _state_by_state(setting):
    """(n,) sum_s rho(s) sum_{t<k} gamma^t sum_x Pr(s -> x, t, pi) phi(x), state by state, step by step."""
    total = setting.arithmetic.zeros(setting.source.shape[1])
    laws, discounts, rho = setting.state_laws(setting.k), setting.discounts(setting.k), setting.solution.mdp.rho
    for s in range(setting.S):
        for t in range(setting.k):
            total = total + (laws[t, s] @ setting.source) * (rho[s] * discounts[t])
    return total


def _by_visits(setting, visits):
    return visits @ setting.source


def _start_remainder(setting):
    return setting.solution.mdp.rho @ setting.remainder(setting.k)


def _log_derivative_left(setting):
    return setting.grad("pi")


def lines(setting) -> list[Line]:
    """From grad J to the theorem in both forms."""
    found = [
        Line("From J to V", r"\nabla J = \sum_s \rho(s) \nabla V^\pi(s)",
             "rho does not depend on theta; on the left J = sum_x d(x) r_pi(x), so that V takes no part",
             lambda setting: setting.grad("J"), lambda setting: setting.solution.mdp.rho @ setting.grad("V").value,
             ("theta",), gradient),
        Line(f"Unroll (k = {setting.k})",
             r"\nabla J = \sum_s \rho(s) \sum_{t<k} \gamma^t \sum_x \Pr(s \to x, t, \pi) \phi(x) "
             r"+ \gamma^k \sum_s \rho(s) \sum_x \Pr(s \to x, k, \pi) \nabla V^\pi(x)",
             "the claim unrolling, averaged over the start; phi(x) is short for sum_a grad pi(a|x) Q(x,a)",
             lambda setting: setting.grad("J"), lambda setting: _state_by_state(setting) + _start_remainder(setting),
             ("theta",), gradient),
        Line("Exchange the sums",
             r"\sum_s \rho(s) \sum_{t<k} \gamma^t \sum_x \Pr(s \to x, t, \pi) \phi(x) = \sum_x d_k(x) \phi(x), \qquad "
             r"d_k(x) := \sum_{t<k} \gamma^t \Pr(s_0 \to x, t, \pi)",
             "finite sums, in another order",
             _state_by_state, lambda setting: _by_visits(setting, partial_visits(setting, setting.k)), ("theta",), gradient),
        Line("What the first k terms leave out",
             r"\sum_x d^\pi(x) \phi(x) - \sum_x d_k(x) \phi(x) "
             r"= \gamma^k \sum_s \rho(s) \sum_x \Pr(s \to x, k, \pi) \nabla V^\pi(x)",
             "d - d_k is the discounted law of the state at time k, carried on by the resolvent (claim occupancy), and the "
             "resolvent of phi is grad V (claim recursion)",
             lambda setting: _by_visits(setting, setting.solution.d - partial_visits(setting, setting.k)),
             _start_remainder, ("theta",), gradient),
        _limit(setting),
        Line("The theorem with d", r"\nabla J = \sum_x d^\pi(x) \sum_a \nabla\pi(a|x) Q^\pi(x,a)",
             "unroll, exchange, and let k grow: both remainders are the same and vanish",
             lambda setting: setting.grad("J"),
             lambda setting: ((setting.jacobian * setting.solution.Q[:, :, None]).sum(axis=1)
                              * setting.solution.d[:, None]).sum(axis=0), ("theta",), gradient),
    ]
    if setting.gamma != 1:
        found.append(Line(
            "Normalise", r"\nabla J = \frac{1}{1-\gamma} \sum_s D^\pi(s) \sum_a \nabla\pi(a|s) Q^\pi(s,a)",
            "d = D / (1 - gamma), and D is a distribution; the right side is the claim's code",
            lambda setting: setting.grad("J"),
            lambda setting: setting.problem.along(stochastic.gradient_form(setting.problem)), ("theta",), gradient))
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
        lambda setting: abs(_start_remainder(setting)),
        lambda setting: abs(setting.grad("V").value).max(axis=0) * setting.contraction(),
        ("theta",), gradient, AT_MOST)


def _log_form(setting):
    expectation = r"\nabla J = \mathbb{E}_{s \sim D^\pi, a \sim \pi} \left[ Q^\pi(s,a) \nabla\log\pi(a|s) \right] / (1-\gamma)"
    visited = r"\nabla J = \sum_s d^\pi(s) \sum_a \pi(a|s) Q^\pi(s,a) \nabla\log\pi(a|s)"
    return [
        Line("The derivative of the logarithm", r"\nabla\pi(a|s) = \pi(a|s) \nabla\log\pi(a|s)",
             "chain rule, where pi(a|s) > 0 (claim score-function)",
             lambda setting: setting.grad("pi"),
             lambda setting: setting.problem.along(setting.problem.policy.score(setting.problem.theta))
             * setting.pi[:, :, None], ("s", "a", "theta"), lambda setting: max(setting.problem.slope_scale, unit(setting))),
        Line("The log form", visited if setting.gamma == 1 else expectation,
             "put it in: the sum over a is an expectation under pi; the right side is the claim's code",
             lambda setting: setting.grad("J"),
             lambda setting: setting.problem.along(stochastic.log_form(setting.problem)), ("theta",), gradient),
    ]


def skipped(setting) -> list[tuple[str, str]]:
    """Why the normalised or the log form is left out."""
    out = []
    if setting.gamma == 1:
        out.append(("Normalise", "D does not exist at gamma = 1: d sums to the mean episode length"))
    if np.any(setting.pi == 0):
        out.append(("The log form", "some pi(a|s) is 0, where the logarithm has no derivative"))
    return out
