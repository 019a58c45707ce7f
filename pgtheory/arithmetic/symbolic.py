"""Expressions as rational functions, so that equal ones compare equal; and rational functions in factored form."""

from __future__ import annotations

import numpy as np

from .entries import objects
from .factored import Factored, FactoredField
from .kinds import EXPRESSION, Arithmetic, as_array, in_sympy


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

    entries = [in_sympy(x) for a in arrays for x in np.asarray(a, dtype=object).flat]
    if not any(x.free_symbols for x in entries):
        return None
    field = sfield(entries)[0]
    return Arithmetic("field", field) if all(symbol.is_Symbol for symbol in field.symbols) else None


def factored(arithmetic: Arithmetic) -> Arithmetic:
    """The same rational functions, kept as products of powers; other arithmetics as they are."""
    if arithmetic.name != "field" or isinstance(arithmetic.field, FactoredField):
        return arithmetic
    return Arithmetic("field", FactoredField(arithmetic.field.ring))


def reduced(array):
    """The array with its factored elements as those of the sympy fraction field, in lowest terms; others unchanged."""
    array = np.asarray(array)
    if array.dtype != object or not any(isinstance(x, Factored) for x in array.flat):
        return array
    return objects([x.reduced() if isinstance(x, Factored) else x for x in array.flat], array.shape)


def canonical(*arrays):
    """Arrays of sympy expressions in one canonical form, so that equal rational functions compare equal; others unchanged."""
    if not any(a.dtype == object and a.size and as_array(a)[1].name == "expression" for a in map(np.asarray, arrays)):
        return arrays
    from sympy.polys.fields import sfield

    arrays = tuple(EXPRESSION.convert(a) for a in arrays)
    entries = [x for a in arrays for x in a.flat]
    symbols = any(x.free_symbols for x in entries)
    elements = [x.as_expr() for x in sfield(entries)[1]] if symbols else entries
    out, start = [], 0
    for a in arrays:
        out.append(objects(elements[start:start + a.size], a.shape))
        start += a.size
    return tuple(out)
