"""ContinuousActionMDP: three ways to state one agree, and what is no model is refused by state, action and next state."""

import math
from fractions import Fraction

import numpy as np
import pytest
import sympy

import pgtheory as pg
from pgtheory.continuous.slopes import slopes
from pgtheory.models.continuous import CONTINUOUS, random_continuous

HALF = np.array([0.5, 0.5])


def two_states(P=lambda s, a: np.array([np.cos(a[0]) ** 2, np.sin(a[0]) ** 2]),
               R=lambda s, a: np.array([a[0], s + a[0] ** 2]), gamma=0.5, **options):
    return pg.ContinuousActionMDP(P, R, gamma, [1.0, 0.0], **options)


ACTIONS = np.array([[0.3], [-0.7]])
RNG = np.random.default_rng(0)   # of a reward that is not a function


# ------------------------------------------------------------------------------------------- three ways to state one


def sympy_pair():
    """The same model in sympy and in numpy, k = 2."""
    x, y = sympy.symbols("x y")
    up, down = 1 / (1 + sympy.exp(-x - y**2)), 1 / (1 + sympy.exp(x * y))
    law, rewards = [[up, 1 - up], [down, 1 - down]], [[x * y, 1], [sympy.sin(x), y**3]]
    symbolic = pg.ContinuousActionMDP.from_sympy(law, rewards, [x, y], 0.8, [0.25, 0.75])

    def P(s, a):
        p = 1 / (1 + np.exp(-a[0] - a[1] ** 2)) if s == 0 else 1 / (1 + np.exp(a[0] * a[1]))
        return np.array([p, 1 - p])

    def R(s, a):
        return np.array([a[0] * a[1], 1 + 0 * a[0]]) if s == 0 else np.array([np.sin(a[0]), a[1] ** 3])

    return symbolic, pg.ContinuousActionMDP(P, R, 0.8, [0.25, 0.75], action_dim=2)


def test_sympy_and_callables_agree():
    actions = np.array([[0.3, -0.2], [1.1, 0.4]])
    one, other = (pg.solve(model, actions) for model in sympy_pair())
    for name in ("V", "d", "D", "J", "P_pi", "r_pi", "grad_Q"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-14, atol=1e-15, err_msg=name)
    elsewhere = np.random.default_rng(0).normal(size=(5, 2, 2))
    np.testing.assert_allclose(one.Q_at(elsewhere), other.Q_at(elsewhere), rtol=1e-14)
    np.testing.assert_allclose(one.grad_Q_at(elsewhere), other.grad_Q_at(elsewhere), rtol=1e-13, atol=1e-14)


def test_supplied_derivatives_are_the_complex_step_ones():
    actions = np.random.default_rng(2).normal(size=(6, 3))
    stepped, supplied = (random_continuous(6, 3, rng=5, supplied=x) for x in (False, True))
    for one, other in zip(slopes(stepped, actions), slopes(supplied, actions), strict=True):
        np.testing.assert_allclose(one.array, other.array, rtol=1e-12, atol=1e-13)


def test_vectorized_and_plain_functions_agree_on_stacks():
    vectorized = random_continuous(4, 2, rng=3, supplied=True)

    def row(name):
        def at(s, a):
            actions = np.zeros((4, 2), dtype=a.dtype)
            actions[s] = a
            return getattr(vectorized, name)(actions)[s]
        return at

    plain = pg.ContinuousActionMDP(row("P"), row("R"), vectorized.gamma, vectorized.rho, 2, dP=row("dP"), dR=row("dR"))
    actions = np.random.default_rng(4).normal(size=(3, 4, 2))
    np.testing.assert_array_equal(pg.solve(plain, actions).V, pg.solve(vectorized, actions).V)
    one, other = (pg.solve(model, actions[0]) for model in (plain, vectorized))
    np.testing.assert_array_equal(one.grad_Q_at(actions), other.grad_Q_at(actions))


def test_reward_of_leaving_is_one_number():
    full = pg.solve(two_states(R=lambda s, a: np.array([a[0] ** 2] * 2)), ACTIONS)
    for R in (lambda s, a: a[0] ** 2, lambda s, a: a**2):
        single = pg.solve(two_states(R=R), ACTIONS)
        np.testing.assert_array_equal(single.V, full.V)
        np.testing.assert_allclose(single.grad_Q, full.grad_Q, rtol=1e-15)
    a = sympy.Symbol("a")
    law = [[sympy.cos(a) ** 2, sympy.sin(a) ** 2]] * 2
    leaving = pg.ContinuousActionMDP.from_sympy(law, [a**2, a**2], a, 0.5, [1.0, 0.0])
    np.testing.assert_allclose(pg.solve(leaving, ACTIONS).V, full.V, rtol=1e-15)


