"""The derivatives of pi along a few directions, as a table of floats, for samplers."""

from __future__ import annotations

import numpy as np

from ..errors import PGTheoryError, UndefinedError
from ..validation import first

LARGEST_TABLE = 20_000_000    # S * A * k slopes: 160 MB of float64


def slopes_along(problem, directions):
    """(S, A, k): derivative of pi(a|s) along each of ``directions`` (k, *theta.shape).

    Raises :class:`PGTheoryError` where the table is too large, :class:`UndefinedError` where pi(a|s) = 0 has a derivative
    that is not 0: an action that is never drawn cannot show it.

    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.problems.finite import Problem
    >>> problem = Problem(pg.models.load("bandit"), pg.SoftmaxPolicy(2, 2), np.zeros((2, 2)))
    >>> slopes_along(problem, problem.directions)[0, 0]
    array([ 0.25, -0.25,  0.  ,  0.  ])
    """
    policy, theta = problem.policy, np.asarray(problem.theta, dtype=float)
    directions = np.asarray(directions, dtype=float)
    (S, A), k = problem.pi.shape, len(directions)
    if S * A * k > LARGEST_TABLE:
        raise PGTheoryError(f"{k} directions of {S} x {A} scores are too many for one table: pass "
                            "directions=testable_directions(problem, 64)")
    if policy.tabular:
        slopes = _row_jacobians(policy, theta) @ np.moveaxis(directions, 0, -1)
    else:
        slopes = np.asarray(policy.jacobian(theta), dtype=float).reshape(S, A, -1) @ directions.reshape(k, -1).T
    lost = (np.asarray(problem.pi, dtype=float)[:, :, None] == 0) & (slopes != 0)
    if lost.any():
        s, a, _ = first(lost)
        raise UndefinedError(f"pi[{s}, {a}] is 0 and its derivative is not: no action drawn from pi can see it; simulate at "
                             "a theta with pi > 0")
    return slopes


def _row_jacobians(policy, theta):
    """(S, A, A): d pi(a|s) / d theta(s, b) of a tabular policy; rows of other states are 0."""
    S, A = theta.shape
    columns = []
    for a in range(A):
        weights = np.zeros((S, A))
        weights[:, a] = 1.0
        columns.append(policy.pullback(theta, weights))
    return np.stack(columns, axis=1)
