"""Bugs in baselines, in normalisation, and in averages over steps, episodes and groups."""

from __future__ import annotations

import numpy as np

from .mutant import Mutant, later

EPS = 1e-8      # what is added to a standard deviation
SPINNING_UP = ("openai/spinningup#59", "openai/spinningup#222", "openai/spinningup#414", "openai/spinningup#454")
STD = ("openai/baselines#544", "openai/baselines#323", "DLR-RM/stable-baselines3#485", "allenai/open-instruct#636",
       "huggingface/trl#3256")


def _group_mean(x):
    return x.mean(axis=-2, keepdims=True)


def _others(x):
    """Mean over the others of the group."""
    k = x.shape[-2]
    return (x.sum(axis=-2, keepdims=True) - x) / (k - 1)


def _std(x, ddof=0):
    return np.sqrt(((x - _group_mean(x)) ** 2).sum(axis=-2, keepdims=True) / (x.shape[-2] - ddof))


def _std_of_others(x):
    return np.sqrt(np.maximum(_others(x**2) - _others(x) ** 2, 0.0))


def _centred(s):
    return np.where(s.valid, s.G - s.G.sum(axis=-1, keepdims=True) / np.maximum(s.length, 1), 0.0)


def _whitened(s):
    centred = _centred(s)
    return centred / (np.sqrt((centred**2).sum(axis=-1, keepdims=True) / np.maximum(s.length, 1)) + EPS)


def _micro_batches(s):
    """Weights of the mean of the token means of the two halves of the group."""
    k = s.r.shape[-2]
    halves = np.arange(k)[:, None] * 2 // k
    tokens = np.stack([(s.length * (halves == h)).sum(axis=-2, keepdims=True) for h in range(2)], axis=-1)
    share = (tokens * (halves[..., None] == np.arange(2))).sum(axis=-1)
    return s.d * s.G * k / (2 * np.maximum(share, 1))


def _run_on(s):
    """Returns accumulated from the last episode of the batch to the first as if they were one."""
    k, carry = s.r.shape[-2], 0.0
    out: list[np.ndarray] = []
    for i in reversed(range(k)):
        left = np.maximum(s.length[..., i, :] - np.arange(s.r.shape[-1]), 0)
        G = s.G[..., i, :] + np.where(s.valid[..., i, :], s.gamma**left * carry, 0.0)
        carry, out = G[..., :1], [G, *out]
    return s.d * np.stack(out, axis=-2)


def _undetached(s):
    """Differentiates through the baseline: a further term, minus log pi times the slope of the true value."""
    from ...solution import value_gradient

    slope = value_gradient(s.batch.mdp, s.policy, s.theta)[s.states[..., :-1]]
    right = s.along_scores(s.d * s.G)
    return right - np.einsum("nt,nt...->n...", np.where(s.valid, s.d * np.log(s.p), 0.0), slope)


