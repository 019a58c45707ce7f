"""The finite-horizon problem whose trajectories the claims of the trajectory view enumerate, every one of them."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ..arithmetic import EPS, EXPRESSION
from ..errors import UndefinedError
from ..estimators import Reinforce
from ..horizon import powers
from ..slope import Slope
from ..solution import solve
from ..trajectories.enumeration import count_trajectories, enumerate_trajectories
from ..trajectories.likelihood import dynamics

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

    simplex : whether the rows of pi must keep their sum; rewards : whether it is about returns, of which some must not be 0
    """
    if problem.arithmetic == EXPRESSION:
        return "sympy expressions that are not rational cannot be told from 0, and so trajectories cannot be enumerated"
    if simplex and not problem.policy.normalised:
        return (f"the derivatives of {type(problem.policy).__name__} leave the simplex: this holds only along directions in "
                "which the rows of pi keep their sum")
    if np.any(problem.pi == 0):
        return "some pi(a|s) is 0, where the logarithm has no derivative"
    if not problem.exact and problem.pi.min() < LEAST_PROBABILITY:
        return f"some pi(a|s) is below {LEAST_PROBABILITY:.0e}, where the score may overflow"
    try:
        episodes = episodes_of(problem)
    except UndefinedError as error:
        return str(error)
    if rewards and np.all(episodes.batch.rewards == 0):
        return f"no reward can be earned in the T = {episodes.horizon} steps that are enumerated"
    return None


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


class Episodes:
    """The problem that ends after T steps: nothing is earned after it, nothing is bootstrapped at it.

    Attributes
    ----------
    horizon : int, T
    batch : TrajectoryBatch, every trajectory with its probability
    solution : FiniteHorizonSolution, by the backward and the forward pass
    return_size : float, a bound of \\|R(tau)\\|; reward units
    unit : float, relative rounding error of an expectation over the trajectories
    """

    def __init__(self, problem, horizon: int):
        self.problem, self.horizon = problem, horizon

    @cached_property
    def batch(self):
        return enumerate_trajectories(self.problem.solution.mdp, self.problem.pi, self.horizon)

    @cached_property
    def solution(self):
        return solve(self.problem.solution.mdp, self.problem.pi, horizon=self.horizon)

    @cached_property
    def return_size(self) -> float:
        if self.problem.arithmetic.symbolic:
            return float("nan")
        powered = powers(self.problem.gamma, self.horizon, self.problem.arithmetic).sum()
        return float(powered) * float(max(abs(self.batch.rewards).flat))

    def gradient_size(self, weight=None) -> float:
        """Bound of E sum_t |weight grad log pi| along a direction of comparison, for weights of at most R(tau) by default."""
        return self.horizon * self.problem.slope_scale * (self.return_size if weight is None else weight)

    @cached_property
    def step_unit(self) -> float:
        """Relative rounding error of a product over the steps, or of as many passes: exp at a logit of size t loses t eps."""
        if self.problem.exact:
            return 0.0
        mdp, largest = self.problem.mdp, float(np.max(np.abs(self.problem.theta), initial=0.0))
        return 8 * EPS * (mdp.n_states + mdp.n_actions + largest + 8) * self.horizon

    @cached_property
    def unit(self) -> float:
        return 0.0 if self.problem.exact else self.step_unit + EPS * len(self.batch)

    def mean(self, estimator):
        """(n,): the expectation of an estimator, along the directions of comparison; reward units per unit of theta."""
        problem = self.problem
        estimates = estimator(self.batch, problem.policy, problem.theta, problem.gamma)
        return problem.along(np.asarray(self.batch.mean(estimates)))

    @cached_property
    def spread(self) -> float:
        """Largest E |estimate| of REINFORCE along a direction: what the gradient is made of before trajectories cancel."""
        problem = self.problem
        if problem.exact:
            return 0.0
        estimates = Reinforce()(self.batch, problem.policy, problem.theta, problem.gamma)
        return float(np.max(self.batch.probability @ abs(problem.along(np.asarray(estimates))), initial=0.0))

    @property
    def grad_J(self) -> Slope:
        """The gradient of J_T, which routes differentiate as the backward recursion gives it."""
        mdp, T = self.problem.mdp, self.horizon
        return Slope("grad J_T", lambda theta: self.problem.J_at(theta, T), self.return_size, self.gradient_size(),
                     self.step_unit, mdp.n_states * mdp.n_actions * T)

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
