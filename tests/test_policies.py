"""Policies: probabilities by independent formulas, derivatives by complex steps and differences, any size of logit."""

import math
import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pgtheory as pg
from pgtheory import strategies
from pgtheory.differentiate import central_difference, exact_derivative, unit_directions

EPS = np.finfo(float).eps
H = 1e-30
FEATURES = np.array([[[1.0, 0.5], [0.0, -1.0], [2.0, 0.0]], [[0.0, 1.0], [1.5, 1.0], [-1.0, 0.25]]])
THETA = np.array([[0.3, -0.7, 1.1], [-1.2, 0.4, 0.9]])
BUILT_IN = {
    "logits": (pg.SoftmaxPolicy(2, 3), THETA),
    "weights": (pg.SoftmaxPolicy(2, 3, weights=True), np.exp(THETA)),
    "features": (pg.SoftmaxPolicy(features=FEATURES), np.array([0.7, -0.4])),
    "direct": (pg.DirectPolicy(2, 3), np.array([[0.2, 0.3, 0.5], [0.6, 0.0, 0.4]])),
    "escort 1": (pg.EscortPolicy(2, 3, 1), THETA),
    "escort 2": (pg.EscortPolicy(2, 3), np.where(THETA > 1, 0.0, THETA)),
    "escort 3": (pg.EscortPolicy(2, 3, 3), THETA),
    "escort 1.5": (pg.EscortPolicy(2, 3, 1.5), THETA),
}
EXACT = {
    "weights": (pg.SoftmaxPolicy(2, 2, weights=True), [[Fraction(1, 3), Fraction(2)], [Fraction(5), Fraction(1, 7)]]),
    "direct": (pg.DirectPolicy(2, 2), [[Fraction(1, 3), Fraction(2, 3)], [Fraction(1), Fraction(0)]]),
    "escort 2": (pg.EscortPolicy(2, 2), [[Fraction(1, 3), Fraction(-2)], [Fraction(0), Fraction(1, 7)]]),
    "escort 3": (pg.EscortPolicy(2, 2, 3), [[Fraction(1, 3), Fraction(-2)], [Fraction(-5), Fraction(1, 7)]]),
}


def each(table):
    return pytest.mark.parametrize("policy, theta", [pytest.param(*case, id=name) for name, case in table.items()])


def by_complex_step(policy, theta):
    """(S, A) + shape: Im pi(theta moved by ih along each coordinate) / h; knows no formula of the policy."""
    columns = [policy.probabilities(policy.step(theta, d, 1j * H)).imag / H for d in unit_directions(theta.shape)]
    return np.stack(columns, axis=-1).reshape(columns[0].shape + theta.shape)


def worst(one, other):
    return float(np.abs(one - other).max(initial=0.0))


# --------------------------------------------------------------------------------------------------- probabilities


def by_definition(name, theta):
    """pi(a|s) summed with math.fsum, one entry at a time."""
    table = np.einsum("sak,k->sa", FEATURES, theta) if name == "features" else theta
    weight = {"l": math.exp, "f": math.exp, "w": abs, "d": abs, "e": lambda x: abs(x) ** float(name.split()[-1])}[name[0]]
    rows = [[weight(float(x)) for x in row] for row in table]
    return np.array([[x / math.fsum(row) for x in row] for row in rows])


@pytest.mark.parametrize("name", BUILT_IN)
def test_probabilities_are_those_of_the_definition(name):
    policy, theta = BUILT_IN[name]
    assert worst(policy.probabilities(theta), by_definition(name, theta)) <= 8 * EPS
    assert worst(policy.probabilities(theta), by_definition(name, theta[::-1])) > 1e-3       # negative control


@given(strategies.problems())
def test_rows_are_distributions_for_every_parameter(problem):
    _, policy, theta = problem
    pi = policy.probabilities(theta)
    assert (pi >= 0).all() and np.isfinite(pi).all()
    assert np.abs(pi.sum(axis=1) - 1).max() <= 4 * pi.shape[1] * EPS


@given(strategies.problems(exact=True))
def test_exact_rows_sum_to_exactly_one(problem):
    _, policy, theta = problem
    pi = policy.probabilities(theta)
    assert (pi.sum(axis=1) == 1).all() and {type(x) for x in pi.flat} == {Fraction}


