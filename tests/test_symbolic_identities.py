"""The theorems as identities of rational functions: every model of a size and every policy at once.

The left side differentiates J; equality is that of polynomials, after both sides are cleared of their common denominator.
"""

from fractions import Fraction

import numpy as np
import pytest
import sympy
from sympy.polys.fields import field

import pgtheory as pg
from pgtheory.arithmetic import Factored, FactoredField, over_common_powers
from pgtheory.identities import (
    RationalIdentity,
    deterministic_identity,
    every_policy_identity,
    general_continuous,
    general_identity,
    general_mdp,
)

# ----------------------------------------------------------------------------------------------- the general MDP


@pytest.mark.parametrize("size", [(1, 1), (1, 3), (2, 2), (2, 3), (3, 2)])
def test_the_stochastic_theorem_holds_for_every_model_of_the_size(size):
    identity = general_identity(*size)
    assert identity.holds and identity.lhs.shape == size
    assert all(x == 0 for x in identity.difference.flat)


@pytest.mark.long
def test_the_stochastic_theorem_holds_for_every_model_of_three_states_and_three_actions():
    assert general_identity(3, 3).holds


def test_the_general_model_has_a_symbol_for_everything():
    mdp, w = general_mdp(3, 2)
    assert len(mdp.gamma.field.symbols) == 12 + 6 + 1 + 2 + 6
    assert all((mdp.P.sum(axis=2) == 1).flat) and mdp.rho.sum() == 1
    assert w.shape == (3, 2) and all(str(x.diff(x)) == "1" for x in w.flat)


def test_the_symbolic_sides_are_the_rational_ones_where_the_symbols_are_numbers():
    """Put numbers for the symbols of the general (2, 2) identity: the gradient that Fractions give."""
    identity, rng = general_identity(2, 2), np.random.default_rng(0)
    ring = identity.lhs[0, 0].field.ring
    value = {str(x): Fraction(int(rng.integers(1, 9)), 20) for x in ring.symbols}
    P = [[[value[f"P{s}{a}0"], 1 - value[f"P{s}{a}0"]] for a in range(2)] for s in range(2)]
    r = [[value[f"r{s}{a}"] for a in range(2)] for s in range(2)]
    mdp = pg.MDP(P, r, value["gamma"], [value["rho0"], 1 - value["rho0"]])
    w = [[value[f"w{s}{a}"] for a in range(2)] for s in range(2)]
    at = [sympy.Rational(value[str(x)]) for x in ring.symbols]
    numbers = [[_at(x.numer, at) / _at(x.denom, at) for x in row] for row in identity.rhs]
    assert (np.array(numbers) == pg.policy_gradient(mdp, pg.SoftmaxPolicy(2, 2, weights=True), w)).all()


def _at(polynomial, point):
    terms = (int(c) * sympy.prod([x**k for x, k in zip(point, powers, strict=True)]) for powers, c in polynomial.terms())
    return Fraction(str(sympy.Rational(sum(terms))))


def _without_gamma_in_Q(mdp, policy, theta):
    solution = pg.solve(mdp, policy.probabilities(theta))
    return policy.pullback(theta, solution.d[:, None] * (mdp.r + mdp.kernel.expect(solution.V)))


def _with_normalised_visits(mdp, policy, theta):
    return pg.policy_gradient(mdp, policy, theta) * (1 - mdp.gamma)


def _with_the_reward_for_Q(mdp, policy, theta):
    solution = pg.solve(mdp, policy.probabilities(theta))
    return policy.pullback(theta, solution.d[:, None] * mdp.r)


def _with_visits_weighted_by_the_start_alone(mdp, policy, theta):
    return policy.pullback(theta, mdp.rho[:, None] * pg.solve(mdp, policy.probabilities(theta)).Q)


WRONG = [_without_gamma_in_Q, _with_normalised_visits, _with_the_reward_for_Q, _with_visits_weighted_by_the_start_alone]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda f: f.__name__[1:])
@pytest.mark.parametrize("size", [(2, 2), (2, 3)])
def test_an_altered_stochastic_theorem_leaves_a_polynomial_that_is_not_zero(size, wrong):
    identity = general_identity(*size, theorem=wrong)
    assert not identity.holds and all(x != 0 for x in identity.difference.flat)


# ------------------------------------------------------------------------------------- one model, every policy


