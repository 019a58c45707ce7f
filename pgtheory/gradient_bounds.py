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

from functools import cached_property

import numpy as np

from .arithmetic.balls import Balls
from .arithmetic.twofold import TINY, UNIT, upward
from .certify import neighbourhood_of
from .policies import DirectPolicy, EscortPolicy, SoftmaxPolicy


def gradient_bound(solution, policy, theta, gradient, directions=None) -> float:
    """At least the largest entry of ``|gradient - exact|``, in units of the gradient.

    Parameters
    ----------
    solution : Solution under ``policy.probabilities(theta)``
    policy, theta : as for :func:`pgtheory.policy_gradient`
    gradient : theta's shape, computed in whatever way; or (n,), its parts along ``directions``
    directions : None, or (n,) + theta's shape

    Returns
    -------
    float; 0 in exact arithmetic, the radius in balls, infinity where nothing can be certified

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
    if solution.arithmetic.enclosing:
        return max(getattr(x, "rad", 0.0) for x in np.asarray(gradient).flat)
    if solution.arithmetic.exact:
        return 0.0
    found = enclosure(solution, policy, theta, directions)
    return np.inf if found is None else found.off(gradient)


def enclosure(solution, policy, theta, directions=None) -> Enclosure | None:
    """What encloses the gradients of a float64 solution; None where the policy's formula is not known."""
    enclosed = _enclosure(policy)
    if enclosed is None or solution.pi.ndim > 2 or np.iscomplexobj(solution.pi):
        return None
    with np.errstate(all="ignore"):
        pi, rows = enclosed(policy, np.asarray(theta, dtype=float))
        return Enclosure(solution, policy, pi, rows, directions)


class Enclosure:
    r"""Q, d and the slopes of pi at the floats of theta, enclosed; and bounds on what is computed from them.

    With phi the gradient's source, :math:`\nabla V = (I - \gamma P_\pi)^{-1} \phi`: an X with the residual
    :math:`b = \phi - X + \gamma P_\pi X` is within :math:`x \max |b| / y` of it, column by column, with the x and y of
    :mod:`pgtheory.certify`. What is known of P_pi, b and phi is counted in radii.
    """

    def __init__(self, solution, policy, pi: Balls, rows, directions):
        self._solution, self._policy, self._rows = solution, policy, rows
        self._directions = directions
        self._slack = abs(solution.pi - pi.mid) + pi.rad
        self._near = neighbourhood_of(solution, self._slack)
        self.Q, self.d = self._near.Q, self._near.d

    def off(self, gradient) -> float:
        """At least |gradient - exact|, for a gradient of J."""
        with np.errstate(all="ignore"):
            rows = self._rows(self.d[:, None] * self.Q)
            whole = rows if self._directions is None and self._phi is None else self._along(rows).sum(axis=0)
            return _largest((Balls.of(gradient) - whole).magnitude)

    def source_off(self, source) -> float:
        """At least |source - exact|, for the (S, n) source of the gradient."""
        with np.errstate(all="ignore"):
            return _largest((Balls.of(source) - self.source).magnitude)

    def step_off(self, source, X) -> float:
        """At least what source + gamma P_pi X, computed in float64, misses of the exact source and law at the same X."""
        with np.errstate(all="ignore"):
            _, rad = self._carried(X)
            return self.source_off(source) + _largest(rad)

    def value_off(self, X) -> float:
        """At least |X - grad V| for any (S, n)."""
        with np.errstate(all="ignore"):
            carried, rad = self._carried(X)
            return self._near.off((self.source - Balls.of(X) + Balls(carried, rad)).magnitude)

    @cached_property
    def source(self) -> Balls:
        """(S, n) sum_a grad pi Q along every coordinate, or along the directions."""
        return self._along(self._rows(self.Q))

    def _carried(self, X):
        """(center, radius) of gamma P_pi X: the policy is known within its slack, and so many terms are rounded."""
        kernel, gamma, P_pi = self._solution.mdp.kernel, self._solution.mdp.gamma, self._solution.P_pi
        roundings = 8 * UNIT * (sum(self._solution.pi.shape) + 8)
        size = abs(X)
        rad = kernel.mix(self._slack) @ size * (1 + roundings) + (P_pi @ size) * roundings
        return (P_pi @ X) * gamma, upward(gamma * upward(rad) + len(X) * TINY)

    @property
    def _phi(self):
        return getattr(self._policy, "features", None)

    def _along(self, rows: Balls) -> Balls:
        """(S, n) : rows (S, A) of slopes along the coordinates or the directions."""
        S, A = rows.mid.shape
        if self._phi is None and self._directions is None:
            return Balls(*(_on_diagonal(x) for x in (rows.mid, rows.rad)))
        if self._phi is None:
            along = Balls.of(np.moveaxis(self._directions, 0, -1))
        else:
            along = Balls.of(self._phi)
            if self._directions is not None:
                flat = self._directions.reshape(len(self._directions), -1)
                along = (along.reshape((S, A, 1, -1)) * Balls.of(flat)).sum(axis=3)
        return (rows.reshape((S, A, 1)) * along).sum(axis=1)


def _on_diagonal(rows):
    """(S, S A) with row s of an (S, A) at the parameters of s."""
    S, A = rows.shape
    out = np.zeros((S, S, A))
    out[np.arange(S), np.arange(S)] = rows
    return out.reshape(S, S * A)


def _largest(x) -> float:
    """The largest entry; what is not a number bounds nothing."""
    largest = float(np.max(x, initial=0.0))
    return largest if largest >= 0 else np.inf


def _enclosure(policy):
    """The function (policy, theta) -> (pi, rows) of a policy's own kind; a subclass may have another formula.

    ``rows`` takes weights (S, A) to sum_b weights[s, b] d pi(b|s) / d theta(s, a), or d / d logit where there are features.
    """
    return {SoftmaxPolicy: _softmax, DirectPolicy: _direct, EscortPolicy: _escort}.get(type(policy))


def _softmax(policy, theta):
    w = _weights(policy, theta)
    pi = w / w.sum(axis=1, keepdims=True)

    def rows(weights):
        """pi (w - sum pi w), with w counted from the likeliest action's: sum pi = 1 exactly."""
        from_likeliest = weights - weights[np.arange(len(pi.mid)), pi.mid.argmax(axis=1)].center[:, None]
        return (from_likeliest - (pi * from_likeliest).sum(axis=1, keepdims=True)) * pi

    return pi, rows


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
