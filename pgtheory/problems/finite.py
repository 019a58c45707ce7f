r"""One problem: a model, a policy and its parameters, with what claims and routes both need of it.

Claims (what a theorem says) and routes (what differentiation, series and simulation say without knowing the theorem) share
the model, pi(theta) and the linear solve; this is where they share them, solved once.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import scipy.sparse

from ..arithmetic import EXPRESSION, INTEGER, as_array, factored, join, rational_field
from ..errors import InvalidPolicyError
from ..gradient_bounds import enclosure
from ..horizon import evaluate_horizon
from ..policies import one_theta
from ..solution import evaluate
from ..validation import read_only
from .base import AnyProblem
from .tangent import row_sum_slopes, stretch, tangent_directions
from .unsolved import solved_or_not


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
        theta = read_only(np.array(one_theta(policy, theta, mdp)))   # a policy that writes into it is found out
        self.mdp, theta = _in_one_field(mdp, theta)
        super().__init__(policy, theta, solved_or_not(self.mdp, _steady(policy, theta, self.mdp)), rng, complete)
        self.pi = self.solution.pi

    @property
    def undefined(self) -> str | None:
        """Why there is no value without horizon (gamma = 1, and some state never ends), or None where there is."""
        return getattr(self.solution, "reason", None)

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

    @cached_property
    def _row_sums(self):
        """(S, A): what moves the sums of the rows of pi; None where nothing does, or where it is not known row by row."""
        if self.policy.normalised or not self.policy.tabular:
            return None
        return row_sum_slopes(self.policy, self.theta, self.arithmetic)

    @cached_property
    def tangent(self):
        """(n,) + theta.shape: the directions of comparison, turned into the simplex; None where all of them lie in it."""
        return None if self._row_sums is None else tangent_directions(self.directions, self._row_sums)

    @cached_property
    def tangent_scale(self) -> float:
        """As :attr:`slope_scale`, along :attr:`tangent`."""
        return self.slope_scale if self._row_sums is None or self.exact else self.slope_scale * stretch(self._row_sums)

    def along_simplex(self, gradient):
        """(..., n): a gradient (..., *theta.shape) in the directions of comparison, turned into the simplex."""
        if self.tangent is None:
            return self.along(gradient)
        n = len(self.tangent)
        return gradient.reshape(gradient.shape[:gradient.ndim - self.theta.ndim] + (-1,)) @ self.tangent.reshape(n, -1).T

    def J_at(self, theta, horizon: int):
        """(...): J of the problem that ends after ``horizon`` steps, by the backward recursion, at a stack of parameters."""
        return evaluate_horizon(self.mdp, self.pi_at(theta), horizon).J

    def certified(self, name: str) -> float:
        """See :class:`AnyProblem`; 0 in exact arithmetic."""
        return float(self.solution.error_bounds[name])

    def certified_gradient(self, gradient) -> float:
        """See :class:`AnyProblem`; 0 in exact arithmetic."""
        if self.exact or self._enclosure is None:
            return 0.0 if self.exact else np.inf
        return self._enclosure.off(gradient if self.complete else self.along(gradient))

    def certified_recursion(self, source, grad_V) -> tuple[float, float]:
        """Bounds on the error of source + gamma P_pi grad V at a given grad V, and on that of a ``grad_V`` (S, n)."""
        if self.exact or self._enclosure is None:
            return (0.0, 0.0) if self.exact else (np.inf, np.inf)
        return self._enclosure.step_off(source, grad_V), self._enclosure.value_off(grad_V)

    @cached_property
    def _enclosure(self):
        return enclosure(self.solution, self.policy, self.theta, None if self.complete else self.directions)

    probe = pi_at   # what must follow a complex step for V to follow it

    @property
    def _width(self) -> int:
        return self.mdp.n_states + self.mdp.n_actions

    @cached_property
    def _size_of_rewards(self):
        return (self.pi * self._size_of_action_rewards).sum(axis=-1)

    @cached_property
    def _size_of_action_rewards(self):
        """(S, A) sum_s' P |R|: what r is made of before its terms cancel."""
        mdp = self.solution.mdp
        by_next = mdp.R.ndim == 3 or scipy.sparse.issparse(mdp.R)
        return mdp.kernel.weigh(abs(mdp.R)) if by_next else abs(mdp.r)

    @cached_property
    def _source_scale(self) -> float:
        slopes = self.slope_scale if self.exact else self.slope_scale + self._slope_error / self.unit
        return self.action_value_scale * slopes

    @cached_property
    def action_value_scale(self) -> float:
        """Size of Q: that of V, or larger where an action that is hardly taken earns much."""
        if self.arithmetic.symbolic or self.undefined:
            return float("nan")
        sizes = np.abs(self.solution.Q), self._size_of_action_rewards
        return max(self.value_scale, *(float(np.max(np.asarray(size, dtype=float))) for size in sizes))

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
