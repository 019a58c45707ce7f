r"""Why learn the policy itself, in three pictures.

States that look alike (short corridor, Sutton & Barto 2018, example 13.1): every deterministic policy is arbitrarily bad, a
random one is best. Two actions of nearly equal value: an error of any size above the gap turns the greedy policy round, and
moves a softmax policy by at most the error over 4 tau. A continuous action: there is no table to maximise over; a policy
follows the gradient.
"""

from __future__ import annotations

import numpy as np

from ..continuous.deterministic_policies import DeterministicPolicy
from ..continuous.gradients import solve_policy
from ..continuous.model import ContinuousActionMDP
from ..models import load
from ..solution import policy_gradient, solve
from .style import BLUE, GREEN, GREY, ORANGE, RED, plain

TITLE = "Why learn the policy itself"
SIZE = (17.5, 5.4)
GAP, TAU = 0.01, 0.1                 # Q = (1, 1 - GAP); temperature of the softmax
PEAK, GRID = 0.37, np.linspace(-1, 1, 5)
STEP, ITERATIONS = 0.03, 60


def numbers() -> dict:
    """Values of the corridor, probabilities under an error of Q, and a climb on a continuous action."""
    return _corridor() | _errors() | _continuous()


def _corridor():
    mdp, p = load("short-corridor"), np.linspace(0.02, 0.98, 193)
    J = {x: float(solve(mdp, np.array([[1 - x, x]] * 4)).J) for x in (*p, 0.05, 0.95, 2 - np.sqrt(2))}
    return {"p": p, "J": np.array([J[x] for x in p]), "J left, 1 in 20 right": J[0.05], "J right, 1 in 20 left": J[0.95],
            "best p": 2 - np.sqrt(2), "best J": J[2 - np.sqrt(2)]}


def _errors():
    """Probability of action 1 and the policy's true value, when Q(action 1) is estimated too high by ``errors``."""
    errors = np.linspace(-0.1, 0.12, 221)
    greedy = (errors > GAP).astype(float)
    softmax = 1 / (1 + np.exp((GAP - errors) / TAU))
    bandit = load("bandit")          # values 1 and 0: the share of the gap that a policy keeps
    kept = [float(solve(bandit, np.array([[1 - x, x]] * 2)).J) for x in (*greedy, *softmax)]
    values = 1 - GAP * (1 - np.array(kept))
    return {"errors": errors, "greedy": greedy, "softmax": softmax, "greedy value": values[:len(errors)],
            "softmax value": values[len(errors):]}


def _continuous():
    """Reward exp(-8 (a - PEAK)^2) of one step: the best of five actions, and mu after every step of its gradient."""
    model = ContinuousActionMDP(lambda s, a: np.ones(1), lambda s, a: np.exp(-8 * (a - PEAK) ** 2), 0.0, np.ones(1), 1)
    policy, theta = DeterministicPolicy(features=np.ones((1, 1))), np.array([[-0.1]])
    path = [theta]
    for _ in range(ITERATIONS):
        theta = theta + STEP * policy_gradient(model, policy, theta)
        path.append(theta)
    return {"best of five": max(float(_value(model, policy, a)) for a in GRID), "path": np.array(path)[:, 0, 0],
            "path J": np.array([float(_value(model, policy, x[0, 0])) for x in path])}


def _value(model, policy, action):
    return solve_policy(model, policy, np.array([[action]])).J


def draw(figure, found) -> None:
    aliased, nearly, continuous = figure.subplots(1, 3)
    _draw_corridor(aliased, found)
    _draw_errors(nearly, found)
    _draw_continuous(continuous, found)


def _draw_corridor(axes, found):
    axes.plot(found["p"], found["J"], color=BLUE, linewidth=2, label="J(p); minus infinity at both ends")
    for x, name in ((0.05, "J left, 1 in 20 right"), (0.95, "J right, 1 in 20 left")):
        axes.plot(x, found[name], "s", color=RED, markersize=7)
        beside = (8 if x < 0.5 else -36, -3)
        axes.annotate(f"{found[name]:.1f}", (x, found[name]), beside, textcoords="offset points", color=RED)
    best = f"best: p = {found['best p']:.2f}, J = {found['best J']:.2f}"
    axes.plot(found["best p"], found["best J"], "*", color=GREEN, markersize=14, label=best)
    plain(axes, "three states that look alike (short corridor)", "p, probability of going right",
          "J (reward: minus the steps)")
    axes.plot([], [], "s", color=RED, label="greedy, but for one action in 20")
    axes.set_ylim(-110, 0)
    axes.legend(frameon=False, fontsize=11, loc="lower center")


def _draw_errors(axes, found):
    axes.plot(found["errors"], found["greedy"], color=RED, linewidth=2, label="greedy in the estimate")
    axes.plot(found["errors"], found["softmax"], color=BLUE, linewidth=2, label=f"softmax, tau = {TAU}")
    axes.axvline(GAP, color=GREY, linewidth=1, linestyle="--", label=f"error = gap = {GAP}")
    plain(axes, "two actions worth 1 and 0.99", "error in the estimate of the second (reward)",
          "probability of the second action")
    axes.set_ylim(-0.05, 1.55)
    axes.legend(frameon=False, fontsize=11, loc="upper left")
    value = axes.twinx()
    value.plot(found["errors"], found["greedy value"], ":", color=RED, linewidth=2, label="value of greedy")
    value.plot(found["errors"], found["softmax value"], ":", color=BLUE, linewidth=2, label="value of softmax")
    value.set_ylabel("true value (reward)", fontsize=13)
    value.set_ylim(0.9795, 1.0115)
    value.tick_params(labelsize=12)
    value.spines["top"].set_visible(False)
    value.legend(frameon=False, fontsize=11, loc="upper right")


def _draw_continuous(axes, found):
    a = np.linspace(-1, 1, 201)
    axes.plot(a, np.exp(-8 * (a - PEAK) ** 2), color=GREY, linewidth=2, label="Q(a)")
    axes.plot(GRID, np.exp(-8 * (GRID - PEAK) ** 2), "s", color=RED, markersize=7,
              label=f"greedy over 5 actions: {found['best of five']:.3f}")
    axes.plot(found["path"], found["path J"], "o-", color=ORANGE, markersize=4, linewidth=0.8,
              label=f"policy gradient: {found['path J'][-1]:.3f}")
    plain(axes, "a continuous action", "action a (action units)", "value (reward)")
    axes.legend(frameon=False, fontsize=11, loc="upper left")
    axes.set_xticks([-1, -0.5, 0, 0.5, 1])
    axes.set_ylim(0, 1.45)
