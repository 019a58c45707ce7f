"""The transitions of positive probability as one list, in the arithmetic of the model."""

from __future__ import annotations

from copy import copy

import numpy as np
import scipy.sparse


class Edges:
    """Every (s, a, s') with P[s, a, s'] > 0, sorted, with its probability and its reward.

    Attributes
    ----------
    state, action, next_state : (E,) int
    probability : (E,) P[s, a, s'], probabilities
    reward : (E,) R[s, a, s'], reward units

    >>> import pgtheory as pg
    >>> edges = Edges(pg.MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [2.0, 0.0], 0.5, 0))
    >>> edges.next_state, edges.reward
    (array([0, 1, 1]), array([2., 2., 0.]))
    """

    def __init__(self, mdp):
        self.n_states, self.n_actions = mdp.n_states, mdp.n_actions
        self.state, self.action, self.next_state, self.probability = _nonzeros(mdp)
        self.reward = reward_of(mdp, self.state, self.action, self.next_state)

    def keep(self, mask) -> Edges:
        """The transitions marked in ``mask`` (E,)."""
        kept = copy(self)
        for name in ("state", "action", "next_state", "probability", "reward"):
            setattr(kept, name, getattr(self, name)[mask])
        return kept

    @property
    def cell(self):
        """(E,) s A + a: the flat index of the pair that a transition leaves."""
        return self.state * self.n_actions + self.action


def _nonzeros(mdp):
    if not scipy.sparse.issparse(mdp.P):
        s, a, t = np.nonzero(np.array(mdp.P != 0, dtype=bool))
        return s, a, t, mdp.P[s, a, t]
    P = mdp.P.tocoo()
    keep = np.flatnonzero(P.data)
    keep = keep[np.lexsort((P.col[keep], P.row[keep]))]
    s, a = np.divmod(P.row[keep].astype(np.intp), mdp.n_actions)
    return s, a, P.col[keep].astype(np.intp), P.data[keep]


def reward_of(mdp, state, action, next_state):
    """The reward of transitions given by index arrays of one shape, in the arithmetic of the model.

    >>> import pgtheory as pg
    >>> reward_of(pg.MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [2.0, 0.0], 0.5, 0), [0, 1], [0, 0], [1, 1])
    array([2., 0.])
    """
    if scipy.sparse.issparse(mdp.R):
        rows = np.asarray(state) * mdp.n_actions + np.asarray(action)
        return np.asarray(mdp.R[rows.reshape(-1), np.asarray(next_state).reshape(-1)]).reshape(rows.shape)
    return mdp.R[(state, action, next_state)[:mdp.R.ndim]]
