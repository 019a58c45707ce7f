"""Problems to check estimators on: small enough to enumerate, generic enough to hide nothing.

Three live states and an end, two actions, gamma 0.8, four steps; every transition, every reward (of s, a and s') and the
start are random, every step may be the last. What vanishes on symmetric problems (gamma = 1, constant rewards, equal
lengths, a uniform policy, ...) does not vanish here. Estimators that couple k trajectories need all k-tuples, so their
problems are smaller.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np

from ..errors import PGTheoryError
from ..mdp import MDP
from ..policies import Policy, SoftmaxPolicy
from ..solution import solve
from ..trajectories.batch import TrajectoryBatch, common_problem
from ..trajectories.enumeration import enumerate_trajectories
from ..validation import read_only

N_FIXTURES = 3
GAMMA = 0.8
SHAPES = {      # batch size: (name of the structure below, horizon at most, number of start states)
    1: ("three states", 4, 3), 2: ("two states", 2, 2), 3: ("two states, narrow", 2, 1), 4: ("two states, narrow", 2, 1),
    5: ("one state", 2, 1), 6: ("stay or leave", 2, 1), 7: ("stay or leave", 2, 1), 8: ("stay or leave", 2, 1)}
UNORDERED = {       # where the order of a batch does not matter, up to this size: larger problems, with two live states
    8: ("two states, narrow", 2, 1), 24: ("two states, fork", 2, 1), 64: ("two states, ladder", 2, 1)}
STRUCTURES = {  # (S, A, S'): which transitions there are; the last state is the end
    "three states": np.ones((3, 2, 4)),
    "two states": np.array([[[1, 1, 0], [0, 1, 1]], [[1, 0, 1], [1, 1, 0]]]),
    "two states, narrow": np.array([[[0, 1, 0], [1, 0, 1]], [[0, 0, 1], [1, 0, 1]]]),
    "two states, fork": np.array([[[0, 0, 1], [0, 1, 0]], [[0, 0, 1], [1, 0, 1]]]),
    "two states, ladder": np.array([[[0, 0, 1], [0, 1, 0]], [[0, 0, 1], [1, 0, 0]]]),
    "one state": np.array([[[0, 1], [1, 1]]]),
    "stay or leave": np.array([[[0, 1], [1, 0]]])}


class RememberingPolicy(SoftmaxPolicy):
    """A softmax policy that keeps its last score: estimators written as loops ask for it at every step."""

    _kept: tuple | None = None

    def score(self, theta):
        """(S, A) + shape, read-only."""
        key = np.asarray(theta).tobytes()
        if self._kept is None or self._kept[0] != key:
            self._kept = key, read_only(super().score(theta))
        return self._kept[1]


@dataclass(frozen=True, eq=False)
class Fixture:
    """One problem that an estimator is checked on.

    mdp, policy, theta : the problem; pi : (S, A) the policy at theta
    behaviour : (S, A) who acts; pi, or another one for estimators from other policies' trajectories
    critic : (S,) or (T+1, S) what is attached to the trajectories as ``values`` and ``next_values``
    horizon : int, where the problem ends; time_limit : int or None, where the record is cut
    generic : bool, one of the library's own
    """

    name: str
    mdp: MDP
    policy: Policy
    theta: np.ndarray
    pi: np.ndarray
    behaviour: np.ndarray
    critic: np.ndarray
    horizon: int
    time_limit: int | None = None
    generic: bool = False

    @property
    def gamma(self):
        return self.mdp.gamma

    @property
    def on_policy(self) -> bool:
        return self.behaviour is self.pi

    @property
    def steps(self) -> int:
        """Steps that a trajectory has at most."""
        return self.horizon if self.time_limit is None else min(self.time_limit, self.horizon)

    @cached_property
    def batch(self) -> TrajectoryBatch:
        """Every trajectory of the behaviour, with its probability and the critic."""
        batch = enumerate_trajectories(self.mdp, self.behaviour, self.horizon, self.time_limit)
        return batch.with_critic(self.critic)

    def with_time_limit(self, steps) -> Fixture:
        """The same problem, recorded for ``steps`` steps only."""
        return replace(self, name=f"{self.name}, time limit {steps}", time_limit=steps)


@lru_cache(maxsize=64)
def generic_fixtures(batch_size=1, horizon=4, off_policy=False, critic="exact", unordered=False) -> tuple[Fixture, ...]:
    """The library's own problems for estimators of ``batch_size`` trajectories.

    off_policy : bool, another policy acts; critic : "exact", the values of pi with the steps left, or "random"
    unordered : bool, the order of a batch does not matter, so that larger problems can be gone through

    >>> [len(fixture.batch) for fixture in generic_fixtures()]
    [5442, 5442, 5442]
    >>> [len(fixture.batch) for fixture in generic_fixtures(batch_size=3)]
    [7, 7, 7]
    """
    structure, most, starts = _shape(batch_size, unordered)
    return tuple(_generic(seed, structure, starts, min(horizon, most), off_policy, critic) for seed in range(N_FIXTURES))


def _shape(batch_size, unordered):
    """(structure, horizon at most, start states) of the problems for batches of this size."""
    if unordered and batch_size > 3:
        for size, shape in UNORDERED.items():
            if batch_size <= size:
                return shape
        raise PGTheoryError(f"batch_size is {batch_size}: the built-in problems serve batches of up to {max(UNORDERED)}")
    if batch_size not in SHAPES:
        raise PGTheoryError(f"batch_size is {batch_size}, and the estimate changes with the order of the batch: the smallest "
                            f"problem with two lengths has 3 trajectories, so {3**batch_size} batches would be gone through; "
                            f"the built-in problems serve such batches up to {max(SHAPES)}, and {max(UNORDERED)} where the "
                            "order does not matter")
    return SHAPES[batch_size]


def _generic(seed, structure, starts, horizon, off_policy, critic) -> Fixture:
    rng = np.random.default_rng([2026, seed])
    mdp = _random_mdp(STRUCTURES[structure], starts, rng)
    shape = mdp.n_states, mdp.n_actions
    policy, theta = RememberingPolicy(*shape), rng.normal(size=shape)
    behaviour = policy.probabilities(theta + rng.normal(size=shape)) if off_policy else None
    drawn = rng.normal(size=(horizon + 1, mdp.n_states)) * 2
    return fixture_of(mdp, policy, theta, horizon, behaviour, drawn if critic == "random" else None,
                      name=f"built-in problem {seed + 1}", generic=True)


def _random_mdp(allowed, starts, rng) -> MDP:
    """A model with the transitions ``allowed`` (S, A, S+1), an end behind the last state, all numbers random."""
    S, A, _ = allowed.shape
    P = np.zeros((S + 1, A, S + 1))
    P[:S] = allowed * rng.uniform(0.2, 1.0, size=allowed.shape)
    P[S, :, S] = 1.0
    R = rng.normal(size=P.shape) * 1.5 + 0.5
    R[S] = 0.0
    rho = np.append(rng.uniform(0.2, 1.0, size=S), 0.0)
    rho[starts:] = 0.0
    return MDP(P, R, GAMMA, rho, normalize=True)


def fixture_of(mdp, policy, theta, horizon, behaviour=None, critic=None, *, name="your problem", generic=False) -> Fixture:
    """A checked problem; ``critic`` None takes the values of pi with the steps left, so that V_T = 0.

    >>> import pgtheory as pg
    >>> bandit = pg.models.load("bandit")
    >>> fixture_of(bandit, pg.SoftmaxPolicy(2, 2), [[0.0, 0.0]] * 2, 1).on_policy
    True
    """
    mdp, theta, pi, _ = common_problem(mdp, policy, theta)
    critic = solve(mdp, pi, horizon=horizon).V if critic is None else critic
    acting = pi if behaviour is None else read_only(np.array(behaviour))
    return Fixture(name, mdp, policy, read_only(np.array(theta)), pi, acting, read_only(np.array(critic)), horizon,
                   generic=generic)


def users_fixture(mdp, policy, theta, horizon, behaviour, rng) -> Fixture:
    """The user's problem; a softmax policy with random parameters where none are given."""
    if not isinstance(mdp, MDP):
        raise PGTheoryError(f"mdp is {type(mdp).__name__}: estimators are checked on an MDP of finitely many states and "
                            "actions; leave it out to use the built-in ones")
    policy = SoftmaxPolicy(mdp.n_states, mdp.n_actions) if policy is None else policy
    theta = np.random.default_rng(rng).normal(size=policy.shape) if theta is None else theta
    return fixture_of(mdp, policy, theta, horizon, behaviour)


