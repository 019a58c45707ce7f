r"""Reward-to-go: the return splits, and what was earned before an action has no part in the mean."""

from __future__ import annotations

import numpy as np

from ..claims.reward_to_go import CLAIM
from .episode_lines import OFF_THE_SIMPLEX, claimed, gradient, require, score_mean
from .line import Line

PAST = "Past rewards drop out"


def _past(setting):
    """(N, T) sum over k < t of gamma^k r_k."""
    return np.cumsum(setting.earned, axis=1) - setting.earned


def _past_terms(setting):
    """(T (T-1) / 2, n) E[gamma^k r_k grad log pi(a_t|s_t)] for k < t."""
    pairs = [(k, t) for t in range(setting.k) for k in range(t)]
    weights = setting.earned * setting.batch.probability[:, None]
    return np.stack([(setting.scores[:, t] * weights[:, k, None]).sum(axis=0) for k, t in pairs])


def lines(setting) -> list[Line]:
    """The split, the zeros, the claim; and the same from Q_t, which does without the simplex."""
    require(CLAIM, setting)
    split = Line(
        "Split the return",
        r"\sum_t \nabla\log\pi_\theta(a_t|s_t) R(\tau) = \sum_t \gamma^t \nabla\log\pi_\theta(a_t|s_t) G_t "
        r"+ \sum_t \sum_{k<t} \gamma^k \nabla\log\pi_\theta(a_t|s_t) r_k",
        "separate k < t from k >= t in R(tau) = sum_k gamma^k r_k; both sides times P(tau)",
        lambda it: it.each(it.whole), lambda it: it.each(it.to_go) + it.each(_past(it)), ("tau", "theta"), gradient)
    return [split, *(_zeros() if _reason(setting) is None else []), *_conclusions()]


def _zeros():
    """What sum_a grad pi = 0 gives."""
    return [
        score_mean(),
        Line(PAST, r"\mathbb{E}_\tau [ \gamma^k r_k \nabla\log\pi_\theta(a_t|s_t) ] = 0 \qquad (k < t)",
             "given the history up to s_t, r_k is a number, and the score has mean 0",
             _past_terms, lambda it: it.arithmetic.zeros((it.k * (it.k - 1) // 2, it.problem.theta.size)), ("pair", "theta"),
             gradient),
    ]


def _conclusions():
    """What the return may be replaced with, and why that is the gradient without the simplex too."""
    return [
        Line("Reward-to-go",
             r"\nabla J(\theta) = \mathbb{E}_\tau \left[ \sum_t \gamma^t \nabla\log\pi_\theta(a_t|s_t) G_t \right]",
             "the mean of the split return; the left side is grad J (claim log-derivative), the right side the claim's code",
             lambda it: it.grad("J"), claimed(CLAIM, 0), ("theta",), gradient),
        Line("The value of what follows",
             r"\mathbb{E}_\tau [ \gamma^t \nabla\log\pi_\theta(a_t|s_t) G_t ] "
             r"= \gamma^t \sum_s \Pr(s_t = s) \sum_a \nabla\pi_\theta(a|s) Q_t(s,a)",
             "given s_t and a_t, G_t has the mean Q_t; summed over t the right side is the recursion of grad V_t, unrolled",
             lambda it: it.by_time(it.to_go), lambda it: it.from_states(it.episodes.solution.Q), ("t", "theta"), gradient),
    ]


def _reason(setting) -> str | None:
    """Why the zeros are left out, or None."""
    if not setting.problem.policy.normalised:
        return OFF_THE_SIMPLEX
    return None if setting.k > 1 else "one step has no past"


def skipped(setting) -> list[tuple[str, str]]:
    """The zeros, where they are left out."""
    reason = _reason(setting)
    return [] if reason is None else [(PAST, reason)]
