"""Shapes and arrays of policies whose theta is a table (S, A)."""

from __future__ import annotations

import numpy as np

from ..arithmetic import Arithmetic, as_array
from ..errors import InvalidPolicyError
from ..validation import whole_number


def table_shape(n_states, n_actions):
    if n_states is None or n_actions is None:
        raise InvalidPolicyError("a tabular policy needs n_states and n_actions, as in SoftmaxPolicy(3, 2)")
    return (whole_number(n_states, "n_states", InvalidPolicyError, 1),
            whole_number(n_actions, "n_actions", InvalidPolicyError, 1))


def arithmetic_of(array) -> Arithmetic:
    return as_array(array)[1]


def zeros_like(array, shape):
    return arithmetic_of(array).zeros(shape)


def unit_like(array, n):
    """(n, n) identity in the arithmetic of ``array``."""
    if array.dtype != object:
        return np.eye(n)
    out = zeros_like(array, (n, n))
    out[np.arange(n), np.arange(n)] = arithmetic_of(array).number(1)
    return out


def on_diagonal(rows):
    """(S, S, A) with rows[s] at [s, s]."""
    S, A = rows.shape
    out = zeros_like(rows, (S, S, A))
    out[np.arange(S), np.arange(S)] = rows
    return out
