"""The linear solve: one factorisation for every right-hand side and for the transpose, in each arithmetic."""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import lapack

from .dual import Dual
from .entries import nonzero, objects
from .factored import Factored, FactoredField, over_common_powers, total
from .integers import IntegerFactorization, IntegerRows, singular
from .kinds import EPS, Arithmetic, in_balls, is_sparse
from .precise import BallFactorization
from .products import stacked
from .sparse import SparseFactorization, singular_to_working_precision

ELIMINATED, FEW_SYMBOLS = 8, 2   # rows from which, and symbols up to which, elimination of polynomials pays
LARGE = 400    # states from which half a factorisation saves more than refinement costs


class DenseFactorization:
    """LU of an n x n float or complex matrix, for systems with it and with its transpose.

    The C-ordered buffer is handed to LAPACK as the Fortran matrix M^T, so that nothing is copied.
    """

    def __init__(self, M):
        self._complex = M.dtype.kind == "c"
        getrf = lapack.zgetrf if self._complex else lapack.dgetrf
        self._getrs = lapack.zgetrs if self._complex else lapack.dgetrs
        if M.shape[0] == 0:
            self._lu = None
            return
        self._lu, self._pivots, info = getrf(M.T, overwrite_a=True)
        if info > 0:
            raise singular_to_working_precision()

    def solve(self, B, transpose=False):
        """X (n, m) or (n,) with M X = B, or M^T X = B."""
        if self._lu is None:
            return np.zeros_like(B)
        if B.dtype.kind == "c" and not self._complex:
            return self.solve(B.real, transpose) + 1j * self.solve(B.imag, transpose)
        X, _ = self._getrs(self._lu, self._pivots, B, trans=0 if transpose else 1)
        return X


class RefinedFactorization:
    """LU of a large float64 matrix in single precision, at half the cost; solutions are refined to double precision.

    Refinement ends where the residual does what it does after a float64 factorisation: a few eps of the solution. Where it
    does not get there (conditioning beyond about 1e6) the float64 factorisation is made after all. The mathematics is that
    of LAPACK's dsgesv; source: Higham, *Accuracy and Stability of Numerical Algorithms*, 2002, section 12.1.
    """

    def __init__(self, M):
        self._M, self._full = M, None
        self._lu, self._pivots, info = lapack.sgetrf(M.astype(np.float32).T, overwrite_a=True)
        if info > 0:
            self._in_full()

    def solve(self, B, transpose=False):
        """X (n, m) or (n,) with M X = B, or M^T X = B."""
        if B.dtype.kind == "c":
            return self.solve(B.real, transpose) + 1j * self.solve(B.imag, transpose)
        X = self._refined(B, transpose) if self._full is None else None
        return self._in_full().solve(B, transpose) if X is None else X

    def _in_full(self) -> DenseFactorization:
        if self._full is None:
            self._full = DenseFactorization(self._M)
            self._M = self._lu = None
        return self._full

    def _refined(self, B, transpose):
        """The refined solution, or None where refinement stalls above rounding level."""
        M = self._M.T if transpose else self._M
        X, R, left = np.zeros_like(B), B, np.inf
        while True:
            X = X + self._roughly(R, transpose)
            R = B - M @ X
            before, left = left, np.max(np.abs(R).max(axis=0) / (_largest(X) + _largest(B)), initial=0.0)
            if left <= 4 * EPS:
                return X
            if not left < before / 4:
                return X if left <= 64 * EPS else None

    def _roughly(self, R, transpose):
        scale = _largest(R)      # single precision has the digits, not the range
        X, _ = lapack.sgetrs(self._lu, self._pivots, (R / scale).astype(np.float32), trans=0 if transpose else 1)
        return scale * X.astype(float)


def _largest(B):
    """The largest absolute value of each column, at least the smallest normal float."""
    return np.maximum(np.abs(B).max(axis=0), np.finfo(float).tiny)


class BatchFactorization:
    """A stack (..., n, n) of small float or complex matrices; B is (..., n)."""

    def __init__(self, M):
        self._M = M

    def solve(self, B, transpose=False):
        M = np.swapaxes(self._M, -1, -2) if transpose else self._M
        try:
            return np.linalg.solve(M, B[..., None])[..., 0]
        except np.linalg.LinAlgError:
            raise singular_to_working_precision() from None


class ExpressionFactorization:
    """A square system of sympy expressions, solved in the fraction field of all symbols at hand.

    Elimination on raw expressions would not know zero.
    """

    def __init__(self, M):
        self._M = M

    def solve(self, B, transpose=False):
        from sympy import Matrix
        from sympy.polys.matrices import DomainMatrix
        from sympy.polys.matrices.exceptions import DMNonInvertibleMatrixError

        if B.size == 0:
            return np.empty(B.shape, dtype=object)
        n, columns = len(self._M), B.reshape(len(self._M), -1)
        whole = np.concatenate([self._M.T if transpose else self._M, columns], axis=1)
        field = DomainMatrix.from_Matrix(Matrix(whole.tolist())).to_field()
        rows, left, right = list(range(n)), list(range(n)), list(range(n, whole.shape[1]))
        try:
            solution = field.extract(rows, left).lu_solve(field.extract(rows, right))
        except DMNonInvertibleMatrixError:
            raise singular() from None
        return objects([x for row in solution.to_Matrix().tolist() for x in row], B.shape)


