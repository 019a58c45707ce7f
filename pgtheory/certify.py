r"""Certified bounds on the errors of a float64 :class:`~pgtheory.solution.Solution`.

The exact answer is that of the very floats stored in P, R, gamma, rho and pi, whose rows need not sum to exactly 1. With
:math:`M = I - \gamma P_\pi` and a computed V the residual :math:`b = r_\pi - M V` is formed in twice the precision, every
rounding counted. Then

1. :math:`z \approx M^{-1} b`, from the factorisation at hand, is nearly the error itself;
2. :math:`V + z` has the much smaller residual b', and its error is at most :math:`|M^{-1}|\, |b'|`;
3. :math:`|M^{-1}| \le N = \sum_k (\gamma |P_\pi|)^k`, and where some :math:`x > 0` has
   :math:`y = x - \gamma |P_\pi| x > 0`, an M-matrix argument gives :math:`N |b'| \le x \max_s |b'_s| / y_s`. The x tried is
   the computed :math:`M^{-1} 1`, and y is bounded from below in twice the precision.

So V lies within :math:`|z| + x \max |b'|/y`. The adjoint system for d has the same N: its error is at most
:math:`\sum_s |b'_s| x_s / \min y` in the 1-norm. Q, D and J follow by their formulas from V + z and d + z.
What cannot be certified (no such x, overflow, complex entries) has the bound infinity.

Source: Berman & Plemmons, *Nonnegative Matrices in the Mathematical Sciences*, 1994, chapter 6 (M-matrices); Rump,
*Verification methods*, Acta Numerica 19 (2010), section 10 (residuals and approximate inverses).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
import scipy.sparse

from .arithmetic.balls import Balls
from .arithmetic.twofold import UNIT, Twofold, correction, row_products, times_matrix, two_sum, upper_product, upward


def error_bounds(solution) -> Mapping:
    """Bounds on the largest |computed - exact| of "V", "Q", "d", "D", "J"; each computed when it is first asked for.

    Floats; for a batch of policies arrays of the batch's shape; 0 in exact arithmetic, the radius in balls; infinity where nothing can be
    certified. V, Q and J in reward units. "D" raises :class:`UndefinedError` at gamma = 1.

    >>> import pgtheory as pg
    >>> from pgtheory.certify import error_bounds
    >>> mdp = pg.MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [1.0, 2.0], 0.5, 0)
    >>> bounds = error_bounds(pg.solve(mdp, [[1.0], [1.0]]))
    >>> sorted(bounds), bounds["V"] < 1e-15
    (['D', 'J', 'Q', 'V', 'd'], True)
    """
    return ErrorBounds(solution)


def neighbourhood(solution, slack) -> tuple[Balls, Balls]:
    r"""(Q, d) of one float64 solution, enclosed for every policy within ``slack`` (S, A) of its pi; radii may be infinite.

    V' of a policy pi' obeys :math:`V' - V = (I - \gamma P_{\pi'})^{-1} \sum_a (\pi' - \pi)(a|\cdot)\, Q(\cdot, a)`, and
    d' likewise; the M-matrix argument holds for all of them, with y lessened by what the slack can add to
    :math:`\gamma |P_\pi| x`. Source: Kakade & Langford, ICML 2002, lemma 6.1 (the difference of two policies).

    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.certify import neighbourhood
    >>> mdp = pg.MDP([[[1.0], [1.0]]], [[1.0, 0.0]], 0.5, 0)
    >>> Q, d = neighbourhood(pg.solve(mdp, [[0.5, 0.5]]), np.full((1, 2), 0.01))
    >>> bool(0.02 < Q.rad[0, 0] < 0.03), bool(d.rad[0] < 0.1)
    (True, True)
    """
    near = neighbourhood_of(solution, slack)
    return near.Q, near.d


def neighbourhood_of(solution, slack) -> Neighbourhood:
    """The same, with what bounds the error of any other system that these policies solve."""
    return _Certificate(solution, solution.V, solution.d).nearby(slack)


class Neighbourhood:
    r"""Q and d of every policy near one, enclosed, and the x, y > 0 with :math:`x - \gamma |P_{\pi'}| x \ge y` for all of them."""

    def __init__(self, Q: Balls, d: Balls, x, y, inside):
        self.Q, self.d, self._x, self._y, self._inside = Q, d, x, y, inside

    def off(self, residual) -> float:
        """At least |X - exact| for an X (S, n) whose residual is at most that (S, n) in absolute value; infinity where unknown."""
        with np.errstate(all="ignore"):
            worst = np.max(upward(residual[self._inside] / self._y[:, None]), axis=0, initial=0.0)
            largest = float(np.max(upward(np.max(self._x, initial=0.0) * worst), initial=0.0))
        return largest if largest >= 0 else np.inf


class ErrorBounds(Mapping):
    """The mapping that :func:`error_bounds` returns."""

    def __init__(self, solution):
        self._solution = solution
        self._known = {}

    def __getitem__(self, name):
        if name not in ("V", "Q", "d", "D", "J"):
            raise KeyError(name)
        if name not in self._known:
            self._known[name] = self._bound(name)
        return self._known[name]

    def __iter__(self):
        return iter(("V", "Q", "d", "J") if self._solution.mdp.gamma == 1 else ("V", "Q", "d", "D", "J"))

    def __len__(self):
        return len(list(iter(self)))

    def __contains__(self, name):
        return name in tuple(self)

    def __repr__(self):
        return f"ErrorBounds({dict(self)})"

    def _bound(self, name):
        computed = getattr(self._solution, name)
        batch = self._solution.pi.shape[:-2]
        if self._solution.arithmetic.enclosing:
            return np.array([x.rad for x in np.asarray(computed).flat]).reshape(batch + (-1,)).max(axis=-1)[()]
        if self._solution.arithmetic.exact:
            return np.zeros(batch, dtype=int) if batch else 0
        if not batch:
            return self._certificates[0].bound(name, computed)
        each = np.reshape(computed, (len(self._certificates),) + np.shape(computed)[len(batch):])
        return np.reshape([c.bound(name, one) for c, one in zip(self._certificates, each, strict=True)], batch)

    @cached_property
    def _certificates(self):
        whole = self._solution
        if whole.pi.ndim == 2:
            return [_Certificate(whole, whole.V, whole.d)]
        S, A = whole.pi.shape[-2:]
        solved = [type(whole)(whole.mdp, pi, whole.arithmetic) for pi in whole.pi.reshape(-1, S, A)]
        return [_Certificate(*one) for one in zip(solved, whole.V.reshape(-1, S), whole.d.reshape(-1, S), strict=True)]


class _Certificate:
    """V and d of one policy with their corrections, and how much they leave unknown.

    ``V``, ``Q``, ``d``, ``D`` and ``J`` are pairs (center, radius): the exact value lies within radius of the center. The
    solution lends its factorisation, which need not be accurate: only residuals are believed.
    """

    def __init__(self, solution, V, d):
        self._solution = solution
        self._mdp, self._pi, self._P = solution.mdp, solution.pi, solution.mdp.kernel.rows
        self._inside = ~solution.mdp.terminal if solution.mdp.gamma == 1 else np.ones(len(V), dtype=bool)
        self._V, self._d = (np.where(self._inside, x, 0.0) for x in (V, d))     # exact values of states that left the system

    def bound(self, name, computed) -> float:
        """At least the largest entry of |computed - exact|."""
        if np.iscomplexobj(self._pi):
            return np.inf
        with np.errstate(all="ignore"):
            center, radius = getattr(self, name)
            distance = upward((Twofold.of(computed) - center).magnitude + radius)
            largest = float(np.max(distance))
        return largest if largest >= 0 else np.inf      # what is not a number bounds nothing

    @cached_property
    def V(self):
        r, V = _expected_rewards(self._mdp), Twofold.of(self._V)
        Q = r + self._table(times_matrix(self._P, V))
        b = self._residual(Q, V)
        z = self._solve(b.value)
        V = V + Twofold.of(z)
        self._Q = Q + self._table(correction(self._P, z, 0 * z))
        rest = self._residual(self._Q, V).magnitude
        x, y = self._weights
        return V, upward(x * np.max(rest[self._inside] / y, initial=0.0))

    @property
    def Q(self):
        _, radius = self.V
        return self._Q, upward(self._mdp.gamma * upper_product(self._P, radius)).reshape(self._pi.shape)

    @property
    def J(self):
        V, radius = self.V
        rho = self._mdp.rho[None, :]
        return times_matrix(rho, V)[0], upper_product(rho, radius)[0]

    @cached_property
    def d(self):
        d, P = Twofold.of(self._d), self._P.T
        P = P.tocsr() if scipy.sparse.issparse(P) else P
        visits = Twofold.of(self._d[:, None]).times(self._pi)
        b = Twofold.of(self._mdp.rho) + self._discounted(times_matrix(P, visits.reshape(-1))) - d
        z = self._solve(b.value, transpose=True)
        moved = z[:, None] * self._pi
        b = b + self._discounted(correction(P, moved.reshape(-1), upward(UNIT * abs(moved)).reshape(-1))) - Twofold.of(z)
        x, y = self._weights
        rest = b.magnitude[self._inside]
        return d + Twofold.of(z), upper_product(x[None, self._inside], rest)[0] / np.min(y, initial=np.inf)

    @property
    def D(self):
        d, radius = self.d
        high, low = two_sum(1.0, -self._mdp.gamma)
        return d.times(high) + d.times(low), upward(high * radius)

    @cached_property
    def _weights(self):
        """x (S,) >= 0, and for the states that are not terminal a lower bound y > 0 of x - gamma |P_pi| x; or infinity."""
        x = self._solve(np.ones(len(self._V)))
        met = self._table(times_matrix(self._P, Twofold.of(x)))
        y = Twofold.of(x) - met.times(abs(self._pi)).sum()
        y = (y.value - upward(y.err + UNIT * abs(y.value)))[self._inside]
        if np.all(x[self._inside] > 0) and np.all(y > 0):
            return x, y
        return np.full_like(x, np.inf), np.ones_like(y)

    def nearby(self, slack) -> Neighbourhood:
        """What holds of every policy within ``slack``."""
        (Q, wide_Q), (d, wide_d), (x, y) = self.Q, self.d, self._weights
        inside, gamma, P = self._inside, self._mdp.gamma, self._P
        slack = np.where(inside[:, None], upward(slack), 0.0)
        y = y - upward(gamma * (slack * upper_product(P, x).reshape(slack.shape)).sum(axis=1) * (1 + slack.shape[1] * UNIT))[inside]
        y = np.where(y > 0, y - 2 * UNIT * y, np.nan)
        change = upward((slack * upward(Q.magnitude + wide_Q)).sum(axis=1) * (1 + slack.shape[1] * UNIT))
        wide_V = upward(x * np.max(change[inside] / y, initial=0.0))
        wide_Q = wide_Q + upward(gamma * upper_product(P, wide_V)).reshape(slack.shape)
        moved = upward(gamma * upper_product(P.T, (upward(d.magnitude + wide_d)[:, None] * slack).reshape(-1)))
        wide_d = wide_d + upward(upper_product(x[None, inside], moved[inside])[0] / np.min(y, initial=np.inf))
        Q, d = Balls(Q.value, _with_rounding(Q, wide_Q)), Balls(d.value, _with_rounding(d, wide_d))
        return Neighbourhood(Q, d, x, y, inside)

    def _solve(self, b, transpose=False):
        """About M^-1 b, in whose place anything finite would do."""
        return self._solution.resolvent(np.where(np.isfinite(b) & self._inside, b, 0.0), transpose)

    def _residual(self, Q, V):
        """sum_a pi Q - V."""
        return Q.times(self._pi).sum() - V

    def _discounted(self, x):
        return x.times(self._mdp.gamma)

    def _table(self, x):
        return self._discounted(x).reshape(self._pi.shape)


def _with_rounding(center: Twofold, radius):
    """The radius around the nearest float of the center."""
    return upward(np.broadcast_to(radius, center.hi.shape) + center.err + UNIT * abs(center.value))


def _expected_rewards(mdp) -> Twofold:
    """(S, A) sum_s' P R."""
    S, A, R = mdp.n_states, mdp.n_actions, mdp.R
    if scipy.sparse.issparse(R):
        P, R = _common_pattern(mdp.P, R)
        return row_products(P, R).reshape((S, A))
    if R.ndim == 3:
        return row_products(mdp.kernel.rows, R.reshape(S * A, S)).reshape((S, A))
    return Twofold.of(mdp.r)


def _common_pattern(P, R):
    """P and R (csr) where both are non-zero, entry beside entry."""
    R = scipy.sparse.csr_array((P != 0).multiply(R))
    P = scipy.sparse.csr_array((R != 0).multiply(P))
    for each in (P, R):
        each.sort_indices()
    return P, R
