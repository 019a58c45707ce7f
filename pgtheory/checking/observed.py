"""The critic at what an agent saw, and what it computed, as plain numbers."""

from __future__ import annotations

import numpy as np

from ..errors import PGTheoryError


def critic_at(value, observations):
    """(T,) float64: a table indexed by observations, or a function of all of them, or of one."""
    if not callable(value):
        table = np.asarray(value, dtype=float)
        if table.ndim != 1:
            raise PGTheoryError(f"value has shape {table.shape}: it must be (S,), or a function of observations")
        return table[np.asarray(observations, dtype=int)]
    together = as_numbers(value(np.array(observations)))
    if together.size == len(observations):
        return together.reshape(-1)
    raise PGTheoryError(f"value returned shape {together.shape} for {len(observations)} observations: it must be a function of "
                        "an array of observations that returns one number for each")


def as_numbers(answer):
    """float64, also from a tensor that has a gradient or lives elsewhere."""
    for method in ("detach", "cpu"):        # PyTorch
        answer = getattr(answer, method)() if hasattr(answer, method) else answer
    return np.asarray(answer, dtype=float)


def copied(x):
    """A copy, where the environment might write into it later."""
    return x.copy() if isinstance(x, np.ndarray) else x
