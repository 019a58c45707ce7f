r"""The variance of policy gradient samples, taken apart, and the baseline that makes it smallest.

Both rest on :math:`\sum_a \nabla\pi(a|s) = 0`, which every policy of probabilities has, and the direct parameterisation's
ambient derivatives have not.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse

from ..errors import UndefinedError
from ..horizon import check_horizon, powers
from ..mdp import MDP
from ..solution import solve, value_gradient
from ..trajectories.batch import common_problem, critic_table
from ..trajectories.edges import Edges
from ..trajectories.scores import score_where_taken
from ..validation import read_only


class VarianceParts(NamedTuple):
    """The covariance (size, size) of one sample, by where it comes from; the parts add up to :attr:`total`."""

    state: np.ndarray
    action: np.ndarray
    trajectory: np.ndarray

    @property
    def total(self):
        """(size, size) covariance of the sample."""
        return self.state + self.action + self.trajectory


def optimal_baseline(mdp, policy, theta, horizon=None):
    r"""The state baseline with the smallest total variance of the whole reward-to-go estimator.

    Returns (S,), or (T+1, S) by time where a horizon is given; reward units, 0 where a state is never visited.
    The expected square is a quadratic in b whose Hessian is diagonal (a later score has mean zero given an earlier one), so

    .. math::
        b_t(s) = \frac{x_t(s) E_a[|\psi|^2 Q_t + \gamma\, \psi \cdot (P \nabla V_{t+1})] + \nabla x_t(s) \cdot E_a[\psi Q_t]}
                      {x_t(s) E_a |\psi|^2}, \qquad x_t(s) = \Pr(s_t = s),

    without horizon summed over t with weights gamma^2t. The first term alone is the baseline for independent samples of
    Greensmith, Bartlett, Baxter, *Variance reduction techniques for gradient estimates*, JMLR 5 (2004).

    Raises :class:`UndefinedError` for policies whose derivatives leave the simplex.

    >>> import pgtheory as pg
    >>> bandit = pg.MDP([[[0, 1], [0, 1]], [[0, 1], [0, 1]]], [[1.0, 0.0], [0.0, 0.0]], 1.0, 0)
    >>> optimal_baseline(bandit, pg.SoftmaxPolicy(2, 2, weights=True), [[9.0, 1.0], [1.0, 1.0]]).round(12)
    array([0.1, 0. ])
    """
    parts = _Derivatives(mdp, policy, theta)
    return read_only(parts.stationary_baseline() if horizon is None else parts.baseline_by_time(check_horizon(horizon)))


class _Derivatives:
    """The score and what the theorems build from it, with theta's axes in one."""

    def __init__(self, mdp, policy, theta):
        self.policy = policy
        self.mdp, self.theta, self.pi, self.arithmetic = common_problem(mdp, policy, theta)
        shape = (*self.pi.shape, -1)
        self.slope = policy.jacobian(self.theta).reshape(shape)
        self.psi = score_where_taken(policy, self.theta, np.zeros(self.pi.shape, dtype=bool)).reshape(shape)
        self.square = (self.psi * self.psi).sum(axis=2)
        off, zero = self.slope.sum(axis=1), self.arithmetic.number(0)
        if np.any(off != zero if self.arithmetic.exact else np.abs(off) > 1e-8 * (1 + np.abs(self.slope).max())):
            raise UndefinedError("the derivatives of this policy do not add up to 0 over the actions: a baseline would "
                                 "change the mean; use a softmax or escort policy")

    def push(self, weights):
        """(S, m): sum_sa weights[s, a] P(s'|s, a)."""
        if scipy.sparse.issparse(self.mdp.P):
            return self.mdp.P.T @ weights.reshape(self.pi.size, -1)
        return np.tensordot(self.mdp.P, weights, axes=([0, 1], [0, 1]))

    def numerator(self, Q, dV):
        """(S,): E_a[|psi|^2 Q + gamma psi . (P grad V')]."""
        ahead = np.moveaxis(self.mdp.kernel.expect(dV.T), 0, 2)
        return (self.pi * (self.square * Q + (self.psi * ahead).sum(axis=2) * self.mdp.gamma)).sum(axis=1)

    def divide(self, x, own, dx, h):
        """b of one time, from x (S,), E_a[...] (S,), grad x (S, m) and E_a[psi Q] (S, m)."""
        below = x * (self.pi * self.square).sum(axis=1)
        none = np.array(below == 0, dtype=bool) | self.mdp.terminal
        safe = np.where(none, self.arithmetic.number(1), below)
        return np.where(none, self.arithmetic.number(0), (x * own + (dx * h).sum(axis=1)) / safe)

    def stationary_baseline(self):
        mdp, gamma = self.mdp, self.mdp.gamma
        solution, squared = solve(mdp, self.pi), solve(MDP(mdp.P, mdp.R, gamma * gamma, mdp.rho), self.pi)
        dV = value_gradient(mdp, self.policy, self.theta).reshape(mdp.n_states, -1)
        dx = squared.resolvent(self.push(self.slope * squared.d[:, None, None]) * (gamma * gamma), transpose=True)
        h = (self.slope * solution.Q[:, :, None]).sum(axis=1)
        return self.divide(squared.d, self.numerator(solution.Q, dV), dx, h)

    def baseline_by_time(self, horizon):
        solution = solve(self.mdp, self.pi, horizon)
        P_pi = self.mdp.kernel.mix(self.pi)
        dV = [self.arithmetic.zeros((self.mdp.n_states, self.psi.shape[2]))]
        slopes = [(self.slope * Q[:, :, None]).sum(axis=1) for Q in solution.Q]
        for h in slopes[:0:-1]:
            dV.insert(0, h + (P_pi @ dV[0]) * self.mdp.gamma)
        b, dx = [], self.arithmetic.zeros(dV[0].shape)
        for t, (x, h) in enumerate(zip(solution.state_distribution, slopes, strict=True)):
            b.append(self.divide(x, self.numerator(solution.Q[t], dV[t]), dx, h))
            dx = P_pi.T @ dx + self.push(self.slope * x[:, None, None])
        return np.stack([*b, self.arithmetic.zeros(self.mdp.n_states)])


