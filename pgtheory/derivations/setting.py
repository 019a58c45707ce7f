r"""Where a derivation is checked: a model, a policy, theta, and k, with the quantities that its lines speak of.

What a line compares is computed twice by different means. Besides the library's own solve there are here: the state laws by
walking every path, powers of P_pi, action values from the chain of pairs (s, a), and derivatives that know no theorem.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import scipy.sparse

from ..arithmetic import EPS, as_array, factorize, join, nonzero, plus_identity
from ..differentiate import complex_step, exact_derivative, ladder, symbolic_derivative
from ..horizon import powers
from ..problems.finite import Problem
from ..routes import complex_step as analytic_route
from ..routes.left import Left
from ..solution import evaluate

MOST_WALKS = 5000


class Setting:
    """A problem and the number k of steps, for the lines of a derivation.

    Attributes
    ----------
    problem : Problem; pi (S, A), gamma, arithmetic and exact are its
    k : int, how many steps are unrolled
    P, R : (S, A, S) dense, whatever the model holds
    P_pi : (S, S), r_pi : (S,) the chain under pi

    >>> import pgtheory as pg
    >>> from pgtheory.derivations.instance import instance
    >>> setting = instance()
    >>> setting.state_laws(1)[1].tolist()
    [[Fraction(1, 3), Fraction(2, 3)], [Fraction(5, 9), Fraction(4, 9)]]
    """

    def __init__(self, problem: Problem, k: int):
        mdp = problem.solution.mdp
        self._hold(problem, k, problem.pi, _dense(mdp.P, mdp.n_states), _transition_rewards(mdp))

    def _hold(self, problem, k, pi, P, R):
        self.problem, self.k = problem, k
        self.pi, self.gamma, self.solution = pi, problem.gamma, problem.solution
        self.arithmetic, self.exact = problem.arithmetic, problem.exact
        self.S, self.A = pi.shape
        self.P, self.R = P, R
        self.P_pi = (self.pi[:, :, None] * self.P).sum(axis=1)
        self.r = (self.P * self.R).sum(axis=2)
        self.r_pi = (self.pi * self.r).sum(axis=1)
        self._grads: dict[str, Left] = {}
        self.alive = ~problem.terminal if self.gamma == 1 else np.ones(self.S, dtype=bool)

    def number(self, x):
        """An integer in the arithmetic of the problem."""
        return self.arithmetic.number(x)

    def filled(self, shape, x):
        """An array of the integer ``x``, in the arithmetic of the problem."""
        return self.arithmetic.zeros(shape) + self.number(x)

    def discounts(self, n: int):
        """(n,) 1, gamma, gamma^2, ..."""
        return powers(self.gamma, n, self.arithmetic)

    # ------------------------------------------------------------------ laws and values, by walking and by powers

    def state_laws(self, t: int):
        """(t+1, S, S) Pr(s -> x, j, pi) for j = 0..t, as powers of P_pi."""
        laws = self.arithmetic.zeros((t + 1, self.S, self.S))
        laws[0] = plus_identity(laws[0])
        for j in range(t):
            laws[j + 1] = laws[j] @ self.P_pi
        return laws

    @cached_property
    def walks(self) -> list:
        """[steps][walk]: every walk of 0, 1, ... up to k steps, as (start, end, probability, discounted reward).

        Fewer than k steps where there would be more than MOST_WALKS walks.
        """
        found = [[(s, s, self.number(1), self.number(0)) for s in range(self.S)]]
        discounts = self.discounts(self.k + 1)
        edges = [[(y, self.pi[x, a] * self.P[x, a, y], self.R[x, a, y]) for a in range(self.A) for y in range(self.S)
                  if self.P[x, a, y] != 0 and self.pi[x, a] != 0] for x in range(self.S)]
        while len(found) <= self.k and sum(len(edges[x]) for _, x, _, _ in found[-1]) <= MOST_WALKS:
            discount = discounts[len(found) - 1]
            found.append([(s, y, p * q, G + r * discount) for s, x, p, G in found[-1] for y, q, r in edges[x]])
        return found

    def walked_laws(self) -> Left:
        """(t+1, S, S) Pr(s -> x, j, pi), the probabilities of the walks from s to x added up."""
        laws = self.arithmetic.zeros((len(self.walks), self.S, self.S))
        for j, walks in enumerate(self.walks):
            for s, x, p, _ in walks:
                laws[j, s, x] += p
        return Left(laws, self._walking_error())

    def walked_values(self) -> Left:
        """(t+1, S): probability times discounted reward, over the walks of j steps from s."""
        values = self.arithmetic.zeros((len(self.walks), self.S))
        for j, walks in enumerate(self.walks):
            for s, _, p, G in walks:
                values[j, s] += p * G
        return Left(values, 0 if self.exact else self._walking_error() * float(abs(self.R).max()) * len(self.walks))

    def _walking_error(self):
        """Rounding of a sum of so many products of so many factors, the products adding up to 1."""
        return 0 if self.exact else EPS * (len(self.walks[-1]) + 3 * len(self.walks))

    def partial_values(self, t: int):
        """(t+1, S): sum_{i<j} gamma^i (P_pi^i r_pi)(s), j = 0..t."""
        terms = (self.state_laws(t)[:-1] @ self.r_pi) * self.discounts(t)[:, None]
        return np.concatenate([self.arithmetic.zeros((1, self.S)), np.cumsum(terms, axis=0)])

    # ------------------------------------------------------------------ the chain in which an end state is left out

    @cached_property
    def step_matrix(self):
        """(S, S) gamma P_pi; at gamma = 1 without the terminal states, where V and d are 0."""
        both = self.alive[:, None] & self.alive[None, :]
        return np.where(both, self.P_pi * self.gamma, self.arithmetic.zeros((self.S, self.S)))

    def power(self, k: int):
        """(S, S) the step matrix to the power k."""
        out = plus_identity(self.arithmetic.zeros((self.S, self.S)))
        for _ in range(k):
            out = out @ self.step_matrix
        return out

    @property
    def start(self):
        """(S,) rho; at gamma = 1 without its part in terminal states."""
        return np.where(self.alive, self.problem.rho, self.arithmetic.zeros(self.S))

    def contraction(self):
        """gamma^k; at gamma = 1, the largest probability of being under way after k steps."""
        if self.gamma == 1:
            return max(self.power(self.k) @ self.filled(self.S, 1))
        return self.discounts(self.k + 1)[-1]

    def pair_values(self, pi):
        r"""(S, A) Q as the value of the chain of pairs: (s, a) -> (s', a') with probability P(s'|s,a) pi(a'|s')."""
        n = self.S * self.A
        both = self.alive[:, None] & self.alive[None, :]
        M, arithmetic = as_array(self._pair_chain(both, pi * -self.gamma).reshape(n, n))
        factor = factorize(plus_identity(M), arithmetic)
        return factor.solve(arithmetic.convert(self.r.reshape(n))).reshape(self.S, self.A)

    def _pair_chain(self, both, pi):
        """(S, A, S, A) P(s'|s,a) pi(a'|s') where ``both`` states take part; exact numbers along the non-zero pattern of P."""
        if not self.exact:
            return np.where(both[:, None, :], self.P, 0.0)[:, :, :, None] * pi
        out = join(self.arithmetic, as_array(pi)[1]).zeros(self.P.shape + (self.A,))
        for s, a, t in np.argwhere(both[:, None, :] & nonzero(self.P)):
            out[s, a, t] = pi[t] * self.P[s, a, t]
        return out

    @cached_property
    def Q_of_pairs(self) -> Left:
        """(S, A) Q from the chain of pairs at theta."""
        return Left(self.pair_values(self.pi), 0 if self.exact else self.A * self.problem.unit * self.problem.value_scale)

    # ------------------------------------------------------------------ derivatives that know no theorem

    def derivative(self, f, size=lambda: 1.0, slope=lambda: 1.0) -> Left:
        """f's shape + (n,): d f(theta) / d theta, by dual numbers, by the field's derivation or by complex steps.

        ``f`` maps theta to an array. In floating point ``size()`` and ``slope()`` are the sizes of the terms of f and of
        its derivative before they cancel; policies whose code is not analytic take a ladder of differences.
        """
        problem = self.problem
        policy, theta, along = problem.policy, problem.theta, problem.directions
        if self.arithmetic.symbolic:
            slopes = symbolic_derivative(f(theta), theta, logarithmic=policy.logarithmic)
            return Left(slopes.reshape(slopes.shape[:slopes.ndim - theta.ndim] + (-1,)), 0)
        if self.exact:
            return Left(np.stack([exact_derivative(f, policy.step, theta, u) for u in along], axis=-1), 0)
        if self._analytic:
            columns = [complex_step(f, policy.step, theta, u) for u in along]
            return Left(np.stack(columns, axis=-1), problem.unit * slope())
        start = 0.5 * max(1.0, float(np.abs(theta).max(initial=0.0)))
        noise = problem.unit * size() + EPS * float(np.abs(theta).max(initial=0.0)) * slope()
        found = ladder(lambda h: np.stack([f(policy.step(theta, u, h)) for u in along], axis=-1), noise, start)
        return Left(found.value, found.error)

    @cached_property
    def _analytic(self):
        return analytic_route.is_analytic(self.problem)

    def grad(self, quantity: str) -> Left:
        r"""Derivative of "pi" (S, A, n), "V" (S, n), "J" (n,), and of "Q" (S, A, n) and "sum_a pi Q" (S, n) of the pairs."""
        if quantity not in self._grads:
            self._grads.update(self._differentiated(quantity))
        return self._grads[quantity]

    def _differentiated(self, quantity) -> dict[str, Left]:
        """The derivative asked for, and those that come with it."""
        if quantity == "pi":
            return {"pi": self.derivative(self.problem.policy.probabilities, slope=self.slope_size)}
        if quantity == "V":
            return {"V": self._through_pi(lambda pi: evaluate(self.problem.mdp, pi).V)}
        if quantity == "J":
            return {"J": self._through_pi(self._visited_rewards)}
        both = self._through_pi(self._pairs_and_mean)
        error = both.error * self.A   # the chain of pairs has S A states where the rounding unit counts S
        return {"Q": Left(both.value[:, :-1], error), "sum_a pi Q": Left(both.value[:, -1], error)}

    def slope_size(self) -> float:
        """Size of derivatives of probabilities."""
        return max(self.problem.slope_scale, 1.0)

    def _through_pi(self, f) -> Left:
        """Derivative of a function of the probabilities that has the size of V."""
        return self.derivative(lambda theta: f(self.problem.policy.probabilities(theta)),
                               lambda: self.problem.value_scale, lambda: self.problem.gradient_scale)

    def _pairs_and_mean(self, pi):
        """(S, A+1) Q from the chain of pairs, and behind it sum_a pi(a|s) Q(s, a)."""
        Q = self.pair_values(pi)
        return np.concatenate([Q, (pi * Q).sum(axis=1, keepdims=True)], axis=1)

    def _visited_rewards(self, pi):
        """() J as sum_x d(x) r_pi(x): the start vector pushed through the transposed system, V unknown."""
        return evaluate(self.problem.mdp, pi).d @ (pi * self.r).sum(axis=1)

    @cached_property
    def jacobian(self):
        """(S, A, n) grad pi by the policy's own formula."""
        return self.problem.along(self.problem.policy.jacobian(self.problem.theta))

    @cached_property
    def jacobian_error(self) -> float:
        """Error of :attr:`jacobian` beyond rounding: 0, but for policies that are differentiated by differences."""
        if self.exact or self.problem.policy.differentiated_by(self.problem.theta) != "finite differences":
            return 0.0
        return float(self.grad("pi").error)

    @property
    def rounding(self) -> float:
        """Relative rounding error of a side: no side multiplies by P_pi more than k + 1 times after its solve."""
        return (self.k + 1) * self.problem.unit

    def derivative_error(self) -> float:
        """Error of a side that averages derivatives of V, Q or J, or sums grad pi Q over discounted visits."""
        if self.exact:
            return 0.0
        visited = float(self.problem.conditioning) * self.A * self.problem.value_scale
        return max((float(left.error) for left in self._grads.values()), default=0.0) + self.jacobian_error * visited

    @cached_property
    def source(self):
        """(S, n) phi(s) = sum_a grad pi(a|s) Q(s, a), with the library's Q."""
        return (self.jacobian * self.solution.Q[:, :, None]).sum(axis=1)

    def remainder(self, k: int):
        """(S, n) gamma^k sum_x Pr(s -> x, k, pi) grad V(x)."""
        return (self.state_laws(k)[k] @ self.grad("V").value) * self.discounts(k + 1)[k]


def _dense(P, S):
    return P.toarray().reshape(S, -1, S) if scipy.sparse.issparse(P) else P


def _transition_rewards(mdp):
    """(S, A, S) rewards, whatever shape the model states them in."""
    S, A = mdp.n_states, mdp.n_actions
    R = mdp.R
    if scipy.sparse.issparse(R):
        return R.toarray().reshape(S, A, S)
    return np.broadcast_to(R.reshape(R.shape + (1,) * (3 - R.ndim)), (S, A, S))
