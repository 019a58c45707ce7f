"""Models of pymdptoolbox and QuantEcon, whose layouts differ from (s, a, s')."""

from __future__ import annotations

import numpy as np
import scipy.sparse

from ..errors import InvalidMDPError
from ..mdp import MDP


def from_mdptoolbox(P, R, gamma, rho) -> MDP:
    """The MDP of pymdptoolbox's arrays, which put the action first.

    Parameters
    ----------
    P : (A, S, S) array, or a list, tuple or object array of A matrices (S, S), dense or sparse
    R : (S,), (S, A) or (A, S, S) array, or a list, tuple or object array of A matrices (S, S), dense or sparse
    gamma : float or Fraction in [0, 1]
    rho : (S,) array or int, the start, which pymdptoolbox does not know

    Returns
    -------
    MDP, sparse where P is

    Raises
    ------
    InvalidMDPError
        P or R of another shape, or what no MDP can have.

    Examples
    --------
    >>> import numpy as np, pgtheory as pg
    >>> P = np.array([[[0.0, 1.0], [0.0, 1.0]], [[1.0, 0.0], [1.0, 0.0]]])   # P[a, s, s']
    >>> mdp = pg.from_mdptoolbox(P, np.array([[0.0, 1.0], [2.0, 3.0]]), 0.5, 0)
    >>> mdp.P[0, 1], mdp.r[0]
    (array([1., 0.]), array([0., 1.]))
    """
    matrices = _matrices(P)
    sparse = matrices is not None
    P = matrices if sparse else _action_last(P, "P")
    return MDP(P, _rewards(R, sparse), gamma, rho)


def _rewards(R, sparse):
    if scipy.sparse.issparse(R):
        raise InvalidMDPError(f"R is one sparse matrix of shape {R.shape}: pass R.toarray() where it is (S, A), or a "
                              "list of A sparse (S, S) matrices")
    matrices = _matrices(R)
    if matrices is not None:
        return matrices if sparse else np.stack([m.toarray() for m in matrices], axis=1)
    array = _array(R, "R")
    return array if array.ndim < 3 else _action_last(array, "R")


def _matrices(values):
    """A list of csr arrays where any of A matrices is sparse, else None."""
    if scipy.sparse.issparse(values) or not isinstance(values, (list, tuple, np.ndarray)):
        return None
    if isinstance(values, np.ndarray) and (values.ndim != 1 or values.dtype != object):
        return None
    if not any(scipy.sparse.issparse(m) for m in values):
        return None
    return [scipy.sparse.csr_array(m) for m in values]


def _action_last(values, name):
    """(A, S, S) as (S, A, S)."""
    array = _array(values, name)
    if array.ndim != 3 or array.shape[1] != array.shape[2]:
        raise InvalidMDPError(f"{name} has shape {array.shape}: pymdptoolbox's layout is (A, S, S), a matrix for each action"
                              + ("; looks like (S, A, S): that is what pgtheory.MDP takes"
                                 if array.ndim == 3 and array.shape[0] == array.shape[2] else ""))
    return array.transpose(1, 0, 2)


def _array(values, name):
    """The array of values that may be a list, or an object array, of dense matrices."""
    if isinstance(values, np.ndarray) and values.dtype == object and values.ndim == 1:
        values = list(values)
    try:
        return np.asarray(values)
    except ValueError as error:
        raise InvalidMDPError(f"{name} is ragged: its matrices differ in shape ({error})") from None


def from_quantecon(ddp, rho) -> MDP:
    """The MDP of a ``quantecon.markov.DiscreteDP``, in its product or its state-action-pair formulation.

    Parameters
    ----------
    ddp : DiscreteDP
        R (S, A) with Q (S, A, S), or R (L,) with Q (L, S) dense or sparse and the pairs in s_indices, a_indices.
    rho : (S,) array or int, the start, which a DiscreteDP does not know

    Returns
    -------
    MDP, sparse where Q is; gamma is ``ddp.beta``

    Raises
    ------
    InvalidMDPError
        Not a DiscreteDP, or a pair that is infeasible (reward -inf, or left out): an MDP has every action in every state.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import numpy as np, pgtheory as pg
    >>> ddp = SimpleNamespace(R=np.array([[5.0, 10.0], [-1.0, -np.inf]]), beta=0.95, s_indices=None, a_indices=None,
    ...                       Q=np.array([[[0.5, 0.5], [0.0, 1.0]], [[0.0, 1.0], [0.5, 0.5]]]))
    >>> pg.from_quantecon(ddp, 0)
    Traceback (most recent call last):
        ...
    pgtheory.errors.InvalidMDPError: action 1 is infeasible in state 1 (reward -inf), and an MDP has every action in every \
state: give the pair the transition and the reward of a feasible action of that state, or a finite penalty
    """
    try:
        R, Q, beta, states, actions = ddp.R, ddp.Q, ddp.beta, ddp.s_indices, ddp.a_indices
    except AttributeError:
        raise InvalidMDPError(f"from_quantecon needs a quantecon.markov.DiscreteDP, not {type(ddp).__name__}") from None
    if states is not None:
        R, Q = _product_form(R, Q, states, actions)
    infeasible = np.argwhere(np.isneginf(R))
    if len(infeasible):
        raise _infeasible(infeasible[0], "reward -inf")
    return MDP(Q, R, beta, rho)


def _product_form(R, Q, states, actions):
    """R (S, A), and Q (S, A, S) or sparse (S*A, S), from one row for each pair."""
    S, A = Q.shape[1], int(np.max(actions)) + 1
    row_of = np.full((S, A), -1)
    row_of[states, actions] = np.arange(len(states))
    missing = np.argwhere(row_of < 0)
    if len(missing):
        raise _infeasible(missing[0], "no such pair")
    Q = scipy.sparse.csr_array(Q)[row_of.reshape(-1)] if scipy.sparse.issparse(Q) else Q[row_of]
    return R[row_of], Q


def _infeasible(pair, why) -> InvalidMDPError:
    s, a = pair
    return InvalidMDPError(f"action {a} is infeasible in state {s} ({why}), and an MDP has every action in every state: "
                           "give the pair the transition and the reward of a feasible action of that state, or a finite "
                           "penalty")
