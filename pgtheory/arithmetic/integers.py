r"""Systems of rational numbers as systems of integers: rows cleared of denominators, solved without a fraction on the way.

:math:`M = \mathrm{diag}(c)^{-1} N` with an integer matrix N and positive integers c, so that :math:`M X = B` is
:math:`N X = \mathrm{diag}(c) B`, and :math:`M^T X = B` is :math:`N^T Y = B` with :math:`X = \mathrm{diag}(c)\, Y`. The solve is
python-flint's where it is installed, and sympy's fraction-free elimination otherwise: the same numbers, a hundred times later.
"""

from __future__ import annotations

import math
import warnings
from fractions import Fraction

import numpy as np

from ..errors import SlowWarning, UndefinedError

SLOW = 60     # unknowns from which elimination in Python takes seconds


class IntegerRows:
    """A square matrix of rational numbers: row i holds {column: integer} over the integer ``scales[i]`` > 0.

    >>> import numpy as np
    >>> from fractions import Fraction
    >>> from pgtheory.arithmetic.integers import IntegerRows
    >>> M = IntegerRows.of(np.array([[Fraction(1, 2), Fraction(-1, 3)], [Fraction(0), Fraction(1)]]))
    >>> M.rows, M.scales
    ([{0: 3, 1: -2}, {1: 1}], [6, 1])
    """

    ndim = 2

    def __init__(self, rows: list, scales: list):
        self.rows, self.scales, self.shape = rows, scales, (len(rows), len(rows))

    @classmethod
    def of(cls, M) -> IntegerRows:
        """The matrix of an object array of Fractions."""
        scales = [math.lcm(*(x.denominator for x in row)) for row in M]
        return cls([{t: x.numerator * (c // x.denominator) for t, x in enumerate(row) if x}
                    for row, c in zip(M, scales, strict=True)], scales)

    def dense(self) -> np.ndarray:
        """(n, n) object array of Fractions."""
        out = np.full(self.shape, Fraction(0), dtype=object)
        for s, (row, scale) in enumerate(zip(self.rows, self.scales, strict=True)):
            for t, x in row.items():
                out[s, t] = Fraction(x, scale)
        return out

    def subtracted_from_identity(self, gamma: Fraction) -> IntegerRows:
        """I - gamma M."""
        scales = [gamma.denominator * scale for scale in self.scales]
        rows = [{t: -gamma.numerator * x for t, x in row.items()} for row in self.rows]
        for s, (row, scale) in enumerate(zip(rows, scales, strict=True)):
            row[s] = row.get(s, 0) + scale
        return IntegerRows(rows, scales)

    def restricted(self, active) -> IntegerRows:
        """The rows and columns ``active``."""
        place = {int(t): i for i, t in enumerate(active)}
        return IntegerRows([{place[t]: x for t, x in self.rows[s].items() if t in place} for s in place],
                           [self.scales[s] for s in place])


class IntegerFactorization:
    """A system with an :class:`IntegerRows`, for any right-hand side and for the transpose."""

    def __init__(self, M: IntegerRows):
        self._n, self._scales = M.shape[0], np.array(M.scales, dtype=object)
        flint = _flint()
        if flint is None and self._n >= SLOW:
            warnings.warn(f"{self._n} exact unknowns without python-flint take about a hundred times as long: pip install "
                          '"pgtheory[exact]"', SlowWarning, stacklevel=2)
        self._matrix = (_Sympy if flint is None else _Flint)(M.rows)

    def solve(self, B, transpose=False):
        """X of Fractions, (n, m) or (n,), with M X = B or M^T X = B. Raises :class:`UndefinedError` where M is singular."""
        if B.size == 0:
            return np.empty(B.shape, dtype=object)
        columns = B.reshape(self._n, -1)
        columns = columns if transpose else columns * self._scales[:, None]
        whole = [math.lcm(*(x.denominator for x in column)) for column in columns.T]
        right = [[x.numerator * (c // x.denominator) for x, c in zip(row, whole, strict=True)] for row in columns]
        X = np.empty(columns.shape, dtype=object)
        for i, row in enumerate(self._matrix.solve(right, transpose)):
            scale = self._scales[i] if transpose else 1
            X[i] = [Fraction(p * scale, q * c) for (p, q), c in zip(row, whole, strict=True)]
        return X.reshape(B.shape)


class _Flint:
    """python-flint's integer matrix."""

    def __init__(self, rows):
        n = len(rows)
        entries = [0] * (n * n)
        for i, row in enumerate(rows):
            for t, x in row.items():
                entries[i * n + t] = x
        self._matrix = _flint().fmpz_mat(n, n, entries)

    def solve(self, right, transpose):
        """Rows of (numerator, denominator)."""
        B = _flint().fmpz_mat(len(right), len(right[0]), [x for row in right for x in row])
        try:
            X = (self._matrix.transpose() if transpose else self._matrix).solve(B)
        except ZeroDivisionError:
            raise singular() from None
        return [[(int(x.p), int(x.q)) for x in row] for row in X.tolist()]


class _Sympy:
    """sympy's sparse integer matrix."""

    def __init__(self, rows):
        from sympy import ZZ
        from sympy.polys.matrices import DomainMatrix

        n = len(rows)
        self._matrix = DomainMatrix({i: {t: ZZ(x) for t, x in row.items() if x} for i, row in enumerate(rows)}, (n, n), ZZ)

    def solve(self, right, transpose):
        """Rows of (numerator, denominator)."""
        from sympy import ZZ
        from sympy.polys.matrices import DomainMatrix
        from sympy.polys.matrices.exceptions import DMNonInvertibleMatrixError

        B = DomainMatrix([[ZZ(x) for x in row] for row in right], (len(right), len(right[0])), ZZ).to_sparse()
        try:
            X, denominator = (self._matrix.transpose() if transpose else self._matrix).solve_den(B)
        except DMNonInvertibleMatrixError:
            raise singular() from None
        return [[(int(x), int(denominator)) for x in row] for row in X.to_list()]


def _flint():
    """The module, or None where it is not installed."""
    try:
        import flint
    except ImportError:
        return None
    return flint


def singular() -> UndefinedError:
    """What an exact system without a solution raises."""
    return UndefinedError("I - gamma P_pi is singular: the quantity does not exist for this model and policy")
