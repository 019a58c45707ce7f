"""What a bug is: a small wrong function, its name, where it was met, and what to look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...errors import PGTheoryError
from ...estimators.base import discounted_sums
from ...trajectories.scores import score_sums
from .. import tuples

LAM = 0.95      # lambda of the traces, where the target names none
TRIED = 100_000 # groups in every order that are gone through at most


class Steps:
    """The arrays that a bug is written over, (..., T): rows of trajectories, or groups of rows (..., k, T).

    r : rewards; V, V_next : the critic at s_t and at the state reached, 0 after the end
    valid, last, terminated, truncated, entered : bool, the step was taken, was the last, how it ended
    length : (..., 1) steps of the episode; d : (T,) gamma^t, or 1 where the target has none
    p, ratio : probability of the action, and what it is in units of the behaviour's; 1 after the end
    states (..., T+1), actions : int; gamma, lam : numbers; pi : (S, A); policy, theta : the policy

    What follows from them: G reward-to-go, whole the return of the whole episode as the target weighs it. With ``episodes``
    G too is the return of the whole episode, as seen from step t: unbiased as well, and many write it so.
    """

    def __init__(self, batch, policy, theta, gamma, discounted=True, lam=LAM, rows=None, episodes=False):
        pick = (lambda x: x) if rows is None else (lambda x: x[rows])
        self.batch, self.policy, self.theta, self.gamma = batch, policy, theta, gamma
        self.lam, self.discounted, self.episodes = lam, discounted, episodes
        self.pi, self.behaviour = policy.probabilities(theta), batch.behaviour
        self.states, self.actions, self.r, self.valid = map(pick, (batch.states, batch.actions, batch.rewards, batch.valid))
        self.terminated, self.truncated = pick(batch.terminated), pick(batch.truncated)
        self.entered = pick(batch.entered_terminal)
        self._values = (lambda: pick(batch.values)), (lambda: pick(batch.next_values))

    @cached_property
    def V(self):
        return self._values[0]()

    @cached_property
    def V_next(self):
        return self._values[1]()

    @property
    def last(self):
        return self.terminated | self.truncated

    @cached_property
    def length(self):
        return self.valid.sum(axis=-1, keepdims=True)

    @cached_property
    def powers(self):
        return self.gamma ** np.arange(self.r.shape[-1])

    @cached_property
    def d(self):
        return self.powers if self.discounted else np.ones(self.r.shape[-1])

    @cached_property
    def p(self):
        return np.where(self.valid, self.pi[self.states[..., :-1], self.actions], 1.0)

    @cached_property
    def ratio(self):
        return self.p / np.where(self.valid, self.behaviour[self.states[..., :-1], self.actions], 1.0)

    @cached_property
    def _to_go(self):
        return to_go(self.r, self.gamma)

    @property
    def G(self):
        return self._to_go[..., :1] / self.powers if self.episodes else self._to_go

    @cached_property
    def whole(self):
        return self._to_go[..., :1] * (np.ones(self.r.shape[-1]) if self.discounted else 1 / self.powers)

    @cached_property
    def delta(self):
        """TD errors, bootstrapped where the problem goes on."""
        return self.r + self.gamma * np.where(self.terminated, 0.0, self.V_next) - self.V

    def along_scores(self, weights, states=None, actions=None):
        """(N,) + theta's shape: sum_t weights[n, t] score(states, actions), of the step itself by default."""
        score = np.asarray(self.policy.score(self.theta), dtype=float)
        states = self.states[:, :-1] if states is None else states
        actions = self.actions if actions is None else actions
        return np.einsum("nt,nt...->n...", np.where(self.valid, weights, 0.0), score[states, actions])


def to_go(x, factor):
    """(..., T) sum_{k >= t} of x_k times the product of the factors from t on."""
    flat = discounted_sums(x.reshape(-1, x.shape[-1]), factor if np.ndim(factor) == 0 else
                           np.broadcast_to(factor, x.shape).reshape(-1, x.shape[-1]))
    return flat.reshape(x.shape)


def so_far(x, factor=1.0):
    """(..., T) sum_{k <= t} of x_k, past ones times factor per step."""
    return to_go(x[..., ::-1], factor)[..., ::-1]


def earlier(x, fill=0.0):
    """(..., T) x one step before."""
    return np.concatenate([np.full_like(x[..., :1], fill), x[..., :-1]], axis=-1)


