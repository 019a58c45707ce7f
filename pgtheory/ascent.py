r"""Gradient ascent, :math:`\theta_{k+1} = \theta_k + \alpha_k \hat g_k`, with the exact gradient or an estimator's.

The history holds the exact J and the exact gradient's norm at every theta, whatever was followed, so that learning curves of
different estimators compare.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from .errors import InvalidPolicyError, NotExactError, PGTheoryError, UndefinedError
from .estimators.base import require_estimator
from .horizon import check_horizon
from .policies import DirectPolicy
from .solution import solve
from .trajectories.batch import sample
from .validation import read_only, whole_number


@dataclass(frozen=True, eq=False)
class Ascent:
    """What :func:`pgtheory.gradient_ascent` did; k counts the steps taken.

    theta : (k+1,) + shape
    J : (k+1,) exact objective, reward units
    gradient_norm : (k+1,) Euclidean norm of the exact gradient, reward units per unit of theta
    step_size : (k,) the alpha of each step
    reason : why it stopped: "iterations"; "tolerance"; or "saturated", where the gradient is within the tolerance because
        theta ran so far that some pi(a|s), positive at first, is 0 in floating point: no sign of an optimum
    """

    theta: np.ndarray
    J: np.ndarray
    gradient_norm: np.ndarray
    step_size: np.ndarray
    reason: str

    def __repr__(self):
        return f"Ascent({len(self.J) - 1} steps, J {self.J[0]:.6g} -> {self.J[-1]:.6g}, stopped by {self.reason})"


def gradient_ascent(mdp, policy, theta, step, iterations, estimator=None, n=1, horizon=None, rng=0, tolerance=0.0) -> Ascent:
    r"""Follow the gradient of J from ``theta``.

    Parameters
    ----------
    mdp, policy, theta : the problem, in floats
    step : alpha, a number or a function k -> alpha of the step's number k = 0, 1, ...
    iterations : int, the largest number of steps
    estimator : None for the exact gradient, or what is called as (batch, policy, theta, gamma) and averaged over n episodes
    n : int, episodes a step; horizon : int or None, as everywhere; rng : Generator or seed
    tolerance : stop where the exact gradient's norm is at most this

    theta moves the way the policy's derivatives mean it (weights w = e^logit are multiplied); directly parameterised
    probabilities are projected back onto the simplex after every step.

    Returns
    -------
    Ascent, shorter than ``iterations`` where the tolerance was met

    Raises
    ------
    UndefinedError
        theta, J or the gradient stopped being finite, or J stopped existing (at gamma = 1, a policy that no longer ends);
        the message says at which step, and the exception's ``history`` holds the steps before.

    Notes
    -----
    Source: Williams 1992; Sutton & Barto 2018, section 13.3. Steps of sum infinity and square sum finite, such as
    ``lambda k: 1 / (k + 1)``, are those of Robbins & Monro 1951.

    Examples
    --------
    >>> import numpy as np, pgtheory as pg
    >>> bandit = pg.MDP([[[0, 1], [0, 1]], [[0, 1], [0, 1]]], [[1.0, 0.0], [0.0, 0.0]], 1.0, 0)
    >>> history = pg.gradient_ascent(bandit, pg.SoftmaxPolicy(2, 2), np.zeros((2, 2)), step=1.0, iterations=100)
    >>> history.theta.shape, bool(history.J[0] == 0.5), bool(history.J[-1] > 0.98)
    ((101, 2, 2), True, True)
    """
    theta = np.array(policy.check_theta(theta))
    if theta.dtype.kind != "f":
        raise NotExactError("ascent leaves the rationals at once: pass theta and the model in floats")
    if estimator is not None:
        require_estimator(estimator)
    iterations, n = whole_number(iterations, "iterations", PGTheoryError), whole_number(n, "n", PGTheoryError, 1)
    if not isinstance(tolerance, Real) or not 0 <= float(tolerance) < np.inf:
        raise PGTheoryError(f"tolerance is {tolerance!r}: it must be a norm of the gradient, not negative and finite")
    run = _Run(mdp, policy, estimator, n, None if horizon is None else check_horizon(horizon), np.random.default_rng(rng))
    run.visit(theta, 0)
    for k in range(iterations):
        if run.norms[-1] <= tolerance:
            return run.history(run.still())
        alpha = _step_size(step, k)
        with np.errstate(over="ignore", invalid="ignore"):
            theta = _move(policy, theta, run.direction(), alpha)
        run.sizes.append(alpha)
        run.visit(theta, k + 1)
    return run.history(run.still() if run.norms[-1] <= tolerance else "iterations")


@dataclass
class _Run:
    """The steps so far, and the problem at the last theta."""

    mdp: Any
    policy: Any
    estimator: Callable | None
    n: int
    horizon: int | None
    rng: np.random.Generator

    def __post_init__(self):
        self.thetas, self.values, self.norms, self.sizes = [], [], [], []

    def visit(self, theta, k):
        """Solve at theta and record it; refuse to go on where something is not finite."""
        if not np.isfinite(theta).all():
            raise self._lost(k, "theta is no longer finite", "a smaller step")
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                solution = solve(self.mdp, self.policy.probabilities(theta), self.horizon)
                weights = solution.d[:, None] * solution.Q if self.horizon is None else solution.gradient_weights
                J, self.gradient = float(solution.J), self.policy.pullback(theta, weights)
        except (UndefinedError, InvalidPolicyError) as bad:
            if k == 0:
                raise
            raise self._lost(k, f"J does not exist any more ({bad})", "a smaller step") from bad
        if not (np.isfinite(J) and np.isfinite(self.gradient).all()):
            raise self._lost(k, "J or its gradient is no longer finite", "a smaller step")
        self.thetas.append(theta)
        self.values.append(J)
        self.norms.append(float(np.hypot.reduce(self.gradient.reshape(-1))))

    def direction(self):
        """What is followed from the last theta."""
        if self.estimator is None:
            return self.gradient
        theta = self.thetas[-1]
        batch = sample(self.mdp, self.policy.probabilities(theta), self.n, self.horizon, rng=self.rng)
        found = np.asarray(batch.mean(self.estimator(batch, self.policy, theta, self.mdp.gamma)), dtype=float)
        if found.shape != theta.shape:
            raise PGTheoryError(f"the estimator's mean has shape {found.shape}: it must be theta's, {theta.shape}")
        return found

    def still(self) -> str:
        """Why the gradient is as small as the tolerance."""
        first, last = (np.asarray(self.policy.probabilities(theta)) for theta in (self.thetas[0], self.thetas[-1]))
        gone = not isinstance(self.policy, DirectPolicy) and bool(((last == 0) & (first > 0)).any())
        return "saturated" if gone else "tolerance"

    def history(self, reason) -> Ascent:
        theta, J, norm, size = (read_only(np.array(x)) for x in (self.thetas, self.values, self.norms, self.sizes))
        return Ascent(theta, J, norm, size, reason)

    def _lost(self, k, what, mend):
        error = UndefinedError(f"the ascent broke down at step {k}: {what}; try {mend}")
        error.history = self.history("breakdown")     # type: ignore[attr-defined]
        return error


def _step_size(step, k) -> float:
    alpha = step(k) if callable(step) else step
    size = float(alpha) if isinstance(alpha, Real) and not isinstance(alpha, bool) else np.nan
    if not 0 < size < np.inf:
        raise PGTheoryError(f"step {k} has size {alpha!r}: step sizes are positive finite numbers")
    return size


def _move(policy, theta, direction, alpha):
    moved = policy.step(theta, direction, alpha)
    return _project(moved) if isinstance(policy, DirectPolicy) and np.isfinite(moved).all() else moved


def _project(rows):
    """The nearest distributions, row by row (Held, Wolfe, Crowder 1974)."""
    falling = -np.sort(-rows, axis=1)
    excess = (np.cumsum(falling, axis=1) - 1) / np.arange(1, rows.shape[1] + 1)
    last = np.count_nonzero(falling > excess, axis=1) - 1
    nearest = np.maximum(rows - excess[np.arange(len(rows)), last][:, None], 0.0)
    return nearest / nearest.sum(axis=1, keepdims=True)
