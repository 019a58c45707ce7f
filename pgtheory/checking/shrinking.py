"""The smallest record on which a function is still wrong: fewer rows, fewer steps, then plainer numbers."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from .paths import Rollout, next_step

CALLS, SECONDS = 200, 5.0       # given to the user's function; what has been found by then is shown


class _Spent(Exception):
    """All calls are used up."""


class Shrinker:
    """Makes a failing record smaller while ``fails(record)`` stays true.

    fails : record -> bool; episodes : bool, a row is one episode: it ends, and values[t+1] is next_values[t] whatever happens
    """

    def __init__(self, fails, episodes):
        self.fails, self.episodes, self.calls, self.start = fails, episodes, 0, time.monotonic()

    def shrink(self, record: Rollout, row: int) -> Rollout | None:
        """The smallest one found that has the row, or None where the failure does not survive the first cut."""
        best = None
        try:
            best = self._fewer_rows(record, row)
            if best is not None:
                best = self._fewer_steps(best)
                for name in ("rewards", "values", "next_values", "ratios"):
                    best = self._plainer(best, name)
        except _Spent:
            pass
        return best

    def _still(self, record) -> bool:
        if self.calls >= CALLS or time.monotonic() - self.start > SECONDS:
            raise _Spent
        self.calls += 1
        return self.fails(record)

    def _fewer_rows(self, record, row):
        T = record.rewards.shape[1]
        others = [other for other in range(len(record.rewards)) if other != row]
        for rows in [[row], *([row, other] for other in others)]:
            smaller = record.part(rows, 0, T)
            if self._still(smaller):
                return smaller
        return None

    def _fewer_steps(self, record):
        T = record.rewards.shape[1]
        everything = range(len(record.rewards))
        for length in range(1, T):
            for first in range(T - length + 1):
                smaller = record.part(everything, first, first + length)
                if self._allowed(smaller) and self._still(smaller):
                    return smaller
        return record

    def _allowed(self, record) -> bool:
        """A row begins with a step; where rows are whole episodes, they end."""
        return bool(record.valid[:, 0].all()) and (not self.episodes or bool(record.done.any(axis=1).all()))

    def _plainer(self, record, name):
        for n, t in np.ndindex(record.rewards.shape):
            old = getattr(record, name)[n, t]
            plain = (1.0,) if name == "ratios" else (0.0, 1.0)
            for number in (*plain, float(np.round(old, 1))):
                if number == old:
                    break
                numbers = getattr(record, name).copy()
                numbers[n, t] = number
                smaller = self._linked(replace(record, **{name: numbers}))
                if getattr(smaller, name)[n, t] == number and self._still(smaller):
                    record = smaller
                    break
        return record

    def _linked(self, record):
        """next_values made the value of the next step wherever it is that."""
        following = next_step(record.valid)
        ahead = np.take_along_axis(np.pad(record.values, ((0, 0), (0, 1))), following, axis=1)
        inside = following < record.rewards.shape[1]
        if not self.episodes:
            inside = inside & ~record.done & record.valid
        elif record.rewards.shape[1] > 1:
            ahead = np.concatenate([record.values[:, 1:], record.next_values[:, -1:]], axis=1)
            inside = np.ones_like(inside)
        return replace(record, next_values=np.where(inside, ahead, record.next_values))
