r"""Derivatives of P(s'|s, a) and R(s, a, s') in the action, checked: against finite differences, and that their rows sum to 0."""

from __future__ import annotations

import numpy as np

from ..arithmetic import EPS
from ..errors import InvalidMDPError
from ..validation import first, in_words
from .doubts import look
from .stepping import action_in_words, slope


def slopes(model, actions):
    """(dP, dR), :class:`.stepping.Supplied` or :class:`.stepping.Stepped`, at checked actions (..., S, k).

    Raises :class:`InvalidMDPError` where the rows of the derivative of P do not sum to 0.
    """
    dP, dR = trusted(model, actions)
    (rows,) = dP.times(_ones(actions))
    _require_balance(dP, rows, actions)
    return dP, dR


def expected_slope(model, actions, P, R, W):
    r"""(..., S, k): :math:`\sum_{s'} \nabla_a P\, (R + W(s')) + P\, \nabla_a R` at checked actions, where W (S,) is worth
    having at s'; grad_a Q for W = gamma V.

    Raises what :func:`slopes` raises, and :class:`InvalidMDPError` where the answer is not finite.
    """
    dP, dR = trusted(model, actions)
    gradient, rows = dP.times(lambda part: R[..., part, :] + W, _ones(actions))
    _require_balance(dP, rows, actions)
    gradient = gradient + dR.times(lambda part: P[..., part, :])[0]
    require_slope(gradient, actions)
    return gradient


def trusted(model, actions):
    """(dP, dR), which finite differences do not contradict; see :func:`.doubts.trust`."""
    dP, dR = slope(model, "P", actions), slope(model, "R", actions)
    if actions.dtype != object:
        look(model, np.array(np.real(actions[(0,) * (actions.ndim - 2)])))
    return dP, dR


def _ones(actions):
    """The factor 1, for :meth:`.stepping.Supplied.times`."""
    row = np.ones((1, actions.shape[-2]), dtype=object if actions.dtype == object else float)
    return lambda part: row


def _require_balance(dP, rows, actions) -> None:
    """Rows of the derivative of P, whose sums are ``rows`` (..., S, k), sum to 0.

    How much the terms of a derivative cancelled inside the user's formula cannot be seen from outside; the check is at half
    precision of the largest derivative, which a row that truly loses probability exceeds by orders of magnitude.
    """
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
