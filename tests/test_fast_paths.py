"""What is done for speed changes no answer: single precision with refinement, remembered probabilities, short rows."""

from fractions import Fraction

import numpy as np
import pytest

import pgtheory as pg
from pgtheory.arithmetic import EPS, DenseFactorization, RefinedFactorization, dot_rows, plus_identity, solving


def system(rng, n, gamma):
    """I - gamma P in C order, P with rows that sum to 1."""
    P = rng.random((n, n)) ** 4
    P /= P.sum(axis=1, keepdims=True)
    return np.eye(n) - gamma * P


def residual(M, X, B):
    """Relative to what the solution and the right-hand side are."""
    return np.abs(B - M @ X).max() / (np.abs(X).max() + np.abs(B).max())


@pytest.mark.parametrize("gamma", [0.0, 0.9, 0.99, 0.9999])
@pytest.mark.parametrize("transpose", [False, True])
def test_refined_solutions_are_solutions_in_double_precision(gamma, transpose):
    rng = np.random.default_rng(0)
    M, x = system(rng, 120, gamma), rng.integers(-50, 50, size=(120, 3)).astype(float)
    A = M.T if transpose else M
    B = A @ x                                   # x is chosen first: the answer does not come from the code under test
    factor = RefinedFactorization(M.copy())
    X = factor.solve(B, transpose)
    assert factor._full is None                 # single precision was enough
    assert residual(A, X, B) <= 64 * EPS
    assert np.abs(X - x).max() <= 200 * EPS * 50 / (1 - gamma) * 120


def test_refinement_gives_way_to_the_full_factorisation_where_it_stalls():
    rng = np.random.default_rng(1)
    M, b = system(rng, 60, 1 - 1e-10), rng.standard_normal(60)
    factor = RefinedFactorization(M.copy())
    X = factor.solve(b)
    assert factor._full is not None
    np.testing.assert_array_equal(X, DenseFactorization(M.copy()).solve(b))
    np.testing.assert_array_equal(factor.solve(b, True), DenseFactorization(M.copy()).solve(b, True))


def test_a_wrong_single_precision_factor_is_never_believed(monkeypatch):
    rng = np.random.default_rng(2)
    M, b = system(rng, 40, 0.9), rng.standard_normal(40)
    monkeypatch.setattr(RefinedFactorization, "_roughly", lambda self, R, transpose: 3.0 * R)
    np.testing.assert_array_equal(RefinedFactorization(M.copy()).solve(b), DenseFactorization(M.copy()).solve(b))


def test_a_singular_large_system_is_refused_as_a_small_one_is():
    M = np.array([[1.0, -1.0], [-1.0, 1.0]])
    for factorisation in (DenseFactorization, RefinedFactorization):
        with pytest.raises(pg.UndefinedError, match="singular"):
            factorisation(M.copy())


def test_right_hand_sides_of_any_size_zero_and_complex():
    rng = np.random.default_rng(3)
    M = system(rng, 30, 0.9)
    factor = RefinedFactorization(M.copy())
    B = rng.standard_normal((30, 4)) * [1e280, 1e-280, 0.0, 1.0]
    X = factor.solve(B)
    assert all(np.abs(B[:, j] - M @ X[:, j]).max() <= 64 * EPS * (np.abs(X[:, j]).max() + np.abs(B[:, j]).max())
               for j in range(4))
    assert not X[:, 2].any()
    Z = factor.solve(B[:, 3] + 2j * B[:, 0])
    np.testing.assert_allclose(Z.real, X[:, 3], rtol=1e-12)
    np.testing.assert_allclose(Z.imag, 2 * X[:, 0], rtol=1e-12)


def test_a_right_hand_side_of_zeros_or_subnormals_does_not_cost_another_factorisation():
    M = system(np.random.default_rng(5), 30, 0.9)
    for b in (np.zeros(30), np.full(30, 1e-315)):
        factor = RefinedFactorization(M.copy())
        x = factor.solve(b)
        assert factor._full is None
        np.testing.assert_allclose(x, 10 * b, rtol=1e-8)      # rows of P sum to 1; one subnormal step is 2e-9 of b


def test_a_large_model_has_the_same_certificate_and_theorem(monkeypatch):
    monkeypatch.setattr(solving, "LARGE", 20)
    rng = np.random.default_rng(4)
    P = rng.random((25, 2, 25))
    P /= P.sum(axis=2, keepdims=True)
    mdp = pg.MDP(P, rng.standard_normal((25, 2)), 0.95, 0)
    policy, theta = pg.SoftmaxPolicy(25, 2), rng.standard_normal((25, 2))
    large = pg.solve(mdp, policy.probabilities(theta))
    assert isinstance(large._factor, RefinedFactorization)
    monkeypatch.setattr(solving, "LARGE", 10**9)
    small = pg.solve(mdp, policy.probabilities(theta))
    for name in ("V", "Q", "d", "D", "J"):
        bound = large.error_bounds[name] + small.error_bounds[name]
        assert np.abs(getattr(large, name) - getattr(small, name)).max() <= bound < 1e-12


# ------------------------------------------------------------------------------------------------ policies


def test_remembered_probabilities_follow_theta_and_not_what_was_handed_out():
    policy, theta = pg.SoftmaxPolicy(1, 2), np.array([[0.0, np.log(3.0)]])
    handed_out = policy.probabilities(theta)
    np.testing.assert_allclose(policy.pullback(theta, np.array([[1.0, 0.0]])), [[3 / 16, -3 / 16]], rtol=1e-15)
    handed_out[:] = 0.5
    np.testing.assert_allclose(policy.pullback(theta, np.array([[1.0, 0.0]])), [[3 / 16, -3 / 16]], rtol=1e-15)
    theta[:] = 0.0
    np.testing.assert_allclose(policy.pullback(theta, np.array([[1.0, 0.0]])), [[1 / 4, -1 / 4]], rtol=1e-15)
    theta[0, 0] = np.nan
    with pytest.raises(pg.InvalidPolicyError, match=r"theta\[0, 0\] is nan"):
        policy.pullback(theta, np.array([[1.0, 0.0]]))


def test_a_softmax_of_a_stack_is_that_of_each():
    rng = np.random.default_rng(5)
    policy, thetas = pg.SoftmaxPolicy(4, 3), 700 * rng.standard_normal((2, 5, 4, 3))
    stacked = policy.probabilities(thetas)
    for index in np.ndindex(2, 5):
        np.testing.assert_array_equal(stacked[index], policy.probabilities(thetas[index]))
    e = np.exp(thetas - thetas.max(axis=-1, keepdims=True))
    np.testing.assert_allclose(stacked, e / e.sum(axis=-1, keepdims=True), rtol=1e-15)


# ------------------------------------------------------------------------------------------------ short rows, diagonals


def test_dot_rows_does_not_conjugate_and_knows_fractions():
    z = np.array([[1j, 2.0]])
    assert dot_rows(z, z) == [3.0]
    half = np.array([[Fraction(1, 2), Fraction(1, 3)]], dtype=object)
    assert dot_rows(half, half)[0] == Fraction(13, 36)


def test_the_identity_reaches_the_diagonal_of_any_layout():
    for A in (np.zeros((3, 3)), np.zeros((3, 3)).T[::-1], np.moveaxis(np.zeros((3, 2, 3)), 0, 1), np.zeros((2, 3, 3))):
        np.testing.assert_array_equal(plus_identity(A), np.broadcast_to(np.eye(3), A.shape))
