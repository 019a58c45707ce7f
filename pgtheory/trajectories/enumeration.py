"""Every trajectory of a finite problem, with its probability, in the arithmetic of the inputs."""

from __future__ import annotations

import numpy as np

from ..errors import PGTheoryError
from ..horizon import check_horizon
from ..validation import whole_number
from .batch import TrajectoryBatch, assemble, common_model
from .edges import Edges

LIMIT = 10**6


def enumerate_trajectories(mdp, pi, horizon, time_limit=None, limit=LIMIT) -> TrajectoryBatch:
    r"""All episodes of positive probability, each once, with Pr(tau); they sum to 1.

    Parameters
    ----------
    mdp : MDP
    pi : (S, A) probabilities; Fractions and symbols stay exact
    horizon : int, the number of steps after which the problem itself ends
    time_limit : int or None, the number of steps after which the record is cut
    limit : int, the number of trajectories beyond which the call is refused

    Returns
    -------
    TrajectoryBatch; nothing branches after an episode's end

    Raises
    ------
    PGTheoryError
        There are more than ``limit`` trajectories; the message says how many (they are counted, not listed).

    Examples
    --------
    >>> from fractions import Fraction
    >>> import pgtheory as pg
    >>> mdp = pg.MDP([[[Fraction(1, 3), Fraction(2, 3)]], [[0, 1]]], [1, 0], 1, 0)
    >>> pg.enumerate_trajectories(mdp, [[1], [1]], horizon=2).probability
    array([Fraction(1, 9), Fraction(2, 9), Fraction(2, 3)], dtype=object)
    """
    mdp, pi, arithmetic = common_model(mdp, pi)
    horizon = check_horizon(horizon)
    time_limit = None if time_limit is None else whole_number(time_limit, "time_limit", PGTheoryError, 1)
    branches = _Branches(mdp, pi)
    steps = horizon if time_limit is None else min(horizon, time_limit)
    count = branches.count(steps)
    if count > limit:
        raise PGTheoryError(f"there are {count} trajectories of up to {steps} steps, more than the limit of {limit}: "
                            "shorten the horizon, shrink the model, raise limit, or sample")
    return assemble(mdp, pi, arithmetic, *branches.grow(steps, horizon, arithmetic),
                    horizon=horizon, time_limit=time_limit, sampled=False)


def count_trajectories(mdp, pi, horizon) -> int:
    """The number of episodes of positive probability, by recursion, without listing them.

    >>> import pgtheory as pg
    >>> mdp = pg.MDP([[[0.5, 0.5], [0.5, 0.5]]] * 2, [1.0, 0.0], 1.0, 0)
    >>> count_trajectories(mdp, [[0.5, 0.5]] * 2, horizon=100) == 4**100
    True
    """
    mdp, pi, _ = common_model(mdp, pi)
    return _Branches(mdp, pi).count(check_horizon(horizon))


class _Branches:
    """The outcomes (a, s') of positive probability of every state that is not terminal; terminal states have none."""

    def __init__(self, mdp, pi):
        edges = Edges(mdp)
        possible = np.array(pi[edges.state, edges.action] != 0, dtype=bool) & ~mdp.terminal[edges.state]
        self.state, self.action, self.next_state = (x[possible] for x in (edges.state, edges.action, edges.next_state))
        self.probability = pi[self.state, self.action] * edges.probability[possible]
        self.reward = edges.reward[possible]
        self.size = np.bincount(self.state, minlength=mdp.n_states)
        self.first = np.cumsum(self.size) - self.size
        self.rho = mdp.rho

    def count(self, steps) -> int:
        """Number of paths of ``steps`` steps from rho; a path that is in a terminal state is one."""
        paths = np.full(len(self.size), 1, dtype=object)
        over = self.size == 0
        for _ in range(steps):
            longer = np.full(len(self.size), 0, dtype=object)
            np.add.at(longer, self.state, paths[self.next_state])
            paths = np.where(over, 1, longer)
        return int(sum(paths[np.array(self.rho != 0, dtype=bool)]))

    def grow(self, steps, horizon, arithmetic):
        """states (N, horizon+1), actions, rewards (N, horizon), probability (N,)."""
        start = np.flatnonzero(np.array(self.rho != 0, dtype=bool))
        states, probability = [start], self.rho[start]
        actions: list[np.ndarray] = []
        rewards: list[np.ndarray] = []
        for _ in range(steps):
            parent, branch = self._expand(states[-1])
            states, actions, rewards = ([column[parent] for column in columns] for columns in (states, actions, rewards))
            probability = probability[parent]
            moving = np.flatnonzero(branch >= 0)
            taken = branch[moving]
            states.append(_with(states[-1], moving, self.next_state[taken]))
            actions.append(_with(np.zeros_like(parent), moving, self.action[taken]))
            rewards.append(_with(arithmetic.zeros(len(parent)), moving, self.reward[taken]))
            probability = _with(probability, moving, probability[moving] * self.probability[taken])
        rest = horizon - steps
        states += [states[-1]] * rest
        actions += [np.zeros_like(states[-1])] * rest
        rewards += [arithmetic.zeros(len(states[-1]))] * rest
        return (*(np.stack(columns, axis=1) for columns in (states, actions, rewards)), probability)

    def _expand(self, states):
        """(parent, branch): every row once per outcome of its state; branch -1 where the state is terminal."""
        size = np.maximum(self.size[states], 1)
        parent = np.repeat(np.arange(len(states)), size)
        place = np.arange(len(parent)) - np.repeat(np.cumsum(size) - size, size)
        return parent, np.where(self.size[states][parent] > 0, self.first[states][parent] + place, -1)


def _with(column, rows, values):
    """A copy of ``column`` with ``values`` at ``rows``."""
    column = column.copy()
    column[rows] = values
    return column
