"""The Hessian of Q in the action: exact in Fractions, against sympy and closed forms in floats, and the error it reports."""

from fractions import Fraction as F  # noqa: N817

import numpy as np
import pytest
import sympy

import pgtheory as pg
from pgtheory.continuous.curvature import second
from pgtheory.differentiate import ladder
from pgtheory.models.continuous import noisy_target, random_continuous, thermostat

a, b = sympy.symbols("a b")
PROBABILITY = 1 / (2 + a**2 + a * b**2)
P = [[PROBABILITY, 1 - PROBABILITY], [b / 3, 1 - b / 3]]
R = [[a**3 * b, b], [a, b**2 * a]]
ACTIONS = [[F(1, 2), F(1, 3)], [F(1, 5), F(1, 7)]]


def by_sympy(V, gamma):
    """(S, k, k) of Fractions: sympy's own Hessian of Q, with V put in as numbers."""
    out = []
    for s, at in enumerate(ACTIONS):
        Q = sum(P[s][t] * (R[s][t] + sympy.Rational(str(gamma)) * sympy.Rational(str(V[t]))) for t in range(2))
        H = sympy.hessian(Q, (a, b)).subs({a: sympy.Rational(str(at[0])), b: sympy.Rational(str(at[1]))})
        out.append([[F(int(x.p), int(x.q)) for x in H.row(i)] for i in range(2)])
    return np.array(out, dtype=object)


def test_rational_models_have_rational_hessians():
    model = pg.ContinuousActionMDP.from_sympy(P, R, [a, b], F(1, 2), [F(1), F(0)])
    solution = pg.solve(model, ACTIONS)
    assert (solution.hessian_Q_at(ACTIONS) == by_sympy(solution.V, F(1, 2))).all()
    assert solution.hessian_Q_error(ACTIONS) == 0


def test_rational_callables_without_derivatives_are_exact_too():
    model = pg.ContinuousActionMDP(lambda s, x: np.array([x[0] ** 2, 1 - x[0] ** 2]), lambda s, x: np.array([x[0] ** 3, x[0]]),
                                   F(0), [F(1), F(0)])
    found = pg.solve(model, [[F(1, 2)], [F(1, 3)]]).hessian_Q_at([[F(1, 2)], [F(1, 3)]])
    expected = [20 * x**3 - 6 * x for x in (F(1, 2), F(1, 3))]      # of x^5 + x - x^3
    assert found.ravel().tolist() == expected


def test_floats_of_a_symbolic_model_are_right_to_rounding():
    model = pg.ContinuousActionMDP.from_sympy(P, R, [a, b], 0.5, [1.0, 0.0])
    solution = pg.solve(model, np.array(ACTIONS, dtype=float))
    exact = pg.solve(pg.ContinuousActionMDP.from_sympy(P, R, [a, b], F(1, 2), [F(1), F(0)]), ACTIONS).hessian_Q_at(ACTIONS)
    error = np.abs(solution.hessian_Q_at(solution.actions) - exact.astype(float)).max()
    assert error <= solution.hessian_Q_error(solution.actions) < 1e-12


def test_given_and_derived_slopes_agree_within_their_errors():
    for seed in range(12):
        rng = np.random.default_rng(seed)
        S, k = int(rng.integers(1, 15)), int(rng.integers(1, 4))
        actions = rng.normal(size=(S, k))
        given, derived = (pg.solve(random_continuous(S, k, seed, supplied=x), actions) for x in (True, False))
        exact, found = given.hessian_Q_at(actions), derived.hessian_Q_at(actions)
        assert np.abs(exact - found).max() <= given.hessian_Q_error(actions) + derived.hessian_Q_error(actions)
        assert np.abs(exact - found).max() <= 1e-11 * max(1, np.abs(exact).max())
        assert (found == np.swapaxes(found, -1, -2)).all()


@pytest.mark.parametrize("model", [thermostat(), noisy_target()], ids=["thermostat", "noisy-target"])
def test_built_in_models_agree_with_differences_of_the_gradient(model):
    actions = np.random.default_rng(0).normal(size=(model.n_states, model.action_dim))
    solution = pg.solve(model, actions)
    u = np.random.default_rng(1).normal(size=actions.shape)
    seen = ladder(lambda h: solution.grad_Q_at(actions + h * u), 1e-14)
    along = np.einsum("sij,sj->si", solution.hessian_Q_at(actions), u)
    assert np.abs(along - seen.value).max() <= seen.error + 10 * solution.hessian_Q_error(actions)
    assert seen.error < 1e-7


def test_the_rows_of_the_second_derivative_of_P_sum_to_zero():
    """And a wrong one, of another action, does not agree: the negative control."""
    model, actions = random_continuous(5, 2, 3), np.zeros((5, 2))
    table, error = second(model, "P", actions)
    assert np.abs(table.sum(axis=1)).max() <= 10 * error
    assert np.abs(table - second(model, "P", actions + 0.1)[0]).max() > 1e3 * error


def test_slopes_that_do_not_follow_a_complex_step_are_differenced():
    """a |a| has the slope 2 |a|, given; its second derivative is 2 sign a, which the complex step of |a| does not see."""
    model = pg.ContinuousActionMDP(lambda s, x: np.ones(1), lambda s, x: x * abs(x), 0.5, [1.0], dR=lambda s, x: 2 * abs(x)[None])
    for x in (0.3, -0.4):
        solution = pg.solve(model, [[x]])
        assert abs(solution.hessian_Q_at([[x]]).item() - 2 * np.sign(x)) <= solution.hessian_Q_error([[x]]) < 1e-8


def test_wrong_slopes_are_found_out_by_the_hessian_too():
    wrong = pg.ContinuousActionMDP(lambda s, x: np.ones(1), lambda s, x: np.cos(x), 0.5, [1.0], dR=lambda s, x: np.sin(x)[None])
    with pytest.raises(pg.InvalidMDPError, match="according to dR: correct it"):
        pg.solve(wrong, [[0.3]]).hessian_Q_at([[0.3]])


def test_symbols_and_complex_actions_are_refused():
    model = pg.ContinuousActionMDP.from_sympy([[1]], [a**2], a, F(1, 2), [F(1)])
    x = sympy.Symbol("x")
    with pytest.raises(pg.NotExactError, match="real actions, in floats or Fractions"):
        pg.solve(model, np.array([[x]])).hessian_Q_at(np.array([[x]]))
    floats = pg.ContinuousActionMDP.from_sympy([[1]], [a**2], a, 0.5, [1.0])
    with pytest.raises(pg.NotExactError, match="real actions, in floats or Fractions"):
        pg.solve(floats, [[0.5]]).hessian_Q_at(np.array([[0.5 + 0j]]))
