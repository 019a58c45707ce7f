"""The linear solve of sparse systems: SuperLU where elimination fills in modestly, GMRES where it would not.

Elimination on the graph of a grid or a tree creates few new entries; on a random graph it creates nearly all of them, and from
some ten thousand states on no machine finishes. Iteration does not care, but needs many steps where the chain moves slowly,
as round a long cycle, which elimination solves at once. Either is taken to a residual of a few eps.
"""

from __future__ import annotations

import warnings

import numpy as np
import scipy.sparse

from ..errors import SlowWarning, UndefinedError
from .kinds import EPS

SMALL = 4000            # states up to which even complete fill is factorised in seconds
FILL = 200              # work of elimination, in units of n^2, from which iteration is tried first; a planar grid takes about 4
HUB = 20                # neighbours, in units of their mean, from which a state is eliminated last
RESTART, ROUNDS, SWEEPS = 30, 60, 20


def singular_to_working_precision():
    return UndefinedError("I - gamma P_pi is singular to working precision: episodes last longer than floating point can "
                          "tell from for ever; lower gamma, or state the model in Fractions")


class SparseFactorization:
    """A csr matrix, for systems with it and with its transpose; row diagonally dominant, so that no pivoting is needed."""

    def __init__(self, M):
        self._M, self._lu, self._transposed = M, None, None
        self._iterate = M.shape[0] > SMALL and work_of_elimination(M) > FILL * M.shape[0] ** 2

    def solve(self, B, transpose=False):
        """X (n, m) or (n,) with M X = B, or M^T X = B."""
        if self._M.shape[0] == 0:
            return np.zeros_like(B)
        if self._iterate:
            X = self._iterated(B, transpose)
            if X is not None:
                return X
            self._iterate = False
            warnings.warn(f"iteration stalled on {self._M.shape[0]} states, and elimination will fill in: this may take long, or more "
                          "memory than there is; a smaller gamma makes iteration converge", SlowWarning, stacklevel=2)
        lu = self._factorized()
        if np.iscomplexobj(B) and self._M.dtype.kind != "c":
            return self.solve(B.real.copy(), transpose) + 1j * self.solve(B.imag.copy(), transpose)
        return lu.solve(np.ascontiguousarray(B), "N" if transpose else "T")

    def _factorized(self):
        """SuperLU of the matrix, read as the csc form of its transpose."""
        from scipy.sparse.linalg import splu

        if self._lu is None:
            M = self._M
            transposed = scipy.sparse.csc_array((M.data, M.indices, M.indptr), shape=M.shape)
            try:
                self._lu = splu(transposed, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
            except RuntimeError:
                raise singular_to_working_precision() from None
        return self._lu

    def _iterated(self, B, transpose):
        """The solution to rounding level, column by column, or None where iteration stalls above it."""
        M = self._oriented(transpose)
        columns = [_solved(M, b) for b in B.reshape(len(B), -1).T]
        if any(x is None for x in columns):
            return None
        return np.stack(columns, axis=1).reshape(B.shape) if columns else np.zeros_like(B)

    def _oriented(self, transpose):
        if not transpose:
            return self._M
        if self._transposed is None:
            self._transposed = self._M.T.tocsr()
        return self._transposed


def work_of_elimination(M) -> float:
    """Multiplications that elimination takes at most, in the given order or in that of reverse Cuthill and McKee, hubs apart.

    A hub, a state with very many neighbours (an end that every state may reach), is eliminated last and fills in its own row
    alone.

    >>> import numpy as np, scipy.sparse
    >>> from pgtheory.arithmetic.sparse import work_of_elimination
    >>> work_of_elimination(scipy.sparse.diags_array([np.ones(99), np.ones(100), np.ones(99)], offsets=[-1, 0, 1]).tocsr())
    100.0
    """
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    n = M.shape[0]
    rows, columns = np.repeat(np.arange(n), np.diff(M.indptr)), M.indices
    neighbours = np.diff(M.indptr) + np.bincount(columns, minlength=n)
    plain = neighbours <= HUB * neighbours.mean()
    keep = plain[rows] & plain[columns]
    rows, columns = rows[keep], columns[keep]
    work = _band_work(n, rows, columns)
    if work <= FILL * n**2:
        return work
    graph = scipy.sparse.csr_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=M.shape)
    place = np.empty(n, dtype=np.int64)
    place[reverse_cuthill_mckee((graph + graph.T).tocsr(), symmetric_mode=True)] = np.arange(n)
    return min(work, _band_work(n, place[rows], place[columns]))


def _band_work(n, rows, columns) -> float:
    return n * float(np.abs(rows - columns).max(initial=0)) ** 2


def _solved(M, b):
    """x with M x = b, for real or complex M and b, to rounding level; None where iteration stalls."""
    if M.dtype.kind != "c":
        if b.dtype.kind == "c":
            parts = _solved(M, b.real), _solved(M, b.imag)
            return None if any(x is None for x in parts) else parts[0] + 1j * parts[1]
        return _refined(M, b)
    return _solved_in_parts(M.real.tocsr(), M.imag.tocsr(), np.real(b), np.imag(b))


def _solved_in_parts(A, N, a, b):
    """(A + iN)(x + iy) = a + ib, part by part: a complex step has an imaginary part that no norm of the whole would see."""
    x, y = _refined(A, a), np.zeros(len(a))
    for _ in range(SWEEPS):
        if x is None:
            return None
        y_next = _refined(A, b - N @ x)
        if y_next is None:
            return None
        x_next = _refined(A, a + N @ y_next)
        if x_next is not None and _close(x_next, x) and _close(y_next, y):
            return x_next + 1j * y_next
        x, y = x_next, y_next
    return None


def _close(x, y) -> bool:
    return bool(np.abs(x - y).max(initial=0.0) <= 4 * EPS * np.abs(x).max(initial=0.0))


def _refined(M, b):
    """x with M x = b for a real b of any size, subnormal or next to overflow; None where iteration stalls."""
    _, exponent = np.frexp(np.abs(b).max(initial=0.0))      # scaling by a power of two rounds nothing
    x = _iterated_to_rounding(M, np.ldexp(b, -exponent))
    return None if x is None else np.ldexp(x, exponent)


def _iterated_to_rounding(M, b):
    """x with M x = b, by GMRES on the residual again and again, until it is a few eps of what it is made of."""
    from scipy.sparse.linalg import gmres

    x, left = np.zeros(len(b)), np.inf
    residual = b
    for _ in range(ROUNDS):
        size = np.abs(residual).max(initial=0.0)
        if size == 0:
            return x
        step, _ = gmres(M, residual / size, rtol=1e-8, atol=0.0, restart=RESTART, maxiter=4)
        x = x + size * step
        residual = b - M @ x
        before, left = left, np.abs(residual).max() / (np.abs(x).max() + np.abs(b).max())
        if left <= 4 * EPS:
            return x
        if not left < before / 2:
            return x if left <= 64 * EPS else None
    return None
