r"""V, d, D and J of a Markov chain with rewards, from one factorisation of :math:`I - \gamma P_\pi`.

A policy on any model comes down to such a chain: :class:`Resolved` holds what follows from its factorisation, whoever built
the matrix, and :class:`Chain` is the chain itself.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from .arithmetic import Arithmetic, IntegerRows, factorize, is_sparse, join, plus_identity
from .errors import NotExactError, PGTheoryError, UndefinedError
from .validation import numbers, read_only

ANSWERS = frozenset({"V", "Q", "A", "d", "D", "J"})                            # computed, never given
GIVEN = frozenset({"mdp", "pi", "P_pi", "r_pi", "gamma", "rho", "arithmetic"})   # given once


class Resolved:
    """What one factorisation of I - gamma P_pi answers: V, d, D, J and every further right-hand side.

    M : (..., S, S) I - gamma P_pi, overwritten
    terminal : (S,) bool, or None; at gamma = 1 these states leave the system, with V = 0 and d = 0

    A subclass gives ``P_pi`` (..., S, S) and ``r_pi`` (..., S).
    """

    def __init__(self, M, terminal, gamma, rho, arithmetic: Arithmetic):
        self.gamma, self.rho, self.arithmetic = gamma, rho, arithmetic
        self._n_states, self.batched = M.shape[-1], M.ndim > 2
        self._active = None if terminal is None else np.flatnonzero(~terminal)
        self._factor = factorize(M if self._active is None else _restrict(M, self._active), arithmetic)

    def __setattr__(self, name, value):
        if name in ANSWERS or (name in GIVEN and name in self.__dict__):
            raise AttributeError(f"a solution is frozen: solve again instead of setting {name}")
        super().__setattr__(name, value)

    def _resolve(self, B, transpose):
        """(I - gamma P_pi)^-1 B, for B (S,) or (S, m) and one chain, or for B (..., S) and a batch."""
        if self._active is None:
            return self._factor.solve(B, transpose)
        where = (..., self._active) if self.batched else self._active
        X = self._factor.solve(B[where], transpose)
        out = self.arithmetic.zeros(B.shape) if X.dtype == object else np.zeros(B.shape, X.dtype)
        out[where] = X
        return out

    def resolvent(self, B, transpose=False):
        """(S, ...) : (I - gamma P_pi)^-1 B, or with the transpose, from the factorisation already made.

        At gamma = 1 rows of terminal states are 0. Raises :class:`PGTheoryError` where B does not fit,
        :class:`NotExactError` where it is in a larger arithmetic.

        >>> import pgtheory as pg
        >>> mdp = pg.MDP([[[0, 1]], [[0, 1]]], [1.0, 2.0], 0.5, 0)
        >>> pg.solve(mdp, [[1.0], [1.0]]).resolvent([1.0, 2.0])
        array([3., 4.])
        """
        if self.batched:
            raise PGTheoryError("resolvent needs one policy, not a batch: solve each member of the batch by itself")
        B, other = numbers(B, "B", PGTheoryError)
        S = self._n_states
        if B.ndim == 0 or B.shape[0] != S:
            raise PGTheoryError(f"B has shape {B.shape}: its first axis must be the {S} states")
        arithmetic = join(self.arithmetic, other)
        if arithmetic.exact and arithmetic != self.arithmetic:
            raise NotExactError(f"B is in {other.name} numbers, the solution in {self.arithmetic.name} ones: solve the model "
                                "in the larger arithmetic")
        B = arithmetic.convert(B)
        return self._resolve(B if B.ndim == 1 else B.reshape(S, -1), transpose).reshape(B.shape)

    @cached_property
    def V(self):
        """(..., S) value, reward units."""
        return read_only(self._resolve(self.r_pi, False))   # type: ignore[attr-defined]

    @cached_property
    def d(self):
        """(..., S) discounted visits sum_t gamma^t Pr(s_t = s); expected visits before the end at gamma = 1."""
        rho = np.broadcast_to(self.rho, self.r_pi.shape) if self.batched else self.rho   # type: ignore[attr-defined]
        return read_only(self._resolve(rho, True))

    @cached_property
    def D(self):
        """(..., S) = (1 - gamma) d, sums to 1; :class:`UndefinedError` at gamma = 1."""
        if self.gamma == 1:
            raise UndefinedError("D = (1 - gamma) d does not exist at gamma = 1: use d, whose sum is the mean episode length")
        return read_only(self.d * (1 - self.gamma))

    @cached_property
    def J(self):
        """(...) expected return from the start distribution, reward units."""
        return self.V @ self.rho


class Chain(Resolved):
    """States, their transition law and their expected reward, with a discount and a start.

    Attributes
    ----------
    P_pi : (..., S, S) transition law, probabilities
    r_pi : (..., S) expected reward of a step, reward units
    gamma : discount; rho : (S,) start distribution
    V, d, D, J : as in :class:`pgtheory.Solution`

    At gamma = 1 the states marked in ``terminal`` (..., S) leave the system: V = 0 and d = 0 there. A batch must have the
    same terminal states throughout. Raises :class:`UndefinedError` where gamma = 1 and a state reaches none of them.

    >>> import numpy as np
    >>> from pgtheory.arithmetic import FLOAT
    >>> from pgtheory.chain import Chain
    >>> chain = Chain(np.array([[0.5, 0.5], [0.0, 1.0]]), np.array([1.0, 0.0]), 0.5, np.array([1.0, 0.0]), FLOAT)
    >>> chain.V, chain.D
    (array([1.33333333, 0.        ]), array([0.66666667, 0.33333333]))
    """

    def __init__(self, P_pi, r_pi, gamma, rho, arithmetic: Arithmetic, terminal=None):
        self.P_pi, self.r_pi = read_only(P_pi), read_only(r_pi)
        left_out = _common(terminal, P_pi.shape[-1]) if gamma == 1 else None
        if left_out is not None:
            require_proper(P_pi, left_out)
        super().__init__(plus_identity(P_pi * (-gamma)), left_out, gamma, rho, arithmetic)

    @property
    def terminal(self):
        """(S,) bool: the states that are left out at gamma = 1; none below."""
        out = np.ones(self._n_states, dtype=bool)
        out[slice(None) if self._active is None else self._active] = False
        return out


def _restrict(M, active):
    if is_sparse(M):
        return M[active][:, active]
    if isinstance(M, IntegerRows):
        return M.restricted(active)
    return np.ascontiguousarray(M[..., active[:, None], active])


def _common(terminal, n_states):
    """(S,) bool: the terminal states, which a batch must share."""
    if terminal is None:
        return np.zeros(n_states, dtype=bool)
    flat = np.reshape(terminal, (-1, n_states))
    if (flat != flat[0]).any():
        raise PGTheoryError("at gamma = 1 the members of a batch have different terminal states: solve them one by one")
    return flat[0]


def require_proper(P_pi, terminal) -> None:
    """At gamma = 1 every state must reach a terminal one; raises :class:`UndefinedError` and names the first that does not."""
    stuck = ~reaches(P_pi, terminal)
    if stuck.any():
        state = int(np.argwhere(stuck)[0][-1])
        raise UndefinedError(f"gamma = 1, and state {state} reaches no terminal state under this policy: the undiscounted "
                             "value does not exist; use gamma < 1, or a policy under which every state terminates")


def reaches(P_pi, terminal):
    """(..., S) bool: a terminal state can be reached from s under the law P_pi (..., S, S).

    >>> import numpy as np
    >>> from pgtheory.chain import reaches
    >>> reaches(np.array([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), np.array([False, True, False]))
    array([ True,  True, False])
    """
    if is_sparse(P_pi):
        return _reaches_in_graph(P_pi, terminal)
    reached = np.broadcast_to(terminal, P_pi.shape[:-1])
    linked = np.array(np.real(P_pi) > 0 if P_pi.dtype != object else P_pi != 0, dtype=bool)
    while True:
        more = reached | (linked & reached[..., None, :]).any(axis=-1)
        if (more == reached).all():
            return more
        reached = more


def _reaches_in_graph(P_pi, terminal):
    """One search through the reversed graph, from a node added before all terminal states."""
    import scipy.sparse
    from scipy.sparse.csgraph import breadth_first_order

    S = P_pi.shape[0]
    source, target = (np.real(P_pi) > 0).nonzero()
    ends = np.flatnonzero(terminal)
    rows, columns = np.concatenate([target, np.full(len(ends), S)]), np.concatenate([source, ends])
    graph = scipy.sparse.csr_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(S + 1, S + 1))
    found = np.zeros(S + 1, dtype=bool)
    found[breadth_first_order(graph, S, return_predecessors=False)] = True
    return found[:S]
