"""The arithmetics: float64, complex128, sparse, exact ``Fraction``, fraction field, sympy expression.

This is the only module that knows them. Everything above it is written once over arrays: a formula multiplies and adds,
and asks this module for the two things that differ, the products with the transition law (:func:`kernel`) and the linear
solve (:func:`factorize`).

====================  =======================  ==========================================
name                  array                    solve
====================  =======================  ==========================================
``float64``           float64                  LAPACK getrf / getrs; SuperLU where sparse
``complex128``        complex128               the same (the complex step passes through)
``Fraction``          object                   sympy ``DomainMatrix`` over QQ
``dual``              object, ``Dual``         over QQ, with a + b e as the block [[a, 0], [b, a]]
``field``             object, ``FracElement``  sympy ``DomainMatrix`` over the field
``expression``        object, ``sympy.Expr``   through the fraction field of its symbols
====================  =======================  ==========================================

Integers belong to all of them: an integer array waits for what it meets.
"""

from __future__ import annotations

import math
import reprlib
import sys
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from numbers import Integral, Rational
from typing import Any

import numpy as np
import scipy.sparse
from scipy.linalg import lapack

from .dual import Dual
from .errors import NotExactError, PGTheoryError, UndefinedError

EPS = float(np.finfo(float).eps)
LARGE = 400    # states from which half a factorisation saves more than refinement costs


@dataclass(frozen=True)
class Arithmetic:
    """What the entries of an array are; ``field`` is the sympy field where ``name`` is "field"."""

    name: str
    field: Any = None

    @property
    def exact(self) -> bool:
        return self.name in EXACT

    @property
    def symbolic(self) -> bool:
        return self.name in ("field", "expression")

    def number(self, value):
        """An integer, Fraction or element, as a number of this arithmetic."""
        if self.name == "Fraction":
            return _fraction(value)
        if self.name == "dual":
            return value if isinstance(value, Dual) else Dual(value)
        if self.name == "field":
            if _is_field_element(value):
                return _in_field(value, self.field)
            if isinstance(value, _loaded("sympy.core.expr", "Expr")):
                return self.field.from_expr(value)
            value = Fraction(value)
            return self.field(value.numerator) / self.field(value.denominator)
        if self.name == "expression":
            return _expression(value)
        return complex(value) if self.name == "complex128" else float(value)

    def convert(self, array):
        """The same array with every entry a number of this arithmetic (shape and sparsity kept)."""
        if scipy.sparse.issparse(array):
            return array.astype(complex if self.name == "complex128" else float)
        if not self.exact:
            return np.asarray(array, dtype=complex if self.name == "complex128" else float)
        array = np.asarray(array)
        out = np.empty(array.shape, dtype=object)
        if array.size:
            source = array.tolist() if array.dtype != object else array
            out.flat = [self.number(x) for x in np.asarray(source, dtype=object).flat]
        return out

    def zeros(self, shape) -> np.ndarray:
        """An array of zeros."""
        if not self.exact:
            return np.zeros(shape, dtype=complex if self.name == "complex128" else float)
        out = np.empty(shape, dtype=object)
        out.fill(self.number(0))
        return out


EXACT = frozenset({"Fraction", "dual", "field", "expression"})
INTEGER = Arithmetic("integer")
FLOAT = Arithmetic("float64")
COMPLEX = Arithmetic("complex128")
FRACTION = Arithmetic("Fraction")
DUAL = Arithmetic("dual")
EXPRESSION = Arithmetic("expression")


def _loaded(module: str, *names: str) -> tuple:
    """Types of a sympy module, if anybody imported it: no element of it can exist before that."""
    found = sys.modules.get(module)
    return tuple(getattr(found, name) for name in names) if found else ()


def _fraction(value):
    """A Fraction of Python integers; numpy's would stay inside it and overflow."""
    if isinstance(value, Rational) and not type(value.numerator) is type(value.denominator) is int:
        return Fraction(int(value.numerator), int(value.denominator))
    return Fraction(value)


def _is_field_element(x) -> bool:
    return isinstance(x, _loaded("sympy.polys.fields", "FracElement") + _loaded("sympy.polys.rings", "PolyElement"))


