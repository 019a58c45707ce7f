"""What every array that comes in must satisfy, and the words that say where it does not."""

from __future__ import annotations

from numbers import Rational

import numpy as np
import scipy.sparse

from .arithmetic import EPS, Arithmetic, as_array
from .errors import PGTheoryError


def numbers(values, name: str, error: type[PGTheoryError]):
    """``values`` as an array and its arithmetic; real, finite and numeric, or ``error``."""
    try:
        array, arithmetic = as_array(values, name)
    except PGTheoryError as bad:
        raise bad if isinstance(bad, error) or type(bad) is not PGTheoryError else error(str(bad)) from None
    require_finite(array, name, error)
    return array, arithmetic


def require_finite(array, name: str, error, what="entries must be finite") -> None:
    """Raise ``error`` at the first NaN or infinity."""
    data = array.data if scipy.sparse.issparse(array) else array
    if data.dtype.kind not in "fc" or np.isfinite(data).all():
        return
    index, value = _locate(array, ~np.isfinite(data))
    raise error(f"{name}{bracket(index)} is {value}: {what}")


def first(mask) -> tuple:
    """Index of the first True."""
    return tuple(int(i) for i in np.argwhere(mask)[0])


def _locate(array, mask):
    """(index, value) of the first entry marked; of a sparse array the mask covers the stored entries, row by row."""
    if scipy.sparse.issparse(array):
        k = int(np.argmax(mask))
        row = int(np.searchsorted(array.indptr, k, side="right")) - 1
        return (row, int(array.indices[k])), array.data[k].item()
    index = first(mask)
    value = array[index]
    return index, value.item() if hasattr(value, "item") else value


def bracket(index: tuple) -> str:
    """"[2, 1]"; nothing for a scalar."""
    return f"[{', '.join(map(str, index))}]" if index else ""


def in_words(x) -> str:
    """A number as a person would write it: 0.98, 1/3."""
    return format(float(x), ".12g") if isinstance(x, (float, np.floating)) else str(x)


def require_stochastic(sums, negative, name: str, terms: int, arithmetic: Arithmetic, error, advice) -> None:
    """Rows are probabilities: nothing negative (``negative`` is an index or None), sums 1 within 4 ``terms`` eps.

    ``advice(index, total)`` ends the message.
    """
    if negative is not None:
        index, value = negative
        raise error(f"{name}{bracket(index)} is {in_words(value)}: probabilities are not negative")
    bad = sums != 1 if arithmetic.exact else ~(np.abs(np.real(sums) - 1) <= 4 * max(terms, 1) * EPS)
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
    return format(float(np.real(total)), ".17g" if abs(np.real(total) - 1) < 1e-10 else ".12g") if isinstance(
        total, (float, complex, np.floating, np.complexfloating)) else str(total)


def first_negative(array):
    """(index, value) of the first negative entry (its real part), or None; symbols have no sign."""
    data = array.data if scipy.sparse.issparse(array) else array
    if data.dtype == object:
        found = np.array([isinstance(x, Rational) for x in data.flat], dtype=bool).reshape(data.shape)
        if not found.any():
            return None
        mask = np.zeros(data.shape, dtype=bool)
        mask[found] = [x < 0 for x in data[found]]
    else:
        mask = np.real(data) < 0
    if not mask.any():
        return None
    return _locate(array, mask)


def read_only(array):
    """The same array (dense or sparse) with its buffers locked."""
    for buffer in (array.data, array.indices, array.indptr) if scipy.sparse.issparse(array) else (array,):
        buffer.flags.writeable = False
    return array


def whole_number(value, name: str, error, least: int = 0) -> int:
    """``value`` as an int of at least ``least``; booleans and 2.5 are refused."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise error(f"{name} is {value!r}: it must be an integer")
    if value < least:
        raise error(f"{name} is {value}: it must be at least {least}")
    return int(value)
