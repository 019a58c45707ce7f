"""Left sides by routes that know no theorem: differentiation, series, simulation."""

from . import complex_step, exact, finite_difference, series

ROUTES = (exact, complex_step, finite_difference, series)
