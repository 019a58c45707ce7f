r"""Bellman equations: V is a sum over time, its first step splits off, and the linear system has one solution."""

from __future__ import annotations

import numpy as np

from ..arithmetic import plus_identity
from ..claims.bellman import backup
from .common import unit, value, visits
from .line import AT_MOST, Line
from .setting import Setting


def _shorter_sum(setting):
    """(S,) the sum of k - 1 steps, backed up once by the definition: over actions and next states, with R(s, a, s')."""
    V = setting.partial_values(setting.k - 1)[-1]
    return ((setting.P * (setting.R + V * setting.gamma)).sum(axis=2) * setting.pi).sum(axis=1)


def _tail_bound(setting):
    return setting.filled(setting.S, 1) * (abs(setting.solution.V).max() * setting.contraction())


def lines(setting) -> list[Line]:
    """Walks, first step, remainder, limit, the two equations, and that nothing else solves them."""
    ended = setting.gamma == 1
    rate = r"\max_y \Pr(y \text{ has not ended after } k)" if ended else r"\gamma^k"
    return [
        Line("Expected reward by walking",
             r"V_t(s) := \mathbb{E} \left[ \sum_{i<t} \gamma^i r_i \mid s_0 = s \right] "
             r"= \sum_{i<t} \gamma^i (P_\pi^i r_\pi)(s)",
             "expectation is linear, and the reward of step i has the mean r_pi of the state, whose law is P_pi^i",
             Setting.walked_values,
             lambda it: it.partial_values(len(it.walks) - 1), ("t", "s"), value),
        Line("The first step splits off",
             r"V_k(s) = \sum_a \pi(a|s) \sum_{s'} P(s'|s,a) \left( R(s,a,s') + \gamma V_{k-1}(s') \right)",
             "given a and s', the steps after the first are a sum of k - 1 steps from s' (Markov property)",
             lambda it: it.partial_values(it.k)[-1], _shorter_sum, ("s",), value),
        Line("What the first k steps leave out",
             r"V^\pi(s) - V_k(s) = \gamma^k \sum_x \Pr(s \to x, k, \pi) V^\pi(x)",
             "the terms from k on are the value of the state reached, discounted by gamma^k",
             lambda it: it.solution.V - it.partial_values(it.k)[-1],
             lambda it: (it.state_laws(it.k)[-1] @ it.solution.V) * it.discounts(it.k + 1)[-1],
             ("s",), value),
        Line("The sums converge",
             rf"\left| V^\pi(s) - V_k(s) \right| \leq {rate} \max_x \left| V^\pi(x) \right|",
             "episodes end, so the mass under way vanishes" if ended else "probabilities sum to 1, and gamma^k tends to 0",
             lambda it: abs(it.solution.V - it.partial_values(it.k)[-1]), _tail_bound,
             ("s",), value, AT_MOST),
        Line("Q from V", r"Q^\pi(s,a) = \sum_{s'} P(s'|s,a) \left( R(s,a,s') + \gamma V^\pi(s') \right)",
             "the first split after the first action is given, let k grow; on the left the value of the chain of pairs, on the "
             "right the library's own backup",
             lambda it: it.Q_of_pairs,
             lambda it: backup(it.solution.mdp, it.solution.V), ("s", "a"), value),
        Line("V from Q", r"V^\pi(s) = \sum_a \pi(a|s) Q^\pi(s,a)",
             "average over the first action; Q is the value of the chain of pairs",
             lambda it: it.solution.V,
             lambda it: (it.pi * it.Q_of_pairs.value).sum(axis=1), ("s",), _value_of_pairs),
        Line("No other solution", r"(I - \gamma P_\pi)^{-1} (I - \gamma P_\pi) = I",
             "the largest row sum of gamma P_pi (of a power of it at gamma = 1) is below 1, so the Neumann series inverts "
             "I - gamma P_pi, and V is its only solution",
             lambda it: it.solution.resolvent(_system(it)),
             lambda it: np.where(it.alive[:, None], it.power(0), it.power(0) * 0), ("s", "x"),
             lambda it: unit(it) * visits(it)),
    ]


def _value_of_pairs(setting):
    return value(setting) * setting.A


def _system(setting):
    return plus_identity(setting.step_matrix * -1)
