"""One set of tests over every arithmetic: float64, complex128, sparse, Fraction, dual, field, expression.

The solution x is chosen first and the right side b = M x is formed by plain sums of Fractions, so that no answer comes from
the solver under test. What is exact must be equal; what floats must lie within a backward-stable solve's bound.
"""

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
import sympy
from sympy.polys.fields import field

import pgtheory as pg
from pgtheory.arithmetic import (
    COMPLEX,
    DUAL,
    EXPRESSION,
    FLOAT,
    FRACTION,
    INTEGER,
    Arithmetic,
    as_array,
    canonical,
    factorize,
    is_negative,
    join,
    kernel,
    plus_identity,
)
from pgtheory.arithmetic.dual import Dual

EPS = np.finfo(float).eps
K, T = field("t", sympy.QQ)
FIELD = Arithmetic("field", K)
SYMBOL = sympy.Symbol("t")


# ---------------------------------------------------------------------------------------------- the representations


def floats(array):
    return np.array([[float(x) for x in row] for row in array]) if array.ndim == 2 else np.array([float(x) for x in array])


def convert_to(arithmetic):
    return lambda array: arithmetic.convert(array)


DENSE = {"float64": (floats, FLOAT), "complex128": (lambda a: floats(a) + 0j, COMPLEX),
         "Fraction": (convert_to(FRACTION), FRACTION), "dual": (convert_to(DUAL), DUAL),
         "field": (convert_to(FIELD), FIELD), "expression": (convert_to(EXPRESSION), EXPRESSION)}
ALL = DENSE | {"sparse": (floats, FLOAT)}


def lifted(name, array):
    """The Fractions of ``array`` in the arithmetic ``name``; matrices of "sparse" as csr."""
    lift, _ = ALL[name]
    return sp.csr_array(lift(array)) if name == "sparse" and array.ndim == 2 else lift(array)


def same(found, expected, conditioning=1.0):
    """Equal, where exact; within 16 n eps conditioning, where floating."""
    found, expected = canonical(np.asarray(found), np.asarray(expected))
    if found.dtype == object:
        return bool((found == expected).all())
    scale = max(float(np.abs(expected).max()), 1e-300)
    return bool(np.abs(found - expected).max() <= 16 * found.shape[0] * EPS * conditioning * scale)


def fractions(rng, shape, largest=9):
    out = np.empty(shape, dtype=object)
    out.flat = [Fraction(int(x), int(y)) for x, y in zip(rng.integers(-largest, largest + 1, out.size),
                                                         rng.integers(1, 5, out.size), strict=True)]
    return out


