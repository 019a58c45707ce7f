"""A function of theta that a route is asked to differentiate, whatever the function is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)
class Slope:
    """The derivative of ``of`` in theta.

    name : what it is, such as "grad J_T"; within one problem a route computes it once
    of : function of parameters (..., *shape), a stack of them, or one; returns (...) and the axes of its values
    size : of the values before their terms cancel
    steepness : of the derivatives before their terms cancel, along any direction of comparison
    unit : relative rounding error of both; 0 in exact arithmetic
    width : entries that a call holds for each of the parameters in a stack
    directions : (n, *shape) along which it is differentiated; None for the problem's directions of comparison

    >>> from pgtheory.slope import Slope
    >>> Slope("grad of a square", lambda theta: (theta**2).sum(axis=-1), 1.0, 2.0, 1e-16)
    Slope(grad of a square)
    """

    name: str
    of: Callable
    size: float
    steepness: float
    unit: float
    width: int = 1
    directions: Any = None

    def along(self, problem):
        """(n, *shape): the directions in use."""
        return problem.directions if self.directions is None else self.directions

    def __repr__(self):
        return f"Slope({self.name})"