def _in_field(x, field):
    home = getattr(x, "field", None)
    return x if home == field else field(x)


def _expression(value):
    import sympy

    if _is_field_element(value):
        return value.as_expr()
    if isinstance(value, Rational) and not isinstance(value, sympy.Expr):
        return sympy.Rational(int(value.numerator), int(value.denominator))
    return sympy.sympify(value)


def _of_type(cls: type) -> str:
    """The arithmetic that entries of this type belong to; "" where they are no numbers."""
    if issubclass(cls, (Integral, np.bool_)):
        return "integer"
    if issubclass(cls, Fraction):
        return "Fraction"
    if issubclass(cls, Dual):
        return "dual"
    if issubclass(cls, (float, np.floating)):
        return "float64"
    if issubclass(cls, (complex, np.complexfloating)):
        return "complex128"
    if issubclass(cls, _loaded("sympy.polys.fields", "FracElement") + _loaded("sympy.polys.rings", "PolyElement")):
        return "field"
    if issubclass(cls, _loaded("sympy.core.expr", "Expr")):
        return "expression"
    return ""


def is_negative(x) -> bool:
    """x is known to be below 0; a symbol has no sign.

    >>> import sympy
    >>> from pgtheory.arithmetic import is_negative
    >>> is_negative(-1), is_negative(sympy.sqrt(2) - 2), is_negative(sympy.Symbol("x"))
    (True, True, False)
    """
    if isinstance(x, Rational):
        return bool(x < 0)
    if isinstance(x, _loaded("sympy.polys.fields", "FracElement")):
        below = x.field.domain.is_negative
        return x.numer.is_ground and x.denom.is_ground and below(x.numer.LC) != below(x.denom.LC)
    return getattr(x, "is_negative", None) is True


def require_exact_real(x, place: str, error) -> None:
    """Raise where a sympy expression is infinite or complex (``error``), or holds a Float (:class:`NotExactError`)."""
    if not isinstance(x, _loaded("sympy.core.expr", "Expr")):
        return
    if x.has(*_loaded("sympy.core.numbers", "Float")):
        raise NotExactError(f"{place} is {x}: floats are never silently rounded; write a Rational")
    if x.is_number and x.is_real is not True:
        raise error(f"{place} is {x}: entries must be {'real' if x.is_finite else 'finite'}")


def _at(name: str, index) -> str:
    return f"{name}{list(index)}" if index else name


def _no_number(x, name: str, index):
    x = x.item() if isinstance(x, np.generic) else x
    return PGTheoryError(f"{_at(name, index)} is {reprlib.repr(x)} ({type(x).__name__}): entries are numbers, Fractions or "
                         "sympy elements")


def _ragged(values, name: str, place=()) -> str:
    """Where nested lists first disagree."""
    shapes: list = []
    for i, row in enumerate(values):
        try:
            shapes.append(np.shape(row))
        except ValueError:
            return _ragged(row, name, place + (i,))
        if shapes[i] != shapes[0]:
            return f"{_at(name, (*place, i))} has shape {shapes[i]} beside {shapes[0]} before it"
    return "its rows disagree"


def is_sparse(x) -> bool:
    """A scipy.sparse array or matrix; asked in every evaluation, so that what is common is answered first."""
    return not isinstance(x, np.ndarray) and scipy.sparse.issparse(x)


def as_array(values, name: str = "the array"):
    """``values`` as an array (or csr array) and the :class:`Arithmetic` of its entries.

    Raises :class:`NotExactError` where floats stand beside Fractions, :class:`PGTheoryError` where an entry is no number.
    """
    if is_sparse(values):
        csr = scipy.sparse.csr_array(values)
        if csr.dtype.kind not in "biufc":
            raise PGTheoryError(f"{name} is sparse with entries of type {csr.dtype}: sparse arrays are numeric, use a dense "
                                "object array for Fractions")
        return csr, {"c": COMPLEX, "f": FLOAT}.get(csr.dtype.kind, INTEGER)
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise PGTheoryError(f"{name} is a masked array with holes: fill them first")
    try:
        array = np.asarray(values)
    except ValueError:
        raise PGTheoryError(f"{name} is ragged: {_ragged(values, name)}; its rows must have one length") from None
    if array.dtype.kind in "biu":
        return array, INTEGER
    if array.dtype.kind == "f":
        return np.asarray(array, dtype=float), FLOAT
    if array.dtype.kind == "c":
        return np.asarray(array, dtype=complex), COMPLEX
    if array.dtype.kind != "O":
        raise _no_number(array.flat[0], name, (0,) * array.ndim)
    return _as_object_array(array, name)


