"""A finite-horizon problem whose trajectories are too many to enumerate: means by recursion over the steps, and by simulation."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import scipy.sparse

from ..arithmetic import EPS, FLOAT
from ..problems.slopes import LARGEST_TABLE, slopes_along
from ..trajectories.batch import sample
from ..trajectories.edges import Edges
from ..trajectories.likelihood import dynamics
from ..variance.means import mean_along
from .finite_horizon import FiniteHorizon

STEPS = 20
WORK = 400_000_000      # transitions times directions times steps
SAMPLED = 64            # trajectories that an identity of every single one is checked on


def long_episodes_of(problem) -> LongEpisodes | None:
    """The problem that ends after 20 steps, fewer where the model is large; None where it is not in floats, or too large.

    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.problems.finite import Problem
    >>> mdp = pg.models.load("gridworld-5x5")
    >>> long_episodes_of(Problem(mdp, pg.SoftmaxPolicy(25, 4), np.zeros((25, 4)))).horizon
    20
    """
    if problem.arithmetic != FLOAT or problem.pi.size * len(problem.directions) > LARGEST_TABLE:
        return None
    if "long episodes" not in problem.memory:
        work = _transitions(problem.mdp.P) * len(problem.directions)
        problem.memory["long episodes"] = LongEpisodes(problem, int(np.clip(WORK // work, 2, STEPS)))
    return problem.memory["long episodes"]


def _transitions(P) -> int:
    return P.nnz if scipy.sparse.issparse(P) else P.size


class LongEpisodes(FiniteHorizon):
    """Means of estimators by the recursion of :func:`pgtheory.variance.means.mean_along`.

    Attributes
    ----------
    unit : float, relative rounding error of such a mean: every step sums over the actions and the states it may enter
    spread : float, what the gradient is made of before states and actions cancel; reward units per unit of theta
    sampled : TrajectoryBatch, a few trajectories (always the same ones)
    """

    @cached_property
    def unit(self) -> float:
        P = self.problem.mdp.P
        mdp = self.problem.mdp
        width = mdp.n_actions * (int(np.diff(P.indptr).max()) if scipy.sparse.issparse(P) else mdp.n_states)
        return self.step_unit + 8 * EPS * width * self.horizon

    @property
    def directions(self):
        """(n,) + theta.shape, in the simplex."""
        return self.problem.directions if self.problem.tangent is None else self.problem.tangent

    def mean(self, estimator, simplex=False):
        """(n,): the expectation of an estimator, along the directions of comparison; None stands for the score."""
        return mean_along(estimator, self.problem, self.horizon, self.directions if simplex else self.problem.directions)

    @cached_property
    def spread(self) -> float:
        slopes = np.abs(slopes_along(self.problem, self.directions))
        return float(np.max(np.tensordot(np.abs(self.solution.gradient_weights), slopes, axes=2), initial=0.0))

    @cached_property
    def pays(self) -> bool:
        """Some reward that is not 0 can be earned in time."""
        edges, visited = Edges(self.problem.mdp), (self.solution.state_distribution > 0).any(axis=0)
        return bool((visited[edges.state] & (edges.reward != 0)).any())

    @cached_property
    def sampled(self):
        n = int(np.clip(LARGEST_TABLE // self.problem.theta.size, 2, SAMPLED))
        return sample(self.problem.mdp, self.problem.pi, n, self.horizon, rng=0)

    @cached_property
    def least_taken(self) -> float:
        """The smallest probability of an action that was taken: a score is at most the slope of pi over it."""
        batch = self.sampled
        return float(self.problem.pi[batch.states[:, :-1], batch.actions].min(where=batch.valid, initial=1.0))

    def relative_probability_at(self, theta):
        """(..., n): P(tau|theta) over what it is at the problem's theta, step by step, so that nothing underflows."""
        batch = self.sampled
        taken = self.problem.pi_at(theta)[..., batch.states[:, :-1], batch.actions]
        law = dynamics(batch)
        here = law * self.problem.pi[batch.states[:, :-1], batch.actions]
        return np.where(batch.valid, taken * law / here, 1).prod(axis=-1)
