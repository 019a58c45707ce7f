r"""Dual numbers a + b e with e^2 = 0, over Fractions or balls: a function of them returns its value and its exact derivative.

Source: Clifford 1873; Griewank & Walther, *Evaluating Derivatives*, 2008, section 3.1 (forward mode).
"""

from __future__ import annotations

from fractions import Fraction

from .precise import Ball

ZERO = Fraction(0)


class Dual:
    """a + b e, both Fractions (or balls). Ordered by a, the number itself; b is infinitesimal.

    >>> from pgtheory.arithmetic.dual import Dual
    >>> x = Dual(3, 1)
    >>> 1 / (x * x)
    Dual(1/9, -2/27)
    """

    __slots__ = ("a", "b")

    def __init__(self, a, b=0):
        self.a, self.b = _part(a), _part(b)

    def __repr__(self):
        return f"Dual({self.a}, {self.b})"

    def __add__(self, other):
        other = _dual(other)
        return other if other is NotImplemented else Dual(self.a + other.a, self.b + other.b)

    __radd__ = __add__

    def __neg__(self):
        return Dual(-self.a, -self.b)

    def __sub__(self, other):
        other = _dual(other)
        return other if other is NotImplemented else Dual(self.a - other.a, self.b - other.b)

    def __rsub__(self, other):
        return -self + other

    def __mul__(self, other):
        other = _dual(other)
        return other if other is NotImplemented else Dual(_product(self.a, other.a), _product(self.a, other.b) + _product(self.b, other.a))

    __rmul__ = __mul__

    def __truediv__(self, other):
        other = _dual(other)
        if other is NotImplemented:
            return other
        quotient = self.a / other.a
        return Dual(quotient, (self.b - quotient * other.b) / other.a)

    def __rtruediv__(self, other):
        return Dual(other) / self

    def __pow__(self, n):
        if n == 0:
            return Dual(1)
        return Dual(self.a**n, n * self.a ** (n - 1) * self.b)

    def exp(self) -> Dual:
        """Of balls only: e to a power is no Fraction."""
        e = self.a.exp()
        return Dual(e, e * self.b)

    def __abs__(self):
        return -self if self.a < 0 else self

    def __eq__(self, other):
        other = _dual(other)
        return other if other is NotImplemented else bool(self.a == other.a and self.b == other.b)

    def __hash__(self):
        return hash((self.a, self.b))

    def __lt__(self, other):
        return self.a < _dual(other).a

    def __le__(self, other):
        return self.a <= _dual(other).a

    def __gt__(self, other):
        return self.a > _dual(other).a

    def __ge__(self, other):
        return self.a >= _dual(other).a


def _part(x):
    return x if type(x) in (Fraction, Ball) else Fraction(x)


def _product(x, y):
    """x y, with nothing done where either is a Fraction that is 0, as most slopes are."""
    return x * y if x and y else ZERO


def _dual(x):
    if isinstance(x, Dual):
        return x
    return Dual(x) if isinstance(x, (int, Fraction, Ball)) else NotImplemented
