"""Named models: their known answers, their two arithmetics, and what is refused."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest

import pgtheory as pg

ANSWERS = [(name, i) for name in pg.models.names() for i in range(len(pg.models.info(name).answers))]
COUNTEREXAMPLES = {"start-matters", "bandit", "dropped-gamma", "reward-to-go"}
FINITE = [name for name in pg.models.names() if not pg.models.info(name).continuous]
PUBLISHED = {"gridworld-5x5", "gridworld-4x4", "random-walk", "short-corridor", "student-mrp", "student-mdp", "dadashi-2a",
             "dadashi-2d", "exercise-3-22"}


def deviation(name, answer, **changed):
    """How far the model is from a known answer, in exact arithmetic where its policy is."""
    exact = not any(isinstance(p, float) for row in answer.policy for p in row)
    solution = pg.solve(pg.models.load(name, exact=exact, **{**answer.parameters, **changed}), answer.policy)
    found = np.asarray(getattr(solution, answer.what), dtype=object)[answer.at]
    assert np.shape(found) == np.shape(answer.value)
    return np.max(abs(found - np.asarray(answer.value, dtype=object)))


@pytest.mark.parametrize("name, i", ANSWERS)
def test_known_answers_hold(name, i):
    answer = pg.models.info(name).answers[i]
    assert deviation(name, answer) <= answer.tolerance


@pytest.mark.parametrize("name", ["gridworld-5x5", "start-matters", "one-state", "chain"])
def test_known_answers_fail_at_another_gamma(name):
    answer = pg.models.info(name).answers[0]
    assert deviation(name, answer, gamma=Fraction(4, 5)) > answer.tolerance


def test_the_catalogue_is_complete():
    small = {"two-rooms", "chain", "cliff", "directed-cycle", "one-state"}
    assert set(pg.models.names()) >= COUNTEREXAMPLES | PUBLISHED | small
    assert list(pg.models.names()) == sorted(pg.models.names())


@pytest.mark.parametrize("name", pg.models.names())
def test_every_model_says_where_it_comes_from(name):
    info = pg.models.info(name)
    assert info.name == name and info.title and info.source and "gamma" in info.parameters
    assert info.exact is not info.continuous
    with pytest.raises(dataclasses.FrozenInstanceError):
        info.title = "another"


@pytest.mark.parametrize("name", FINITE)
def test_floats_are_the_nearest_to_the_fractions(name):
    exact, floating = pg.models.load(name, exact=True), pg.models.load(name)
    assert exact.arithmetic.name == "Fraction" and floating.arithmetic.name == "float64"
    for part in ("P", "R", "rho"):
        there = getattr(exact, part)
        assert all(type(x) is Fraction for x in there.flat)
        assert (np.array([x.numerator / x.denominator for x in there.flat]) == getattr(floating, part).ravel()).all()
    assert float(exact.gamma) == floating.gamma


@pytest.mark.parametrize("name", sorted(set(pg.models.names()) - set(FINITE)))
def test_models_of_continuous_actions_load_in_floats_alone(name):
    assert pg.models.load(name, gamma=0.25).gamma == 0.25
    assert isinstance(pg.models.load(name, n_states=4), pg.ContinuousActionMDP)
    with pytest.raises(pg.NotExactError, match="from_sympy"):
        pg.models.load(name, exact=True)
    with pytest.raises(pg.InvalidMDPError, match="n_states"):
        pg.models.load(name, n_states=2.5)
    with pytest.raises(pg.InvalidMDPError, match="no parameter 'slip'"):
        pg.models.load(name, slip=0.5)


@pytest.mark.parametrize("name", FINITE)
def test_every_model_takes_gamma(name):
    assert pg.models.load(name, gamma=0.25).gamma == 0.25
    assert pg.models.load(name, exact=True, gamma=Fraction(1, 4)).gamma == Fraction(1, 4)


def test_short_corridor_prints_the_numbers_of_the_book():
    corridor = pg.models.load("short-corridor")
    assert repr(pg.solve(corridor, [[0.5, 0.5]] * 4).V) == "array([-12., -10.,  -6.,   0.])"
    assert repr(corridor) == "MDP(n_states=4, n_actions=2, gamma=1, float64)"


@pytest.mark.parametrize("n, gamma", [(1, Fraction(1, 3)), (2, Fraction(9, 10)), (5, Fraction(1, 2))])
def test_a_directed_cycle_is_visited_geometrically(n, gamma):
    mdp = pg.models.load("directed-cycle", exact=True, n=n, gamma=gamma)
    D = pg.solve(mdp, [[Fraction(1, 2)] * 2] * n).D
    assert D.tolist() == [gamma**s * (1 - gamma) / (1 - gamma**n) for s in range(n)]


@pytest.mark.parametrize("n, p", [(1, Fraction(1, 3)), (3, Fraction(1, 2)), (6, Fraction(3, 4))])
def test_a_chain_takes_as_long_as_a_run_of_heads(n, p):
    """n heads in a row take sum_{k=1..n} p^-k throws on the mean (Feller, volume 1, section XIII.7)."""
    mdp = pg.models.load("chain", exact=True, n=n, gamma=1)
    assert pg.solve(mdp, [[p, 1 - p]] * (n + 1)).d.sum() == sum(p**-k for k in range(1, n + 1))


def test_slipping_to_both_sides_alike_does_not_matter_to_the_uniform_policy():
    quarter = [[Fraction(1, 4)] * 4] * 13
    dry, wet = (pg.solve(pg.models.load("two-rooms", exact=True, slip=slip), quarter) for slip in (0, Fraction(1, 2)))
    assert (dry.V == wet.V).all()
    slipping = deviation("two-rooms", pg.models.info("two-rooms").answers[0], slip=Fraction(1, 2))
    assert slipping > 0     # to a policy with a direction it does


def test_start_matters_takes_its_start():
    half = [[Fraction(1, 2)] * 2] * 2
    starts = [pg.solve(pg.models.load("start-matters", exact=True, start=s), half).D.tolist() for s in (0, 1)]
    assert starts == [[Fraction(2, 11), Fraction(9, 11)], [0, 1]]


def test_the_dropped_discount_leaves_a_field_without_potential():
    """Cross derivatives of sum_s d1(s) dpi Q with gamma = 1 in d1 at p = q = 1/2: 1/32 and 1/16, as differentiated by hand.

    V(1) = q, Q(0, on) = gamma q: the field is (p(1-p) gamma q, p q(1-q)); with gamma^t its second entry carries gamma.
    """
    mdp = pg.models.load("dropped-gamma", exact=True)

    def field(p, q, discounted):
        sol = pg.solve(mdp, [[p, 1 - p], [q, 1 - q], [Fraction(1, 2)] * 2])
        visits = sol.d if discounted else np.array([1, p, 0], dtype=object)
        return [visits[s] * x * (1 - x) * (sol.Q[s, 0] - sol.Q[s, 1]) for s, x in ((0, p), (1, q))]

    def cross(discounted):
        """By the rule dx = p(1-p) d/dp: the field is bilinear in p and q, so that differences are exact."""
        h, half = Fraction(1, 8), Fraction(1, 2)
        up = field(half, half + h, discounted)[0] - field(half, half - h, discounted)[0]
        right = field(half + h, half, discounted)[1] - field(half - h, half, discounted)[1]
        return up / (2 * h) / 4, right / (2 * h) / 4

    assert cross(discounted=False) == (Fraction(1, 32), Fraction(1, 16))
    assert cross(discounted=True) == (Fraction(1, 32), Fraction(1, 32))


@pytest.mark.parametrize("call, error, words", [
    (lambda: pg.models.load("short-coridor"), pg.InvalidMDPError, "did you mean short-corridor"),
    (lambda: pg.models.load("two rooms"), pg.InvalidMDPError, "did you mean two-rooms"),
    (lambda: pg.models.info("zzzz"), pg.InvalidMDPError, "the models are bandit, chain"),
    (lambda: pg.models.load("bandit", gama=0.5), pg.InvalidMDPError, "no parameter 'gama': it takes gamma"),
    (lambda: pg.models.load("bandit", gamma="0.5"), pg.InvalidMDPError, "gamma is '0.5': it must be a number"),
    (lambda: pg.models.load("bandit", gamma=True), pg.InvalidMDPError, "gamma is True: it must be a number"),
    (lambda: pg.models.load("bandit", gamma=1.5), pg.InvalidMDPError, "gamma is 1.5"),
    (lambda: pg.models.load("bandit", exact=True, gamma=0.9), pg.NotExactError, "write gamma=Fraction('0.9')"),
    (lambda: pg.models.load("bandit", gamma=Fraction(1, 2)), pg.NotExactError, "pass exact=True"),
    (lambda: pg.models.load("chain", n=0), pg.InvalidMDPError, "n is 0: it must be at least 1"),
    (lambda: pg.models.load("chain", n=2.5), pg.InvalidMDPError, "n is 2.5: it must be an integer"),
    (lambda: pg.models.load("two-rooms", slip=1.5), pg.InvalidMDPError, "slip is 1.5: it must be a probability"),
    (lambda: pg.models.load("two-rooms", slip=float("nan")), pg.InvalidMDPError, "slip is nan"),
    (lambda: pg.models.load("start-matters", start=2), pg.InvalidMDPError, "start is 2: with 2 states"),
])
def test_bad_requests_are_refused_with_the_mend(call, error, words):
    with pytest.raises(error) as caught:
        call()
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "words"), [("gym:Taxi-v4", "pgtheory.from_gymnasium('Taxi-v4', gamma=0.99)"),
                                             ("mine.json", "pgtheory.MDP.load('mine.json')")])
def test_what_is_read_by_another_function_is_pointed_there(name, words):
    with pytest.raises(pg.InvalidMDPError) as caught:
        pg.models.load(name)
    assert words in str(caught.value)
