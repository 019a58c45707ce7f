"""Whole agents: a Gymnasium wrapper that records what the agent saw, and a check of the advantages it computed from that.

The mistake with time limits usually lies outside of the function that computes advantages: in what reaches it.
"""

from __future__ import annotations

import numpy as np

from ..errors import MissingExtraError, PGTheoryError
from .advantages import declared, judged
from .asking import ADVANTAGES, BOTH
from .observed import as_numbers, copied, critic_at
from .paths import Rollout, stacked
from .result import Result

try:
    from gymnasium import Wrapper
except ImportError:  # the class below then says so when it is called
    Wrapper = object  # type: ignore[assignment, misc]


class RecordRollout(Wrapper):
    """A Gymnasium wrapper that keeps every step: put it outermost, around the time limit.

    Parameters
    ----------
    env : gymnasium.Env; or a gymnasium.vector.VectorEnv, which gives a
        :class:`~pgtheory.checking.vector_rollout.RecordVectorRollout`

    Attributes
    ----------
    steps : list of (observation, action, reward, observation reached, terminated, truncated, first step of its episode)

    Notes
    -----
    The observation reached is that of the step itself, also where an agent is then given the one after the reset. An episode
    that is left by ``reset`` before its end counts as cut.

    Examples
    --------
    >>> import pgtheory as pg
    >>> env = pg.RecordRollout(pg.TabularEnv(pg.models.load("short-corridor")))
    >>> state, _ = env.reset(seed=0)
    >>> for action in (1, 0, 1):
    ...     _ = env.step(action)
    >>> [(step[0], step[3], step[4]) for step in env.steps]
    [(0, 1, False), (1, 2, False), (2, 3, True)]
    """

    def __new__(cls, env):
        """A recorder of its own kind for vector environments."""
        if Wrapper is not object and hasattr(env, "single_observation_space"):
            from .vector_rollout import RecordVectorRollout

            return RecordVectorRollout(env)
        return super().__new__(cls)

    def __init__(self, env):
        if Wrapper is object:
            raise MissingExtraError('RecordRollout needs Gymnasium: pip install "pgtheory[gym]"')
        super().__init__(env)
        self.steps: list[tuple] = []
        self._observation, self._fresh = None, True

    def reset(self, **options):
        """As the environment's; an episode in progress is cut here."""
        observation, info = self.env.reset(**options)
        if self.steps and not self._fresh and not (self.steps[-1][4] or self.steps[-1][5]):
            self.steps[-1] = (*self.steps[-1][:5], True, self.steps[-1][6])
        self._observation, self._fresh = copied(observation), True
        return observation, info

    def step(self, action):
        """As the environment's."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        reached = copied(observation)
        self.steps.append((self._observation, copied(action), float(reward), reached, bool(terminated),
                           bool(truncated) and not terminated, self._fresh))
        self._observation, self._fresh = reached, False
        return observation, reward, terminated, truncated, info

    def clear(self) -> None:
        """Forget the steps so far."""
        self.steps.clear()

    def rollout(self, value, n=None) -> Rollout:
        """The last ``n`` steps (all where None) as one row, with the critic ``value``."""
        steps = self.steps if n is None else self.steps[-n:]
        if not steps or (n is not None and len(steps) < n):
            raise PGTheoryError(f"{len(self.steps)} steps were recorded and {n if n is not None else 'some'} are asked for: is the "
                                "wrapper the environment that the agent acts in, and was it not cleared?")
        before, _, rewards, reached, terminated, truncated, fresh = zip(*steps, strict=True)
        row = {"rewards": rewards, "values": critic_at(value, before), "next_values": critic_at(value, reached),
               "terminated": terminated, "truncated": truncated, "episode_starts": fresh}
        arrays = {name: np.array(x)[None] for name, x in row.items()}
        return Rollout(**arrays, valid=np.ones((1, len(steps)), dtype=bool), ratios=np.ones((1, len(steps))))

    def observation(self, row, step, n):
        """What step ``step`` of the last ``n`` was taken on."""
        return self.steps[-n:][step][0]


def check_rollout(env, value, advantages, gamma, lam, *, target="gae", truncation="bootstrap", returns=None, tolerance=1e-5,
                  n=3) -> Result:
    r"""Are these the advantages of what the agent saw?

    Parameters
    ----------
    env : RecordRollout that the agent acted in; a list of N of them, one for each environment of an agent that resets at
        once, as Stable-Baselines3 does; or the RecordRollout of a vector environment
    value : (S,) the critic, or a function of an array of observations (T, ...) -> (T,); as it was when the agent acted
    advantages : T numbers in any shape, those of the last T steps; (T, N), time first, of N environments, or (N, T) where that
        is plain from the shape; returns : the same, or None
    gamma, lam, target, truncation, tolerance, n : as for :func:`pgtheory.check_advantages`

    Returns
    -------
    Result; ``bias`` (N, T), or (2, N, T) with returns

    Raises
    ------
    PGTheoryError
        Fewer steps were recorded than there are advantages; ``env`` is no RecordRollout.

    Examples
    --------
    >>> import numpy as np, pgtheory as pg
    >>> from gymnasium.wrappers import TimeLimit
    >>> env = pg.RecordRollout(TimeLimit(pg.TabularEnv(pg.models.load("short-corridor")), 2))
    >>> state, _ = env.reset(seed=0)
    >>> for action in (1, 1):
    ...     _ = env.step(action)
    >>> critic = np.array([-9.0, -5.0, -3.0, 0.0])
    >>> pg.check_rollout(env, critic, [-1 - 5 + 9, -1 - 9 + 5], gamma=1, lam=0).verdict
    'PASS'
    >>> cut = pg.check_rollout(env, critic, [-1 - 5 + 9, -1 + 5], gamma=1, lam=0)
    >>> cut.verdict, cut.where.split(";")[0]
    ('FAIL', 'first in step 1 of 2, observation 1, cut by a time limit: advantages 4, should be -5')
    """
    recorders, N = _recorders(env)
    given = [_by_row(x, N) for x in (advantages, returns) if x is not None]
    comparison = declared(gamma, lam, target, truncation, ADVANTAGES if returns is None else BOTH, tolerance, n, "rollout")
    if len({x.shape for x in given}) > 1:
        raise PGTheoryError(f"there are {given[0].size} advantages and {given[1].size} returns: as many of both are needed")
    T = given[0].shape[1]
    record = stacked([one.rollout(value, T) for one in recorders])
    compared = comparison.compare(record, np.stack(given))
    words = "step {step} of " + str(T) + (" in environment {row}" if N > 1 else "")
    if not compared.deviation <= comparison.tolerance:
        _, _, row, step = comparison.first_wrong([compared])
        one, inner = (recorders[row], 0) if len(recorders) > 1 else (recorders[0], row)
        seen = np.asarray(one.observation(inner, step, T))
        words += f", observation {np.array2string(seen, threshold=8, precision=4)}"
    return judged(comparison, [compared], _unseen(record, comparison), at=words)


def _recorders(env):
    """(recorders, number of rows that they have together)."""
    from .vector_rollout import RecordVectorRollout

    recorders = list(env) if isinstance(env, (list, tuple)) else [env]
    several = len(recorders) == 1 and isinstance(recorders[0], RecordVectorRollout)
    for one in recorders:
        if not (several or isinstance(one, RecordRollout)):
            raise PGTheoryError(f"env is {type(one).__name__}: it must be the RecordRollout that the agent acted in, or a list of "
                                "them, one for each environment")
    return recorders, recorders[0].num_envs if several else len(recorders)


def _by_row(numbers, N):
    """(N, T) float64."""
    array = as_numbers(numbers)
    if N == 1:
        return array.reshape(1, -1)
    array = array[..., 0] if array.ndim == 3 and array.shape[-1] == 1 else array
    if array.ndim != 2 or N not in array.shape:
        raise PGTheoryError(f"the numbers have shape {array.shape}: those of {N} environments must be (T, {N}), time first")
    return array.T if array.shape[1] == N else array


def _unseen(r, comparison) -> tuple[str, ...]:
    """What this record cannot show."""
    s = comparison.setting
    moves = r.next_values[:, :-1][r.truncated[:, :-1]] != r.values[:, 1:][r.truncated[:, :-1]]
    spots = (
        (s.lam == 1, "lam = 1: the trace"),
        (s.lam == 0, "lam = 0: the carry"),
        (s.gamma == 1, "gamma = 1: mistakes in discounting"),
        (not r.truncated.any(), "no time limit was met"),
        (bool(r.truncated.any()) and not moves.any(), "no reset led to another value: bootstrapping from the reset observation"),
        (not r.terminated.any(), "no episode terminated"),
        (np.ptp(r.values) == 0, "the critic is constant: bootstrapping from the wrong state"),
        (np.ptp(r.rewards) == 0, "the reward is constant: rewards one step off"),
        (comparison.output == ADVANTAGES, "the returns (pass returns)"),
    )
    return tuple(words for applies, words in spots if applies)