def _as_object_array(array, name):
    kinds = {_of_type(cls) for cls in {type(x) for x in array.flat}}
    if "" in kinds:
        raise next(_no_number(x, name, index) for index, x in np.ndenumerate(array) if not _of_type(type(x)))
    if kinds <= {"integer"}:
        return array.astype(np.int64) if _fits_int64(array) else FRACTION.convert(array), INTEGER
    if "float64" in kinds or "complex128" in kinds:
        if kinds & EXACT:
            index = next(i for i, x in np.ndenumerate(array) if _of_type(type(x)) in ("float64", "complex128"))
            raise NotExactError(f"{_at(name, index)} is the float {array[index]!r} among exact numbers: floats are never "
                                "silently rounded; write it as a Fraction, or make every entry a float")
        arithmetic = COMPLEX if "complex128" in kinds else FLOAT
        if "integer" in kinds:
            _require_floats(array, name)
    elif "expression" in kinds:
        arithmetic = EXPRESSION
    elif "field" in kinds:
        arithmetic = Arithmetic("field", _common_field(array, name))
    elif "dual" in kinds:
        arithmetic = DUAL
    else:
        arithmetic = FRACTION
    return arithmetic.convert(array), arithmetic


def _require_floats(array, name) -> None:
    for index, x in np.ndenumerate(array):
        if isinstance(x, Integral) and abs(int(x)) > sys.float_info.max:
            raise PGTheoryError(f"{_at(name, index)} is an integer of {int(x).bit_length()} bits: it overflows the "
                                "floats beside it")


def _fits_int64(array) -> bool:
    return all(-(2**63) <= int(x) < 2**63 for x in array.flat)


def _common_field(array, name):
    fields = {x.field if hasattr(x, "field") else x.ring.to_field() for x in array.flat if _is_field_element(x)}
    if len(fields) > 1:
        raise NotExactError(f"{name} mixes elements of {len(fields)} fields: take all generators from one sympy field")
    return fields.pop()


def join(*arithmetics: Arithmetic) -> Arithmetic:
    """The arithmetic in which arrays of these arithmetics meet. Floats and exact numbers do not meet."""
    names = {a.name for a in arithmetics}
    exact = names & EXACT
    inexact = names & {"float64", "complex128"}
    if exact and inexact:
        raise NotExactError(f"{' and '.join(sorted(inexact))} numbers met {' and '.join(sorted(exact))} numbers: floats are "
                            "never silently rounded; give the model, the policy and theta in one arithmetic")
    if "expression" in names:
        return EXPRESSION
    if "field" in names:
        fields = {a.field for a in arithmetics if a.name == "field"}
        if len(fields) > 1:
            raise NotExactError("elements of two different fields met: take all generators from one sympy field")
        return Arithmetic("field", fields.pop())
    for arithmetic in (DUAL, FRACTION, COMPLEX, FLOAT):
        if arithmetic.name in names:
            return arithmetic
    return INTEGER


# --------------------------------------------------------------------------------------------- products with P


