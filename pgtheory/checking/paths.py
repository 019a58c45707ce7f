"""Records of steps to try a function on: what a rollout is, and random ones that hide nothing.

The numbers come from no model: a recursion over rewards and values is right or wrong for any of them. The critic is random,
its value at terminal states is not 0, episodes have uneven lengths and end in either way, and the state that a step reached
and the state after the reset have different values. Where ``valid`` is False the numbers mean nothing, and are not small.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

BOOTSTRAP, AS_TERMINATION, ABSENT = "bootstrap", "as_termination", "absent"
RUNNING, TERMINATED, TRUNCATED = range(3)
ROWS, STEPS = 12, 9
LENGTHS = (9, 9, 1, 1, 4, 5, 8, 7, 2, 3, 6, 6)     # of the rows of one episode; even rows terminate, odd ones meet the time limit


@dataclass(frozen=True, eq=False)
class Rollout:
    """N rows of T steps, with several episodes a row and automatic resets.

    rewards : (N, T) reward units
    values : (N, T) the critic at the state that step t was taken in
    next_values : (N, T) the critic at the state that step t reached; at a boundary that is not values[n, t+1], which is the
        critic at the state after the reset
    terminated, truncated : (N, T) bool, how step t ended the episode: for good, or by a time limit; never both
    valid : (N, T) bool, False where the row holds no step: a reset that takes one, or tokens that nobody chose. The step
        before such a hole reached the state of the step after it
    episode_starts : (N, T) bool, step t is the first of its episode, or the hole before it
    ratios : (N, T) pi(a|s) / b(a|s) of the action taken
    """

    rewards: np.ndarray
    values: np.ndarray
    next_values: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    valid: np.ndarray
    episode_starts: np.ndarray
    ratios: np.ndarray

    @property
    def done(self):
        """(N, T) bool: terminated or truncated."""
        return self.terminated | self.truncated

    def part(self, rows, first, last) -> Rollout:
        """Steps first..last-1 of some rows."""
        return Rollout(**{f.name: getattr(self, f.name)[rows, first:last].copy() for f in fields(Rollout)})


def stacked(rollouts) -> Rollout:
    """The rows of several rollouts of as many steps, one under another."""
    return Rollout(**{f.name: np.concatenate([getattr(one, f.name) for one in rollouts]) for f in fields(Rollout)})


class Watched(Rollout):
    """A rollout that remembers in ``read`` which of its fields were looked at."""

    def __getattribute__(self, name):
        if name in Rollout.__dataclass_fields__ or name == "done":
            object.__getattribute__(self, "__dict__").setdefault("read", set()).add(name)
        return object.__getattribute__(self, name)


def rollout(rng, truncation=BOOTSTRAP, holes=False) -> Rollout:
    """A random rollout; the first rows end in every way a row can end in."""
    ends = rng.choice(3, size=(ROWS, STEPS), p=(0.7, 0.15, 0.15))
    ends[:3, -1] = RUNNING, TERMINATED, TRUNCATED
    ends[:2, :-1], ends[2, 3:5] = RUNNING, (TRUNCATED, TERMINATED)
    ends[3, :3] = RUNNING, RUNNING, TRUNCATED
    if truncation == ABSENT:
        ends[ends == TRUNCATED] = RUNNING
    valid = np.ones(ends.shape, dtype=bool)
    if holes:
        valid[:, 1:] = rng.random((ROWS, STEPS - 1)) > 0.25
        valid[3, 1:4] = False, True, False      # a hole inside an episode, and one after its time limit
    return _filled(rng, np.where(valid, ends, RUNNING), valid, _starts(ends, valid, rng))


def _starts(ends, valid, rng):
    """The first step after an end, and every hole before it; a row may begin in the middle of an episode."""
    starts = np.zeros(ends.shape, dtype=bool)
    fresh = rng.random(len(ends)) < 0.5
    for t in range(ends.shape[1]):
        starts[:, t] = fresh
        fresh = np.where(valid[:, t], ends[:, t] != RUNNING, fresh)
    return starts


def _filled(rng, ends, valid, starts):
    """Numbers for the rewards and the critic; next_values is the value of the next step where the episode goes on."""
    values, noise = rng.normal(size=(2, *ends.shape))
    following = next_step(valid)
    ahead = np.take_along_axis(np.pad(values, ((0, 0), (0, 1))), following, axis=1)
    goes_on = (ends == RUNNING) & (following < ends.shape[1]) & valid
    return Rollout(rewards=rng.normal(size=ends.shape) + 0.5, values=values, next_values=np.where(goes_on, ahead, noise),
                   terminated=ends == TERMINATED, truncated=ends == TRUNCATED, valid=valid, episode_starts=starts,
                   ratios=np.exp(0.7 * rng.normal(size=ends.shape)))


def next_step(valid):
    """(N, T) index of the next valid step of the row, T where there is none.

    >>> next_step(np.array([[True, False, True]]))
    array([[2, 2, 3]])
    """
    N, T = valid.shape
    out, ahead = np.empty((N, T), dtype=int), np.full(N, T)
    for t in reversed(range(T)):
        out[:, t] = ahead
        ahead = np.where(valid[:, t], t, ahead)
    return out


def episodes(rng, truncation=BOOTSTRAP) -> Rollout:
    """One episode a row, values[n, t+1] everywhere the critic at the state reached; anything after its end.

    Every episode ends, half of them by a time limit where there is one.
    """
    lengths = np.array(LENGTHS)
    limit = (np.arange(ROWS) % 2 == 1) & (truncation != ABSENT)
    step = np.arange(STEPS)
    last = step == lengths[:, None] - 1
    numbers = rng.normal(size=(2, ROWS, STEPS + 1))
    valid = step < lengths[:, None]
    return Rollout(rewards=numbers[0, :, :-1] + 0.5, values=numbers[1, :, :-1], next_values=numbers[1, :, 1:],
                   terminated=last & ~limit[:, None], truncated=last & limit[:, None], valid=valid,
                   episode_starts=np.broadcast_to(step == 0, valid.shape).copy(), ratios=np.ones(valid.shape))


def as_arrays(r: Rollout):
    """What a function of the form "arrays" is given: rewards, values (N, T+1), terminated, truncated."""
    values = np.concatenate([r.values, r.next_values[:, -1:]], axis=1)
    return r.rewards.copy(), values, r.terminated.copy(), r.truncated.copy()


def from_arrays(rewards, values, terminated, truncated) -> Rollout:
    """One episode a row as a rollout, valid up to its end.

    >>> from_arrays(np.ones((1, 2)), np.zeros((1, 3)), np.array([[True, False]]), np.zeros((1, 2), dtype=bool)).valid
    array([[ True, False]])
    """
    done = terminated | truncated
    return Rollout(rewards, values[:, :-1], values[:, 1:], terminated, truncated, valid=np.cumsum(done, axis=1) - done == 0,
                   episode_starts=np.arange(rewards.shape[1]) == np.zeros((len(rewards), 1)), ratios=np.ones(rewards.shape))
