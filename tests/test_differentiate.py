"""Derivatives of functions whose derivatives are known: complex steps, the error that the ladder reports, exact ones."""

import math
from fractions import Fraction

import numpy as np
import pytest
import sympy
from sympy.polys.fields import field

import pgtheory as pg
from pgtheory.differentiate import (
    central_difference,
    complex_step,
    differentiated,
    exact_derivative,
    jacobian_by_differences,
    ladder,
    symbolic_derivative,
    unit_directions,
)

EPS = np.finfo(float).eps


def moved(theta, direction, h):
    return theta + h * direction


SMOOTH = {      # name: (function of h, derivative at 0)
    "sine": (math.sin, 1.0),
    "exponential of 10 h": (lambda h: math.exp(10 * h), 10.0),
    "constant": (lambda h: 7.0, 0.0),
    "line": (lambda h: 3 - 2 * h, -2.0),
    "cubic": (lambda h: h**3 - h, -1.0),
    "degree 9": (lambda h: (1 + h) ** 9, 9.0),
    "pole at 0.6": (lambda h: 1 / (0.6 - h), 1 / 0.36),
    "pole at 1e-3": (lambda h: 1 / (1e-3 - h), 1e6),
    "large": (lambda h: 1e8 * math.cos(h + 1), -1e8 * math.sin(1)),
    "small": (lambda h: 1e-8 * math.tan(h), 1e-8),
    "large offset": (lambda h: 1e6 + math.sin(h), 1.0),
    "fast": (lambda h: math.sin(1000 * h), 1000.0),
    "half a domain": (lambda h: math.log(0.1 + h), 10.0),
}


# --------------------------------------------------------------------------------------------------------- the ladder


@pytest.mark.parametrize("name", SMOOTH)
def test_the_reported_error_covers_the_true_one_and_is_small(name):
    f, slope = SMOOTH[name]
    value, error = central_difference(lambda h: np.array([f(h)]))
    assert abs(value[0] - slope) <= error
    assert error <= 1e-7 * max(abs(slope), abs(f(0.0)))


@pytest.mark.parametrize("amplitude", [1e-12, 1e-8, 1e-4])
@pytest.mark.parametrize("name", ["sine", "exponential of 10 h", "degree 9", "pole at 0.6", "large offset"])
@pytest.mark.parametrize("seed", range(5))
def test_noise_is_covered_where_its_size_is_told(name, amplitude, seed):
    """The function is known only to ``amplitude``: uniform noise, a new draw at every call."""
    f, slope = SMOOTH[name]
    rng = np.random.default_rng(seed)
    result = ladder(lambda h: np.array([f(h) + amplitude * rng.uniform(-1, 1)]), noise=amplitude + EPS * abs(f(0.0)))
    assert abs(result.value[0] - slope) <= result.error
    assert result.error <= 100 * amplitude**0.5 * max(1.0, abs(slope))


def test_noise_that_is_hidden_from_the_ladder_shows_in_its_error_all_the_same():
    """Negative control: with noise 1e-4 the error reported is never that of a function exact to its last digit."""
    rng = np.random.default_rng(0)
    noisy = [ladder(lambda h: np.array([math.sin(h) + 1e-4 * rng.uniform(-1, 1)]), noise=EPS).error for _ in range(20)]
    exact = ladder(lambda h: np.array([math.sin(h)]), noise=EPS).error
    assert exact < 1e-11 < 1e-6 < min(noisy)


@pytest.mark.parametrize("place, slope", [(0.3, -1.0), (-0.3, 1.0), (0.01, -1.0), (-1e-4, 1.0)])
def test_a_kink_aside_is_passed_by_smaller_steps(place, slope):
    value, error = central_difference(lambda h: np.array([abs(h - place)]))
    assert abs(value[0] - slope) <= error < 1e-9


def test_kinks_and_steep_places_raise_the_error():
    smooth = central_difference(lambda h: np.array([1 + math.sin(h)]))[1]
    value, corner = central_difference(lambda h: np.array([1 + h * abs(h) + math.sin(h)]))      # a jump of the curvature
    assert corner > 100 * smooth and abs(value[0] - 1) <= corner
    vertical = central_difference(lambda h: np.array([math.copysign(math.sqrt(abs(h)), h)]))[1]     # slope infinite
    assert vertical > 0.1


def test_one_error_stands_for_all_entries():
    result = ladder(lambda h: np.array([[math.sin(h), 1e3 * math.exp(h)], [0.0, h]]), noise=1e3 * EPS)
    assert np.abs(result.value - [[1, 1e3], [0, 1]]).max() <= result.error
    assert result.differences.shape == result.steps.shape + (2, 2)
    assert (result.steps[1:] == result.steps[:-1] / 2).all()


def test_steps_outside_the_domain_are_skipped_and_marked():
    def root(h):
        return np.array([math.sqrt(h + 0.1)])

    result = ladder(root, noise=EPS)
    assert np.isnan(result.differences[:2]).all() and np.isfinite(result.differences[3:]).all()
    assert abs(result.value[0] - 0.5 / math.sqrt(0.1)) <= result.error