@pytest.mark.parametrize("logits, expected", [
    ([0.0, 1e300], [0, 1]), ([1e300, 1e300], [0.5, 0.5]), ([-1e308, -1e308], [0.5, 0.5]), ([-1e308, 0.0], [0, 1]),
    ([1.7e308, -1.7e308], [1, 0]), ([700.0, 0.0], [1, math.exp(-700)]), ([-700.0, -700.0 + math.log(3)], [0.25, 0.75]),
    ([709.9, 709.9 + math.log(3)], [0.25, 0.75]), ([0.0, -1000.0], [1, 0]),
])
def test_softmax_is_stable_for_logits_of_any_size(logits, expected):
    policy = pg.SoftmaxPolicy(1, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pi = policy.probabilities([logits])
        score, jacobian = policy.score([logits])[0], policy.jacobian([logits])
    assert np.allclose(pi, [expected], rtol=1e-12, atol=0)
    assert np.allclose(score[:, 0, :], np.eye(2) - pi, rtol=0, atol=EPS)
    assert np.isfinite(jacobian).all() and worst(jacobian[0, :, 0].sum(axis=0), 0.0) <= EPS


def test_weights_are_stable_over_the_whole_range_of_floats():
    pi = pg.SoftmaxPolicy(1, 3, weights=True).probabilities([[1e308, 1e308, 1e-308]])
    assert np.allclose(pi, [[0.5, 0.5, 0.0]], rtol=1e-15, atol=0)


def test_escort_is_stable_where_powers_would_overflow():
    assert np.allclose(pg.EscortPolicy(1, 2).probabilities([[3e200, -4e200]]), [[0.36, 0.64]])
    assert np.allclose(pg.EscortPolicy(1, 2).probabilities([[3e-200, -4e-200]]), [[0.36, 0.64]])


def test_weights_hold_the_exponential_of_the_logits():
    assert worst(pg.SoftmaxPolicy(2, 3, weights=True).probabilities(np.exp(THETA)),
                 pg.SoftmaxPolicy(2, 3).probabilities(THETA)) <= 8 * EPS


@each(BUILT_IN)
def test_a_stack_of_parameters_gives_the_stack_of_probabilities(policy, theta):
    assert policy.vectorized
    stack = np.stack([theta, theta * 0.5 if not isinstance(policy, pg.DirectPolicy) else theta[::-1]])
    for one, alone in zip(policy.probabilities(np.stack([stack, stack])).reshape((4, 2, 3)), [*stack, *stack], strict=True):
        assert worst(one, policy.probabilities(alone)) <= 4 * EPS


# ----------------------------------------------------------------------------------------------------- derivatives


@each(BUILT_IN)
def test_jacobians_are_what_the_complex_step_says(policy, theta):
    jacobian = policy.jacobian(theta)
    assert jacobian.shape == (2, 3) + policy.shape
    assert worst(jacobian, by_complex_step(policy, theta)) <= 32 * EPS * max(1.0, np.abs(jacobian).max())
    uncentred = jacobian + 1e-6 * policy.probabilities(theta).reshape((2, 3) + (1,) * theta.ndim)       # negative control
    assert worst(uncentred, by_complex_step(policy, theta)) > 1e-8


@each(BUILT_IN)
def test_jacobians_are_within_the_reported_error_of_finite_differences(policy, theta):
    jacobian = policy.jacobian(theta)
    for k, direction in enumerate(unit_directions(theta.shape)):
        found, error = central_difference(lambda h, d=direction: policy.probabilities(policy.step(theta, d, h)), 0.25)
        assert worst(jacobian.reshape(2, 3, -1)[..., k], found) <= error + 32 * EPS
        assert error < 1e-9


@given(st.data())
def test_pullbacks_contract_the_jacobian(data):
    _, policy, theta = data.draw(strategies.problems())
    jacobian, pi = policy.jacobian(theta), policy.probabilities(theta)
    weights = np.array([data.draw(st.integers(-9, 9)) for _ in range(pi.size)], dtype=float).reshape(pi.shape)
    scale = 64 * EPS * max(1.0, np.abs(jacobian).max(initial=0.0)) * 9 * pi.size
    assert worst(policy.pullback(theta, weights), np.tensordot(weights, jacobian, axes=2)) <= scale
    by_state = np.einsum("sa,sa...->s...", weights, jacobian)
    assert worst(policy.state_pullback(theta, weights), by_state) <= scale
    assert worst(by_state.sum(axis=0), policy.pullback(theta, weights)) <= scale


@each(BUILT_IN)
def test_scores_are_the_jacobian_over_pi_and_pull_back_alike(policy, theta):
    pi, jacobian = policy.probabilities(theta), policy.jacobian(theta)
    if (pi == 0).any():
        with pytest.raises(pg.InvalidPolicyError, match=r"is 0: log pi has no derivative there"):
            policy.score(theta)
        return
    score = policy.score(theta)
    assert worst(score * pi.reshape(pi.shape + (1,) * theta.ndim), jacobian) <= 16 * EPS * np.abs(jacobian).max()
    weights = np.arange(6.0).reshape(2, 3) - 2
    pulled = np.tensordot(weights, score, axes=2)
    assert worst(policy.score_pullback(theta, weights), pulled) <= 64 * EPS * np.abs(score).max()


@each({name: case for name, case in BUILT_IN.items() if name != "direct"})
def test_the_score_has_mean_zero_off_the_direct_parameterisation(policy, theta):
    """sum_a grad pi(a|s) = grad 1 = 0, while the ambient derivative of the direct one sums to 1."""
    assert policy.normalised
    assert worst(policy.jacobian(theta).sum(axis=1), 0.0) <= 8 * EPS * np.abs(policy.jacobian(theta)).max()
    direct = pg.DirectPolicy(2, 3)
    assert not direct.normalised
    assert worst(direct.jacobian(direct_theta := BUILT_IN["direct"][1]).sum(axis=1).reshape(2, -1).sum(axis=1), 3.0) == 0
    assert direct_theta.shape == (2, 3)


@each({name: BUILT_IN[name] for name in ("logits", "weights", "direct", "escort 2")})
def test_tabular_rows_depend_on_their_own_row_alone(policy, theta):
    assert policy.tabular
    jacobian = policy.jacobian(theta)
    assert (jacobian[0, :, 1] == 0).all() and (jacobian[1, :, 0] == 0).all()


# ------------------------------------------------------------------------------------------------ exact derivatives


@each(EXACT)
def test_exact_jacobians_are_the_derivatives_by_dual_numbers(policy, theta):
    theta = np.array(theta, dtype=object)
    jacobian = policy.jacobian(theta)
    for k, direction in enumerate(unit_directions((2, 2))):
        expected = exact_derivative(policy.probabilities, policy.step, theta, direction.astype(int))
        assert (jacobian.reshape(2, 2, 4)[..., k] == expected).all()
    assert {type(x) for x in jacobian.flat} == {Fraction}


@each(EXACT)
def test_exact_pullbacks_are_equal_to_the_contracted_jacobian(policy, theta):
    theta = np.array(theta, dtype=object)
    weights = np.array([[Fraction(1, 2), Fraction(-3)], [Fraction(7, 5), Fraction(0)]], dtype=object)
    by_state = (weights[:, :, None, None] * policy.jacobian(theta)).sum(axis=1)
    assert (policy.state_pullback(theta, weights) == by_state).all()
    assert (policy.pullback(theta, weights) == by_state.sum(axis=0)).all()


@each(EXACT)
def test_floats_and_fractions_of_one_policy_agree(policy, theta):
    exact = policy.jacobian(np.array(theta, dtype=object)).astype(float)
    theta = np.array(theta, dtype=float)
    assert worst(policy.jacobian(theta), exact) <= 16 * EPS * policy.inner_slope(theta)


def test_weights_are_differentiated_with_respect_to_their_logarithms():
    """w d/dw pi = pi (1 - pi), whatever the scale of the weights."""
    jacobian = pg.SoftmaxPolicy(1, 2, weights=True).jacobian([[Fraction(1), Fraction(3)]])
    assert jacobian[0, 0, 0].tolist() == [Fraction(3, 16), Fraction(-3, 16)]
    scaled = pg.SoftmaxPolicy(1, 2, weights=True).jacobian([[Fraction(5), Fraction(15)]])
    assert (scaled == jacobian).all()


def test_escort_slopes_by_hand():
    """pi = (9, 16)/25 at theta = (3, -4): d pi_1/d theta_1 = 2*3/25 * (1 - 9/25), d pi_1/d theta_2 = -2*(-4)/25 * 9/25."""
    jacobian = pg.EscortPolicy(1, 2).jacobian([[Fraction(3), Fraction(-4)]])
    assert jacobian[0, 0, 0].tolist() == [Fraction(6, 25) * Fraction(16, 25), Fraction(8, 25) * Fraction(9, 25)]


# ------------------------------------------------------------------------------------------------ a user's own policy


class Own(pg.Policy):
    """pi(0) = logistic of f(theta); ``f`` is the code whose analyticity decides how the derivative is got."""

    shape = (2,)

    def __init__(self, f):
        self.f = f

    def probabilities(self, theta):
        p = 1 / (1 + np.exp(-self.f(theta)))
        return np.array([[p, 1 - p]])


def logistic_slope(f, df, theta):
    """Derivative of the logistic of f by the chain rule."""
    p = 1 / (1 + math.exp(-f))
    return p * (1 - p) * np.asarray(df)


@pytest.mark.parametrize("f, value, slope, how", [
    (lambda x: x[0] * x[1], 0.5, (2.0, 0.25), "complex step"),
    (lambda x: np.sin(x[0]) + x[1] ** 3, math.sin(0.25) + 8, (math.cos(0.25), 12.0), "complex step"),
    (lambda x: np.log(np.cosh(x)).sum(), math.log(math.cosh(0.25)) + math.log(math.cosh(2)),
     (math.tanh(0.25), math.tanh(2)), "complex step"),
    (lambda x: abs(x[0]) - x[1], 0.25 - 2, (1.0, -1.0), "finite differences"),
    (lambda x: np.abs(x).sum(), 2.25, (1.0, 1.0), "finite differences"),
    (lambda x: max(x[0], x[1]), 2.0, (0.0, 1.0), "complex step"),       # numpy orders complex numbers by their real part
    (lambda x: max(float(x[0]), x[1]), 2.0, (0.0, 1.0), "finite differences"),
    (lambda x: float(x[0]) + float(x[1]), 2.25, (1.0, 1.0), "finite differences"),
    (lambda x: np.real(x).sum(), 2.25, (1.0, 1.0), "finite differences"),
    (lambda x: (x * np.conj(x)).sum(), 0.0625 + 4, (0.5, 4.0), "finite differences"),
    (lambda x: math.sqrt(x[0]) + x[1], 0.5 + 2, (1.0, 1.0), "finite differences"),
])
def test_a_users_policy_is_differentiated_by_what_its_code_allows(f, value, slope, how):
    theta = np.array([0.25, 2.0])
    policy = Own(f)
    expected = logistic_slope(value, slope, theta)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert policy.differentiated_by(theta) == how
        jacobian = policy.jacobian(theta)
    tolerance = 16 * EPS if how == "complex step" else 1e-10
    assert worst(jacobian[0, 0], expected) <= tolerance * 4
    assert worst(jacobian[0, 1], -expected) <= tolerance * 4
    assert worst(policy.pullback(theta, np.array([[3.0, 1.0]])), 2 * expected) <= tolerance * 16
    assert worst(policy.score(theta)[0, 0], expected / policy.probabilities(theta)[0, 0]) <= tolerance * 64


def test_a_formula_of_the_users_own_is_used_as_it_is():
    class WithFormula(Own):
        def jacobian(self, theta):
            return np.full((1, 2, 2), 7.0)

    policy = WithFormula(lambda x: x[0])
    assert policy.differentiated_by([0.0, 0.0]) == "formula"
    assert policy.pullback([0.0, 0.0], np.array([[1.0, 1.0]])).tolist() == [14.0, 14.0]


@each({name: BUILT_IN[name] for name in ("logits", "direct", "escort 2")})
def test_built_in_policies_have_formulas(policy, theta):
    assert policy.differentiated_by(theta) == "formula"


def test_a_users_policy_has_the_policy_gradient_of_the_built_in_one_it_repeats():
    class Softmax(pg.Policy):
        shape = (2, 2)

        def probabilities(self, theta):
            e = np.exp(theta)
            return e / e.sum(axis=1, keepdims=True)

    mdp, theta = pg.models.load("start-matters"), np.array([[0.3, -0.2], [1.0, 0.5]])
    built_in = pg.policy_gradient(mdp, pg.SoftmaxPolicy(2, 2), theta)
    assert worst(pg.policy_gradient(mdp, Softmax(), theta), built_in) <= 1e-13 * np.abs(built_in).max()
    assert worst(pg.value_gradient(mdp, Softmax(), theta), pg.value_gradient(mdp, pg.SoftmaxPolicy(2, 2), theta)) <= 1e-12


def test_exact_parameters_of_a_users_policy_need_a_formula():
    with pytest.raises(pg.NotExactError, match="Own defines no jacobian: exact derivatives need one"):
        Own(lambda x: x[0]).jacobian([Fraction(1), Fraction(2)])


def test_policies_without_probabilities_say_so():
    class Empty(pg.Policy):
        shape = (1,)

    with pytest.raises(NotImplementedError, match=r"Empty must define probabilities\(theta\) -> \(S, A\)"):
        Empty().probabilities([0.0])


@pytest.mark.parametrize("policy, text", [
    (pg.SoftmaxPolicy(2, 3), "SoftmaxPolicy(2, 3)"),
    (pg.SoftmaxPolicy(2, 3, weights=True), "SoftmaxPolicy(2, 3, weights=True)"),
    (pg.SoftmaxPolicy(features=FEATURES), "SoftmaxPolicy(features=(2, 3, 2))"),
    (pg.DirectPolicy(2, 3), "DirectPolicy(2, 3)"),
    (pg.EscortPolicy(2, 3), "EscortPolicy(2, 3, power=2)"), (Own(None), "Own(shape=(2,))"),
])
def test_policies_print_as_they_are_typed(policy, text):
    assert repr(policy) == text
