"""Negative controls: right although they were reported as bugs, or look like one. A checker must let them pass."""

from __future__ import annotations

import numpy as np

from .averages import _group_mean, _others
from .mutant import Mutant, earlier, so_far, to_go


def _control(name, words, weights=None, **fields):
    return Mutant(name, words, weights, wrong=False, **fields)


CONTROLS = (
    _control("whole-return", "the return of the whole episode for every step: noisier, unbiased",
             lambda s: s.whole, links=("udacity/deep-reinforcement-learning#42", "huggingface/deep-rl-class#70")),
    _control("reversed-cumulative-sum", "reward-to-go by a cumulative sum over the reversed rewards",
             lambda s: so_far((s.powers * s.r)[..., ::-1])[..., ::-1], links=("openai/baselines#224",)),
    _control("negated-log-ratio", "the ratio as exp(old - new) of negated log-probabilities",
             lambda s: s.whole * np.exp((-np.log(s.p / s.ratio) + np.log(s.p)).sum(axis=-1, keepdims=True)),
           target="off-policy",
             links=("hill-a/stable-baselines#447", "openai/baselines#652", "openai/baselines#1218")),
    _control("masked-value-no-done", "a TD error without the done mask, on values that are 0 there already",
             lambda s: s.d * to_go(s.r + s.gamma * np.where(s.terminated, 0.0, s.V_next) - s.V, s.gamma * s.lam),
             target="gae(0.9)", links=("thu-ml/tianshou#869",)),
    _control("exact-critic", "one-step TD errors of the exact critic", lambda s: s.d * s.delta),
    _control("gae-exact-critic", "GAE of the exact critic, for any lambda",
             lambda s: s.d * to_go(s.delta, s.gamma * 0.3), links=("google-deepmind/rlax#140",)),
    _control("previous-baseline", "the baseline of the state before: history, so unbiased",
             lambda s: s.d * (s.G - earlier(s.V))),
    _control("past-rewards-added", "rewards before t in the weight: history, so unbiased",
             lambda s: s.d * (s.G + so_far(s.r) - s.r)),
    _control("constant-added", "a constant added to every weight", lambda s: s.d * (s.G + 7.0)),
    _control("sampled-entropy-added", "minus beta log pi of the sampled action in the loss: no gradient, no bias",
             lambda s: s.d * (s.G - 0.1), links=("NVIDIA-NeMo/RL#2506",)),
    _control("broadcast-baseline", "(N,) minus (N, 1) of baselines of the start state: averages to one baseline",
           batch_size=2,
             weights=lambda s: s.whole - _group_mean(np.broadcast_to(s.V[..., :1], s.V.shape)),
             links=("PacktPublishing/Deep-RL-Hands-On#33",)),
    _control("leave-one-out", "the mean of the others as baseline", lambda s: s.whole - _others(s.whole), batch_size=2,
             links=("redai-studio/Relax#174",)),
    _control("corrected-own-sample", "N / (N - 1) times the return above the batch mean: leave-one-out in other words",
             batch_size=2, weights=lambda s: (s.whole - _group_mean(s.whole)) * s.r.shape[-2] / (s.r.shape[-2] - 1)),
    _control("neighbour-baseline", "the return of the episode before as baseline", batch_size=2,
             weights=lambda s: s.whole - np.roll(s.whole, 1, axis=-2)),
    _control("undiscounted-declared", "gamma^t left out, and declared so", lambda s: s.G, target="without gamma^t",
             links=("facebookresearch/Pearl#46",)),
    _control("padded-mean-declared", "the mean over a fixed number of steps, declared up to scale",
             lambda s: s.d * s.G / s.r.shape[-1], target="gradient up to scale"),
    _control("own-sample-declared", "the batch mean with the episode itself, declared up to scale", batch_size=2,
             weights=lambda s: s.whole - _group_mean(s.whole), target="gradient up to scale"),
)
