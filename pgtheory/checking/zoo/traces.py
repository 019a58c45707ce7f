"""Bugs of advantages that lean on a critic, seen through the gradient that they give."""

from __future__ import annotations

import numpy as np

from .mutant import Mutant, later, to_go

GAE = "gae(0.9)"


def _traced(s, delta=None, factor=None):
    return s.d * to_go(s.delta if delta is None else delta, s.gamma * s.lam if factor is None else factor)


def _bootstrapped(s, where, values=None):
    """TD errors that bootstrap ``where``."""
    return np.where(s.valid, s.r + s.gamma * np.where(where, s.V_next if values is None else values, 0.0) - s.V, 0.0)


TRACES = (
    Mutant("truncation-as-termination", "an episode cut by a time limit is taken for terminated: nothing is bootstrapped",
           lambda s: _traced(s, _bootstrapped(s, ~s.last)), row="B7, B4", target=GAE,
           links=("openai/baselines#436", "vwxyzjn/cleanrl#198", "vwxyzjn/cleanrl#457", "luchris429/purejaxrl#20",
                  "hill-a/stable-baselines#195"),
           look="bootstrap with V of the state reached where truncated and not terminated"),
    Mutant("time-limit-same-state", "at a time limit it bootstraps from s_t, not from the state reached",
           lambda s: _traced(s, np.where(s.truncated, s.r + s.gamma * s.V - s.V, s.delta)), row="B8, B2, B3", target=GAE,
           links=("leggedrobotics/rsl_rl#151", "leggedrobotics/rsl_rl#20", "leggedrobotics/rsl_rl#43",
                  "DLR-RM/stable-baselines3#183", "tensorflow/agents#953"),
           look="V of the last observation before the reset"),
    Mutant("truncated-step-masked", "the advantage of a truncated step is set to 0",
           lambda s: _traced(s, np.where(s.truncated, 0.0, s.delta)), row="B18", target=GAE,
           links=("EdanToledo/Stoix#142", "EdanToledo/Stoix#148"), look="the mask cuts the trace, not the step"),
    Mutant("bootstraps-at-termination", "the done mask is missing: it bootstraps from terminal states",
           lambda s: _traced(s, _bootstrapped(s, s.valid)), row="B17", target=GAE,
           links=("seungeunrho/minimalRL#32", "seungeunrho/minimalRL#21"), look="gamma * V_next * (1 - terminated)"),
    Mutant("bootstraps-at-horizon", "it bootstraps at the horizon, where the problem itself ends",
           lambda s: _traced(s, _bootstrapped(s, ~s.entered)), target=GAE, look="is the end a termination or a time limit?"),
    Mutant("done-one-late", "the done mask of step t + 1 is used for step t",
           lambda s: _traced(s, _bootstrapped(s, ~later(s.terminated, False)), s.gamma * s.lam * ~later(s.last, False)),
           row="B1", target=GAE,
           links=("DLR-RM/stable-baselines3#105", "anthonytorlucci/rlevo#342", "RoboVerseOrg/RoboVerse#814"),
           look="dones[t] or dones[t + 1]: does done say that s_t is a start, or that step t was the last?"),
    Mutant("no-lambda", "lambda is forgotten in the trace", lambda s: _traced(s, factor=s.gamma), target=GAE,
           look="the trace decays by gamma * lam"),
    Mutant("no-gamma-in-trace", "gamma is forgotten in the trace", lambda s: _traced(s, factor=s.lam), target=GAE,
           look="the trace decays by gamma * lam"),
    Mutant("no-trace", "the trace is forgotten: one-step TD errors", lambda s: s.d * s.delta, target=GAE,
           look="the advantage of t + 1 enters that of t"),
    Mutant("no-gamma-in-delta", "gamma is forgotten in the TD error",
           lambda s: _traced(s, s.r + np.where(s.terminated, 0.0, s.V_next) - s.V), target=GAE, look="r + gamma V' - V"),
    Mutant("forward-trace", "the trace runs forwards in time", target=GAE,
           weights=lambda s: s.d * to_go(s.delta[..., ::-1], s.gamma * s.lam)[..., ::-1], look="accumulate from the end"),
    Mutant("no-value-subtracted", "V(s_t) is left out of every TD error; in a lambda return: the next value counts whole, not 1 - lambda",
           lambda s: _traced(s, s.delta + s.V), target=GAE, look="r + gamma V' - V(s_t); or (1 - lam) V' + lam G'"),
    Mutant("next-lambda-return", "the lambda-return of t + 1 minus V(s_t) as advantage of t", row="A16", target=GAE,
           weights=lambda s: s.d * (later(to_go(s.delta, s.gamma * s.lam) + s.V) - s.V), links=("danijar/dreamerv2#60",),
           look="both from the same step"),
    Mutant("critic-unused", "plain returns: the critic is not used, and what follows a time limit counts 0",
           lambda s: s.d * s.G, target=GAE, look="advantages need values; returns of cut episodes are not known"),
)
