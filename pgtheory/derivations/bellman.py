r"""Bellman equations: V is a sum over time, its first step splits off, and the linear system has one solution."""

from __future__ import annotations

import numpy as np

from ..arithmetic import plus_identity
from ..claims.bellman import CLAIM, backup
from .common import unit, value, visits
from .line import AT_MOST, Line


def _shorter_sum(setting):
    """(S,) the sum of k - 1 steps, backed up once by the definition: over actions and next states, with R(s, a, s')."""
    V = setting.partial_values(setting.k - 1)[-1]
    return ((setting.P * (setting.R + V * setting.gamma)).sum(axis=2) * setting.pi).sum(axis=1)


def _tail_bound(setting):
    return setting.filled(setting.S, 1) * (abs(setting.solution.V).max() * setting.contraction())


def lines(setting) -> list[Line]:
    """Walks, first step, remainder, limit, the two equations, and that nothing else solves them."""
    k, ended = setting.k, setting.gamma == 1
    rate = r"\max_y \Pr(y \text{ has not ended after } k)" if ended else r"\gamma^k"
    return [
        Line("Expected reward by walking",
             r"V_t(s) := \mathbb{E} \left[ \sum_{i<t} \gamma^i r_i \mid s_0 = s \right] = \sum_{i<t} \gamma^i (P_\pi^i r_\pi)(s)",
             "expectation is linear, and the reward of step i has the mean r_pi of the state, whose law is P_pi^i",
             lambda setting: setting.walked_values(),
             lambda setting: setting.partial_values(len(setting.walks) - 1), ("t", "s"), value),
        Line("The first step splits off",
             r"V_k(s) = \sum_a \pi(a|s) \sum_{s'} P(s'|s,a) \left( R(s,a,s') + \gamma V_{k-1}(s') \right)",
             "given a and s', the steps after the first are a sum of k - 1 steps from s' (Markov property)",
             lambda setting: setting.partial_values(setting.k)[-1], _shorter_sum, ("s",), value),
        Line(f"What k = {k} steps leave out",
             r"V^\pi(s) - V_k(s) = \gamma^k \sum_x \Pr(s \to x, k, \pi) V^\pi(x)",
             "the terms from k on are the value of the state reached, discounted by gamma^k",
             lambda setting: setting.solution.V - setting.partial_values(setting.k)[-1],
             lambda setting: (setting.state_laws(setting.k)[-1] @ setting.solution.V) * setting.discounts(setting.k + 1)[-1],
             ("s",), value),
        Line("The sums converge",
             rf"\left| V^\pi(s) - V_k(s) \right| \leq {rate} \max_x \left| V^\pi(x) \right|",
             "episodes end, so the mass under way vanishes" if ended else "probabilities sum to 1, and gamma^k tends to 0",
             lambda setting: abs(setting.solution.V - setting.partial_values(setting.k)[-1]), _tail_bound,
             ("s",), value, AT_MOST),
        Line("V from Q", r"V^\pi(s) = \sum_a \pi(a|s) Q^\pi(s,a)",
             "the first split, let k grow; Q(s,a) is the return after a in s, computed as the value of the chain of pairs",
             lambda setting: setting.solution.V,
             lambda setting: (setting.pi * setting.Q_of_pairs.value).sum(axis=1), ("s",), _value_of_pairs),
        Line("Q from V", r"Q^\pi(s,a) = \sum_{s'} P(s'|s,a) \left( R(s,a,s') + \gamma V^\pi(s') \right)",
             "the same split after the first action is given; the right side is the library's own backup",
             lambda setting: setting.Q_of_pairs,
             lambda setting: backup(setting.solution.mdp, setting.solution.V), ("s", "a"), value),
        Line("No other solution", r"(I - \gamma P_\pi)^{-1} (I - \gamma P_\pi) = I",
             "the largest row sum of gamma P_pi (of a power of it at gamma = 1) is below 1, so the Neumann series inverts "
             "I - gamma P_pi, and V is its only solution",
             lambda setting: setting.solution.resolvent(_system(setting)),
             lambda setting: np.where(setting.alive[:, None], setting.power(0), setting.power(0) * 0), ("s", "x"),
             lambda setting: unit(setting) * visits(setting)),
    ]


def _value_of_pairs(setting):
    return value(setting) * setting.A


def _system(setting):
    return plus_identity(setting.step_matrix * -1)
