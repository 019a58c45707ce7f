"""The catalogue: what each theorem is, both of its sides, and claims of one's own."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import pgtheory as pg

SLUGS = ("bellman", "recursion", "unrolling", "occupancy", "stochastic", "score-function", "trajectory-score",
         "log-derivative", "surrogate-loss", "reward-to-go", "baseline", "eglp")
W = [[Fraction(1), Fraction(2)], [Fraction(3), Fraction(1)]]


@pytest.fixture
def exact():
    return pg.models.load("start-matters", exact=True), pg.SoftmaxPolicy(2, 2, weights=True), W


@pytest.mark.parametrize("slug", SLUGS)
def test_every_theorem_has_statement_hypotheses_and_source(slug):
    theorem = pg.theorems[slug]
    assert theorem.statement and theorem.hypotheses and theorem.source and theorem.title


@pytest.mark.parametrize("slug", SLUGS)
def test_both_sides_are_equal_in_fractions(slug, exact):
    identity = pg.theorems[slug].sides(*exact)
    assert identity.lhs == identity.rhs
    assert all(isinstance(x, Fraction) for x in identity.lhs.flat)


@pytest.mark.parametrize("slug", SLUGS)
def test_both_sides_agree_in_floats(slug):
    mdp = pg.models.load("start-matters")
    identity = pg.theorems[slug].sides(mdp, pg.SoftmaxPolicy(2, 2), [[0.3, -0.2], [1.0, 0.5]])
    np.testing.assert_allclose(identity.lhs, identity.rhs, rtol=1e-12, atol=1e-13)


def field_of(names):
    from sympy import QQ
    from sympy.polys.fields import field

    return field(names, QQ)


@pytest.mark.parametrize("slug", [slug for slug in SLUGS if slug != "surrogate-loss"])
def test_both_sides_are_one_element_of_the_field_for_every_softmax_policy(slug):
    _, a, b, c, d = field_of("a,b,c,d")
    identity = pg.theorems[slug].sides(pg.models.load("start-matters", exact=True), pg.SoftmaxPolicy(2, 2, weights=True),
                                       np.array([[a, b], [c, d]]))
    assert identity.lhs == identity.rhs


def test_sympy_expressions_compare_equal_too():
    import sympy

    a, b, c, d = sympy.symbols("a b c d", positive=True)
    identity = pg.theorems["stochastic"].sides(pg.models.load("start-matters", exact=True),
                                               pg.SoftmaxPolicy(2, 2, weights=True), np.array([[a, b], [c, d]]))
    assert identity.lhs == identity.rhs
    assert identity.lhs[0, 0].has(a)


def test_unequal_sides_compare_unequal(exact):
    identity = pg.theorems["stochastic"].sides(*exact)
    one_off = identity.rhs.copy()
    one_off[0, 0] += 1
    for other in (identity.rhs + 1, -identity.rhs, one_off):
        assert identity.lhs != other
        assert not bool(identity.lhs == other)
    assert not bool(identity.lhs != identity.rhs)


def test_the_gradient_of_sides_has_the_shape_of_theta(exact):
    assert pg.theorems["stochastic"].sides(*exact).lhs.shape == (2, 2)
    assert pg.theorems["recursion"].sides(*exact).lhs.shape == (2, 2, 2)
    assert pg.theorems["log-derivative"].sides(*exact).lhs.shape == (2, 2)
    assert pg.theorems["trajectory-score"].sides(*exact).lhs.shape[1:] == (2, 2)


def test_a_claim_of_ones_own_is_verified():
    """Performance difference (Kakade & Langford 2002), and the same with the advantage of the new policy."""
    theta2 = np.array([[0.5, -1.0], [0.0, 2.0]])

    @pg.theorem("performance-difference", source="Kakade & Langford 2002")
    def performance_difference(mdp, policy, theta):
        old, new = (pg.solve(mdp, policy.probabilities(x)) for x in (theta, theta2))
        return new.J - old.J, (new.d[:, None] * policy.probabilities(theta2) * old.A).sum()

    @pg.theorem("performance-difference-wrong")
    def wrong(mdp, policy, theta):
        old, new = (pg.solve(mdp, policy.probabilities(x)) for x in (theta, theta2))
        return new.J - old.J, (old.d[:, None] * policy.probabilities(theta2) * old.A).sum()

    mdp, policy, theta = pg.models.load("start-matters"), pg.SoftmaxPolicy(2, 2), np.zeros((2, 2))
    assert pg.verify(mdp, policy, theta, theorems=["performance-difference"]).passed
    assert pg.verify(mdp, policy, theta, theorems=["performance-difference-wrong"]).count("FAIL") == 1


def test_an_unknown_slug_names_what_is_close():
    with pytest.raises(pg.PGTheoryError, match="no theorem 'stochastc': did you mean stochastic"):
        pg.theorems["stochastc"]
    with pytest.raises(KeyError):
        pg.theorems["stochastc"]


def test_a_built_in_slug_cannot_be_taken():
    with pytest.raises(pg.PGTheoryError, match="'bellman' is built in"):
        pg.theorem("bellman")(lambda mdp, policy, theta: (0, 0))


def test_sides_of_different_shapes_are_refused():
    pg.theorem("crooked")(lambda mdp, policy, theta: (np.zeros(2), np.zeros(3)))
    with pytest.raises(pg.PGTheoryError, match=r"shapes \(2,\) and \(3,\)"):
        pg.verify(pg.models.load("start-matters"), pg.SoftmaxPolicy(2, 2), np.zeros((2, 2)), theorems=["crooked"])


@pytest.mark.parametrize("route", ["complex-step", "finite-difference"])
def test_derivative_agrees_with_the_theorem_within_its_error(route):
    mdp, policy = pg.models.load("gridworld-5x5"), pg.SoftmaxPolicy(25, 4)
    theta = np.random.default_rng(0).normal(size=(25, 4))
    value, error = pg.derivative(mdp, policy, theta, route=route)
    assert np.abs(value - pg.policy_gradient(mdp, policy, theta)).max() <= error < 1e-6


def test_derivative_in_exact_arithmetic_is_exact(exact):
    value, error = pg.derivative(*exact, route="exact")
    assert error == 0 and (value == pg.policy_gradient(*exact)).all()


def test_a_route_that_does_not_fit_says_which_does(exact):
    with pytest.raises(pg.UndefinedError, match="use route='exact'"):
        pg.derivative(*exact)
    with pytest.raises(pg.PGTheoryError, match="no route 'magic'"):
        pg.derivative(*exact, route="magic")