def test_a_function_without_two_sides_has_no_difference():
    with pytest.raises(pg.UndefinedError, match="no step at which the function is finite on both sides"):
        ladder(lambda h: np.array([math.sqrt(h)]), noise=EPS)


def test_jacobians_by_differences_stand_coordinate_by_coordinate():
    theta = np.array([[1.0, 2.0], [3.0, -1.0]])
    jacobian, _ = jacobian_by_differences(lambda x: np.array([abs(x[0, 0] * x[0, 1]), x[1].sum()]), moved, theta)
    assert np.allclose(jacobian, [[[2, 1], [0, 0]], [[0, 0], [1, 1]]], atol=1e-9) and jacobian.shape == (2, 2, 2)


# -------------------------------------------------------------------------------------------------------- complex step


def test_complex_steps_are_exact_to_rounding():
    theta = np.array([0.3, 1.7])
    directions = np.array([[1.0, 0], [0, 1], [3, -2]])
    found = complex_step(lambda x: np.exp(x[..., 0]) * np.sin(x[..., 1]), moved, theta, directions)
    dx, dy = math.exp(0.3) * math.sin(1.7), math.exp(0.3) * math.cos(1.7)
    assert np.allclose(found, [dx, dy, 3 * dx - 2 * dy], rtol=4 * EPS, atol=0)


def test_complex_steps_drop_what_is_not_analytic():
    """Negative control, and the reason why a user's code is tried against differences first."""
    found = complex_step(lambda x: np.abs(x).sum(axis=-1) + 0j, moved, np.array([1.0, 2.0]), np.eye(2))
    assert (found == 0).all()


@pytest.mark.parametrize("f, slope, how", [
    (lambda x: x**3, 12.0, "complex step"),
    (lambda x: np.exp(x) / np.cosh(x), 1 - math.tanh(2) ** 2, "complex step"),      # = 1 + tanh x
    (lambda x: abs(x) ** 3, 12.0, "finite differences"),
    (lambda x: x.real**2, 4.0, "finite differences"),
    (lambda x: x * np.conj(x).real, 4.0, "finite differences"),
    (lambda x: np.array([float(x[0])]), 1.0, "finite differences"),
    (lambda x: np.maximum(x, 0) + np.round(x), 1.0, "complex step"),
])
def test_functions_are_differentiated_by_what_their_code_allows(f, slope, how):
    jacobian, found, _ = differentiated(f, moved, np.array([2.0]))
    assert found == how
    assert abs(jacobian[0, 0] - slope) <= 1e-9 * max(1.0, slope)


# --------------------------------------------------------------------------------------------------- exact, symbolic


@pytest.mark.parametrize("f, slope", [
    (lambda x: x * x * x - 2 * x, Fraction(3, 4) - 2), (lambda x: 1 / x, Fraction(-4)),
    (lambda x: (1 + x) / (1 - x), Fraction(8)),
    (lambda x: x**5, Fraction(5, 16)), (lambda x: 0 * x + 3, Fraction(0)), (lambda x: x - x, Fraction(0)),
])
def test_exact_derivatives_of_rational_functions(f, slope):
    found = exact_derivative(f, moved, np.array([Fraction(1, 2)], dtype=object), np.array([1]))
    assert found.tolist() == [slope] and isinstance(found[0], Fraction)


def test_exact_derivatives_point_along_the_direction():
    theta = np.array([Fraction(1), Fraction(2)], dtype=object)
    found = exact_derivative(lambda x: np.array([x[0] * x[1], x[0]], dtype=object), moved, theta, np.array([3, -1]))
    assert found.tolist() == [3 * 2 - 1 * 1, 3]


def test_exact_derivatives_of_constants_are_zero():
    found = exact_derivative(lambda x: np.array([Fraction(5)], dtype=object), moved, np.array([Fraction(1)], dtype=object),
                             np.array([1]))
    assert found.tolist() == [0]


@pytest.mark.parametrize("make", [lambda: field("x, y", sympy.QQ)[1:], lambda: sympy.symbols("x y")],
                         ids=["field", "symbols"])
def test_symbolic_derivatives_plain_and_logarithmic(make):
    x, y = make()
    values, theta = np.array([x * y**2, x + 1], dtype=object), np.array([x, y], dtype=object)
    plain = symbolic_derivative(values, theta, logarithmic=False)
    logarithmic = symbolic_derivative(values, theta, logarithmic=True)
    assert plain.tolist() == [[y**2, 2 * x * y], [1, 0]]
    assert logarithmic.tolist() == [[x * y**2, 2 * x * y**2], [x, 0]]


def test_symbolic_derivatives_need_generators():
    _, x, y = field("x, y", sympy.QQ)
    with pytest.raises(pg.NotExactError, match=r"theta\[1\] is x \+ y: symbolic derivatives need every entry"):
        symbolic_derivative(np.array([x * y]), np.array([x, x + y]), logarithmic=False)


def test_directions_are_the_coordinates_in_C_order():
    four = [[[1, 0], [0, 0]], [[0, 1], [0, 0]], [[0, 0], [1, 0]], [[0, 0], [0, 1]]]
    assert [d.tolist() for d in unit_directions((2, 2))] == four
    assert [d.shape for d in unit_directions(())] == [()]
