r"""Baselines: a function of state and time adds nothing to the mean, and may be subtracted from either return."""

from __future__ import annotations

from ..claims.baseline import CLAIM, arbitrary
from .episode_lines import claimed, require, score_mean
from .line import Line


def _sizes(setting) -> float:
    """Estimates with return and baseline side by side."""
    largest = float(max(abs(arbitrary(setting.episodes)).flat))
    return setting.episodes.gradient_size(setting.episodes.return_size + largest)


def _baseline_terms(setting):
    """(T, n) E[gamma^t b_t(s_t) grad log pi(a_t|s_t)]."""
    return setting.by_time(setting.critic(arbitrary(setting.episodes)))


def _less_value(setting):
    """(N, T) gamma^t (G_t - V_t(s_t))."""
    return setting.to_go - setting.critic(setting.episodes.solution.V)


def lines(setting) -> list[Line]:
    """The zeros, the two forms, and what is left of the return when its value is taken away."""
    require(CLAIM, setting)
    return [
        score_mean(),
        Line("A baseline adds nothing", r"\mathbb{E}_\tau [ \gamma^t \nabla\log\pi_\theta(a_t|s_t) b_t(s_t) ] = 0",
             "given the history up to s_t, b_t(s_t) is a number, and the score has mean 0; here b has no meaning",
             _baseline_terms, lambda it: it.arithmetic.zeros((it.k, it.problem.theta.size)), ("t", "theta"), _sizes),
        Line("Subtracted from the return",
             r"\nabla J(\theta) = \mathbb{E}_\tau \left[ \sum_t \nabla\log\pi_\theta(a_t|s_t) "
             r"\left( R(\tau) - \gamma^t b_t(s_t) \right) \right]",
             "subtract the zeros from the claim log-derivative",
             lambda it: it.grad("J"), lambda it: it.mean(it.whole - it.critic(arbitrary(it.episodes))), ("theta",), _sizes),
        Line("Subtracted from reward-to-go",
             r"\nabla J(\theta) = \mathbb{E}_\tau \left[ \sum_t \gamma^t \nabla\log\pi_\theta(a_t|s_t) "
             r"\left( G_t - b_t(s_t) \right) \right]",
             "subtract the same zeros from the claim reward-to-go; the right side is the claim's code",
             lambda it: it.grad("J"), claimed(CLAIM, 2), ("theta",), _sizes),
        Line("The value as baseline",
             r"\mathbb{E}_\tau [ \gamma^t \nabla\log\pi_\theta(a_t|s_t) (G_t - V_t(s_t)) ] "
             r"= \gamma^t \sum_s \Pr(s_t = s) \sum_a \nabla\pi_\theta(a|s) A_t(s,a)",
             "given s_t and a_t, G_t has the mean Q_t, and A_t = Q_t - V_t",
             lambda it: it.by_time(_less_value(it)), lambda it: it.from_states(it.episodes.solution.A), ("t", "theta"),
             _sizes),
    ]
