r"""One problem: a model, a policy and its parameters, with what claims and routes both need of it.

Claims (what a theorem says) and routes (what differentiation, series and simulation say without knowing the theorem) share
the model, pi(theta) and the linear solve; this is where they share them, solved once.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import scipy.sparse

from .arithmetic import EPS, EXPRESSION, INTEGER, as_array, rational_field
from .policies import one_theta
from .solution import evaluate, solve

SWEEP_FLOPS = 4e9        # complex steps along every coordinate cost about 8/3 n S^3; beyond this, random directions
N_DIRECTIONS = 16        # random directions then: a wrong gradient is orthogonal to all of them with probability 0


class Problem:
    """A model, a policy and theta: solved once, with its scale and its conditioning.

    Attributes
    ----------
    mdp, policy, theta : as given (theta checked); sympy expressions that are rational are moved to one fraction field, where
        zero is known to be zero
    solution : Solution
    pi : (S, A) probabilities
    directions : (n,) + theta.shape, along which gradients are compared: all coordinates where that is affordable
    complete : bool, True where the directions are all coordinates

    >>> import pgtheory as pg
    >>> from pgtheory.problem import Problem
    >>> problem = Problem(pg.models.load("start-matters"), pg.SoftmaxPolicy(2, 2), [[0.0, 0.0], [0.0, 0.0]])
    >>> problem.conditioning.round(9), problem.complete
    (np.float64(10.0), True)
    """

    def __init__(self, mdp, policy, theta, rng=0, *, complete=None):
        self.policy, theta = policy, one_theta(policy, theta)
        self.mdp, self.theta = _in_one_field(mdp, theta)
        self.solution = solve(self.mdp, policy.probabilities(self.theta))
        self.pi, self.arithmetic = self.solution.pi, self.solution.arithmetic
        self._complete = complete
        self.memory: dict = {}   # what a route has computed, by its own keys
        self._rng = np.random.default_rng(rng)

    @property
    def exact(self) -> bool:
        return self.arithmetic.exact

    @property
    def gamma(self):
        return self.solution.mdp.gamma

    @cached_property
    def complete(self) -> bool:
        S, n = self.mdp.n_states, self.theta.size
        if self._complete is not None:
            return self._complete
        return self.exact or n <= N_DIRECTIONS or n * S**3 <= SWEEP_FLOPS

    @cached_property
    def directions(self):
        shape = self.theta.shape
        if self.complete:
            n = self.theta.size
            return np.eye(n, dtype=int if self.exact else float).reshape((n,) + shape)
        return self._rng.standard_normal((N_DIRECTIONS,) + shape) / np.sqrt(self.theta.size)

    def along(self, gradient):
        """(..., n): a gradient (..., *theta.shape) in the directions of comparison."""
        flat = gradient.reshape(gradient.shape[:gradient.ndim - self.theta.ndim] + (-1,))
        return flat if self.complete else flat @ self.directions.reshape(len(self.directions), -1).T

    def pi_at(self, theta):
        """(..., S, A): probabilities at a stack of parameters, one call or one at a time."""
        if self.policy.vectorized or theta.ndim == self.theta.ndim:
            return self.policy.probabilities(theta)
        return np.stack([self.policy.probabilities(one) for one in theta])

    def V_at(self, theta):
        """(..., S): the value at a stack of parameters, on the simplex or off it."""
        pi = self.pi_at(theta)
        if pi.ndim > 2 and scipy.sparse.issparse(self.mdp.P):
            return np.stack([evaluate(self.mdp, one).V for one in pi])
        return evaluate(self.mdp, pi).V

    @cached_property
    def conditioning(self):
        """Largest row sum of (I - gamma P_pi)^-1: 1/(1 - gamma), or the longest mean episode at gamma = 1. NaN for symbols."""
        if self.arithmetic.symbolic:
            return float("nan")
        ones = self.arithmetic.zeros(self.mdp.n_states) + self.arithmetic.number(1)
        return max(self.solution.resolvent(ones)) if self.exact else np.max(self.solution.resolvent(ones))

    @cached_property
    def unit(self) -> float:
        """Relative rounding error of one solve, the policy and the products together.

        Gaussian elimination of an S x S row diagonally dominant matrix has backward error at most about 6 S u |L||U|
        (Higham 2002, theorem 9.4 with growth 2); products over S, A add that many roundings; exp at a logit of size t
        loses t u. The conditioning turns backward into forward error.
        """
        if self.exact:
            return 0.0
        size = self.mdp.n_states + self.mdp.n_actions + float(np.max(np.abs(self.theta), initial=0.0))
        return 8 * EPS * (size + 8) * float(self.conditioning)

    @cached_property
    def value_scale(self) -> float:
        """max_s of (I - gamma P_pi)^-1 |r_pi|, the size of V before its terms cancel; reward units."""
        if self.arithmetic.symbolic:
            return float("nan")
        spread = (self.pi * abs(self.solution.mdp.r)).sum(axis=-1)
        return float(max(self.solution.resolvent(spread)))

    @cached_property
    def gradient_scale(self) -> float:
        """Size of the gradient before its terms cancel: conditioning times max |Q| times :attr:`slope_scale`."""
        if self.arithmetic.symbolic:
            return float("nan")
        Q = float(np.max(np.abs(np.asarray(self.solution.Q, dtype=float))))
        return float(self.conditioning) * max(Q, self.value_scale) * self.slope_scale

    @cached_property
    def slope_scale(self) -> float:
        """Largest sum_a |derivative of pi(a|s)| along any direction of comparison, in any state, before terms cancel."""
        if self.arithmetic.symbolic:
            return float("nan")
        if self.policy.tabular:
            S, A = self.pi.shape
            columns = []
            for a in range(A):
                weights = np.zeros((S, A))
                weights[:, a] = 1.0
                columns.append(np.abs(self.policy.pullback(np.asarray(self.theta, dtype=float), weights)))
            per_parameter = max(float(np.sum(columns, axis=0).max()), self._inner_slope)
            return per_parameter * (1.0 if self.complete else A * float(np.abs(self.directions).max()))
        along = self.along(np.asarray(self.policy.jacobian(self.theta), dtype=float))
        reach = 1.0 if self.complete else float(np.abs(self.directions).max())
        return max(float(np.abs(along).sum(axis=1).max(initial=0.0)), self._inner_slope * reach)

    @property
    def _inner_slope(self) -> float:
        return self.policy.inner_slope(self.theta)


def _in_one_field(mdp, theta):
    """(mdp, theta) over one field of rational functions, where they hold sympy expressions that allow it."""
    if EXPRESSION not in (mdp.arithmetic, as_array(theta)[1]) or not mdp.arithmetic.exact and mdp.arithmetic != INTEGER:
        return mdp, theta
    arithmetic = rational_field(mdp.P, mdp.R, mdp.gamma, mdp.rho, theta)
    return (mdp, theta) if arithmetic is None else (mdp.rewritten(arithmetic), arithmetic.convert(theta))
