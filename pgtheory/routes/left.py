"""What a route returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Left:
    """A quantity by a route that knows no theorem.

    value : array; gradients with the directions of comparison on the last axis
    error : bound (or, for differences, report) of the error of every entry, in the units of the value
    note : what the error rests on
    curve : (steps, differences) of a finite-difference sweep, or None
    """

    value: np.ndarray
    error: Any
    note: str = ""
    curve: tuple | None = None


def from_value_gradient(problem, quantity: str, grad_V: np.ndarray):
    """"grad J" from "grad V": J = rho . V, and rho does not depend on theta."""
    return grad_V if quantity == "grad V" else problem.rho @ grad_V
