"""Routes that know no theorem: each against closed forms, with the error it reports."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse

import pgtheory as pg
from pgtheory.problems.finite import Problem
from pgtheory.routes import complex_step, exact, finite_difference, series


def bandit(gamma=0.5):
    """One step, r = (1, 0), then the end: J = pi(a0), grad J = p(1 - p) (1, -1) in the logits."""
    return pg.MDP([[[0, 1], [0, 1]], [[0, 1], [0, 1]]], [[1.0, 0.0], [0.0, 0.0]], gamma, 0)


@pytest.mark.parametrize("route", [complex_step, finite_difference])
@pytest.mark.parametrize("logit", [0.0, 2.0, -30.0])
def test_the_gradient_of_a_bandit_is_p_times_1_minus_p(route, logit):
    problem = Problem(bandit(), pg.SoftmaxPolicy(2, 2), [[logit, 0.0], [0.0, 0.0]])
    p = 1 / (1 + np.exp(-logit))
    left = route.compute(problem, "grad J")
    assert np.abs(left.value - p * (1 - p) * np.array([1, -1, 0, 0])).max() <= left.error < 1e-7


def test_dual_numbers_give_the_exact_gradient_of_a_bandit():
    mdp = pg.MDP([[[0, 1], [0, 1]], [[0, 1], [0, 1]]], [[1, 0], [0, 0]], Fraction(1, 2), 0)
    problem = Problem(mdp, pg.SoftmaxPolicy(2, 2, weights=True), [[Fraction(1), Fraction(2)], [Fraction(1), Fraction(1)]])
    left = exact.compute(problem, "grad J")
    assert left.value.tolist() == [Fraction(2, 9), Fraction(-2, 9), 0, 0] and left.error == 0


def test_the_direct_gradient_leaves_the_simplex():
    """d J / d pi(a | s) of rho (I - gamma P_pi)^-1 r_pi in one state that stays: with x = pi(a0), y = pi(a1),
    J = x / (1 - gamma (x + y)), whose partial derivatives at (1/2, 1/2), gamma = 1/2 are 3 and 1."""
    mdp = pg.MDP([[[1], [1]]], [[1, 0]], Fraction(1, 2), 0)
    problem = Problem(mdp, pg.DirectPolicy(1, 2), [[Fraction(1, 2), Fraction(1, 2)]])
    assert exact.compute(problem, "grad J").value.tolist() == [3, 1]
    as_float = Problem(pg.MDP([[[1.0], [1.0]]], [[1.0, 0.0]], 0.5, 0), pg.DirectPolicy(1, 2), [[0.5, 0.5]])
    for route in (complex_step, finite_difference):
        left = route.compute(as_float, "grad J")
        assert np.abs(left.value - [3, 1]).max() <= left.error < 1e-8


def random_problem(seed, S=5, A=3, gamma=0.9, policy=None):
    rng = np.random.default_rng(seed)
    mdp = pg.MDP(rng.dirichlet(np.ones(S), (S, A)), rng.normal(size=(S, A, S)), gamma, rng.dirichlet(np.ones(S)))
    policy = policy or pg.SoftmaxPolicy(S, A)
    return Problem(mdp, policy, rng.normal(size=policy.shape))


@pytest.mark.parametrize("seed", range(20))
def test_the_reported_error_of_differences_covers_their_distance_from_the_complex_step(seed):
    problem = random_problem(seed)
    precise, rough = complex_step.compute(problem, "grad V"), finite_difference.compute(problem, "grad V")
    assert np.abs(precise.value - rough.value).max() <= rough.error + precise.error
    assert rough.error < 1e-7 * problem.gradient_scale


def test_the_sweep_shows_truncation_and_rounding():
    """Halving the step quarters the error of a central difference until rounding takes over."""
    problem = random_problem(1)
    truth = complex_step.compute(problem, "grad J").value
    steps, differences = finite_difference.compute(problem, "grad J").curve
    errors = np.array([np.abs(d - truth).max() for d in differences])
    ratios = errors[2:6] / errors[3:7]
    assert np.all((ratios > 3.5) & (ratios < 4.5)), ratios
    assert steps[1] == steps[0] / 2


@pytest.mark.parametrize("gamma", [Fraction(0), Fraction(1, 10), Fraction(9, 10)])
@pytest.mark.parametrize("quantity", ["V", "Q", "d"])
def test_the_tail_bound_of_a_series_is_never_below_the_exact_tail(gamma, quantity):
    mdp = pg.MDP([[[0, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 1, 0]], [[0, 1, 0], [1, 0, 0]]], [[1, 2], [-1, 0], [3, 0]], gamma, 0)
    half = [[Fraction(1), Fraction(1)]] * 3
    problem = Problem(mdp, pg.SoftmaxPolicy(3, 2, weights=True), half)
    left = series.compute(problem, quantity)
    truth = getattr(problem.solution, quantity)
    assert max(abs(left.value - truth).flat) <= left.error
    assert gamma == 0 or max(abs(left.value - truth).flat) > 0   # the tail is really there


@pytest.mark.parametrize("quantity", ["V", "Q", "d"])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.99, 1 - 1e-6])
def test_the_series_agrees_with_the_solve(quantity, gamma):
    problem = random_problem(2, gamma=gamma)
    left = series.compute(problem, quantity)
    assert np.abs(left.value - getattr(problem.solution, quantity)).max() <= left.error
    assert left.error < 1e-9 * (1 + np.abs(left.value).max()) / (1 - gamma)


@pytest.mark.parametrize("quantity", ["V", "Q", "d"])
def test_the_series_covers_gamma_1_where_episodes_end(quantity):
    """Symmetric walk on 0..4 with ends at both sides: E[steps from 2] = 2 * 2 = 4 (gambler's ruin), reward -1 a step."""
    P = np.zeros((5, 1, 5))
    P[0, 0, 0] = P[4, 0, 4] = 1
    for s in (1, 2, 3):
        P[s, 0, s - 1] = P[s, 0, s + 1] = 0.5
    mdp = pg.MDP(P, [0.0, -1.0, -1.0, -1.0, 0.0], 1.0, 2)
    problem = Problem(mdp, pg.SoftmaxPolicy(5, 1), np.zeros((5, 1)))
    left = series.compute(problem, quantity)
    expected = {"V": [0, -3, -4, -3, 0], "Q": np.array([[0, -3, -4, -3, 0]]).T, "d": [0, 1, 2, 1, 0]}[quantity]
    np.testing.assert_allclose(left.value, expected, atol=1e-12)


def test_a_sparse_model_gives_the_same_derivatives():
    dense = random_problem(4, S=6)
    mdp = dense.mdp
    sparse = Problem(pg.MDP(scipy.sparse.csr_array(mdp.P.reshape(18, 6)), scipy.sparse.csr_array(mdp.R.reshape(18, 6)),
                            mdp.gamma, mdp.rho), dense.policy, dense.theta)
    for route in (complex_step, finite_difference):
        np.testing.assert_allclose(route.compute(sparse, "grad J").value, route.compute(dense, "grad J").value, atol=1e-7)
    for quantity in ("V", "Q", "d"):
        np.testing.assert_allclose(series.compute(sparse, quantity).value, series.compute(dense, quantity).value, atol=1e-12)


def test_large_problems_are_compared_along_random_directions():
    rng = np.random.default_rng(0)
    S = 400
    P = rng.dirichlet(np.ones(S), (S, 4))
    problem = Problem(pg.MDP(P, rng.normal(size=(S, 4)), 0.9, 0), pg.SoftmaxPolicy(S, 4), rng.normal(size=(S, 4)))
    assert not problem.complete and problem.directions.shape == (16, S, 4)
    gradient = pg.policy_gradient(problem.mdp, problem.policy, problem.theta)
    left = complex_step.compute(problem, "grad J")
    by_hand = np.array([(gradient * u).sum() for u in problem.directions])
    assert np.abs(left.value - by_hand).max() <= 2 * left.error


class Clipped(pg.Policy):
    """Not analytic: np.abs drops the complex step, so only differences apply."""

    shape = (2,)

    def probabilities(self, theta):
        w = np.abs(np.asarray(theta)) + 0.1
        return np.array([w / w.sum(), w / w.sum()])


def test_code_that_is_not_analytic_is_found_out_and_differentiated_by_differences():
    mdp = bandit()
    problem = Problem(mdp, Clipped(), [0.7, -0.4])
    assert complex_step.reason_against(problem, "grad J") is not None
    assert problem.policy.differentiated_by([0.7, -0.4]) == "finite differences"
    left = finite_difference.compute(problem, "grad J")
    w, total = np.array([0.8, 0.5]), 1.3
    by_hand = np.array([w[1], w[0]]) / total**2   # J = w0 / (w0 + w1); theta_1 < 0 turns the second sign
    assert np.abs(left.value - by_hand).max() <= left.error < 1e-8


def test_a_user_policy_with_analytic_code_is_differentiated_by_the_complex_step():
    class Logistic(pg.Policy):
        shape = (1,)

        def probabilities(self, theta):
            p = 1 / (1 + np.exp(-theta[0]))
            return np.array([[p, 1 - p], [0.5, 0.5]])

    problem = Problem(bandit(), Logistic(), [0.0])
    assert Logistic().differentiated_by([0.0]) == "complex step"
    assert complex_step.compute(problem, "grad J").value == pytest.approx([0.25], abs=1e-14)


@pytest.mark.parametrize("size", [1e-290, 1e-300])
def test_the_complex_step_bounds_its_underflow(size):
    """V times h is subnormal at rewards this small; the error says so, and nothing right is called wrong."""
    rng = np.random.default_rng(0)
    mdp = pg.MDP(rng.dirichlet(np.ones(3), (3, 2)), rng.normal(size=(3, 2)) * size, 0.9, 0)
    report = pg.verify(mdp, pg.SoftmaxPolicy(3, 2), rng.normal(size=(3, 2)), theorems=["stochastic", "recursion"], samples=0)
    assert report.count("FAIL") == 0


class Single(pg.Policy):
    """Computes in single precision inside, as a network would, and takes no complex numbers."""

    shape = (3, 2)

    def probabilities(self, theta):
        if np.iscomplexobj(theta):
            raise RuntimeError("no complex tensors")
        t = np.asarray(theta, dtype=np.float32)
        e = np.exp(t - t.max(axis=1, keepdims=True)).astype(float)
        return e / e.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("make", [
    lambda rng: (Single(), rng.normal(size=(3, 2))),
    lambda rng: (pg.EscortPolicy(3, 2), rng.normal(size=(3, 2)) * 1e-4),
    lambda rng: (pg.SoftmaxPolicy(features=rng.normal(size=(3, 2, 2)) * 1e6), rng.normal(size=2) * 1e-6),
], ids=["single precision", "escort at 1e-4", "features of 1e6"])
def test_differences_are_not_deceived_by_flat_regions_or_noise(make, seed):
    rng = np.random.default_rng(seed)
    mdp = pg.MDP(rng.dirichlet(np.ones(3), (3, 2)), rng.normal(size=(3, 2)), 0.9, 0)
    policy, theta = make(rng)
    report = pg.verify(mdp, policy, theta, theorems=["stochastic", "recursion", "score-function"], samples=0)
    assert report.count("FAIL") == 0, str(report)
