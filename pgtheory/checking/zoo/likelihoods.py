"""Bugs in scores, entropies and importance ratios."""

from __future__ import annotations

import numpy as np

from .mutant import Mutant, earlier, later, to_go

OFF_POLICY = "off-policy"
ENTROPY, BETA = "entropy(0.1)", 0.1


def _product(x):
    """(..., 1) product over the steps."""
    return x.prod(axis=-1, keepdims=True)


def _up_to(x):
    return np.cumprod(x, axis=-1)


def _from(x):
    return np.cumprod(x[..., ::-1], axis=-1)[..., ::-1]


def _next_score(s):
    following = later(s.valid, False)
    return s.along_scores(np.where(following, s.d * s.G, 0.0), s.states[:, 1:], later(s.actions))


def _next_state_score(s):
    return s.along_scores(s.d * s.G, s.states[:, 1:])


def _previous_action_score(s):
    return s.along_scores(s.d * s.G, actions=earlier(s.actions))


def _greedy_score(s):
    return s.along_scores(s.d * s.G, actions=s.pi.argmax(axis=1)[s.states[:, :-1]])


def _all_scores(s):
    summed = s.policy.score(s.theta).sum(axis=1)
    return np.einsum("nt,nt...->n...", np.where(s.valid, s.d * s.G, 0.0), summed[s.states[:, :-1]])


def _initial_state_score(s):
    return s.along_scores(s.d * s.G, np.broadcast_to(s.states[:, :1], s.actions.shape))


def _expected_entropies(s, sign):
    """The estimate, plus sign beta times the slope of the entropies of the states visited."""
    slope = -np.einsum("sa,sa,sa...->s...", s.pi, np.log(s.pi), s.policy.score(s.theta))
    weights = np.where(s.valid, sign * BETA * s.d, 0.0)
    return s.along_scores(s.d * s.G) + np.einsum("nt,nt...->n...", weights, slope[s.states[:, :-1]])


def _entropies_all_along(s, sign):
    """The same, with the entropies of the states to come earned like rewards: the gradient of the regularised return."""
    H = -(s.pi * np.log(s.pi)).sum(axis=1)
    ahead = np.where(s.valid, s.gamma * later(to_go(np.where(s.valid, H[s.states[..., :-1]], 0.0), s.gamma)), 0.0)
    return _expected_entropies(s, sign) + s.along_scores(sign * BETA * s.d * ahead)


def _self_normalised(s):
    ratio = _product(s.ratio)
    return ratio * s.whole / ratio.mean(axis=-2, keepdims=True)


def _clipped_by_sign(s):
    """PPO's clip at 0.2, on the product of ratios."""
    ratio, R = _product(s.ratio), s.whole
    return np.where((ratio > 1.2) & (R > 0) | (ratio < 0.8) & (R < 0), 0.0, ratio * R)


