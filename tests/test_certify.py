"""The certified bounds hold: never below the true error, against exact arithmetic on the very floats stored.

The oracle builds the linear systems in Fractions from the float arrays themselves and solves them over QQ; it shares no
code with the solver or the certificate.
"""

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse
from sympy import QQ
from sympy.polys.matrices import DomainMatrix

import pgtheory as pg
from pgtheory import certify
from pgtheory.arithmetic import twofold
from pgtheory.solution import evaluate

EPS = Fraction(1, 2**52)
NAMES = ("V", "Q", "d", "D", "J")


# ------------------------------------------------------------------------------------------------ the oracle


def fractions(array):
    return np.array([Fraction(float(x)) for x in np.ravel(array)], dtype=object).reshape(np.shape(array))


def solve_over_the_rationals(M, b):
    n = len(b)
    left = DomainMatrix([[QQ(x.numerator, x.denominator) for x in row] for row in M], (n, n), QQ)
    right = DomainMatrix([[QQ(x.numerator, x.denominator)] for x in b], (n, 1), QQ)
    solution = [x for (x,) in left.lu_solve(right).to_list()]
    return np.array([Fraction(int(x.numerator), int(x.denominator)) for x in solution], dtype=object)


def exact_answer(P, R, gamma, rho, pi, terminal=()):
    """V, Q, d, D, J of the float arrays read as exact numbers; ``terminal`` states leave the system."""
    P, R, rho, pi, gamma = fractions(P), fractions(R), fractions(rho), fractions(pi), Fraction(gamma)
    S, A, _ = P.shape
    r = (P * R).sum(axis=2) if R.ndim == 3 else R if R.ndim == 2 else np.stack([R] * A, axis=1)
    inside = [s for s in range(S) if s not in terminal]
    M = [[(s == t) - gamma * sum(pi[s, a] * P[s, a, t] for a in range(A)) for t in inside] for s in inside]
    V, d = np.full(S, Fraction(0), dtype=object), np.full(S, Fraction(0), dtype=object)
    V[inside] = solve_over_the_rationals(M, [(pi[s] * r[s]).sum() for s in inside])
    d[inside] = solve_over_the_rationals([list(column) for column in zip(*M, strict=True)], rho[inside])
    return {"V": V, "Q": r + gamma * (P * V).sum(axis=2), "d": d, "D": (1 - gamma) * d, "J": (rho * V).sum()}


def true_error(computed, exact):
    return max(abs(Fraction(float(x)) - y) for x, y in zip(np.ravel(computed), np.ravel(exact), strict=True))


# ------------------------------------------------------------------------------------------------ the models


def simplices(rng, *shape):
    x = rng.exponential(size=shape) ** rng.integers(1, 6)
    return x / x.sum(axis=-1, keepdims=True)


def nearly_reducible(rng, S, A):
    """Two closed classes, but for one link of 1e-12 each way."""
    P = np.zeros((S, A, S))
    half = (S + 1) // 2
    P[:half, :, :half] = simplices(rng, half, A, half)
    if half < S:
        P[half:, :, half:] = simplices(rng, S - half, A, S - half)
        P[0, 0], P[-1, 0] = 0, 0
        P[0, 0, [0, -1]] = P[-1, 0, [-1, 0]] = 1 - 1e-12, 1e-12
    return P


def episodic(rng, S, A, R):
    """The last state absorbs and pays nothing; some action of every other leads there, with a small probability."""
    P = simplices(rng, S, A, S)
    P[:, :, -1] = 10.0 ** rng.uniform(-9, 0, size=(S, A))
    P /= P.sum(axis=2, keepdims=True)
    P[-1], R[-1] = 0, 0
    P[-1, :, -1] = 1
    return P


def rewards(rng, *shape):
    """Both signs, sizes 1e-8 to 1e8."""
    return rng.choice([-1.0, 1.0], size=shape) * 10.0 ** rng.uniform(-8, 8, size=shape)


KINDS = ("plain", "patient", "nearly reducible", "deterministic", "episodic")


def example(seed, max_states=8):
    """(P, R, gamma, rho, pi, terminal), every kind in turn, every shape of R."""
    rng = np.random.default_rng(seed)
    kind = KINDS[seed % len(KINDS)]
    S, A = int(rng.integers(1 if kind != "episodic" else 2, max_states + 1)), int(rng.integers(1, 4))
    R = rewards(rng, *[(S, A, S), (S, A), (S,)][int(rng.integers(3))])
    gamma = float(rng.choice([0.0, 0.3, 0.9, 0.99, 1 - 1e-6]))
    pi, terminal = simplices(rng, S, A), ()
    if kind == "episodic":
        P, gamma, terminal = episodic(rng, S, A, R), 1.0, (S - 1,)
    elif kind == "nearly reducible":
        P, gamma = nearly_reducible(rng, S, A), float(rng.choice([0.99, 1 - 1e-9]))
    elif kind == "deterministic":
        P, pi = np.eye(S)[rng.integers(0, S, size=(S, A))], np.eye(A)[rng.integers(0, A, size=S)]
    else:
        P, gamma = simplices(rng, S, A, S), 1 - 1e-9 if kind == "patient" else gamma
    return P, R, gamma, simplices(rng, S), pi, terminal