class FieldFactorization:
    r"""A square system of rational functions: rows cleared of denominators, then elimination without any fraction.

    With the rows of M cleared by R = diag(c), the matrix R M is one of polynomials, and sympy's division-free adjugate and
    determinant give M^-1 = adj(R M) R / det(R M); or its fraction-free elimination another pair. Source: Berkowitz,
    *Information Processing Letters* 18 (1984); Bareiss, *Mathematics of Computation* 22 (1968).
    """

    def __init__(self, M, arithmetic):
        from sympy.polys.matrices import DomainMatrix

        self._field = arithmetic.field if isinstance(arithmetic.field, FactoredField) else FactoredField(arithmetic.field.ring)
        self._back = (lambda x: x) if self._field is arithmetic.field else Factored.reduced
        cleared = [over_common_powers(map(self._field, row)) for row in M]
        self._scales = [Factored(self._field, self._field.ring.one, powers) for powers, _ in cleared]
        matrix = DomainMatrix([polynomials for _, polynomials in cleared], M.shape, self._field.ring.to_domain())
        adjugate, determinant = _inverse_over(matrix)
        self._determinant = self._field(determinant)
        self._adjugate = [[self._field(x) for x in row] for row in adjugate.to_list()]

    def solve(self, B, transpose=False):
        if B.size == 0:
            return np.empty(B.shape, dtype=object)
        if not self._determinant:
            raise singular()
        n, columns = len(self._scales), B.reshape(len(self._scales), -1)
        out = np.empty(columns.shape, dtype=object)
        for k in range(columns.shape[1]):
            b = [self._field(x) for x in columns[:, k]]
            if not transpose:
                b = [x / scale for x, scale in zip(b, self._scales, strict=True)]
            for i in range(n):
                row = [r[i] for r in self._adjugate] if transpose else self._adjugate[i]
                x = total(self._field, [a * y for a, y in zip(row, b, strict=True)]) / self._determinant
                out[i, k] = self._back(x / self._scales[i] if transpose else x)
        return out.reshape(B.shape)


def _inverse_over(matrix):
    """(numerators, denominator) of the inverse of a matrix of polynomials; a denominator of 0 where there is none.

    Elimination without fractions takes n^3 products of polynomials that grow, the division-free adjugate n^4 of shorter ones:
    with few symbols and many rows the former is quicker.
    """
    from sympy.polys.matrices.exceptions import DMNonInvertibleMatrixError

    if matrix.shape[0] < ELIMINATED or len(_occurring(matrix)) > FEW_SYMBOLS:
        return matrix.adj_det()
    try:
        return matrix.inv_den(method="rref")
    except DMNonInvertibleMatrixError:
        return matrix, matrix.domain.zero


def _occurring(matrix) -> set:
    """Indices of the symbols of the ring that occur in the matrix."""
    return {i for row in matrix.to_list() for x in row for monomial in x.itermonoms() for i, k in enumerate(monomial) if k}


class DualFactorization:
    """A + N e: X = x + y e has A x = a and A y = b - N x, for the right-hand side a + b e."""

    def __init__(self, M):
        self._A, self._N, self._made = _part(M, "a"), _part(M, "b"), {}

    def solve(self, B, transpose=False):
        a, b = _part(B, "a"), _part(B, "b")
        factor = self._factor(any(map(in_balls, (self._A, self._N, a, b))))
        x = factor.solve(a, transpose)
        y = factor.solve(b - _along_pattern(self._N.T if transpose else self._N, x), transpose)
        return objects([Dual(*parts) for parts in zip(x.flat, y.flat, strict=True)], B.shape)

    def _factor(self, balls: bool):
        """A in balls, or in fractions. At gamma = 0, or where every episode ends at once, A has no balls but B may."""
        if balls not in self._made:
            self._made[balls] = BallFactorization(self._A) if balls else IntegerFactorization(IntegerRows.of(self._A))
        return self._made[balls]


def _along_pattern(N, x):
    """N @ x, for a matrix most of whose entries are 0."""
    out = objects([0] * x.size, x.shape)
    for i, j in np.argwhere(nonzero(N)):
        out[i] = out[i] + N[i, j] * x[j]
    return out


def _part(array, name):
    return objects([getattr(x, name) for x in array.flat], array.shape)


def factorize(M, arithmetic: Arithmetic):
    """One factorisation of M, for every right-hand side and for the transpose."""
    if is_sparse(M):
        return SparseFactorization(M)
    if arithmetic.exact:
        return _ExactBatch(M, arithmetic) if M.ndim > 2 else _exactly(M, arithmetic)
    if M.ndim > 2:
        return BatchFactorization(M)
    return RefinedFactorization(M) if M.dtype == float and len(M) >= LARGE else DenseFactorization(M)


def _exactly(M, arithmetic):
    """One exact matrix: an object array, or an :class:`IntegerRows`."""
    if arithmetic.name == "Fraction":
        return IntegerFactorization(M if isinstance(M, IntegerRows) else IntegerRows.of(M))
    if arithmetic.name == "field":
        return FieldFactorization(M, arithmetic)
    if arithmetic.enclosing:
        return BallFactorization(M)
    return DualFactorization(M) if arithmetic.name == "dual" else ExpressionFactorization(M)


class _ExactBatch:
    """A stack of exact matrices, one factorisation each."""

    def __init__(self, M, arithmetic):
        self._shape = M.shape[:-2]
        self._each = [_exactly(one, arithmetic) for one in M.reshape((math.prod(self._shape),) + M.shape[-2:])]

    def solve(self, B, transpose=False):
        flat = np.broadcast_to(B, self._shape + B.shape[-1:]).reshape(len(self._each), B.shape[-1])
        return stacked([f.solve(b, transpose) for f, b in zip(self._each, flat, strict=True)], ()).reshape(B.shape)