def rational_mdp(S, A, seed=0):
    rng = np.random.default_rng([seed, S, A])
    counts = rng.integers(0, 5, (S, A, S)).astype(object) + np.eye(S, dtype=int)[:, None, :].astype(object)
    r = np.array([Fraction(int(x), int(y)) for x, y in rng.integers(1, 9, (S * A, 2))]).reshape(S, A)
    return pg.MDP(counts * Fraction(1) / counts.sum(axis=-1, keepdims=True), r, Fraction(9, 10), [Fraction(1, S)] * S)


@pytest.mark.parametrize("size", [(2, 6), (3, 4), (4, 3), (6, 2)])
def test_the_theorem_holds_for_every_softmax_policy_on_a_given_model(size):
    assert every_policy_identity(rational_mdp(*size)).holds


def test_the_theorem_holds_for_every_escort_policy_on_a_given_model():
    assert every_policy_identity(rational_mdp(3, 2), pg.EscortPolicy(3, 2)).holds


def test_an_altered_theorem_fails_on_a_given_model():
    assert not every_policy_identity(rational_mdp(3, 2), theorem=_without_gamma_in_Q).holds
    assert not every_policy_identity(rational_mdp(3, 2), pg.EscortPolicy(3, 2), _with_the_reward_for_Q).holds


def test_floats_are_refused():
    with pytest.raises(pg.NotExactError, match="float64"):
        every_policy_identity(pg.models.load("start-matters"))


# ------------------------------------------------------------------------------------- the deterministic theorem


@pytest.mark.parametrize("n_states, rational, degree", [(1, False, 3), (2, False, 3), (2, True, 2), (3, False, 2), (3, True, 0)])
def test_the_deterministic_theorem_holds_for_every_model_of_the_family(n_states, rational, degree):
    identity = deterministic_identity(n_states, rational, degree)
    assert identity.holds and identity.lhs.shape == (n_states, 1)


@pytest.mark.long
def test_the_deterministic_theorem_holds_for_rational_laws_and_linear_rewards_of_three_states():
    assert deterministic_identity(3, True, 1).holds


def _with_the_slope_of_the_reward_alone(model, policy, theta):
    solution = pg.solve(model, policy.actions(theta))
    myopic = pg.ContinuousActionMDP(model.P, model.R, model.gamma * 0, model.rho, dP=model.dP, dR=model.dR)
    return policy.pullback(theta, solution.d[:, None] * pg.solve(myopic, solution.actions).grad_Q)


def _with_normalised_visits_of_mu(model, policy, theta):
    return pg.policy_gradient(model, policy, theta) * (1 - model.gamma)


@pytest.mark.parametrize("wrong", [_with_the_slope_of_the_reward_alone, _with_normalised_visits_of_mu],
                         ids=lambda f: f.__name__[1:])
@pytest.mark.parametrize("rational", [False, True])
def test_an_altered_deterministic_theorem_leaves_a_polynomial_that_is_not_zero(rational, wrong):
    identity = deterministic_identity(2, rational, 1, theorem=wrong)
    assert not identity.holds and all(x != 0 for x in identity.difference.flat)


def test_the_supplied_slopes_of_the_family_are_the_derivatives_of_its_law():
    for rational in (False, True):
        model, theta = general_continuous(3, rational)
        P, dP = model.P(1, theta[1]), model.dP(1, theta[1])
        assert [x.diff(theta[1, 0]) for x in P] == list(dP[:, 0]) and P.sum() == 1
        assert model.R(1, theta[1])[0].diff(theta[1, 0]) == model.dR(1, theta[1])[0, 0]


# ------------------------------------------------------------------------------- claims and verify with symbols


def nine_symbols(kind):
    """Two states and two actions; four weights, four transition probabilities and gamma are symbols."""
    names = [f"{x}{i}" for x in "wp" for i in range(4)] + ["gamma"]
    x = field(names, sympy.QQ)[1:] if kind == "field" else sympy.symbols(names)
    w, p = (np.array(part, dtype=object).reshape(2, 2) for part in (x[:4], x[4:8]))
    mdp = pg.MDP(np.stack([p, 1 - p], axis=-1), [[1, 2], [3, 5]], x[8], 0)
    return mdp, pg.SoftmaxPolicy(2, 2, weights=True), w