class DenseKernel:
    """P as one (S, A, S) array of floats or complex numbers."""

    def __init__(self, P):
        self.P = P
        self.n_states, self.n_actions = P.shape[:2]
        self.rows = P.reshape(-1, self.n_states)

    def row_sums(self):
        """(S, A): sum_s' P[s, a, s']."""
        return self.P.sum(axis=2)

    def mix(self, pi):
        """(..., S, S): sum_a pi[s, a] P[s, a, s'], for pi (..., S, A); pi may carry any factor, such as -gamma."""
        if pi.ndim == 2:
            return np.matmul(pi[:, None, :], self.P)[:, 0, :]
        batch = pi.shape[:-2]
        stacked = np.moveaxis(pi.reshape((-1,) + pi.shape[-2:]), 1, 0)
        return np.moveaxis(np.matmul(stacked, self.P), 0, 1).reshape(batch + (self.n_states, self.n_states))

    def expect(self, V):
        """(..., S, A): sum_s' P[s, a, s'] V[s'], for V (..., S)."""
        V = np.asarray(V)
        if V.ndim == 1:
            return (self.rows @ V).reshape(self.n_states, self.n_actions)
        return (V @ self.rows.T).reshape(V.shape[:-1] + (self.n_states, self.n_actions))

    def weigh(self, R):
        """(S, A): sum_s' P[s, a, s'] R[s, a, s']."""
        return np.vecdot(self.P.conj() if np.iscomplexobj(self.P) else self.P, R)


class SparseKernel:
    """P as a csr array (S*A, S), row s*A + a."""

    def __init__(self, P, n_actions):
        self.P = self.rows = P
        self.n_states, self.n_actions = P.shape[1], n_actions
        self._state_of_row = np.arange(self.n_states + 1) * n_actions
        self._columns = np.arange(self.n_states * n_actions)

    def row_sums(self):
        return np.asarray(self.P.sum(axis=1)).reshape(self.n_states, self.n_actions)

    def mix(self, pi):
        if pi.ndim > 2:
            raise PGTheoryError("a batch of policies needs a dense model: solve them one by one on a sparse one")
        weights = scipy.sparse.csr_array((pi.reshape(-1), self._columns, self._state_of_row),
                                         shape=(self.n_states, self.n_states * self.n_actions))
        return weights @ self.P

    def expect(self, V):
        V = np.asarray(V)
        flat = self.P @ V.reshape(-1, self.n_states).T
        return flat.T.reshape(V.shape[:-1] + (self.n_states, self.n_actions))

    def weigh(self, R):
        return np.asarray(self.P.multiply(R).sum(axis=1)).reshape(self.n_states, self.n_actions)


class ExactKernel:
    """P as an (S, A, S) object array, walked along its non-zero pattern."""

    def __init__(self, P, arithmetic):
        self.P, self.arithmetic = P, arithmetic
        self.n_states, self.n_actions = P.shape[:2]

    @cached_property
    def pattern(self) -> list:
        """[(s, a, s', p)] of the non-zero entries."""
        return [(*index, p) for index, p in np.ndenumerate(self.P) if p != 0]

    def row_sums(self):
        sums = self.arithmetic.zeros((self.n_states, self.n_actions))
        for s, a, _, p in self.pattern:
            sums[s, a] += p
        return sums

    def mix(self, pi):
        if pi.ndim > 2:
            return _stack([self.mix(one) for one in pi], pi.shape[:-2])
        P_pi = self.arithmetic.zeros((self.n_states, self.n_states))
        for s, a, t, p in self.pattern:
            if pi[s, a] != 0:
                P_pi[s, t] += pi[s, a] * p
        return P_pi

    def expect(self, V):
        if V.ndim > 1:
            return _stack([self.expect(one) for one in V], V.shape[:-1])
        out = self.arithmetic.zeros((self.n_states, self.n_actions))
        for s, a, t, p in self.pattern:
            out[s, a] += p * V[t]
        return out

    def weigh(self, R):
        out = self.arithmetic.zeros((self.n_states, self.n_actions))
        for s, a, t, p in self.pattern:
            out[s, a] += p * R[s, a, t]
        return out


def _stack(arrays: list, batch: tuple) -> np.ndarray:
    """Object arrays, stacked without numpy trying to look inside their elements."""
    out = np.empty((len(arrays),) + arrays[0].shape, dtype=object)
    for i, array in enumerate(arrays):
        out[i] = array
    return out


def kernel(P, n_actions: int, arithmetic: Arithmetic):
    """The products with P, in its arithmetic."""
    if is_sparse(P):
        return SparseKernel(P, n_actions)
    return ExactKernel(P, arithmetic) if arithmetic.exact else DenseKernel(P)


# --------------------------------------------------------------------------------------------- the linear solve


