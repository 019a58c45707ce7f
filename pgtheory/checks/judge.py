"""One equation, one route, one verdict."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..arithmetic import canonical, in_balls
from ..claims.equation import Equation
from ..errors import NotExactError, PGTheoryError
from .catalogue import sharpest
from .enclosed import judge_balls
from .record import FAIL, INCONCLUSIVE, PASS, TOO_WIDE, Check

UNDERFLOW = 1e-250    # what underflow, over the step of 1e-20 of a complex step and times the conditioning, stays below
MEANT = 1000          # whole floats up to here are constants of a claim, not results


def judge(slug: str, equation: Equation, problem, route, tolerance: float) -> Check:
    """Compare the equation's sides, the left one as ``route`` computes it.

    In exact arithmetic the sides must be equal, unless the route itself is a truncated series. In floating point their
    difference must lie within what the route's error and the rounding of the right side allow; where that is more than
    ``tolerance`` times the sides themselves (or the terms they are made of), agreement would show nothing and the verdict is
    INCONCLUSIVE, unless both sides are 0 to the last bit.
    """
    left = route.compute(problem, equation.quantity)
    lhs, rhs = canonical(np.asarray(left.value), np.asarray(equation.right(left.value)))
    if problem.arithmetic.enclosing:
        return judge_balls(slug, equation, route.NAME, lhs, rhs, problem.arithmetic, left.error)
    if problem.exact and left.error == 0:
        return _equal(slug, equation, route.NAME, lhs, rhs)
    bound = left.error if problem.exact else left.error * (1 + equation.recursive) + equation.rounding(problem)
    return _within(slug, equation, route.NAME, lhs, rhs, bound, tolerance, left.note, _curve(left, rhs))


def judge_given(slug: str, equation: Equation, problem, tolerance: float) -> Check:
    """Compare two sides that the claim itself brings along, both by linear algebra."""
    lhs, rhs = canonical(np.asarray(equation.lhs), np.asarray(equation.rhs))
    if problem.arithmetic.enclosing:
        return judge_balls(slug, equation, "linear-algebra", lhs, rhs, problem.arithmetic)
    if problem.exact:
        return _equal(slug, equation, "linear-algebra", lhs, rhs)
    bound = equation.rounding(problem)
    return _within(slug, equation, "linear-algebra", lhs, rhs, bound, tolerance,
                   "certified from residuals" if bound == equation.certified else "rounding")


def judge_enclosed(claim, part: str, tolerance: float, balls) -> Check:
    """The equation of a claim that goes by ``part``, on a problem in balls, by the sharpest route; made once."""
    key = ("judged", claim.slug, part)
    if key not in balls.memory:
        if (reason := claim.reason_against(balls)) is not None:
            raise NotExactError(reason)
        if (equations := ("equations", claim.slug)) not in balls.memory:
            balls.memory[equations] = claim.equations(balls)
        equation = next((each for each in balls.memory[equations] if each.part == part), None)
        if equation is None:
            raise NotExactError("this part is not stated in them, for it has too many trajectories, or sampled ones")
        found = (judge_given(claim.slug, equation, balls, tolerance) if equation.quantity == "given" else
                 judge(claim.slug, equation, balls, sharpest(balls, equation), tolerance))
        few = not balls.complete and equation.kind not in ("V", "Q", "d", "given")
        balls.memory[key] = replace(found, note=f"{found.note}, along {len(balls.directions)} random directions") if few else found
    return balls.memory[key]


def judge_user(theorem, problem, model, policy, theta, tolerance: float) -> Check:
    """Compare the two sides that a user's claim returns.

    Nothing is known of how they were computed, so in floating point the bound is that of one solve, relative to the sides
    and to the value.
    """
    lhs, rhs = (np.asarray(side) for side in theorem.sides(model, policy, theta))
    if lhs.shape != rhs.shape:
        raise PGTheoryError(f"the claim {theorem.slug!r} returned sides of shapes {lhs.shape} and {rhs.shape}: they must be "
                            "equal")
    equation = Equation("both sides", "given", rhs, 0.0, lhs=lhs)
    if problem.arithmetic.enclosing and (_rounded(lhs) or _rounded(rhs)):
        raise NotExactError("the claim makes floats of them, whose rounding nothing encloses")
    if in_balls(lhs) or in_balls(rhs):
        return judge_balls(theorem.slug, equation, "as given", lhs, rhs, problem.arithmetic)
    if lhs.dtype == object or rhs.dtype == object:
        return _equal(theorem.slug, equation, "as given", lhs, rhs)
    reach = 0.0 if problem.undefined else problem.value_scale * float(problem.conditioning)
    size = max(_largest(lhs), _largest(rhs), reach)
    equation = Equation("both sides", "given", rhs, size, lhs=lhs)
    return _within(theorem.slug, equation, "as given", lhs, rhs, problem.unit * size, tolerance, "rounding of one solve")


def _rounded(side) -> bool:
    """A float stands among the balls, other than the small whole numbers that one writes as they are."""
    return any(isinstance(x, (float, complex)) and x not in range(-MEANT, MEANT + 1) for x in side.flat)


def _equal(slug, equation, route, lhs, rhs):
    same = bool(np.all(lhs == rhs))
    error = 0.0 if same else _largest(lhs - rhs)
    return Check(slug, equation.part, route, "exact", lhs, rhs, error, 0.0, PASS if same else FAIL, "equal in every entry"
                 if same else "not equal")


def _within(slug, equation, route, lhs, rhs, bound, tolerance, note, curve=None):
    with np.errstate(invalid="ignore"):
        difference = abs(lhs - rhs)
    error, size = _largest(difference), max(_largest(lhs), _largest(rhs), equation.size)
    if 0 < size <= UNDERFLOW / tolerance:
        bound = max(bound, UNDERFLOW)
    if not np.isfinite(size):
        verdict, note = FAIL, "a side is not finite"
    elif not np.all(difference <= bound):
        verdict = FAIL
    elif size and not bound <= tolerance * size:
        verdict, note = INCONCLUSIVE, f"{note}; {TOO_WIDE}".lstrip("; ")
    else:
        verdict = PASS
    return Check(slug, equation.part, route, "bounded", lhs, rhs, error, float(bound), verdict, note, curve)


def _largest(difference) -> float:
    """The largest absolute entry; NaN for symbols, which have no size."""
    try:
        return float(max((abs(float(x)) for x in np.asarray(difference).flat), default=0.0))
    except TypeError:
        return float("nan")


def _curve(left, rhs):
    """(steps, errors): how far each plain central difference of a sweep is from the right side."""
    if left.curve is None or callable(rhs):
        return None
    steps, differences = left.curve
    errors = [_largest(one - rhs) if np.shape(one) == np.shape(rhs) else np.nan for one in differences]
    return tuple(float(h) for h in steps), tuple(errors)
