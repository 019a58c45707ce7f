"""Tables of derivatives of P(s'|s, a) and R(s, a, s') in the action: supplied, or by the complex step, or by dual numbers.

Row s of a law depends on the action in state s alone, so one moved table of actions yields the derivatives of every state.
"""

from __future__ import annotations

import warnings
from inspect import signature
from numbers import Rational

import numpy as np

from ..differentiate import exact_derivative
from ..errors import InvalidMDPError, NotExactError, PGTheoryError
from ..validation import in_words

STEP = 2.0**-100   # far below every rounding, and a power of two, so that dividing by it is exact
BLOCK = 2**17      # entries of a table read at once: they stay in cache while several sums over them are taken


class Supplied:
    """Derivatives as a table (..., S, S, k)."""

    def __init__(self, table):
        self.array = table

    def times(self, *factors):
        """For each of the factors a table (..., S, k): the sum over s' of the derivative times it.

        A factor is a function of a slice of states s that returns (..., slice, S); it is called block by block, so that no
        more than a block of it is ever held, and the derivative is read from memory once.
        """
        table = self.array
        sums = [[np.matmul(factor(rows)[..., None, :], table[..., rows, :, :])[..., 0, :] for factor in factors]
                for rows in _blocks(table.shape[-2], table.size)]
        return [np.concatenate(each, axis=-2) for each in zip(*sums, strict=True)]


class Stepped:
    """Derivatives as a table (k, ..., S, S) of complex values one :data:`STEP` away, never copied out of it."""

    def __init__(self, table):
        self.table = table

    def times(self, *factors):
        """As of :class:`Supplied`."""
        slope = self.table.imag
        sums = [[contract(slope[..., rows, :], factor(rows)) for factor in factors] for rows in _blocks(slope.shape[-1], slope.size)]
        return [np.moveaxis(np.concatenate(each, axis=-1), 0, -1) / STEP for each in zip(*sums, strict=True)]

    @property
    def array(self):
        """(..., S, S, k)."""
        return np.moveaxis(self.table.imag, 0, -1) / STEP


def _blocks(n: int, entries: int) -> list[slice]:
    """range(n) in slices over which a table of so many entries has about :data:`BLOCK` of them."""
    size = max(1, BLOCK * n // max(1, entries))
    return [slice(start, start + size) for start in range(0, n, size)]


def contract(x, y):
    """(...): sum over the last axis of x y, without conjugation; the fastest there is for long rows, in any arithmetic.

    >>> import numpy as np
    >>> from pgtheory.continuous.stepping import contract
    >>> contract(np.array([[1.0, 2j]]), np.array([[3.0, 1j]]))
    array([1.+0.j])
    """
    return np.matmul(x[..., None, :], y[..., :, None])[..., 0, 0]


def slope(model, name: str, actions):
    """Derivative of "P" or "R": supplied if there is one, else by complex steps, else, in Fractions, by dual numbers."""
    if getattr(model, "d" + name) is not None:
        return Supplied(model.table("d" + name, actions)[0])
    if actions.dtype == object:
        return Supplied(np.moveaxis(_by_duals(model, name, actions), 0, -1))
    if actions.dtype.kind == "c":
        raise PGTheoryError(f"the derivative of {name} at complex actions needs d{name}: pass d{name}=, or real actions")
    return _by_complex_step(model, name, actions)


def _by_complex_step(model, name, actions) -> Stepped:
    moved = actions[None] + 1j * STEP * _coordinates(actions)
    with warnings.catch_warnings():
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        try:
            return Stepped(model.table(name, moved)[0])
        except InvalidMDPError:
            raise
        except (TypeError, ValueError, np.exceptions.ComplexWarning) as bad:
            raise InvalidMDPError(f"{name} cannot take complex actions ({bad}): write it with numpy functions that keep the "
                                  f"imaginary part, or pass its derivative as d{name}=") from bad


def _by_duals(model, name, actions):
    k = actions.shape[-1]
    try:
        columns = [exact_derivative(lambda x: model.table(name, x)[0], lambda x, d, h: x + d * h, actions,
                                    np.broadcast_to(np.eye(k, dtype=int)[j], actions.shape)) for j in range(k)]
    except TypeError as bad:
        raise NotExactError(f"{name} cannot be differentiated in Fractions ({bad}): pass d{name}=, or float "
                            "actions") from bad
    return np.stack(columns)


def _coordinates(actions):
    """(k, 1, ..., 1, k): the coordinate directions of an action, to be added to actions."""
    k = actions.shape[-1]
    return np.eye(k).reshape((k,) + (1,) * (actions.ndim - 1) + (k,))


def action_in_words(action) -> str:
    """"[0.3, -1]".

    >>> from pgtheory.continuous.stepping import action_in_words
    >>> action_in_words([0.3, -1.0])
    '[0.3, -1]'
    """
    return f"[{', '.join(in_words(np.real(x)) if np.asarray(x).dtype.kind in 'fc' else str(x) for x in action)}]"


def sum_in_words(total) -> str:
    """Of a row, with as many digits as tell it from 1."""
    return str(total) if isinstance(total, Rational) else format(float(total), ".17g" if abs(total - 1) < 1e-10 else ".12g")


def place(name, index, actions) -> str:
    """"P at state 2, action [0.3]"."""
    return f"{name} at state {index[-2]}, action {action_in_words(actions[index[:-1]])}"


def require_arguments(function, name, vectorized) -> None:
    """The function can be called as it will be; a callable that does not say what it takes is taken as it is."""
    calls = {False: f"{name}(s, a)", True: f"{name}(actions)"}
    try:
        takes = signature(function)
    except (TypeError, ValueError):
        return
    try:
        takes.bind(*(["actions"] if vectorized else ["s", "a"]))
    except TypeError as bad:
        raise InvalidMDPError(f"{name} takes {takes} and is called as {calls[bool(vectorized)]}, since vectorized={bool(vectorized)}: "
                              f"give it these arguments, or {calls[not vectorized]} and vectorized={not vectorized}") from bad
