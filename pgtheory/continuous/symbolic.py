"""P and R from sympy expressions in the action: numpy code compiled once, derivatives by sympy, exact where actions are."""

from __future__ import annotations

from fractions import Fraction
from functools import reduce
from operator import add, mul
from typing import NamedTuple

import numpy as np
import sympy

from ..arithmetic import EXPRESSION
from ..errors import InvalidMDPError


class Compiled(NamedTuple):
    """Vectorized functions of actions (..., S, k)."""

    P: object
    R: object
    dP: object   # noqa: N815
    dR: object   # noqa: N815


def compiled(P, R, actions, n_states: int):
    """(:class:`Compiled`, k) from P (S, S) and R (S, S) or (S,), expressions in the symbols ``actions``.

    >>> import numpy as np, sympy
    >>> from pgtheory.continuous.symbolic import compiled
    >>> a = sympy.Symbol("a")
    >>> law, k = compiled([[a, 1 - a], [0, 1]], [a**2, 0], a, 2)
    >>> law.P(np.array([[0.25], [0.5]])), law.dR(np.array([[0.25], [0.5]]))[..., 0]
    (array([[0.25, 0.75],
           [0.  , 1.  ]]), array([[0.5, 0.5],
           [0. , 0. ]]))
    """
    symbols = _symbols(actions)
    P, R = _table(P, "P", n_states, symbols), _table(R, "R", n_states, symbols)
    functions = [_function(table, symbols) for table in (P, R, _slopes(P, symbols), _slopes(R, symbols))]
    return Compiled(*functions), len(symbols)


def _symbols(actions) -> tuple:
    symbols = (actions,) if isinstance(actions, sympy.Symbol) else tuple(actions)
    for x in symbols:
        if not isinstance(x, sympy.Symbol):
            raise InvalidMDPError(f"actions holds {x!r} ({type(x).__name__}): they must be sympy symbols")
    if not symbols or len(set(symbols)) < len(symbols):
        raise InvalidMDPError(f"actions are {list(symbols)}: there must be at least one symbol, and none twice")
    return symbols


def _table(values, name, n_states, symbols):
    """(S, S) object array of expressions; (S,) is the reward of leaving."""
    array = np.array(values.tolist() if hasattr(values, "tolist") else values, dtype=object)
    if array.shape == (n_states,) and name == "R":
        array = np.repeat(array[:, None], n_states, axis=1)
    if array.shape != (n_states, n_states):
        raise InvalidMDPError(f"{name} has shape {array.shape}: with {n_states} states in rho it must be "
                              f"{(n_states, n_states)}" + (f" or {(n_states,)}" if name == "R" else ""))
    out = np.empty(array.shape, dtype=object)
    for index, x in np.ndenumerate(array):
        expression = out[index] = sympy.sympify(x)
        unknown = sorted(expression.free_symbols - set(symbols), key=str)
        if unknown:
            raise InvalidMDPError(f"{name}{list(index)} is {x}: {unknown[0]} is no action; substitute a number for it, or "
                                  "name it among the actions")
    return out


def _slopes(table, symbols):
    """(S, S, k) derivatives."""
    out = np.empty(table.shape + (len(symbols),), dtype=object)
    for index, x in np.ndenumerate(table):
        for j, symbol in enumerate(symbols):
            out[(*index, j)] = sympy.diff(x, symbol)
    return out


def _function(table, symbols):
    """The vectorized function actions (..., S, k) -> (..., *table.shape); row s is compiled by itself."""
    rows = [sympy.lambdify(symbols, row.ravel().tolist(), modules="numpy", cse=True) for row in table]

    def numeric(actions):
        if actions.dtype == object:
            return _exact(table, symbols, actions)
        columns = [row(*np.moveaxis(actions[..., s, :], -1, 0)) for s, row in enumerate(rows)]
        filled = [np.stack(np.broadcast_arrays(*column, actions[..., 0, 0])[:-1], axis=-1) for column in columns]
        whole = np.stack(filled, axis=-2)
        return whole.reshape(actions.shape[:-1] + table.shape[1:])

    return numeric


def _exact(table, symbols, actions):
    """Substitution: slow, and exact; a dual or field element passes through the expression's own rational operations."""
    out = np.empty(actions.shape[:-1] + table.shape[1:], dtype=object)
    for index in np.ndindex(actions.shape[:-1]):
        values = dict(zip(symbols, actions[index], strict=True))
        row = table[index[-1]]
        for place in np.ndindex(row.shape):
            out[index + place] = _evaluate(row[place], values)
    return out


def _evaluate(x, values):
    """A rational expression in the arithmetic of the values; anything else as sympy's own exact number."""
    if x.is_Symbol:
        return values[x]
    if x.is_Rational:
        return Fraction(int(x.p), int(x.q))
    if x.is_Add:
        return reduce(add, (_evaluate(arg, values) for arg in x.args))
    if x.is_Mul:
        return reduce(mul, (_evaluate(arg, values) for arg in x.args))
    if x.is_Pow and x.exp.is_Integer:
        base, n = _evaluate(x.base, values), int(x.exp)
        return base**n if n >= 0 else 1 / base ** (-n)
    return x.xreplace({symbol: EXPRESSION.number(values[symbol]) for symbol in x.free_symbols})