def later(x, fill=0.0):
    """(..., T) x one step on."""
    return np.concatenate([x[..., 1:], np.full_like(x[..., :1], fill)], axis=-1)


@dataclass(frozen=True, eq=False)
class Mutant:
    """A known bug, written as an estimator: call it like one, (batch, policy, theta, gamma).

    bug : id; words : what it does; row : of the list of reports it was met in, or "own"; links : public threads
    weights : Steps -> (..., T), what multiplies the scores; or
    estimates : Steps -> (...) + theta's shape, where the score itself is wrong
    target : what it should estimate; batch_size : trajectories that one estimate is made of
    look : what to look at; wrong : False for what is right although it was reported, or looks wrong
    known : False for what was put together from parts, and is no report of anybody
    """

    bug: str
    words: str
    weights: Callable[[Steps], Any] | None = None
    estimates: Callable[[Steps], Any] | None = None
    row: str = "own"
    links: tuple[str, ...] = ()
    look: str = ""
    target: str = "gradient"
    batch_size: int = 1
    wrong: bool = True
    seam: str = "gradients"
    known: bool = True

    def __call__(self, batch, policy, theta, gamma):
        if self.batch_size == 1:
            return self._on_rows(batch, Steps(batch, policy, theta, gamma, self._discounted, self._lam))
        rows = np.arange(len(batch))[None]
        return self._on_groups(batch, Steps(batch, policy, theta, gamma, self._discounted, self._lam, rows), rows)[0]

    @property
    def _discounted(self):
        return "without gamma^t" not in self.target

    @property
    def _lam(self):
        inside = self.target.partition("(")[2].partition(")")[0]
        return float(inside) if inside else LAM

    def moments(self, fixture, batch_size=1, discounted=True, lam=LAM, episodes=False):
        """(mean, mean of the squares), theta's shape each: exact, on a fixture, for groups of ``batch_size``."""
        batch, probability = fixture.batch, np.asarray(fixture.batch.probability, dtype=float)

        def steps(rows=None):
            return Steps(batch, fixture.policy, fixture.theta, fixture.gamma, discounted, lam, rows, episodes)
        if self.batch_size == 1:
            answers = np.asarray(self._on_rows(batch, steps()), dtype=float)
            mean, squares = np.tensordot(probability, answers, axes=1), np.tensordot(probability, answers**2, axes=1)
            return mean, mean**2 + (squares - mean**2) / batch_size
        mean, squares = np.zeros(fixture.theta.shape), np.zeros(fixture.theta.shape)
        for rows, ways in tuples.groups(len(batch), batch_size, self._is_symmetric(batch, steps, batch_size)):
            answers = np.asarray(self._on_groups(batch, steps(rows), rows), dtype=float)
            weights = ways * probability[rows].prod(axis=1)
            mean = mean + np.tensordot(weights, answers, axes=1)
            squares = squares + np.tensordot(weights, answers**2, axes=1)
        return mean, squares

    def _is_symmetric(self, batch, steps, k) -> bool:
        """The order of a group does not matter; where it does, groups in every order must be few."""
        rows, others, _ = tuples.shuffled(len(batch), k)
        one, other = (np.asarray(self._on_groups(batch, steps(x), x), dtype=float) for x in (rows, others))
        if np.allclose(one, other, rtol=1e-9, atol=1e-9 * np.abs(one).max(initial=0.0)):
            return True
        if tuples.count(len(batch), k, False) > TRIED:
            raise PGTheoryError(f"{self.bug} depends on the order of the group: there are too many orders")
        return False

    def _on_rows(self, batch, steps):
        if self.estimates is not None:
            return self.estimates(steps)
        return score_sums(batch, steps.policy, steps.theta, self._weighed(steps))

    def _weighed(self, steps):
        """(..., T) the weights; 0 after the end."""
        if self.weights is None:
            raise PGTheoryError(f"{self.bug} has no weights: its scores themselves are others")
        return np.where(steps.valid, self.weights(steps), 0.0)

    def _on_groups(self, batch, steps, rows):
        weights = self._weighed(steps)
        flat = score_sums(batch.take(rows.reshape(-1)), steps.policy, steps.theta, weights.reshape(-1, weights.shape[-1]))
        return flat.reshape(rows.shape + steps.policy.shape).mean(axis=1)
