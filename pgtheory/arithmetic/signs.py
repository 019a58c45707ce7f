"""What is known of single numbers without rounding them: signs, and which sympy expressions are exact and real."""

from __future__ import annotations

from numbers import Rational

from ..errors import NotExactError
from .kinds import _loaded as loaded


def is_negative(x) -> bool:
    """x is known to be below 0; a symbol has no sign.

    >>> import sympy
    >>> from pgtheory.arithmetic import is_negative
    >>> is_negative(-1), is_negative(sympy.sqrt(2) - 2), is_negative(sympy.Symbol("x"))
    (True, True, False)
    """
    if isinstance(x, Rational):
        return bool(x < 0)
    if isinstance(x, loaded("sympy.polys.fields", "FracElement")):
        below = x.field.domain.is_negative
        return x.numer.is_ground and x.denom.is_ground and below(x.numer.LC) != below(x.denom.LC)
    return getattr(x, "is_negative", None) is True


def is_expression(cls: type) -> bool:
    """A type of sympy expressions."""
    return issubclass(cls, loaded("sympy.core.expr", "Expr"))


def require_exact_real(x, place: str, error) -> None:
    """Raise where a sympy expression is infinite or complex (``error``), or holds a Float (:class:`NotExactError`)."""
    if not isinstance(x, loaded("sympy.core.expr", "Expr")):
        return
    if x.has(*loaded("sympy.core.numbers", "Float")):
        raise NotExactError(f"{place} is {x}: floats are never silently rounded; write a Rational")
    if x.is_number and x.is_real is not True:
        raise error(f"{place} is {x}: entries must be {'real' if x.is_finite else 'finite'}")