def test_users_arrays_are_left_alone():
    table, rewards = np.array([[0.5, 0.5], [0.25, 0.75]]), np.array([[1.0, 2.0], [3.0, 4.0]])
    model = pg.ContinuousActionMDP(lambda actions: table, lambda actions: rewards, 0.9, HALF, vectorized=True)
    actions = ACTIONS.copy()
    pg.solve(model, actions).V   # noqa: B018
    table[0], rewards[0], actions[0] = 0.0, 0.0, 0.0      # all three are still writeable

    def greedy(s, a):
        a[:] = 99.0
        return HALF
    solution = pg.solve(two_states(P=greedy), ACTIONS)
    np.testing.assert_array_equal(solution.actions, ACTIONS)


# -------------------------------------------------------------------------------------------------- exact arithmetic


def rational(derivatives=False):
    """P = a^2 / (1 + a^2) and 1 / (1 + a^2), in Fractions."""
    def P(s, a):
        p = a[0] * a[0] / (1 + a[0] * a[0])
        return [p, 1 - p] if s == 0 else [1 - p, p]

    def R(s, a):
        return [a[0], 2 - a[0] * a[0] * Fraction(1, 3)]

    def dP(s, a):
        slope = 2 * a[0] / (1 + a[0] * a[0]) ** 2
        return [[slope], [-slope]] if s == 0 else [[-slope], [slope]]

    def dR(s, a):
        return [[Fraction(1)], [-2 * a[0] * Fraction(1, 3)]]

    supplied = {"dP": dP, "dR": dR} if derivatives else {}
    return pg.ContinuousActionMDP(P, R, Fraction(1, 2), [Fraction(1), Fraction(0)], **supplied)


def rational_sympy():
    a = sympy.Symbol("a")
    p = a**2 / (1 + a**2)
    return pg.ContinuousActionMDP.from_sympy([[p, 1 - p], [1 - p, p]], [[a, 2 - a**2 / 3]] * 2, a, Fraction(1, 2),
                                             [Fraction(1), Fraction(0)])


@pytest.mark.parametrize("model", [rational(), rational(True), rational_sympy()], ids=["dual numbers", "supplied", "sympy"])
def test_theorem_is_exact_in_fractions(model):
    """The theorem in Fractions equals the derivative of the closed form of J by sympy, as a fraction, entry by entry."""
    policy = pg.DeterministicPolicy(features=np.eye(2, dtype=int))
    theta = np.array([[Fraction(1, 2)], [Fraction(-2, 3)]], dtype=object)
    x, y = sympy.symbols("x y")
    P = sympy.Matrix([[x**2 / (1 + x**2), 1 / (1 + x**2)], [1 / (1 + y**2), y**2 / (1 + y**2)]])
    r = sympy.Matrix([P[0, 0] * x + P[0, 1] * (2 - x**2 / 3), P[1, 0] * y + P[1, 1] * (2 - y**2 / 3)])
    J = ((sympy.eye(2) - P / 2).inv() * r)[0]
    at = {x: sympy.Rational(1, 2), y: sympy.Rational(-2, 3)}
    gradient = pg.policy_gradient(model, policy, theta)
    assert [type(g) for g in gradient.flat] == [Fraction, Fraction]
    for g, symbol in zip(gradient.flat, (x, y), strict=True):
        expected = J.diff(symbol).subs(at)
        assert g == Fraction(int(expected.p), int(expected.q))
    value, exact = J.subs(at), pg.solve(model, policy.actions(theta)).J
    assert exact == Fraction(int(value.p), int(value.q))