def system(seed, n):
    """(I - gamma P, conditioning) with P stochastic and gamma = 4/5, in Fractions."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 5, (n, n)) + np.eye(n, dtype=int)
    M = np.empty((n, n), dtype=object)
    for i, j in np.ndindex(n, n):
        M[i, j] = int(i == j) - Fraction(4, 5) * Fraction(int(counts[i, j]), int(counts[i].sum()))
    return M, 9.0        # row sums of the inverse 1/(1 - gamma) = 5, of the matrix at most 1 + gamma


def product(M, X):
    """M X by plain sums."""
    columns = X.reshape(len(X), -1)
    out = np.empty(columns.shape, dtype=object)
    for i, j in np.ndindex(out.shape):
        out[i, j] = sum((M[i, k] * columns[k, j] for k in range(len(M))), Fraction(0))
    return out.reshape(X.shape)


# ------------------------------------------------------------------------------------------------------- the solve


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("columns", [(), (1,), (3,)])
@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize("name", ALL)
def test_solving_finds_the_x_that_was_chosen(name, n, columns, transpose):
    M, conditioning = system(n, n)
    x = fractions(np.random.default_rng([n, len(columns)]), (n,) + columns)
    b = product(M.T if transpose else M, x)
    factor = factorize(lifted(name, M), ALL[name][1])
    right = ALL[name][0](b) if b.size else b
    assert same(factor.solve(right, transpose), ALL[name][0](x), conditioning)


@pytest.mark.parametrize("name", ALL)
def test_a_transposed_solve_is_told_from_a_plain_one(name):
    """Negative control: the comparison above rejects the answer of the other system."""
    M, conditioning = system(7, 4)
    x = fractions(np.random.default_rng(7), (4,))
    factor = factorize(lifted(name, M), ALL[name][1])
    assert not same(factor.solve(ALL[name][0](product(M, x)), True), ALL[name][0](x), conditioning)


@pytest.mark.parametrize("name", ["float64", "complex128", "Fraction", "field", "expression"])
@pytest.mark.parametrize("transpose", [False, True])
def test_a_batch_is_solved_matrix_by_matrix(name, transpose):
    lift, arithmetic = ALL[name]
    systems = [system(seed, 3)[0] for seed in range(4)]
    xs = [fractions(np.random.default_rng(seed), (3,)) for seed in range(4)]
    stack, right = (np.empty((4, 3, 3), dtype=object), np.empty((4, 3), dtype=object))
    for i, (M, x) in enumerate(zip(systems, xs, strict=True)):
        stack[i], right[i] = lift(M), lift(product(M.T if transpose else M, x))
    if not arithmetic.exact:
        stack, right = stack.astype(complex if name == "complex128" else float), right.astype(right[0, 0].__class__)
    found = factorize(stack, arithmetic).solve(right, transpose)
    assert all(same(one, lift(x), 9.0) for one, x in zip(found, xs, strict=True))


@pytest.mark.parametrize("name", ["float64", "sparse"])
def test_a_real_factorisation_takes_complex_right_sides(name):
    M, conditioning = system(3, 4)
    x, y = (fractions(np.random.default_rng(seed), (4,)) for seed in (1, 2))
    for transpose in (False, True):
        right = floats(product(M.T if transpose else M, x)) + 1j * floats(product(M.T if transpose else M, y))
        found = factorize(lifted(name, M), FLOAT).solve(right, transpose)
        assert same(found, floats(x) + 1j * floats(y), conditioning)


def test_a_complex_factorisation_is_not_conjugated():
    M, _ = system(5, 3)
    step = floats(M) + 0.25j * floats(system(6, 3)[0])
    x = np.array([1.0 + 2j, -1j, 0.5])
    for transpose in (False, True):
        right = (step.T if transpose else step) @ x
        assert np.allclose(factorize(step.copy(), COMPLEX).solve(right, transpose), x, rtol=1e-13)


def test_dual_numbers_solve_for_value_and_derivative_together():
    """(M + e N)(x + e y) = b + e c: the parts are M x = b and M y = c - N x."""
    M, N = system(1, 3)[0], system(2, 3)[0]
    x, y = (fractions(np.random.default_rng(seed), (3,)) for seed in (3, 4))
    matrix = np.array([[Dual(a, b) for a, b in zip(*rows, strict=True)] for rows in zip(M, N, strict=True)], dtype=object)
    right = np.array([Dual(b, c) for b, c in zip(product(M, x), product(M, y) + product(N, x), strict=True)], dtype=object)
    found = factorize(matrix, DUAL).solve(right)
    assert [z.a for z in found] == list(x) and [z.b for z in found] == list(y)


@pytest.mark.parametrize("name, arithmetic, entry", [("field", FIELD, T), ("expression", EXPRESSION, SYMBOL)])
def test_symbolic_systems_are_solved_for_every_value_of_the_symbol(name, arithmetic, entry):
    """(1 - t/2) x = 1 - t^2/4 has the solution 1 + t/2."""
    M = arithmetic.convert(np.array([[1 - entry / 2]], dtype=object))
    b = arithmetic.convert(np.array([1 - entry**2 / 4], dtype=object))
    assert same(factorize(M, arithmetic).solve(b), arithmetic.convert(np.array([1 + entry / 2], dtype=object)))


@pytest.mark.parametrize("name", ["float64", "complex128", "Fraction", "field", "expression"])
def test_a_singular_system_is_undefined(name):
    lift, arithmetic = ALL[name]
    M = lift(np.array([[Fraction(1), Fraction(-1)], [Fraction(-1), Fraction(1)]], dtype=object))
    with pytest.raises(pg.UndefinedError, match="singular"):
        factorize(M, arithmetic).solve(lift(np.array([Fraction(1), Fraction(0)], dtype=object)))


def test_a_singular_batch_is_undefined():
    stack = np.stack([np.eye(2), np.ones((2, 2))])
    with pytest.raises(pg.UndefinedError, match="singular"):
        factorize(stack, FLOAT).solve(np.ones((2, 2)))


def test_large_systems_are_as_exact_as_small_ones():
    """Large systems are factorised in single precision and refined: the bound is that of the small ones."""
    rng = np.random.default_rng(0)
    n = 700
    M = np.eye(n) - 0.999 * rng.dirichlet(np.full(n, 0.1), n)
    x = rng.normal(size=(n, 2)) * 10.0 ** rng.integers(-6, 6, n)[:, None]
    factor = factorize(M.copy(), FLOAT)
    for transpose in (False, True):
        found = factor.solve((M.T if transpose else M) @ x, transpose)
        bound = 16 * n * EPS * 2000.0 * np.abs(x).max()
        assert np.abs(found - x).max() <= bound


# ---------------------------------------------------------------------------------------- products with the kernel


def small_model():
    """P (3, 2, 3), R (3, 2, 3), pi (3, 2), V (3,) in Fractions."""
    rng = np.random.default_rng(11)
    P = np.empty((3, 2, 3), dtype=object)
    for s, a in np.ndindex(3, 2):
        counts = rng.integers(0, 4, 3) + [1, 0, 0]
        P[s, a] = [Fraction(int(k), int(counts.sum())) for k in counts]
    return P, fractions(rng, (3, 2, 3)), fractions(rng, (3, 2)), fractions(rng, (3,))


@pytest.mark.parametrize("name", ALL)
def test_products_with_P_are_the_plain_sums(name):
    P, R, pi, V = small_model()
    lift, arithmetic = ALL[name]

    def up(array):
        return lift(array.reshape(-1)).reshape(array.shape)

    mix, expect, weigh = (np.empty(shape, dtype=object) for shape in ((3, 3), (3, 2), (3, 2)))
    for s, t in np.ndindex(3, 3):
        mix[s, t] = sum(pi[s, a] * P[s, a, t] for a in range(2))
    for s, a in np.ndindex(3, 2):
        expect[s, a] = sum(P[s, a, t] * V[t] for t in range(3))
        weigh[s, a] = sum(P[s, a, t] * R[s, a, t] for t in range(3))
    flat = (lambda x: sp.csr_array(up(x).reshape(6, 3))) if name == "sparse" else up
    products = kernel(flat(P), 2, arithmetic)
    mixed = products.mix(up(pi))
    assert same(mixed.toarray() if sp.issparse(mixed) else mixed, up(mix))
    assert same(products.expect(up(V)), up(expect))
    assert same(products.weigh(flat(R)), up(weigh))
    assert same(products.row_sums(), up(np.full((3, 2), Fraction(1), dtype=object)))
    assert not same(products.expect(up(V)), up(expect[:, ::-1]))          # negative control: the actions exchanged


@pytest.mark.parametrize("name", ["float64", "complex128", "Fraction", "field"])
def test_batched_products_are_those_of_each_policy(name):
    P, _, pi, V = small_model()
    lift, arithmetic = ALL[name]

    def up(array):
        return lift(array.reshape(-1)).reshape(array.shape)

    products = kernel(up(P), 2, arithmetic)
    stack = np.stack([up(pi), up(pi[::-1]), up(2 * pi)])
    values = np.stack([up(V), up(V[::-1]), up(2 * V)])
    assert all(same(one, products.mix(each)) for one, each in zip(products.mix(stack), stack, strict=True))
    assert all(same(one, products.expect(each)) for one, each in zip(products.expect(values), values, strict=True))


@pytest.mark.parametrize("name", ALL)
def test_adding_the_identity(name):
    A = fractions(np.random.default_rng(2), (3, 3))
    found = plus_identity(lifted(name, A))
    expected = A + np.array([[Fraction(int(i == j)) for j in range(3)] for i in range(3)], dtype=object)
    assert same(found.toarray() if sp.issparse(found) else found, ALL[name][0](expected))


def test_adding_the_identity_to_a_stack():
    assert np.array_equal(plus_identity(np.zeros((2, 3, 3))), np.stack([np.eye(3)] * 2))


# --------------------------------------------------------------------------------------------- the same text everywhere


@pytest.mark.parametrize("name", DENSE)
def test_the_same_problem_has_the_same_answers_in_every_arithmetic(name):
    """V, Q, d, J and the gradient of one model: the Fractions, said again in each arithmetic."""
    P, R, _, _ = small_model()
    third, half = Fraction(1, 3), Fraction(1, 2)
    pi = np.array([[third, 1 - third], [half, half], [Fraction(1), Fraction(0)]], dtype=object)
    exact = pg.solve(pg.MDP(P, R, Fraction(4, 5), 0), pi)
    lift, arithmetic = ALL[name]
    up = lambda array: lift(array.reshape(-1)).reshape(array.shape)  # noqa: E731
    model = FLOAT if name == "complex128" else arithmetic
    into = (lambda a: floats(a.reshape(-1)).reshape(a.shape)) if not model.exact else model.convert
    if name == "dual":
        into, gamma = FRACTION.convert, Fraction(4, 5)
    else:
        gamma = model.number(Fraction(4, 5)) if model.exact else 0.8
    solution = pg.solve(pg.MDP(into(P), into(R), gamma, 0), up(pi))
    for quantity in ("V", "Q", "A", "d", "D"):
        assert same(getattr(solution, quantity), up(getattr(exact, quantity)), 100.0), quantity
    assert same(np.array([solution.J]), lift(np.array([exact.J], dtype=object)), 100.0)


# ----------------------------------------------------------------------------------------------- kinds of numbers


@pytest.mark.parametrize("values, name", [
    ([1, 2], "integer"), ([True, False], "integer"), (np.array([1, 2], dtype=np.uint8), "integer"),
    ([2**70], "integer"), ([1.0, 2], "float64"), (np.array([1], dtype=np.float32), "float64"), ([1j], "complex128"),
    ([Fraction(1, 2), 1], "Fraction"), ([np.float64(1.0), 1], "float64"), (np.array([1.0, 1], dtype=object), "float64"),
    ([Dual(1, 2), Fraction(1)], "dual"), ([T, 1], "field"), ([T, Fraction(1, 2)], "field"),
    ([SYMBOL, 1], "expression"), ([sympy.Rational(1, 3)], "expression"), ([SYMBOL, Fraction(1, 2)], "expression"),
    (sp.eye_array(2, dtype=int), "integer"), (sp.eye_array(2), "float64"),
])
def test_arrays_know_their_arithmetic(values, name):
    assert as_array(values)[1].name == name


def test_joining_arithmetics():
    assert join(INTEGER, INTEGER) == INTEGER
    assert join(INTEGER, FLOAT) == FLOAT and join(FLOAT, COMPLEX) == COMPLEX
    assert join(INTEGER, FRACTION) == FRACTION and join(FRACTION, DUAL) == DUAL
    assert join(FRACTION, FIELD) == FIELD
    assert join(FRACTION, EXPRESSION) == EXPRESSION == join(FIELD, EXPRESSION)
    for inexact in (FLOAT, COMPLEX):
        for exact in (FRACTION, DUAL, FIELD, EXPRESSION):
            with pytest.raises(pg.NotExactError, match="never silently rounded"):
                join(exact, inexact)
    with pytest.raises(pg.NotExactError, match="two different fields"):
        join(FIELD, Arithmetic("field", field("s", sympy.QQ)[0]))


def test_canonical_forms_of_equal_rational_functions_are_equal():
    x = sympy.Symbol("x")
    one, other = np.array([(x**2 - 1) / (x - 1)], dtype=object), np.array([x + 1], dtype=object)
    assert (one != other).all()
    one, other = canonical(one, other)
    assert (one == other).all()
    one, other = canonical(np.array([1 / (1 - x)], dtype=object), np.array([1 / (1 + x)], dtype=object))
    assert (one != other).all()


@pytest.mark.parametrize("x, negative", [(-1, True), (0, False), (Fraction(-1, 2), True), (sympy.Rational(-1, 3), True),
                                         (sympy.sqrt(2) - 2, True), (SYMBOL, False), (-SYMBOL, False), (K(-1) / 2, True),
                                         (K(1) / 2, False), (-T, False)])
def test_signs_are_known_of_numbers_and_not_of_symbols(x, negative):
    assert is_negative(x) is negative


@pytest.mark.parametrize("transpose", [False, True])
def test_elimination_of_polynomials_solves_what_the_adjugate_solves(monkeypatch, transpose):
    """Nine rows and one symbol are eliminated; with the threshold out of reach the adjugate answers; both solve the system."""
    from sympy import QQ
    from sympy.polys.rings import ring

    import pgtheory.arithmetic.solving as solving
    from pgtheory.arithmetic import Arithmetic, FactoredField

    rng, K = np.random.default_rng(0), FactoredField(ring("x", QQ)[0])
    x = K.gens[0]
    M = np.array([[K(int(v)) / (1 + x) + (x if i == j else 0) for j, v in enumerate(row)]
                  for i, row in enumerate(rng.integers(-2, 3, (9, 9)))], dtype=object)
    b = np.array([K(int(v)) + x for v in rng.integers(-3, 4, 9)], dtype=object)
    arithmetic = Arithmetic("field", K)
    found = factorize(M, arithmetic).solve(b, transpose)
    monkeypatch.setattr(solving, "ELIMINATED", 100)
    assert (found == factorize(M, arithmetic).solve(b, transpose)).all()
    assert (((M.T if transpose else M) @ found) == b).all()
    assert not ((M if transpose else M.T) @ found == b).all()                                    # negative control
    monkeypatch.undo()
    M[1] = M[0]
    with pytest.raises(pg.UndefinedError, match="singular"):
        factorize(M, arithmetic).solve(b, transpose)
