r"""One problem: a model, a policy and its parameters, with what claims and routes both need of it.

Claims (what a theorem says) and routes (what differentiation, series and simulation say without knowing the theorem) share
the model, pi(theta) and the linear solve; this is where they share them, solved once.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse

from ..arithmetic import EPS, EXPRESSION, INTEGER, as_array, factored, join, rational_field
from ..errors import InvalidPolicyError
from ..gradient_bounds import gradient_bound
from ..horizon import evaluate_horizon
from ..policies import one_theta
from ..solution import evaluate, solve
from ..validation import read_only

SWEEP_FLOPS = 4e9        # complex steps along every coordinate cost about 8/3 n S^3; beyond this, random directions
N_DIRECTIONS = 16        # random directions then: a wrong gradient is orthogonal to all of them with probability 0
LARGE_STATES = 20_000    # from here on every direction costs seconds, and a quarter of them must do


class AnyProblem:
    """What problems on finite and on continuous actions have in common.

    Attributes
    ----------
    kind : "finite", "deterministic" or "density", the kind of policy; a claim says for which kinds it is made
    code : str, whose code routes differentiate through
    mdp, policy, theta, solution, arithmetic : as of :class:`Problem`
    weights : (S, p) slope of Q in the policy's own coordinates, state by state: ``policy.pullback`` turns it into gradients
    terminal : (S,) bool; at gamma = 1 the states that are left out
    walk : (mdp, pi), what a sampler of the states walks in
    directions : (n,) + theta.shape, along which gradients are compared: all coordinates where that is affordable
    complete : bool, True where the directions are all coordinates
    """

    kind: str
    code: str
    mdp: Any
    solution: Any

    def __init__(self, policy, theta, solution, rng, complete):
        self.policy, self.theta, self.solution = policy, theta, solution
        self.arithmetic = solution.arithmetic
        self._complete = complete
        self.memory: dict = {}   # what a route has computed, by its own keys
        self._rng = np.random.default_rng(rng)

    @property
    def exact(self) -> bool:
        return self.arithmetic.exact

    @property
    def gamma(self):
        """The discount, in the arithmetic of the solution."""
        return self.solution.gamma

    @property
    def rho(self):
        """(S,) start distribution, in the arithmetic of the solution."""
        return self.solution.rho

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
        n = N_DIRECTIONS if self.mdp.n_states < LARGE_STATES else N_DIRECTIONS // 4
        return self._rng.standard_normal((n,) + shape) / np.sqrt(self.theta.size)

    def along(self, gradient):
        """(..., n): a gradient (..., *theta.shape) in the directions of comparison."""
        flat = gradient.reshape(gradient.shape[:gradient.ndim - self.theta.ndim] + (-1,))
        return flat if self.complete else flat @ self.directions.reshape(len(self.directions), -1).T

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
        size = self._width + float(np.max(np.abs(self.theta), initial=0.0))
        return (8 * EPS * (size + 8) + self._model_error) * float(self.conditioning)

    def certified(self, name: str) -> float:
        """Bound on the error of the solution's "V", "Q" or "d" that rests on residuals; infinity where there is none."""
        return np.inf

    def certified_gradient(self, gradient) -> float:
        """Bound on the error of a gradient of J, of theta's shape, that counts every rounding; infinity where there is none."""
        return np.inf

    @property
    def _width(self) -> int:
        """Terms of the longest sums."""
        raise NotImplementedError

    @property
    def _model_error(self) -> float:
        """Relative error of P_pi and r_pi beyond rounding."""
        return 0.0

    @property
    def _size_of_rewards(self):
        """(S,) expected |r| of a step."""
        raise NotImplementedError

    @property
    def _source_scale(self) -> float:
        """What one state adds to a gradient, before its terms cancel."""
        raise NotImplementedError

    @cached_property
    def value_scale(self) -> float:
        """max_s of (I - gamma P_pi)^-1 |r_pi|, the size of V before its terms cancel; reward units."""
        if self.arithmetic.symbolic:
            return float("nan")
        return float(max(self.solution.resolvent(self._size_of_rewards)))

    @cached_property
    def gradient_scale(self) -> float:
        """Size of the gradient before its terms cancel: conditioning times what one state adds to it."""
        if self.arithmetic.symbolic:
            return float("nan")
        return float(self.conditioning) * self._source_scale


