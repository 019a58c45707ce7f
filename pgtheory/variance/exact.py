r"""Exact mean and covariance of trajectory estimators, by linear recursion, without simulation.

For the machine :math:`Y_t = M_t Y_{t+1}` of an estimator (:mod:`pgtheory.variance.lifted`),

.. math::
    E[Y Y^\top | s] = \sum_{a,s'} b(a|s) P(s'|s,a)\, M\, E[Y Y^\top | s']\, M^\top,

solved block by block, so that the largest system is S x S: backwards over the steps of a finite horizon, or by one
factorisation per pair of discounts where there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import scipy.sparse

from .. import estimators
from ..arithmetic import EPS, FLOAT, as_array, factorize, join, plus_identity
from ..continuous.deterministic_policies import DeterministicPolicy
from ..errors import PGTheoryError, UndefinedError
from ..estimators.base import require_estimator
from ..horizon import check_horizon
from ..trajectories.batch import common_model, common_problem
from ..trajectories.enumeration import enumerate_trajectories
from ..validation import read_only, whole_number
from .lifted import Machine, Setting, machine
from .walks import walk_of, walk_setting

LIBRARY = frozenset(getattr(estimators, name) for name in estimators.__all__) - {estimators.DeterministicGradient}
DENSE = 0.1           # share of non-zeros from which a dense product is faster
RESOLUTION = 1e-4     # relative error beyond which a solve does not count as an answer


@dataclass(frozen=True, eq=False)
class Moments:
    """Exact moments of one trajectory's estimate.

    mean : theta's shape, reward units per unit of theta
    covariance : (size, size), the square of that; rows and columns are theta's entries in C order
    """

    mean: np.ndarray
    covariance: np.ndarray

    @property
    def variance(self):
        """theta's shape: the diagonal of the covariance."""
        return self.covariance.diagonal().reshape(self.mean.shape)

    @property
    def total_variance(self):
        """The trace of the covariance, E |estimate - mean|^2."""
        return self.covariance.diagonal().sum()


def moments(estimator, mdp, policy, theta, horizon=None, behaviour=None, batch_size=None) -> Moments:
    r"""Exact mean and covariance of ``estimator`` on one trajectory of ``behaviour``.

    Parameters
    ----------
    estimator : one of ``pg.estimators``, or any function (batch, policy, theta, gamma) -> (N,) + shape
    mdp, policy, theta : the problem, in floats or exact; for DeterministicGradient a deterministic policy, with its model of
        continuous actions or the walk_model that it leaves
    horizon : int or None; None asks for gamma < 1, or for episodes that end, and for one of ``pg.estimators``
    behaviour : (S, A) the policy that acts; pi at theta where None
    batch_size : int or None, for LeaveOneOut only: with N trajectories the covariance is N times that of the batch mean, so
        that it compares with the others; None is the limit of many

    Raises
    ------
    UndefinedError
        The moment does not exist: undiscounted scores or importance weights in a problem that does not end, or that ends too
        slowly for them.

    Notes
    -----
    Estimators of the library go by linear recursion, any other by enumeration (finite horizon). Sources: Sobel, *The
    variance of discounted Markov decision processes*, J. Appl. Prob. 19 (1982), for the return; Hoeffding 1948 for
    leave-one-out, which is the sample covariance of the summed score and the return, a U-statistic.

    Examples
    --------
    >>> import pgtheory as pg
    >>> bandit = pg.MDP([[[0, 1], [0, 1]], [[0, 1], [0, 1]]], [[1.0, 0.0], [0.0, 0.0]], 1.0, 0)
    >>> policy, theta = pg.SoftmaxPolicy(2, 2, weights=True), [[9.0, 1.0], [1.0, 1.0]]
    >>> result = pg.moments(pg.estimators.Baseline(0.9), bandit, policy, theta, horizon=1)
    >>> round(float(result.mean[0, 0]), 12), round(float(result.variance[0, 0]), 12)
    (0.09, 0.0576)
    """
    require_estimator(estimator)
    horizon = None if horizon is None else check_horizon(horizon)
    if isinstance(policy, DeterministicPolicy):
        return _of_a_walk(estimator, mdp, policy, theta, horizon, behaviour)
    mdp, theta, pi, arithmetic = common_problem(mdp, policy, theta)
    behaviour = pi if behaviour is None else common_model(mdp, behaviour)[1]
    join(arithmetic, as_array(behaviour)[1])
    if type(estimator) not in LIBRARY:
        return _by_enumeration(estimator, mdp, policy, theta, horizon, behaviour)
    setting = Setting(mdp, policy, theta, pi, behaviour, horizon, arithmetic)
    blocks = Blocks(setting, machine(estimator, setting), type(estimator).__name__)
    if isinstance(estimator, estimators.LeaveOneOut):
        mean, covariance = _leave_one_out(blocks, batch_size)
    else:
        mean, covariance = blocks.mean_and_covariance()
    return Moments(read_only(mean.reshape(policy.shape)), read_only(covariance))


