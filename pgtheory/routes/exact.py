r"""Exact differentiation: dual numbers through the elimination, or the derivation of a field of rational functions."""

from __future__ import annotations

import numpy as np

from ..differentiate import exact_derivative, symbolic_derivative
from ..slope import Slope
from .left import Left, from_value_gradient

NAME = "exact"
QUANTITIES = ("grad J", "grad V", "grad pi", "slope")


def fits(problem) -> bool:
    """Exact arithmetic only."""
    return problem.exact


def reason_against(problem, quantity: str) -> str | None:
    """Why this route cannot be taken although it fits, or None."""
    return None


def compute(problem, quantity: str) -> Left:
    """The derivative along every coordinate, without error."""
    if isinstance(quantity, Slope):
        return Left(_derivative(problem, quantity.name, quantity.of, quantity.directions), 0, "exact")
    if quantity == "grad pi":
        return Left(_derivative(problem, "pi", problem.pi_at), 0, "exact")
    return Left(from_value_gradient(problem, quantity, _derivative(problem, "V", problem.V_at)), 0, "exact")


def _derivative(problem, name, f, directions=None):
    """The values' shape + (n,): the derivative of ``f``, which goes by ``name``; computed once a problem."""
    key = (NAME, name)
    if key not in problem.memory:
        problem.memory[key] = (_symbolic if problem.arithmetic.symbolic else _dual)(problem, f, directions)
    return problem.memory[key]


def _dual(problem, f, directions):
    """One direction after the other; every coordinate where none are given."""
    directions = problem.directions if directions is None else directions
    return np.stack([exact_derivative(f, problem.policy.step, problem.theta, u) for u in directions], axis=-1)


def _symbolic(problem, f, directions):
    values = np.asarray(f(problem.theta), dtype=object)
    slopes = symbolic_derivative(values, problem.theta, logarithmic=problem.policy.logarithmic)
    slopes = slopes.reshape(values.shape + (-1,))
    return slopes if directions is None else slopes @ directions.reshape(len(directions), -1).T
