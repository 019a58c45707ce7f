"""Simulation against the right side of an equation, judged by the sequential test."""

from __future__ import annotations

import numpy as np

from ..errors import PGTheoryError
from ..problems.slopes import slopes_along
from ..routes.density_monte_carlo import DensitySampler
from ..routes.deterministic_monte_carlo import DeterministicSampler
from ..routes.monte_carlo import GradientSampler, StateSampler, testable_directions
from ..trajectories.bounded import EpisodeSampler
from .catalogue import sharpest
from .record import INCONCLUSIVE, OF_SCORES, PASS, Check
from .sequential import sequential_test

NAME = "monte-carlo"
QUANTITIES = ("grad J", "d")
DEFAULT_SAMPLES = 400_000
MAX_TRANSITIONS = 1e8       # simulated for one check: seconds, also near gamma = 1
MIN_DRAWS = 1000
AT_MOST = 64                # coordinates tested at once
SUMS = 16                   # of episodes, where there are more; a wrong gradient is orthogonal to all with probability 2^-16


def statistical_reason(problem, equation) -> str | None:
    """Why the equation cannot be simulated, or None."""
    if problem.arithmetic.symbolic:
        return "symbols cannot be simulated"
    if equation.draws is not None:
        return _reason_against_draws(problem, equation)
    steps = 1 / max(1 - float(problem.gamma), 1e-300)
    if problem.gamma != 1 and steps * MIN_DRAWS > MAX_TRANSITIONS:
        return f"a draw takes {steps:.0e} steps and more on average at this gamma: too long to simulate"
    try:
        _sampler(problem, equation.quantity)
    except PGTheoryError as error:
        return str(error)
    return None


def simulated(equation) -> bool:
    """Whether there is anything to simulate in an equation."""
    if equation.draws is not None:
        return True
    return equation.simulate and not equation.recursive and equation.kind in QUANTITIES


def _reason_against_draws(problem, equation) -> str | None:
    try:
        _episode_sampler(problem, equation)
    except PGTheoryError as error:
        return str(error)
    return None


def judge_statistically(slug, equation, problem, samples, alpha, tolerance, rng) -> Check:
    """FAIL: the mean of the draws is not the right side, wrong with probability at most alpha. PASS: every bias of
    ``tolerance`` times the largest entry is excluded, wrong with probability at most alpha. Otherwise INCONCLUSIVE."""
    if equation.draws is not None:
        sampler, (target, rounding) = _episode_sampler(problem, equation), _left_of_draws(problem, equation)
    else:
        sampler = _sampler(problem, equation.quantity)
        target, rounding = _target(problem, equation, sampler)
    scale = equation.draws.scale if equation.draws is not None else None
    resolution = tolerance * (float(np.abs(target).max(initial=0.0)) if scale is None else scale)
    sampler, bias = _in_a_box(sampler, resolution)
    within = max(resolution - bias, 0.0)
    found = sequential_test(sampler.draw, target, sampler.low, sampler.high, within, alpha, alpha,
                            _budget(sampler, samples), rng, rounding=rounding + bias)
    verdict, note = _honest(found, within, sampler, samples)
    if scale is not None:
        note += f"; the left side is 0, and the bound {tolerance:g} of {OF_SCORES}"
    lhs, rhs = found.estimate * _unit(equation, problem), target * _unit(equation, problem)
    error = float(np.abs(lhs - rhs).max(initial=0.0))
    bound = float(np.max(found.tolerance, initial=0.0) + bias) * _unit(equation, problem)
    return Check(slug, _part(equation, sampler), NAME, "statistical", lhs, rhs, error, bound, verdict, note)


def _in_a_box(sampler, resolution):
    """(sampler, bias): draws that have no box are clipped to one, which moves their mean by a 16th of what is resolved."""
    if isinstance(sampler, DensitySampler):
        sampler, bias = sampler.clipped(resolution / 16)
        return sampler, float(np.max(bias, initial=0.0))
    return sampler, 0.0


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
    if equation.draws is not None:
        return equation.part if k == len(equation.draws.directions) else f"{equation.part}, along {k} random directions"
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


def _episode_sampler(problem, equation):
    """The sampler of the equation's draws, along its directions or, where these are many, random sums of them."""
    draws = equation.draws
    key = (NAME, draws.weights.kind, draws.horizon, equation.part)
    if key not in problem.memory:
        directions = np.tensordot(_sums(draws), np.asarray(draws.directions, dtype=float), axes=1)
        problem.memory[key] = EpisodeSampler(problem.mdp, problem.pi, slopes_along(problem, directions), draws.horizon, draws.weights)
    return problem.memory[key]


def _sums(draws):
    """(k, n): what is summed of the n directions; signs at random where n is large, see :func:`testable_directions`."""
    n = len(draws.directions)
    return np.eye(n) if n <= AT_MOST else np.random.default_rng(0).choice([-1.0, 1.0], size=(SUMS, n))


def _left_of_draws(problem, equation):
    """(what the draws must average, rounding of it): the left side, by the sharpest route that knows no theorem."""
    sums = _sums(equation.draws)
    if equation.quantity == "given":
        return np.zeros(len(sums)), 0.0
    left = sharpest(problem, equation).compute(problem, equation.quantity)
    return sums @ np.asarray(left.value, dtype=float), float(left.error) * sums.shape[1]


def _gradient_sampler(problem):
    """The sampler of the gradient for this kind of problem."""
    return {"density": DensitySampler, "deterministic": DeterministicSampler}.get(problem.kind, GradientSampler)


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
