r"""Numbers of as many bits as asked for, each within a known radius: ball arithmetic, python-flint's Arb.

Where float64 cannot decide (gamma next to 1, a saturated softmax, rewards with a huge offset) the same formulas run over
:class:`Ball`: every operation encloses the exact result, so that what comes out is a theorem about the numbers that went in.
Floats go in as the very numbers they are. Two balls that have no point in common are different numbers; two that overlap may
be equal, and the more bits, the less room is left for doubt.

Source: Johansson, *Arb: efficient arbitrary-precision midpoint-radius interval arithmetic*, IEEE Trans. Computers 66 (2017).
"""

from __future__ import annotations

import math
import operator
from numbers import Integral, Rational, Real

import numpy as np

from ..errors import MissingExtraError, NotExactError, PGTheoryError, UndefinedError
from .entries import objects

LEAST_BITS, MOST_BITS = 2, 2**20


class Ball:
    """A real number that is known up to a radius; arithmetic keeps the exact result inside.

    ``x == y`` is true where both are known to be one number, ``x < y`` where it is certain. Floats, integers and Fractions
    mix with balls as the exact numbers they are. ``mid`` is the nearest float to the center, ``rad`` a float that is at
    least the radius.

    >>> from pgtheory.arithmetic.precise import Ball
    >>> third = Ball.of(1, 200) / 3
    >>> third.rad < 1e-60, float(third), third * 3 == 1, (third * 3).overlaps(1), third < 0.34
    (True, 0.3333333333333333, False, True, True)
    """

    __slots__ = ("bits", "x")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, x, bits: int):
        self.x, self.bits = x, bits

    @classmethod
    def of(cls, value, bits: int) -> Ball:
        """An int, float or Fraction as a ball: of radius 0 where it fits into the bits."""
        if isinstance(value, Ball):
            return value if value.bits == bits else cls(value.x, bits)
        x = _at(bits, _enclosed, value)
        if x is NotImplemented:
            raise NotExactError(f"{value!r} is no number that a ball could enclose: give floats, integers or Fractions")
        return cls(x, bits)

    def _with(self, operation, other, swapped=False):
        bits = max(self.bits, other.bits) if isinstance(other, Ball) else self.bits
        return _at(bits, _combined, operation, self.x, other, swapped, bits)

    def __add__(self, other):
        return self._with(operator.add, other)

    __radd__ = __add__

    def __sub__(self, other):
        return self._with(operator.sub, other)

    def __rsub__(self, other):
        return self._with(operator.sub, other, swapped=True)

    def __mul__(self, other):
        return self._with(operator.mul, other)

    __rmul__ = __mul__

    def __truediv__(self, other):
        return self._with(operator.truediv, other)

    def __rtruediv__(self, other):
        return self._with(operator.truediv, other, swapped=True)

    def __pow__(self, other):
        return self._with(operator.pow, other)

    def __neg__(self):
        return Ball(-self.x, self.bits)

    def __abs__(self):
        return Ball(_at(self.bits, abs, self.x), self.bits)

    def exp(self) -> Ball:
        """e to its power; numpy's exp finds this on arrays of balls."""
        return Ball(_at(self.bits, type(self.x).exp, self.x), self.bits)

    def log(self) -> Ball:
        """The natural logarithm."""
        return Ball(_at(self.bits, type(self.x).log, self.x), self.bits)

    def _compared(self, relation, other):
        y = other.x if isinstance(other, Ball) else _at(self.bits, _enclosed, other)
        return y if y is NotImplemented else bool(relation(self.x, y))

    def __eq__(self, other):
        return self._compared(lambda x, y: x.is_exact() and y.is_exact() and x == y, other)

    def __lt__(self, other):
        return self._compared(operator.lt, other)

    def __le__(self, other):
        return self._compared(operator.le, other)

    def __gt__(self, other):
        return self._compared(operator.gt, other)

    def __ge__(self, other):
        return self._compared(operator.ge, other)

    def overlaps(self, other) -> bool:
        """They may be one number: they have a point in common."""
        return self._compared(lambda x, y: x.overlaps(y), other)

    @property
    def mid(self) -> float:
        """The center, rounded to a float."""
        return float(self.x.mid())

    @property
    def rad(self) -> float:
        """At least the radius."""
        return _upper(self.x.rad())

    @property
    def upper(self) -> float:
        """At least the absolute value."""
        return _upper(self.x.abs_upper())

    @property
    def lower(self) -> float:
        """At most the absolute value; 0 where the ball holds 0."""
        return max(0.0, math.nextafter(float(self.x.abs_lower()), -math.inf))

    @property
    def is_negative(self) -> bool:
        """Certainly below 0."""
        return bool(self.x < 0)

    def __float__(self):
        return self.mid

    def __repr__(self):
        return self.x.str(20)