def test_expressions_that_are_not_rational_stay_exact_too():
    """P = (e^a, 1 - e^a), R = a: at a = -1/2 the value is r/(1 - gamma) = -1, as a sympy number."""
    a = sympy.Symbol("a")
    model = pg.ContinuousActionMDP.from_sympy([[sympy.exp(a), 1 - sympy.exp(a)]] * 2, [a, a], a, Fraction(1, 2),
                                              [Fraction(1), Fraction(0)])
    solution = pg.solve(model, [[Fraction(-1, 2)]] * 2)
    assert solution.P_pi[0, 0] == sympy.exp(sympy.Rational(-1, 2))
    assert list(solution.V) == [-1, -1]
    assert list(solution.grad_Q[:, 0]) == [1, 1]


def test_exact_rows_must_sum_to_one_exactly():
    model = pg.ContinuousActionMDP(lambda s, a: [a[0], 1 - a[0] + Fraction(1, 10**20)], lambda s, a: [a[0], a[0]],
                                   Fraction(1, 2), [Fraction(1), Fraction(0)])
    with pytest.raises(pg.InvalidMDPError, match=r"P at state 0, action \[1/2\] sums to"):
        pg.solve(model, [[Fraction(1, 2)], [Fraction(1, 2)]])


def test_floats_and_fractions_do_not_meet():
    with pytest.raises(pg.NotExactError):
        pg.solve(rational(), [[0.5], [0.5]])
    with pytest.raises(pg.NotExactError):
        pg.solve(two_states(P=lambda s, a: HALF), [[Fraction(1, 2)], [Fraction(1, 2)]])
    with pytest.raises(pg.NotExactError):
        pg.policy_gradient(rational(), pg.DeterministicPolicy(np.full((2, 1), 0.5)), [[Fraction(1, 2)]])


# ---------------------------------------------------------------------------------------------------------- refusals


def _nan(s, a):
    return np.array([0.5, np.nan]) if s == 1 else HALF


def _infinite(s, a):
    return np.array([np.inf, 0.0]) if s == 1 else HALF


@pytest.mark.parametrize(("options", "words"), [
    ({"P": lambda s, a: np.array([0.5 + 0.1 * a[0], 0.4 - 0.1 * a[0]])}, r"P at state 0, action \[0.3\] sums to 0.9, not 1"),
    ({"P": lambda s, a: np.array([1.5, -0.5]) if s else HALF}, r"P at state 1, action \[-0.7\] is -0.5 at next state 1"),
    ({"P": _nan}, r"P at state 1, action \[-0.7\] is nan at next state 1"),
    ({"P": _infinite}, r"P at state 1, action \[-0.7\] is inf at next state 0"),
    ({"R": _nan}, r"R at state 1, action \[-0.7\] is nan at next state 1"),
    ({"R": _infinite, "P": lambda s, a: np.array([0.0, 1.0])}, r"R at state 1, action \[-0.7\] is inf at next state 0"),
    ({"P": lambda s, a: np.ones(3) / 3}, r"P\(0, \[0.3\]\) has shape \(3,\): it must be \(2,\)"),
    ({"P": lambda s, a: HALF.astype(complex)}, "P is complex at real actions"),
    ({"P": lambda s, a: np.array(["a", "b"])}, "P returned entries of type"),
    ({"P": lambda s, a: (np.array([1, 2]) / 3).astype(np.float32)}, "float32"),
    ({"P": lambda actions: np.ones((3, 3)) / 3, "vectorized": True}, r"P\(actions\) has shape \(3, 3\)"),
], ids=lambda x: x if isinstance(x, str) else "")
def test_what_is_no_model_at_the_actions_in_use_is_named(options, words):
    with pytest.raises(pg.InvalidMDPError, match=words):
        pg.solve(two_states(**options), ACTIONS)


@pytest.mark.parametrize(("arguments", "words"), [
    ((HALF, lambda s, a: 0.0, 0.5, HALF), "P is a ndarray.*pg.MDP"),
    ((lambda s, a: HALF, lambda s, a: 0.0, 1.5, HALF), "gamma is 1.5"),
    ((lambda s, a: HALF, lambda s, a: 0.0, 0.5, 0), "rho is 0.*numpy.eye"),
    ((lambda s, a: HALF, lambda s, a: 0.0, 0.5, [0.5, 0.4]), "rho sums to 0.9"),
    ((lambda s, a: HALF, lambda s, a: 0.0, 0.5, [1.5, -0.5]), r"rho\[1\] is -0.5"),
    ((lambda s, a: HALF, lambda s, a: 0.0, 0.5, HALF, 0), "action_dim is 0"),
])
def test_arguments_of_the_wrong_kind_are_named(arguments, words):
    with pytest.raises(pg.InvalidMDPError, match=words):
        pg.ContinuousActionMDP(*arguments)


