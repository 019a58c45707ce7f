r"""Gradient ascent on the short corridor, to :math:`p = 2 - \sqrt 2`.

:math:`J(p) = -2(2-p) / (p(1-p))`: both deterministic policies never arrive, and the best one is random. Left the exact gradient
from both sides, right one episode a step. Model: Sutton & Barto 2018, example 13.1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ascent import gradient_ascent
from ..estimators import Baseline, Reinforce
from ..models import load
from ..solution import solve
from .style import BLUE, GREEN, GREY, ORANGE, RED, plain
from .variance import POLICY

TITLE = "Gradient ascent on the short corridor, to p = 2 - sqrt 2"
SIZE = (12.0, 5.8)
STEP, ITERATIONS = 0.012, 500
EPISODES, SEEDS, SAMPLED_STEP = 300, 4, 2**-9
LEARNERS: dict[str, tuple[Any, str]] = {"exact gradient": (None, GREEN), "REINFORCE": (Reinforce(), BLUE),
            "REINFORCE, baseline -12": (Baseline(-12.0), ORANGE)}


def numbers() -> dict:
    """Iterates p of the exact ascent from 0.15 and 0.95, and J per episode of sampled ascents (mean over the seeds)."""
    mdp = load("short-corridor")
    p = np.linspace(0.08, 0.96, 200)
    found: dict = {"p": p, "J": np.array([_J(mdp, x) for x in p]), "optimum": 2 - np.sqrt(2)}
    found["paths"] = [_path(mdp, start) for start in (0.15, 0.95)]
    found["curves"] = {name: _curve(mdp, estimator) for name, (estimator, _) in LEARNERS.items()}
    return found


def _J(mdp, p):
    return solve(mdp, np.array([[1 - p, p]] * 4)).J


def _logit(p):
    return np.array([np.log(p / (1 - p))])


def _probability(theta):
    return 1 / (1 + np.exp(-np.asarray(theta)[:, 0]))


def _path(mdp, start):
    """(p, J) of every iterate, with steps that shrink where the gradient is large."""
    history = gradient_ascent(mdp, POLICY, _logit(start), step=STEP, iterations=ITERATIONS)
    return _probability(history.theta), history.J


def _curve(mdp, estimator):
    """(EPISODES + 1,) J of the policy after each episode, averaged over the seeds where it is random."""
    seeds = range(1 if estimator is None else SEEDS)
    runs = [gradient_ascent(mdp, POLICY, _logit(0.2), SAMPLED_STEP, EPISODES, estimator, rng=seed).J for seed in seeds]
    return np.mean(runs, axis=0)


def draw(figure, found) -> None:
    surface, curves = figure.subplots(1, 2)
    surface.plot(found["p"], found["J"], color=GREY, linewidth=2, label="J(p)")
    for (p, J), colour in zip(found["paths"], (BLUE, ORANGE), strict=True):
        surface.plot(p, J, "o-", color=colour, markersize=4, linewidth=0.8, label=f"exact ascent from p = {p[0]:.2f}")
    best = found["optimum"]
    surface.plot(best, -2 * (2 - best) / (best * (1 - best)), "*", color=RED, markersize=14, label="p = 2 - sqrt 2")
    plain(surface, "the value, and the way up", "p, probability of going right", "J (reward: minus the steps)")
    surface.set_ylim(-55, -8)
    surface.legend(frameon=False, fontsize=11, loc="lower center")
    for name, (_, colour) in LEARNERS.items():
        curves.plot(found["curves"][name], color=colour, linewidth=1.6, label=name)
    curves.axhline(found["J"].max(), color=RED, linewidth=1, linestyle="--", label="best J = -11.66")
    plain(curves, f"one episode a step, mean of {SEEDS} runs, from p = 0.20", "episode", "J of the policy (reward)")
    curves.legend(frameon=False, fontsize=11, loc="lower right")