def _singular():
    return UndefinedError("I - gamma P_pi is singular to working precision: episodes last longer than floating point can "
                          "tell from for ever; lower gamma, or state the model in Fractions")


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
            raise _singular()

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
            before, left = left, np.max(_largest(R) / (_largest(X) + _largest(B)))
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
            raise _singular() from None


class SparseFactorization:
    """SuperLU of a csr matrix, read as the csc form of its transpose. Row diagonally dominant: no pivoting is needed."""

    def __init__(self, M):
        from scipy.sparse.linalg import splu

        transposed = scipy.sparse.csc_array((M.data, M.indices, M.indptr), shape=M.shape)
        self._empty = M.shape[0] == 0
        if self._empty:
            return
        try:
            self._lu = splu(transposed, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0,
                            options={"SymmetricMode": True})
        except RuntimeError:
            raise _singular() from None

    def solve(self, B, transpose=False):
        if self._empty:
            return np.zeros_like(B)
        if np.iscomplexobj(B) and self._lu.L.dtype.kind != "c":
            return self.solve(B.real.copy(), transpose) + 1j * self.solve(B.imag.copy(), transpose)
        return self._lu.solve(np.ascontiguousarray(B), "N" if transpose else "T")


class ExactFactorization:
    """A square system over QQ or a fraction field. Elimination is sympy's (flint's where it is installed)."""

    def __init__(self, M, arithmetic):
        from sympy.polys.matrices import DomainMatrix

        self._n, self._arithmetic = M.shape[0], arithmetic
        self._domain, self._wrap, self._unwrap = _domain(arithmetic, M)
        self._matrix = DomainMatrix([[self._wrap(x) for x in row] for row in M], M.shape, self._domain)

    def solve(self, B, transpose=False):
        from sympy.polys.matrices.exceptions import DMNonInvertibleMatrixError

        if B.size == 0:
            return np.empty(B.shape, dtype=object)
        columns = B.reshape(self._n, -1)
        solve = _solve_expressions if self._arithmetic.name == "expression" else self._solve_elements
        try:
            return solve(self._matrix, columns, transpose).reshape(B.shape)
        except DMNonInvertibleMatrixError:
            raise UndefinedError("I - gamma P_pi is singular: the quantity does not exist for this model and "
                                 "policy") from None

    def _solve_elements(self, matrix, columns, transpose):
        from sympy.polys.matrices import DomainMatrix

        right = DomainMatrix([[self._wrap(x) for x in row] for row in columns], columns.shape, self._domain)
        solution = (matrix.transpose() if transpose else matrix).lu_solve(right)
        out = np.empty(columns.shape, dtype=object)
        for i, row in enumerate(solution.to_list()):
            out[i] = [self._unwrap(x) for x in row]
        return out


class DualFactorization:
    """A + B e, solved as the block system [[A, 0], [B, A]] over QQ: the ring of dual numbers is that ring of blocks."""

    def __init__(self, M):
        self._M = M
        self._factor = {}

    def solve(self, B, transpose=False):
        if transpose not in self._factor:
            self._factor[transpose] = ExactFactorization(_blocks(self._M.T if transpose else self._M), FRACTION)
        n = B.shape[0]
        parts = np.concatenate([_part(B, "a"), _part(B, "b")])
        X = self._factor[transpose].solve(parts)
        out = np.empty(B.shape, dtype=object)
        out.flat = [Dual(a, b) for a, b in zip(X[:n].flat, X[n:].flat, strict=True)]
        return out


def _part(array, name):
    out = np.empty(array.shape, dtype=object)
    out.flat = [getattr(x, name) for x in array.flat]
    return out


def _blocks(M):
    A, B = _part(M, "a"), _part(M, "b")
    return np.block([[A, FRACTION.zeros(A.shape)], [B, A]])


def _domain(arithmetic, M):
    """The sympy domain of an exact arithmetic, and the two conversions."""
    from sympy import EXRAW, QQ

    if arithmetic.name == "Fraction":
        return (QQ, lambda x: QQ(x.numerator, x.denominator), lambda x: Fraction(int(x.numerator), int(x.denominator)))
    if arithmetic.name == "field":
        return arithmetic.field.to_domain(), lambda x: x, lambda x: x
    return EXRAW, lambda x: x, lambda x: x


