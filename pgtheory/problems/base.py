"""What problems on finite and on continuous actions have in common: directions of comparison, conditioning, scales."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from ..arithmetic import EPS

SWEEP_FLOPS = 4e9        # complex steps along every coordinate cost about 8/3 n S^3; beyond this, random directions
N_DIRECTIONS = 16        # random directions then: a wrong gradient is orthogonal to all of them with probability 0
LARGE_STATES = 20_000    # from here on every direction costs seconds, and a quarter of them must do


class AnyProblem:
    """What problems on finite and on continuous actions have in common.

    Attributes
    ----------
    kind : "finite", "deterministic" or "density", the kind of policy; a claim says for which kinds it is made
    code : str, whose code routes differentiate through
    mdp, policy, theta, solution, arithmetic : as of :class:`pgtheory.problems.finite.Problem`
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
    def undefined(self) -> str | None:
        """Why there is no value, or None where there is one."""
        return None

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
        if self.undefined:
            return float("inf")
        ones = self.arithmetic.zeros(self.mdp.n_states) + self.arithmetic.number(1)
        return max(self.solution.resolvent(ones)) if self.exact else np.max(self.solution.resolvent(ones))

    @cached_property
    def unit(self) -> float:
        """Relative rounding error of one solve, the policy and the products together.

        Gaussian elimination of an S x S row diagonally dominant matrix has backward error at most about 6 S u |L||U|
        (Higham 2002, theorem 9.4 with growth 2); products over S, A add that many roundings; exp at a logit of size t
        loses t u. The conditioning turns backward into forward error. Where nothing is solved, or every state is terminal at
        gamma = 1 and the conditioning is 0, it is the policy's alone.
        """
        if self.exact:
            return 0.0
        size = self._width + float(np.max(np.abs(self.theta), initial=0.0))
        return (8 * EPS * (size + 8) + self._model_error) * (1.0 if self.undefined else max(1.0, float(self.conditioning)))

    def certified(self, name: str) -> float:
        """Bound on the error of the solution's "V", "Q" or "d" that rests on residuals; infinity where there is none."""
        return np.inf

    def certified_gradient(self, gradient) -> float:
        """Bound on the error of a gradient of J, of theta's shape, that counts every rounding; infinity where there is none."""
        return np.inf

    def certified_recursion(self, source, grad_V) -> tuple[float, float]:
        """Bounds on the error of source + gamma P_pi grad V at a given grad V, and on that of ``grad_V``, where there are any."""
        return np.inf, np.inf

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
        if self.arithmetic.symbolic or self.undefined:
            return float("nan")
        return float(max(self.solution.resolvent(self._size_of_rewards)))

    @cached_property
    def gradient_scale(self) -> float:
        """Size of the gradient before its terms cancel: conditioning times what one state adds to it."""
        if self.arithmetic.symbolic or self.undefined:
            return float("nan")
        return float(self.conditioning) * self._source_scale
