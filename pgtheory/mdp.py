r"""Finite Markov decision processes.

An MDP is :math:`(S, A, P, R, \gamma, \rho)`: from state s the action a leads to s' with probability P[s, a, s'] and pays
R[s, a, s']; rewards t steps ahead count :math:`\gamma^t`; episodes start from rho. Index order is always (s, a, s').
"""

from __future__ import annotations

from fractions import Fraction
from functools import cached_property
from numbers import Rational
from typing import Any

import numpy as np
import scipy.sparse

from .arithmetic import FLOAT, FRACTION, INTEGER, Arithmetic, join, kernel, objects
from .errors import InvalidMDPError, NotExactError
from .validation import bracket, in_words, locate, numbers, read_only, require_nonnegative, require_stochastic

DENSE_PLACES = 4_000_000   # S * A * S of an exact model that is made from a sparse one
LARGEST = 1e290   # of any float entry: sums over 1e16 steps still fit

SPARSE_IS_FLOAT = "sparse arrays hold floats; pass P and R dense to stay exact"


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
        P, P_arithmetic, S, A = _transitions(P)
        R, R_arithmetic = _rewards(R, S, A, scipy.sparse.issparse(P))
        gamma, gamma_arithmetic = _discount(gamma)
        rho, rho_arithmetic = _start(rho, S)
        arithmetic = _meet(P=P_arithmetic, R=R_arithmetic, gamma=gamma_arithmetic, rho=rho_arithmetic)
        if arithmetic == INTEGER and not _whole_in_floats(R):
            arithmetic = FRACTION
        if scipy.sparse.issparse(P) and arithmetic.exact:
            raise NotExactError(f"P is sparse in an exact model: {SPARSE_IS_FLOAT}")
        target = FLOAT if arithmetic == INTEGER else arithmetic
        P, R, rho = (_into(target, x, name) for x, name in ((P, "P"), (R, "R"), (rho, "rho")))
        gamma = target.number(gamma)
        for array, name in ((P, "P"), (rho, "rho")):
            require_nonnegative(array, name, InvalidMDPError)
        if normalize:
            P, rho = _normalized(P, A, target), _normalized(rho[None, None], 1, target)[0, 0]
        products = kernel(P, A, target)
        _require_rows(products, P, rho, S, target)
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
            P, rho = _normalized(P, A, FRACTION), _normalized(rho[None, None], 1, FRACTION)[0, 0]
        return _rebuild(P, R, Fraction(self.gamma), rho, A, FRACTION)

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


def _numbers(values, name):
    return numbers(values, name, InvalidMDPError)


def _into(arithmetic, array, name):
    """The array in the model's arithmetic; floats leave room for sums over states and over time."""
    if not arithmetic.exact:
        data = array.data if scipy.sparse.issparse(array) else array
        data = data if data.dtype == object else data.astype(float)
        large = (data > LARGEST) | (data < -LARGEST)
        if large.any():
            index, value = locate(array, large)
            raise InvalidMDPError(f"{name}{bracket(index)} is {in_words(value)}: sums of numbers beyond {LARGEST:g} "
                                  "overflow; choose a larger unit")
    return arithmetic.convert(array)


def _whole_in_floats(R) -> bool:
    """Every integer of R is a float, so that a model of integers may wait as float64 without losing anything."""
    data = R.data if scipy.sparse.issparse(R) else R
    return not ((data > 2**53) | (data < -(2**53))).any()


def _transitions(P):
    """P checked for shape: (array, arithmetic, S, A)."""
    if _all_sparse(P, "P"):
        return _stack_sparse(P, "P")
    P, arithmetic = _numbers(P, "P")
    if scipy.sparse.issparse(P):
        rows, S = P.shape
        if S == 0 or rows == 0 or rows % S:
            raise InvalidMDPError(f"sparse P has shape {P.shape}: it must be (S*A, S), row s*A + a")
        return P, arithmetic, S, rows // S
    if P.ndim != 3:
        raise InvalidMDPError(f"P has shape {P.shape}: it must be (S, A, S), the probability of s' after a in s"
                              + ("; wrap a Markov chain as P[:, None, :]" if P.ndim == 2 else ""))
    S, A, last = P.shape
    if 0 in P.shape:
        raise InvalidMDPError(f"P has shape {P.shape}: there must be at least one state and one action")
    if last != S:
        raise InvalidMDPError(f"P has shape {P.shape}: it must be (S, A, S){_layout_hint(P)}")
    return P, arithmetic, S, A


