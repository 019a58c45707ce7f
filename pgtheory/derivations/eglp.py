r"""The expected gradient of a log-probability: the sum of the probabilities is constant."""

from __future__ import annotations

from ..claims.eglp import CLAIM, NUMBERS, history
from .episode_lines import require, score, score_mean
from .line import Line


def _sizes(setting) -> float:
    return setting.episodes.gradient_size(NUMBERS)


def _weighted(setting):
    """(T, n) E[c(h_t) grad log pi(a_t|s_t)], for numbers c without meaning."""
    return setting.by_time(setting.arithmetic.convert(history(setting.batch)))


def _ones(setting):
    return setting.filled(setting.batch.actions.shape, 1)


def lines(setting) -> list[Line]:
    """The constant sum, the lemma, and the lemma behind a history."""
    require(CLAIM, setting)
    return [
        Line("The sum of the probabilities",
             r"\sum_\tau \nabla P(\tau|\theta) = \nabla \sum_\tau P(\tau|\theta) = \nabla 1 = 0",
             "the sum is finite, and 1 for all theta nearby",
             lambda it: it.grad("sum P(tau)"), lambda it: it.arithmetic.zeros(it.problem.theta.size), ("theta",), score),
        Line("The lemma", r"\mathbb{E}_\tau [ \nabla\log P(\tau|\theta) ] = \sum_\tau \nabla P(\tau|\theta) = 0",
             "P grad log P is grad P; grad log P is taken as -P grad (1/P)",
             lambda it: it.grad("P(tau) log P(tau)").value.sum(axis=0), lambda it: it.grad("P(tau)").value.sum(axis=0),
             ("theta",), score),
        score_mean(),
        Line("Behind any history", r"\mathbb{E}_\tau [ \nabla\log\pi_\theta(a_t|s_t) c(h_t) ] = 0",
             "given h_t = (s_0, a_0, ..., s_t), c(h_t) is a number, and the score has mean 0; here c has no meaning",
             _weighted, lambda it: it.arithmetic.zeros((it.k, it.problem.theta.size)), ("t", "theta"), _sizes),
        Line("The lemma for trajectories, again",
             r"\mathbb{E}_\tau [ \nabla\log P(\tau|\theta) ] "
             r"= \mathbb{E}_\tau \left[ \sum_t \nabla\log\pi_\theta(a_t|s_t) \right]",
             "the score of a trajectory is the sum of its scores (claim trajectory-score)",
             lambda it: it.grad("P(tau) log P(tau)").value.sum(axis=0), lambda it: it.mean(_ones(it)), ("theta",), score),
    ]
