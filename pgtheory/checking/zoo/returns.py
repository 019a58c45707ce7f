"""Bugs in returns: which rewards count, how they are discounted, and at which step."""

from __future__ import annotations

import numpy as np

from .mutant import Mutant, earlier, later, so_far, to_go

RETURNS = (
    Mutant("no-gamma-t", "the weight gamma^t of step t is left out", lambda s: s.G, row="A1", target="gradient",
           links=("pytorch/examples#744", "dennybritz/reinforcement-learning#185", "facebookresearch/Pearl#46", "ufal/npfl122#117"),
           look="multiply the score of step t by gamma^t, or declare target='without gamma^t' if it is meant"),
    Mutant("gamma-t-twice", "the weight gamma^t is applied twice", lambda s: s.powers**2 * s.G,
           look="returns discounted from the start of the episode already carry gamma^t"),
    Mutant("gamma-t-on-whole-return", "gamma^t on the return of the whole episode, which is discounted from the start already",
           lambda s: s.powers * s.G[..., :1], look="the whole return takes no further gamma^t"),
    Mutant("never-summed", "the return is the step's own discounted reward, never summed", lambda s: s.powers * s.r, row="A2",
           links=("hunkim/ReinforcementZeroToAll#1",), look="sum the rewards from t to the end"),
    Mutant("past-rewards", "sums the rewards up to t, not those from t on", lambda s: so_far(s.powers * s.r), row="A3",
           links=("mohmdelsayed/streaming-drl#3",), look="accumulate backwards from the end of the episode"),
    Mutant("reward-minus-value", "r_t - V(s_t) stands for G_t - V(s_t)", lambda s: s.d * (s.r - s.V), row="A11",
           links=("natolambert/rlhf-book#216",), look="the return, not the reward, belongs above the baseline"),
    Mutant("forward-accumulation", "returns accumulated forwards, G_t = r_t + gamma G_{t-1}",
           lambda s: s.d * so_far(s.r, s.gamma), look="is reversed() missing, on the rewards or on the result?"),
    Mutant("rewards-early", "reward r_{t-1} is stored with step t", lambda s: s.d * to_go(earlier(s.r), s.gamma), row="A4",
           links=("openai/spinningup#50", "openai/spinningup#67", "openai/spinningup#138"),
           look="store the reward that the action brought, after env.step, not before"),
    Mutant("rewards-late", "the return of step t starts at r_{t+1}", lambda s: s.d * to_go(later(s.r), s.gamma), row="A5",
           links=("conglu1997/v-d4rl#8", "yandexdataschool/Practical_RL#552"), look="the sum starts at k = t, not t + 1"),
    Mutant("rewards-late-discounted", "the return of step t is gamma G_{t+1}: the step's own reward is missing",
           lambda s: s.d * s.gamma * later(s.G), row="A5", look="append after adding the reward, not before"),
    Mutant("last-reward-lost", "the reward of the last step of an episode is lost",
           lambda s: s.d * to_go(np.where(s.last, 0.0, s.r), s.gamma), row="A12", links=("ray-project/ray#36013",),
           look="append the reward before `if done: break`"),
    Mutant("last-step-dropped", "the last step of an episode is dropped, score and reward",
           lambda s: np.where(s.last, 0.0, s.d * to_go(np.where(s.last, 0.0, s.r), s.gamma)), row="A12",
           links=("ray-project/ray#36013",), look="slices [:-1] on states, actions or rewards"),
    Mutant("last-score-dropped", "the score of the last step of an episode is dropped",
           lambda s: np.where(s.last, 0.0, s.d * s.G), row="A12", links=("ray-project/ray#36013",),
           look="a mask (1 - done) belongs to the bootstrap, not to the loss"),
    Mutant("first-step-dropped", "the first step of an episode is dropped",
           lambda s: np.where(np.arange(s.r.shape[-1]) == 0, 0.0, s.d * s.G), look="slices [1:] on one array only"),
    Mutant("first-step-only", "only the first action of an episode is credited",
           lambda s: np.where(np.arange(s.r.shape[-1]) == 0, s.G, 0.0), look="the sum over t"),
    Mutant("last-step-only", "only the last action of an episode is credited, with the whole return",
           lambda s: np.where(s.last, s.whole, 0.0), look="is the log-probability overwritten in the loop, not added up?"),
    Mutant("last-reward-only", "only the reward of the last step counts",
           lambda s: s.d * to_go(np.where(s.last, s.r, 0.0), s.gamma), look="is the reward overwritten in the loop, not added up?"),
    Mutant("undiscounted-return", "rewards are not discounted, while gamma^t weighs the steps", lambda s: s.powers * to_go(s.r, 1.0),
           look="gamma in the return"),
    Mutant("gamma-unused", "gamma is not used at all", lambda s: to_go(s.r, 1.0), look="is gamma passed on?"),
    Mutant("gamma-squared", "rewards are discounted by gamma^2 a step", lambda s: s.d * to_go(s.r, s.gamma**2),
           look="gamma applied in the loop and once more in the power"),
    Mutant("gamma-late", "discounting starts one step late: r_t + r_{t+1} + gamma r_{t+2} + ...",
           lambda s: s.d * (s.r + later(s.G)), row="A6", look="the exponent of gamma: k - t, not k - t - 1"),
    Mutant("gamma-early", "discounting starts one step early, the first reward counts gamma", lambda s: s.gamma * s.d * s.G,
           look="the exponent of gamma starts at 0: enumerate(rewards), not enumerate(rewards, 1)"),
    Mutant("gamma-from-the-end", "step t weighs gamma^(L-1-t): the powers are reversed",
           lambda s: s.gamma ** np.maximum(s.length - 1 - np.arange(s.r.shape[-1]), 0) * s.G, look="the order of the powers of gamma"),
    Mutant("rewards-reversed", "the rewards are in reversed order",
           lambda s: s.d * to_go(_reversed(s.r, s.length), s.gamma), look="a second [::-1], or insert(0, .) on a reversed list"),
    Mutant("returns-reversed", "the returns are left in reversed order", lambda s: s.d * _reversed(s.G, s.length),
           look="turn the list of returns around before it meets the log-probabilities"),
    Mutant("mean-reward", "the return is the mean of the rewards to come, not their sum",
           lambda s: s.d * s.G / np.maximum(s.length - np.arange(s.r.shape[-1]), 1), look=".mean() for .sum() over time"),
    Mutant("rewards-clipped", "rewards are clipped to [-1, 1]", lambda s: s.d * to_go(np.clip(s.r, -1, 1), s.gamma),
           look="a wrapper that clips rewards"),
    Mutant("reward-signs", "only the signs of the rewards count", lambda s: s.d * to_go(np.sign(s.r), s.gamma),
           look="a wrapper that takes signs of rewards"),
    Mutant("negative-rewards-lost", "negative rewards count 0", lambda s: s.d * to_go(np.maximum(s.r, 0), s.gamma),
           look="max(r, 0), or an unsigned type"),
    Mutant("rewards-rounded", "rewards are cut to integers", lambda s: s.d * to_go(np.trunc(s.r), s.gamma),
           look="an integer array for the rewards or the returns"),
    Mutant("sign-flipped", "the sign is flipped", lambda s: -s.d * s.G, look="a loss is minus what is to grow"),
    Mutant("doubled", "everything counts twice", lambda s: 2 * s.d * s.G, look="a factor 2, or steps that are stored twice"),
    Mutant("no-1/(1-gamma)", "the factor 1 / (1 - gamma) is missing", lambda s: (1 - s.gamma) * s.d * s.G,
           look="states drawn from the normalised distribution carry 1 / (1 - gamma)"),
)


def _reversed(x, length):
    """(..., T) every row turned around within its own length."""
    place = length - 1 - np.arange(x.shape[-1])
    return np.where(place >= 0, np.take_along_axis(x, np.maximum(place, 0), axis=-1), 0.0)