@pytest.mark.parametrize("kind", ["field", "expression"])
def test_verify_holds_every_claim_for_nine_symbols(kind):
    report = pg.verify(*nine_symbols(kind))
    assert report.passed and report.count("PASS") == len(report.checks) > 15
    assert all(check.kind == "exact" for check in report.checks)


@pytest.mark.parametrize("kind, element", [("field", "FracElement"), ("expression", "Expr")])
def test_sides_come_in_the_arithmetic_of_the_inputs_and_in_lowest_terms(kind, element):
    mdp, policy, w = nine_symbols(kind)
    identity = pg.theorems["stochastic"].sides(mdp, policy, w)
    assert (identity.lhs == identity.rhs).all()
    assert any(cls.__name__ == element for cls in type(identity.lhs[0, 0]).__mro__)


def test_verify_fails_a_wrong_claim_with_symbols():
    """Negative control."""
    slug = "visits-normalised-with-symbols"

    @pg.theorem(slug)
    def visits_normalised(mdp, policy, theta):
        return pg.theorems["stochastic"].sides(mdp, policy, theta).lhs, _with_normalised_visits(mdp, policy, theta)

    report = pg.verify(*nine_symbols("field"), theorems=[slug])
    assert not report.passed and report.count("FAIL") == 1


# ----------------------------------------------------------------------------------- rational functions, factored


RING = sympy.polys.rings.ring("x, y, z", sympy.QQ)[0]
K = FactoredField(RING)
X, Y, Z = K.gens


def random_elements(seed, n=6):
    """The same expressions in both fields: (factored, reduced)."""
    rng = np.random.default_rng(seed)
    pairs = [(K(int(c)), RING.to_field()(int(c))) for c in (1, 2, -3)] + list(zip(K.gens, RING.to_field().gens, strict=True))
    for _ in range(n):
        (a, b), (c, d) = (pairs[i] for i in rng.integers(0, len(pairs), 2))
        kind = rng.integers(4)
        if kind == 3 and not d:
            continue
        pairs.append([(a + c, b + d), (a - c, b - d), (a * c, b * d), (a / c if d else a, b / d if d else b)][kind])
    return pairs


def test_factored_arithmetic_is_that_of_the_fraction_field():
    for seed in range(200):
        for mine, theirs in random_elements(seed):
            assert mine.reduced() == theirs
            assert (mine == 0) == (theirs == 0) and bool(mine) == bool(theirs)
            assert mine.diff(X).reduced() == theirs.diff(RING.to_field().gens[0])
            assert (mine**2).reduced() == theirs**2 and K(theirs) == mine
            if theirs:
                assert (1 / mine).reduced() == 1 / theirs and (mine**-2).reduced() == theirs**-2


def test_equality_is_that_of_the_functions_and_not_of_the_forms():
    assert (X**2 - Y**2) / (X - Y) == X + Y and (X + Y) * (X - Y) / (Y - X) == -X - Y
    assert X / (X + Y) != Y / (X + Y) and (X**2 - Y**2) / (X - Y) != X - Y
    assert 1 / (X + Y) - 1 / (Y + X) == 0 and not 1 / (2 * X) - Fraction(1, 2) / X


def test_constants_are_numbers_over_the_integers_too():
    x, = FactoredField(sympy.polys.rings.ring("x", sympy.ZZ)[0]).gens
    assert x / 2 + x / 3 == 5 * x / 6 and x / 2 != x / 3
    assert (x / 2).field(Fraction(3, 4)) * 4 == 3
    assert -x / (2 * x) * 2 == -1


def test_elements_over_common_powers_are_those_elements():
    for seed in range(20):
        elements = [mine for mine, _ in random_elements(seed)]
        powers, polynomials = over_common_powers(elements)
        common = Factored(K, RING.one, powers)
        assert all(K(p) * common == x for p, x in zip(polynomials, elements, strict=True))


def test_what_is_no_element_is_refused():
    with pytest.raises(TypeError):
        X + 0.5
    with pytest.raises(ZeroDivisionError):
        X / (Y - Y)
    with pytest.raises(TypeError):
        hash(X)
    assert X != 0.5 and not (K(2)).is_negative and K(-2).is_negative and not (-X).is_negative


def test_an_identity_of_unequal_arrays_says_where():
    left, right = (np.array([X / Y, other], dtype=object) for other in (Z, Z + 1 / Y))
    identity = RationalIdentity(left, right)
    assert not identity.holds and [x == 0 for x in identity.difference] == [True, False]
