"""What the agents in a vector environment saw: whichever way it resets, and whoever hides the last observation where."""

from __future__ import annotations

import numpy as np

from ..errors import MissingExtraError, PGTheoryError
from .observed import copied, critic_at
from .paths import Rollout

try:
    from gymnasium.vector import AutoresetMode, VectorWrapper
except ImportError:  # the class below then says so when it is called
    VectorWrapper = object  # type: ignore[assignment, misc]


class RecordVectorRollout(VectorWrapper):
    """A wrapper of a vector environment of Gymnasium that keeps every step: put it outermost.

    Parameters
    ----------
    env : gymnasium.vector.VectorEnv of N environments

    Attributes
    ----------
    steps : list of dictionaries with (N, ...) observation, action, reward, reached, terminated, truncated, fresh (first of its
        episode) and valid

    Notes
    -----
    With ``AutoresetMode.NEXT_STEP``, Gymnasium's default, the step after an end is the reset: it takes no action and earns
    nothing, and is recorded as a hole (valid False), whose numbers are not compared. With ``SAME_STEP`` the observation that
    was reached is taken from ``infos["final_obs"]``.

    Examples
    --------
    >>> import gymnasium, pgtheory as pg
    >>> make = lambda: pg.TabularEnv(pg.models.load("short-corridor"))
    >>> env = pg.RecordRollout(gymnasium.vector.SyncVectorEnv([make, make]))
    >>> states, _ = env.reset(seed=0)
    >>> for actions in ([1, 1], [0, 1], [1, 1], [0, 0]):
    ...     _ = env.step(np.array(actions))
    >>> [step["valid"].tolist() for step in env.steps]
    [[True, True], [True, True], [True, True], [False, True]]
    """

    def __init__(self, env):
        if VectorWrapper is object:
            raise MissingExtraError('RecordRollout needs Gymnasium: pip install "pgtheory[gym]"')
        super().__init__(env)
        self.mode = AutoresetMode(env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP))
        self.steps: list[dict] = []
        self._observation, self._fresh, self._over = None, np.ones(env.num_envs, dtype=bool), np.zeros(env.num_envs, dtype=bool)

    def reset(self, *, seed=None, options=None):
        """As the environment's; episodes in progress are cut here."""
        observations, infos = self.env.reset(seed=seed, options=options)
        which = np.ones(self.num_envs, dtype=bool)
        if options is not None and "reset_mask" in options:
            which = np.asarray(options["reset_mask"], dtype=bool)
        if self.steps:
            last = self.steps[-1]
            last["truncated"] = last["truncated"] | (which & ~self._fresh & ~self._over & last["valid"])
        self._observation, self._fresh, self._over = copied(observations), self._fresh | which, self._over & ~which
        return observations, infos

    def step(self, actions):
        """As the environment's."""
        observations, rewards, terminated, truncated, infos = answer = self.env.step(actions)
        resetting = self._over if self.mode == AutoresetMode.NEXT_STEP else np.zeros_like(self._over)
        terminated, truncated = (np.asarray(x, dtype=bool) & ~resetting for x in (terminated, truncated))
        over = terminated | truncated
        self.steps.append({"observation": self._observation, "action": copied(actions), "reward": np.array(rewards, dtype=float),
                           "reached": self._reached(observations, over, infos), "terminated": terminated,
                           "truncated": truncated & ~terminated, "fresh": self._fresh | resetting, "valid": ~resetting})
        self._observation, self._over = copied(observations), over
        self._fresh = resetting | (over if self.mode == AutoresetMode.SAME_STEP else np.zeros_like(over))
        return answer

    def _reached(self, observations, over, infos):
        """The observation that the step itself reached, where the environment has already put the next one in its place."""
        reached = np.array(observations)
        if self.mode == AutoresetMode.SAME_STEP:
            for i in np.flatnonzero(over):
                reached[i] = infos["final_obs"][i]
        return reached

    def clear(self) -> None:
        """Forget the steps so far."""
        self.steps.clear()

    def rollout(self, value, n=None) -> Rollout:
        """The last ``n`` steps (all where None), one row an environment, with the critic ``value``."""
        steps = self.steps if n is None else self.steps[-n:]
        if not steps or (n is not None and len(steps) < n):
            raise PGTheoryError(f"{len(self.steps)} steps were recorded and {n if n is not None else 'some'} are asked for: is the "
                                "wrapper the environment that the agent acts in, and was it not cleared?")
        rewards, terminated, truncated, fresh, valid = (
            np.stack([step[name] for step in steps], axis=1) for name in ("reward", "terminated", "truncated", "fresh", "valid"))
        values, following = (critic_at(value, np.concatenate([step[name] for step in steps])).reshape(len(steps), -1).T
                             for name in ("observation", "reached"))
        return Rollout(rewards, values, following, terminated, truncated, valid, fresh, np.ones(rewards.shape))

    def observation(self, row, step, n):
        """What step ``step`` of the last ``n`` was taken on, in environment ``row``."""
        return self.steps[-n:][step]["observation"][row]
