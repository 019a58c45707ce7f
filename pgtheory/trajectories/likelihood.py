r"""The probability of a trajectory, and its logarithm's gradient.

.. math::
    \log P(\tau|\theta) = \log\rho(s_0) + \sum_t \log P(s_{t+1}|s_t,a_t) + \sum_t \log\pi_\theta(a_t|s_t),

of which only the last sum depends on theta.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse

from ..arithmetic import as_array
from ..errors import NotExactError
from .scores import score_sums


class LogProbability(NamedTuple):
    """The parts of log P(tau): start (N,), dynamics (N, T) and policy (N, T), 0 after the end; they add up to the whole."""

    start: np.ndarray
    dynamics: np.ndarray
    policy: np.ndarray

    @property
    def total(self):
        """(N,) log P(tau)."""
        return self.start + self.dynamics.sum(axis=1) + self.policy.sum(axis=1)


def log_probability(batch, pi) -> LogProbability:
    r"""log P(tau) under ``pi`` (S, A), part by part: of the start, of the dynamics, of the policy's choices.

    Only the policy's part depends on theta, so its gradient is that of the whole. Floats, and complex numbers for the
    complex step; the logarithm of an exact probability is not rational (:class:`NotExactError`). Source: Williams,
    *Simple statistical gradient-following algorithms*, Machine Learning 8 (1992).

    >>> import numpy as np, pgtheory as pg
    >>> mdp = pg.MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [2.0, 0.0], 0.5, 0)
    >>> batch = pg.enumerate_trajectories(mdp, [[1.0], [1.0]], horizon=2)
    >>> np.exp(log_probability(batch, np.ones((2, 1))).total)
    array([0.25, 0.25, 0.5 ])
    """
    if batch.arithmetic.exact or as_array(pi, "pi")[1].exact:
        raise NotExactError("the logarithm of an exact probability is not rational: use batch.probability, or floats")
    pi = np.asarray(pi)
    taken = np.where(batch.valid, pi[batch.states[:, :-1], batch.actions], 1)
    with np.errstate(divide="ignore"):
        return LogProbability(np.log(batch.mdp.rho[batch.states[:, 0]]), np.log(dynamics(batch)), np.log(taken))


def dynamics(batch):
    """(N, T): P(s_{t+1} | s_t, a_t), probabilities in the arithmetic of the batch; 1 after the end.

    >>> import pgtheory as pg
    >>> mdp = pg.MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [2.0, 0.0], 0.5, 0)
    >>> dynamics(pg.enumerate_trajectories(mdp, [[1.0], [1.0]], horizon=2)).tolist()
    [[0.5, 0.5], [0.5, 0.5], [0.5, 1.0]]
    """
    P, s, a, t = batch.mdp.P, batch.states[:, :-1], batch.actions, batch.states[:, 1:]
    if scipy.sparse.issparse(P):
        rows = (s * batch.mdp.n_actions + a).reshape(-1)
        return np.where(batch.valid, np.asarray(P[rows, t.reshape(-1)]).reshape(s.shape), 1)
    return np.where(batch.valid, P[s, a, t], 1)


def trajectory_score(batch, policy, theta):
    r"""(N,) + shape: grad log P(tau | theta) = sum_t grad log pi(a_t | s_t), without start and dynamics.

    Per unit of theta, in the arithmetic of the inputs. Source: Williams 1992.

    >>> import pgtheory as pg
    >>> mdp = pg.MDP([[[0, 1], [0, 1]], [[0, 1], [0, 1]]], [1.0, 0.0], 1.0, 0)
    >>> batch = pg.enumerate_trajectories(mdp, [[0.5, 0.5]] * 2, horizon=2)
    >>> trajectory_score(batch, pg.SoftmaxPolicy(2, 2), [[0.0, 0.0], [0.0, 0.0]])[0]
    array([[ 0.5, -0.5],
           [ 0. ,  0. ]])
    """
    ones = np.full(batch.actions.shape, batch.arithmetic.number(1))
    return score_sums(batch, policy, theta, ones)
