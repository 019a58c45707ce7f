r"""Derivatives of P(s'|s, a) and R(s, a, s') in the action: supplied, or by the complex step, and checked either way.

Row s of a law depends on the action in state s alone, so one moved table of actions yields the derivatives of every state.
"""

from __future__ import annotations

import warnings

import numpy as np

from ..arithmetic import EPS
from ..differentiate import exact_derivative, ladder
from ..errors import InvalidMDPError, NotExactError, PGTheoryError, UndefinedError
from ..validation import first, in_words

STEP = 2.0**-100   # far below every rounding, and a power of two, so that dividing by it is exact
CLEAR = 1e-4         # differences that are not settled to this, relative to the function or its slope, confirm nothing


class Supplied:
    """Derivatives as a table (..., S, S, k)."""

    def __init__(self, table):
        self.array = table

    def times(self, x):
        """(..., S, k): sum over s' of the derivative times ``x`` (..., S, S)."""
        return np.matmul(x[..., None, :], self.array)[..., 0, :]


class Stepped:
    """Derivatives as a table (k, ..., S, S) of complex values one :data:`STEP` away, never copied out of it."""

    def __init__(self, table):
        self.table = table

    def times(self, x):
        """(..., S, k): sum over s' of the derivative times ``x`` (..., S, S)."""
        return np.moveaxis(contract(self.table.imag, x), 0, -1) / STEP

    @property
    def array(self):
        """(..., S, S, k)."""
        return np.moveaxis(self.table.imag, 0, -1) / STEP


def contract(x, y):
    """(...): sum over the last axis of x y, without conjugation; the fastest there is for long rows, in any arithmetic.

    >>> import numpy as np
    >>> from pgtheory.continuous.slopes import contract
    >>> contract(np.array([[1.0, 2j]]), np.array([[3.0, 1j]]))
    array([1.+0.j])
    """
    return np.matmul(x[..., None, :], y[..., :, None])[..., 0, 0]


def slopes(model, actions):
    """(dP, dR), :class:`Supplied` or :class:`Stepped`, at checked actions (..., S, k).

    Raises :class:`InvalidMDPError` where the rows of the derivative of P do not sum to 0.
    """
    if actions.dtype != object and not model._trusted:
        trust(model, np.array(np.real(actions[(0,) * (actions.ndim - 2)])))
    dP, dR = slope(model, "P", actions), slope(model, "R", actions)
    _require_balance(dP, actions)
    return dP, dR


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


def _require_balance(dP, actions) -> None:
    """Rows of the derivative of P sum to 0.

    How much the terms of a derivative cancelled inside the user's formula cannot be seen from outside; the check is at half
    precision of the largest derivative, which a row that truly loses probability exceeds by orders of magnitude.
    """
    ones = np.ones((1, actions.shape[-2]), dtype=object if actions.dtype == object else float)
    rows = dP.times(ones)
    if rows.dtype == object:
        bad = np.array(rows != 0, dtype=bool)
    else:
        bad = ~(np.abs(rows) <= np.sqrt(EPS))
        if bad.any():
            bad = ~(np.abs(rows) <= np.sqrt(EPS) * max(1.0, float(np.abs(dP.array).sum(axis=-2).max())))
    if not bad.any():
        return
    index = first(bad)
    raise InvalidMDPError(f"the derivative of P at state {index[-2]}, action {action_in_words(actions[index[:-1]])} sums to "
                          f"{in_words(np.real(rows[index]))} over the next states, not 0 (action coordinate {index[-1]}): P "
                          "sums to 1 at this action and not beside it, or is not differentiable there")


def require_slope(gradient, actions) -> None:
    """A gradient (..., S, k) in the action is finite; :class:`InvalidMDPError` names the state and the action where not."""
    if gradient.dtype != object and not np.isfinite(gradient).all():
        index = first(~np.isfinite(gradient))
        place = f"state {index[-2]}, action {action_in_words(actions[index[:-1]])}"
        raise InvalidMDPError(f"the derivative of P or R at {place} is {gradient[index]} (action coordinate {index[-1]}): "
                              "both must be differentiable at the actions in use")


# ------------------------------------------------------------------------------------- against finite differences


