r"""Complex step: V(theta + i h u) for every direction u at once; its imaginary part over h is the derivative."""

from __future__ import annotations

import warnings

import numpy as np
import scipy.sparse

from ..differentiate import TINY, central_difference, complex_step
from ..slope import Slope
from .left import Left, from_value_gradient

NAME = "complex-step"
QUANTITIES = ("grad J", "grad V", "grad pi", "slope")
SUBNORMAL = 5e-324
BATCH_ENTRIES = 4_000_000   # complex numbers in a stack of S x S systems, so that memory stays bounded


def fits(problem) -> bool:
    """Floating point only: exact models are differentiated exactly."""
    return not problem.exact


def reason_against(problem, quantity: str) -> str | None:
    """Why this route cannot be taken although it fits, or None."""
    key = (NAME, "is analytic")
    if key not in problem.memory:
        problem.memory[key] = is_analytic(problem)
    if not problem.memory[key]:
        return f"{problem.code} is not analytic: it drops or bends a complex step"
    return None


def is_analytic(problem) -> bool:
    """Whether what V is made of follows a complex step, found out along one direction against finite differences."""
    policy, theta = problem.policy, problem.theta
    probe = np.linspace(0.5, 1.0, theta.size).reshape(theta.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            along = complex_step(problem.probe, policy.step, theta, probe)
        except Exception:   # a user's code may raise anything at a complex number
            return False
    scale = min(max(1.0, float(np.abs(theta).max(initial=0.0))), 0.5 / max(problem.slope_scale, 1e-300))
    difference, error = central_difference(lambda h: problem.probe(policy.step(theta, probe, h)), scale)
    rounding = problem.unit * max(1.0, float(np.max(np.abs(along), initial=0.0)))
    return bool(np.all(np.abs(along - difference) <= error + rounding))


def compute(problem, quantity: str) -> Left:
    """The derivative along problem.directions, the last axis; exact to rounding."""
    note = "exact to rounding" if problem.complete else f"along {len(problem.directions)} random directions"
    if isinstance(quantity, Slope):
        return Left(_along(problem, quantity), quantity.unit * quantity.steepness, note)
    if quantity == "grad pi":
        slopes = [complex_step(problem.pi_at, problem.policy.step, problem.theta, u) for u in problem.directions]
        return Left(np.stack(slopes, axis=-1), problem.unit * max(problem.slope_scale, 1.0), note)
    value = from_value_gradient(problem, quantity, value_gradient(problem))
    return Left(value, problem.unit * problem.gradient_scale + underflow(problem), note)


def underflow(problem) -> float:
    """What gradual underflow of V h can take from Im V / h."""
    return SUBNORMAL / TINY * (problem.mdp.n_states + 8) * float(problem.conditioning)


def value_gradient(problem) -> np.ndarray:
    """(S, n): derivatives of V along the directions; computed once a problem, in stacks of bounded size."""
    if NAME not in problem.memory:
        S = problem.mdp.n_states
        width = BATCH_ENTRIES if scipy.sparse.issparse(problem.mdp.P) else S**2
        problem.memory[NAME] = _in_stacks(problem, problem.V_at, width, problem.directions)
    return problem.memory[NAME]


def _along(problem, slope: Slope) -> np.ndarray:
    """The values' shape + (n,): derivatives of any function along the directions; computed once a problem."""
    key = (NAME, slope.name)
    if key not in problem.memory:
        problem.memory[key] = _in_stacks(problem, slope.of, slope.width, slope.along(problem))
    return problem.memory[key]


def _in_stacks(problem, f, width: int, directions) -> np.ndarray:
    """Derivatives of ``f``, which holds ``width`` entries for each direction, as many directions a call as memory allows."""
    size = max(1, BATCH_ENTRIES // width)
    stacks = [complex_step(f, problem.policy.step, problem.theta, directions[i:i + size])
              for i in range(0, len(directions), size)]
    return np.moveaxis(np.concatenate(stacks), 0, -1)
