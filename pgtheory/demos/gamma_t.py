r"""The theorem weights time t by gamma^t; without it, what is followed is the gradient of no function.

State 0 leads on (to state 1) or ends; state 1 pays 1 or nothing, and ends. With sigmoids p, q of two logits,

.. math:: \nabla J = \gamma\,(p(1-p)q,\; pq(1-q)), \qquad F = (\gamma p(1-p)q,\; pq(1-q)),

F the field without gamma^t. A gradient has a symmetric Jacobian; that of F is symmetric for gamma = 1 only. Source: Nota &
Thomas, *Is the policy gradient a gradient?*, AAMAS 2020, for the statement; the model is this library's.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from ..estimators import RewardToGo
from ..models import load
from ..policies import SoftmaxPolicy
from ..solution import solve
from ..trajectories.enumeration import enumerate_trajectories
from .style import BLUE, ORANGE, RED, plain

TITLE = "Without gamma^t the update follows no gradient: its Jacobian is not symmetric"
SIZE = (17.0, 5.2)
FIELDS = {"with gamma^t": RewardToGo(), "without gamma^t": RewardToGo(gamma_weighting=False)}
GRID, WIDE = 13, 3.0


def numbers() -> dict:
    """Cross derivatives at logits 0 in Fractions, and both fields on a grid of the two logits."""
    found: dict = {"cross derivatives": {name: _cross_derivatives(estimator) for name, estimator in FIELDS.items()}}
    logits = np.linspace(-WIDE, WIDE, GRID)
    found["logits"] = logits
    found |= {name: np.array([[_field(estimator, x, y) for x in logits] for y in logits]) for name, estimator in FIELDS.items()}
    found["J"] = np.array([[_J(x, y) for x in logits] for y in logits])
    return found


def _cross_derivatives(estimator):
    """(dF_0/dx_1, dF_1/dx_0) at 0: the expectation is a rational function of two weights e^x, differentiated in its field."""
    from sympy import QQ
    from sympy.polys.fields import field

    K, a, c = field("a, c", QQ)
    one = K(1)
    theta = np.array([[a, one], [c, one], [one, one]], dtype=object)
    mdp, policy = load("dropped-gamma", exact=True), SoftmaxPolicy(3, 2, weights=True)
    batch = enumerate_trajectories(mdp, policy.probabilities(theta), 2)
    mean = batch.mean(estimator(batch, policy, theta, mdp.gamma))
    slopes = c * mean[0, 0].diff(c), a * mean[1, 0].diff(a)
    return tuple(Fraction(str(slope.as_expr().subs({"a": 1, "c": 1}))) for slope in slopes)


def _theta(x, y):
    return np.array([[x, 0.0], [y, 0.0], [0.0, 0.0]])


def _field(estimator, x, y):
    """(2,): the mean of the estimator at logits (x, y), its components in x and y."""
    mdp, policy = load("dropped-gamma"), SoftmaxPolicy(3, 2)
    batch = enumerate_trajectories(mdp, policy.probabilities(_theta(x, y)), 2)
    return batch.mean(estimator(batch, policy, _theta(x, y), mdp.gamma))[:2, 0]


def _J(x, y):
    return solve(load("dropped-gamma"), SoftmaxPolicy(3, 2).probabilities(_theta(x, y))).J


def draw(figure, found) -> None:
    right, wrong, bars = figure.subplots(1, 3, width_ratios=(1.1, 1.1, 1))
    _arrows(right, found, "with gamma^t", BLUE)
    _arrows(wrong, found, "without gamma^t", RED)
    _cross(bars, found["cross derivatives"])


def _arrows(axes, found, name, colour):
    x, field = found["logits"], found[name]
    filled = axes.contourf(x, x, found["J"], levels=12, cmap="Greys", alpha=0.55)
    axes.quiver(x, x, field[:, :, 0], field[:, :, 1], color=colour, angles="xy", width=0.006, label=f"field {name}")
    plain(axes, f"the field {name}", "logit of going on, in state 0", "logit of taking the reward, in state 1")
    axes.grid(False)
    axes.set_aspect("equal")
    axes.legend(loc="lower left", fontsize=11)
    axes.figure.colorbar(filled, ax=axes, shrink=0.75).set_label("J (reward)", fontsize=13)


def _cross(axes, slopes):
    labels = r"$\partial F_0/\partial x_1$", r"$\partial F_1/\partial x_0$"
    for shift, (name, colour) in zip((-0.2, 0.2), (("with gamma^t", BLUE), ("without gamma^t", RED)), strict=True):
        bars = axes.bar(np.arange(2) + shift, [float(v) for v in slopes[name]], width=0.36, color=colour, label=name)
        axes.bar_label(bars, [str(v) for v in slopes[name]], padding=3, fontsize=13)
    axes.set_xticks(range(2), labels)
    plain(axes, "cross derivatives at 0, gamma = 1/2", "entry of the Jacobian", "reward per squared unit of logit")
    axes.margins(y=0.25)
    axes.axhline(0.03125, color=ORANGE, linewidth=1, linestyle=":", label="symmetric: 1/32")
    axes.legend(frameon=False, loc="upper left", fontsize=11)
