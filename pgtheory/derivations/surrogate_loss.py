r"""The surrogate loss: differentiated with its weights held fixed, and its mean."""

from __future__ import annotations

import numpy as np

from ..claims.surrogate_loss import CLAIM, every_other, ratio_loss
from ..estimators import surrogate_loss
from ..routes.left import Left
from .episode_lines import OFF_THE_SIMPLEX, claimed, gradient, require
from .line import Line

MEAN = "Its mean is minus the gradient"


def _slope_of_loss(batch_of):
    """Derivative of the loss, of pi/pi_0 in place of log pi in fractions, whose slope is the same at pi = pi_0."""
    def left(setting) -> Left:
        problem, batch = setting.problem, batch_of(setting)
        if setting.exact:
            return setting.derivative(lambda theta: ratio_loss(problem, batch, theta))
        size = setting.k * setting.episodes.return_size * float(np.abs(np.log(setting.pi)).max())
        return setting.derivative(lambda theta: surrogate_loss(batch, problem.policy, theta, problem.gamma),
                                  lambda: size, setting.episodes.gradient_size)
    return left


def _half(setting):
    return every_other(setting.batch)


def _minus_estimates(setting):
    """(n,) minus the weighted sum of the estimates of every other trajectory, from the scores."""
    return -setting.each(setting.whole)[::2].sum(axis=0)


def lines(setting) -> list[Line]:
    """Some trajectories as data, and the mean over all of them."""
    require(CLAIM, setting)
    found = [
        Line("The gradient is minus the estimate",
             r"\nabla \left( -\sum_n p_n \sum_t \log\pi_\theta(a_t^n|s_t^n) R(\tau^n) \right) "
             r"= -\sum_n p_n \sum_t \nabla\log\pi_\theta(a_t^n|s_t^n) R(\tau^n)",
             "the loss is linear in log pi, with weights that are held fixed; here for every other trajectory",
             _slope_of_loss(_half), _minus_estimates, ("theta",), gradient),
    ]
    if setting.problem.policy.normalised:
        found.append(Line(
            MEAN, r"\nabla \left( -\mathbb{E}_\tau \left[ \sum_t \log\pi_\theta(a_t|s_t) R(\tau) \right] \right) = -\nabla J(\theta)",
            "the mean of the estimate is grad J (claim log-derivative); the right side is the claim's code",
            _slope_of_loss(lambda it: it.batch), claimed(CLAIM, 1), ("theta",), gradient))
    return found


def skipped(setting) -> list[tuple[str, str]]:
    """Why the mean is left out."""
    return [] if setting.problem.policy.normalised else [(MEAN, OFF_THE_SIMPLEX)]
