r"""Derivatives of any function of an array, without knowing the function: complex step, differences with their error, exact.

- *Complex step*: :math:`f'(x) = \operatorname{Im} f(x + ih)/h` with h = 1e-20, exact to rounding for analytic code
  (Squire & Trapp, SIAM Review 40, 1998).
- *Differences*: central differences on a ladder of halved steps, one Richardson extrapolation, and the error that the
  ladder itself shows. The caller says how noisy the function is; the reported error counts that noise.
- *Exact*: dual numbers for Fractions in, Fractions out; the derivation of a field of rational functions for symbols.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from .arithmetic import DUAL, EPS, objects
from .arithmetic.dual import Dual
from .errors import NotExactError, UndefinedError

TINY = 1e-20
LEVELS = 60
CONFIRMING = 6           # steps taken past the best one, to see whether they agree with it


def unit_directions(shape) -> Iterator[np.ndarray]:
    """Every coordinate direction of an array of this shape, in C order.

    >>> from pgtheory.differentiate import unit_directions
    >>> [d.tolist() for d in unit_directions((2,))]
    [[1.0, 0.0], [0.0, 1.0]]
    """
    for i in range(int(np.prod(shape))):
        direction = np.zeros(shape)
        direction.flat[i] = 1.0
        yield direction


@dataclass(frozen=True)
class Ladder:
    """Central differences at halved steps, and what they say together.

    value : the extrapolated derivative at the best step, the function's shape
    error : float, reported error of every entry of ``value``: what the ladder still moved, plus the function's noise
    steps : (m,) the steps h
    differences : (m,) + shape, the plain central difference at each step
    best : index of the step in use
    """

    value: np.ndarray
    error: float
    steps: np.ndarray
    differences: np.ndarray
    best: int


def ladder(f: Callable, noise: float, start: float = 0.5, beyond: int = 0) -> Ladder:
    """Differentiate ``f(h)`` (an array) at h = 0, on steps start, start/2, ...

    ``noise`` bounds the rounding error of any entry of ``f``. The extrapolant of a level is (4 C(h) - C(2h)) / 3, whose
    noise is at most (4/h + 1/(2h)) / 3 times that of f; its reported error is the larger of its own move and a sixteenth
    of the move before (the truncation falls by 16 a level, so both must be small by accident to deceive), plus that noise
    and the rounding of the quotient. A step counts only if no smaller one contradicts it; where each is contradicted the error
    is infinite.

    Raises :class:`UndefinedError` where no two steps in a row give finite values.

    >>> import numpy as np
    >>> from pgtheory.differentiate import ladder
    >>> result = ladder(lambda h: np.exp(np.array([1.0, 2.0]) * h), noise=1e-15)
    >>> bool(np.all(np.abs(result.value - [1, 2]) <= result.error)), result.error < 1e-11
    (True, True)
    """
    h, steps, differences, extrapolated, errors = float(start), [], [], [], []
    best, noise = None, max(noise, _roughness(f, float(start)))
    for _ in range(LEVELS):
        steps.append(h)
        differences.append(_central(f, h))
        if len(differences) > 1:
            extrapolated.append((4 * differences[-1] - differences[-2]) / 3)
        moved = [_distance(extrapolated[-k], extrapolated[-k - 1]) for k in (1, 2) if len(extrapolated) > k]
        error = max(moved[0], moved[1] / 16) + 1.5 * noise / h + _rounding(extrapolated[-1]) if len(moved) == 2 else np.inf
        errors.append(error)
        if np.isfinite(error) and (best is None or error < errors[best]):
            best = len(steps) - 1
        if best is not None and 1.5 * noise / h > errors[best] and len(steps) - 1 - best >= CONFIRMING:
            beyond -= 1
            if beyond < 0:
                break
        h /= 2
    if best is None:
        raise UndefinedError("finite differences found no step at which the function is finite on both sides")
    best, error = _confirmed(extrapolated, errors)
    value = extrapolated[best - 1]
    swept = np.array([np.broadcast_to(one, value.shape) for one in differences])
    return Ladder(value, error, np.array(steps), swept, best)


def _roughness(f, start) -> float:
    """Noise of code that computes in single precision, whatever was said of it: a second difference that does not shrink.

    Of a smooth function it falls by 256 where the step falls by 16.
    """
    with np.errstate(all="ignore"):
        try:
            middle = 2 * np.asarray(f(0.0), dtype=float)
            second = [float(np.max(np.abs(np.asarray(f(h), dtype=float) - middle + np.asarray(f(-h), dtype=float)), initial=0.0))
                      for h in (0.739 * start * 2.0**-k for k in range(13, 23))]
        except (ValueError, ArithmeticError):
            return 0.0
    return max((small for large, small in zip(second, second[4:], strict=False) if large / 64 < small < np.inf), default=0.0)


def _confirmed(extrapolated, errors):
    """(step, error): the least error that no smaller step contradicts; infinite where every one is contradicted.

    A function that is flat at large steps (saturated, or past a kink) looks converged there; smaller steps know better.
    """
    order = sorted((i for i, error in enumerate(errors) if np.isfinite(error)), key=lambda i: errors[i])
    for i in order:
        later = [j for j in range(i + 1, len(errors)) if np.isfinite(errors[j])]
        if all(_distance(extrapolated[i - 1], extrapolated[j - 1]) <= errors[i] + errors[j] for j in later):
            return i, float(errors[i])
    return order[0], np.inf


def _central(f, h):
    """(f(h) - f(-h)) / 2h, or NaN where the function does not exist on both sides."""
    with np.errstate(all="ignore"):
        try:
            return (np.asarray(f(h), dtype=float) - np.asarray(f(-h), dtype=float)) / (2 * h)
        except (ValueError, ArithmeticError):       # outside its domain, as math.sqrt(-1) or a pi that is none
            return np.float64(np.nan)


def _rounding(difference) -> float:
    """Of the quotient itself, whatever the noise of f: f(h) and f(-h) are rounded where they are far from f(0) too."""
    return 4 * EPS * _distance(difference, 0.0)


def _distance(a, b) -> float:
    d = float(np.max(np.abs(a - b), initial=0.0))
    return d if np.isfinite(d) else np.inf


def central_difference(f: Callable, scale: float = 1.0):
    """(value, error) of the derivative of ``f(h)`` at 0, for functions as exact as their last digit.

    >>> import numpy as np
    >>> from pgtheory.differentiate import central_difference
    >>> value, error = central_difference(lambda h: np.array([np.sin(h)]))
    >>> bool(abs(value[0] - 1) <= error < 1e-11)
    True
    """
    noise = 4 * EPS * max(float(np.max(np.abs(np.asarray(f(0.0), dtype=float)), initial=0.0)), EPS)
    result = ladder(f, noise, scale / 2)
    return result.value, result.error


def jacobian_by_differences(f, step, theta):
    """(f's shape + theta's shape, error of every entry): one ladder a coordinate; for user code that is not analytic."""
    scale = max(1.0, float(np.max(np.abs(theta), initial=0.0)))
    found = [central_difference(lambda h, d=d: f(step(theta, d, h)), scale) for d in unit_directions(theta.shape)]
    columns = [value for value, _ in found]
    return np.stack(columns, axis=-1).reshape(columns[0].shape + theta.shape), max(error for _, error in found)


def differentiated(f: Callable, step, theta) -> tuple[np.ndarray, str, float]:
    """Jacobian of a user's function (f's shape + theta's shape), how it was got, and the error of its entries: "complex step"
    where its code is analytic, found out by trying it against finite differences; "finite differences" where it is not.

    >>> import numpy as np
    >>> from pgtheory.differentiate import differentiated
    >>> differentiated(lambda x: x**2, lambda x, d, h: x + h * d, np.array([1.0, 3.0]))
    (array([[2., 0.],
           [0., 6.]]), 'complex step', 0.0)
    """
    jacobian = _by_complex_steps(f, step, theta)
    if jacobian is not None and _agrees(jacobian, f, step, theta):
        return jacobian, "complex step", 0.0
    jacobian, error = jacobian_by_differences(f, step, theta)
    return jacobian, "finite differences", error


def _by_complex_steps(f, step, theta):
    """The Jacobian, or None where the code cannot take complex numbers or drops them."""
    columns = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            for direction in unit_directions(theta.shape):
                value = np.asarray(f(step(theta, direction, 1j * TINY)))
                if value.dtype.kind != "c":
                    return None
                columns.append(value.imag / TINY)
        except Exception:   # a user's code may raise anything at a complex number
            return None
    return np.stack(columns, axis=-1).reshape(columns[0].shape + theta.shape)


def _agrees(jacobian, f, step, theta) -> bool:
    """The Jacobian along one direction in general position is what finite differences say."""
    probe = np.linspace(0.5, 1.0, theta.size).reshape(theta.shape)
    along = np.tensordot(jacobian, probe, axes=theta.ndim)
    difference, error = central_difference(lambda h: np.asarray(f(step(theta, probe, h))))
    return bool(np.all(np.abs(along - difference) <= error + 100 * EPS * (1 + np.abs(along))))


def complex_step(f: Callable, step, theta, directions) -> np.ndarray:
    """(n,) + f's shape: derivatives of ``f`` along each of ``directions`` (n, *theta.shape), all in one call of f.

    ``f`` takes a stack of parameters and ``step`` moves them; both must be analytic code.

    >>> import numpy as np
    >>> from pgtheory.differentiate import complex_step
    >>> complex_step(lambda x: x[..., 0] * x[..., 1], lambda x, d, h: x + h * d, np.array([2.0, 3.0]), np.eye(2))
    array([3., 2.])
    """
    return np.imag(f(step(theta, np.asarray(directions), 1j * TINY))) / TINY


def exact_derivative(f: Callable, step, theta, direction) -> np.ndarray:
    """f's shape: the derivative of ``f`` at ``theta`` along ``direction``, in Fractions, by dual numbers.

    >>> from fractions import Fraction
    >>> import numpy as np
    >>> from pgtheory.differentiate import exact_derivative
    >>> x = np.array([Fraction(1, 2)], dtype=object)
    >>> exact_derivative(lambda x: 1 / x, lambda x, d, h: x + h * d, x, np.array([1]))
    array([Fraction(-4, 1)], dtype=object)
    """
    moved = step(DUAL.convert(theta), DUAL.convert(np.asarray(direction)), Dual(0, 1))
    value = np.asarray(f(moved), dtype=object)
    return objects([x.b if isinstance(x, Dual) else Fraction(0) for x in value.flat], value.shape)


def symbolic_derivative(values, theta, *, logarithmic: bool):
    """values' shape + theta's shape: d/d theta (or theta d/d theta) of field elements or expressions.

    Every entry of theta must be a generator of the field, or a symbol; raises :class:`NotExactError` otherwise.

    >>> import numpy as np
    >>> from sympy import QQ
    >>> from sympy.polys.fields import field
    >>> from pgtheory.differentiate import symbolic_derivative
    >>> K, x, y = field("x, y", QQ)
    >>> symbolic_derivative(np.array([x * y**2]), np.array([x, y]), logarithmic=True)
    array([[x*y**2, 2*x*y**2]], dtype=object)
    """
    values = np.asarray(values, dtype=object)
    out = np.empty(values.shape + theta.shape, dtype=object)
    for index, x in np.ndenumerate(theta):
        variable = _generator(x, index)
        for place, value in np.ndenumerate(values):
            slope = value.diff(variable)
            out[place + index] = x * slope if logarithmic else slope
    return out


def _generator(x, index):
    """The ring generator (or Symbol) that this entry of theta is."""
    if getattr(x, "is_Symbol", False):
        return x
    gens = getattr(getattr(x, "field", None), "gens", ())
    if x not in gens:
        raise NotExactError(f"theta{list(index)} is {x}: symbolic derivatives need every entry of theta to be a symbol or a "
                            "generator of the field")
    return x
