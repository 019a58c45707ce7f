r"""The surrogate loss: differentiated with its weights held fixed, and its mean."""

from __future__ import annotations

import numpy as np

from ..claims.surrogate_loss import CLAIM, ratio_loss
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
                                  lambda: size, lambda: _estimate(setting))
    return left


def _estimate(setting) -> float:
    """An estimate that is not averaged: scores are as large as 1/pi."""
    return setting.episodes.gradient_size() / float(setting.pi.min())


def _some(setting):
    """Every other trajectory, each with the weight 1/N."""
    return setting.batch.take(np.arange(0, len(setting.batch), 2))


def _minus_estimates(setting) -> Left:
    """(n,) minus the mean of their estimates, from the scores."""
    estimates = (setting.scores[::2] * setting.whole[::2, :, None]).sum(axis=1)
    value = estimates.sum(axis=0) / -setting.number(len(estimates))
    if setting.exact:
        return Left(value, 0)
    return Left(value, setting.jacobian_error / float(setting.pi.min()) * setting.k * setting.episodes.return_size)


def lines(setting) -> list[Line]:
    """Some trajectories as data, and the mean over all of them."""
    require(CLAIM, setting)
    found = [
        Line("The gradient is minus the estimate",
             r"\nabla \left( -\frac{1}{N} \sum_n \sum_t \log\pi_\theta(a_t^n|s_t^n) R(\tau^n) \right) "
             r"= -\frac{1}{N} \sum_n \sum_t \nabla\log\pi_\theta(a_t^n|s_t^n) R(\tau^n)",
             "the loss is linear in log pi, with weights that are held fixed; here for every other trajectory",
             _slope_of_loss(_some), _minus_estimates, ("theta",), _estimate),
    ]
    if setting.problem.policy.normalised:
        found.append(Line(
            MEAN,
            r"\nabla \left( -\mathbb{E}_\tau \left[ \sum_t \log\pi_\theta(a_t|s_t) R(\tau) \right] \right) "
            r"= -\nabla J(\theta)",
            "the mean of the estimate is grad J (claim log-derivative); the right side is the claim's code",
            _slope_of_loss(lambda it: it.batch), claimed(CLAIM, 1), ("theta",), gradient))
    return found


def skipped(setting) -> list[tuple[str, str]]:
    """Why the mean is left out."""
    return [] if setting.problem.policy.normalised else [(MEAN, OFF_THE_SIMPLEX)]
