r"""The deterministic policy gradient theorem: start distribution, unrolling, exchange of sums, limit, normalisation."""

from __future__ import annotations

from ..claims.stochastic import gradient_form
from . import stochastic
from .common import gradient
from .deterministic_bellman import of_mu
from .deterministic_unrolling import PHI
from .line import Line


def lines(setting) -> list[Line]:
    """The lines of the stochastic theorem that do not speak of probabilities of actions; phi is the deterministic one."""
    to_V, unrolled, exchanged, left_out, limit, *_ = stochastic.lines(setting)
    found = [
        of_mu(to_V, because="rho does not depend on theta; on the left J = sum_x d(x) r(x,mu(x)), so that V takes no part"),
        of_mu(unrolled, because=f"the claim deterministic-unrolling, averaged over the start; {PHI}"),
        of_mu(exchanged),
        of_mu(left_out, because="d - d_k is the discounted law of the state at time k, carried on by the resolvent (claim "
                                "occupancy), and the resolvent of phi is grad V (claim deterministic-recursion)"),
        of_mu(limit),
        Line("The theorem with d",
             r"\nabla J = \sum_x d^\mu(x) \nabla\mu_\theta(x) \nabla_a Q^\mu(x,a) |_{a=\mu_\theta(x)}",
             "unroll, exchange, and let k grow: both remainders are the same and vanish",
             lambda it: it.grad("J"), lambda it: (it.source * it.solution.d[:, None]).sum(axis=0), ("theta",), gradient),
    ]
    if setting.gamma != 1:
        found.append(Line(
            "Normalise", r"\nabla J = \frac{1}{1-\gamma} \sum_s D^\mu(s) \nabla\mu_\theta(s) \nabla_a Q^\mu(s,a) "
            r"|_{a=\mu_\theta(s)} = \frac{1}{1-\gamma} \mathbb{E}_{s \sim D^\mu} "
            r"\left[ \nabla\mu_\theta(s) \nabla_a Q^\mu(s,a) |_{a=\mu_\theta(s)} \right]",
            "d = D / (1 - gamma), and D is a distribution; the right side is the claim's code",
            lambda it: it.grad("J"),
            lambda it: it.problem.along(gradient_form(it.problem)), ("theta",), gradient))
    return found


def skipped(setting) -> list[tuple[str, str]]:
    """Why the normalised form is left out at gamma = 1."""
    return [reason for reason in stochastic.skipped(setting) if reason[0] == "Normalise"]
