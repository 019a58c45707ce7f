"""All groups of k out of n trajectories: in every order, or each once with its number of orders where order does not matter.

Most functions of a group take it as a set: their answer does not change with the order. Then n^k groups become
binomial(n + k - 1, k), and groups of 64 can be gone through. Whether order matters is found out by asking.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from math import comb

import numpy as np

CHUNK = 2**15           # rows gone through at once
SHUFFLED = 24           # groups that are asked for in another order


def count(n: int, k: int, unordered: bool) -> int:
    """Number of groups.

    >>> count(3, 64, False) > 10**30, count(3, 64, True)
    (True, 2145)
    """
    return comb(n + k - 1, k) if unordered else n**k


def groups(n: int, k: int, unordered=False) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """((m, k) indices, (m,) orders that each stands for), up to CHUNK rows at a time.

    >>> [(rows.tolist(), ways.tolist()) for rows, ways in groups(2, 2, unordered=True)]
    [([[0, 0], [0, 1], [1, 1]], [1.0, 2.0, 1.0])]
    """
    every = (itertools.combinations_with_replacement(range(n), k) if unordered else itertools.product(range(n), repeat=k))
    while part := list(itertools.islice(every, max(CHUNK // k, 1))):
        rows = np.array(part, dtype=np.intp)
        yield rows, _orders(rows) if unordered else np.ones(len(rows))


def _orders(rows):
    """(m,) k! over the product of the factorials of how often each member occurs; in floats, so up to k = 170."""
    factorial = np.cumprod(np.maximum(np.arange(rows.shape[1] + 1.0), 1.0))
    often = (rows[:, :, None] == np.arange(rows.max() + 1)).sum(axis=1)
    return np.round(factorial[-1] / factorial[often].prod(axis=1))


def shuffled(n: int, k: int):
    """((m, k), (m, k), (m, k)): some groups, the same in another order, and the order (which member stands where)."""
    rng = np.random.default_rng(0)
    rows = rng.integers(n, size=(SHUFFLED, k))
    order = np.stack([rng.permutation(k) for _ in rows])
    order[::2] = np.roll(np.arange(k), 1)       # a cyclic shift moves everybody
    return rows, np.take_along_axis(rows, order, axis=1), order
