r"""Estimates of sampled episodes in a box that none of them ever leaves, so that a test of their mean can be trusted.

A draw is :math:`X = \sum_{t<T} w_t\, \partial_u \log\pi(a_t|s_t)` along each of k directions u. The weights :math:`w_t` and
with them X are bounded by dynamic programming backwards over the steps: the best and the worst that can still be added after
step t from each state, over all transitions of positive probability. The bound holds whatever the probabilities are; where it
would take too many operations, what follows a step is bounded by the best and the worst of all states.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..arithmetic import EPS
from ..errors import UndefinedError
from .sampling import ChainSampler

WORK = 50_000_000     # outcomes times steps times directions that the box may visit
NUMBERS = 11          # values of the number without meaning that a history is given


@dataclass(frozen=True, eq=False)
class EpisodeWeights:
    r"""What multiplies the score of step t.

    kind : "return": R(tau) = sum_k gamma^k r_k at every step; "to-go": gamma^t (G_t - b_t(s_t)); "history": a number
        c(h_t) from 0 to 10 without meaning, for every history s_0, a_0, ..., s_t
    baseline : (T+1, S), or None for 0; for "to-go"
    """

    kind: str
    baseline: np.ndarray | None = None


class EpisodeSampler:
    """Independent, bounded draws of a trajectory estimator along k directions.

    Parameters
    ----------
    mdp, pi : the model and (S, A) probabilities, numeric
    slopes : (S, A, k) derivative of pi(a|s) along each direction
    horizon : int, T
    weights : EpisodeWeights

    Attributes
    ----------
    low, high : (k,) no draw ever lies outside, roundings included; reward units per unit of theta
    cost : float, transitions that a draw simulates
    scores : (S, A, k) derivative of log pi(a|s); 0 in terminal states and where pi(a|s) = 0

    Raises :class:`UndefinedError` where the box overflows.

    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.trajectories.bounded import EpisodeSampler, EpisodeWeights
    >>> slopes = np.array([[[0.25], [-0.25]], [[0.25], [-0.25]]])       # softmax at even logits, along that of action 0
    >>> sampler = EpisodeSampler(pg.models.load("bandit"), [[0.5, 0.5]] * 2, slopes, 1, EpisodeWeights("return"))
    >>> sampler.low.round(9) + 0.0, sampler.high.round(9) + 0.0
    (array([-0.5]), array([0.5]))
    >>> np.unique(sampler.draw(100, rng=0))
    array([0. , 0.5])
    """

    def __init__(self, mdp, pi, slopes, horizon: int, weights: EpisodeWeights):
        self.chain, self.gamma, self.horizon, self.weights = ChainSampler(mdp, pi), float(mdp.gamma), horizon, weights
        pi = self.chain.pi
        seen = (pi > 0) & ~mdp.terminal[:, None]
        self.scores = np.divide(slopes, pi[:, :, None], out=np.zeros(slopes.shape), where=seen[:, :, None])
        self.baseline = None if weights.baseline is None else np.asarray(weights.baseline, dtype=float)
        self.cost = float(horizon)
        with np.errstate(over="ignore", invalid="ignore"):
            self.low, self.high = self._box()
        if not (np.isfinite(self.low) & np.isfinite(self.high)).all():
            raise UndefinedError("the box of the simulated estimates overflows: some pi(a|s) is so small, or some reward so "
                                 "large, that the score times the return is no float; simulate at a milder theta")

    # ------------------------------------------------------------------ draws

    def draw(self, n, rng):
        """(n, k) independent draws."""
        rng = np.random.default_rng(rng)
        states, outcomes = self._walk(n, rng)
        weights = self._weights(states, outcomes)
        X = np.zeros((n, self.scores.shape[2]))
        for s, k, w in zip(states, outcomes, weights, strict=True):
            X += self.scores[s, self.chain.actions[k]] * w[:, None]
        return X

    def _walk(self, n, rng):
        """(T, n) states that are left and (T, n) outcomes."""
        at = self.chain.start(n, rng)
        states, outcomes = np.empty((2, self.horizon, n), dtype=np.intp)
        for t in range(self.horizon):
            states[t], outcomes[t] = at, self.chain.outcomes(at, rng)
            at = self.chain.next_states[outcomes[t]]
        return states, outcomes

    def _weights(self, states, outcomes):
        """(T, n)."""
        if self.weights.kind == "history":
            return histories(states, self.chain.actions[outcomes]).astype(float)
        to_go = self.chain.rewards[outcomes] * self._discounts[:, None]
        to_go = np.cumsum(to_go[::-1], axis=0)[::-1]
        if self.weights.kind == "return":
            return np.broadcast_to(to_go[:1], to_go.shape)
        if self.baseline is None:
            return to_go
        at = np.where(self.chain.mdp.terminal[states], 0.0, self.baseline[np.arange(self.horizon)[:, None], states])
        return to_go - at * self._discounts[:, None]

    @cached_property
    def _discounts(self):
        return self.gamma ** np.arange(self.horizon)

    # ------------------------------------------------------------------ the box

    def _box(self):
        """(low, high), each (k,)."""
        if self.weights.kind == "history":
            return self._widened(self._extremes(lambda t: (0.0, NUMBERS - 1.0)), NUMBERS - 1.0)
        least, most = self._returns()
        largest = max(np.abs(least).max(), np.abs(most).max())
        if self.weights.kind == "return":
            start = self.chain.mdp.rho != 0
            R = np.array([least[0][start].min(), most[0][start].max()])
            Z = np.array(self._extremes(lambda t: (1.0, 1.0)))
            corners = R[:, None, None] * Z
            return self._widened((corners.min(axis=(0, 1)), corners.max(axis=(0, 1))), largest)
        b = np.zeros((self.horizon + 1, len(self.scores))) if self.baseline is None else self.baseline
        largest += np.abs(b).max()
        return self._widened(self._extremes(lambda t: self._gained(t, least, most, b)), largest)

    def _returns(self):
        """(T+1, S) least and most of sum_{k >= t} gamma^(k-t) r_k from each state."""
        chain, T = self.chain, self.horizon
        least, most = np.zeros((2, T + 1, len(self.scores)))
        for t in range(T - 1, -1, -1):
            for values, best in ((least, np.minimum), (most, np.maximum)):
                values[t] = best.reduceat(chain.rewards + self.gamma * values[t + 1][chain.next_states], chain.offsets[:-1])
        return least, most

    def _gained(self, t, least, most, b):
        """(least, most) (m,) of gamma^t (G_t - b_t(s)), outcome by outcome."""
        chain = self.chain
        return tuple(self.gamma**t * (chain.rewards + self.gamma * x[t + 1][chain.next_states] - b[t][chain.states])
                     for x in (least, most))

    def _extremes(self, weights):
        """Least and most (k,) of sum_t w_t score_t, for weights (least, most) of every outcome at time t."""
        chain, k = self.chain, self.scores.shape[2]
        coarse = len(chain.states) * self.horizon * k > WORK
        low, high = np.zeros((2, len(self.scores), k))
        for t in range(self.horizon - 1, -1, -1):
            low, high = (self._one_step(best, ends, weights(t), coarse)
                         for best, ends in ((np.minimum, low), (np.maximum, high)))
        start = chain.mdp.rho != 0
        return low[start].min(axis=0), high[start].max(axis=0)

    def _one_step(self, best, ends, weights, coarse):
        """(S, k): the best of w score + ends(s') over the outcomes of each state."""
        chain = self.chain
        if coarse:      # over the actions first, then over all states
            cells = chain.states * self.scores.shape[1] + chain.actions
            first = np.flatnonzero(np.diff(cells, prepend=-1))
            least, most = (np.broadcast_to(x, cells.shape) for x in weights)
            w = np.minimum.reduceat(least, first), np.maximum.reduceat(most, first)
            scores, rows, after = self.scores.reshape(-1, ends.shape[1])[cells[first]], chain.states[first], best.reduce(ends)
        else:
            w, rows, after = weights, chain.states, ends[chain.next_states]
            scores = self.scores[chain.states, chain.actions]
        each = best(*(np.asarray(x)[..., None] * scores for x in w)) + after
        return best.reduceat(each, np.flatnonzero(np.diff(rows, prepend=-1)))

    def _widened(self, box, largest):
        """The box and what rounding may add: T terms of T roundings each, and as many in the bound."""
        T = self.horizon
        slack = 32 * EPS * (T + 4) * T * np.abs(self.scores).max(axis=(0, 1)) * largest
        return box[0] - slack, box[1] + slack


def histories(states, actions):
    """(T, n) integers c(h_t), from 0 to 10: a number without meaning for every history s_0, a_0, ..., s_t.

    >>> histories(np.array([[0, 0], [1, 1]]), np.array([[0, 1], [0, 0]]))
    array([[1, 1],
           [0, 5]])
    """
    c = np.empty(states.shape, dtype=int)
    c[0] = (states[0] + 1) % NUMBERS
    for t in range(1, len(c)):
        c[t] = (3 * c[t - 1] + 5 * actions[t - 1] + 7 * states[t] + 1) % NUMBERS
    return c