def solve_example(P, R, gamma, rho, pi, sparse=False):
    if sparse:
        R = scipy.sparse.csr_array(R.reshape(-1, R.shape[-1])) if R.ndim == 3 else R
        P = scipy.sparse.csr_array(P.reshape(-1, P.shape[-1]))
    return pg.solve(pg.MDP(P, R, gamma, rho), pi)


def violations(solution, exact):
    """[(name, bound / true error)] of the bounds that are too small."""
    found = []
    for name in solution.error_bounds:
        error, bound = true_error(getattr(solution, name), exact[name]), solution.error_bounds[name]
        assert np.isfinite(bound), name
        if Fraction(bound) < error:
            found.append((name, float(Fraction(bound) / error)))
    return found


def slackness(solution, exact, name):
    """bound / max(true error, eps * largest exact entry)."""
    error = true_error(getattr(solution, name), exact[name])
    floor = EPS * max(abs(x) for x in np.ravel(exact[name]))
    unit = max(error, floor)
    return float(Fraction(solution.error_bounds[name]) / unit) if unit else 0.0


# ------------------------------------------------------------------------------------------------ the bounds hold


@pytest.mark.parametrize("seed", range(300))
def test_no_bound_is_below_the_true_error(seed):
    *model, terminal = example(seed)
    exact = exact_answer(*model, terminal)
    assert violations(solve_example(*model, sparse=seed % 3 == 0), exact) == []


@pytest.mark.long
def test_no_bound_is_below_the_true_error_on_twenty_thousand_models():
    n, closest, loosest = 20_000, np.inf, 0.0
    for seed in range(1000, 1000 + n):
        *model, terminal = example(seed)
        exact = exact_answer(*model, terminal)
        solution = solve_example(*model, sparse=seed % 3 == 0)
        assert violations(solution, exact) == [], seed
        for name in solution.error_bounds:
            error = true_error(getattr(solution, name), exact[name])
            closest = min(closest, float(Fraction(solution.error_bounds[name]) / error) if error else np.inf)
            loosest = max(loosest, slackness(solution, exact, name))
    print(f"\n{n} models: bound / true error >= {closest:.9f}; bound / max(true error, eps max|exact|) <= {loosest:.3g}")


@pytest.mark.parametrize("seed", range(40))
def test_bounds_are_tight_up_to_a_discount_of_nine_tenths(seed):
    rng = np.random.default_rng([7, seed])
    S, A = int(rng.integers(1, 21)), int(rng.integers(1, 4))
    P, R, pi = simplices(rng, S, A, S), rewards(rng, S, A), simplices(rng, S, A)
    model = (P, R, float(rng.uniform(0, 0.9)), simplices(rng, S), pi)
    solution, exact = solve_example(*model), exact_answer(*model)
    assert violations(solution, exact) == []
    assert all(slackness(solution, exact, name) <= 100 for name in NAMES)


@pytest.mark.parametrize("size", [1e288, 1e-300, 1e-310, 5e-324])
def test_bounds_hold_at_the_ends_of_the_float_range(size):
    rng = np.random.default_rng(3)
    P, pi = simplices(rng, 4, 2, 4), simplices(rng, 4, 2)
    model = (P, size * rng.integers(-9, 10, size=(4, 2, 4)), 0.5, simplices(rng, 4), pi)
    assert violations(solve_example(*model), exact_answer(*model)) == []


def test_subnormal_probabilities_are_counted():
    P = np.array([[[1.0, 5e-324]], [[3e-310, 1.0]]])
    model = (P, np.array([1e-300, -1e10]), 1 - 1e-9, np.array([1.0, 1e-320]), np.ones((2, 1)))
    assert violations(solve_example(*model), exact_answer(*model)) == []


def test_a_batch_has_a_bound_for_each_policy():
    P, R, gamma, rho, _, _ = example(0)
    S, A, _ = P.shape
    pi = simplices(np.random.default_rng(1), 2, 3, S, A)
    batch = pg.solve(pg.MDP(P, R, gamma, rho), pi)
    for name in NAMES:
        bounds = batch.error_bounds[name]
        assert bounds.shape == (2, 3)
        for index in np.ndindex(2, 3):
            exact = exact_answer(P, R, gamma, rho, pi[index])[name]
            assert Fraction(float(bounds[index])) >= true_error(getattr(batch, name)[index], exact)


# ------------------------------------------------------------------------------------------------ and see what is wrong


@pytest.mark.parametrize("kind", ["plain", "episodic"])
@pytest.mark.parametrize("place", [0, -1])      # the last state of an episodic model is the terminal one
@pytest.mark.parametrize("name", NAMES)
def test_a_perturbed_quantity_is_noticed(name, place, kind):
    *model, terminal = example(KINDS.index(kind))
    solution, exact = solve_example(*model), exact_answer(*model, terminal)
    if name not in solution.error_bounds:
        return
    honest = solution.error_bounds[name]
    wrong = np.array(getattr(solution, name))
    shift = 1000 * honest + 1e-9 * abs(wrong.flat[0])
    wrong.flat[place] += shift
    perturbed = solve_example(*model)
    perturbed.__dict__[name] = wrong
    assert perturbed.error_bounds[name] >= shift / 2 > honest
    assert Fraction(perturbed.error_bounds[name]) >= true_error(wrong, exact[name])


