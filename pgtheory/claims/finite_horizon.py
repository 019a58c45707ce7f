"""The problem that ends after T steps, as claims about trajectories need it, however its trajectories are had."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np

from ..arithmetic import EPS
from ..horizon import powers
from ..slope import Slope
from ..solution import solve
from ..trajectories.bounded import EpisodeWeights
from .equation import Draws


class FiniteHorizon:
    """The problem that ends after T steps: nothing is earned after it, nothing is bootstrapped at it.

    Attributes
    ----------
    horizon : int, T
    solution : FiniteHorizonSolution, by the backward and the forward pass
    return_size : float, a bound of \\|R(tau)\\|; reward units
    step_unit : float, relative rounding error of a product over the steps, or of as many passes
    """

    def __init__(self, problem, horizon: int):
        self.problem, self.horizon = problem, horizon

    @cached_property
    def solution(self):
        return solve(self.problem.solution.mdp, self.problem.pi, horizon=self.horizon)

    @property
    def largest_reward(self):
        """Bound of the reward of a step, a number in the problem's arithmetic."""
        return self.problem.mdp.r_max

    @cached_property
    def return_size(self) -> float:
        if self.problem.arithmetic.symbolic:
            return float("nan")
        powered = powers(self.problem.gamma, self.horizon, self.problem.arithmetic).sum()
        return float(powered) * float(self.largest_reward)

    def gradient_size(self, weight=None) -> float:
        """Bound of E sum_t |weight grad log pi| along a direction of comparison, in the simplex or not.

        weight : bound of the weights; that of R(tau) by default
        """
        return self.horizon * self.problem.tangent_scale * (self.return_size if weight is None else weight)

    @cached_property
    def step_unit(self) -> float:
        """Exp at a logit of size t loses t eps."""
        if self.problem.exact:
            return 0.0
        mdp, largest = self.problem.mdp, float(np.max(np.abs(self.problem.theta), initial=0.0))
        return 8 * EPS * (mdp.n_states + mdp.n_actions + largest + 8) * self.horizon

    @property
    def where(self) -> str:
        """Words for the directions of the simplex, where not all directions lie in it."""
        return "" if self.problem.tangent is None else ", along the simplex"

    @property
    def grad_J(self) -> Slope:
        """The gradient of J_T, which routes differentiate as the backward recursion gives it."""
        mdp, T = self.problem.mdp, self.horizon
        return Slope(f"grad J_{T}", lambda theta: self.problem.J_at(theta, T), self.return_size, self.gradient_size(),
                     self.step_unit, mdp.n_states * mdp.n_actions * T)

    @property
    def grad_J_in_simplex(self) -> Slope:
        """The same, along directions in which the rows of pi keep their sum."""
        return in_simplex(self.grad_J, self.problem)


    def draws(self, kind: str, baseline=None, simplex=True, scale=None) -> Draws:
        """Simulation of an estimator with these weights, see :class:`pgtheory.trajectories.bounded.EpisodeWeights`."""
        problem = self.problem
        directions = problem.tangent if simplex and problem.tangent is not None else problem.directions
        return Draws(EpisodeWeights(kind, baseline), self.horizon, directions, scale)


def in_simplex(slope: Slope, problem) -> Slope:
    """The slope along the problem's tangent directions, where not all directions lie in the simplex."""
    if problem.tangent is None:
        return slope
    return replace(slope, name=f"{slope.name}, in the simplex", directions=problem.tangent)
