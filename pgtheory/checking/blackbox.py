"""Functions that own their sampling: they are given a model to act in and a generator, and hand back estimates.

Nothing of theirs can be enumerated, so what is found is found by draws: see :mod:`.sampled`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import EstimatorError, PGTheoryError, UndefinedError
from ..mdp import MDP
from ..solution import policy_gradient, solve
from ..validation import read_only
from .fixtures import Fixture
from .targets import Target

ENOUGH = 4096       # draws in one look at most: a black box may be slow


class Simulator:
    """A model to be acted in, by the calls that Gymnasium has; it needs no Gymnasium.

    ``reset(seed=None) -> (state, {})``; ``step(action) -> (state, reward, terminated, False, {})``. An episode is over
    in a terminal state, and after ``horizon`` steps where there is a horizon: the problem itself ends there, so that is a
    termination.

    mdp : MDP; gamma : its discount; horizon : int, or None

    >>> import pgtheory as pg
    >>> env = Simulator(pg.models.load("short-corridor"), 2, np.random.default_rng(0))
    >>> env.reset()[0], env.step(1)[:3], env.step(0)[:3]
    (0, (1, -1.0, False), (2, -1.0, True))
    """

    def __init__(self, mdp: MDP, horizon: int | None, rng):
        self.mdp, self.gamma, self.horizon = mdp, float(mdp.gamma), horizon
        self._rng, self._state, self._steps = rng, None, 0
        self._start = np.cumsum(np.asarray(mdp.rho, dtype=float))
        self._onward = np.cumsum(np.asarray(mdp.P, dtype=float), axis=-1)
        self._terminal = mdp.terminal

    def reset(self, *, seed=None, options=None):
        """A start state."""
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        self._state, self._steps = self._drawn(self._start), 0
        return self._state, {}

    def step(self, action):
        """What Gymnasium's ``step`` returns."""
        if self._state is None:
            raise PGTheoryError("the episode is over, or none has begun: call reset")
        before, after = self._state, self._drawn(self._onward[self._state, action])
        self._steps += 1
        over = bool(self._terminal[after]) or self._steps == self.horizon
        self._state = None if over else after
        return after, float(self.mdp.R[before, action, after]), over, False, {}

    def _drawn(self, cumulative):
        return int(np.searchsorted(cumulative, self._rng.random() * cumulative[-1], side="right"))


class BlackBox:
    """A function (env, policy, theta, rng) -> (n,) + theta's shape on one problem; what it draws is kept until it is used."""

    def __init__(self, fn, fixture: Fixture, horizon: int | None, rng):
        self.fn, self.fixture, self.horizon = fn, fixture, horizon
        self.theta = read_only(np.array(fixture.theta, dtype=float))
        self.kept = np.zeros((0, self.theta.size))
        self.notes = self._notes(int(rng.integers(2**32)))

    def ask(self, rng):
        """(n, size) estimates of one call."""
        own, theirs = rng.spawn(2)
        env = Simulator(self.fixture.mdp, self.horizon, theirs)
        try:
            answer = self.fn(env, self.fixture.policy, self.theta, own)
        except Exception as error:
            if "read-only" in str(error):
                raise EstimatorError("your function writes into theta: work on a copy") from error
            raise EstimatorError(f"your function raised {type(error).__name__}: {' '.join(str(error).split())}; on "
                                 f"{self.fixture.name}") from error
        return self._checked(answer)

    def _checked(self, answer):
        if answer is None:
            raise EstimatorError("your function returned None: return one estimate of theta's shape, or (n,) + theta's shape")
        for method in ("detach", "cpu"):
            answer = getattr(answer, method)() if hasattr(answer, method) else answer
        try:
            array = np.asarray(answer, dtype=float)
        except (TypeError, ValueError):
            raise EstimatorError("what your function returned is no array of numbers") from None
        shape = self.theta.shape
        array = array[None] if array.shape == shape else array
        if array.shape[1:] != shape or not len(array):
            raise EstimatorError(f"what your function returned has shape {array.shape}: it must be theta's, {shape}, or (n,) + "
                                 "theta's, n independent estimates")
        if not np.isfinite(array).all():
            raise EstimatorError(f"your function returned {array[~np.isfinite(array)][0]} on {self.fixture.name}")
        return array.reshape(len(array), -1)

    def draw(self, n, rng):
        """(n, size) draws."""
        while len(self.kept) < n:
            self.kept = np.concatenate([self.kept, *self._more(n - len(self.kept), rng)])
        drawn, self.kept = self.kept[:n], self.kept[n:]
        return drawn

    def _more(self, n, rng):
        found, missing = [], n
        while missing > 0:
            found.append(self.ask(rng))
            missing -= len(found[-1])
        return found

    def _notes(self, seed) -> dict[str, str]:
        """What its answers say about where its random numbers come from."""
        first, again, other = (self.ask(np.random.default_rng(x)) for x in (seed, seed, seed + 1))
        if not _same(first, again):
            return {"seed": "it draws from elsewhere than rng and env: this run cannot be repeated"}
        if _same(first, other):
            return {"seed": "its answer does not change with rng: does it seed itself? One draw seen many times shows nothing"}
        return {}


def _same(a, b) -> bool:
    return a.shape == b.shape and bool(np.all(a == b))


def mean_without_horizon(target: Target, fixture: Fixture):
    """theta's shape: what a function should average whose episodes go on until they end."""
    if target.name.strip() in ("", "gradient"):
        return policy_gradient(fixture.mdp, fixture.policy, fixture.theta)
    if target.name == "given":
        return target.value(fixture)
    if target.name in ("without gamma^t", "gradient without gamma^t"):
        try:
            visits = solve(replace_gamma(fixture.mdp), fixture.pi).d
        except UndefinedError as error:
            raise PGTheoryError(f"target {target.name!r} without a horizon: {error}") from error
        return fixture.policy.pullback(fixture.theta, visits[:, None] * solve(fixture.mdp, fixture.pi).Q)
    raise PGTheoryError(f"target {target.name!r} is about a number of steps: give a horizon, or declare 'gradient', 'without "
                        "gamma^t', a function or an array")


def replace_gamma(mdp: MDP) -> MDP:
    """The same model without a discount."""
    return MDP(mdp.P, mdp.R, 1, mdp.rho)


def with_target(fixture: Fixture, target: Target, horizon: int | None) -> Target:
    """The target as a number, where it needs no horizon."""
    if horizon is not None:
        return target
    value = np.asarray(mean_without_horizon(target, fixture), dtype=float)
    return replace(target, value=lambda f: value, words=f"{target.words}, until the episode ends")
