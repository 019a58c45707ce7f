r"""A certified bound on the error of a float64 policy gradient: from the logits to the last digit.

The exact gradient is that of the model's very floats at the very floats of theta. Its policy is not the one whose
probabilities are stored: exp, the sum of a row and the division round. So the probabilities are enclosed first, by a radius
for each; then V, Q and d are enclosed for every policy within these radii (see :mod:`pgtheory.certify`); and then the
gradient is, as :math:`\sum_s d(s) \sum_a \nabla\pi(a|s)\, Q(s,a)`, in centers and radii.

What is taken on trust is that the exp and pow of numpy are within four units in the last place. Softmax (logits, weights or
features), direct and escort policies are covered; for any other policy, and where V or d cannot be certified, the bound is
infinity.
"""

from __future__ import annotations

import numpy as np

from .arithmetic.balls import Balls
from .certify import neighbourhood
from .policies import DirectPolicy, EscortPolicy, SoftmaxPolicy


def gradient_bound(solution, policy, theta, gradient) -> float:
    """At least the largest entry of ``|gradient - exact|``, in units of the gradient.

    Parameters
    ----------
    solution : Solution under ``policy.probabilities(theta)``
    policy, theta : as for :func:`pgtheory.policy_gradient`
    gradient : theta's shape, computed in whatever way

    Returns
    -------
    float; 0 in exact arithmetic, infinity where nothing can be certified

    Examples
    --------
    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.gradient_bounds import gradient_bound
    >>> mdp, policy, theta = pg.models.load("start-matters"), pg.SoftmaxPolicy(2, 2), np.zeros((2, 2))
    >>> solution, gradient = pg.solve(mdp, policy.probabilities(theta)), pg.policy_gradient(mdp, policy, theta)
    >>> gradient_bound(solution, policy, theta, gradient) < 1e-11
    True
    >>> gradient_bound(solution, policy, theta, gradient + 0.5) >= 0.5
    True
    """
    if solution.arithmetic.exact:
        return 0.0
    enclosed = _enclosure(policy)
    if enclosed is None or solution.pi.ndim > 2 or np.iscomplexobj(solution.pi):
        return np.inf
    with np.errstate(all="ignore"):
        pi, slope = enclosed(policy, np.asarray(theta, dtype=float))
        Q, d = neighbourhood(solution, abs(solution.pi - pi.mid) + pi.rad)
        exact = slope(d[:, None] * Q)
        largest = np.max((Balls.of(gradient) - exact).magnitude)
    return float(largest) if largest >= 0 else np.inf       # what is not a number bounds nothing


def _enclosure(policy):
    """The function (policy, theta) -> (pi, slope) of a policy's own kind; a subclass may have another formula."""
    return {SoftmaxPolicy: _softmax, DirectPolicy: _direct, EscortPolicy: _escort}.get(type(policy))


def _softmax(policy, theta):
    w = _weights(policy, theta)
    pi = w / w.sum(axis=1, keepdims=True)

    def slope(weights):
        """pi (w - sum pi w), with w counted from the likeliest action's: sum pi = 1 exactly."""
        rows = np.arange(len(pi.mid))
        from_likeliest = weights - weights[rows, pi.mid.argmax(axis=1)].center[:, None]
        centred = (from_likeliest - (pi * from_likeliest).sum(axis=1, keepdims=True)) * pi
        if policy.features is None:
            return centred
        flat = policy.features.reshape(-1, policy.features.shape[-1])
        return (centred.reshape((-1, 1)) * Balls.of(flat)).sum(axis=0)

    return pi, slope


def _weights(policy, theta) -> Balls:
    """(S, A) e^(logit - the row's largest), or the weights themselves over the row's largest."""
    if policy.weights:
        return Balls.of(theta) / Balls.of(theta.max(axis=1, keepdims=True))
    logits = Balls.of(theta)
    if policy.features is not None:
        logits = (Balls.of(policy.features) * Balls.of(theta)).sum(axis=2)
    return (logits - Balls.of(logits.mid.max(axis=1, keepdims=True))).exp()


def _direct(policy, theta):
    return Balls.of(theta), lambda weights: weights


def _escort(policy, theta):
    largest = Balls.of(abs(theta).max(axis=1, keepdims=True))
    size = Balls.of(abs(theta)) / largest
    whole = size.power(policy.power).sum(axis=1, keepdims=True)
    pi = size.power(policy.power) / whole
    steepness = size.power(policy.power - 1) * Balls.of(policy.power * np.where(theta < 0, -1.0, 1.0)) / whole / largest
    return pi, lambda weights: steepness * (weights - (pi * weights).sum(axis=1, keepdims=True))
