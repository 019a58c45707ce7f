r"""Simulated gradients of long runs in bounded memory: chunks of trajectories come and go, sums stay.

Reward-to-go has a path of its own. Trajectories walk side by side through joint alias tables of (a, s'), one uniform number
a step; on the way back :math:`\gamma^t G_t` is added up by state and action, and the score is applied once, to the sums.
"""

from __future__ import annotations

import sys
import time
from typing import NamedTuple

import numpy as np
import scipy.sparse

from .errors import NotExactError, PGTheoryError, UndefinedError
from .estimators import Gpomdp, RewardToGo
from .estimators.base import require_estimator
from .horizon import check_horizon
from .trajectories.batch import common_problem, sample
from .trajectories.sampling import ChainSampler
from .trajectories.scores import contract_scores
from .validation import whole_number

GROUPS = 64            # independent groups whose means give the standard error of the fast path
LARGEST_TABLE = 2**22  # (s, a) sums of all groups
WIDTH = 2**14          # trajectories that walk side by side
STEPS = 2**21          # steps held at once
FEW = 2**12            # below this many trajectories each estimate is looked at
PATIENCE = 2.0         # seconds before a progress bar appears on a terminal


class SimulationInterrupted(KeyboardInterrupt):
    """Ctrl-C during :func:`simulate_gradient`, with what had been simulated: whole chunks of trajectories, none in part.

    n : int, trajectories done
    result : SimulatedGradient of these, or None where they are too few for a standard error

    The generator that was passed as ``rng`` stands behind the draws that were made: passed again, it goes on with new ones.

    >>> from pgtheory.streaming import SimulationInterrupted
    >>> print(SimulationInterrupted(2000, 10**6, None))
    interrupted after 2000 of 1000000 trajectories
    """

    def __init__(self, n, wanted, result):
        kept = ": the exception's result holds their mean and its standard error" if result is not None else ""
        super().__init__(f"interrupted after {n} of {wanted} trajectories{kept}")
        self.n, self.result = n, result


class SimulatedGradient(NamedTuple):
    """mean : theta's shape, reward units per unit of theta; standard_error : of the mean, entry by entry."""

    mean: np.ndarray
    standard_error: np.ndarray


def simulate_gradient(estimator, mdp, policy, theta, n, horizon, rng=0) -> SimulatedGradient:
    r"""Mean of ``estimator`` over ``n`` sampled trajectories and its standard error; nothing of size n is kept.

    Parameters
    ----------
    estimator : one of ``pg.estimators`` or any function (batch, policy, theta, gamma) -> (N,) + shape
    mdp, policy, theta : the problem, in floats
    n : int >= 2, number of trajectories
    horizon : int, or None for episodes that end by themselves
    rng : Generator or seed

    Raises
    ------
    SimulationInterrupted
        Ctrl-C; a KeyboardInterrupt that holds the mean and the standard error of what had been done.

    Notes
    -----
    The standard error is that of single estimates, or, for long runs of reward-to-go, that of G = 64 groups (at least 8, where
    S A is large). With sums X_g over c_g trajectories and the mean m, the square of the latter is
    :math:`\sum_g (X_g - c_g m)^2 / c_g / (n (G - 1))`. Its expectation is exactly the variance of the mean, whatever the c_g,
    since :math:`E \sum_g X_g^2 / c_g - n E m^2 = (G - 1) \sigma^2`; its own relative error is about
    :math:`1 / \sqrt{2 (G - 1)}`, 9 %. Intervals that must be covered take the quantiles of Student's t with G - 1 degrees of
    freedom, groups of 64 and more trajectories being nearly normal.

    Estimators that couple the trajectories of a batch, such as leave-one-out, see one chunk at a time. A progress bar appears
    on a terminal after two seconds.

    Examples
    --------
    >>> import pgtheory as pg
    >>> bandit = pg.MDP([[[0, 1], [0, 1]], [[0, 1], [0, 1]]], [[1.0, 0.0], [0.0, 0.0]], 1.0, 0)
    >>> policy, estimator = pg.SoftmaxPolicy(2, 2), pg.estimators.RewardToGo()
    >>> result = pg.simulate_gradient(estimator, bandit, policy, [[0.0, 0.0]] * 2, 10_000, horizon=1)
    >>> bool(abs(result.mean[0, 0] - 0.25) < 6 * result.standard_error[0, 0] < 0.02)
    True
    """
    require_estimator(estimator)
    mdp, theta, pi, arithmetic = common_problem(mdp, policy, theta)
    if arithmetic.exact or theta.dtype.kind != "f":
        raise NotExactError("simulation draws floats: pass model and theta in floats, or ask pg.moments for exact numbers")
    n, rng = whole_number(n, "n", PGTheoryError, 2), np.random.default_rng(rng)
    horizon = None if horizon is None else check_horizon(horizon)
    if type(estimator) in (RewardToGo, Gpomdp) and horizon is not None and n >= FEW:
        return _by_sums(estimator, mdp, policy, theta, pi, n, horizon, rng)
    return _one_by_one(estimator, mdp, policy, theta, pi, n, horizon, rng)