def variance_parts(mdp, policy, theta, baseline=0, horizon=None) -> VarianceParts:
    r"""The covariance of one sample :math:`c\,\psi(s,a)\,(G - b(s))`, in state, action and trajectory parts.

    The state (with its time, where there is a horizon) is drawn in proportion to its discounted visits, whose sum is c; then
    the action, then the rest of the trajectory, whose return is G. The mean is the policy gradient, and

    .. math::
        \mathrm{Cov} = \mathrm{Cov}_s(E_a[\cdot]) + E_s \mathrm{Cov}_a(E_\tau[\cdot]) + E_{s,a} \mathrm{Cov}_\tau(\cdot).

    A baseline of the state acts on the action part only. Source: Tucker et al., *The mirage of action-dependent baselines in
    reinforcement learning*, ICML 2018, section 3.

    >>> import pgtheory as pg
    >>> bandit = pg.MDP([[[0, 1], [0, 1]], [[0, 1], [0, 1]]], [[1.0, 0.0], [0.0, 0.0]], 1.0, 0)
    >>> parts = variance_parts(bandit, pg.SoftmaxPolicy(2, 2, weights=True), [[9.0, 1.0], [1.0, 1.0]], baseline=0.9)
    >>> parts.action.round(6)[0, 0], parts.trajectory[0, 0] + parts.state[0, 0]
    (np.float64(0.0576), np.float64(0.0))
    """
    parts = _Derivatives(mdp, policy, theta)
    horizon = None if horizon is None else check_horizon(horizon)
    mdp, pi, arithmetic = parts.mdp, parts.pi, parts.arithmetic
    b = critic_table(baseline, mdp.n_states, horizon, arithmetic)
    b = b[None] if b.ndim == 1 else b[:-1]
    solution = solve(mdp, pi, horizon)
    visits = solution.d[None] if horizon is None else (
        solution.state_distribution * powers(mdp.gamma, horizon, arithmetic)[:, None])
    visits = np.where(mdp.terminal, arithmetic.number(0), visits)
    c, Q = visits.sum(), solution.Q.reshape(-1, *pi.shape)
    pairs = visits[:, :, None] * pi * c
    signal = parts.psi * (Q - b[:, :, None])[..., None]
    mean = (signal * pi[:, :, None]).sum(axis=2)
    at_states, whole = _second(mean, visits * c), (mean * visits[:, :, None]).sum(axis=(0, 1))
    spread = _return_variance(mdp, pi, solution, horizon, arithmetic)
    noise = (pairs * spread).sum(axis=0)
    return VarianceParts(at_states - whole[:, None] * whole, _second(signal, pairs) - at_states, _second(parts.psi, noise))


def _second(x, weights):
    """(m, m): sum over everything of weights x x^T, for x (..., m)."""
    x = x.reshape(-1, x.shape[-1])
    return x.T @ (x * weights.reshape(-1, 1))


def _return_variance(mdp, pi, solution, horizon, arithmetic):
    """(T or 1, S, A) Var(G | s, a): Sobel 1982, from the second moment E[(r + gamma G')^2]."""
    edges, gamma, shape = Edges(mdp), mdp.gamma, pi.shape

    def gained(V):
        """(S, A) E[r^2 + 2 gamma r V(s')]."""
        out = arithmetic.zeros(pi.size)
        np.add.at(out, edges.cell, edges.probability * edges.reward * (edges.reward + V[edges.next_state] * gamma * 2))
        return out.reshape(shape)

    if horizon is None:
        now = gained(solution.V)
        V2 = solve(MDP(mdp.P, now, gamma * gamma, mdp.rho), pi).V
        return (now + mdp.kernel.expect(V2) * (gamma * gamma) - solution.Q**2)[None]
    out: list[np.ndarray] = []
    V2 = arithmetic.zeros(mdp.n_states)
    for t in range(horizon - 1, -1, -1):
        Q2 = gained(solution.V[t + 1]) + mdp.kernel.expect(V2) * (gamma * gamma)
        V2 = (pi * Q2).sum(axis=1)
        out.insert(0, Q2 - solution.Q[t] ** 2)
    return np.stack(out)