def _of_a_walk(estimator, model, policy, theta, horizon, behaviour):
    """Of a deterministic policy: the estimator of the library by recursion, any other by enumeration of its walks."""
    if type(estimator) is not estimators.DeterministicGradient:
        chain, pi, theta = walk_of(model, policy, theta, behaviour)
        return _by_enumeration(estimator, chain, policy, theta, horizon, pi)
    setting = walk_setting(estimator, model, policy, theta, horizon, behaviour)
    mean, covariance = Blocks(setting, setting.machine(estimator.gamma_weighting), "DeterministicGradient").mean_and_covariance()
    return Moments(read_only(mean.reshape(setting.theta.shape)), read_only(covariance))


def _by_enumeration(estimator, mdp, policy, theta, horizon, behaviour):
    if horizon is None:
        raise UndefinedError("the moments of a function of one's own are found by enumeration, which needs a horizon")
    batch = enumerate_trajectories(mdp, behaviour, horizon)
    estimates, wanted = as_array(estimator(batch, policy, theta, mdp.gamma), "the estimates")[0], (len(batch), *np.shape(theta))
    if estimates.shape != wanted:
        raise PGTheoryError(f"the estimator returned shape {estimates.shape}: it must be {wanted}")
    estimates = estimates.reshape(len(batch), -1)
    mean = batch.mean(estimates)
    off = estimates - mean
    return Moments(read_only(mean.reshape(np.shape(theta))), read_only(off.T @ (off * batch.probability[:, None])))


class Blocks:
    """E[Y_i Y_k^T | s] of a machine, for all pairs i <= k: (S,), (S, m) or (S, m, m)."""

    def __init__(self, setting: Setting, engine: Machine, name: str, first_only: bool = False):
        self.setting, self.engine, self.name = setting, engine, name
        self.pairs = [(i, k) for k in range(len(engine.end)) for i in range(1 if first_only else k + 1)]
        self.width = [setting.width if v else 1 for v in engine.vector]
        self.floats = setting.arithmetic == FLOAT
        self._factors: dict = {}

    @cached_property
    def start(self):
        """(n, n): E[Y Y^T] at the start, n the sizes of all blocks together."""
        horizon = self.setting.horizon
        M = self._stationary() if horizon is None else self._at_horizon(horizon)
        rho = self.setting.mdp.rho
        mean = {pair: (M[pair] * rho[:, None, None]).sum(axis=0) for pair in self.pairs}
        rows = [[mean[i, k] if i <= k else mean[k, i].T for k in range(len(self.width))] for i in range(len(self.width))]
        return np.block(rows)

    def mean(self):
        """Of the last block, at the start; Y_0 = 1, so that the pairs (0, k) alone answer it."""
        horizon = self.setting.horizon
        M = self._stationary() if horizon is None else self._at_horizon(horizon)
        return self.setting.mdp.rho @ M[0, len(self.width) - 1][:, 0]

    def mean_and_covariance(self):
        """Of the last block."""
        m = self.width[-1]
        mean, second = self.start[0, -m:], self.start[-m:, -m:]
        return mean, second - mean[:, None] * mean

    def _over(self):
        """The blocks of an episode that is over, in every state."""
        S, zeros = self.setting.mdp.n_states, self.setting.arithmetic.zeros
        M = {(i, k): zeros((S, self.width[i], self.width[k])) for i, k in self.pairs}
        for i, k in self.pairs:
            M[i, k][...] = self.setting.arithmetic.number(self.engine.end[i] * self.engine.end[k])
        return M

    def _at_horizon(self, horizon):
        M, terminal = self._over(), self.setting.terminal
        for t in range(horizon - 1, -1, -1):
            rows, field = self._rows(t), self.engine.field(t)
            following = {pair: self._push(pair, rows, field, M) for pair in self.pairs}
            for pair in self.pairs:
                following[pair][terminal] = M[pair][terminal]
            M = following
        return M

    def _stationary(self):
        M, active = self._over(), self.setting.active
        for block in M.values():
            block[active] = self.setting.arithmetic.number(0)
        M[0, 0][...] = self.setting.arithmetic.number(1)
        rows, field = self._rows(None), self.engine.field(None)
        for pair in self.pairs[1:]:
            known = self._push(pair, rows, field, M)[active]      # the block itself is still 0 in active states
            own = [rows[i].get(i) for i in pair]
            factor = None if any(c is None for c in own) else self._factor(_times(*own))
            M[pair][active] = known if factor is None else factor.solve(known.reshape(len(known), -1)).reshape(known.shape)
        return M

    def _rows(self, t):
        """[{j: coefficient from block j}] of every block i, zeros left out."""
        rows: list[dict] = [{} for _ in self.width]
        for (i, j), coefficient in self.engine.rows(t).items():
            if np.ndim(coefficient) or coefficient != 0:
                rows[i][j] = coefficient
        return rows

    def _push(self, pair, rows, field, M):
        """sum over (j, l) of E[M_ij Y_j Y_l^T M_kl^T | s], from the blocks M of the next state."""
        i, k = pair
        out = self.setting.arithmetic.zeros((self.setting.mdp.n_states, self.width[i], self.width[k]))
        for (j, left), (l, right) in product(rows[i].items(), rows[k].items()):
            block = M[j, l] if j <= l else M[l, j].transpose(0, 2, 1)
            out += self._product(_times(left, right), block, field, self._lifts(i, j), self._lifts(k, l))
        return out

    def _lifts(self, i, j):
        """The coefficient from block j to block i goes through the score."""
        return self.engine.vector[i] and not self.engine.vector[j]

    def _product(self, coefficient, block, field, on_left, on_right):
        """(S, ., .): the expectation over (a, s') of coefficient times block(s'), times the field on either side."""
        S, A = self.setting.pi.shape
        if not on_left and not on_right:
            return self._expect(coefficient, block, self.setting.edges.state, S)
        cells = self._expect(coefficient, block, self.setting.edges.cell, S * A)
        left = field if on_left else cells[:, :, 0]           # whatever the field lifts is a number
        right = cells[:, 0, :] if not on_right else field * cells[:, :, 0] if on_left else field
        return np.matmul(left.reshape(S, A, -1).swapaxes(1, 2), right.reshape(S, A, -1))

    def _expect(self, coefficient, block, place, n):
        """(n, ., .): coefficient, weighted by the law of the transition, times block(s'), added up by ``place`` (E,)."""
        edges, weights = self.setting.edges, self.setting.law * coefficient
        flat = block.reshape(len(block), -1)
        if self.floats:
            starts = np.searchsorted(place, np.arange(n + 1))
            matrix = scipy.sparse.csr_array((weights, edges.next_state, starts), shape=(n, len(block)))
            dense = matrix.nnz > DENSE * n * len(block)
            return ((matrix.toarray() if dense else matrix) @ flat).reshape((n,) + block.shape[1:])
        out = self.setting.arithmetic.zeros((n, flat.shape[1]))
        np.add.at(out, place, weights[:, None] * flat[edges.next_state])
        return out.reshape((n,) + block.shape[1:])

    def _factor(self, coefficient):
        """The factorised I - K of a block's own coefficient among active states."""
        weights = self.setting.law * coefficient
        key = weights.tobytes() if self.floats else tuple(weights)
        if key not in self._factors:
            self._factors[key] = self._factorized(weights)
        return self._factors[key]

    def _factorized(self, weights):
        setting = self.setting
        place = np.cumsum(setting.active) - 1
        inside = setting.active[setting.edges.next_state]
        at = place[setting.edges.state[inside]], place[setting.edges.next_state[inside]]
        n = int(setting.active.sum())
        if scipy.sparse.issparse(setting.mdp.P):
            K = scipy.sparse.csr_array(scipy.sparse.coo_array((-weights[inside], at), shape=(n, n)))
        else:
            K = setting.arithmetic.zeros((n, n))
            np.add.at(K, at, -weights[inside])
        try:
            factor = factorize(plus_identity(K), setting.arithmetic)
            self._require_existence(factor, n)      # exact factors find out that they are singular when they solve
        except UndefinedError:
            raise self._undefined() from None
        return factor

    def _require_existence(self, factor, n):
        """K >= 0 has spectral radius below 1 if and only if (I - K) x = 1 has a solution x > 0 (Collatz, Wielandt)."""
        if self.setting.arithmetic.symbolic:
            return
        ones = self.setting.arithmetic.zeros((n, 1)) + self.setting.arithmetic.number(1)
        x = np.real(factor.solve(ones))
        if not (x > 0).all() or (self.floats and not x.max(initial=1.0) * n * EPS < RESOLUTION):
            raise self._undefined()

    def _undefined(self):
        return UndefinedError(f"{self.name} has no finite second moment here: scores, rewards or importance weights that "
                              "are not discounted add up over episodes that do not end, or end too slowly; pass a horizon, "
                              "or use an estimator whose terms carry gamma^t")


