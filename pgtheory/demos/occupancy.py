r"""Where D comes from: the unrolling adds, step by step, :math:`(1-\gamma)\gamma^t \Pr(s_t = x)` to the bar of state x.

After k steps the bars hold :math:`1 - \gamma^k` of all probability; in the end they are D, which linear algebra gives at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..models import load
from ..solution import solve
from .style import BLUE, GREY, ORANGE, plain

TITLE = "Where the discounted state distribution D comes from: the unrolling, step by step"
SIZE = (12.0, 5.8)
GAMMA, SHOWN, STEPS = 0.8, 9, 24


def numbers() -> dict:
    """Layers (1-gamma) gamma^t Pr(s_t = x), D by one linear solve, and how much is filled after k steps."""
    mdp: Any = load("chain", gamma=GAMMA)
    pi = np.full((mdp.n_states, mdp.n_actions), 1 / mdp.n_actions)
    law, P_pi = np.array(mdp.rho), np.einsum("sa,sat->st", pi, mdp.P)
    layers = np.empty((STEPS, mdp.n_states))
    for t in range(STEPS):
        layers[t] = (1 - GAMMA) * GAMMA**t * law
        law = law @ P_pi
    filled = np.concatenate([[0.0], np.cumsum(layers.sum(axis=1))])
    return {"gamma": GAMMA, "layers": layers, "D": solve(mdp, pi).D, "filled": filled}


def draw(figure, found) -> None:
    bars, curve = figure.subplots(1, 2, width_ratios=(1.6, 1))
    _bars(bars, found)
    k = np.arange(len(found["filled"]))
    curve.plot(k, found["filled"], "o", color=BLUE, markersize=4, label="sum of all bars after k steps")
    curve.plot(k, 1 - GAMMA**k, color=GREY, linewidth=1, label="1 - gamma^k")
    curve.axhline(1, color=ORANGE, linewidth=1.2, linestyle="--", label="all of D")
    plain(curve, "how fast they fill", "steps k", "probability")
    curve.legend(frameon=False, fontsize=11, loc="lower right")


def _bars(axes, found):
    from matplotlib import colormaps

    layers, D = found["layers"], found["D"]
    states, bottom, colours = np.arange(len(D)), np.zeros(len(D)), colormaps["viridis"](np.linspace(0.1, 0.95, SHOWN))
    for t in range(SHOWN):
        axes.bar(states, layers[t], bottom=bottom, width=0.72, color=colours[t], label=f"t = {t}")
        bottom = bottom + layers[t]
    axes.bar(states, D - bottom, bottom=bottom, width=0.72, color="#dddddd", label=f"t = {SHOWN} and later")
    axes.bar(states, D, width=0.72, fill=False, edgecolor="black", linewidth=1.4, label="D, by linear algebra")
    plain(axes, "a chain of four states and its end, both actions alike, gamma = 0.8", "state", "probability")
    axes.set_xticks(states, [*map(str, states[:-1]), "4 (end)"])
    axes.legend(frameon=False, fontsize=11, ncols=2)
