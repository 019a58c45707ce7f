r"""The score of a trajectory: product rule, and the environment as a constant factor."""

from __future__ import annotations

import numpy as np

from ..claims.trajectory_score import CLAIM
from .common import unit
from .episode_lines import claimed, require, score
from .line import Line


def _product_rule(setting):
    """(N, n) sum_t grad pi(a_t|s_t) times the product of the other factors."""
    taken = np.where(setting.batch.valid, setting.pi[setting.batch.states[:, :-1], setting.batch.actions], setting.number(1))
    others = [np.delete(taken, t, axis=1).prod(axis=1) for t in range(setting.k)]
    return sum(setting.slopes[:, t] * others[t][:, None] for t in range(setting.k))


def _environment(setting):
    return setting.episodes.factors_at(setting.problem.theta)[0]


def _taken(setting):
    return setting.episodes.factors_at(setting.problem.theta)[1]


def lines(setting) -> list[Line]:
    """The probability, its constant factor, the product rule, and the score."""
    require(CLAIM, setting)
    return [
        Line("The probability of a trajectory",
             r"P(\tau|\theta) = \rho(s_0) \prod_{t=0}^{T-1} \pi_\theta(a_t|s_t) P(s_{t+1}|s_t,a_t)",
             "multiply the laws of the start, of each action given the state, and of each next state given both; the left "
             "side grew with the tree of trajectories",
             lambda it: it.batch.probability, lambda it: _environment(it) * _taken(it), ("tau",), unit),
        Line("The probabilities sum to 1", r"\sum_\tau P(\tau|\theta) = 1",
             "add up over the last state, the last action, and so on back to the start",
             lambda it: it.batch.probability.sum(keepdims=True), lambda it: it.filled(1, 1), (), unit),
        Line("Start and dynamics are constant factors",
             r"\nabla P(\tau|\theta) = c(\tau) \nabla\Pi(\tau,\theta), \qquad "
             r"c(\tau) := \rho(s_0) \prod_t P(s_{t+1}|s_t,a_t), \quad \Pi(\tau,\theta) := \prod_t \pi_\theta(a_t|s_t)",
             "rho and P do not depend on theta",
             lambda it: it.grad("P(tau)"), lambda it: it.grad("prod pi").value * _environment(it)[:, None],
             ("tau", "theta"), score),
        Line("Product rule",
             r"\nabla\Pi(\tau,\theta) = \sum_t \nabla\pi_\theta(a_t|s_t) \prod_{j \neq t} \pi_\theta(a_j|s_j)",
             "a finite product of differentiable functions; grad pi by the policy's formula",
             lambda it: it.grad("prod pi"), _product_rule, ("tau", "theta"), score),
        Line("Put the missing factor back",
             r"\sum_t \nabla\pi_\theta(a_t|s_t) \prod_{j \neq t} \pi_\theta(a_j|s_j) "
             r"= \Pi(\tau,\theta) \sum_t \nabla\log\pi_\theta(a_t|s_t)",
             "grad pi = pi grad log pi where pi > 0 (claim score-function)",
             _product_rule, lambda it: it.scores.sum(axis=1) * _taken(it)[:, None], ("tau", "theta"), score),
        Line("The score of a trajectory",
             r"P(\tau|\theta) \nabla\log P(\tau|\theta) = P(\tau|\theta) \sum_t \nabla\log\pi_\theta(a_t|s_t)",
             "put the lines together; the left side, grad log P as -P grad (1/P), needs no logarithm, and the right side is "
             "the claim's code",
             lambda it: it.grad("P(tau) log P(tau)"), claimed(CLAIM, 0), ("tau", "theta"), score),
    ]
