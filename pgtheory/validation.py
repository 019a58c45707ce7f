"""What every array that comes in must satisfy, and the words that say where it does not."""

from __future__ import annotations

from numbers import Rational

import numpy as np

from .arithmetic import EPS, Arithmetic, as_array, distinct, is_expression, is_negative, is_sparse, require_exact_real
from .errors import PGTheoryError


def numbers(values, name: str, error: type[PGTheoryError], what="entries must be finite"):
    """``values`` as an array and its arithmetic; finite and numeric, or ``error``."""
    try:
        array, arithmetic = as_array(values, name)
    except PGTheoryError as bad:
        raise bad if isinstance(bad, error) or type(bad) is not PGTheoryError else error(str(bad)) from None
    require_finite(array, name, error, what)
    return array, arithmetic


def require_finite(array, name: str, error, what="entries must be finite") -> None:
    """Raise ``error`` at the first NaN or infinity, and at the first sympy number that is no exact real one."""
    data = array.data if is_sparse(array) else array
    if data.dtype == object:
        if any(is_expression(cls) for cls in set(map(type, data.ravel().tolist()))):
            for index, x in np.ndenumerate(data):
                require_exact_real(x, f"{name}{bracket(index)}", error)
    elif data.dtype.kind in "fc" and not np.logical_and.reduce(np.isfinite(data), axis=None):
        index, value = locate(array, ~np.isfinite(data))
        raise error(f"{name}{bracket(index)} is {value}: {what}")


def first(mask) -> tuple:
    """Index of the first True."""
    return tuple(int(i) for i in np.argwhere(mask)[0])


def locate(array, mask):
    """(index, value) of the first entry marked.

    Of a sparse array the mask covers the stored entries; row s*A + a of one that is (S*A, S) is named (s, a, s').
    """
    if is_sparse(array):
        k = int(np.argmax(mask))
        row, column = int(np.searchsorted(array.indptr, k, side="right")) - 1, int(array.indices[k])
        rows, S = array.shape
        place = (row, column) if rows % S else (*divmod(row, rows // S), column)
        return place, array.data[k].item()
    index = first(mask)
    value = array[index]
    return index, value.item() if hasattr(value, "item") else value


def bracket(index: tuple) -> str:
    """"[2, 1]"; nothing for a scalar."""
    return f"[{', '.join(map(str, index))}]" if index else ""


def in_words(x) -> str:
    """A number as a person would write it: 0.98, 1/3."""
    if isinstance(x, Rational) and (bits := int(x.numerator).bit_length()) > 256:
        return f"a number of {bits} bits"
    if not isinstance(x, (float, np.floating)):
        return str(x)
    short = format(float(x), ".12g")
    return short if float(short) == x else repr(float(x))


def require_nonnegative(array, name: str, error) -> None:
    """Raise ``error`` at the first negative probability."""
    found = first_negative(array)
    if found is None:
        return
    index, value = found
    slight = isinstance(value, float) and value > -1e-6
    mend = "; looks like rounding: set it to 0 and divide the row by its sum" if slight else ""
    raise error(f"{name}{bracket(index)} is {in_words(value)}: probabilities are not negative{mend}")


def require_stochastic(sums, name: str, terms: int, arithmetic: Arithmetic, error, advice) -> None:
    """Rows of probabilities sum to 1 within 4 ``terms`` eps, exactly where exact.

    ``advice(index, total)`` ends the message.
    """
    slack = 4 * max(terms, 1) * EPS
    bad = sums != 1 if arithmetic.exact else ~(np.abs(np.real(sums) - 1) <= slack)
    if arithmetic.enclosing:      # rows of floats keep what they miss
        bad = np.array([abs(x - 1) > slack for x in sums.flat], dtype=bool).reshape(sums.shape)
    if arithmetic.symbolic:
        bad = np.array([not _is_one(x, arithmetic) for x in sums.flat], dtype=bool).reshape(sums.shape)
    if np.any(bad):
        index = first(bad)
        total = sums[index]
        raise error(f"{name}{bracket(index)} sums to {_sum_in_words(total)}, not 1: {advice(index, total)}")


def _is_one(x, arithmetic) -> bool:
    if arithmetic.name == "field":
        return x == arithmetic.number(1)
    import sympy

    return sympy.cancel(x - 1) == 0


def _sum_in_words(total) -> str:
    if not isinstance(total, (float, complex)):     # numpy's are Python's too
        return str(total)
    real = float(total.real)
    return format(real, ".17g" if abs(real - 1) < 1e-10 else ".12g")


def first_negative(array):
    """(index, value) of the first negative entry (its real part), or None; symbols have no sign."""
    data = array.data if is_sparse(array) else array
    if data.dtype == object:
        if not any(map(is_negative, distinct(data.ravel().tolist()).values())):
            return None
        mask = np.array([is_negative(x) for x in data.flat], dtype=bool).reshape(data.shape)
    else:
        mask = np.real(data) < 0
    return locate(array, mask) if mask.any() else None


def read_only(array):
    """The same array (dense or sparse) with its buffers locked."""
    for buffer in (array.data, array.indices, array.indptr) if is_sparse(array) else (array,):
        buffer.setflags(write=False)
    return array


def whole_number(value, name: str, error, least: int = 0) -> int:
    """``value`` as an int of at least ``least``; booleans and 2.5 are refused."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise error(f"{name} is {value!r}: it must be an integer")
    if value < least:
        raise error(f"{name} is {value}: it must be at least {least}")
    return int(value)
