"""All groups of k trajectories of a problem, with their probabilities, and the batch that a function of weights is given."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from ..errors import PGTheoryError
from ..mdp import MDP
from ..policies import SoftmaxPolicy
from ..trajectories.batch import Trajectory
from ..validation import read_only
from . import tuples
from .fixtures import Fixture, fixture_of, generic_fixtures

ROWS = 10**6            # rows that one problem may ask for
PLENTY = 150_000        # rows after which no further problem is asked
# two live states throughout: with one the gradient has one direction, and nothing could turn it; the end comes last
FULL = np.ones((2, 2, 3))
ZIGZAG = np.array([[[0, 0, 1], [0, 1, 1]], [[0, 0, 1], [1, 0, 1]]])     # leave, or go on to the other state if one can
LADDER = np.array([[[0, 0, 1], [0, 1, 0]], [[0, 0, 1], [1, 0, 0]]])     # leave, or go on
# by group size: which transitions there are (live state, action, next state), and the horizon
STRUCTURES = {2: (FULL, 3), 3: (ZIGZAG, 6), 4: (ZIGZAG, 4), 5: (ZIGZAG, 3), 6: (LADDER, 3), 7: (LADDER, 3), 8: (LADDER, 2),
              9: (LADDER, 2)}
FORK = np.array([[[0, 0, 1], [0, 1, 0]], [[0, 0, 1], [1, 0, 1]]])       # leave, or go on; from the second state one may leave too
# where order does not matter: the first of these that has few enough groups
UNORDERED = ((FULL, 3), (FULL, 2), (ZIGZAG, 4), (ZIGZAG, 3), (FORK, 3), (FORK, 2), (LADDER, 2))
LARGEST = 64            # group size
MANY, FEW = 4500, 1500  # groups at most, asked for together and one by one
GOES_ON = 3.0           # how much likelier it is to stay than to end, so that lengths vary


@dataclass(frozen=True, eq=False)
class Groups:
    """Every group of ``size`` trajectories of a fixture.

    rows : (G, size) int, which rows of the fixture's batch are its members; probability : (G,), sums to 1
    unordered : bool, every group stands for itself in all orders
    """

    fixture: Fixture
    rows: np.ndarray
    probability: np.ndarray
    unordered: bool = False

    @property
    def size(self) -> int:
        return self.rows.shape[1]

    def batch(self, chosen=slice(None)) -> GroupBatch:
        """What a function is given: the rows of some groups, group by group."""
        return GroupBatch(self.fixture, self.rows[chosen])


def enumerate_groups(fixture: Fixture, size: int, same_start: bool, unordered=False) -> Groups:
    """All groups, in every order or each once; with ``same_start`` the members share the start state, which is drawn once.

    >>> import pgtheory as pg
    >>> fixture = fixture_of(pg.models.load("bandit"), pg.SoftmaxPolicy(2, 2), [[0.0, 0.0]] * 2, 1)
    >>> groups = enumerate_groups(fixture, 2, True)
    >>> groups.rows.tolist(), groups.probability.tolist()
    ([[0, 0], [0, 1], [1, 0], [1, 1]], [0.25, 0.25, 0.25, 0.25])
    >>> groups = enumerate_groups(fixture, 2, True, unordered=True)
    >>> groups.rows.tolist(), groups.probability.tolist()
    ([[0, 0], [0, 1], [1, 1]], [0.25, 0.5, 0.25])
    """
    probability, found = np.asarray(fixture.batch.probability, dtype=float), pools(fixture, same_start)
    rows_in_all = counted(found, size, unordered) * size
    if rows_in_all > ROWS:
        raise PGTheoryError(f"there are {rows_in_all} rows in all groups of {size} trajectories, more than the limit of {ROWS}: "
                            "take a smaller group_size")
    rows, weights = [], []
    for pool in found:
        share = probability[pool].sum()
        for chosen, ways in tuples.groups(len(pool), size, unordered):
            rows.append(pool[chosen])
            weights.append(share * ways * (probability[rows[-1]] / share).prod(axis=1))
    return Groups(fixture, read_only(np.concatenate(rows)), read_only(np.concatenate(weights)), unordered)


def pools(fixture, same_start):
    """Which trajectories may be in one group."""
    states = fixture.batch.states[:, 0] if same_start else np.zeros(len(fixture.batch), dtype=int)
    return [np.flatnonzero(states == s) for s in np.unique(states)]


def counted(pools, size, unordered) -> int:
    """Number of groups with all members from one pool."""
    return sum(tuples.count(len(pool), size, unordered) for pool in pools)


@lru_cache(maxsize=32)
def group_problems(size: int, gamma: float, critic: str, same_start: bool, at_most: int | None = None) -> tuple[Groups, ...]:
    """The built-in problems for groups, as many as stay within a row count that is gone through in a second.

    at_most : int, groups of the first problem where their order does not matter; None where it does

    >>> [[len(groups.rows) for groups in group_problems(size, 1.0, "exact", True)] for size in (1, 3, 8)]
    [[5442, 5442, 5442], [4394, 4394, 4394], [13122]]
    >>> [len(group_problems(size, 1.0, "exact", True, MANY)[0].rows) for size in (4, 8, 16, 64)]
    [990, 1782, 1938, 4290]
    """
    if at_most is None and size > 1 and size not in STRUCTURES:
        raise PGTheoryError(f"group_size is {size}, and the weights change with the order of a group: the smallest problem with two "
                            f"lengths has 3 trajectories, so {3**size} groups, {3**size * size} rows, would be gone through; such "
                            f"groups of up to {max(STRUCTURES)} are, and of {LARGEST} where order does not matter")
    if size > LARGEST:
        raise PGTheoryError(f"group_size is {size}: groups of up to {LARGEST} are gone through")
    problems: list[Groups] = []
    for seed, fixture in enumerate(generic_fixtures(1, critic=critic)):
        problem = problem_for(seed, fixture, size, gamma, critic, *_structure(seed, fixture, size, gamma, critic, same_start, at_most))
        problems.append(enumerate_groups(problem, size, same_start, at_most is not None))
        if problems[0].rows.size * (len(problems) + 1) > PLENTY:
            break
    return tuple(problems)


def _structure(seed, fixture, size, gamma, critic, same_start, at_most):
    """(transitions, horizon) of the problems for this size."""
    if at_most is None:
        return STRUCTURES.get(size, (FULL, 3))
    return next((shape for shape in UNORDERED
                 if counted(pools(problem_for(seed, fixture, size, gamma, critic, *shape), same_start), size, True) <= at_most),
                UNORDERED[-1])


def problem_for(seed, fixture, size, gamma, critic, allowed, horizon) -> Fixture:
    """The built-in problem with this gamma; for groups a smaller one, with two live states and a start in each."""
    values = fixture.critic if critic == "random" else None
    if size == 1:
        mdp = MDP(fixture.mdp.P, fixture.mdp.R, gamma, fixture.mdp.rho)
        return fixture_of(mdp, fixture.policy, fixture.theta, fixture.horizon, None, values, name=fixture.name, generic=True)
    rng = np.random.default_rng([2027, seed, size])
    P, R = np.zeros((2, 3, 2, 3))
    P[:2] = allowed * rng.uniform(0.2, 1.0, size=(2, 2, 3)) * [GOES_ON, GOES_ON, 1.0]
    P[2, :, 2] = 1.0
    R[:2] = 1.5 * rng.normal(size=(2, 2, 3)) + 0.5
    values = 2 * rng.normal(size=(horizon + 1, 3)) if critic == "random" else None
    theta = 0.7 * rng.normal(size=(3, 2)) + [-0.5, 0.5]
    return fixture_of(MDP(P, R, gamma, [0.4, 0.6, 0.0], normalize=True), SoftmaxPolicy(3, 2), theta, horizon, None, values,
                      name=fixture.name, generic=True)


COPIED = ("states", "actions", "rewards", "valid", "terminated", "truncated", "values", "next_values")


class GroupBatch:
    """N rows, one episode each; group (N,) says which share a group. 0 where ``valid`` is False.

    states : (N, T+1) int; actions : (N, T) int; rewards : (N, T) reward units
    valid : (N, T) bool; terminated, truncated : (N, T) bool, how the episode ended
    values, next_values : (N, T) the critic at s_t and at the state reached; log_probs : (N, T) log pi(a_t | s_t)
    group : (N,) int; gamma : discount; mdp, policy, theta : the problem; horizon : its steps
    fixture, rows : where it comes from, for the known bugs; read : "gamma" once the function has asked for it
    """

    def __init__(self, fixture: Fixture, rows):
        batch = fixture.batch
        self.fixture, self.rows, self.read = fixture, rows, set[str]()
        self.states, self.actions, self.rewards, self.valid, self.terminated, self.truncated, self.values, self.next_values = (
            np.array(getattr(batch, name)[rows.reshape(-1)]) for name in COPIED)
        self.group = np.repeat(np.arange(len(rows)), rows.shape[1])
        self.policy, self.theta, self.horizon = fixture.policy, fixture.theta, fixture.horizon

    @property
    def gamma(self):
        """The discount; whoever asks is given one below 1."""
        self.read.add("gamma")
        return self.fixture.gamma

    @property
    def mdp(self):
        """The model, and with it the discount."""
        self.read.add("gamma")
        return self.fixture.mdp

    @cached_property
    def log_probs(self):
        """(N, T) log pi(a_t | s_t); 0 after the end."""
        return np.where(self.valid, np.log(self.fixture.pi[self.states[:, :-1], self.actions]), 0.0)

    def __len__(self):
        return self.rows.size

    def __getitem__(self, n) -> Trajectory:
        return self.fixture.batch[int(self.rows.reshape(-1)[n])]

    def __iter__(self):
        return (self[n] for n in range(len(self)))

    def changed(self) -> str | None:
        """The name of a field that is no longer what it was, or None."""
        batch, rows = self.fixture.batch, self.rows.reshape(-1)
        return next((name for name in COPIED if not np.array_equal(getattr(self, name), getattr(batch, name)[rows])), None)