def _layout_hint(P) -> str:
    if P.shape[1] == P.shape[2]:
        return "; looks like (A, S, S): did you mean P.transpose(1, 0, 2)?"
    if P.shape[0] == P.shape[1]:
        return "; looks like (S, S, A): did you mean P.transpose(0, 2, 1)?"
    return ""


def _all_sparse(values, name) -> bool:
    """A list of sparse matrices; sparse and dense in one list are refused."""
    if not isinstance(values, (list, tuple)) or not any(scipy.sparse.issparse(x) for x in values):
        return False
    for a, x in enumerate(values):
        if not scipy.sparse.issparse(x):
            raise InvalidMDPError(f"{name}[{a}] is a {type(x).__name__} among sparse matrices: pass A sparse (S, S), or one "
                                  "dense array")
    return True


def _stack_sparse(matrices, name):
    """A sparse (S, S) per action, as one (S*A, S) csr array with row s*A + a."""
    shapes = {m.shape for m in matrices}
    if len(shapes) > 1 or next(iter(shapes))[0] != next(iter(shapes))[1]:
        raise InvalidMDPError(f"{name} is a list of sparse matrices of shapes {sorted(shapes)}: each must be (S, S)")
    S, A = matrices[0].shape[0], len(matrices)
    stacked = scipy.sparse.vstack([scipy.sparse.csr_array(m) for m in matrices], format="csr")
    order = (np.arange(S)[:, None] + S * np.arange(A)[None, :]).reshape(-1)
    return *_numbers(stacked[order], name), S, A


def _rewards(R, S, A, sparse):
    if _all_sparse(R, "R"):
        R, arithmetic, S_R, A_R = _stack_sparse(R, "R")
        if (S_R, A_R) != (S, A):
            raise InvalidMDPError(f"R is a list of {A_R} sparse {(S_R, S_R)}: P asks for {A} of {(S, S)}")
    else:
        R, arithmetic = _numbers(R, "R")
    if scipy.sparse.issparse(R):
        if not sparse:
            raise InvalidMDPError("R is sparse and P is dense: pass both sparse, or R.toarray()")
        if R.shape != (S * A, S):
            raise InvalidMDPError(f"sparse R has shape {R.shape}: it must be {(S * A, S)}, row s*A + a")
        return R, arithmetic
    if R.shape not in ((S, A, S), (S, A), (S,)):
        raise InvalidMDPError(f"R has shape {R.shape}: it must be {(S, A, S)}, {(S, A)} or {(S,)}{_reward_hint(R, S, A)}")
    if sparse and arithmetic.exact:
        raise NotExactError(f"R is {arithmetic.name} and P is sparse: {SPARSE_IS_FLOAT}")
    if sparse and R.ndim == 3:
        return scipy.sparse.csr_array(R.reshape(S * A, S)), arithmetic
    return R, arithmetic


def _reward_hint(R, S, A) -> str:
    if R.shape == (A, S, S):
        return "; looks like (A, S, S): did you mean R.transpose(1, 0, 2)?"
    if R.shape == (A, S):
        return "; looks like (A, S): did you mean R.T?"
    if R.shape == (S, S, A):
        return "; looks like (S, S, A): did you mean R.transpose(0, 2, 1)?"
    if R.shape == (S, S):
        return "; a reward of (s, s') is R[:, None, :] broadcast to (S, A, S)"
    return ""


def _discount(gamma):
    if isinstance(gamma, (str, bytes, bool, np.bool_)) or gamma is None:
        raise InvalidMDPError(f"gamma is {gamma!r}: it must be a number in [0, 1]")
    array, arithmetic = numbers(gamma, "gamma", InvalidMDPError, "it must lie in [0, 1]")
    if array.shape != () or arithmetic.name == "complex128":
        found = f"an array of shape {array.shape}" if array.shape else repr(gamma)
        raise InvalidMDPError(f"gamma is {found}: it must be one real number in [0, 1]")
    value: Any = array[()] if array.dtype == object else array.item()
    if isinstance(value, (float, Rational)) and (value < 0 or value > 1):   # type: ignore[operator]
        raise InvalidMDPError(f"gamma is {in_words(value)}: it must lie in [0, 1]")
    return value, arithmetic