LIKELIHOODS = (
    Mutant("next-score", "the score of step t + 1 meets the return of step t", estimates=_next_score,
           look="log-probabilities and returns one step apart"),
    Mutant("next-state-score", "the score is taken at the next state", estimates=_next_state_score,
           look="log pi(a_t | s_t): is the observation overwritten before the loss?"),
    Mutant("previous-action-score", "the score is that of the previous action", estimates=_previous_action_score,
           look="actions one step late"),
    Mutant("initial-state-score", "all scores are taken at the first state", estimates=_initial_state_score,
           look="the state index in the loop"),
    Mutant("greedy-score", "the score of the most probable action, not of the one taken", estimates=_greedy_score,
           look="argmax where the action of the record belongs"),
    Mutant("all-action-scores", "the log-probabilities of all actions are summed, not picked", estimates=_all_scores,
           row="E4",
           links=("thu-ml/tianshou#40",), look="gather the log-probability of the action taken"),
    Mutant("no-logarithm", "grad pi stands for grad log pi", lambda s: s.p * s.d * s.G, look="log_prob, not prob"),
    Mutant("two-probabilities", "divided by pi twice: grad log pi / pi", lambda s: s.d * s.G / s.p,
           look="log of the probability, divided by the probability once more"),
    Mutant("score-only", "the return does not enter, only the score", lambda s: s.d, look="is the weight lost?"),
    Mutant("entropy-sign", "the entropy bonus has the wrong sign", estimates=lambda s: _expected_entropies(s, -1), row="E7",
           target=ENTROPY, links=("DLR-RM/stable-baselines3#127", "google-deepmind/open_spiel#962", "tensorflow/models#5058",
                                  "MrSyee/pg-is-all-you-need#37"), look="entropy is to grow: minus it in the loss"),
    Mutant("entropy-to-go", "the entropies to come are earned like rewards: the gradient of the entropy-regularised return",
           estimates=lambda s: _entropies_all_along(s, +1), target=ENTROPY,
           look="is the bonus part of the reward (the regularised return), or of the loss alone (the target declared)?"),
    Mutant("entropy-to-go-sign", "the entropies to come are earned like rewards, and the bonus has the wrong sign", row="E7",
           estimates=lambda s: _entropies_all_along(s, -1), target=ENTROPY, look="entropy is to grow: minus it in the loss"),
    Mutant("sampled-entropy", "-log pi of the sampled action as an entropy bonus: no gradient at all in the mean",
           lambda s: s.d * (s.G - BETA), row="E8", target=ENTROPY,
           links=("NVIDIA-NeMo/RL#2506", "MrSyee/pg-is-all-you-need#37"),
           look="sum over all actions of pi log pi, or the full score-function term"),
    Mutant("entropy-bonus", "a gradient of entropies is mixed in", estimates=lambda s: _expected_entropies(s, +1),
           look="declare target='entropy(beta)' if the bonus is meant"),
    Mutant("no-ratio", "the importance ratio is missing: the behaviour is taken for the policy", lambda s: s.d * s.G,
           row="F1",
           target=OFF_POLICY, links=("meta-pytorch/torchforge#571", "tensorforce/tensorforce#312"),
           look="log pi - log pi.detach() is 1: use the log-probability stored by the behaviour"),
    Mutant("no-ratio-whole", "the importance ratio is missing, under the return of the whole episode", lambda s: s.whole,
           row="F1", target=OFF_POLICY, links=("meta-pytorch/torchforge#571", "tensorforce/tensorforce#312"),
           look="log pi - log pi.detach() is 1: use the log-probability stored by the behaviour"),
    Mutant("stale-ratio", "the ratio of the PPO loss is not 1 at the first step: old log-probabilities are one step off",
           lambda s: s.d * s.G * s.p / earlier(s.p, 1.0), row="F2", links=("huggingface/trl#454",),
           look="theta = theta_old must give ratios of exactly 1"),
    Mutant("step-ratio", "the ratio of the step itself, not the product", lambda s: s.ratio * s.d * s.G, row="F8",
           target=OFF_POLICY,
           links=("huggingface/trl#5814", "NVIDIA-NeMo/RL#2269"), look="the product of ratios up to the reward",),
    Mutant("step-ratio-whole", "the ratio of the step itself, not the product, under the return of the whole episode",
           lambda s: s.ratio * s.whole, row="F8", target=OFF_POLICY, links=("huggingface/trl#5814", "NVIDIA-NeMo/RL#2269"),
           look="the product of ratios up to the reward"),
    Mutant("clipped-ratios-whole", "a product of ratios clipped at 1, under the return of the whole episode",
           lambda s: _product(np.minimum(s.ratio, 1)) * s.whole, row="F8", target=OFF_POLICY,
           look="clipping trades variance for bias"),
    Mutant("future-ratios", "the product of ratios from t on, not from the start", lambda s: _from(s.ratio) * s.d * s.G,
           row="F8",
           target=OFF_POLICY, look="ratios before t correct which states are visited"),
    Mutant("past-ratios", "the product of ratios up to t, rewards after t are not corrected",
           lambda s: _up_to(s.ratio) * s.d * s.G,
           row="F8", target=OFF_POLICY, look="the reward of step k needs the ratios up to k"),
    Mutant("clipped-ratios", "a product of ratios clipped at 1", lambda s: _product(np.minimum(s.ratio, 1)) * s.d * s.G,
           row="F8",
           target=OFF_POLICY, look="clipping trades variance for bias"),
    Mutant("ppo-clip", "PPO's clip", _clipped_by_sign, row="F8", target=OFF_POLICY,
           look="clipping trades variance for bias"),
    Mutant("inverse-ratio", "behaviour over policy: the ratio is upside down", lambda s: s.whole / _product(s.ratio),
           target=OFF_POLICY, look="exp(new - old) of the log-probabilities"),
    Mutant("ratio-twice", "the ratio is applied twice", lambda s: _product(s.ratio) ** 2 * s.whole, row="F4",
           target=OFF_POLICY,
           links=("SlopDotCash/asi#462",), look="the ratio in the return and in the loss"),
    Mutant("ratio-one-late", "the ratios are one step late", lambda s: s.d * to_go(
        earlier(_up_to(s.ratio), 1.0) * s.r, s.gamma), row="F4", target=OFF_POLICY, links=("SlopDotCash/asi#1975",),
           look="the reward of step k needs the ratio of step k too"),
    Mutant("mean-ratio", "the mean of the ratios, not their product", target=OFF_POLICY,
           weights=lambda s: np.where(s.valid, s.ratio, 0.0).sum(axis=-1, keepdims=True) / s.length * s.whole,
           look="sum the log-ratios, do not average them"),
    Mutant("geometric-ratio", "the geometric mean of the ratios over the episode", target=OFF_POLICY,
           weights=lambda s: _product(s.ratio) ** (1 / s.length) * s.whole, row="F8", links=("huggingface/trl#5814",),
           look="the mean of log-ratios: the whole sum is needed for an unbiased estimate"),
    Mutant("greedy-ratio", "the ratio is that of another action than the one taken", row="F5", target=OFF_POLICY,
           weights=lambda s: _product(np.where(s.valid, _greedy_ratio(s), 1.0)) * s.whole, links=("ray-project/ray#7107",),
           look="log-probabilities of the recorded action"),
    Mutant("self-normalised-ratios", "ratios divided by their mean over the batch", _self_normalised, batch_size=2,
           target=OFF_POLICY, look="self-normalised importance sampling is biased for finite batches"),
    Mutant("reward-ratios", "the reward of step k is weighed by the ratio of step k alone",
           lambda s: s.d * to_go(s.ratio * s.r, s.gamma), row="F8", target=OFF_POLICY,
           look="the product of ratios up to the reward"),
    Mutant("ratios-accumulate-from-behind", "the product of ratios after the reward, not up to it",
           lambda s: s.d * to_go(_from(s.ratio) * s.r, s.gamma), row="F8", target=OFF_POLICY,
           look="cumulative products run forwards in time"),
)


def _greedy_ratio(s):
    greedy, states = s.pi.argmax(axis=1), s.states[..., :-1]
    return (s.pi / s.behaviour)[states, greedy[states]]
