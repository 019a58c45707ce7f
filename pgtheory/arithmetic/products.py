"""Products with the transition law: dense, sparse, or along the non-zero pattern of exact numbers."""

from __future__ import annotations

import math
from functools import cached_property
from itertools import groupby

import numpy as np
import scipy.sparse

from ..errors import PGTheoryError
from .entries import nonzero
from .integers import IntegerRows
from .kinds import Arithmetic, is_sparse


class DenseKernel:
    """P as one (S, A, S) array of floats or complex numbers."""

    def __init__(self, P):
        self.P = P
        self.n_states, self.n_actions = P.shape[:2]
        self.rows = P.reshape(-1, self.n_states)

    def row_sums(self):
        """(S, A): sum_s' P[s, a, s']."""
        return self.P.sum(axis=2)

    def mix(self, pi):
        """(..., S, S): sum_a pi[s, a] P[s, a, s'], for pi (..., S, A); pi may carry any factor, such as -gamma."""
        if pi.ndim == 2:
            return np.matmul(pi[:, None, :], self.P)[:, 0, :]
        batch = pi.shape[:-2]
        stacked = np.moveaxis(pi.reshape((-1,) + pi.shape[-2:]), 1, 0)
        return np.moveaxis(np.matmul(stacked, self.P), 0, 1).reshape(batch + (self.n_states, self.n_states))

    def system(self, pi, gamma):
        """(..., S, S): I - gamma P_pi, to be factorised and not kept."""
        return plus_identity(self.mix(pi * -gamma))

    def expect(self, V):
        """(..., S, A): sum_s' P[s, a, s'] V[s'], for V (..., S)."""
        V = np.asarray(V)
        if V.ndim == 1:
            return (self.rows @ V).reshape(self.n_states, self.n_actions)
        return (V @ self.rows.T).reshape(V.shape[:-1] + (self.n_states, self.n_actions))

    def weigh(self, R):
        """(S, A): sum_s' P[s, a, s'] R[s, a, s']."""
        return np.vecdot(self.P.conj() if np.iscomplexobj(self.P) else self.P, R)


class SparseKernel:
    """P as a csr array (S*A, S), row s*A + a."""

    def __init__(self, P, n_actions):
        self.P = self.rows = P
        self.n_states, self.n_actions = P.shape[1], n_actions
        self._state_of_row = np.arange(self.n_states + 1) * n_actions
        self._columns = np.arange(self.n_states * n_actions)

    def row_sums(self):
        return np.asarray(self.P.sum(axis=1)).reshape(self.n_states, self.n_actions)

    def mix(self, pi):
        if pi.ndim > 2:
            raise PGTheoryError("a batch of policies needs a dense model: solve them one by one on a sparse one")
        weights = scipy.sparse.csr_array((pi.reshape(-1), self._columns, self._state_of_row),
                                         shape=(self.n_states, self.n_states * self.n_actions))
        return weights @ self.P

    def system(self, pi, gamma):
        return plus_identity(self.mix(pi * -gamma))

    def expect(self, V):
        V = np.asarray(V)
        flat = self.P @ V.reshape(-1, self.n_states).T
        return flat.T.reshape(V.shape[:-1] + (self.n_states, self.n_actions))

    def weigh(self, R):
        return np.asarray(self.P.multiply(R).sum(axis=1)).reshape(self.n_states, self.n_actions)


class ExactKernel:
    """P as an (S, A, S) object array, walked along its non-zero pattern."""

    def __init__(self, P, arithmetic):
        self.P, self.arithmetic = P, arithmetic
        self.n_states, self.n_actions = P.shape[:2]

    @cached_property
    def pattern(self) -> list:
        """[(s, a, s', p)] of the non-zero entries."""
        places = np.argwhere(nonzero(self.P)).tolist()
        return [(s, a, t, self.P[s, a, t]) for s, a, t in places]

    @cached_property
    def _integers(self) -> list:
        """[s] -> [(a, denominator, [(s', numerator)])]: the rows of P as integers over one denominator each."""
        rows: list[list] = [[] for _ in range(self.n_states)]
        for (s, a), entries in groupby(self.pattern, key=lambda entry: entry[:2]):
            row = [(t, p) for _, _, t, p in entries]
            whole = math.lcm(*(p.denominator for _, p in row))
            rows[s].append((a, whole, [(t, p.numerator * (whole // p.denominator)) for t, p in row]))
        return rows

    def row_sums(self):
        sums = self.arithmetic.zeros((self.n_states, self.n_actions))
        for s, a, _, p in self.pattern:
            sums[s, a] += p
        return sums

    def mix(self, pi):
        if pi.ndim > 2:
            return stacked([self.mix(one) for one in pi], pi.shape[:-2])
        if self.arithmetic.name == "Fraction":
            return self._mixed(pi).dense()
        P_pi = self.arithmetic.zeros((self.n_states, self.n_states))
        for s, a, t, p in self.pattern:
            if pi[s, a] != 0:
                P_pi[s, t] += pi[s, a] * p
        return P_pi

    def _mixed(self, pi) -> IntegerRows:
        """P_pi (S, S) of Fractions, row by row over one denominator."""
        rows: list[dict] = []
        scales = []
        for s, actions in enumerate(self._integers):
            taken = [(pi[s, a], whole, row) for a, whole, row in actions if pi[s, a]]
            scales.append(math.lcm(*(weight.denominator * whole for weight, whole, _ in taken)))
            rows.append({})
            for weight, whole, row in taken:
                factor = weight.numerator * (scales[s] // (weight.denominator * whole))
                for t, p in row:
                    rows[s][t] = rows[s].get(t, 0) + factor * p
        return IntegerRows(rows, scales)

    def system(self, pi, gamma):
        if pi.ndim > 2 or self.arithmetic.name != "Fraction":
            return plus_identity(self.mix(pi * -gamma))
        return self._mixed(pi).subtracted_from_identity(gamma)

    def expect(self, V):
        if V.ndim > 1:
            return stacked([self.expect(one) for one in V], V.shape[:-1])
        out = self.arithmetic.zeros((self.n_states, self.n_actions))
        for s, a, t, p in self.pattern:
            out[s, a] += p * V[t]
        return out

    def weigh(self, R):
        out = self.arithmetic.zeros((self.n_states, self.n_actions))
        for s, a, t, p in self.pattern:
            out[s, a] += p * R[s, a, t]
        return out


def stacked(arrays: list, batch: tuple) -> np.ndarray:
    """Object arrays, stacked without numpy trying to look inside their elements."""
    out = np.empty((len(arrays),) + arrays[0].shape, dtype=object)
    for i, array in enumerate(arrays):
        out[i] = array
    return out


def kernel(P, n_actions: int, arithmetic: Arithmetic):
    """The products with P, in its arithmetic."""
    if is_sparse(P):
        return SparseKernel(P, n_actions)
    return ExactKernel(P, arithmetic) if arithmetic.exact else DenseKernel(P)


def dot_rows(x, y):
    """(...) : sum over the last axis of x y, without conjugation; any arithmetic, and fast where rows are short."""
    return np.vecdot(x, y) if x.dtype.kind == "f" else np.einsum("...a,...a->...", x, y)


def plus_identity(A):
    """I + A, for A (..., n, n) dense, sparse or exact; a dense A is overwritten."""
    if is_sparse(A):
        return scipy.sparse.csr_array(A + scipy.sparse.eye_array(A.shape[0], format="csr"))
    plain = A.ndim == 2 and A.flags.c_contiguous
    diagonal = A.reshape(-1)[::len(A) + 1] if plain else np.einsum("...ii->...i", A)
    diagonal += 1
    return A