def _start(rho, S):
    if isinstance(rho, (int, np.integer)) and not isinstance(rho, bool):
        if not 0 <= rho < S:
            raise InvalidMDPError(f"rho is the start state {rho}: with {S} states it must lie in 0..{S - 1}")
        point = np.zeros(S, dtype=np.int64)
        point[rho] = 1
        return point, INTEGER
    if rho is None or scipy.sparse.issparse(rho):
        raise InvalidMDPError("rho is missing or sparse: it must be the start state (an int) or a dense (S,) distribution")
    array, arithmetic = _numbers(rho, "rho")
    if array.shape == ():
        raise InvalidMDPError(f"rho is {rho!r}: it must be a start state (a Python int) or a distribution of shape {(S,)}")
    if array.shape != (S,):
        raise InvalidMDPError(f"rho has shape {array.shape}: it must be {(S,)}, one probability a state")
    return array, arithmetic


def _meet(**arithmetics):
    """The arithmetic of the whole model; the error names the parts that do not fit."""
    for name, arithmetic in arithmetics.items():
        if arithmetic.name == "complex128":
            raise InvalidMDPError(f"{name} is complex: a model is real (only policies may carry a complex step)")
    try:
        return join(*arithmetics.values())
    except NotExactError:
        kinds = ", ".join(f"{name} is {a.name}" for name, a in arithmetics.items() if a != INTEGER)
        raise NotExactError(f"floats met exact numbers in one model ({kinds}): floats are never silently rounded; write "
                            "them as Fractions, for instance Fraction(9, 10) for 0.9") from None


def _normalized(P, n_actions, arithmetic):
    """Rows divided by their sums; a row that sums to 0 is refused later, by name."""
    sums = kernel(P, n_actions, arithmetic).row_sums()
    if scipy.sparse.issparse(P):
        flat = sums.reshape(-1)
        return scipy.sparse.csr_array(scipy.sparse.diags_array(1 / np.where(flat > 0, flat, 1)) @ P)
    safe = np.where(sums == 0, arithmetic.number(1), sums) if arithmetic.exact else np.where(sums > 0, sums, 1.0)
    return P / safe[..., None]


def _require_rows(products, P, rho, S, arithmetic):
    """Every row of P, and rho, sums to 1."""
    sums = products.row_sums()
    require_stochastic(sums, "P", S, arithmetic, InvalidMDPError, lambda _, total: _row_advice(P, total, arithmetic))
    require_stochastic(np.asarray(rho.sum()), "rho", S, arithmetic, InvalidMDPError,
                       lambda _, total: _start_advice(total, arithmetic))


ROUNDING = 1e-5   # a sum this close to 1 is a float32 or printed-decimal 1
OFF_BY_ROUNDING = "off by rounding (float32 or printed decimals?): pass normalize=True to divide every row by its sum"


def _start_advice(total, arithmetic) -> str:
    if arithmetic.symbolic:
        return "write its last probability as 1 minus the others"
    return OFF_BY_ROUNDING if abs(float(total) - 1) < ROUNDING else "it must be a distribution over the states"


def _row_advice(P, total, arithmetic) -> str:
    """Why a row may not sum to 1, the likeliest cause first."""
    if arithmetic.symbolic:
        return "write the last probability of a row as 1 minus the others"
    if abs(float(total) - 1) < ROUNDING:
        return OFF_BY_ROUNDING
    if not scipy.sparse.issparse(P):
        for axes in ((1, 0, 2), (0, 2, 1), (2, 1, 0), (1, 2, 0), (2, 0, 1)):
            turned = P.transpose(axes)
            if turned.shape[0] == turned.shape[2] and _rows_are_one(turned.sum(axis=2), arithmetic):
                return f"the axes look permuted: did you mean P.transpose{axes}?"
    if float(total) == 0:
        return "the row is empty: a state without successors must be made absorbing, with P[s, a, s] = 1"
    return ("a successor is missing or wrong; correct the row, or pass normalize=True to divide every row by its sum")


def _rows_are_one(sums, arithmetic) -> bool:
    return bool(np.all(sums == 1)) if arithmetic.exact else bool(np.all(np.abs(sums - 1) < ROUNDING))
