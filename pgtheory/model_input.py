"""What a user hands over as P, R, gamma and rho, read part by part: shapes, layouts, arithmetic, and what is wrong with them.

The messages say which entry, what it is, why that may be, and how to mend it. :class:`pgtheory.MDP` puts the parts together.
"""

from __future__ import annotations

from numbers import Rational
from typing import Any

import numpy as np
import scipy.sparse

from .arithmetic import INTEGER, join, kernel
from .errors import InvalidMDPError, NotExactError
from .validation import bracket, in_words, locate, numbers, require_stochastic

LARGEST = 1e290   # of any float entry: sums over 1e16 steps still fit
SPARSE_IS_FLOAT = "sparse arrays hold floats; pass P and R dense to stay exact"


def _numbers(values, name):
    return numbers(values, name, InvalidMDPError)


def into(arithmetic, array, name):
    """The array in the model's arithmetic; floats leave room for sums over states and over time."""
    if not arithmetic.exact:
        data = array.data if scipy.sparse.issparse(array) else array
        data = data if data.dtype == object else data.astype(float)
        large = (data > LARGEST) | (data < -LARGEST)
        if large.any():
            index, value = locate(array, large)
            raise InvalidMDPError(f"{name}{bracket(index)} is {in_words(value)}: sums of numbers beyond {LARGEST:g} "
                                  "overflow; choose a larger unit")
    return arithmetic.convert(array)


def whole_in_floats(R) -> bool:
    """Every integer of R is a float, so that a model of integers may wait as float64 without losing anything."""
    data = R.data if scipy.sparse.issparse(R) else R
    return not ((data > 2**53) | (data < -(2**53))).any()


def transitions(P):
    """P checked for shape: (array, arithmetic, S, A)."""
    if _all_sparse(P, "P"):
        return _stack_sparse(P, "P")
    P, arithmetic = _numbers(P, "P")
    if scipy.sparse.issparse(P):
        rows, S = P.shape
        if S == 0 or rows == 0 or rows % S:
            raise InvalidMDPError(f"sparse P has shape {P.shape}: it must be (S*A, S), row s*A + a")
        return P, arithmetic, S, rows // S
    if P.ndim != 3:
        raise InvalidMDPError(f"P has shape {P.shape}: it must be (S, A, S), the probability of s' after a in s"
                              + ("; wrap a Markov chain as P[:, None, :]" if P.ndim == 2 else ""))
    S, A, last = P.shape
    if 0 in P.shape:
        raise InvalidMDPError(f"P has shape {P.shape}: there must be at least one state and one action")
    if last != S:
        raise InvalidMDPError(f"P has shape {P.shape}: it must be (S, A, S){_layout_hint(P)}")
    return P, arithmetic, S, A


def _layout_hint(P) -> str:
    if P.shape[1] == P.shape[2]:
        return "; looks like (A, S, S): did you mean P.transpose(1, 0, 2)?"
    if P.shape[0] == P.shape[1]:
        return "; looks like (S, S, A): did you mean P.transpose(0, 2, 1)?"
    return ""


def _all_sparse(values, name) -> bool:
    """A list of sparse matrices; sparse and dense in one list are refused."""
    if not isinstance(values, (list, tuple)) or not any(scipy.sparse.issparse(x) for x in values):
        return False
    for a, x in enumerate(values):
        if not scipy.sparse.issparse(x):
            raise InvalidMDPError(f"{name}[{a}] is a {type(x).__name__} among sparse matrices: pass A sparse (S, S), or one "
                                  "dense array")
    return True


def _stack_sparse(matrices, name):
    """A sparse (S, S) per action, as one (S*A, S) csr array with row s*A + a."""
    shapes = {m.shape for m in matrices}
    if len(shapes) > 1 or next(iter(shapes))[0] != next(iter(shapes))[1]:
        raise InvalidMDPError(f"{name} is a list of sparse matrices of shapes {sorted(shapes)}: each must be (S, S)")
    S, A = matrices[0].shape[0], len(matrices)
    stacked = scipy.sparse.vstack([scipy.sparse.csr_array(m) for m in matrices], format="csr")
    order = (np.arange(S)[:, None] + S * np.arange(A)[None, :]).reshape(-1)
    return *_numbers(stacked[order], name), S, A


def rewards(R, S, A, sparse):
    """R checked against the shape of P: (array, arithmetic)."""
    if _all_sparse(R, "R"):
        R, arithmetic, S_R, A_R = _stack_sparse(R, "R")
        if (S_R, A_R) != (S, A):
            raise InvalidMDPError(f"R is a list of {A_R} sparse {(S_R, S_R)}: P asks for {A} of {(S, S)}")
    else:
        R, arithmetic = _numbers(R, "R")
    if scipy.sparse.issparse(R):
        if not sparse:
            raise InvalidMDPError("R is sparse and P is dense: pass both sparse, or R.toarray()")
        if R.shape != (S * A, S):
            raise InvalidMDPError(f"sparse R has shape {R.shape}: it must be {(S * A, S)}, row s*A + a")
        return R, arithmetic
    if R.shape not in ((S, A, S), (S, A), (S,)):
        raise InvalidMDPError(f"R has shape {R.shape}: it must be {(S, A, S)}, {(S, A)} or {(S,)}{_reward_hint(R, S, A)}")
    if sparse and arithmetic.exact:
        raise NotExactError(f"R is {arithmetic.name} and P is sparse: {SPARSE_IS_FLOAT}")
    if sparse and R.ndim == 3:
        return scipy.sparse.csr_array(R.reshape(S * A, S)), arithmetic
    return R, arithmetic