class Problem(AnyProblem):
    """A finite MDP, a stochastic policy and theta: solved once, with its scale and its conditioning.

    Attributes
    ----------
    mdp, policy, theta : as given (theta checked); sympy expressions that are rational are moved to one fraction field, where
        zero is known to be zero
    solution : Solution
    pi : (S, A) probabilities
    and those of :class:`AnyProblem`

    >>> import pgtheory as pg
    >>> from pgtheory.problems.finite import Problem
    >>> problem = Problem(pg.models.load("start-matters"), pg.SoftmaxPolicy(2, 2), [[0.0, 0.0], [0.0, 0.0]])
    >>> problem.conditioning.round(9), problem.complete
    (np.float64(10.0), True)
    """

    kind = "finite"
    code = "the policy's code"

    def __init__(self, mdp, policy, theta, rng=0, *, complete=None):
        theta = read_only(np.array(one_theta(policy, theta)))   # a policy that writes into it is found out
        self.mdp, theta = _in_one_field(mdp, theta)
        super().__init__(policy, theta, solve(self.mdp, _steady(policy, theta, self.mdp)), rng, complete)
        self.pi = self.solution.pi

    @property
    def gamma(self):
        """The discount, in the arithmetic of the solution."""
        return self.solution.mdp.gamma

    @property
    def rho(self):
        """(S,) start distribution, in the arithmetic of the solution."""
        return self.solution.mdp.rho

    @property
    def weights(self):
        """(S, A): Q, the slope of sum_a pi Q in the probabilities."""
        return self.solution.Q

    @property
    def terminal(self):
        """(S,) bool."""
        return self.mdp.terminal

    @property
    def actions_in_words(self) -> dict:
        """What a report says of the actions."""
        return {"n_actions": self.mdp.n_actions}

    @property
    def walk(self):
        """(mdp, pi)."""
        return self.mdp, self.pi

    def pi_at(self, theta):
        """(..., S, A): probabilities at a stack of parameters, one call or one at a time."""
        if self.policy.vectorized or theta.ndim == self.theta.ndim:
            return np.asarray(self.policy.probabilities(theta))
        return np.stack([self.policy.probabilities(one) for one in theta])

    def V_at(self, theta):
        """(..., S): the value at a stack of parameters, on the simplex or off it."""
        pi = self.pi_at(theta)
        if pi.ndim > 2 and scipy.sparse.issparse(self.mdp.P):
            return np.stack([evaluate(self.mdp, one).V for one in pi])
        return evaluate(self.mdp, pi).V

    def J_at(self, theta, horizon: int):
        """(...): J of the problem that ends after ``horizon`` steps, by the backward recursion, at a stack of parameters."""
        return evaluate_horizon(self.mdp, self.pi_at(theta), horizon).J

    def certified(self, name: str) -> float:
        """See :class:`AnyProblem`; 0 in exact arithmetic."""
        return float(self.solution.error_bounds[name])

    def certified_gradient(self, gradient) -> float:
        """See :class:`AnyProblem`; 0 in exact arithmetic. Gradients along random directions have none."""
        return gradient_bound(self.solution, self.policy, self.theta, gradient) if self.complete else np.inf

    probe = pi_at   # what must follow a complex step for V to follow it

    @property
    def _width(self) -> int:
        return self.mdp.n_states + self.mdp.n_actions

    @cached_property
    def _size_of_rewards(self):
        return (self.pi * abs(self.solution.mdp.r)).sum(axis=-1)

    @cached_property
    def _source_scale(self) -> float:
        Q = float(np.max(np.abs(np.asarray(self.solution.Q, dtype=float))))
        slopes = self.slope_scale if self.exact else self.slope_scale + self._slope_error / self.unit
        return max(Q, self.value_scale) * slopes

    @cached_property
    def _slope_error(self) -> float:
        """Error of sum_a |grad pi(a|s)| where the policy's own derivatives are finite differences."""
        return self.mdp.n_actions * self.policy.jacobian_error(self.theta)

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
    """(mdp, theta) over one field of rational functions in factored form, where they are symbolic and allow it."""
    kinds = (mdp.arithmetic, as_array(theta)[1])
    if not any(kind.symbolic for kind in kinds) or not all(kind.exact or kind == INTEGER for kind in kinds):
        return mdp, theta
    arithmetic = join(*kinds)
    if arithmetic == EXPRESSION:
        arithmetic = rational_field(mdp.P, mdp.R, mdp.gamma, mdp.rho, theta)
        if arithmetic is None:
            return mdp, theta
    arithmetic = factored(arithmetic)
    return mdp.rewritten(arithmetic), arithmetic.convert(theta)


def _steady(policy, theta, mdp):
    """pi at theta; :class:`InvalidPolicyError` where two calls disagree, or theta is written into."""
    try:
        pi = np.asarray(policy.probabilities(theta))
        again = pi if policy.vectorized else np.asarray(policy.probabilities(theta))
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        raise InvalidPolicyError(f"{policy!r} writes into theta: probabilities(theta) must leave its argument alone") from None
    if pi.shape != (mdp.n_states, mdp.n_actions):
        raise InvalidPolicyError(f"{policy!r} gives probabilities of shape {pi.shape}: the model has {mdp.n_states} states and "
                                 f"{mdp.n_actions} actions")
    if pi.shape != again.shape or not np.all((pi == again) | (pi != pi)):
        raise InvalidPolicyError(f"{policy!r} gives two answers at one theta: is it random, or does it keep state?")
    return pi
