"""The shape of a claim: what it says, under which hypotheses, and its equations on a problem."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any

from ..slope import Slope
from ..trajectories.bounded import EpisodeWeights


@dataclass(frozen=True)
class Draws:
    """Sampled episodes whose estimates average the left side of an equation.

    weights : what multiplies the score of a step; horizon : int, T
    directions : (n,) + theta.shape, those of the sides
    scale : the size that the tolerance is relative to, where the left side is 0; None takes the left side's own
    """

    weights: EpisodeWeights
    horizon: int
    directions: Any
    scale: float | None = None


@dataclass(frozen=True)
class Equation:
    """One equation of a claim on one problem.

    part : what is compared, in words
    quantity : what the left side is ("V", "Q", "d", "grad J", "grad V", "grad pi", or a :class:`pgtheory.slope.Slope`), for a
        route to compute; or "given"
    rhs : the right side, an array; or a function of the left side, where the claim is an equation for it (a recursion)
    scale : size of the terms before they cancel, in the units of the sides; rounding is relative to it
    lhs : the left side, where ``quantity`` is "given"
    size : magnitude that the sides are made of, where they may vanish by cancellation (a stationary point); a bound must be
        small against it, or against the sides, for agreement to show anything
    simulate : False where another equation of the claim, with the same sides, is the one to put to simulation
    unit : relative rounding error of the right side; None takes the problem's, that of one solve
    draws : what to simulate, and compare with the left side; None where there is nothing of the kind
    certified : bound on the error of the right side (of both, where ``quantity`` is "given") that rests on residuals and
        counts every rounding. It takes the place of unit * scale where it is the smaller: one that is larger tells of an
        error that rounding does not explain, and must not excuse it
    """

    part: str
    quantity: str | Slope
    rhs: Any
    scale: float
    lhs: Any = None
    simulate: bool = True
    size: float = 0.0
    unit: float | None = None
    certified: float = inf
    draws: Draws | None = None

    @property
    def recursive(self) -> bool:
        return callable(self.rhs)

    @property
    def kind(self) -> str:
        """The quantity as routes list it among those that they compute."""
        return "slope" if isinstance(self.quantity, Slope) else self.quantity

    def rounding(self, problem) -> float:
        """Bound of the rounding error of the right side, in the units of the sides."""
        return min(self.certified, (problem.unit if self.unit is None else self.unit) * self.scale)

    def right(self, lhs):
        """The right side, given the left."""
        return self.rhs(lhs) if callable(self.rhs) else self.rhs


@dataclass(frozen=True)
class Claim:
    """A claim of the catalogue.

    slug, title : its names
    statement : LaTeX
    hypotheses : what must hold, in words
    source : author, year, number
    equations : function of a Problem, returns a list of Equation
    applies : function of a Problem, returns None or the reason why the claim does not apply
    omitted : function of a Problem, returns None or the reason why a part of the claim, not the whole of it, is left out
    main : index of the equation that stands for the claim
    kinds : kinds of problems that the claim is made for, see :class:`pgtheory.problems.finite.AnyProblem`
    needs_value : False where the claim is about the policy alone or about a finite horizon, so that the value without
        horizon need not exist
    needs_simplex : True where it is about directions in which the rows of pi keep their sum
    """

    slug: str
    title: str
    statement: str
    hypotheses: tuple[str, ...]
    source: str
    equations: Callable
    applies: Callable = lambda problem: None
    omitted: Callable = lambda problem: None
    main: int = 0
    kinds: tuple[str, ...] = ("finite",)
    needs_value: bool = True
    needs_simplex: bool = False

    def reason_against(self, problem) -> str | None:
        """Why the claim cannot be checked on this problem, or None."""
        return (self.needs_value and problem.undefined) or self.applies(problem)

    def mismatch(self, problem) -> str | None:
        """Why the claim is not made for problems of this kind, or None."""
        if problem.kind in self.kinds:
            return None
        return (f"the claim {self.slug!r} {NEEDS[self.kinds[0]]}; here is {problem.policy!r} on {problem.mdp!r}, "
                f"{HAS[problem.kind]}")


NEEDS = {
    "finite": "sums over the probabilities of finitely many actions",
    "deterministic": "differentiates Q(s, a) in the action that a deterministic policy takes",
}
HAS = {
    "finite": "whose actions are finitely many, so that Q has no derivative in the action",
    "deterministic": "whose actions have no probabilities",
    "density": "whose actions have a density: no probabilities, and no one action mu(s)",
}
