r"""Numbers of twice the working precision, each with a bound on its own error.

A :class:`Twofold` is an array hi + lo, not added, and err with :math:`|x - (hi + lo)| \le err` for the exact x. Sums and
products split every rounding off without error (TwoSum, TwoProduct: Knuth; Dekker) and add it to lo; what is rounded
after that goes into err. Products that underflow lose at most a few units of the smallest subnormal, which is counted.

Where something overflows, err becomes infinite or NaN: callers must ask for ``err < inf`` before they believe a bound.

Source: Ogita, Rump, Oishi, *Accurate sum and dot product*, SIAM J. Sci. Comput. 26 (2005), with pairwise summation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse

UNIT = 2.0**-53          # relative rounding error of one operation
TINY = 2.0**-1074        # smallest subnormal, the absolute one
BLOCK = 2**16            # entries worked on at once, so that the temporaries stay in cache
LOW_BITS = np.int64(2**27 - 1)


def upward(bound):
    """A bound computed with at most a dozen roundings to nearest, made safe."""
    return bound * (1 + 16 * UNIT) + 16 * TINY


@dataclass(frozen=True)
class Twofold:
    """hi + lo, an unevaluated sum of two float arrays, within err of the exact value.

    >>> from pgtheory.arithmetic.twofold import Twofold
    >>> third = Twofold.of(1 / 3).times(3.0)     # three times the float next to 1/3, exactly
    >>> float(third.hi), float(third.lo) == -(2.0**-54)
    (1.0, True)
    """

    hi: np.ndarray
    lo: np.ndarray
    err: np.ndarray

    @classmethod
    def of(cls, x) -> Twofold:
        """Floats as they are, exactly."""
        x = np.asarray(x, dtype=float)
        return cls(x, np.zeros_like(x), np.zeros_like(x))

    @classmethod
    def small(cls, x, err) -> Twofold:
        """A correction x, known up to err."""
        return cls(np.zeros_like(x), x, err)

    def __getitem__(self, index) -> Twofold:
        return Twofold(self.hi[index], self.lo[index], self.err[index])

    def reshape(self, shape) -> Twofold:
        return Twofold(self.hi.reshape(shape), self.lo.reshape(shape), self.err.reshape(shape))

    def __neg__(self) -> Twofold:
        return Twofold(-self.hi, -self.lo, self.err)

    def __add__(self, other) -> Twofold:
        hi, rounding = two_sum(self.hi, other.hi)
        small = self.lo + other.lo
        lo = small + rounding
        return Twofold(hi, lo, upward(self.err + other.err + UNIT * (abs(small) + abs(lo))))

    def __sub__(self, other) -> Twofold:
        return self + -other

    def times(self, c) -> Twofold:
        """The product with exact floats."""
        hi, rounding = two_product(self.hi, c)
        small = self.lo * c
        lo = small + rounding
        return Twofold(hi, lo, upward(self.err * abs(c) + UNIT * (abs(small) + abs(lo))))

    def sum(self) -> Twofold:
        """The sum over the last axis."""
        total = self[..., 0]
        for i in range(1, self.hi.shape[-1]):
            total = total + self[..., i]
        return total

    @property
    def value(self) -> np.ndarray:
        """The nearest float, or next to it."""
        return self.hi + self.lo

    @property
    def magnitude(self) -> np.ndarray:
        """An upper bound on the absolute value."""
        return upward(abs(self.hi + self.lo) + self.err)


def two_sum(a, b):
    """(s, e) with s = fl(a + b) and s + e = a + b exactly (Knuth).

    >>> from pgtheory.arithmetic.twofold import two_sum
    >>> two_sum(1.0, 2.0**-60) == (1.0, 2.0**-60)
    True
    """
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def two_product(a, b):
    """(p, e) with p = fl(a b) and p + e = a b, exactly unless something underflows, then within 5 units of TINY (Dekker)."""
    p = a * b
    a_hi, a_lo = _halves(a)
    b_hi, b_lo = _halves(b)
    return p, a_lo * b_lo - (((p - a_hi * b_hi) - a_lo * b_hi) - a_hi * b_lo)


def _halves(x):
    """x = hi + lo of 26 bits each, by rounding the significand where it is stored, so that nothing overflows."""
    x = np.asarray(x, dtype=float, order="C")
    hi = ((x.view(np.int64) + LOW_BITS // 2) & ~LOW_BITS).view(float)
    return hi, x - hi


def row_products(matrix, x) -> Twofold:
    """sum_t matrix[i, t] x[i, t] for a matrix (n, m), dense or csr, and x (m,) or like the matrix; doubled precision.

    The roundings of the tree of k levels are each at most u times a partial sum; there are k + 1 of them to a term, they are
    added in at most 2k operations, and so the error is at most 2 k (k + 1) u^2 sum |matrix x| (1 + small).

    >>> import numpy as np
    >>> from pgtheory.arithmetic.twofold import row_products
    >>> row_products(np.array([[1e16, 1.0, -1e16]]), np.ones(3)).value
    array([1.])
    """
    n = matrix.shape[0]
    hi, lo, size = np.zeros(n), np.zeros(n), np.zeros(n)
    longest = 1
    for rows, left, right in _blocks(matrix, x):
        p, e = two_product(left, right)
        longest = max(longest, p.shape[1])
        size[rows] = abs(p).sum(axis=1)
        hi[rows], lo[rows] = _fold(p, e)
    levels = np.ceil(np.log2(longest)) + 1
    return Twofold(hi, lo, upward((4 * levels**2 * UNIT) * UNIT * size + 16 * longest * TINY))


def _fold(p, e):
    """Row sums by halving: p is summed without error but for what goes to e. Overwrites both."""
    n = p.shape[1]
    while n > 1:
        half = (n + 1) // 2
        s, rounding = two_sum(p[:, :n - half], p[:, half:n])
        e[:, :n - half] += e[:, half:n]
        e[:, :n - half] += rounding
        p[:, :n - half] = s
        n = half
    return p[:, 0], e[:, 0]


def _blocks(matrix, x) -> Iterator[tuple]:
    """(rows, entries, entries of x beside them) in blocks of about BLOCK entries; short sparse rows are padded with 0."""
    if scipy.sparse.issparse(matrix):
        yield from _sparse_blocks(matrix, x)
        return
    n, m = matrix.shape
    step = max(1, BLOCK // m)
    for start in range(0, n, step):
        rows = slice(start, start + step)
        yield rows, np.ascontiguousarray(matrix[rows]), x[None, :] if x.ndim == 1 else x[rows]


def _sparse_blocks(matrix, x):
    lengths = np.diff(matrix.indptr)
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] > 0]
    start = 0
    while start < len(order):
        width = lengths[order[start]]
        step = max(1, BLOCK // (2 * width))
        rows = order[start:start + step]
        rows = rows[lengths[rows] <= 2 * width]
        start += len(rows)
        offsets = np.arange(lengths[rows[-1]])
        inside = offsets < lengths[rows, None]
        at = np.where(inside, matrix.indptr[rows, None] + offsets, 0)
        beside = x[matrix.indices[at]] if not scipy.sparse.issparse(x) else x.data[at]
        yield rows, np.where(inside, matrix.data[at], 0.0), beside


def times_matrix(matrix, x: Twofold) -> Twofold:
    """matrix @ x, for a float matrix (n, m) >= 0, dense or csr, and x (m,)."""
    return row_products(matrix, x.hi) + correction(matrix, x.lo, x.err)


def correction(matrix, lo, err) -> Twofold:
    """matrix @ x for a matrix >= 0 and an x within err of lo that is small already, so that plain products will do."""
    return Twofold.small(matrix @ lo, upper_product(matrix, err + _roundings(matrix) * abs(lo)))


def upper_product(matrix, x):
    """An upper bound on matrix @ x, for a matrix >= 0 and x >= 0, and on what a plain product loses to underflow."""
    return upward(matrix @ x * (1 + 2 * _roundings(matrix))) + matrix.shape[1] * TINY


def _roundings(matrix) -> float:
    """Twice gamma_m of a product of m terms, summed in any order (Higham 2002, section 3.1)."""
    return 2 * (matrix.shape[1] + 2) * UNIT
