r"""Rational functions kept as products of powers: arithmetic without a single greatest common divisor.

An element is p f_1^k_1 ... f_n^k_n with polynomials p and f_i and integers k_i of either sign. Products add exponents, sums
take out what the terms share and expand the rest, and two elements are equal where what remains on both sides is one
polynomial. A fraction field reduces every quotient to lowest terms instead, which costs a greatest common divisor of
polynomials in all symbols for every sum: with a dozen symbols that is nearly all the time it takes.

The systems solved here have few denominators, the row sums of weights and one determinant, and the exponents keep track of
them. Source of the idea: the factored denominators of Brown, *On computing with factored rational expressions*, SIGSAM
Bulletin 8 (1974).
"""

from __future__ import annotations

from functools import cached_property
from numbers import Rational

import numpy as np


class FactoredField:
    """The rational functions over a sympy polynomial ring, with :class:`Factored` elements.

    It stands wherever a sympy fraction field may stand: ``field(x)``, ``field.gens``, ``field.symbols``.

    >>> from sympy import QQ
    >>> from sympy.polys.rings import ring
    >>> from pgtheory.arithmetic.factored import FactoredField
    >>> K = FactoredField(ring("x, y", QQ)[0])
    >>> x, y = K.gens
    >>> (x**2 - y**2) / (x - y) == x + y
    True
    """

    def __init__(self, ring):
        self.ring = ring
        self.symbols = ring.symbols
        self.zero, self.one = Factored(self, ring.zero, {}), Factored(self, ring.one, {})

    @cached_property
    def gens(self) -> tuple:
        """The symbols as elements."""
        return tuple(Factored(self, x, {}) for x in self.ring.gens)

    @cached_property
    def reduced(self):
        """The sympy fraction field over the same ring, whose elements are in lowest terms."""
        return self.ring.to_field()

    def __call__(self, x) -> Factored:
        """An int, Fraction, polynomial or element of the fraction field, as an element of this one."""
        if isinstance(x, Factored):
            return x
        if isinstance(x, Rational):
            return self._number(int(x.numerator)) / self._number(int(x.denominator))
        if hasattr(x, "numer"):
            return self._polynomial(x.numer) / self._polynomial(x.denom)
        return self._polynomial(x)

    def from_expr(self, x) -> Factored:
        """A sympy expression, rational in the symbols."""
        return self(self.reduced.from_expr(x))

    def _number(self, n: int):
        return Factored(self, self.ring(n), {})

    def _polynomial(self, p):
        return Factored(self, p if p.ring == self.ring else p.set_ring(self.ring), {})

    def __eq__(self, other):
        return isinstance(other, FactoredField) and self.ring == other.ring

    def __hash__(self):
        return hash(("factored", self.ring))

    def __repr__(self):
        return f"FactoredField({', '.join(map(str, self.symbols))})"


