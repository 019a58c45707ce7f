r"""The log-derivative trick: a finite sum, differentiated term by term, is an expectation again."""

from __future__ import annotations

import numpy as np

from ..claims.log_derivative import CLAIM
from ..estimators.base import returns
from .episode_lines import claimed, gained, gradient, require
from .line import Line


def _returns(setting):
    """(N, 1) R(tau)."""
    return returns(setting.batch, setting.gamma)[:, :1]


def _by_trajectories(setting, slope):
    """(n,) sum over tau of a derivative (N, n) times R(tau)."""
    return (slope * _returns(setting)).sum(axis=0)


def lines(setting) -> list[Line]:
    """J as a sum, its derivative, the trick, and what drops out."""
    require(CLAIM, setting)
    return [
        Line("J by adding up trajectories", r"J(\theta) = \sum_s \rho(s) V_0(s) = \sum_\tau P(\tau|\theta) R(\tau)",
             "backwards from V_T = 0, V_t(s) is the mean of the rewards from t on, given s_t = s",
             lambda it: np.array([it.episodes.solution.J], dtype=it.pi.dtype),
             lambda it: (_returns(it)[:, 0] * it.batch.probability).sum(keepdims=True), (), gained),
        Line("Differentiate the sum", r"\nabla J(\theta) = \sum_\tau \nabla P(\tau|\theta) R(\tau)",
             "the sum is finite, and R(tau) does not depend on theta; on the left J goes backwards from V_T = 0",
             lambda it: it.grad("J"), lambda it: _by_trajectories(it, it.grad("P(tau)").value), ("theta",), gradient),
        Line("The log-derivative trick",
             r"\sum_\tau \nabla P(\tau|\theta) R(\tau) = \mathbb{E}_\tau [ \nabla\log P(\tau|\theta) R(\tau) ]",
             "grad P = P grad log P, by the chain rule; grad log P is taken as -P grad (1/P)",
             lambda it: _by_trajectories(it, it.grad("P(tau)").value),
             lambda it: _by_trajectories(it, it.grad("P(tau) log P(tau)").value), ("theta",), gradient),
        Line("Start and dynamics drop out",
             r"\nabla J(\theta) = \mathbb{E}_\tau \left[ \sum_{t=0}^{T-1} \nabla\log\pi_\theta(a_t|s_t) R(\tau) \right]",
             "grad log P(tau) is the sum of the scores (claim trajectory-score); the right side is the claim's code",
             lambda it: it.grad("J"), claimed(CLAIM, 1), ("theta",), gradient),
    ]