@pytest.mark.parametrize(("actions", "words"), [
    ([0.3, 0.7], r"actions have shape \(2,\).*actions\[:, None\]"),
    ([[0.3, 0.1], [0.2, 0.2]], r"must be \(2, 1\)"),
    ([[0.3], [np.nan]], r"actions\[1, 0\] is nan"),
])
def test_actions_that_do_not_fit_are_named(actions, words):
    with pytest.raises(pg.PGTheoryError, match=words):
        pg.solve(two_states(), actions)


@pytest.mark.parametrize(("options", "words"), [
    ({"R": lambda s, a: np.abs(a[0])}, "R at state 0, action .* changes by 1 per unit of action, and by 0.*not analytic"),
    ({"R": lambda s, a: a[0].real ** 2}, "not analytic"),
    ({"R": lambda s, a: float(a[0]) ** 2}, "R cannot take complex actions.*dR="),
    ({"P": lambda s, a: [math.cos(a[0]) ** 2, math.sin(a[0]) ** 2]}, "P cannot take complex actions.*dP="),
    ({"R": lambda s, a: RNG.normal(size=2)}, "R has no clear derivative.*same numbers at every call"),
    ({"dR": lambda s, a: np.array([[1.0], [np.nan]])}, "R at state 0"),
    ({"dR": lambda s, a: np.array([[1.0], [2 * a[0] + 1e-6]])}, "R at state 0.*according to dR: correct it"),
    ({"dP": lambda s, a: np.array([[-np.sin(2 * a[0])], [np.sin(2 * a[0])]]) * 1.01}, "according to dP: correct it"),
])
def test_derivatives_that_are_wrong_are_refused(options, words):
    with pytest.raises(pg.InvalidMDPError, match=words):
        pg.solve(two_states(**options), ACTIONS).grad_Q   # noqa: B018


def test_a_derivative_that_is_missing_at_one_action_is_named():
    """sqrt has no derivative at 0; the comparison with differences was passed elsewhere."""
    model = pg.ContinuousActionMDP(lambda s, a: HALF, lambda s, a: np.sqrt(a[0]), 0.5, HALF,
                                   dR=lambda s, a: 0.5 / np.sqrt(a))
    solution = pg.solve(model, [[1.0], [2.0]])
    np.testing.assert_allclose(solution.grad_Q[:, 0], 0.5 / np.sqrt([1.0, 2.0]))
    with np.errstate(divide="ignore"), pytest.raises(pg.InvalidMDPError, match=r"P or R at state 1, action \[0\] is inf"):
        solution.grad_Q_at([[1.0], [0.0]])


def test_rows_of_the_derivative_must_sum_to_zero():
    """Right at the actions in use, off beside them: P sums to 1 at 0.3 and -0.7 only."""
    def P(s, a):
        return np.array([0.5, 0.5 + (a[0] - 0.3) * (a[0] + 0.7)])
    with pytest.raises(pg.InvalidMDPError, match=r"derivative of P at state 0, action \[0.3\] sums to 1 over"):
        pg.solve(two_states(P=P), ACTIONS).grad_Q   # noqa: B018


@pytest.mark.parametrize(("P", "R", "words"), [
    ([[1, 0]], [0, 0], r"P has shape \(1, 2\)"),
    ([["b", 0], [0, 1]], [0, 0], r"P\[0, 0\] is b: b is no action"),
    ([[1, 0], [0, 1]], [0, 0, 0], r"R has shape \(3,\)"),
])
def test_expressions_that_do_not_fit_are_named(P, R, words):
    with pytest.raises(pg.InvalidMDPError, match=words):
        pg.ContinuousActionMDP.from_sympy(P, R, sympy.Symbol("a"), 0.5, HALF)


def test_models_are_frozen():
    with pytest.raises(AttributeError, match="frozen"):
        two_states().gamma = 0.9


@pytest.mark.parametrize("name", CONTINUOUS)
def test_built_in_models_are_models_far_and_wide(name):
    model = CONTINUOUS[name]()
    rng = np.random.default_rng(0)
    for size in (0.1, 1.0, 10.0):
        assert np.isfinite(pg.solve(model, size * rng.normal(size=(model.n_states, model.action_dim))).grad_Q).all()
