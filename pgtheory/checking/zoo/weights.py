"""Known bugs of weights, for groups of trajectories: what is wrong with ``w`` in sum_t w_t grad log pi(a_t|s_t).

The bugs of :mod:`.gradients` that change the weights only, not the scores, are bugs here too; those below need groups.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .averages import SPINNING_UP, STD, _group_mean, _others, _std
from .gradients import GRADIENTS
from .mutant import Mutant, Steps

TOKENS = ("huggingface/trl#3138", "huggingface/trl#3256", "huggingface/trl#4988", "volcengine/verl#593", "NovaSky-AI/SkyRL#133")
SPREAD = "dividing by the standard deviation scales and turns the gradient"
LENGTHS = "what the sum over steps is divided by: where lengths vary it turns the gradient"
EPSILONS = (1e-6, 1e-5, 1e-4)       # beside the 1e-8 of the other zoo


def _group(bug, words, weights, row="own", links=(), look="", batch_size=2):
    return Mutant(bug, words, weights, row=row, links=links, look=look, batch_size=batch_size, seam="weights")


def _centred(s):
    return s.whole - _group_mean(s.whole)


def _left_out(s):
    return s.whole - _others(s.whole)


def _longest(s):
    return np.maximum(s.length.max(axis=-2, keepdims=True), 1)


def _token_share(s):
    """k over the steps of the group: what turns a mean over rows into one over steps."""
    return s.r.shape[-2] / np.maximum(s.length.sum(axis=-2, keepdims=True), 1)


def _own(s):
    return 1 / np.maximum(s.length, 1)


def _best_of_others(s):
    k = s.whole.shape[-2]
    return np.stack([np.delete(s.whole, i, axis=-2).max(axis=-2) for i in range(k)], axis=-2)


def _with_epsilon(eps, ddof):
    return lambda s: _centred(s) / (_std(s.whole, ddof) + eps)


NORMALISED = tuple(
    _group("grpo" if ddof == 0 else "grpo-sample-std", f"group mean subtracted, divided by the standard deviation plus {eps:g}",
           _with_epsilon(eps, ddof), "C4", STD, SPREAD) for eps in EPSILONS for ddof in (0, 1))

WEIGHTS: tuple[Mutant, ...] = NORMALISED + (
    _group("group-std-alone", "leave-one-out, divided by the standard deviation of the whole group",
           lambda s: _left_out(s) / (_std(s.whole) + 1e-8), "C6", ("NVIDIA-NeMo/RL#1518",), SPREAD),
    _group("group-sample-std-alone", "leave-one-out, divided by the sample standard deviation of the whole group",
           lambda s: _left_out(s) / (_std(s.whole, 1) + 1e-8), "C6", ("NVIDIA-NeMo/RL#1518",), SPREAD),
    _group("leave-one-out-sequence-mean", "leave-one-out, the mean over the steps of a row", lambda s: _left_out(s) * _own(s), "D2",
           TOKENS, LENGTHS),
    _group("leave-one-out-token-mean", "leave-one-out, the mean over all steps of the group",
           lambda s: _left_out(s) * _token_share(s), "D2", TOKENS, LENGTHS),
    _group("own-sample-sequence-mean", "group mean subtracted, the mean over the steps of a row",
           lambda s: _centred(s) * _own(s), "D2", TOKENS, LENGTHS),
    _group("own-sample-token-mean", "group mean subtracted, the mean over all steps of the group",
           lambda s: _centred(s) * _token_share(s), "D2", TOKENS, LENGTHS),
    _group("grpo-sequence-mean", "group mean subtracted, over the standard deviation, the mean over the steps of a row",
           lambda s: _with_epsilon(1e-8, 0)(s) * _own(s), "D2", TOKENS, LENGTHS),
    _group("grpo-token-mean", "group mean subtracted, over the standard deviation, the mean over all steps of the group",
           lambda s: _with_epsilon(1e-8, 0)(s) * _token_share(s), "D2", TOKENS, LENGTHS),
    _group("whole-return-token-mean", "the return of the episode at every step, the mean over all steps of the batch",
           lambda s: s.whole * _token_share(s), "D1", SPINNING_UP, LENGTHS),
    _group("whole-return-sequence-mean", "the return of the episode at every step, the mean over the steps of a row",
           lambda s: s.whole * _own(s), "D1", SPINNING_UP, LENGTHS, batch_size=1),
    _group("sequence-mean-token-mean", "the mean over the steps of a row, then over the steps of the group",
           lambda s: s.d * s.G * _own(s) * _token_share(s), "D2", TOKENS, LENGTHS),
    _group("longest-row-mean", "the sum over steps divided by the longest row of the group",
           lambda s: s.whole / _longest(s), "D2", TOKENS, LENGTHS),
    _group("mean-of-lengths", "the group's mean weighs rows by their length",
           lambda s: s.whole - (s.whole * s.length).sum(axis=-2, keepdims=True) / s.length.sum(axis=-2, keepdims=True), "C3", (),
           "the baseline: a mean over rows, without the row itself"),
    _group("reward-to-go-baseline", "the mean reward-to-go of the group at the same step, the row's own included",
           lambda s: s.d * (s.G - _group_mean(s.G)), "C3", ("jsboige/CoursIA#15256",), "leave the row itself out of its baseline"),
    _group("median-baseline", "the median of the group, the row's own return included",
           lambda s: s.whole - np.median(s.whole, axis=-2, keepdims=True), "C3", (), "leave the row itself out of its baseline"),
    _group("ranks", "the rank in the group stands for the return",
           lambda s: (s.whole[..., None, :, :] < s.whole[..., :, None, :]).mean(axis=-2) - 0.5, "own", (),
           "ranks are no returns: declare what they estimate"),
)
WEIGHT_CONTROLS: tuple[Mutant, ...] = tuple(replace(bug, wrong=False) for bug in (
    _group("leave-one-out-to-go", "the others' reward-to-go at the same step as baseline", lambda s: s.d * (s.G - _others(s.G))),
    _group("best-of-the-others", "the best return of the others as baseline", lambda s: s.whole - _best_of_others(s), batch_size=3),
    _group("critic-of-the-group", "the mean over the group of the critic at the start", lambda s: s.whole - _group_mean(
        np.broadcast_to(s.V[..., :1], s.V.shape))),
    _group("length-of-the-others", "a baseline from the lengths of the others", lambda s: s.whole - _others(s.length * 1.0)),
))
ELSEWHERE = {
    "C1": "needs the critic's parameters: gradients of all parameters are beyond weights",
    "C5": "statistics kept from the first call: found out as a function that keeps state, and refused",
    "E1-E10": "log-probabilities and entropies: the scores are contracted here, so the function cannot get them wrong",
    "F1-F11": "ratios of two policies: check_estimator(target='off-policy'), or form='rollout' of check_advantages for V-trace",
    "G1-G7": "deterministic actions and target networks: they have no scores",
}


def weight_bugs(size: int, target: str) -> tuple[Mutant, ...]:
    """The bugs that groups of ``size`` can have, for the target of this name."""
    known = [bug for bug in GRADIENTS + WEIGHTS if bug.weights is not None and bug.wrong]
    fitting = [bug for bug in known if bug.target.startswith("gradient") or bug.target == target]
    return tuple(bug for bug in fitting if bug.batch_size == 1 or (size > 1 and bug.batch_size <= size))


def as_function(bug: Mutant, size: int, discounted=True):
    """The bug as a user would have it: a function for ``check_weights``."""
    wrong = bug.weights
    assert wrong is not None, f"{bug.bug} is no bug of weights"

    def weights(batch):
        steps = Steps(batch.fixture.batch, batch.policy, batch.theta, batch.gamma, discounted, rows=batch.rows.reshape(-1, size))
        with np.errstate(all="ignore"):
            return np.where(steps.valid, wrong(steps), 0.0).reshape(len(batch), -1)
    return weights
