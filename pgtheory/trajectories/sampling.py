r"""Sampling of a solved pair (mdp, pi): many walkers at once, one uniform number a step.

Every state has one alias table over its joint outcomes (a, s') of positive probability pi(a|s) P(s'|s, a), so that a step
is a look-up whatever S and A are, and the memory is proportional to the non-zeros.

Alias method: Walker 1977, *An efficient method for generating discrete random variables with general distributions*, ACM
TOMS 3; linear construction: Vose 1991, IEEE Transactions on Software Engineering 17.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import scipy.sparse

from ..arithmetic import FLOAT, as_array
from ..errors import InvalidPolicyError, NotExactError
from ..validation import require_finite, require_nonnegative, require_stochastic


class AliasTable:
    r"""Many discrete distributions side by side, each drawn from with one uniform number and two look-ups.

    Parameters
    ----------
    weights : (m,) positive weights, the outcomes of the first row, then of the second, ...
    counts : (rows,) int >= 1, number of outcomes of each row; they sum to m

    Notes
    -----
    Slot j of a row with K outcomes holds the outcome j on [j, cut_j) and its alias on [cut_j, j + 1), both over K. The law
    of a draw differs from the weights by at most K 2^-53 in total variation, the grain of a uniform float64.

    >>> import numpy as np
    >>> from pgtheory.trajectories.sampling import AliasTable
    >>> table = AliasTable([0.5, 0.25, 0.25, 1.0], [3, 1])
    >>> table.probabilities
    array([0.5 , 0.25, 0.25, 1.  ])
    >>> table.draw(np.array([1, 1]), np.random.default_rng(0))
    array([3, 3])
    """

    def __init__(self, weights, counts):
        weights, counts = np.asarray(weights, dtype=float), np.asarray(counts, dtype=np.intp)
        self.offsets = np.concatenate([[0], np.cumsum(counts)])
        self._first, self._count = self.offsets[:-1], counts.astype(float)
        share = weights * np.repeat(self._count / np.add.reduceat(weights, self._first), counts)
        kept, self._alias = _vose(share, self.offsets)
        self._cut = self._slots + kept

    @property
    def _slots(self):
        """(m,) place of every outcome within its row."""
        return np.arange(self.offsets[-1]) - np.repeat(self._first, np.diff(self.offsets))

    def draw(self, rows, rng):
        """Shape of ``rows``: for each, the place in ``weights`` of an outcome of that row."""
        x = rng.random(rows.shape)
        x *= self._count[rows]      # < count even after rounding: (1 - 2^-53) K rounds below K
        place = self._first[rows]
        place += x.astype(np.intp)
        return np.where(x < self._cut[place], place, self._alias[place])

    @property
    def probabilities(self):
        """(m,) the probabilities that the table implies, to be compared with the weights."""
        kept = self._cut - self._slots
        mass = kept + np.bincount(self._alias, weights=1 - kept, minlength=len(kept))
        return mass / np.repeat(self._count, np.diff(self.offsets))


def _vose(share, offsets):
    """What every slot keeps of itself, and the slot's alias: ``share`` averages 1 in each row.

    In all rows at once, a heavy outcome (share > 1) fills up the light ones in order until at most 1 is left of it, and is
    then filled up itself by the next heavy one.
    """
    heavy = share > 1
    order = np.lexsort((heavy, np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))))
    kept, alias = np.ones(len(share)), np.arange(len(share))
    light, last = offsets[:-1].copy(), offsets[1:] - 1
    split = light + np.add.reduceat(~heavy, light, dtype=np.intp)
    rows = np.flatnonzero((light < split) & (split <= last))
    light, last, giver, split = light[rows], last[rows], split[rows], split[rows]
    rest = share[order[giver]]
    while rows.size:
        gives = rest > 1
        going = np.where(gives, light < split, giver < last)
        rows, light, last, giver, split, rest, gives = (x[going] for x in (rows, light, last, giver, split, rest, gives))
        filled, filler = order[np.where(gives, light, giver)], order[np.where(gives, giver, np.minimum(giver + 1, last))]
        kept[filled] = np.where(gives, share[filled], rest)
        alias[filled] = filler
        rest = np.where(gives, rest, share[filler]) - (1 - kept[filled])
        light, giver = light + gives, giver + ~gives
    return kept, alias


class ChainSampler:
    r"""Random walks of the policy ``pi`` in ``mdp``, many at once.

    Parameters
    ----------
    mdp : MDP; an exact one is rounded to float64
    pi : (S, A) probabilities

    Attributes
    ----------
    states, actions, next_states : (m,) int, the outcomes (s, a, s') of positive probability, sorted by s, then a, then s'
    rewards : (m,) float, the reward of each, reward units
    probabilities : (m,) float, pi(a|s) P(s'|s, a), sum to 1 in each state
    offsets : (S + 1,) int, the outcomes of state s are those from offsets[s] to offsets[s + 1]

    Raises
    ------
    NotExactError
        The model or pi is symbolic: it has no numbers to draw with.
    InvalidPolicyError
        pi has the wrong shape, or a row of it is no distribution.

    Examples
    --------
    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.trajectories.sampling import ChainSampler
    >>> mdp = pg.MDP([[[0, 1], [1, 0]], [[0, 1], [0, 1]]], [[1.0, 3.0], [0.0, 0.0]], 0.5, 0)
    >>> chain = ChainSampler(mdp, [[1.0, 0.0], [0.5, 0.5]])
    >>> states = chain.start(3, rng=0)
    >>> chain.step(states, rng=0)
    (array([0, 0, 0]), array([1., 1., 1.]), array([1, 1, 1]))
    """

    def __init__(self, mdp, pi):
        self.mdp, self.pi = mdp, _float_policy(mdp, pi)
        s, a, t, p = _outcomes(mdp, self.pi)
        self.states, self.actions, self.next_states, self.probabilities = s, a, t, p
        self.rewards = _rewards_at(mdp, s, a, t)
        self._joint = AliasTable(p, np.bincount(s, minlength=mdp.n_states))
        self.offsets = self._joint.offsets
        rho = np.asarray(mdp.rho, dtype=float)
        self._start_states = np.flatnonzero(rho)
        self._start = AliasTable(rho[self._start_states], [len(self._start_states)])

    @property
    def slots(self):
        """(cut (m,), alias (m,)) of the joint tables: a state with K outcomes draws x in [0, K), which falls into its slot
        int(x); the outcome is the slot's own where x < cut, and its alias beyond."""
        return self._joint._cut, self._joint._alias

    def start(self, n, rng):
        """(n,) states drawn from rho."""
        return self._start_states[self._start.draw(np.zeros(n, dtype=np.intp), np.random.default_rng(rng))]

    def outcomes(self, states, rng):
        """(n,) places in :attr:`actions`, :attr:`rewards`, :attr:`next_states`: one transition from each state."""
        return self._joint.draw(states, np.random.default_rng(rng))

    def step(self, states, rng):
        """(actions, rewards, next_states), each (n,): one transition from each of ``states`` (n,)."""
        k = self.outcomes(states, rng)
        return self.actions[k], self.rewards[k], self.next_states[k]

    def draw_actions(self, states, rng):
        """(n,) actions drawn from pi(. | s)."""
        table, actions = self._actions
        return actions[table.draw(states, np.random.default_rng(rng))]

    @cached_property
    def _actions(self):
        s, a = np.nonzero(self.pi)
        return AliasTable(self.pi[s, a], np.bincount(s, minlength=len(self.pi))), a

    def walk(self, states, steps, rng, gains=None, discount=1.0):
        """Move walker i by steps[i] transitions: (states (n,) they end in, totals (n,)).

        ``gains`` (m,) pays each outcome; totals[i] = sum over t < steps[i] of discount^t gains[outcome of step t], zeros
        without gains. The work is the sum of ``steps``. Walkers keep their order, so rows stay independent of each other.

        >>> import numpy as np, pgtheory as pg
        >>> from pgtheory.trajectories.sampling import ChainSampler
        >>> ring = ChainSampler(pg.MDP([[[0, 1]], [[1, 0]]], [1.0, 0.0], 0.5, 0), [[1.0], [1.0]])
        >>> ring.walk(np.array([0, 0]), np.array([3, 0]), rng=0, gains=ring.rewards, discount=0.5)
        (array([1, 0]), array([1.25, 0.  ]))
        """
        rng = np.random.default_rng(rng)
        order = np.argsort(-steps, kind="stable")      # the walkers that still move are always the first ones
        remaining, at, total = -steps[order], states[order], np.zeros(len(states))
        weight, moved, alive = 1.0, 0, int(np.count_nonzero(steps))
        while alive:
            k = self._joint.draw(at[:alive], rng)
            if gains is not None:
                total[:alive] += weight * gains[k]
            at[:alive] = self.next_states[k]
            weight, moved = weight * discount, moved + 1
            alive = int(np.searchsorted(remaining[:alive], -moved))
        ends, totals = np.empty_like(at), np.empty_like(total)
        ends[order], totals[order] = at, total
        return ends, totals

    @cached_property
    def reachable(self):
        """(S,) bool: states that a walk from rho enters with positive probability."""
        seen = np.zeros(self.mdp.n_states, dtype=bool)
        frontier, offsets = self._start_states, self.offsets
        while frontier.size:
            seen[frontier] = True
            counts = offsets[frontier + 1] - offsets[frontier]
            jumps = np.repeat(offsets[frontier] - (np.cumsum(counts) - counts), counts)
            entered = np.unique(self.next_states[jumps + np.arange(len(jumps))])
            frontier = entered[~seen[entered]]
        return seen


def _float_policy(mdp, pi):
    """pi as (S, A) floats, checked."""
    pi, arithmetic = as_array(pi, "pi")
    if arithmetic.symbolic or mdp.arithmetic.symbolic:
        raise NotExactError("a symbolic model or policy has no numbers to draw with: put numbers in for the symbols first")
    pi = np.array(pi, dtype=float)
    if pi.shape != (mdp.n_states, mdp.n_actions):
        raise InvalidPolicyError(f"pi has shape {pi.shape}: it must be {(mdp.n_states, mdp.n_actions)}")
    require_finite(pi, "pi", InvalidPolicyError)
    require_nonnegative(pi, "pi", InvalidPolicyError)
    require_stochastic(pi.sum(axis=1), "pi", mdp.n_actions, FLOAT, InvalidPolicyError,
                       lambda index, total: "each row must be a distribution over the actions")
    return pi


def _outcomes(mdp, pi):
    """(s, a, s', probability) of the transitions of positive probability, sorted."""
    if scipy.sparse.issparse(mdp.P):
        P = mdp.P.tocoo()
        s, a = np.divmod(P.row.astype(np.intp), mdp.n_actions)
        t, p = P.col.astype(np.intp), pi[s, a] * P.data
        order = np.lexsort((t, a, s))
        s, a, t, p = s[order], a[order], t[order], p[order]
    else:
        s, a, t = np.nonzero(mdp.P)
        p = pi[s, a] * mdp.P[s, a, t].astype(float)
    possible = p > 0
    return s[possible], a[possible], t[possible], p[possible]


def _rewards_at(mdp, s, a, t):
    """(m,) rewards of transitions."""
    if scipy.sparse.issparse(mdp.R):
        return np.asarray(mdp.R[s * mdp.n_actions + a, t], dtype=float).reshape(-1)
    index = (s, a, t)[:mdp.R.ndim]
    return mdp.R[index].astype(float)
