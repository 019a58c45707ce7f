r"""Markov decision processes with finitely many states and continuous actions.

From state s the action a in R^k leads to s' with probability P(s'|s, a) and pays R(s, a, s'); both are smooth in a. This is
the smallest model on which the deterministic policy gradient theorem can be stated: it differentiates Q(s, a) in a.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..arithmetic import COMPLEX, EPS, FLOAT, INTEGER, Arithmetic, as_array, is_negative, join
from ..errors import InvalidMDPError, PGTheoryError
from ..model_input import discount
from ..validation import first, in_words, numbers, read_only, require_stochastic, whole_number
from .stepping import action_in_words, contract, place, require_arguments, sum_in_words

OWN_ROUNDINGS = 16   # roundings that a formula for one probability may spend on top of those of the sum


class ContinuousActionMDP:
    r"""Finite states, actions in R^k, P and R smooth in the action.

    Parameters
    ----------
    P : callable
        P(s, a) -> (S,) probabilities of the next state, for a (k,); or, vectorized, P(actions) -> (..., S, S) for actions
        (..., S, k), row s at actions[..., s, :].
    R : callable
        R(s, a) -> (S,) reward by next state (or one number, the reward of leaving s); likewise vectorized. Reward units.
    gamma : float, int or Fraction in [0, 1]
    rho : (S,) array
        Start distribution; its length is the number of states.
    action_dim : int, k
    vectorized : bool
    dP, dR : callables, optional
        Derivatives: dP(s, a) -> (S, k), or vectorized (..., S, S, k). Without them P and R are differentiated by the complex
        step, so they must be analytic code (np.exp, not math.exp; no abs, max, comparisons). Either way they are compared
        with finite differences at the first actions, and at a glance at later ones (of a large model the 2nd, 4th, 8th, ...).

    Attributes
    ----------
    n_states, action_dim : int
    gamma, rho : as above; rho is read-only
    arithmetic : that of gamma and rho

    Raises
    ------
    InvalidMDPError
        Arguments of the wrong kind; and, wherever the model is evaluated: NaN, probabilities that are negative or do not sum
        to 1, derivatives that do not sum to 0, code that is not differentiable. The message names state and action.

    Notes
    -----
    Rows are computed by the user's formula, so they may miss 1 by 4 (S + 16) eps. With gamma and rho in Fractions and
    rational code, actions in Fractions are answered in Fractions. The functions return new arrays, or arrays that nobody
    changes afterwards. Source: Silver, Lever, Heess, Degris, Wierstra, Riedmiller, *Deterministic policy gradient
    algorithms*, ICML 2014, conditions A.1.

    Examples
    --------
    >>> import numpy as np, pgtheory as pg
    >>> def P(s, a):
    ...     move = 1 / (1 + np.exp(-a[0]))
    ...     return np.array([1 - move, move])
    >>> model = pg.ContinuousActionMDP(P, lambda s, a: np.array([0.0, 1.0]) - a[0] ** 2, 0.5, [1.0, 0.0])
    >>> solution = pg.solve(model, [[0.0], [0.0]])
    >>> solution.V, solution.grad_Q_at([[0.0], [0.0]])
    (array([1., 1.]), array([[0.25],
           [0.25]]))
    """

    P: Callable
    R: Callable
    gamma: Any
    rho: np.ndarray
    n_states: int
    action_dim: int
    vectorized: bool
    arithmetic: Arithmetic

    def __init__(self, P, R, gamma, rho, action_dim=1, vectorized=False, *, dP=None, dR=None):
        gamma, gamma_arithmetic = discount(gamma)
        rho, rho_arithmetic = _start(rho)
        put = super().__setattr__
        for name, function in (("P", P), ("R", R), ("dP", dP), ("dR", dR)):
            put(name, _function(function, name))
        put("arithmetic", join(gamma_arithmetic, rho_arithmetic))
        put("gamma", gamma)
        put("rho", read_only(np.array(rho)))
        put("n_states", len(rho))
        put("action_dim", whole_number(action_dim, "action_dim", InvalidMDPError, 1))
        put("vectorized", bool(vectorized))
        put("_trusted", {})   # what has been seen of its derivatives

    def __setattr__(self, name, value):
        raise AttributeError(f"a ContinuousActionMDP is frozen: build a new one instead of setting {name}")

    def __delattr__(self, name):
        raise AttributeError(f"a ContinuousActionMDP is frozen: {name} cannot be deleted")

    def __repr__(self):
        return (f"ContinuousActionMDP(n_states={self.n_states}, action_dim={self.action_dim}, "
                f"gamma={in_words(self.gamma)})")

    @classmethod
    def from_sympy(cls, P, R, actions, gamma, rho):
        """The model of sympy expressions in the symbols ``actions``: P (S, S), and R (S, S) or (S,), the reward of leaving.

        Derivatives are sympy's, turned into numpy code once; at actions in Fractions rational expressions stay exact.
        Raises :class:`InvalidMDPError` on wrong shapes and on symbols that are no actions.

        >>> import sympy, pgtheory as pg
        >>> a = sympy.Symbol("a")
        >>> p = 1 / (1 + a**2)
        >>> model = pg.ContinuousActionMDP.from_sympy([[p, 1 - p], [0, 1]], [a, 0], [a], 0.5, [1.0, 0.0])
        >>> pg.solve(model, [[1.0], [0.0]]).V
        array([1.33333333, 0.        ])
        """
        from .symbolic import compiled

        n_states = len(_start(rho)[0])
        law, n_actions = compiled(P, R, actions, n_states)
        return cls(law.P, law.R, gamma, rho, n_actions, vectorized=True, dP=law.dP, dR=law.dR)

    def check_actions(self, actions, name: str = "actions"):
        """(..., S, k) array of finite numbers; raises :class:`PGTheoryError` where it is none."""
        array, arithmetic = numbers(actions, name, PGTheoryError)
        S, k = self.n_states, self.action_dim
        if array.ndim < 2 or array.shape[-2:] != (S, k):
            hint = f"; one action dimension is {name}[:, None]" if k == 1 and array.shape == (S,) else ""
            raise PGTheoryError(f"{name} have shape {array.shape}: they must be {(S, k)}, one action a state{hint}")
        if arithmetic == INTEGER:
            return (self.arithmetic if self.arithmetic.exact else FLOAT).convert(array)
        return array

    def law(self, actions):
        """(P, R), each (..., S, S), at checked actions (..., S, k), in one arithmetic; their values are not validated."""
        P, P_arithmetic = self.table("P", actions)
        R, R_arithmetic = self.table("R", actions)
        arithmetic = join(self.arithmetic, as_array(actions)[1], P_arithmetic, R_arithmetic)
        if not arithmetic.exact:
            return P, R
        return arithmetic.convert(P), arithmetic.convert(R)

    def valid_law(self, actions):
        """(P, R, r) of :meth:`law` and the expected reward r (..., S), validated: stochastic rows, finite rewards."""
        P, R = self.law(actions)
        with np.errstate(all="ignore"):
            r = contract(P, R)
        _require_law(P, R, r, actions)
        return P, R, r

    def table(self, name: str, actions):
        """(array, arithmetic) of one of the functions "P", "R", "dP", "dR" at actions (..., S, k), checked for shape."""
        function, tail = getattr(self, name), (self.action_dim,) if name.startswith("d") else ()
        try:
            values = self._called(function, name, actions, tail)
        except TypeError:
            require_arguments(function, name, self.vectorized)
            raise
        array, arithmetic = _values(values, name, actions)
        shape = actions.shape[:-1] + (self.n_states,) + tail
        if not self.vectorized:
            return array.reshape(shape), arithmetic
        return _whole(array, name, actions, shape, tail), arithmetic

    def _called(self, function, name, actions, tail):
        """What a function returns, for all states at once or row by row."""
        if self.vectorized:
            return function(actions.copy())
        flat = actions.reshape((-1,) + actions.shape[-2:])
        return [[self._row(function, name, s, one[s].copy(), tail) for s in range(self.n_states)] for one in flat]

    def _row(self, function, name, s, action, tail):
        row = np.asarray(function(s, action))
        full = (self.n_states,) + tail
        if row.shape == full:
            return row
        if name.endswith("R") and row.shape in (tail, (1,) + tail):
            return np.broadcast_to(row, full)
        raise InvalidMDPError(f"{name}({s}, {action_in_words(action)}) has shape {row.shape}: it must be {full}, one "
                              f"entry a next state{'; an action is an array: take a[0]' if row.shape == full + (1,) else ''}")


def _function(function, name):
    if callable(function) or (function is None and name.startswith("d")):
        return function
    raise InvalidMDPError(f"{name} is a {type(function).__name__}: a ContinuousActionMDP takes functions of (s, a); tables "
                          "of finitely many actions belong in pg.MDP")


def _start(rho):
    """rho as an array and its arithmetic: a distribution over at least one state."""
    if isinstance(rho, (int, np.integer)):
        raise InvalidMDPError(f"rho is {rho!r}: a ContinuousActionMDP counts its states by rho; pass an (S,) array, for "
                              "instance numpy.eye(S)[start]")
    rho, arithmetic = numbers(rho, "rho", InvalidMDPError)
    if rho.ndim != 1 or not len(rho):
        raise InvalidMDPError(f"rho has shape {rho.shape}: it must be (S,), one probability a state")
    if arithmetic.name == "complex128":
        raise InvalidMDPError("rho is complex: a model is real")
    if (rho < 0).any() if not arithmetic.symbolic else False:
        index = first(rho < 0)
        raise InvalidMDPError(f"rho[{index[0]}] is {in_words(rho[index])}: probabilities are not negative")
    checked = FLOAT if arithmetic == INTEGER else arithmetic
    require_stochastic(np.asarray(rho.sum()), "rho", len(rho), checked, InvalidMDPError,
                       lambda index, total: "it must be a distribution over the states")
    return rho, arithmetic


def _values(values, name, actions):
    """What a user's function returned, as an array in the arithmetic of the actions or a larger one."""
    if actions.dtype == object:
        return as_array(values, name)
    array = np.asarray(values)
    if array.dtype.kind == "c" and actions.dtype.kind != "c":
        raise InvalidMDPError(f"{name} is complex at real actions: a model is real (take the root of a negative number?)")
    if array.dtype.kind not in "biufc":
        raise InvalidMDPError(f"{name} returned entries of type {array.dtype}: they must be numbers")
    arithmetic = COMPLEX if array.dtype.kind == "c" else FLOAT
    return np.ascontiguousarray(arithmetic.convert(array)), arithmetic