class Factored:
    """rest * product of f^k over ``powers``, {polynomial f: k}; no f is a constant, no k is 0, and 0 has no powers."""

    __slots__ = ("field", "powers", "rest")

    def __init__(self, field: FactoredField, rest, powers: dict):
        self.field, self.rest = field, rest
        self.powers = powers if rest else {}

    # ------------------------------------------------------------------------------------------ products

    def __mul__(self, other):
        other = self._met(other)
        if other is NotImplemented:
            return other
        if len(self.rest) <= 1 or len(other.rest) <= 1:          # a monomial, a number or 0
            return Factored(self.field, self.rest * other.rest, _merged(self.powers, other.powers))
        a, b = self._split(), other._split()
        return Factored(self.field, a.rest * b.rest, _merged(a.powers, b.powers))

    __rmul__ = __mul__

    def __truediv__(self, other):
        other = self._met(other)
        return other if other is NotImplemented else self * other._inverse()

    def __rtruediv__(self, other):
        other = self._met(other)
        return other if other is NotImplemented else other * self._inverse()

    def __pow__(self, n: int):
        if n < 0:
            return self._inverse() ** -n
        split = self._split()
        return Factored(self.field, split.rest**n, {f: k * n for f, k in split.powers.items()} if n else {})

    def _inverse(self):
        if not self.rest:
            raise ZeroDivisionError("division by the zero element")
        split = self._split()
        unit, domain = split.rest.LC, self.field.ring.domain
        powers = {f: -k for f, k in split.powers.items()}
        if not domain.is_unit(unit):                             # an integer, where constants are integers
            return Factored(self.field, self.field.ring.one, _merged(powers, {split.rest: -1}))
        return Factored(self.field, self.field.ring.ground_new(domain.revert(unit)), powers)

    def _split(self):
        """The same element with a constant ``rest``: the polynomial that it was, scaled in one way, is now a factor."""
        if self.rest.is_ground:
            return self
        if len(self.rest) == 1:
            monomial, c = self.rest.LM, self.rest.LC
            factors = {x: k for x, k in zip(self.field.ring.gens, monomial, strict=True) if k}
        else:
            c = self._unit(self.rest.LC)
            factors = {self.rest if c == 1 else self.rest.quo_ground(c): 1}
        return Factored(self.field, self.field.ring.ground_new(c), _merged(self.powers, factors))

    def _unit(self, c):
        """What is taken out of a polynomial with the leading coefficient c: all of it, or its sign where it is an integer."""
        domain = self.field.ring.domain
        return c if domain.is_Field else -domain.one if domain.is_negative(c) else domain.one

    # ---------------------------------------------------------------------------------------------- sums

    def __add__(self, other):
        other = self._met(other)
        return other if other is NotImplemented else total(self.field, (self, other))

    __radd__ = __add__

    def __neg__(self):
        return Factored(self.field, -self.rest, self.powers)

    def __sub__(self, other):
        other = self._met(other)
        return other if other is NotImplemented else self + -other

    def __rsub__(self, other):
        return -self + other

    def __eq__(self, other):
        other = self._met(other)
        if other is NotImplemented:
            return other
        _, (a, b) = over_common_powers((self, other))
        return a == b

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self):
        return bool(self.rest)

    def _met(self, other):
        if isinstance(other, Factored):
            return other
        if isinstance(other, (Rational, np.integer)) or getattr(other, "field", None) == self.field.reduced:
            return self.field(other)
        return NotImplemented

    # ------------------------------------------------------------------------------------------ calculus

    def diff(self, x):
        """The derivative by a generator of the field: the product rule over the factors."""
        slopes = [Factored(self.field, self.rest.diff(x.rest), self.powers)]
        for f, k in self.powers.items():
            slopes.append(Factored(self.field, self.rest * f.diff(x.rest) * k, _merged(self.powers, {f: -1})))
        return total(self.field, slopes)

    # ------------------------------------------------------------------------------------- in other words

    @property
    def numer(self):
        """The polynomial above the line, expanded; it may share factors with :attr:`denom`."""
        return _expanded(self.rest, {f: k for f, k in self.powers.items() if k > 0})

    @property
    def denom(self):
        """The polynomial below the line, expanded."""
        return _expanded(self.field.ring.one, {f: -k for f, k in self.powers.items() if k < 0})

    def reduced(self):
        """The element of the sympy fraction field, in lowest terms."""
        K = self.field.reduced
        return K(self.numer) / K(self.denom)

    def as_expr(self):
        """A sympy expression, in lowest terms."""
        return self.reduced().as_expr()

    @property
    def is_negative(self) -> bool:
        """Known to be below 0: a negative number. A symbol has no sign."""
        return not self.powers and self.rest.is_ground and bool(self.rest.ring.domain.is_negative(self.rest.LC))

    def __repr__(self):
        return str(self.reduced())


def over_common_powers(elements) -> tuple[dict, list]:
    """(powers, polynomials): every element is its polynomial times the one product of ``powers``.

    >>> from sympy import QQ
    >>> from sympy.polys.rings import ring
    >>> from pgtheory.arithmetic.factored import FactoredField, over_common_powers
    >>> x, y = FactoredField(ring("x, y", QQ)[0]).gens
    >>> over_common_powers([1 / (x + y), 1 / (x + y) ** 2])
    ({x + y: -2}, [x + y, 1])
    """
    elements = list(elements)
    nonzero = [x for x in elements if x.rest]
    shared = dict(nonzero[0].powers) if nonzero else {}
    for x in nonzero[1:]:
        if x.powers != shared:
            shared = {f: min(shared.get(f, 0), x.powers.get(f, 0)) for f in {**shared, **x.powers}}
    shared = {f: k for f, k in shared.items() if k}
    inverse = {f: -k for f, k in shared.items()}
    return shared, [_expanded(x.rest, _merged(x.powers, inverse)) if x.rest else x.rest for x in elements]


def total(field: FactoredField, elements) -> Factored:
    """The sum of the elements, expanded once."""
    powers, polynomials = over_common_powers(elements)
    return Factored(field, sum(polynomials, field.ring.zero), powers)


def _merged(a: dict, b: dict) -> dict:
    """Exponents of a product."""
    if not a or not b:
        return a or b
    out = dict(a)
    for f, k in b.items():
        out[f] = out.get(f, 0) + k
    return {f: k for f, k in out.items() if k}


def _expanded(rest, powers: dict):
    """rest times the factors, all exponents positive, the short ones first."""
    for f, k in sorted(powers.items(), key=lambda item: len(item[0])):
        rest = rest * f**k
    return rest

