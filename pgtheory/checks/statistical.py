"""Simulation against the right side of an equation, judged by the sequential test."""

from __future__ import annotations

import numpy as np

from ..errors import PGTheoryError, UndefinedError
from ..routes.deterministic_monte_carlo import DeterministicSampler
from ..routes.monte_carlo import GradientSampler, StateSampler, testable_directions
from .record import INCONCLUSIVE, PASS, Check
from .sequential import sequential_test

NAME = "monte-carlo"
QUANTITIES = ("grad J", "d")
DEFAULT_SAMPLES = 400_000
MAX_TRANSITIONS = 1e8       # simulated for one check: seconds, also near gamma = 1
MIN_DRAWS = 1000
AT_MOST = 64                # coordinates tested at once


def statistical_reason(problem, equation) -> str | None:
    """Why the equation cannot be simulated, or None."""
    if problem.arithmetic.symbolic:
        return "symbols cannot be simulated"
    steps = 1 / max(1 - float(problem.gamma), 1e-300)
    if problem.gamma != 1 and steps * MIN_DRAWS > MAX_TRANSITIONS:
        return f"a draw takes {steps:.0e} steps and more on average at this gamma: too long to simulate"
    try:
        _sampler(problem, equation.quantity)
    except PGTheoryError as error:
        return str(error)
    return None


def judge_statistically(slug, equation, problem, samples, alpha, tolerance, rng) -> Check:
    """FAIL: the mean of the draws is not the right side, wrong with probability at most alpha. PASS: every bias of
    ``tolerance`` times the largest entry is excluded, wrong with probability at most alpha. Otherwise INCONCLUSIVE."""
    sampler = _sampler(problem, equation.quantity)
    target, rounding = _target(problem, equation, sampler)
    resolution = tolerance * float(np.abs(target).max(initial=0.0))
    found = sequential_test(sampler.draw, target, sampler.low, sampler.high, resolution, alpha, alpha,
                            _budget(sampler, samples), rng, rounding=rounding)
    verdict, note = _honest(found, resolution, sampler, samples)
    lhs, rhs = found.estimate * _unit(equation, problem), target * _unit(equation, problem)
    error = float(np.abs(lhs - rhs).max(initial=0.0))
    bound = float(np.max(found.tolerance, initial=0.0)) * _unit(equation, problem)
    return Check(slug, _part(equation, sampler), NAME, "statistical", lhs, rhs, error, bound, verdict, note)


def _honest(found, resolution, sampler, samples):
    """(verdict, note): no PASS where the right side is rounded by more than the tolerance; and what stopped the draws."""
    if found.verdict == PASS and bound_exceeds(found.tolerance, resolution) and np.any(sampler.high > sampler.low):
        return INCONCLUSIVE, "the right side is rounded by more than the tolerance: simulation cannot decide"
    if found.verdict == INCONCLUSIVE and found.n < samples:
        return INCONCLUSIVE, f"{found.reason} ({samples} were asked for; {_transitions(samples):.0e} steps in all is the limit)"
    return found.verdict, found.reason


def bound_exceeds(tolerance, resolution: float) -> bool:
    """Some coordinate was tested more coarsely than the resolution asked for."""
    return bool(np.max(tolerance, initial=0.0) > resolution * (1 + 1e-9))


def _part(equation, sampler) -> str:
    """The part, and in which coordinates its sides are compared where these are not its own."""
    k = len(sampler.low)
    if equation.quantity == "d":
        return equation.part if k == len(sampler.members) else f"{equation.part} in {k} random sets of states"
    plain = k == sampler.directions[0].size
    return equation.part if plain else f"{equation.part} along {k} random directions"


def _unit(equation, problem) -> float:
    """Draws of the state estimate D; the equation is about d = D / (1 - gamma)."""
    return 1 / (1 - float(problem.gamma)) if equation.quantity == "d" else 1.0


def _sampler(problem, quantity):
    key = (NAME, quantity)
    if key not in problem.memory:
        if quantity == "d":
            problem.memory[key] = StateSampler(problem, AT_MOST)
        else:
            directions = testable_directions(problem, AT_MOST) if problem.complete else problem.directions
            problem.memory[key] = _gradient_sampler(problem)(problem, directions=directions)
    return problem.memory[key]


def _gradient_sampler(problem):
    """The sampler of the gradient for this kind of problem."""
    if problem.kind == "density":
        raise UndefinedError("the score of a density is not bounded, so no box holds the simulated gradient")
    return DeterministicSampler if problem.kind == "deterministic" else GradientSampler


def _target(problem, equation, sampler):
    """(what the draws must average, rounding of it): the right side in the sampler's coordinates."""
    rhs = np.asarray(equation.rhs, dtype=float)
    if equation.quantity == "d":
        gap = 1 - float(problem.gamma)
        return sampler.mean(rhs * gap), problem.unit * equation.scale * gap
    k = len(sampler.directions)
    reach = float(np.abs(sampler.directions.reshape(k, -1)).sum(axis=1).max())
    target = sampler.mean(rhs) if problem.complete else rhs
    return target, problem.unit * equation.scale * reach


def _budget(sampler, samples: int) -> int:
    return int(min(samples, _transitions(samples) / (1 + sampler.cost)))


def _transitions(samples: int) -> float:
    """Steps in all; whoever asks for more draws than by default gets as much more time."""
    return MAX_TRANSITIONS * max(1.0, samples / DEFAULT_SAMPLES)
