"""An MDP as a Gymnasium environment, so that agents written for Gymnasium can act in it."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import scipy.sparse

from ..errors import MissingExtraError, PGTheoryError
from ..mdp import MDP

try:
    from gymnasium import Env
    from gymnasium.spaces import Discrete
except ImportError:  # the class below then says so when it is called
    Env, Discrete = object, None  # type: ignore[assignment, misc]


class TabularEnv(Env):
    """A Gymnasium environment over ``mdp``: observations are states, actions are action numbers.

    Parameters
    ----------
    mdp : MDP, dense or sparse, in floats or Fractions (which are rounded to act on)

    Attributes
    ----------
    mdp : MDP
    observation_space, action_space : gymnasium.spaces.Discrete of n_states and n_actions
    P : dict, Gymnasium's transition table P[s][a] = [(probability, s', reward, terminated)]
    initial_state_distrib : (S,) start distribution, probabilities

    Notes
    -----
    ``reset`` draws the start from rho; ``step`` draws s' from P[s, a] and pays R[s, a, s'], undiscounted. ``terminated`` is
    True where s' is terminal (absorbing and reward-free); nothing is ever truncated: wrap a TimeLimit around it for that.

    Raises
    ------
    MissingExtraError
        Gymnasium is not installed.
    PGTheoryError
        Not an MDP of numbers; ``step`` before ``reset``, or with an action that does not exist.

    Examples
    --------
    >>> import pgtheory as pg
    >>> env = pg.TabularEnv(pg.models.load("short-corridor"))
    >>> env.reset(seed=0)
    (0, {})
    >>> env.step(1), env.step(0), env.step(1)
    ((1, -1.0, False, False, {}), (2, -1.0, False, False, {}), (3, -1.0, True, False, {}))
    """

    metadata: dict = {"render_modes": []}
    render_mode = None

    def __init__(self, mdp: MDP):
        if Discrete is None:
            raise MissingExtraError('TabularEnv needs Gymnasium: pip install "pgtheory[gym]"')
        if not isinstance(mdp, MDP) or mdp.arithmetic.symbolic:
            raise PGTheoryError(f"TabularEnv needs an MDP of numbers, not {mdp!r}")
        self.mdp = mdp
        self.observation_space, self.action_space = Discrete(mdp.n_states), Discrete(mdp.n_actions)
        self.initial_state_distrib = np.asarray(mdp.rho, dtype=float)
        self._start = _cumulative(self.initial_state_distrib)
        self._state: int | None = None
        self._rows: dict = {}

    def reset(self, *, seed=None, options=None):
        """(state, {}): a start state drawn from rho; ``options`` are not used."""
        super().reset(seed=seed)
        self._state = self._draw(self._start)
        return self._state, {}

    def step(self, action):
        """(s', R[s, a, s'], terminated, False, {})."""
        if self._state is None:
            raise PGTheoryError("step was called before reset: call env.reset() first")
        if not self.action_space.contains(action):
            raise PGTheoryError(f"action is {action!r}: it must be an integer in 0..{self.mdp.n_actions - 1}")
        successors, cumulative, rewards = self._row(self._state, int(action))
        k = self._draw(cumulative)
        self._state = int(successors[k])
        return self._state, float(rewards[k]), bool(self.mdp.terminal[self._state]), False, {}

    def _draw(self, cumulative) -> int:
        return int(np.searchsorted(cumulative, self.np_random.random(), side="right"))

    def _row(self, s, a):
        """Successors of (s, a) with positive probability, their cumulative probabilities and their rewards."""
        if (s, a) not in self._rows:
            successors, probabilities, rewards = _successors(self.mdp, s, a)
            self._rows[s, a] = successors, _cumulative(probabilities), rewards
        return self._rows[s, a]

    @cached_property
    def P(self) -> dict:
        """Gymnasium's transition table."""
        terminal = self.mdp.terminal
        return {s: {a: [(float(p), int(t), float(r), bool(terminal[t]))
                        for t, p, r in zip(*_successors(self.mdp, s, a), strict=True)]
                    for a in range(self.mdp.n_actions)} for s in range(self.mdp.n_states)}


def _cumulative(probabilities):
    """Ends in exactly 1, so that a draw from [0, 1) never falls beyond it, nor on a probability of 0."""
    total = np.cumsum(probabilities)
    return total / total[-1]


def _successors(mdp, s, a):
    """s' with P[s, a, s'] > 0, the probabilities and the rewards, as three arrays of floats."""
    row = _along(mdp.P, mdp, s, a)
    successors = np.flatnonzero(row)
    rewards = _along(mdp.R, mdp, s, a)
    return successors, row[successors], rewards[successors]


def _along(array, mdp, s, a):
    """(S,): array[s, a, :], for P or any shape of R."""
    if scipy.sparse.issparse(array):
        return array[[s * mdp.n_actions + a]].toarray()[0]
    values = np.asarray(array[s] if array.ndim == 1 else array[s, a], dtype=float)
    return np.broadcast_to(values, mdp.n_states)
