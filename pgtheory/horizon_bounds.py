r"""Certified bounds on the errors of a float64 :class:`~pgtheory.horizon.FiniteHorizonSolution`.

The exact answer is that of the very floats stored in P, R, gamma, rho and pi. The backward and the forward pass are made once
more in twice the precision, each number with a bound on its own error in which every rounding of every step is counted (see
:mod:`pgtheory.arithmetic.twofold`). A computed number is then off by no more than its distance from that one, plus the bound.
There is nothing to invert, and so no condition under which this fails but overflow; complex entries have the bound infinity.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
import scipy.sparse

from .arithmetic.twofold import Twofold, times_matrix, upward
from .certify import _expected_rewards

NAMES = ("V", "Q", "state_distribution", "J")


class HorizonBounds(Mapping):
    """At least the largest |computed - exact| of "V", "Q", "state_distribution", "J"; computed when it is first asked for.

    Floats, in reward units or probabilities; for a batch of policies arrays of the batch's shape; 0 in exact arithmetic.

    >>> import pgtheory as pg
    >>> mdp = pg.MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [0.1, 0.2], 0.9, 0)
    >>> bounds = HorizonBounds(pg.solve(mdp, [[1.0], [1.0]], horizon=5))
    >>> 0 < bounds["V"] < 1e-15, bounds["state_distribution"] < 1e-30      # halves are exact
    (True, True)
    """

    def __init__(self, solution):
        self._solution, self._known = solution, {}

    def __getitem__(self, name):
        if name not in NAMES:
            raise KeyError(name)
        if name not in self._known:
            self._known[name] = self._bound(name)
        return self._known[name]

    def __iter__(self):
        return iter(NAMES)

    def __len__(self):
        return len(NAMES)

    def __repr__(self):
        return f"HorizonBounds({dict(self)})"

    def _bound(self, name):
        solution, computed = self._solution, np.asarray(getattr(self._solution, name))
        batch = solution.pi.shape[:-2]
        if solution.arithmetic.enclosing:
            return np.array([x.rad for x in computed.flat]).reshape(batch + (-1,)).max(axis=-1)[()]
        if solution.arithmetic.exact:
            return np.zeros(batch, dtype=int) if batch else 0
        each = computed.reshape((len(self._passes),) + computed.shape[len(batch):])
        found = [passes.bound(name, one) for passes, one in zip(self._passes, each, strict=True)]
        return np.reshape(found, batch) if batch else found[0]

    @cached_property
    def _passes(self):
        whole = self._solution
        S, A = whole.pi.shape[-2:]
        return [_Passes(whole.mdp, pi, whole.horizon) for pi in whole.pi.reshape(-1, S, A)]


class _Passes:
    """Both passes of one policy in twice the precision; ``V``, ``Q``, ``state_distribution`` are lists over the steps."""

    def __init__(self, mdp, pi, horizon):
        self._mdp, self._pi, self._horizon, self._P = mdp, pi, horizon, mdp.kernel.rows

    def bound(self, name, computed) -> float:
        """At least the largest entry of |computed - exact|."""
        if np.iscomplexobj(self._pi):
            return np.inf
        with np.errstate(all="ignore"):
            steps = zip(np.atleast_1d(computed), getattr(self, name), strict=True)
            largest = max(float(np.max(upward((Twofold.of(one) - exact).magnitude))) for one, exact in steps)
        return largest if largest >= 0 else np.inf      # what is not a number bounds nothing

    @cached_property
    def _backwards(self):
        """(V, Q) from V_T = 0."""
        r, V, Q = _expected_rewards(self._mdp), [Twofold.of(np.zeros(self._mdp.n_states))], []
        for _ in range(self._horizon):
            Q.append(r + times_matrix(self._P, V[-1]).times(self._mdp.gamma).reshape(self._pi.shape))
            V.append(Q[-1].times(self._pi).sum())
        return V[::-1], Q[::-1]

    @property
    def V(self):
        return self._backwards[0]

    @property
    def Q(self):
        return self._backwards[1]

    @property
    def J(self):
        return [times_matrix(self._mdp.rho[None, :], self.V[0])[0]]

    @cached_property
    def state_distribution(self):
        P, x = self._P.T, [Twofold.of(self._mdp.rho)]
        P = P.tocsr() if scipy.sparse.issparse(P) else P
        for _ in range(self._horizon - 1):
            x.append(times_matrix(P, x[-1][:, None].times(self._pi).reshape(-1)))
        return x
