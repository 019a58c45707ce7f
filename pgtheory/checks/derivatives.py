"""The gradient by a route of one's choice that knows no theorem."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..errors import PGTheoryError, UndefinedError
from ..problems.continuous import problem_of
from ..routes import complex_step, exact, finite_difference

_ROUTES = {route.NAME: route for route in (complex_step, finite_difference, exact)}


class Derivative(NamedTuple):
    """A derivative and a bound (or, for differences, a report) of its error."""

    value: np.ndarray
    error: float


def derivative(model, policy, theta, route="complex-step") -> Derivative:
    """The gradient of J at theta, of theta's shape, by ``route``: "complex-step", "finite-difference" or "exact".

    Returns (value, error): value in reward units per unit of theta; error bounds every entry (complex step: rounding;
    finite difference: as its ladder reports; exact: 0). Raises :class:`UndefinedError` where the route cannot be taken,
    with the reason, and what :func:`pgtheory.solve` raises.

    >>> import pgtheory as pg
    >>> mdp = pg.models.load("start-matters")
    >>> value, error = pg.derivative(mdp, pg.SoftmaxPolicy(2, 2), [[0.0, 0.0], [0.0, 0.0]])
    >>> value.round(6)
    array([[ 0.082645, -0.082645],
           [ 4.090909, -4.090909]])
    >>> error < 1e-9
    True
    """
    if route not in _ROUTES:
        raise PGTheoryError(f"no route {route!r}: there are {', '.join(_ROUTES)}")
    problem = problem_of(model, policy, theta, complete=True)
    taken = _ROUTES[route]
    if not taken.fits(problem):
        other = "exact" if problem.exact else "complex-step"
        raise UndefinedError(f"the route {route} does not fit numbers of kind {problem.arithmetic.name}: use route={other!r}")
    reason = taken.reason_against(problem, "grad J")
    if reason is not None:
        raise UndefinedError(f"the route {route} cannot be taken: {reason}")
    left = taken.compute(problem, "grad J")
    return Derivative(left.value.reshape(problem.theta.shape), left.error)