def _whole(array, name, actions, shape, tail):
    """A vectorized answer in its full shape; axes of length 1 and missing leading ones are broadcast."""
    if array.shape == shape:
        return array
    n = len(tail) + 2
    if array.ndim >= n and _fits(array.shape, shape) and (name.endswith("R") or array.shape[-n:] == shape[-n:]):
        return np.broadcast_to(array, shape)
    raise InvalidMDPError(f"{name}(actions) has shape {array.shape}: for actions of shape {actions.shape} it must be "
                          f"{shape}, row s at actions[..., s, :], leading axes kept")


def _fits(small, large) -> bool:
    return len(small) <= len(large) and all(m in (1, n) for m, n in zip(small[::-1], large[::-1], strict=False))


# ------------------------------------------------------------------------------------------------ validation in use


def _require_law(P, R, r, actions) -> None:
    """P is stochastic and R finite at these actions; the message names state, action and next state.

    A NaN or infinity anywhere in a row of R makes its r one too (0 times infinity is NaN), so r is looked at first.
    """
    if P.dtype == object:
        _require_unsigned(P, _marked(is_negative, P), actions)
        _require_rows(~_marked(_is_one, P.sum(axis=-1)), P, actions)
        return
    with np.errstate(all="ignore"):
        sums = P @ np.ones(P.shape[-1])
    for name, table, whole in (("P", P, sums), ("R", R, r)):
        if not np.isfinite(whole).all():
            _require_finite(name, table, actions)
    slack = 4 * (P.shape[-1] + OWN_ROUNDINGS) * EPS
    if P.real.min() < -slack:
        _require_unsigned(P, P.real < -slack, actions)
    _require_rows(np.abs(sums.real - 1) > slack, P, actions)