def _upper(x) -> float:
    """A float that is at least the exact x."""
    found = float(x)
    return math.nextafter(found, math.inf) if found else float(x > 0) * 5e-324


def _at(bits, function, *arguments):
    """The function's value with that many bits; the context, which is everybody's, is left as it was."""
    context = flint_or_raise().ctx
    before, context.prec = context.prec, bits
    try:
        return function(*arguments)
    finally:
        context.prec = before


def _combined(operation, x, other, swapped, bits):
    y = other.x if isinstance(other, Ball) else _enclosed(other)
    if y is NotImplemented:
        return y
    return Ball(operation(y, x) if swapped else operation(x, y), bits)


def _enclosed(value):
    """An arb for a number of Python or numpy."""
    flint = flint_or_raise()
    if isinstance(value, Integral):
        return flint.arb(int(value))
    if isinstance(value, Rational):
        return flint.arb(flint.fmpq(int(value.numerator), int(value.denominator)))
    return flint.arb(float(value)) if isinstance(value, Real) and math.isfinite(value) else NotImplemented


def flint_or_raise():
    """The module; :class:`MissingExtraError` where it is not installed."""
    try:
        import flint
    except ImportError:
        raise MissingExtraError('ball arithmetic needs python-flint: pip install "pgtheory[exact]"') from None
    return flint


def whole_bits(bits) -> int:
    """A precision; :class:`PGTheoryError` where it is none."""
    if isinstance(bits, bool) or not isinstance(bits, (int, np.integer)) or not LEAST_BITS <= bits <= MOST_BITS:
        raise PGTheoryError(f"bits is {bits!r}: a precision is a whole number of bits, such as 128 (float64 has 53)")
    return int(bits)


def overlap(a, b) -> bool:
    """Every entry of one array of balls overlaps that of the other, so that the arrays may be equal.

    >>> import numpy as np
    >>> from pgtheory.arithmetic.precise import Ball, overlap
    >>> third = np.array([Ball.of(1, 100) / 3])
    >>> overlap(third * 3, np.array([1])), overlap(third, np.array([0.3333333333333333]))
    (True, False)
    """
    pairs = np.broadcast(np.asarray(a, dtype=object), np.asarray(b, dtype=object))
    return all(x.overlaps(y) if isinstance(x, Ball) else y.overlaps(x) if isinstance(y, Ball) else x == y for x, y in pairs)


def matrix(array):
    """The arb_mat of an (n, m) array of balls, and its bits."""
    entries = array.ravel().tolist()
    bits = max((x.bits for x in entries if isinstance(x, Ball)), default=LEAST_BITS)
    return flint_or_raise().arb_mat(*array.shape, [Ball.of(x, bits).x for x in entries]), bits


def product(A, B) -> np.ndarray:
    """A @ B for arrays of balls (n, m) and (m,) or (m, k), as one product of python-flint's matrices.

    >>> import numpy as np
    >>> from pgtheory.arithmetic.precise import Ball, product
    >>> half = np.array([[Ball.of(0.5, 64)]])
    >>> product(half, half)[0, 0] == 0.25
    True
    """
    (left, bits), (right, others) = matrix(A), matrix(B.reshape(len(B), -1))
    return _array(_at(max(bits, others), operator.mul, left, right), max(bits, others), (len(A),) + B.shape[1:])


def _array(found, bits, shape):
    return objects([Ball(x, bits) for x in found.entries()], shape)


class BallFactorization:
    r"""A system :math:`I - \gamma P` of balls, by its inverse.

    That the inverse takes 1 to something positive proves that P >= 0 times gamma has a spectral radius below 1 (Berman &
    Plemmons 1994, chapter 6): what solves the system is then the sum of its series, and not merely a solution.
    """

    def __init__(self, M):
        self._n = len(M)
        if not self._n:
            return
        system, bits = matrix(M)
        try:
            self._inverse = _array(_at(bits, system.inv), bits, M.shape)
        except ZeroDivisionError:
            raise _undecided(bits) from None
        if not all(x > 0 for x in self._inverse.sum(axis=1)):
            raise _undecided(bits)

    def solve(self, B, transpose=False):
        """X (n, m) or (n,) with M X = B, or M^T X = B."""
        if B.size == 0:
            return np.empty(B.shape, dtype=object)
        return product(self._inverse.T if transpose else self._inverse, B)


def _undecided(bits) -> UndefinedError:
    return UndefinedError(f"balls of {bits} bits cannot tell whether I - gamma P_pi has an inverse that is positive: take more "
                          "bits; where that does not help, rows that sum to more than 1 leave no value")
