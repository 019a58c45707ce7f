"""Derivatives in the action against finite differences: code that is not analytic, or a supplied derivative that is wrong."""

from __future__ import annotations

import numpy as np

from ..arithmetic import EPS
from ..differentiate import ladder
from ..errors import InvalidMDPError, UndefinedError
from ..validation import first
from .stepping import action_in_words, slope

CLEAR = 1e-4         # differences that are not settled to this, relative to the function or its slope, confirm nothing
GLANCE = 1e-3        # step of the differences at a glance
OFTEN = 2**14        # entries of dP up to which every new table of actions is glanced at


def trust(model, actions) -> None:
    """Compare the derivatives of P and R at real actions (S, k) with finite differences, along one direction a state.

    Raises :class:`InvalidMDPError` where they differ by more than the differences' own error: code that is not analytic, or
    a supplied derivative that is wrong, or that leaves out what another state's action does.

    >>> import numpy as np, pgtheory as pg
    >>> model = pg.ContinuousActionMDP(lambda s, a: np.ones(1), lambda s, a: np.abs(a[0]), 0.5, [1.0])
    >>> pg.solve(model, [[0.5]]).grad_Q_at([[0.5]])
    Traceback (most recent call last):
        ...
    pgtheory.errors.InvalidMDPError: R at state 0, action [0.5], next state 0 changes by 1 per unit of action, and by 0 \
according to the complex step: the code is not analytic there (abs, max, a comparison, .real?); pass dR=, or write it \
smoothly
    """
    direction = _uneven(actions.shape)
    for name in ("P", "R"):
        claimed = np.einsum("...k,...k->...", slope(model, name, actions).array, direction[:, None, :])
        _compare(model, name, actions, direction, claimed)


def look(model, actions) -> None:
    """At the first actions :func:`trust`; at others a glance, and trust where it finds cause.

    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.continuous.doubts import look
    >>> model = pg.ContinuousActionMDP(lambda s, a: np.ones(1), lambda s, a: a**2, 0.5, [1.0])
    >>> look(model, np.array([[0.5]]))
    >>> model._trusted["calls"]
    1
    """
    seen = model._trusted
    if np.array_equal(actions, seen.get("actions")):
        return
    calls = seen.get("calls", 0) + 1
    often = actions.size * len(actions) <= OFTEN or calls & (calls - 1) == 0
    if calls == 1 or often and not _plausible(model, actions):
        trust(model, actions)
    seen.update(calls=calls, actions=actions)


def _plausible(model, actions) -> bool:
    """Two central differences a function agree with the derivatives, as far as they agree with each other."""
    direction, weights = _uneven(actions.shape), _weights(model.n_states)
    h = GLANCE * max(1.0, float(np.abs(actions).max(initial=0.0)))
    for name in ("P", "R"):
        claimed = (slope(model, name, actions).times(lambda part: weights[None])[0] * direction).sum(axis=-1)
        if not np.isfinite(claimed).all():
            return True     # what is not finite is refused by its name, later
        with np.errstate(all="ignore"):
            f = [_quiet(model, name, actions + x * h * direction) @ weights for x in (1, -1, 2, -2)]
            near, far = (f[0] - f[1]) / (2 * h), (f[2] - f[3]) / (4 * h)
            slack = abs(near - far) + 1e-8 * (1 + max(float(np.max(np.abs(x))) for x in f))
            if not np.all(abs(claimed - near) <= slack):
                return False
    return True


def _uneven(shape):
    """Directions in general position, of another length in every state: a row that follows another state's action shows."""
    return irregular(shape) * _weights(shape[0])[:, None]


def _weights(n: int):
    """(n,) in general position."""
    return 1 + np.abs(irregular((n, 2))[:, 0])


def irregular(shape):
    """Unit vectors in general position, the same at every call."""
    d = 1 + np.modf(np.arange(1, int(np.prod(shape)) + 1) * 0.6180339887498949)[0].reshape(shape)
    d *= np.where(np.arange(shape[-1]) % 2, -1, 1)
    return d / np.linalg.norm(d, axis=-1, keepdims=True)


def _compare(model, name, actions, direction, claimed):
    """One number a state first, so that large tables are not kept at every step; the guilty row, entry by entry, after."""
    weights = _weights(model.n_states)
    seen, slack = _differences(model, name, actions, direction, lambda table: table @ weights)
    bad = ~(np.abs(claimed @ weights - seen) <= slack)
    if not bad.any():
        return
    (s,) = first(bad)
    seen, _ = _differences(model, name, actions, direction, lambda table: table[s])
    t = int(np.argmax(np.where(np.isfinite(claimed[s]), np.abs(claimed[s] - seen), np.inf)))
    length = np.linalg.norm(direction[s])
    cause = (f"d{name}: correct it" if getattr(model, "d" + name) is not None else "the complex step: the code is not "
             f"analytic there (abs, max, a comparison, .real?); pass d{name}=, or write it smoothly")
    if model.vectorized:
        cause += "; or the row follows the action of another state"
    raise InvalidMDPError(f"{name} at state {s}, action {action_in_words(actions[s])}, next state {t} changes by "
                          f"{seen[t] / length:.6g} per unit of action, and by {claimed[s, t] / length:.6g} according to {cause}")


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
    if found.error > CLEAR * size and found.error > 8 * EPS * _size_beside(model, name, actions, direction * scale / 2, part):
        raise InvalidMDPError(f"{name} has no clear derivative at the actions in use: finite differences settle it to "
                              f"{found.error:.1e} only; it must be smooth, and return the same numbers at every call")
    return found.value, 10 * found.error + 1e3 * EPS * size


def _size_beside(model, name, actions, reach, part) -> float:
    """Of a part of a table on both sides: where the function vanishes with its slope, all that there is to compare with."""
    sides = [part(np.abs(_quiet(model, name, actions + x * reach))) for x in (1, -1)]
    return float(np.max(np.nan_to_num(sides, posinf=0.0), initial=0.0))


def _quiet(model, name, actions):
    """A table at moved actions; NaN where the user's code refuses them, so that the ladder takes smaller steps."""
    try:
        return model.table(name, actions)[0]
    except (ValueError, ArithmeticError):
        return np.full((model.n_states,) * 2, np.nan)
