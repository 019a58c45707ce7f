r"""Finite Markov decision processes.

An MDP is :math:`(S, A, P, R, \gamma, \rho)`: from state s the action a leads to s' with probability P[s, a, s'] and pays
R[s, a, s']; rewards t steps ahead count :math:`\gamma^t`; episodes start from rho. Index order is always (s, a, s').
"""

from __future__ import annotations

from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse

from .arithmetic import FLOAT, FRACTION, INTEGER, Arithmetic, balls_of, join, kernel, objects
from .errors import InvalidMDPError, NotExactError
from .model_input import SPARSE_IS_FLOAT, discount, into, meet, normalized, require_rows, rewards, start, transitions, whole_in_floats
from .validation import in_words, read_only, require_nonnegative

DENSE_PLACES = 4_000_000   # S * A * S of an exact model that is made from a sparse one


class MDP:
    r"""A finite Markov decision process, validated, frozen and read-only.

    Parameters
    ----------
    P : (S, A, S) array, or scipy.sparse (S*A, S) with row s*A + a, or list of A sparse (S, S)
        P[s, a, s'] = Pr(s' | s, a), probabilities. Rows sum to 1 within 4 S eps; exactly, where exact.
    R : (S, A, S), (S, A) or (S,) array; sparse like P, if P is sparse and R has three indices
        Reward of the transition, of the action, or of leaving s; reward units.
    gamma : float, int or Fraction in [0, 1]
        Discount per step. gamma = 1 is answered where every state reaches a terminal one under the policy.
    rho : (S,) array or int
        Start distribution, probabilities; an int is a single start state.
    normalize : bool
        Divide every row of P (and rho) by its sum first: for float32 or printed decimals.

    Attributes
    ----------
    P, R, gamma, rho : as above, R in the shape given; arrays are read-only
    n_states, n_actions : int
    r : (S, A) expected reward sum_s' P R, reward units
    terminal : (S,) bool, states that are absorbing and reward-free under every action
    arithmetic : what the entries are: float64, Fraction, field or expression

    Raises
    ------
    InvalidMDPError
        Wrong shapes, NaN, infinities, negative probabilities, rows that do not sum to 1, gamma outside [0, 1].
    NotExactError
        Floats among Fractions.

    Notes
    -----
    Source: Puterman, *Markov Decision Processes*, 1994, chapter 2. Entries may be floats, Fractions or integers, elements
    of one sympy field, or sympy expressions; the answers come in the same arithmetic. A model of integers alone waits: it
    is exact with a policy in Fractions and float64 with any other.

    Examples
    --------
    >>> import pgtheory as pg
    >>> mdp = pg.MDP(P=[[[0, 1], [1, 0]], [[0, 1], [0, 1]]], R=[[1, 0], [0, 0]], gamma=0.5, rho=0)
    >>> mdp
    MDP(n_states=2, n_actions=2, gamma=0.5, float64)
    >>> mdp.terminal
    array([False,  True])
    >>> pg.solve(mdp, [[0.5, 0.5], [0.5, 0.5]]).V
    array([0.66666667, 0.        ])
    """

    P: Any
    R: Any
    gamma: Any
    rho: np.ndarray
    n_states: int
    n_actions: int
    arithmetic: Arithmetic

    def __init__(self, P, R, gamma, rho, *, normalize=False):
        P, P_arithmetic, S, A = transitions(P)
        R, R_arithmetic = rewards(R, S, A, scipy.sparse.issparse(P))
        gamma, gamma_arithmetic = discount(gamma)
        rho, rho_arithmetic = start(rho, S)
        arithmetic = meet(P=P_arithmetic, R=R_arithmetic, gamma=gamma_arithmetic, rho=rho_arithmetic)
        if arithmetic == INTEGER and not whole_in_floats(R):
            arithmetic = FRACTION
        if scipy.sparse.issparse(P) and arithmetic.exact:
            raise NotExactError(f"P is sparse in an exact model: {SPARSE_IS_FLOAT}")
        target = FLOAT if arithmetic == INTEGER else arithmetic
        P, R, rho = (into(target, x, name) for x, name in ((P, "P"), (R, "R"), (rho, "rho")))
        gamma = target.number(gamma)
        for array, name in ((P, "P"), (rho, "rho")):
            require_nonnegative(array, name, InvalidMDPError)
        if normalize:
            P, rho = normalized(P, A, target), normalized(rho[None, None], 1, target)[0, 0]
        products = kernel(P, A, target)
        require_rows(products, P, rho, S, target)
        self._set(P, R, gamma, rho, A, arithmetic)
        if target.exact:      # it has found the entries that are not 0
            self.__dict__["_kernel"] = products

    def _set(self, P, R, gamma, rho, n_actions, arithmetic):
        put = super().__setattr__
        for name, array in (("P", P), ("R", R), ("rho", rho)):
            put(name, read_only(_own(array)))
        put("gamma", gamma)
        put("n_states", int(rho.shape[0]))
        put("n_actions", int(n_actions))
        put("arithmetic", arithmetic)

    def __setattr__(self, name, value):
        raise AttributeError(f"an MDP is frozen: build a new one instead of setting {name}")

    def __delattr__(self, name):
        raise AttributeError(f"an MDP is frozen: {name} cannot be deleted")

    def __reduce__(self):
        return _rebuild, (self.P, self.R, self.gamma, self.rho, self.n_actions, self.arithmetic)

    def __repr__(self):
        gamma = in_words(self.gamma)
        kind = "float64" if self.arithmetic == INTEGER else self.arithmetic.name
        sparse = ", sparse" if scipy.sparse.issparse(self.P) else ""
        return f"MDP(n_states={self.n_states}, n_actions={self.n_actions}, gamma={gamma}, {kind}{sparse})"

    @cached_property
    def _kernel(self):
        return kernel(self.P, self.n_actions, FLOAT if self.arithmetic == INTEGER else self.arithmetic)

    @property
    def kernel(self):
        """Products with P: ``mix(pi)`` is P_pi (S, S), ``expect(V)`` is P V (S, A)."""
        return self._kernel

    @cached_property
    def r(self):
        """(S, A) expected reward of an action, reward units.

        >>> import pgtheory as pg
        >>> pg.MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [[[2.0, 4.0]], [[0.0, 0.0]]], 0.9, 0).r
        array([[3.],
               [0.]])
        """
        if self.R.ndim == 1:
            r = np.repeat(self.R[:, None], self.n_actions, axis=1)
        elif self.R.shape == (self.n_states, self.n_actions) and not scipy.sparse.issparse(self.R):
            r = self.R
        else:
            r = self._kernel.weigh(self.R)
        return read_only(r)

    @cached_property
    def terminal(self):
        """(S,) bool: every action stays with probability 1 and pays nothing.

        >>> import pgtheory as pg
        >>> pg.MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [1.0, 0.0], 0.9, 0).terminal
        array([False,  True])
        """
        S, A = self.n_states, self.n_actions
        states = np.arange(S)
        if scipy.sparse.issparse(self.P):
            rows = np.arange(S * A)
            stays = np.asarray(self.P[rows, rows // A]).reshape(S, A) == 1
        else:
            stays = self.P[states, :, states] == 1
        free = np.array(self.r == 0, dtype=bool)
        return read_only(np.array(stays, dtype=bool).all(axis=1) & free.all(axis=1))

    @cached_property
    def r_max(self):
        """Largest |reward| of any transition with positive probability, reward units."""
        if scipy.sparse.issparse(self.R):
            return abs(self.R).max()
        if self.R.ndim < 3 or scipy.sparse.issparse(self.P):
            return max(abs(x) for x in self.R.flat) if self.R.dtype == object else float(np.abs(self.R).max())
        values = self.R[self.P != 0]
        return max(abs(x) for x in values) if self.R.dtype == object else float(np.abs(values).max())

    def into(self, arithmetic: Arithmetic) -> MDP:
        """The same model in an arithmetic that holds it: integers in any, Fractions in a field. Never rounds."""
        target = join(self.arithmetic, arithmetic)
        if target.name in (self.arithmetic.name, "integer", "complex128") and target.field is self.arithmetic.field:
            return self
        if not target.exact:
            return self
        return self.rewritten(target)

    def rewritten(self, target: Arithmetic) -> MDP:
        """The same model with every entry a number of an exact arithmetic that can hold it."""
        if scipy.sparse.issparse(self.P):
            raise NotExactError(f"the policy is exact and P is sparse: {SPARSE_IS_FLOAT}")
        cache = self.__dict__.setdefault("_converted", {})
        if target not in cache:
            source = FRACTION if self.arithmetic == INTEGER else self.arithmetic
            P, R, rho = (target.convert(_integers(x) if source == FRACTION and x.dtype != object else x)
                         for x in (self.P, self.R, self.rho))
            gamma = target.number(Fraction(self.gamma) if self.arithmetic == INTEGER else self.gamma)
            cache[target] = _rebuild(P, R, gamma, rho, self.n_actions, target)
        return cache[target]

    def exactly(self, *, normalize=True) -> MDP:
        """The same model in Fractions, every float the number it is: what float64 cannot decide, this model can.

        normalize : divide the rows of P, and rho, by their sums, which floats miss by rounding; False keeps the very floats,
        to which error bounds refer, and leaves a model whose rows may not quite be distributions

        Raises :class:`NotExactError` where P is sparse and has more than four million places.

        >>> import numpy as np, pgtheory as pg
        >>> mdp = pg.MDP([[[0.1, 0.9]], [[0.0, 1.0]]], [1.0, 0.0], 0.5, 0)
        >>> exact = mdp.exactly()
        >>> exact, exact.P[0, 0].sum(), pg.solve(exact, [[1], [1]]).V[0] == 1 / (1 - exact.P[0, 0, 0] / 2)
        (MDP(n_states=2, n_actions=1, gamma=1/2, Fraction), Fraction(1, 1), True)
        """
        if self.arithmetic.exact:
            return self
        S, A = self.n_states, self.n_actions
        P, R = self.P, self.R
        if scipy.sparse.issparse(P):
            if S * A * S > DENSE_PLACES:
                raise NotExactError(f"{S} states and {A} actions are too many for an exact model: {SPARSE_IS_FLOAT}")
            P = P.toarray().reshape(S, A, S)
        if scipy.sparse.issparse(R):
            R = R.toarray().reshape(S, A, S)
        P, R, rho = (FRACTION.convert(x) for x in (P, R, self.rho))
        if normalize:
            P, rho = normalized(P, A, FRACTION), normalized(rho[None, None], 1, FRACTION)[0, 0]
        return _rebuild(P, R, Fraction(self.gamma), rho, A, FRACTION)

    def in_balls(self, bits: int = 128, *, normalize: bool = True) -> MDP:
        """The same model in balls of that many bits: solutions and gradients enclose the exact ones, whatever is rounded.

        normalize : as for :meth:`exactly`; False keeps the very floats, whose rows miss 1, as ``error_bounds`` does

        Raises :class:`MissingExtraError` without python-flint, :class:`NotExactError` for symbols and for large sparse models.

        >>> import pgtheory as pg
        >>> mdp = pg.MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [1.0, 0.0], 1 - 2.0**-50, 0).in_balls(200)
        >>> V = pg.solve(mdp, [[1.0], [1.0]]).V
        >>> V[0].rad < 1e-50, V[0].overlaps(1 / (1 - mdp.gamma / 2))
        (True, True)
        """
        return self.exactly(normalize=normalize).rewritten(balls_of(bits))

    def save(self, path) -> None:
        """Write the model whole to ``path`` (.json keeps fractions; .npz holds floats only), or leave ``path`` alone.

        >>> import pgtheory as pg, tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "corridor.json"
        >>> pg.models.load("short-corridor").save(path)
        >>> pg.MDP.load(path)
        MDP(n_states=4, n_actions=2, gamma=1, float64)
        """
        from .storage import save

        save(self, path)

    @staticmethod
    def load(path) -> MDP:
        """Read a model from .json or .npz; "1/3" in a .json is an exact third.

        Raises :class:`InvalidMDPError` where the file is no model, with the reason.

        >>> import pgtheory as pg, tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "m.json"
        >>> _ = path.write_text('{"P": [[["1/3", "2/3"]], [[0, 1]]], "R": [[1], [0]], "gamma": "9/10", "rho": 0}')
        >>> pg.MDP.load(path).P[0, 0, 0]
        Fraction(1, 3)
        """
        from .storage import load

        return load(path, MDP)


def _rebuild(P, R, gamma, rho, n_actions, arithmetic):
    mdp = MDP.__new__(MDP)
    mdp._set(P, R, gamma, rho, n_actions, arithmetic)
    return mdp


def _own(array):
    """A C-ordered copy that nobody else can write to."""
    if scipy.sparse.issparse(array):
        array = array.copy()
        array.sum_duplicates()
        return array
    return np.array(array, order="C", copy=True)


def _integers(array):
    return objects([int(x) for x in array.flat], array.shape)
