r"""Finite differences with the error that their own ladder of steps reports."""

from __future__ import annotations

import numpy as np

from ..arithmetic import EPS
from ..differentiate import ladder
from ..slope import Slope
from .left import Left, from_value_gradient

NAME = "finite-difference"
QUANTITIES = ("grad J", "grad V", "grad pi", "slope")
SHOWN = 24              # steps past the best one, so that a figure shows rounding take over
CHEAP_FLOPS = 1e8       # where these cost next to nothing


def fits(problem) -> bool:
    """Floating point only: on an exact model differences would only approximate."""
    return not problem.exact


def reason_against(problem, quantity: str) -> str | None:
    """Why this route cannot be taken although it fits, or None."""
    return None


def compute(problem, quantity: str) -> Left:
    """The derivative along problem.directions; error as reported by the ladder."""
    if isinstance(quantity, Slope):
        return _slope(problem, quantity)
    key = (NAME, quantity == "grad pi")
    if key not in problem.memory:
        problem.memory[key] = _pi_ladder(problem) if quantity == "grad pi" else _value_ladder(problem)
    result = problem.memory[key]
    grad = np.moveaxis(result.value, 0, -1)
    if quantity == "grad pi":
        return Left(grad, result.error, f"h = {result.steps[result.best]:.1e}, error as reported")
    value = from_value_gradient(problem, quantity, grad)
    swept = np.moveaxis(result.differences, 1, -1)
    curve = (result.steps, [from_value_gradient(problem, quantity, one) for one in swept])
    return Left(value, result.error, f"h = {result.steps[result.best]:.1e}, error as reported", curve)


def _slope(problem, slope: Slope) -> Left:
    """The derivative of any function; computed once a problem."""
    key = (NAME, slope.name)
    if key not in problem.memory:
        noise = slope.unit * slope.size + EPS * float(np.abs(problem.theta).max(initial=0.0)) * slope.steepness
        policy, theta, directions = problem.policy, problem.theta, slope.along(problem)
        start = min(_reach(problem), _moving(problem))
        problem.memory[key] = ladder(lambda h: slope.of(policy.step(theta, directions, h)), noise, start)
    result = problem.memory[key]
    return Left(np.moveaxis(result.value, 0, -1), result.error, f"h = {result.steps[result.best]:.1e}, error as reported")


def _start(problem) -> float:
    """The largest step. Rows that leave the simplex meet a pole of V at distance 1/conditioning: stay well inside."""
    room = 1.0 if problem.policy.normalised or problem.undefined else max(1.0, float(problem.conditioning))
    return min(_reach(problem), _moving(problem) / room)


def _moving(problem) -> float:
    """A step over which pi changes by a quarter at most; beyond, it may be flat and look differentiated."""
    return 0.25 / max(problem.slope_scale, 1e-300)


def _reach(problem) -> float:
    """Half the size of theta: the largest step for a function without poles."""
    return 0.5 * max(1.0, float(np.abs(problem.theta).max(initial=0.0)))


def _value_ladder(problem):
    """Ladder of (n, S): V along every direction. Moving theta by h rounds theta itself, which counts as noise too."""
    noise = problem.unit * problem.value_scale
    noise += EPS * float(np.abs(problem.theta).max(initial=0.0)) * problem.gradient_scale
    policy, theta, directions = problem.policy, problem.theta, problem.directions
    beyond = SHOWN if len(directions) * problem.mdp.n_states**3 <= CHEAP_FLOPS else 0
    return ladder(lambda h: problem.V_at(policy.step(theta, directions, h)), noise, _start(problem), beyond)


def _pi_ladder(problem):
    """Ladder of (n, S, A): the probabilities along every direction."""
    noise = problem.unit * max(1.0, problem.slope_scale)
    policy, theta, directions = problem.policy, problem.theta, problem.directions
    return ladder(lambda h: problem.pi_at(policy.step(theta, directions, h)), noise, _start(problem))