def _reward_hint(R, S, A) -> str:
    if R.shape == (A, S, S):
        return "; looks like (A, S, S): did you mean R.transpose(1, 0, 2)?"
    if R.shape == (A, S):
        return "; looks like (A, S): did you mean R.T?"
    if R.shape == (S, S, A):
        return "; looks like (S, S, A): did you mean R.transpose(0, 2, 1)?"
    if R.shape == (S, S):
        return "; a reward of (s, s') is R[:, None, :] broadcast to (S, A, S)"
    return ""


def discount(gamma):
    """gamma as one real number in [0, 1]: (number, arithmetic)."""
    if isinstance(gamma, (str, bytes, bool, np.bool_)) or gamma is None:
        raise InvalidMDPError(f"gamma is {gamma!r}: it must be a number in [0, 1]")
    array, arithmetic = numbers(gamma, "gamma", InvalidMDPError, "it must lie in [0, 1]")
    if array.shape != () or arithmetic.name == "complex128":
        found = f"an array of shape {array.shape}" if array.shape else repr(gamma)
        raise InvalidMDPError(f"gamma is {found}: it must be one real number in [0, 1]")
    value: Any = array[()] if array.dtype == object else array.item()
    if isinstance(value, (float, Rational)) and (value < 0 or value > 1):   # type: ignore[operator]
        raise InvalidMDPError(f"gamma is {in_words(value)}: it must lie in [0, 1]")
    return value, arithmetic


def start(rho, S):
    """rho as a distribution of shape (S,); an int is a point mass: (array, arithmetic)."""
    if isinstance(rho, (int, np.integer)) and not isinstance(rho, bool):
        if not 0 <= rho < S:
            raise InvalidMDPError(f"rho is the start state {rho}: with {S} states it must lie in 0..{S - 1}")
        point = np.zeros(S, dtype=np.int64)
        point[rho] = 1
        return point, INTEGER
    if rho is None or scipy.sparse.issparse(rho):
        raise InvalidMDPError("rho is missing or sparse: it must be the start state (an int) or a dense (S,) distribution")
    array, arithmetic = _numbers(rho, "rho")
    if array.shape == ():
        raise InvalidMDPError(f"rho is {rho!r}: it must be a start state (a Python int) or a distribution of shape {(S,)}")
    if array.shape != (S,):
        raise InvalidMDPError(f"rho has shape {array.shape}: it must be {(S,)}, one probability a state")
    return array, arithmetic


def meet(**arithmetics):
    """The arithmetic of the whole model; the error names the parts that do not fit."""
    for name, arithmetic in arithmetics.items():
        if arithmetic.name == "complex128":
            raise InvalidMDPError(f"{name} is complex: a model is real (only policies may carry a complex step)")
    try:
        return join(*arithmetics.values())
    except NotExactError:
        kinds = ", ".join(f"{name} is {a.name}" for name, a in arithmetics.items() if a != INTEGER)
        raise NotExactError(f"floats met exact numbers in one model ({kinds}): floats are never silently rounded; write "
                            "them as Fractions, for instance Fraction(9, 10) for 0.9") from None


def normalized(P, n_actions, arithmetic):
    """Rows divided by their sums; a row that sums to 0 is refused later, by name."""
    sums = kernel(P, n_actions, arithmetic).row_sums()
    if scipy.sparse.issparse(P):
        flat = sums.reshape(-1)
        return scipy.sparse.csr_array(scipy.sparse.diags_array(1 / np.where(flat > 0, flat, 1)) @ P)
    safe = np.where(sums == 0, arithmetic.number(1), sums) if arithmetic.exact else np.where(sums > 0, sums, 1.0)
    return P / safe[..., None]


def require_rows(products, P, rho, S, arithmetic):
    """Every row of P, and rho, sums to 1."""
    sums = products.row_sums()
    require_stochastic(sums, "P", S, arithmetic, InvalidMDPError, lambda _, total: _row_advice(P, total, arithmetic))
    require_stochastic(np.asarray(rho.sum()), "rho", S, arithmetic, InvalidMDPError,
                       lambda _, total: _start_advice(total, arithmetic))


ROUNDING = 1e-5   # a sum this close to 1 is a float32 or printed-decimal 1
OFF_BY_ROUNDING = "off by rounding (float32 or printed decimals?): pass normalize=True to divide every row by its sum"


def _start_advice(total, arithmetic) -> str:
    if arithmetic.symbolic:
        return "write its last probability as 1 minus the others"
    return OFF_BY_ROUNDING if abs(float(total) - 1) < ROUNDING else "it must be a distribution over the states"


def _row_advice(P, total, arithmetic) -> str:
    """Why a row may not sum to 1, the likeliest cause first."""
    if arithmetic.symbolic:
        return "write the last probability of a row as 1 minus the others"
    if abs(float(total) - 1) < ROUNDING:
        return OFF_BY_ROUNDING
    if not scipy.sparse.issparse(P):
        for axes in ((1, 0, 2), (0, 2, 1), (2, 1, 0), (1, 2, 0), (2, 0, 1)):
            turned = P.transpose(axes)
            if turned.shape[0] == turned.shape[2] and _rows_are_one(turned.sum(axis=2), arithmetic):
                return f"the axes look permuted: did you mean P.transpose{axes}?"
    if float(total) == 0:
        return "the row is empty: a state without successors must be made absorbing, with P[s, a, s] = 1"
    return ("a successor is missing or wrong; correct the row, or pass normalize=True to divide every row by its sum")


def _rows_are_one(sums, arithmetic) -> bool:
    return bool(np.all(sums == 1)) if arithmetic.exact else bool(np.all(np.abs(sums - 1) < ROUNDING))