def _solve_expressions(matrix, columns, transpose):
    """Solve in the fraction field of all symbols at hand; elimination on raw expressions would not know zero."""
    from sympy.polys.matrices import DomainMatrix

    n, m = columns.shape
    right = DomainMatrix([list(row) for row in columns], (n, m), matrix.domain)
    both = matrix.transpose().hstack(right) if transpose else matrix.hstack(right)
    field = DomainMatrix.from_Matrix(both.to_Matrix()).to_field()
    solution = field.extract(list(range(n)), list(range(n))).lu_solve(field.extract(list(range(n)), list(range(n, n + m))))
    out = np.empty((n, m), dtype=object)
    for i, row in enumerate(solution.to_Matrix().tolist()):
        out[i] = row
    return out


def factorize(M, arithmetic: Arithmetic):
    """One factorisation of M, for every right-hand side and for the transpose."""
    if is_sparse(M):
        return SparseFactorization(M)
    if arithmetic.exact:
        if M.ndim > 2:
            return _ExactBatch(M, arithmetic)
        return DualFactorization(M) if arithmetic.name == "dual" else ExactFactorization(M, arithmetic)
    if M.ndim > 2:
        return BatchFactorization(M)
    return RefinedFactorization(M) if M.dtype == float and len(M) >= LARGE else DenseFactorization(M)


class _ExactBatch:
    """A stack of exact matrices, one factorisation each."""

    def __init__(self, M, arithmetic):
        self._shape = M.shape[:-2]
        self._each = [ExactFactorization(one, arithmetic) for one in M.reshape((math.prod(self._shape),) + M.shape[-2:])]

    def solve(self, B, transpose=False):
        flat = np.broadcast_to(B, self._shape + B.shape[-1:]).reshape(len(self._each), B.shape[-1])
        return _stack([f.solve(b, transpose) for f, b in zip(self._each, flat, strict=True)], ()).reshape(B.shape)


def plus_identity(A):
    """I + A, for A (..., n, n) dense, sparse or exact; a dense A is overwritten."""
    if is_sparse(A):
        return scipy.sparse.csr_array(A + scipy.sparse.eye_array(A.shape[0], format="csr"))
    plain = A.ndim == 2 and A.flags.c_contiguous
    diagonal = A.reshape(-1)[::len(A) + 1] if plain else np.einsum("...ii->...i", A)
    diagonal += 1
    return A


def dot_rows(x, y):
    """(...) : sum over the last axis of x y, without conjugation; any arithmetic, and fast where rows are short."""
    return np.vecdot(x, y) if x.dtype.kind == "f" else np.einsum("...a,...a->...", x, y)


def rational_field(*arrays):
    """The field of rational functions that holds all these entries, where they are rational in symbols; None otherwise.

    >>> import numpy as np, sympy
    >>> from pgtheory.arithmetic import rational_field
    >>> x, y = sympy.symbols("x y")
    >>> rational_field(np.array([x / y]), np.array([1])).field.symbols
    (x, y)
    >>> rational_field(np.array([sympy.exp(x)])) is None
    True
    """
    from sympy.polys.fields import sfield

    entries = [_expression(x) for a in arrays for x in np.asarray(a, dtype=object).flat]
    if not any(x.free_symbols for x in entries):
        return None
    field = sfield(entries)[0]
    return Arithmetic("field", field) if all(symbol.is_Symbol for symbol in field.symbols) else None


def canonical(*arrays):
    """Arrays of sympy expressions in one canonical form, so that equal rational functions compare equal; others unchanged."""
    if not any(a.dtype == object and a.size and as_array(a)[1].name == "expression" for a in map(np.asarray, arrays)):
        return arrays
    from sympy.polys.fields import sfield

    arrays = tuple(EXPRESSION.convert(a) for a in arrays)
    entries = [x for a in arrays for x in a.flat]
    if not any(x.free_symbols for x in entries):
        elements = entries
    else:
        elements = [x.as_expr() for x in sfield(entries)[1]]
    out, start = [], 0
    for a in arrays:
        new = np.empty(a.size, dtype=object)
        new[:] = elements[start:start + a.size]
        out.append(new.reshape(a.shape))
        start += a.size
    return tuple(out)
