"""Whole agents: a Gymnasium wrapper that records what the agent saw, and a check of the advantages it computed from that.

The mistake with time limits usually lies outside of the function that computes advantages: in what reaches it.
"""

from __future__ import annotations

import numpy as np

from ..errors import MissingExtraError, PGTheoryError
from .advantages import declared, judged
from .asking import ADVANTAGES, BOTH
from .paths import Rollout
from .result import Result

try:
    from gymnasium import Wrapper
except ImportError:  # the class below then says so when it is called
    Wrapper = object  # type: ignore[assignment, misc]


class RecordRollout(Wrapper):
    """A Gymnasium wrapper that keeps every step: put it outermost, around the time limit.

    Parameters
    ----------
    env : gymnasium.Env

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
        self._observation, self._fresh = _copy(observation), True
        return observation, info

    def step(self, action):
        """As the environment's."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        reached = _copy(observation)
        self.steps.append((self._observation, _copy(action), float(reward), reached, bool(terminated),
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
        row = {"rewards": rewards, "values": _values(value, before), "next_values": _values(value, reached),
               "terminated": terminated, "truncated": truncated, "episode_starts": fresh}
        arrays = {name: np.array(x)[None] for name, x in row.items()}
        return Rollout(**arrays, valid=np.ones((1, len(steps)), dtype=bool), ratios=np.ones((1, len(steps))))


def _copy(x):
    return x.copy() if isinstance(x, np.ndarray) else x


def _values(value, observations):
    """(T,) float64: a table indexed by observations, or a function of all of them, or of one."""
    if not callable(value):
        table = np.asarray(value, dtype=float)
        if table.ndim != 1:
            raise PGTheoryError(f"value has shape {table.shape}: it must be (S,), or a function of observations")
        return table[np.asarray(observations, dtype=int)]
    together = _as_numbers(value(np.array(observations)))
    if together.size == len(observations):
        return together.reshape(-1)
    raise PGTheoryError(f"value returned shape {together.shape} for {len(observations)} observations: it must be a function of "
                        "an array of observations that returns one number for each")


def _as_numbers(answer):
    for method in ("detach", "cpu"):        # a PyTorch tensor that still has a gradient or lives elsewhere
        answer = getattr(answer, method)() if hasattr(answer, method) else answer
    return np.asarray(answer, dtype=float)


def check_rollout(env, value, advantages, gamma, lam, *, target="gae", truncation="bootstrap", returns=None, tolerance=1e-5,
                  n=3) -> Result:
    r"""Are these the advantages of what the agent saw?

    Parameters
    ----------
    env : RecordRollout that the agent acted in, one environment
    value : (S,) the critic, or a function of an array of observations (T, ...) -> (T,); as it was when the agent acted
    advantages : T numbers in any shape, those of the last T steps; returns : the same, or None
    gamma, lam, target, truncation, tolerance, n : as for :func:`pgtheory.check_advantages`

    Returns
    -------
    Result; ``bias`` (1, T), or (2, 1, T) with returns

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
    if not isinstance(env, RecordRollout):
        raise PGTheoryError(f"env is {type(env).__name__}: it must be the RecordRollout that the agent acted in")
    given = [_as_numbers(x).reshape(1, -1) for x in (advantages, returns) if x is not None]
    comparison = declared(gamma, lam, target, truncation, ADVANTAGES if returns is None else BOTH, tolerance, n, "rollout")
    if len({x.shape for x in given}) > 1:
        raise PGTheoryError(f"there are {given[0].size} advantages and {given[1].size} returns: as many of both are needed")
    T = given[0].size
    record = env.rollout(value, T)
    compared = comparison.compare(record, np.stack(given))
    words = "step {step} of " + str(T)
    if not compared.deviation <= comparison.tolerance:
        step = comparison.first_wrong([compared])[-1]
        words += f", observation {np.array2string(np.asarray(env.steps[-T:][step][0]), threshold=8, precision=4)}"
    return judged(comparison, [compared], _unseen(record, comparison), at=words)


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