def trust(model, actions) -> None:
    """Compare the derivatives of P and R at real actions (S, k) with finite differences, along one direction a state.

    Raises :class:`InvalidMDPError` where they differ by more than the differences' own error: code that is not analytic, or
    a supplied derivative that is wrong. Done once a model, at the first actions whose derivatives are asked.

    >>> import numpy as np, pgtheory as pg
    >>> model = pg.ContinuousActionMDP(lambda s, a: np.ones(1), lambda s, a: np.abs(a[0]), 0.5, [1.0])
    >>> pg.solve(model, [[0.5]]).grad_Q_at([[0.5]])
    Traceback (most recent call last):
        ...
    pgtheory.errors.InvalidMDPError: R at state 0, action [0.5], next state 0 changes by 1 per unit of action, and by 0 \
according to the complex step: the code is not analytic there (abs, max, a comparison, .real?); pass dR=, or write it \
smoothly
    """
    direction = irregular(actions.shape)
    for name in ("P", "R"):
        claimed = np.einsum("...k,...k->...", slope(model, name, actions).array, direction[:, None, :])
        _compare(model, name, actions, direction, claimed)
    model._trusted.add("derivatives")


def irregular(shape):
    """Unit vectors in general position, the same at every call."""
    d = 1 + np.modf(np.arange(1, int(np.prod(shape)) + 1) * 0.6180339887498949)[0].reshape(shape)
    d *= np.where(np.arange(shape[-1]) % 2, -1, 1)
    return d / np.linalg.norm(d, axis=-1, keepdims=True)


def _compare(model, name, actions, direction, claimed):
    """One number a state first, so that large tables are not kept at every step; the guilty row, entry by entry, after."""
    weights = 1 + np.abs(irregular((model.n_states, 2))[:, 0])
    seen, slack = _differences(model, name, actions, direction, lambda table: table @ weights)
    bad = ~(np.abs(claimed @ weights - seen) <= slack)
    if not bad.any():
        return
    (s,) = first(bad)
    seen, _ = _differences(model, name, actions, direction, lambda table: table[s])
    t = int(np.argmax(np.where(np.isfinite(claimed[s]), np.abs(claimed[s] - seen), np.inf)))
    cause = (f"d{name}: correct it" if getattr(model, "d" + name) is not None else "the complex step: the code is not "
             f"analytic there (abs, max, a comparison, .real?); pass d{name}=, or write it smoothly")
    raise InvalidMDPError(f"{name} at state {s}, action {action_in_words(actions[s])}, next state {t} changes by "
                          f"{seen[t]:.6g} per unit of action, and by {claimed[s, t]:.6g} according to {cause}")


def _differences(model, name, actions, direction, part):
    """(derivative, slack) of a part of a table by finite differences.

    The slack is ten times the error that the ladder reports, which is an estimate, and the rounding of the other side.
    """
    scale = max(1.0, float(np.abs(actions).max(initial=0.0)))
    size = float(np.max(part(np.abs(model.table(name, actions)[0]))))
    try:
        found = ladder(lambda h: part(_quiet(model, name, actions + h * direction)), 8 * EPS * max(size, EPS), scale / 2)
    except UndefinedError as bad:
        raise InvalidMDPError(f"{name} is finite at the actions in use and on neither side of them ({bad}): it must be "
                              "smooth there") from bad
    size = max(size, float(np.max(np.abs(found.value))))
    if found.error > CLEAR * size:
        raise InvalidMDPError(f"{name} has no clear derivative at the actions in use: finite differences settle it to "
                              f"{found.error:.1e} only; it must be smooth, and return the same numbers at every call")
    return found.value, 10 * found.error + 1e3 * EPS * size


def _quiet(model, name, actions):
    """A table at moved actions; NaN where the user's code refuses them, so that the ladder takes smaller steps."""
    try:
        return model.table(name, actions)[0]
    except (ValueError, ArithmeticError):
        return np.full((model.n_states,) * 2, np.nan)


def action_in_words(action) -> str:
    """"[0.3, -1]".

    >>> from pgtheory.continuous.slopes import action_in_words
    >>> action_in_words([0.3, -1.0])
    '[0.3, -1]'
    """
    return f"[{', '.join(in_words(np.real(x)) if np.asarray(x).dtype.kind in 'fc' else str(x) for x in action)}]"
