r"""Exact differentiation: dual numbers through the elimination, or the derivation of a field of rational functions."""

from __future__ import annotations

import numpy as np

from ..differentiate import exact_derivative, symbolic_derivative
from .left import Left, from_value_gradient

NAME = "exact"
QUANTITIES = ("grad J", "grad V", "grad pi")


def fits(problem) -> bool:
    """Exact arithmetic only."""
    return problem.exact


def reason_against(problem, quantity: str) -> str | None:
    """Why this route cannot be taken although it fits, or None."""
    return None


def compute(problem, quantity: str) -> Left:
    """The derivative along every coordinate, without error."""
    kind = "pi" if quantity == "grad pi" else "V"
    key = (NAME, kind)
    if key not in problem.memory:
        problem.memory[key] = (_symbolic if problem.arithmetic.symbolic else _dual)(problem, kind)
    value = problem.memory[key]
    if quantity == "grad pi":
        return Left(value, 0, "exact")
    return Left(from_value_gradient(problem, quantity, value), 0, "exact")


def _quantity(problem, theta, kind):
    return problem.pi_at(theta) if kind == "pi" else problem.V_at(theta)


def _dual(problem, kind):
    """(S, n) or (S, A, n), one coordinate after the other."""
    columns = [exact_derivative(lambda x: _quantity(problem, x, kind), problem.policy.step, problem.theta, u)
               for u in problem.directions]
    return np.stack(columns, axis=-1)


def _symbolic(problem, kind):
    values = problem.pi if kind == "pi" else problem.solution.V
    slopes = symbolic_derivative(values, problem.theta, logarithmic=problem.policy.logarithmic)
    return slopes.reshape(values.shape + (-1,))