def _one_by_one(estimator, mdp, policy, theta, pi, n, horizon, rng):
    """Chunks of estimates, merged by their counts, means and squared deviations (Chan, Golub, LeVeque 1983)."""
    chunk = max(2, min(n, STEPS // (8 * max(horizon or 64, theta.size))))
    parts = -(-n // chunk)
    state = 0, np.zeros(policy.shape), np.zeros(policy.shape)      # replaced as a whole, so that no interruption splits it
    try:
        with _Progress(n) as progress:
            for part in range(parts):
                size = (n * (part + 1)) // parts - (n * part) // parts
                batch = sample(mdp, pi, size, horizon, rng=rng)
                estimates = np.asarray(estimator(batch, policy, theta, mdp.gamma))
                if estimates.shape != (size, *policy.shape):
                    raise PGTheoryError(f"the estimator returned shape {estimates.shape}: it must be {(size, *policy.shape)}")
                state = _merged(state, estimates)
                progress.show(state[0])
    except KeyboardInterrupt:
        raise SimulationInterrupted(state[0], n, _of_squares(*state) if state[0] > 1 else None) from None
    _require_finite(state[1])
    return _of_squares(*state)


def _merged(state, estimates):
    """(count, mean, squared deviations) with more estimates."""
    done, mean, squares = state
    here, size = estimates.mean(axis=0), len(estimates)
    shift, total = here - mean, done + size
    squares = squares + ((estimates - here) ** 2).sum(axis=0) + shift**2 * (done * size / total)
    return total, mean + shift * (size / total), squares


def _of_squares(n, mean, squares):
    return SimulatedGradient(mean, np.sqrt(squares / (n - 1) / n))


def _by_sums(estimator, mdp, policy, theta, pi, n, horizon, rng):
    """Reward-to-go through (s, a) sums of groups of trajectories."""
    walk = _Walk(ChainSampler(mdp, pi), horizon, float(mdp.gamma), estimator.gamma_weighting)
    cells = pi.size
    groups = int(np.clip(LARGEST_TABLE // cells, 8, GROUPS))
    width = min(WIDTH, max(groups, STEPS // horizon)) // groups * groups
    table = np.zeros(groups * cells + 1)       # and the number of trajectories: one addition, which no interruption splits
    try:
        with _Progress(n) as progress:
            for start in range(0, n, width):
                size = min(width, n - start)
                chunk = np.zeros_like(table)
                walk.add(chunk, np.arange(size) % groups * cells, rng)
                chunk[-1] = size
                table += chunk
                progress.show(start + size)
    except KeyboardInterrupt:
        done = int(table[-1])
        kept = _of_groups(policy, theta, table, groups, width, pi.shape) if done >= groups else None
        raise SimulationInterrupted(done, n, kept) from None
    found = _of_groups(policy, theta, table, groups, width, pi.shape)
    _require_finite(found.mean)
    return found


def _of_groups(policy, theta, table, groups, width, shape):
    """Mean and standard error from the sums of the groups; chunks of ``width`` trajectories, the last one shorter."""
    n = int(table[-1])
    sums = contract_scores(policy, theta, table[:-1].reshape(groups, *shape))
    counts = np.full(groups, width // groups) * (n // width)
    counts += np.bincount(np.arange(n % width) % groups, minlength=groups)
    mean = sums.sum(axis=0) / n
    off = sums - mean * counts.reshape((-1,) + (1,) * mean.ndim)
    return SimulatedGradient(mean, np.sqrt(np.tensordot(1 / counts, off**2, axes=1) / (n * (groups - 1))))


class _Walk:
    """Trajectories side by side, forwards through alias tables and backwards through their rewards.

    Slot j of the alias tables has two outcomes, 2 j (itself) and 2 j + 1 (its alias); every table below is indexed by that
    place, so that an outcome is found by one comparison and no further choice.
    """

    def __init__(self, chain: ChainSampler, horizon: int, gamma: float, weighting: bool):
        self.chain, self.horizon, self.gamma, self.weighting = chain, horizon, gamma, weighting
        cut, alias = chain.slots
        both = np.stack([np.arange(len(cut)), alias], axis=1).reshape(-1)
        counts, cells = np.diff(chain.offsets), chain.states * chain.mdp.n_actions + chain.actions
        self.cut = cut
        self.first, self.cell = chain.offsets[chain.next_states[both]], cells[both]
        self.count = counts.astype(float)[chain.next_states[both]] if np.ptp(counts) else None
        self.width = float(counts[0])
        self.by_cell = chain.mdp.R.ndim < 3 and not scipy.sparse.issparse(chain.mdp.R)
        self.reward = chain.mdp.r.reshape(-1) if self.by_cell else chain.rewards[both]

    def add(self, table, group, rng):
        """Walk len(group) trajectories and add the weights of their steps to table[group + cell]."""
        self._backward(self._forward(len(group), rng), table, group)

    def _forward(self, n, rng):
        """(T, n) outcomes."""
        history = np.empty((self.horizon, n), dtype=np.intp)
        x, cut, beyond = np.empty(n), np.empty(n), np.empty(n, dtype=bool)
        states = self.chain.start(n, rng)
        first = self.chain.offsets[states]
        count = self.width if self.count is None else np.diff(self.chain.offsets)[states].astype(float)
        for place in history:
            rng.random(out=x)
            x *= count                         # below the count even after rounding
            np.copyto(place, x, casting="unsafe")
            place += first
            self.cut.take(place, out=cut, mode="clip")
            np.greater_equal(x, cut, out=beyond)
            place <<= 1
            place += beyond
            self.first.take(place, out=first, mode="clip")
            if self.count is not None:
                self.count.take(place, out=count, mode="clip")
        return history

    def _backward(self, history, table, group):
        n = history.shape[1]
        after, reward, cell = np.zeros(n), np.empty(n), np.empty(n, dtype=np.intp)
        for t in range(self.horizon - 1, -1, -1):
            self.cell.take(history[t], out=cell, mode="clip")
            self.reward.take(cell if self.by_cell else history[t], out=reward, mode="clip")
            if self.weighting:
                reward *= self.gamma**t
            else:
                after *= self.gamma
            after += reward
            cell += group
            np.add.at(table, cell, after)


def _require_finite(mean):
    if not np.isfinite(mean).all():
        raise UndefinedError("the simulated mean is not finite: rewards or importance weights overflow")


class _Progress:
    """A bar on a terminal, for what takes longer than a moment."""

    def __init__(self, total):
        self.total, self.since, self.bar = total, time.monotonic(), None

    def __enter__(self):
        return self

    def show(self, done):
        if self.bar is None and time.monotonic() - self.since > PATIENCE and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress

            self.bar = Progress(console=Console(stderr=True), transient=True)
            self.bar.start()
            self.task = self.bar.add_task("trajectories", total=self.total)
        if self.bar is not None:
            self.bar.update(self.task, completed=done)

    def __exit__(self, *_):
        if self.bar is not None:
            self.bar.stop()
