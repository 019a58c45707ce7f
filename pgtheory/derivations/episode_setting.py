"""Where a derivation about trajectories is checked: the problem that ends after T steps, every trajectory written out."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ..claims.baseline import arbitrary
from ..claims.eglp import NUMBERS
from ..claims.episodes import Episodes, episodes_of
from ..estimators import Reinforce, RewardToGo
from ..horizon import powers
from ..problems.finite import Problem
from ..routes.left import Left
from .setting import Setting


class EpisodeSetting(Setting):
    r"""A :class:`Setting` whose k is the horizon T, fewer steps than asked for where there would be too many trajectories.

    Sums over a trajectory are weighted with its probability before they are compared, so that their size is bounded.
    Derivatives are along every coordinate of theta; where ``in_the_simplex``, each coordinate is turned into the simplex.

    >>> from pgtheory.derivations.instance import episode_instance
    >>> setting = episode_instance(k=3)
    >>> len(setting.batch), setting.batch.mean(setting.whole[:, 0])
    (89, Fraction(2147, 972))
    """

    episodes: Episodes

    def __init__(self, problem: Problem, k: int, in_the_simplex=False):
        T = min(k, episodes_of(problem).horizon)
        super().__init__(problem, T)
        self.in_the_simplex = in_the_simplex
        self.episodes = problem.memory["episodes"] = Episodes(problem, T)
        self.batch = self.episodes.batch

    @cached_property
    def along_simplex(self) -> EpisodeSetting:
        """The same, with directions in which the rows of pi keep their sum; itself where all do, or where they are not known."""
        problem = self.problem
        if problem.tangent is None or self.arithmetic.symbolic:      # symbols are differentiated in the coordinates themselves
            return self
        turned = Problem(problem.mdp, problem.policy, problem.theta, complete=False)
        turned.directions = problem.tangent
        return EpisodeSetting(turned, self.k, in_the_simplex=True)

    # ------------------------------------------------------------------ along the trajectories

    @cached_property
    def scores(self):
        """(N, T, n) grad log pi(a_t | s_t) by the policy's formula; 0 after the end."""
        return self._at_steps(self.problem.along(self.problem.policy.score(self.problem.theta)))

    @cached_property
    def slopes(self):
        """(N, T, n) grad pi(a_t | s_t) by the policy's formula; 0 after the end."""
        return self._at_steps(self.jacobian)

    def _at_steps(self, table):
        """(N, T, ...) the entries (s_t, a_t) of a table (S, A, ...)."""
        taken = table[self.batch.states[:, :-1], self.batch.actions]
        valid = self.batch.valid.reshape(self.batch.valid.shape + (1,) * (taken.ndim - 2))
        return np.where(valid, taken, self.number(0))

    @cached_property
    def whole(self):
        """(N, T) R(tau), the same at every step; 0 after the end."""
        return Reinforce().weights(self.batch, self.pi, self.gamma)

    @cached_property
    def to_go(self):
        """(N, T) gamma^t G_t; 0 after the end."""
        return RewardToGo().weights(self.batch, self.pi, self.gamma)

    @cached_property
    def earned(self):
        """(N, T) gamma^k r_k."""
        return self.batch.rewards * powers(self.gamma, self.k, self.arithmetic)

    def each(self, weights):
        """(N, n) P(tau) sum_t weights[tau, t] grad log pi(a_t | s_t)."""
        return (self.scores * (weights * self.batch.probability[:, None])[:, :, None]).sum(axis=1)

    def mean(self, weights):
        """(n,) E sum_t weights[tau, t] grad log pi(a_t | s_t)."""
        return self.each(weights).sum(axis=0)

    def by_time(self, weights):
        """(T, n) E[weights[tau, t] grad log pi(a_t | s_t)]."""
        return (self.scores * (weights * self.batch.probability[:, None])[:, :, None]).sum(axis=0)

    def critic(self, values):
        """(N, T) gamma^t values[t, s_t]; 0 after the end."""
        at = self.batch.with_critic(values).values
        return at * powers(self.gamma, self.k, self.arithmetic)

    def from_states(self, table):
        """(T, n) gamma^t sum_s Pr(s_t = s) sum_a grad pi(a|s) table[t, s, a]."""
        visits = self.episodes.solution.state_distribution * powers(self.gamma, self.k, self.arithmetic)[:, None]
        return np.tensordot(table * visits[:, :, None], self.jacobian, axes=2)

    # ------------------------------------------------------------------ derivatives that know no theorem

    def _differentiated(self, quantity) -> dict[str, Left]:
        """Slopes of "pi" (S, A, n), "P(tau)", "prod pi" (N, n), "sum P(tau)", "J" (n,), and P(tau) times that of its log."""
        if quantity == "pi":
            return super()._differentiated(quantity)
        if quantity == "J":
            return {"J": self.derivative(lambda theta: self.problem.J_at(theta, self.k),
                                         lambda: self.episodes.return_size, self.episodes.gradient_size)}
        if quantity == "P(tau) log P(tau)":
            return {quantity: self._without_logarithm()}
        return {quantity: self._of_probabilities({
            "P(tau)": self.episodes.probability_at, "prod pi": lambda theta: self.episodes.factors_at(theta)[1],
            "sum P(tau)": lambda theta: self.episodes.probability_at(theta).sum(axis=-1)}[quantity])}

    def _of_probabilities(self, f) -> Left:
        """Derivative of a function of the size of probabilities of trajectories."""
        return self.derivative(f, slope=lambda: self.episodes.gradient_size(1.0))

    def _without_logarithm(self) -> Left:
        """(N, n) P grad log P as -P^2 grad (1/P); numbers are multiplied first, so that nothing large is differentiated."""
        square = -self.batch.probability**2
        if self.arithmetic.symbolic:
            inverse = self.derivative(lambda theta: 1 / self.episodes.probability_at(theta))
            return Left(inverse.value * square[:, None], 0)
        return self._of_probabilities(lambda theta: square / self.episodes.probability_at(theta))

    @property
    def rounding(self) -> float:
        """Relative rounding error of an expectation over the trajectories."""
        return 2 * self.episodes.unit

    def derivative_error(self) -> float:
        """Error of derivatives, and of scores that come from differences."""
        if self.exact:
            return 0.0
        found = max((float(left.error) for left in self._grads.values()), default=0.0)
        return found + self.jacobian_error * self.k * self.A * self._largest_weight

    @cached_property
    def _largest_weight(self) -> float:
        """Of a score, in any line: returns less baselines, and numbers without meaning."""
        return max(float(NUMBERS), self.episodes.return_size + float(max(abs(arbitrary(self.episodes)).flat)))