# ------------------------------------------------------------------------------------------------ what they hide


def blind_spots(fixtures) -> tuple[str, ...]:
    """What no one of the fixtures can show, in words.

    >>> import pgtheory as pg
    >>> bandit = pg.models.load("bandit")
    >>> spots = blind_spots([fixture_of(bandit, pg.SoftmaxPolicy(2, 2), [[0.0, 0.0]] * 2, 1)])
    >>> spots[0]
    'gamma = 1: mistakes in discounting'
    """
    return tuple(words for words, hides in HIDING if all(hides(fixture) for fixture in fixtures))


def _spread(values) -> bool:
    values = np.asarray(values, dtype=float)
    return bool(np.ptp(values) > 1e-12 * np.abs(values).max(initial=0.0)) if values.size else False


def _lengths(fixture):
    return fixture.batch.valid.sum(axis=1)


def _rewards(fixture):
    return fixture.batch.rewards[fixture.batch.valid]


def _visited(fixture):
    batch = fixture.batch
    return np.unique(batch.states[:, :-1][batch.valid])


def _few_successors(fixture):
    """No (s, a) was followed by two different states."""
    batch = fixture.batch
    steps = np.stack([batch.states[:, :-1], batch.actions, batch.states[:, 1:]])[:, batch.valid]
    return len(np.unique(steps, axis=1).T) == len(np.unique(steps[:2], axis=1).T)


