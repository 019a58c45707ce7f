r"""A Markov chain with rewards and a start, solved: V, d, D, J from one factorisation of :math:`I - \gamma P_\pi`.

What a policy on a model of continuous actions comes down to, whether its step was taken at one action a state or averaged
over a density.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from .arithmetic import Arithmetic, as_array, factorize, join, plus_identity
from .errors import NotExactError, PGTheoryError, UndefinedError
from .validation import read_only


class Chain:
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
        self.P_pi, self.r_pi, self.rho = read_only(P_pi), read_only(r_pi), rho
        self.gamma, self.arithmetic = gamma, arithmetic
        self._active = None
        if gamma == 1:
            self._active = np.flatnonzero(~_common(terminal, P_pi.shape[-1]))
            _require_proper(P_pi, self._active)
        M = plus_identity(P_pi * (-gamma))
        if self._active is not None:
            M = np.ascontiguousarray(M[..., self._active[:, None], self._active])
        self._factor = factorize(M, arithmetic)

    @property
    def batched(self) -> bool:
        """True where this is a stack of chains."""
        return self.P_pi.ndim > 2

    @property
    def terminal(self):
        """(S,) bool: the states that are left out at gamma = 1; none below."""
        out = np.ones(self.P_pi.shape[-1], dtype=bool)
        out[slice(None) if self._active is None else self._active] = False
        return out

    def resolvent(self, B, transpose=False):
        """(S, ...) : (I - gamma P_pi)^-1 B, or with the transpose, from the factorisation already made.

        At gamma = 1 rows of terminal states are 0.

        >>> import numpy as np
        >>> from pgtheory.arithmetic import FLOAT
        >>> from pgtheory.chain import Chain
        >>> Chain(np.eye(2)[[1, 1]], np.zeros(2), 0.5, np.array([1.0, 0.0]), FLOAT).resolvent([1.0, 2.0])
        array([3., 4.])
        """
        if self.batched:
            raise PGTheoryError("resolvent needs one solution, not a batch: solve each member by itself")
        B, other = as_array(B, "B")
        S = self.P_pi.shape[-1]
        if B.ndim == 0 or B.shape[0] != S:
            raise PGTheoryError(f"B has shape {B.shape}: its first axis must be the {S} states")
        arithmetic = join(self.arithmetic, other)
        if arithmetic.exact and arithmetic != self.arithmetic:
            raise NotExactError(f"B is in {other.name} numbers, the solution in {self.arithmetic.name} ones: solve the "
                                "model in the larger arithmetic")
        columns = arithmetic.convert(B).reshape(S, -1)
        return self._among_active(columns, arithmetic, transpose).reshape(B.shape)

    def _among_active(self, columns, arithmetic, transpose):
        if self._active is None:
            return self._factor.solve(columns, transpose)
        out = arithmetic.zeros(columns.shape)
        out[self._active] = self._factor.solve(columns[self._active], transpose)
        return out

    def _resolve(self, B, transpose):
        """(..., S): the resolvent on the last axis."""
        if not self.batched:
            return self.resolvent(B, transpose)
        if self._active is None:
            return self._factor.solve(B, transpose)
        out = self.arithmetic.zeros(B.shape)
        out[..., self._active] = self._factor.solve(B[..., self._active], transpose)
        return out

    @cached_property
    def V(self):
        """(..., S) value, reward units."""
        return read_only(self._resolve(self.r_pi, False))

    @cached_property
    def d(self):
        """(..., S) discounted visits sum_t gamma^t Pr(s_t = s); expected visits before the end at gamma = 1."""
        return read_only(self._resolve(np.broadcast_to(self.rho, self.P_pi.shape[:-1]), True))

    @cached_property
    def D(self):
        """(..., S) = (1 - gamma) d, a probability distribution; :class:`UndefinedError` at gamma = 1."""
        if self.gamma == 1:
            raise UndefinedError("D = (1 - gamma) d does not exist at gamma = 1: use d, whose sum is the mean length of "
                                 "an episode")
        return read_only(self.d * (1 - self.gamma))

    @cached_property
    def J(self):
        """(...) expected return from the start distribution, reward units."""
        return self.V @ self.rho


def _common(terminal, n_states):
    """(S,) bool: the terminal states, which a batch must share."""
    if terminal is None:
        return np.zeros(n_states, dtype=bool)
    flat = np.reshape(terminal, (-1, n_states))
    if (flat != flat[0]).any():
        raise PGTheoryError("at gamma = 1 the members of a batch have different terminal states: solve them one by one")
    return flat[0]


def _require_proper(P_pi, active) -> None:
    """At gamma = 1 every state must reach a terminal one."""
    linked = np.array(np.real(P_pi) > 0 if P_pi.dtype != object else P_pi != 0, dtype=bool)
    reached = np.ones(P_pi.shape[:-1], dtype=bool)
    reached[..., active] = False
    while True:
        more = reached | (linked & reached[..., None, :]).any(axis=-1)
        if (more == reached).all():
            break
        reached = more
    if not reached.all():
        state = int(np.argwhere(~reached)[0][-1])
        raise UndefinedError(f"gamma = 1, and state {state} reaches no terminal state under this policy: the undiscounted "
                             "value does not exist; use gamma < 1, or a policy under which every state terminates")
