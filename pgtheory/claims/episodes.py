"""The finite-horizon problem whose trajectories the claims of the trajectory view enumerate, every one of them."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ..arithmetic import EPS, EXPRESSION, FLOAT
from ..errors import UndefinedError
from ..estimators import Reinforce
from ..slope import Slope
from ..trajectories.enumeration import count_trajectories, enumerate_trajectories
from ..trajectories.likelihood import dynamics
from .finite_horizon import FiniteHorizon
from .long_episodes import LongEpisodes, long_episodes_of

LONGEST, LONGEST_SYMBOLIC = 6, 2                            # steps
ENTRIES = {"float64": 500_000, "Fraction": 1_500}           # trajectories times entries of theta
ENTRIES_SYMBOLIC = 256
TRAJECTORIES = {"float64": 20_000, "Fraction": 300}
LEAST_PROBABILITY = 1e-100                                  # of an action; the score of a smaller one may overflow


def episodes_of(problem) -> Episodes:
    """The problem that ends after T steps, T at most 6 and as large as enumeration stays small.

    Raises :class:`UndefinedError` where even T = 1 has too many trajectories.

    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.problems.finite import Problem
    >>> from pgtheory.claims.episodes import episodes_of
    >>> found = episodes_of(Problem(pg.models.load("start-matters"), pg.SoftmaxPolicy(2, 2), np.zeros((2, 2))))
    >>> found.horizon, len(found.batch)
    (6, 64)
    """
    if "episodes" not in problem.memory:
        horizon = _horizon(problem)
        if not horizon:
            raise UndefinedError(f"even one step has more than {_limit(problem)} trajectories: too many to enumerate for a "
                                 "policy of this size")
        problem.memory["episodes"] = Episodes(problem, horizon)
    return problem.memory["episodes"]


def reason_against(problem, *, simplex: bool, rewards: bool = True) -> str | None:
    """Why a claim about trajectories cannot be checked here, or None.

    simplex : whether directions are needed along which the rows of pi keep their sum; rewards : whether it is about
        returns, of which some must not be 0
    """
    if problem.arithmetic == EXPRESSION:
        return "sympy expressions that are not rational cannot be told from 0, and so trajectories cannot be enumerated"
    if simplex and not problem.policy.normalised and problem.tangent is None:
        return (f"the derivatives of {type(problem.policy).__name__} leave the simplex: this holds only along directions in "
                "which the rows of pi keep their sum, which are found row by row, for tabular policies")
    if np.any(problem.pi == 0):
        return "some pi(a|s) is 0, where the logarithm has no derivative"
    if not problem.exact and problem.pi.min() < LEAST_PROBABILITY:
        return f"some pi(a|s) is below {LEAST_PROBABILITY:.0e}, where the score may overflow"
    found, reason = _horizons(problem, rewards)
    return None if found else reason


def horizons_of(problem, rewards: bool = True) -> list[Episodes | LongEpisodes]:
    """The finite horizons on which a claim is checked: one that is enumerated, and a longer one where that is short.

    rewards : whether some reward that is not 0 must be within reach
    """
    return _horizons(problem, rewards)[0]


def _horizons(problem, rewards) -> tuple[list, str]:
    """(the horizons, why one that is enumerated is not among them)."""
    found: list[Episodes | LongEpisodes] = []
    try:
        episodes, reason = episodes_of(problem), ""
    except UndefinedError as error:
        instead = ("and the model is too large for a table of scores" if problem.arithmetic == FLOAT else
                   "in floats the claim is checked by recursion and by simulation")
        episodes, reason = None, f"{error}; {instead}"
    if episodes is not None:
        if rewards and np.all(episodes.batch.rewards == 0):
            reason = f"no reward can be earned in the T = {episodes.horizon} steps that are enumerated"
        else:
            found.append(episodes)
    longer = long_episodes_of(problem) if not found or episodes is None or episodes.horizon < LONGEST else None
    if longer is None or longer.horizon <= (episodes.horizon if episodes else 0):
        return found, reason
    if rewards and not longer.pays:
        return found, f"no reward can be earned in T = {longer.horizon} steps"
    return [*found, longer], ""


def _limit(problem) -> int:
    """Trajectories that may be enumerated: what is held for each of them grows with theta and with the model."""
    entries = max(problem.theta.size, problem.mdp.n_states * problem.mdp.n_actions)
    name = problem.arithmetic.name
    return min(TRAJECTORIES.get(name, ENTRIES_SYMBOLIC), ENTRIES.get(name, ENTRIES_SYMBOLIC) // entries)


def _horizon(problem) -> int:
    limit, mdp = _limit(problem), problem.solution.mdp
    if np.count_nonzero(np.array(mdp.rho != 0, dtype=bool)) > limit:
        return 0
    longest = LONGEST_SYMBOLIC if problem.arithmetic.symbolic else LONGEST
    for T in range(1, longest + 1):
        if count_trajectories(mdp, problem.pi, T) > limit:
            return T - 1
    return longest


class Episodes(FiniteHorizon):
    """The problem that ends after T steps, with every one of its trajectories.

    Attributes
    ----------
    batch : TrajectoryBatch, every trajectory with its probability
    unit : float, relative rounding error of an expectation over the trajectories
    and those of :class:`pgtheory.claims.finite_horizon.FiniteHorizon`
    """

    @cached_property
    def batch(self):
        return enumerate_trajectories(self.problem.solution.mdp, self.problem.pi, self.horizon)

    @property
    def largest_reward(self):
        return max(abs(self.batch.rewards).flat)

    @cached_property
    def unit(self) -> float:
        return 0.0 if self.problem.exact else self.step_unit + EPS * len(self.batch)

    def mean(self, estimator, simplex=False):
        """(n,): the expectation of an estimator, along the directions of comparison; reward units per unit of theta."""
        problem = self.problem
        estimates = np.asarray(self.batch.mean(estimator(self.batch, problem.policy, problem.theta, problem.gamma)))
        return problem.along_simplex(estimates) if simplex else problem.along(estimates)

    @cached_property
    def spread(self) -> float:
        """Largest E |estimate| of REINFORCE along a direction: what the gradient is made of before trajectories cancel."""
        problem = self.problem
        if problem.exact:
            return 0.0
        estimates = Reinforce()(self.batch, problem.policy, problem.theta, problem.gamma)
        return float(np.max(self.batch.probability @ abs(problem.along(np.asarray(estimates))), initial=0.0))

    def factors_at(self, theta):
        """(environment (N,), policy (..., N)): rho(s_0) prod_t P(s_{t+1}|s_t,a_t), and prod_t pi(a_t|s_t) at theta."""
        batch = self.batch
        environment = batch.mdp.rho[batch.states[:, 0]] * dynamics(batch).prod(axis=1)
        return environment, self._taken(theta).prod(axis=-1)

    def probability_at(self, theta):
        """(..., N): P(tau|theta), step by step: the law of (a_t, s_{t+1}) given s_t, multiplied along the trajectory."""
        steps = self._taken(theta) * dynamics(self.batch)
        return steps.prod(axis=-1) * self.batch.mdp.rho[self.batch.states[:, 0]]

    def _taken(self, theta):
        """(..., N, T): pi(a_t|s_t) at theta, 1 after the end."""
        batch = self.batch
        return np.where(batch.valid, self.problem.pi_at(theta)[..., batch.states[:, :-1], batch.actions], 1)

    def slope(self, name: str, of, size=1.0, steepness=None) -> Slope:
        """Of a function of the trajectories' probabilities at theta."""
        steepness = self.gradient_size(1.0) if steepness is None else steepness
        return Slope(name, of, size, steepness, self.unit, self.batch.actions.size)
