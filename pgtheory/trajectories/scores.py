r"""Sums of scores along trajectories, :math:`\sum_t w_t \nabla\log\pi(a_t|s_t)`, one per trajectory.

The weights are first gathered in a table over (s, a), trajectory by trajectory; the table is then contracted with the
score. Tabular policies pull it back without forming their score, which would be (S, A, S, A).
"""

from __future__ import annotations

import numpy as np

from ..arithmetic import as_array, join
from ..errors import UndefinedError
from ..policies import SoftmaxPolicy
from ..validation import first

TABLE = 2**21      # entries of the tables held at once


def score_where_taken(policy, theta, taken):
    """(S, A) + shape: grad log pi(a|s); 0 where pi(a|s) is 0 and the action is not taken, and so never needed.

    taken : (S, A) bool. Raises :class:`UndefinedError` where an action of probability 0 is taken, as another policy may do:
    the logarithm has no derivative there. The score of a softmax, 1[a = b] - pi(b|s), exists even so.

    >>> import numpy as np, pgtheory as pg
    >>> score_where_taken(pg.DirectPolicy(1, 2), [[0.0, 1.0]], np.array([[False, True]]))[0, :, 0].tolist()
    [[0.0, 0.0], [0.0, 1.0]]
    """
    theta = policy.check_theta(theta)
    pi = policy.probabilities(theta)
    none = np.array(pi == 0, dtype=bool)
    if isinstance(policy, SoftmaxPolicy) or not none.any():
        return policy.score(theta)
    require_scores(policy, none & taken)
    expand = (...,) + (None,) * len(policy.shape)
    score = policy.jacobian(theta) / np.where(none, pi + 1, pi)[expand]
    return np.where(none[expand], score * 0, score)


def require_scores(policy, without) -> None:
    """Refuse actions (S, A) bool that are taken although their probability is 0."""
    if without.any():
        s, a = first(without)
        raise UndefinedError(f"pi[{s}, {a}] is 0 where the trajectories take that action: log pi has no derivative there; move "
                             f"theta inside, or let a softmax take the place of {type(policy).__name__}")


def score_sums(batch, policy, theta, weights):
    """(N,) + shape: sum over valid steps of weights[n, t] grad log pi(a_t | s_t), in the arithmetic of the inputs.

    >>> import pgtheory as pg
    >>> mdp = pg.MDP([[[0, 1], [0, 1]], [[0, 1], [0, 1]]], [1.0, 0.0], 1.0, 0)
    >>> batch = pg.enumerate_trajectories(mdp, [[0.5, 0.5]] * 2, horizon=1)
    >>> score_sums(batch, pg.SoftmaxPolicy(2, 2), [[0.0, 0.0]] * 2, 2 * batch.rewards)[1, 0]
    array([-1.,  1.])
    """
    theta = policy.check_theta(theta)
    taken = np.zeros(batch.behaviour.shape, dtype=bool)
    taken[batch.states[:, :-1][batch.valid], batch.actions[batch.valid]] = True
    return _in_chunks(batch, weights, _score_contraction(policy, theta, taken))


def gradient_sums(batch, policy, theta, weights):
    """(N,) + shape: sum over valid steps of sum_a weights[n, t, a] grad pi(a | s_t)."""
    return _in_chunks(batch, weights, _gradient_contraction(policy, policy.check_theta(theta)))


def contract_scores(policy, theta, table):
    """(N,) + shape: sum_sa table[n, s, a] grad log pi(a | s), for tables (N, S, A).

    >>> import numpy as np, pgtheory as pg
    >>> contract_scores(pg.SoftmaxPolicy(1, 2), [[0.0, 0.0]], np.array([[[1.0, 0.0]]]))
    array([[[ 0.5, -0.5]]])
    """
    theta = policy.check_theta(theta)
    return _score_contraction(policy, theta, np.array(table != 0, dtype=bool).any(axis=0))(table)


def _score_contraction(policy, theta, taken):
    if not policy.tabular:
        return _product(score_where_taken(policy, theta, taken))
    pi = policy.probabilities(theta)
    if isinstance(policy, SoftmaxPolicy):      # the score is 1[a = b] - pi(b|s): no division, however small pi is
        return lambda table: table - pi * table.sum(axis=-1, keepdims=True)
    none = np.array(pi == 0, dtype=bool)
    require_scores(policy, none & taken)
    divisor = np.where(none, 1, pi)
    return lambda table: policy.pullback(theta, table / divisor)


def _gradient_contraction(policy, theta):
    return (lambda table: policy.pullback(theta, table)) if policy.tabular else _product(policy.jacobian(theta))


def _product(derivative):
    """Tables (N, S, A) against a derivative (S, A) + shape."""
    return lambda table: np.tensordot(table, derivative, axes=2)


def _in_chunks(batch, weights, contraction):
    """The contraction of the (s, a) tables of a few rows at a time."""
    S, A = batch.behaviour.shape
    arithmetic = join(batch.arithmetic, as_array(weights, "weights")[1])
    weights = arithmetic.convert(weights)
    rows = max(1, TABLE // (S * A))
    parts = [contraction(_table(batch, weights, slice(i, i + rows), arithmetic)) for i in range(0, len(batch), rows)]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _table(batch, weights, rows, arithmetic):
    """(n, S, A): the weights of the valid steps, added up by state and action; weights (N, T) or (N, T, A)."""
    S, A = batch.behaviour.shape
    n, t = np.nonzero(batch.valid[rows])
    picked, states = weights[rows][n, t], batch.states[rows][n, t]
    if weights.ndim == 3:
        return add_up(n * S + states, picked, (len(batch.valid[rows]), S), arithmetic)
    return add_up((n * S + states) * A + batch.actions[rows][n, t], picked, (len(batch.valid[rows]), S, A), arithmetic)


def add_up(places, values, shape, arithmetic):
    """An array of ``shape`` (and the trailing axes of values) with the values added at flat ``places``.

    >>> import numpy as np
    >>> from pgtheory.arithmetic import FLOAT
    >>> add_up(np.array([0, 2, 0]), np.array([1.0, 2.0, 3.0]), (3,), FLOAT)
    array([4., 0., 2.])
    """
    size = int(np.prod(shape))
    if values.ndim == 1 and not arithmetic.exact and arithmetic.name == "float64":
        return np.bincount(places, weights=values, minlength=size).reshape(shape)
    out = arithmetic.zeros((size,) + values.shape[1:])
    np.add.at(out, places, values)
    return out.reshape(shape + values.shape[1:])
