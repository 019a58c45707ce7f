"""What the entries of an array are: its :class:`Arithmetic`, and where two of them meet."""

from __future__ import annotations

import reprlib
import sys
from dataclasses import dataclass
from fractions import Fraction
from numbers import Integral, Rational
from typing import Any

import numpy as np
import scipy.sparse

from ..errors import NotExactError, PGTheoryError
from .dual import Dual
from .entries import distinct, objects
from .factored import Factored
from .precise import Ball, flint_or_raise, whole_bits

EPS = float(np.finfo(float).eps)


@dataclass(frozen=True)
class Arithmetic:
    """What the entries of an array are.

    ``field`` is the sympy field, or a :class:`FactoredField`, where ``name`` is "field"; and the bits where it is "ball".
    """

    name: str
    field: Any = None

    @property
    def exact(self) -> bool:
        """Nothing is rounded, or no rounding goes uncounted, as in balls: a formula needs no analysis of its errors."""
        return self.name in EXACT

    @property
    def enclosing(self) -> bool:
        """Balls: sides that overlap may be equal, and the radii say how much room that leaves."""
        return self.name == "ball"

    @property
    def symbolic(self) -> bool:
        return self.name in ("field", "expression")

    def number(self, value):
        """An integer, Fraction or element, as a number of this arithmetic."""
        if self.name == "Fraction":
            return _fraction(value)
        if self.name == "ball":
            return Ball.of(value, self.field)
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
            return in_sympy(value)
        return complex(value) if self.name == "complex128" else float(value)

    def convert(self, array):
        """The same array with every entry a number of this arithmetic (shape and sparsity kept)."""
        if scipy.sparse.issparse(array):
            return array.astype(complex if self.name == "complex128" else float)
        if not self.exact:
            return np.asarray(array, dtype=complex if self.name == "complex128" else float)
        array = np.asarray(array)
        entries = array.ravel().tolist() if array.dtype == object else array.astype(object).ravel().tolist()
        known = {key: self.number(x) for key, x in distinct(entries).items()}
        return objects([known[key] for key in map(id, entries)], array.shape)

    def zeros(self, shape) -> np.ndarray:
        """An array of zeros."""
        if not self.exact:
            return np.zeros(shape, dtype=complex if self.name == "complex128" else float)
        out = np.empty(shape, dtype=object)
        out.fill(self.number(0))
        return out


EXACT = frozenset({"Fraction", "ball", "dual", "field", "expression"})
INTEGER = Arithmetic("integer")
FLOAT = Arithmetic("float64")
COMPLEX = Arithmetic("complex128")
FRACTION = Arithmetic("Fraction")
DUAL = Arithmetic("dual")
EXPRESSION = Arithmetic("expression")


def balls_of(bits: int) -> Arithmetic:
    """The arithmetic of balls with that many bits; :class:`MissingExtraError` where python-flint is not installed."""
    flint_or_raise()
    return Arithmetic("ball", whole_bits(bits))


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
    return isinstance(x, _element_types())


def _element_types() -> tuple:
    """Types of rational functions."""
    return (Factored, *_loaded("sympy.polys.fields", "FracElement"), *_loaded("sympy.polys.rings", "PolyElement"))


def _in_field(x, field):
    home = getattr(x, "field", None)
    return x if home == field else field(x)


def in_sympy(value):
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
    if issubclass(cls, Ball):
        return "ball"
    if issubclass(cls, Dual):
        return "dual"
    if issubclass(cls, (float, np.floating)):
        return "float64"
    if issubclass(cls, (complex, np.complexfloating)):
        return "complex128"
    if issubclass(cls, _element_types()):
        return "field"
    if issubclass(cls, _loaded("sympy.core.expr", "Expr")):
        return "expression"
    return ""


def in_balls(array) -> bool:
    """The entries are balls, or dual numbers over them: e to their power can be had."""
    if not isinstance(array, np.ndarray) or array.dtype != object or not array.size:
        return False
    return any(isinstance(x, Ball) or isinstance(getattr(x, "a", None), Ball) for x in array.flat)


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
    kinds = {_of_type(cls) for cls in set(map(type, array.ravel().tolist()))}
    if "" in kinds:
        raise next(_no_number(x, name, index) for index, x in np.ndenumerate(array) if not _of_type(type(x)))
    if kinds <= {"integer"}:
        return array.astype(np.int64) if _fits_int64(array) else FRACTION.convert(array), INTEGER
    if "ball" in kinds and kinds <= {"ball", "integer", "Fraction", "float64"}:
        arithmetic = Arithmetic("ball", max(x.bits for x in array.flat if isinstance(x, Ball)))
    elif "float64" in kinds or "complex128" in kinds:
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
    """The arithmetic in which arrays of these arithmetics meet. Floats and exact numbers do not meet, but in balls."""
    names = {a.name for a in arithmetics}
    if "ball" in names and names <= {"ball", "integer", "Fraction", "float64"}:
        return Arithmetic("ball", max(a.field for a in arithmetics if a.enclosing))
    exact = names & EXACT
    inexact = names & {"float64", "complex128"}
    if exact and inexact:
        raise NotExactError(f"{' and '.join(sorted(inexact))} numbers met {' and '.join(sorted(exact))} numbers: floats are "
                            "never silently rounded; give the model, the policy and theta in one arithmetic")
    if "ball" in names and names & {"expression", "field"}:
        raise NotExactError("balls met symbols: give the model, the policy and theta in numbers")
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