def _is_one(x) -> bool:
    """Exactly 1; an expression may have to be cancelled first."""
    return bool(x == 1) or (hasattr(x, "cancel") and bool((x - 1).cancel() == 0))


def _marked(condition, array):
    """bool array: where a condition on numbers holds."""
    return np.array([condition(x) for x in array.flat], dtype=bool).reshape(array.shape)


def _require_finite(name, table, actions) -> None:
    bad = ~np.isfinite(table)
    if bad.any():
        index = first(bad)
        raise InvalidMDPError(f"{place(name, index, actions)} is {table[index]} at next state {index[-1]}: {name} must be "
                              "finite at the actions in use")


def _require_unsigned(P, bad, actions) -> None:
    if bad.any():
        index = first(bad)
        raise InvalidMDPError(f"{place('P', index, actions)} is {in_words(np.real(P[index]))} at next state {index[-1]}: "
                              "probabilities are not negative; does the action leave the range of the model?")


def _require_rows(bad, P, actions) -> None:
    if np.any(bad):
        index = first(bad)
        total = np.real(P[index].sum()) if P.dtype != object else P[index].sum()
        near = P.dtype != object and abs(total - 1) < 1e-5
        advice = ("off by rounding (float32?): divide the row by its sum in P" if near
                  else "a successor is missing, or the action leaves the range of the model")
        raise InvalidMDPError(f"{place('P', index + (0,), actions)} sums to {sum_in_words(total)}, not 1: {advice}")