def _times(x, y):
    """The product of two coefficients, the array first: a field element does not know arrays."""
    return y * x if np.ndim(y) else x * y


def _leave_one_out(blocks, batch_size):
    """Mean and covariance of u = (Z - E Z)(G - E G), and of its U-statistic for a finite batch."""
    m, second = blocks.width[-1], blocks.start
    first, G, Z = second[0], slice(2, 3), slice(3, 3 + m)
    mean_G, mean_Z = first[G][0], first[Z]
    L = blocks.setting.arithmetic.zeros((m, len(first)))
    if batch_size is None:
        mean_Z = mean_Z * 0      # the others enter through their return alone
    L[:, 0], L[:, G], L[np.arange(m), np.arange(3, 3 + m)] = mean_Z * mean_G, -mean_Z[:, None], -mean_G
    L[np.arange(m), np.arange(3 + m, 3 + 2 * m)] = blocks.setting.arithmetic.number(1)
    mean, B = L @ first, L @ second @ L.T
    covariance = B - mean[:, None] * mean
    if batch_size is None:
        return mean, covariance
    N = whole_number(batch_size, "batch_size", UndefinedError, 2)
    spread = second[G, G][0, 0] - mean_G**2
    own = second[Z, Z] - mean_Z[:, None] * mean_Z
    return mean, (covariance * (N - 2) + B + own * spread) / (N - 1)
