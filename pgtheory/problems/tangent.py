r"""Directions in the simplex: the parameters move, and the rows of pi keep their sum.

Where the rows of pi sum to 1 for special theta only, as in the direct parameterisation, a claim that needs
:math:`\sum_a \nabla\pi(a|s) = 0` holds along the directions :math:`u` with :math:`\sum_a \nabla\pi(a|s) \cdot u = 0` for all s.
In a tabular policy these are found row by row: from any direction, subtract its projection on :math:`c_s = \sum_a
\nabla_{\theta(s)} \pi(a|s)`.
"""

from __future__ import annotations

import numpy as np

from ..policies import Policy


def row_sum_slopes(policy: Policy, theta, arithmetic):
    """(S, A): c_s, the gradient of sum_a pi(a|s) in theta(s), of a tabular policy.

    >>> import pgtheory as pg
    >>> from pgtheory.arithmetic import FLOAT
    >>> row_sum_slopes(pg.DirectPolicy(1, 2), [[0.25, 0.75]], FLOAT)
    array([[1., 1.]])
    """
    return policy.pullback(theta, arithmetic.zeros(policy.shape) + arithmetic.number(1))


def tangent_directions(directions, c):
    """``directions`` (n, S, A), each row less its projection on that of c (S, A); a row where c is 0 stays as it is.

    >>> import numpy as np
    >>> tangent_directions(np.eye(2).reshape(2, 1, 2), np.ones((1, 2))).tolist()
    [[[0.5, -0.5]], [[-0.5, 0.5]]]
    """
    square = (c * c).sum(axis=-1, keepdims=True)
    square = np.where(np.array(square == 0, dtype=bool), square + 1, square)
    return directions - (c * directions).sum(axis=-1, keepdims=True) * (c / square)


def stretch(c) -> float:
    r"""How much longer a row of a direction may become, in the 1-norm: :math:`1 + \max_s |c_s|_1 |c_s|_\infty / |c_s|_2^2`.

    >>> import numpy as np
    >>> stretch(np.ones((3, 4)))
    2.0
    """
    size = np.abs(np.asarray(c, dtype=float))
    square = np.where(size.any(axis=1), (size**2).sum(axis=1), 1.0)
    return 1 + float(np.max(size.sum(axis=1) * size.max(axis=1) / square, initial=0.0))
