r"""Which estimator has how much variance on the short corridor: exact, by linear recursion, no simulation.

Three states that look alike, one of them with its actions switched; p is the probability of going right, and theta its logit.
Model: Sutton & Barto 2018, example 13.1.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from ..estimators import Baseline, Reinforce, RewardToGo
from ..models import load
from ..policies import SoftmaxPolicy
from ..solution import solve
from ..variance.baselines import optimal_baseline
from ..variance.exact import moments
from .style import BLUE, GREEN, GREY, ORANGE, VIOLET, plain

TITLE = "One mean, four variances: estimators on the short corridor"
SIZE = (11.5, 6.0)
POLICY = SoftmaxPolicy(features=[[[0.0], [1.0]]] * 4)      # one logit for all states: they look alike
COLOURS = {"REINFORCE, full return": BLUE, "reward-to-go": ORANGE, "reward-to-go - V(s)": GREEN,
           "reward-to-go - best b(s)": VIOLET}


def estimators(mdp, theta) -> dict:
    """The four, at theta, by name."""
    V = solve(mdp, POLICY.probabilities(theta)).V
    four = Reinforce(), RewardToGo(), Baseline(V), Baseline(optimal_baseline(mdp, POLICY, theta))
    return dict(zip(COLOURS, four, strict=True))


def numbers() -> dict:
    """Variances of d/d logit(p), for p from 0.2 to 0.85 and at 1/2; the common mean; (reward per unit of logit) squared."""
    mdp, p = load("short-corridor"), np.linspace(0.2, 0.85, 53)
    found: dict = {"p": p, "mean": [], "at 1/2": {}, "variances": {name: [] for name in COLOURS}}
    for theta in np.log(p / (1 - p)):
        for name, estimator in estimators(mdp, [theta]).items():
            result = moments(estimator, mdp, POLICY, [theta])
            found["variances"][name].append(float(result.variance[0]))
        found["mean"].append(float(result.mean[0]))
    found["at 1/2"] = {name: float(moments(e, mdp, POLICY, [0.0]).variance[0]) for name, e in estimators(mdp, [0.0]).items()}
    return found


def draw(figure, found) -> None:
    curves, bars = figure.subplots(1, 2, width_ratios=(1.5, 1))
    for name, colour in COLOURS.items():
        curves.semilogy(found["p"], found["variances"][name], color=colour, linewidth=2, label=name)
    curves.axvline(2 - np.sqrt(2), color=GREY, linewidth=1, linestyle="--", label="optimal p = 2 - sqrt 2")
    plain(curves, "exact variance of one episode's estimate", "p, probability of going right",
          "variance (reward per unit of logit, squared)")
    curves.set_ylim(150, 60_000)
    curves.legend(frameon=False, fontsize=11, ncols=2, loc="upper center")
    at = found["at 1/2"]
    drawn = bars.barh(list(at)[::-1], list(at.values())[::-1], color=list(COLOURS.values())[::-1], height=0.6)
    bars.bar_label(drawn, [str(Fraction(v).limit_denominator(1000)) for v in list(at.values())[::-1]], padding=4, fontsize=13)
    plain(bars, "at p = 1/2, where the mean is 2", "variance (same units)", "")
    bars.set_xlim(0, 1.25 * max(at.values()))
    bars.grid(False)