def count_violations(n=25):
    found = 0
    for seed in range(n):
        *model, terminal = example(seed)
        found += bool(violations(solve_example(*model), exact_answer(*model, terminal)))
    return found


def test_a_residual_that_is_not_one_is_caught_by_the_oracle(monkeypatch):
    monkeypatch.setattr(certify._Certificate, "_residual", lambda self, Q, V: V - V)
    assert count_violations() > 10


def test_a_residual_in_plain_precision_is_caught_by_the_oracle(monkeypatch):
    monkeypatch.setattr(twofold, "two_product", lambda a, b: (a * b, 0 * (a * b)))
    monkeypatch.setattr(twofold, "two_sum", lambda a, b: (a + b, 0 * (a + b)))
    assert count_violations() > 10


def test_an_inaccurate_factorisation_loosens_the_bounds_and_does_not_break_them(monkeypatch):
    for seed in range(25):
        *model, terminal = example(seed)
        solution, exact = solve_example(*model), exact_answer(*model, terminal)
        for name in solution.error_bounds:
            getattr(solution, name)                         # computed before the factorisation is spoilt
        honest = solution._factor
        monkeypatch.setattr(solution, "_factor", Sloppy(honest))
        assert violations(solution, exact) == []


class Sloppy:
    """A factorisation three percent off."""

    def __init__(self, honest):
        self._honest = honest

    def solve(self, B, transpose=False):
        return 0.97 * self._honest.solve(B, transpose)


# ------------------------------------------------------------------------------------------------ and say when they cannot


def test_what_cannot_be_certified_has_the_bound_infinity():
    mdp = pg.MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [1.0, 2.0], 0.9, 0)
    off_the_simplex = evaluate(mdp, np.array([[1.5], [1.5]]))           # gamma |P_pi| has spectral radius 1.35
    assert off_the_simplex.error_bounds["V"] == np.inf == off_the_simplex.error_bounds["d"]
    with_a_complex_step = evaluate(mdp, np.array([[1 + 1e-30j], [1.0]]))
    assert with_a_complex_step.error_bounds["V"] == np.inf


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1.7e308])
def test_what_is_not_a_number_or_overflows_is_within_no_bound(value):
    mdp = pg.MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [1.0, 2.0], 0.9, 0)
    broken = pg.solve(mdp, [[1.0], [1.0]])
    broken.__dict__["V"] = np.array([value, -value])
    with np.errstate(all="ignore"):
        assert [broken.error_bounds[name] for name in ("V", "Q", "J")] == [np.inf] * 3


def test_exact_solutions_have_no_error():
    corridor = pg.MDP([[[0, 1], [1, 0]], [[0, 1], [0, 1]]], [[1, 0], [0, 0]], Fraction(1, 2), 0)
    exact = pg.solve(corridor, [[Fraction(1, 3), Fraction(2, 3)]] * 2)
    assert dict(exact.error_bounds) == dict.fromkeys(NAMES, 0)
    assert pg.solve(corridor, [[[Fraction(1, 3), Fraction(2, 3)]] * 2]).error_bounds["V"].tolist() == [0]


def test_D_has_no_bound_where_it_does_not_exist():
    *model, _ = example(KINDS.index("episodic"))
    bounds = solve_example(*model).error_bounds
    assert sorted(bounds) == ["J", "Q", "V", "d"] and "D" not in bounds
    with pytest.raises(pg.UndefinedError, match="D = .* does not exist at gamma = 1"):
        bounds["D"]
    with pytest.raises(KeyError):
        bounds["A"]


# ------------------------------------------------------------------------------------------------ doubled precision itself


def test_products_and_sums_lose_nothing():
    rng = np.random.default_rng(0)
    a, b = (rng.choice([-1, 1], 2000) * rng.random(2000) * 2.0 ** rng.integers(-200, 200, 2000) for _ in range(2))
    for split, exactly in ((twofold.two_sum, lambda x, y: x + y), (twofold.two_product, lambda x, y: x * y)):
        assert (fractions(split(a, b)[0]) + fractions(split(a, b)[1]) == exactly(fractions(a), fractions(b))).all()


@pytest.mark.parametrize("sparse", [False, True])
def test_row_products_are_within_their_error(sparse):
    rng = np.random.default_rng(1)
    matrix = rng.standard_normal((40, 37)) * 2.0 ** rng.integers(-60, 60, (40, 37)) * (rng.random((40, 37)) < 0.4)
    x = rng.standard_normal(37)
    result = twofold.row_products(scipy.sparse.csr_array(matrix) if sparse else matrix, x)
    off = abs(fractions(result.hi) + fractions(result.lo) - (fractions(matrix) * fractions(x)).sum(axis=1))
    assert (off <= fractions(result.err)).all()
    assert (result.err <= 2.0**-96 * (abs(matrix) @ abs(x)) + 1e-300).all()
