r"""Arrays of float64 centers with radii: every number of the exact calculation lies within its radius of its center.

Source: Rump, *Verification methods*, Acta Numerica 19 (2010), section 9 (midpoint-radius arithmetic in rounding to nearest).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .twofold import TINY, UNIT, upward

LIBRARY_ULPS = 4    # units in the last place that exp and pow of an array library may be off; numpy's are within them


@dataclass(frozen=True)
class Balls:
    """mid : array of floats; rad : array of their radii, never negative.

    >>> import numpy as np
    >>> from pgtheory.arithmetic.balls import Balls
    >>> third = Balls.of(np.array([1.0])) / Balls.of(np.array([3.0]))
    >>> bool(third.rad[0] < 1e-15), third.mid
    (True, array([0.33333333]))
    """

    mid: np.ndarray
    rad: np.ndarray

    @classmethod
    def of(cls, x) -> Balls:
        """Floats as they are, exactly."""
        x = np.asarray(x, dtype=float)
        return cls(x, np.zeros_like(x))

    def __getitem__(self, index) -> Balls:
        return Balls(self.mid[index], self.rad[index])

    def reshape(self, shape) -> Balls:
        return Balls(self.mid.reshape(shape), self.rad.reshape(shape))

    @property
    def center(self) -> Balls:
        """The centers alone, as exact numbers."""
        return Balls.of(self.mid)

    @property
    def magnitude(self) -> np.ndarray:
        """An upper bound on the absolute value."""
        return upward(abs(self.mid) + self.rad)

    def __add__(self, other) -> Balls:
        mid = self.mid + other.mid
        return Balls(mid, upward(self.rad + other.rad + UNIT * abs(mid)))

    def __sub__(self, other) -> Balls:
        return self + Balls(-other.mid, other.rad)

    def __mul__(self, other) -> Balls:
        mid = self.mid * other.mid
        spread = abs(self.mid) * other.rad + self.rad * abs(other.mid) + self.rad * other.rad
        return Balls(mid, upward(spread + UNIT * abs(mid)))

    def __truediv__(self, other) -> Balls:
        """By positive numbers; where a divisor may be 0 the radius is infinite."""
        mid, least = self.mid / other.mid, other.mid - upward(other.rad)
        rad = upward(upward(self.rad + abs(mid) * other.rad) / least + 2 * UNIT * abs(mid))
        return Balls(mid, np.where(least > 0, rad, np.inf))

    def sum(self, axis, keepdims=False) -> Balls:
        """The sum along an axis of n entries: n - 1 roundings, each of at most the sum of absolute values (Higham 2002, 4.2)."""
        n, mid = self.mid.shape[axis], self.mid.sum(axis=axis, keepdims=keepdims)
        size = abs(self.mid).sum(axis=axis, keepdims=keepdims)
        slack = 1 + 4 * n * UNIT
        return Balls(mid, upward(slack * (self.rad.sum(axis=axis, keepdims=keepdims) + n * UNIT * size)))

    def exp(self) -> Balls:
        """e to the power of each; the library's own error is counted."""
        mid = np.exp(self.mid)
        high, low = np.exp(upward_sum(self.mid, self.rad)), np.exp(-upward_sum(-self.mid, self.rad))
        return Balls(mid, upward(np.maximum(high - mid, mid - low) + 2 * LIBRARY_ULPS * UNIT * high + 4 * TINY))

    def power(self, p: float) -> Balls:
        """Numbers >= 0 to the power p >= 0; the library's own error is counted."""
        mid, high = self.mid**p, upward(self.mid + self.rad) ** p
        low = np.maximum(self.mid - upward(self.rad), 0) ** p
        return Balls(mid, upward(np.maximum(high - mid, mid - low) + 2 * LIBRARY_ULPS * UNIT * high + 4 * TINY))


def upward_sum(x, rad):
    """At least x + rad, for rad >= 0.

    >>> from pgtheory.arithmetic.balls import upward_sum
    >>> upward_sum(1.0, 2.0**-60) > 1
    True
    """
    total = x + rad
    return total + 2 * UNIT * abs(total) + TINY
