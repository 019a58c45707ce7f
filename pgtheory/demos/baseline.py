r"""Three statements about baselines and reward-to-go that are often made too strongly, each with its numbers.

The bandit pays 1 or 0. A baseline b leaves the mean of :math:`\nabla\log\pi(a)(r - b)` alone, whatever b is, also where it
depends on theta; what it must not depend on is the action. The variance is a parabola in b. And two steps on which
reward-to-go has the larger variance.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from ..estimators import Baseline, Reinforce, RewardToGo
from ..models import load
from ..policies import SoftmaxPolicy
from ..solution import solve
from ..trajectories.enumeration import enumerate_trajectories
from ..trajectories.scores import score_sums
from ..variance.exact import moments
from .style import BLUE, GREEN, GREY, ORANGE, RED, plain

TITLE = "A baseline leaves the mean alone and moves the variance, not always down"
SIZE = (16.0, 5.4)
ONE = Fraction(1)
POLICY = SoftmaxPolicy(2, 2, weights=True)
LIKELY = np.array([[9 * ONE, ONE], [ONE, ONE]])      # pi(a0) = 9/10
EVEN = np.array([[ONE, ONE], [ONE, ONE]])


def numbers() -> dict:
    """Means and variances of the first component of the estimate, d/d logit(a0); reward units per unit of logit."""
    bandit = load("bandit", exact=True)
    value = solve(bandit, POLICY.probabilities(LIKELY)).J
    found = {"baselines": [Fraction(k, 20) for k in range(-4, 25)]}
    curve = [_moments(Baseline(b), bandit, LIKELY) for b in found["baselines"]]
    found["means"], found["variances"] = [m for m, _ in curve], [v for _, v in curve]
    for name, b in (("without", Fraction(0)), ("with the value", value), ("with the best", Fraction(1, 10))):
        found[f"mean {name}"], found[f"variance {name}"] = _moments(Baseline(b), bandit, LIKELY)
    found["value"] = value
    found |= _what_may_be_added(bandit) | _two_steps()
    return found


def _moments(estimator, mdp, theta, horizon=1):
    result = moments(estimator, mdp, POLICY if theta.shape == (2, 2) else SoftmaxPolicy(*theta.shape, weights=True), theta,
                     horizon=horizon)
    return result.mean[0, 0], result.variance[0, 0]


def _what_may_be_added(bandit):
    """At p = 1/2, where the gradient is 1/4: the value as a baseline, which depends on theta; c = (0, 3), which does not."""
    batch = enumerate_trajectories(bandit, POLICY.probabilities(EVEN), 1)
    c = np.array([0 * ONE, 3 * ONE])[batch.actions]
    shifted = batch.mean(score_sums(batch, POLICY, EVEN, batch.rewards + c))
    value = solve(bandit, POLICY.probabilities(EVEN)).J
    return {"gradient": _moments(Reinforce(), bandit, EVEN)[0],
            "mean with a baseline that depends on theta": _moments(Baseline(value), bandit, EVEN)[0],
            "mean with a term that depends on the action": shifted[0, 0]}


def _two_steps():
    """One parameter pair shared by both steps of the model reward-to-go: the sum of the two states' components."""
    mdp = load("reward-to-go", exact=True)
    policy, theta = SoftmaxPolicy(3, 2, weights=True), np.array([[ONE, ONE]] * 3)
    batch = enumerate_trajectories(mdp, policy.probabilities(theta), 2)
    found = {}
    for name, estimator in (("full return", Reinforce()), ("reward-to-go", RewardToGo())):
        shared = estimator(batch, policy, theta, mdp.gamma)[:, :, 0].sum(axis=1)
        mean = batch.mean(shared)
        found[f"variance of {name}"] = batch.mean((shared - mean) * (shared - mean))
    return found


def draw(figure, found) -> None:
    parabola, bars, steps = figure.subplots(1, 3, width_ratios=(1.5, 1, 1))
    _parabola(parabola, found)
    plain(bars, "what may be added? pi(a0) = 1/2", "weight of the score", "mean (reward per unit of logit)")
    _bars(bars, {"r": ("r: the gradient", found["gradient"], GREY),
                 "r - V": ("V moves with theta", found["mean with a baseline that depends on theta"], GREEN),
                 "r + c(a)": ("c = (0, 3) moves with the action", found["mean with a term that depends on the action"], RED)})
    bars.set_ylim(-0.6, 0.75)
    plain(steps, "two steps, rewards +1 and -1", "weight of the score", "variance (reward per unit of logit, squared)")
    _bars(steps, {"full return": ("0: the rewards cancel", found["variance of full return"], BLUE),
                  "reward-to-go": ("past rewards left out", found["variance of reward-to-go"], ORANGE)})
    steps.set_ylim(0, 0.36)


def _parabola(axes, found):
    b = [float(x) for x in found["baselines"]]
    axes.plot(b, [float(v) for v in found["variances"]], color=BLUE, linewidth=2, label="variance")
    axes.plot(b, [float(m) for m in found["means"]], color=GREEN, linewidth=2, label="mean: 9/100 for every b")
    for name, x, text, offset in (("without", 0.0, "b = 0: 0.0009", (-22, 22)), ("with the best", 0.1, "b = 1/10: 0", (4, -12)),
                                  ("with the value", 0.9, "b = V = 9/10: 0.0576", (-152, 0))):
        y = float(found[f"variance {name}"])
        axes.plot(x, y, "o", color=RED, markersize=7)
        axes.annotate(text, (x, y), offset, textcoords="offset points", fontsize=11, color=RED)
    plain(axes, "bandit, pi(a0) = 9/10, rewards (1, 0)", "baseline b (reward)",
          "mean (reward per unit of logit);\nvariance (the same, squared)")
    axes.set_ylim(-0.012, 0.13)
    axes.legend(frameon=False, loc="upper left", fontsize=11)


def _bars(axes, shown):
    """Bars by tick label: (legend, height, colour)."""
    for tick, (label, height, colour) in shown.items():
        bar = axes.bar([tick], [float(height)], color=colour, width=0.6, label=label)
        axes.bar_label(bar, [str(height)], padding=2, fontsize=13)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.legend(frameon=False, loc="upper left", fontsize=11)
