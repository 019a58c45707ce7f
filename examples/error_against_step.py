"""Draw the figure of the README: the error of finite differences against their step, on the 5 x 5 gridworld.

Usage: python examples/error_against_step.py [FILE.svg]
"""

from __future__ import annotations

import sys

import numpy as np
from matplotlib.figure import Figure

import pgtheory as pg


def main(path: str) -> None:
    mdp, policy = pg.models.load("gridworld-5x5"), pg.SoftmaxPolicy(25, 4)
    theta = np.random.default_rng(0).normal(size=policy.shape)
    gradient = pg.policy_gradient(mdp, policy, theta)
    steps = 2.0 ** -np.arange(1, 46)
    central = [np.abs(central_difference(mdp, policy, theta, h) - gradient).max() for h in steps]
    value, _ = pg.derivative(mdp, policy, theta, route="complex-step")
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.add_subplot()
    axes.loglog(steps, central, "o-", markersize=3, linewidth=1, label="central differences")
    axes.loglog(steps, central[2] * (steps / steps[2]) ** 2, "--", linewidth=1, label="truncation, slope 2")
    axes.axhline(np.abs(value - gradient).max(), color="tab:green", linewidth=1.5, label="complex step (any h)")
    axes.set(xlabel="step h (logits)", ylabel="largest distance from the theorem\n(reward per unit of logit)",
             ylim=(1e-17, 10), title="5 x 5 gridworld, gamma = 0.9, softmax policy")
    axes.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})


def central_difference(mdp, policy, theta, h):
    """(S, A): (J(theta + h e) - J(theta - h e)) / 2h for every coordinate."""
    moves = h * np.eye(theta.size).reshape((-1,) + theta.shape)
    J = [pg.solve(mdp, policy.probabilities(theta + sign * moves)).J for sign in (1, -1)]
    return ((J[0] - J[1]) / (2 * h)).reshape(theta.shape)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "error-against-step.svg")
