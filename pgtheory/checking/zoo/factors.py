"""Bugs of advantages in factors: lambda and gamma, signs, normalisation, importance ratios."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..references import ahead, carried, reference, residuals, stops
from .advantage_bug import EVERY, VTRACE, AdvantageBug, forward, on, only, trace


def _factor(factor):
    return only(lambda r, s: carried(r, residuals(r, s), factor(s)))


def _normalised(axis=None, ddof=0, centre=True, divide=True):
    """Over the valid steps; eps 1e-8 as libraries add it."""
    def wrong(r, s):
        A, G = reference(r, s)
        known = np.where(r.valid, A, np.nan)
        mean = np.nanmean(known, axis=axis, keepdims=True) if centre else 0.0
        scale = _deviation(known, axis, ddof) + 1e-8 if divide else 1.0
        return (A - mean) / scale, G
    return wrong


def _deviation(known, axis, ddof):
    count = np.sum(~np.isnan(known), axis=axis, keepdims=True)
    square = np.nansum((known - np.nanmean(known, axis=axis, keepdims=True))**2, axis=axis, keepdims=True)
    return np.sqrt(square / np.maximum(count - ddof, 1))


def _undiscounted(r, s):
    plain = r.rewards + np.where(stops(r, s), 0.0, r.next_values) - r.values
    return carried(r, plain, s.gamma * s.trace)


FACTORS = (
    AdvantageBug("lambda-forgotten", "lambda is forgotten in the carry", _factor(lambda s: s.gamma), (), "gamma * lam in the carry"),
    AdvantageBug("gamma-forgotten", "gamma is forgotten in the carry", _factor(lambda s: s.trace), (), "gamma * lam in the carry"),
    AdvantageBug("no-carry", "nothing is carried: one-step residuals", only(lambda r, s: residuals(r, s)), (),
                 "the accumulation", ("gae", "n-step")),
    AdvantageBug("gamma-squared", "gamma is in the carry twice", _factor(lambda s: s.gamma**2 * s.trace), (),
                 "gamma * lam in the carry"),
    AdvantageBug("gamma-missing", "gamma is missing before the next value", only(_undiscounted), (), "gamma * V(s') in delta"),
    AdvantageBug("lambda-on-value", "lambda multiplies the next value too",
                 only(lambda r, s: trace(r, s, residuals(r, s, s.trace * r.next_values))), (), "where lambda stands"),
    AdvantageBug("lambda-swapped", "1 - lambda stands for lambda in the carry", _factor(lambda s: s.gamma * (1 - s.trace)), (),
                 "gamma * lam in the carry"),
    AdvantageBug("swapped", "gamma and lambda are swapped in delta: r + lambda V(s')",
                 only(lambda r, s: trace(r, s, r.rewards + s.trace * np.where(stops(r, s), 0.0, r.next_values) - r.values)), (),
                 "the order of the arguments gamma and lam"),
    AdvantageBug("plus-value", "V(s_t) is added, not subtracted", only(lambda r, s: trace(r, s, residuals(r, s) + 2 * r.values)),
                 (), "the sign of V(s_t) in delta"),
    AdvantageBug("baseline-forgotten", "V(s_t) is not subtracted at the end: returns, not advantages",
                 lambda r, s: (reference(r, s)[1], reference(r, s)[1]), (), "whether advantages or returns are handed out", EVERY),
    AdvantageBug("sign", "the sign is flipped", lambda r, s: (-reference(r, s)[0], r.values - reference(r, s)[0]), (),
                 "V - G, or a loss that is a gain", EVERY),
    AdvantageBug("C4", "normalised: minus the mean, over the standard deviation", _normalised(),
                 ("openai/baselines#544", "DLR-RM/stable-baselines3#485", "huggingface/trl#3256"),
                 "the normalisation: give the advantages before it", EVERY),
    AdvantageBug("C4-sample", "normalised, with the standard deviation over n - 1", _normalised(ddof=1),
                 ("openai/baselines#544", "huggingface/trl#3256"), "the normalisation: give the advantages before it", EVERY),
    AdvantageBug("C4-row", "normalised row by row", _normalised(axis=1), ("openai/baselines#323",),
                 "the normalisation: give the advantages before it", EVERY),
    AdvantageBug("C4-mean", "the mean over the batch is subtracted", _normalised(divide=False), ("openai/baselines#544",),
                 "the normalisation: give the advantages before it", EVERY),
    AdvantageBug("C4-std", "divided by the standard deviation", _normalised(centre=False), ("hill-a/stable-baselines#697",),
                 "the normalisation: give the advantages before it", EVERY),
)


# ------------------------------------------------------------------------------------------------ V-trace


def _v_trace(clip=1.0, trace=lambda c, s: c * s.lam, squared=False, leak=False):
    """V-trace with one thing changed: the clip, what the trace is made of, the ratio taken twice, the target over a cut."""
    def wrong(r, s):
        clipped, delta = np.minimum(r.ratios, clip), residuals(r, s)
        correction = carried(r, clipped * delta * (clipped if squared else 1), s.gamma * trace(np.minimum(r.ratios, 1), s))
        targets = r.values + correction
        if not leak:
            return clipped * (delta + s.gamma * ahead(r, correction)), targets
        following = np.concatenate([targets[:, 1:], r.next_values[:, -1:]], axis=1)
        return clipped * (r.rewards + s.gamma * np.where(stops(r, s), 0.0, following) - r.values), targets
    return wrong


def _next_ratio(r, s):
    return replace(r, ratios=forward(r.ratios))


RATIOS = (
    AdvantageBug("B11", "the advantage takes the target of the next trajectory at a cut", _v_trace(leak=True),
                 ("pytorch/rl#4209",), "the target after the last step of a trajectory", ("v-trace",), VTRACE),
    AdvantageBug("F4", "the ratio is applied twice", _v_trace(squared=True), ("SlopDotCash/asi#462", "SlopDotCash/asi#1975"),
                 "how often rho multiplies delta", ("v-trace",), VTRACE),
    AdvantageBug("F4-index", "the ratio of the next step is used", on(_next_ratio), ("SlopDotCash/asi#2362",),
                 "the time index of rho", ("v-trace",), VTRACE),
    AdvantageBug("unclipped", "the ratio is not clipped", _v_trace(clip=np.inf), (), "min(1, rho)", ("v-trace",), VTRACE),
    AdvantageBug("c-missing", "the trace has no ratio", _v_trace(trace=lambda c, s: s.lam + 0 * c), (), "the c of the trace",
                 ("v-trace",), VTRACE),
    AdvantageBug("c-lambda", "the trace has no lambda", _v_trace(trace=lambda c, s: c), (),
                 "the lambda of the trace; V-trace as it was published has none: pass lam=1 if that is meant",
                 ("v-trace",), VTRACE),
    AdvantageBug("F1", "the ratios are all 1: the behaviour policy is missing",
                 on(lambda r, s: replace(r, ratios=np.ones_like(r.ratios))),
                 ("meta-pytorch/torchforge#571", "tensorforce/tensorforce#312"), "where the ratio comes from", ("v-trace",), VTRACE),
)
