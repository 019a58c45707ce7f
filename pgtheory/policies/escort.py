"""Escort policies: probabilities proportional to a power of |theta|."""

from __future__ import annotations

from numbers import Real

import numpy as np

from ..arithmetic import as_array, in_balls
from ..errors import InvalidPolicyError, NotExactError
from ..validation import bracket, first
from .base import Policy, as_weights, parameters
from .tables import on_diagonal, table_shape, unit_like, zeros_like


class EscortPolicy(Policy):
    r"""Escort policy: :math:`\pi(a|s) \propto |\theta(s,a)|^p`.

    Parameters
    ----------
    n_states, n_actions : int
    power : float >= 1; an integer where theta is exact

    Raises :class:`InvalidPolicyError` where a row of theta is all zero. Source: Mei, Xiao, Dai, Li, Szepesvari, Schuurmans,
    *Escaping the gravitational pull of softmax*, NeurIPS 2020, definition 1.

    >>> import pgtheory as pg
    >>> from fractions import Fraction
    >>> pg.EscortPolicy(1, 2).probabilities([[Fraction(1), Fraction(-2)]])
    array([[Fraction(1, 5), Fraction(4, 5)]], dtype=object)
    """

    vectorized = True
    tabular = True

    def __init__(self, n_states, n_actions, power=2):
        self.shape = table_shape(n_states, n_actions)
        if isinstance(power, bool) or not isinstance(power, Real) or not 1 <= float(power) < np.inf:
            raise InvalidPolicyError(f"power is {power!r}: it must be a finite number of at least 1")
        self.power = int(float(power)) if float(power).is_integer() else float(power)

    def check_theta(self, theta):
        theta = parameters(theta, self.shape)
        zero = theta == 0
        if zero.all(axis=-1).any():
            raise InvalidPolicyError(f"theta{bracket(first(zero.all(axis=-1)))} is a row of zeros: |theta|^p cannot be "
                                     "normalised there")
        if theta.dtype == object and not isinstance(self.power, int) and not in_balls(theta):
            raise NotExactError(f"power {self.power} of exact parameters is not rational: use an integer power")
        return theta

    def probabilities(self, theta):
        """(..., S, A)."""
        w = self._magnitude(self.check_theta(theta)) ** self.power
        return w / w.sum(axis=-1, keepdims=True)

    def _magnitude(self, theta):
        """|theta|, analytic in theta: its sign is taken from the real part; scaled by the row's largest where floating."""
        if theta.dtype == object:
            return theta if self.power % 2 == 0 else theta * self._sign(theta)
        return theta * self._sign(theta) / np.abs(np.real(theta)).max(axis=-1, keepdims=True)

    def _sign(self, theta):
        if theta.dtype != object:
            return np.where(np.real(theta) < 0, -1.0, 1.0)
        if as_array(theta)[1].symbolic:
            raise NotExactError(f"|theta|^{self.power} of symbols is not rational: use an even power")
        return np.where(theta < 0, -1, 1).astype(object)

    def inner_slope(self, theta) -> float:
        """The largest slope of |theta|^p, over its row's sum."""
        return float(np.abs(self._slope(np.asarray(self.check_theta(theta), dtype=float))).max())

    def jacobian(self, theta):
        """(S, A, S, A)."""
        theta = self.check_theta(theta)
        S, A = self.shape
        pi = self.probabilities(theta)
        out = zeros_like(pi, (S, A, S, A))
        s = np.arange(S)
        out[s, :, s, :] = (unit_like(pi, A) - pi[:, :, None]) * self._slope(theta)[:, None, :]
        return out

    def _slope(self, theta):
        """(S, A): d |theta(s, a)|^p / d theta(s, a), over the row's sum; 0 at theta = 0 where p > 1."""
        m = self._magnitude(theta)
        p = self.power
        if theta.dtype == object:
            sign = 1 if p % 2 == 0 else self._sign(theta)
            return p * m ** (p - 1) * sign / (m**p).sum(axis=-1, keepdims=True)
        largest = np.abs(theta).max(axis=-1, keepdims=True)
        return p * m ** (p - 1) * self._sign(theta) / (m**p).sum(axis=-1, keepdims=True) / largest

    def pullback(self, theta, weights):
        """(S, A)."""
        theta = self.check_theta(theta)
        pi = self.probabilities(theta)
        weights = as_weights(weights, pi.shape)
        return self._slope(theta) * (weights - (pi * weights).sum(axis=-1, keepdims=True))

    def state_pullback(self, theta, weights):
        """(S, S, A)."""
        return on_diagonal(self.pullback(theta, weights))

    def __repr__(self):
        return f"EscortPolicy({self.shape[0]}, {self.shape[1]}, power={self.power})"