def _same_reward_whatever_follows(fixture):
    batch = fixture.batch
    before = np.stack([batch.states[:, :-1], batch.actions])[:, batch.valid]
    rewards = np.asarray(batch.rewards[batch.valid], dtype=float)
    _, place = np.unique(before, axis=1, return_inverse=True)
    place = place.reshape(-1)
    low, high = np.full(place.max(initial=0) + 1, np.inf), np.full(place.max(initial=0) + 1, -np.inf)
    np.minimum.at(low, place, rewards)
    np.maximum.at(high, place, rewards)
    return bool(np.all(high - low <= 1e-12 * np.abs(rewards).max(initial=0.0)))


def _uniform(fixture):
    return not any(_spread(fixture.pi[s]) for s in _visited(fixture))


def _same_everywhere(fixture):
    rows = np.asarray(fixture.pi[_visited(fixture)], dtype=float)
    return bool(np.all(np.ptp(rows, axis=0) <= 1e-12))


HIDING = (
    ("gamma = 1: mistakes in discounting", lambda f: f.gamma == 1),
    ("gamma = 0: everything after the first step", lambda f: f.gamma == 0),
    ("one step an episode: everything between steps", lambda f: not (_lengths(f) > 1).any()),
    ("constant reward: mistakes in which reward is taken", lambda f: not _spread(_rewards(f))),
    ("rewards do not depend on the next state: rewards one step off", _same_reward_whatever_follows),
    ("all episodes equally long: averages over steps, and masks", lambda f: not _spread(_lengths(f))),
    ("no episode ends before the horizon: termination", lambda f: not f.batch.entered_terminal[:, :f.horizon - 1].any()),
    ("deterministic transitions: mistakes in the next state", _few_successors),
    ("one start state: mistakes in how starts are weighted", lambda f: np.count_nonzero(f.mdp.rho) == 1),
    ("uniform policy: mistakes in probabilities and scores", _uniform),
    ("the policy is the same in every state: mistakes in the state index", _same_everywhere),
    ("constant critic: bootstrapping from the wrong state", lambda f: not _spread(f.critic)),
    ("behaviour = policy: importance ratios are all 1 (target='off-policy' sees them)",
     lambda f: bool(np.array_equal(f.behaviour, f.pi))),
    ("no episode is truncated: time limits (target='gae(0.9)' sees them)", lambda f: not f.batch.truncated.any()),
)