AVERAGES = (
    Mutant("action-dependent-baseline", "the baseline depends on the action taken", lambda s: s.d * (s.G - 3.0 * s.actions),
           row="C1", look="a baseline may know the history up to s_t, not a_t"),
    Mutant("baseline-is-the-td-target", "the baseline is r_t + gamma V(s_{t+1}), which knows the action",
           lambda s: s.d * (s.G - s.r - s.gamma * s.V_next), row="C1", look="the baseline at s_t: V(s_t)"),
    Mutant("baseline-one-state-late", "the baseline is V(s_{t+1}), which knows the action", lambda s: s.d * (s.G - s.V_next),
           look="the values of s_t, not of s_{t+1}"),
    Mutant("baseline-by-length",
           "one baseline term for every step still to come, so that it depends on when the policy stops",
           lambda s: s.d * (s.G - 0.5 * (s.length - np.arange(s.r.shape[-1]))), row="C7", links=("verl-project/verl#7244",),
           look="the number of baseline terms must not depend on what follows"),
    Mutant("differentiates-baseline", "the baseline is differentiated with the rest", estimates=_undetached, row="C1",
           links=("icoxfog417/baby-steps-of-rl-ja#16", "astariul/encode-attend-navigate-pytorch#3",
                  "ChenRocks/fast_abs_rl#49"),
           look="detach the advantage (stop_gradient) before it meets log pi"),
    Mutant("centred-in-episode", "the mean return of the same episode is subtracted", lambda s: s.d * _centred(s), row="C4",
           look="(returns - returns.mean()) within one episode: the mean knows the actions that follow"),
    Mutant("whitened-in-episode", "returns are whitened within the episode", lambda s: s.d * _whitened(s), row="C4",
           links=STD,
           look="(returns - returns.mean()) / returns.std() within one episode"),
    Mutant("mean-over-own-steps", "the mean over the steps of an episode, whose length varies",
           lambda s: s.d * s.G / s.length,
           row="D1", links=SPINNING_UP, look=".mean() for .sum() over time: no constant factor where lengths vary"),
    Mutant("mean-over-padding", "the mean over all steps of the record, padding included",
           lambda s: s.d * s.G / s.r.shape[-1],
           row="D2", links=("huggingface/trl#3138",), look=".mean() for .sum() over time: a constant factor"),
    Mutant("token-mean", "the mean over all steps of the batch: a ratio of sums", row="D1", links=SPINNING_UP, batch_size=2,
           weights=lambda s: s.d * s.G * s.r.shape[-2] / s.length.sum(axis=-2, keepdims=True),
           look="loss.mean() over all steps: divide by the number of episodes; no constant factor, it turns the gradient"),
    Mutant("mean-of-micro-batches", "the mean of the step means of two micro-batches", _micro_batches, row="D3",
           batch_size=3,
           links=("huggingface/trl#3021", "allenai/open-instruct#1161", "pytorch/torchtune#1875"),
           look="gradient accumulation: weigh every micro-batch by its number of steps, or sum over steps"),
    Mutant("sum-over-batch", "the sum over the batch, 1/N is missing", lambda s: s.d * s.G * s.r.shape[-2], batch_size=2,
           look=".sum() for .mean() over episodes"),
    Mutant("divided-by-n-1", "divided by N - 1, not N", lambda s: s.d * s.G * s.r.shape[-2] / (s.r.shape[-2] - 1),
           batch_size=3,
           look="the mean over N episodes divides by N"),
    Mutant("divided-by-n-twice", "divided by N twice", lambda s: s.d * s.G / s.r.shape[-2], batch_size=3,
           look="a mean of means"),
    Mutant("own-sample-in-baseline",
           "the batch mean that is subtracted includes the episode itself: (1 - 1/N) of the gradient",
           lambda s: s.whole - _group_mean(s.whole), row="C3", batch_size=2,
           links=("jsboige/CoursIA#15256", "redai-studio/Relax#174"),
           look="leave the episode itself out of its baseline, or multiply by N / (N - 1)"),
    Mutant("grpo", "group mean subtracted, divided by the standard deviation of the group",
           lambda s: (s.whole - _group_mean(s.whole)) / (_std(s.whole) + EPS), row="C4", batch_size=2, links=STD,
           look="dividing by the standard deviation scales and turns the gradient"),
    Mutant("grpo-sample-std", "group mean subtracted, divided by the sample standard deviation (N - 1) of the group",
           lambda s: (s.whole - _group_mean(s.whole)) / (_std(s.whole, 1) + EPS), row="C4", batch_size=2, links=STD,
           look="dividing by the standard deviation scales and turns the gradient"),
    Mutant("divided-by-std", "divided by the standard deviation of the group",
           lambda s: s.whole / (_std(s.whole) + 1e-1), row="C4",
           batch_size=2, links=STD, look="dividing by the standard deviation scales and turns the gradient"),
    Mutant("leave-one-out-over-std", "leave-one-out, divided by the standard deviation of the others", row="C6",
           batch_size=3,
           weights=lambda s: (s.whole - _others(s.whole)) / (_std_of_others(s.whole) + 1e-6),
           links=("NVIDIA-NeMo/RL#1518", "NVIDIA-NeMo/RL#4158"), look="the standard deviation of few others may be 0"),
    Mutant("first-episode-baseline", "the statistics of the first episode serve all of them, itself included",
           row="C5", batch_size=2,
           weights=lambda s: s.whole - s.whole[..., :1, :], links=("ServiceNow/PipelineRL#54",),
           look="statistics per group"),
    Mutant("best-as-baseline", "the best return of the group, its own included, is subtracted", batch_size=2,
           weights=lambda s: s.whole - s.whole.max(axis=-2, keepdims=True),
           look="the maximum must leave the episode itself out"),
    Mutant("advantages-broadcast", "(N,) times (N, 1): every log-probability meets everybody's return", batch_size=2,
           weights=lambda s: _group_mean(s.whole), links=("PacktPublishing/Deep-RL-Hands-On#33",), row="C8",
           look="shapes (N,) and (N, 1) in one product: the result is (N, N)"),
    Mutant("next-episode-return", "returns are one episode off", lambda s: np.roll(s.whole, 1, axis=-2), batch_size=2,
           look="the order of episodes in the batch"),
    Mutant("returns-run-on", "the return is not reset between the episodes of the batch", batch_size=2, weights=_run_on,
           look="R = 0 at the start of every episode, or the done mask in the accumulation"),
    Mutant("baseline-discounted-once-more", "gamma V(s_{t+1}) - V(s_t) without the reward",
           lambda s: s.d * (s.gamma * s.V_next - s.V), row="A8", look="the reward in the TD error"),
    Mutant("td-without-gamma", "the TD error lacks gamma, r + V(s') - V(s)", lambda s: s.d * (s.r + s.V_next - s.V),
           row="A6",
           links=("younggyoseo/FastTD3#6",), look="gamma in front of the next value"),
    Mutant("td-plus-value", "r + gamma + V(s'): a sum where a product belongs",
           lambda s: s.d * (s.r + s.gamma * ~s.terminated + s.V_next - s.V), row="A8",
           links=("ikostrikov/pytorch-ddpg-naf#16",),
           look="gamma * mask * V, not gamma * mask + V"),
    Mutant("td-same-state", "bootstraps from s_t, r + gamma V(s_t) - V(s_t)",
           lambda s: s.d * (s.r + s.gamma * np.where(s.terminated, 0.0, s.V) - s.V), row="B2",
           links=("DLR-RM/stable-baselines3#183", "tensorflow/agents#953"), look="the value of the observation reached"),
    Mutant("td-two-ahead", "r_t + gamma V(s_{t+2}) - V(s_t): bootstraps two steps ahead",
           lambda s: s.d * (s.r + s.gamma * later(np.where(s.terminated, 0.0, s.V_next)) - s.V), row="A15",
           links=("epignatelli/navix#152",), look="rewards[t] goes with values[t + 1]"),
    Mutant("n-step-gamma", "two-step return that bootstraps with gamma, not gamma^2", row="A6",
           weights=lambda s: s.d * (s.r + s.gamma * later(s.r + np.where(s.terminated, 0.0, s.V_next)) - s.V),
           links=("younggyoseo/FastTD3#6", "jakegrigsby/AdvancedPacmanDQNs#2", "HorizonRobotics/SocialRobot#8"),
           look="the n-step bootstrap counts gamma^n"),
)
