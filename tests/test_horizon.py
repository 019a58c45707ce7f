"""Finite horizon: the backward and forward passes against enumeration, long-horizon limits and hand-worked cases."""

from fractions import Fraction

import numpy as np
import pytest
from episodic import as_floats, corridor, equal, exact_gradient, exact_mdp, expected_return, problems, shared_policy

import pgtheory as pg

CASES = list(problems(8, seed=1))


@pytest.mark.parametrize(("mdp", "policy", "theta", "T"), CASES)
def test_value_is_the_mean_return_over_all_trajectories(mdp, policy, theta, T):
    pi = policy.probabilities(theta)
    assert expected_return(mdp, pi, T) == pg.solve(mdp, pi, horizon=T).J


@pytest.mark.parametrize(("mdp", "policy", "theta", "T"), CASES)
def test_gradient_equals_the_derivative_of_the_sum_over_trajectories(mdp, policy, theta, T):
    assert equal(pg.policy_gradient(mdp, policy, theta, horizon=T), exact_gradient(mdp, policy, theta, T))


@pytest.mark.parametrize(("mdp", "policy", "theta", "T"), CASES[:4])
def test_state_distribution_is_that_of_the_trajectories(mdp, policy, theta, T):
    pi = policy.probabilities(theta)
    batch, solution = pg.enumerate_trajectories(mdp, pi, T), pg.solve(mdp, pi, horizon=T)
    for t in range(T):
        for s in range(mdp.n_states):
            assert solution.state_distribution[t, s] == sum(batch.probability[batch.states[:, t] == s])


def test_action_values_are_means_given_state_and_action():
    mdp, policy, theta, _ = CASES[1]
    pi, T = policy.probabilities(theta), 3
    batch, Q = pg.enumerate_trajectories(mdp, pi, T), pg.solve(mdp, pi, horizon=T).Q
    for t in range(T):
        after = sum(batch.rewards[:, k] * mdp.gamma**(k - t) for k in range(t, T))
        for s, a in {(int(s), int(a)) for s, a in zip(batch.states[:, t], batch.actions[:, t], strict=True)}:
            here = batch.valid[:, t] & (batch.states[:, t] == s) & (batch.actions[:, t] == a)
            if here.any():
                assert Q[t, s, a] == sum((batch.probability * after)[here]) / sum(batch.probability[here])


def test_time_indexed_values_differ_from_step_to_step():
    """In finite horizon V carries the time index even for a stationary policy; a two-step worked case, in Fractions."""
    half = Fraction(1, 2)
    mdp = pg.MDP([[[half, half]], [[0, 1]]], [1, 0], 1, 0)
    solution = pg.solve(mdp, [[1], [1]], horizon=2)
    assert solution.V.tolist() == [[Fraction(3, 2), 0], [1, 0], [0, 0]]
    assert equal(solution.A, np.zeros((2, 2, 1), dtype=int))


def test_discounted_passes_tend_to_the_infinite_solution():
    """The neglected tail is at most gamma^T r_max / (1 - gamma)."""
    rng = np.random.default_rng(3)
    mdp = as_floats(exact_mdp(rng, 3, 2, Fraction(1, 2), terminal=False))
    policy, theta = pg.SoftmaxPolicy(3, 2), rng.normal(size=(3, 2))
    pi = policy.probabilities(theta)
    assert np.max(np.abs(pg.solve(mdp, pi, horizon=60).V[0] - pg.solve(mdp, pi).V)) <= 0.5**60 * 3 * 2 + 1e-14
    long, whole = (pg.policy_gradient(mdp, policy, theta, horizon=T) for T in (60, None))
    assert np.allclose(long, whole, atol=1e-13)


def test_undiscounted_episodes_tend_to_the_absorbing_solution():
    """Short corridor at p = 1/2: V(s0) = -12 and slope 2 (Sutton & Barto 2018, example 13.1)."""
    policy = shared_policy()
    assert abs(pg.solve(corridor(), policy.probabilities([0.0]), horizon=600).J + 12) < 1e-10
    assert np.allclose(pg.policy_gradient(corridor(), policy, [0.0], horizon=600), [2.0], atol=1e-8)


def test_undiscounted_gain_that_never_ends_is_answered():
    loop = pg.MDP([[[1.0]]], [[1.0]], 1.0, 0)
    assert pg.solve(loop, [[1.0]], horizon=7).J == 7


def test_the_last_step_counts():
    """A pass that stops one step early is caught: the reward of the last step alone."""
    mdp = pg.MDP([[[0, 1, 0]], [[0, 0, 1]], [[0, 0, 1]]], [0, 5, 0], 1, 0)
    assert pg.solve(mdp, [[1]] * 3, horizon=2).J == 5
    assert pg.solve(mdp, [[1]] * 3, horizon=1).J == 0


def test_batches_of_policies_and_the_complex_step():
    rng = np.random.default_rng(5)
    mdp = as_floats(exact_mdp(rng))
    policy, theta = pg.SoftmaxPolicy(3, 2), rng.normal(size=(3, 2))
    steps = theta + 1e-30j * np.eye(6).reshape(6, 3, 2)
    batch = pg.solve(mdp, policy.probabilities(steps), horizon=3)
    assert batch.V.shape == (6, 4, 3) and batch.state_distribution.shape == (6, 3, 3)
    assert np.allclose(batch.J.imag / 1e-30, pg.policy_gradient(mdp, policy, theta, horizon=3).reshape(-1), atol=1e-14)


def test_sparse_models_give_the_same():
    import scipy.sparse

    rng = np.random.default_rng(6)
    mdp = as_floats(exact_mdp(rng))
    R = np.asarray(mdp.R)
    sparse = pg.MDP(scipy.sparse.csr_array(mdp.P.reshape(6, 3)), scipy.sparse.csr_array(R.reshape(6, 3)), mdp.gamma, mdp.rho)
    pi = pg.SoftmaxPolicy(3, 2).probabilities(rng.normal(size=(3, 2)))
    dense, thin = pg.solve(mdp, pi, horizon=4), pg.solve(sparse, pi, horizon=4)
    assert np.allclose(dense.Q, thin.Q, atol=1e-15)
    assert np.allclose(dense.state_distribution, thin.state_distribution, atol=1e-15)


@pytest.mark.parametrize("horizon", [0, -1, 2.0, True, "3"])
def test_horizons_that_are_none_are_refused(horizon):
    with pytest.raises(pg.PGTheoryError, match="horizon is"):
        pg.solve(corridor(), [[0.5, 0.5]] * 4, horizon=horizon)


def test_arrays_are_read_only():
    solution = pg.solve(corridor(), [[0.5, 0.5]] * 4, horizon=2)
    for array in (solution.V, solution.Q, solution.A, solution.state_distribution):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


# ------------------------------------------------------------------------------------------------ certified bounds


NAMES = ("V", "Q", "state_distribution", "J")


def exact_floats(array):
    return np.array([Fraction(float(x)) for x in np.ravel(array)], dtype=object).reshape(np.shape(array))


def passes_in_fractions(P, R, gamma, rho, pi, T):
    """V, Q, state distribution and J of the very floats, by the tests' own recursion."""
    P, R, rho, pi, gamma = (*(exact_floats(x) for x in (P, R, rho, pi)), Fraction(float(gamma)))
    r = (P * R).sum(axis=2) if R.ndim == 3 else R
    V, Q, x = [r[:, 0] * 0], [], [rho]
    for _ in range(T):
        Q.insert(0, r + gamma * (P * V[0]).sum(axis=2))
        V.insert(0, (pi * Q[0]).sum(axis=1))
        x.append(((x[-1][:, None] * pi)[:, :, None] * P).sum(axis=(0, 1)))
    return dict(zip(NAMES, (np.stack(V), np.stack(Q), np.stack(x[:-1]), np.array((rho * V[0]).sum())), strict=True))


def off(computed, exact):
    return max(abs(Fraction(float(x)) - y) for x, y in zip(np.ravel(computed), np.ravel(exact), strict=True))


def awkward(seed):
    """Probabilities over many magnitudes, rewards that cancel, S <= 5, A <= 3, gamma = 1 now and then."""
    rng = np.random.default_rng(seed)
    S, A, T = int(rng.integers(1, 6)), int(rng.integers(1, 4)), int(rng.integers(1, 9))

    def simplices(*shape):
        x = rng.exponential(size=shape) ** rng.integers(1, 8)
        return x / x.sum(axis=-1, keepdims=True)

    R = rng.normal(size=(S, A, S) if seed % 2 else (S, A)) * 10.0 ** rng.integers(-8, 9)
    mdp = pg.MDP(simplices(S, A, S), R, 1.0 if seed % 3 == 0 else float(rng.random()), simplices(S), normalize=True)
    pi = simplices(S, A)
    return mdp, pi / pi.sum(axis=1, keepdims=True), T


@pytest.mark.parametrize("seed", range(30))
def test_certified_bounds_are_never_below_the_true_error_and_not_far_above(seed):
    """Below: never. Above: by the doubled precision alone, so at most a few units of the last place of the largest entry."""
    mdp, pi, T = awkward(seed)
    solution = pg.solve(mdp, pi, horizon=T)
    exact = passes_in_fractions(mdp.P, mdp.R, mdp.gamma, mdp.rho, pi, T)
    assert tuple(solution.error_bounds) == NAMES
    for name in NAMES:
        bound, true = solution.error_bounds[name], off(getattr(solution, name), exact[name])
        assert Fraction(bound) >= true, name
        assert bound <= 1.01 * float(true) + 1e-28 * (1 + float(max(abs(np.ravel(exact[name]))))) * 1e3


def test_certified_bounds_see_a_wrong_answer(monkeypatch):
    """Negative control: V off by 1e-9 cannot hide below the bound."""
    mdp, pi, T = awkward(4)
    solution = pg.solve(mdp, pi, horizon=T)
    V, Q = solution._passes
    monkeypatch.setitem(solution.__dict__, "_passes", (V + 1e-9, Q))
    assert solution.error_bounds["V"] >= 0.99e-9 > 1e3 * solution.error_bounds["Q"]


def test_certified_bounds_of_sparse_models_batches_exact_and_complex_ones():
    import scipy.sparse

    mdp, pi, T = awkward(5)
    S, A = pi.shape
    sparse = pg.MDP(scipy.sparse.csr_array(mdp.P.reshape(S * A, S)), scipy.sparse.csr_array(mdp.R.reshape(S * A, S)), mdp.gamma,
                    mdp.rho)
    exact = passes_in_fractions(mdp.P, mdp.R, mdp.gamma, mdp.rho, pi, T)
    thin = pg.solve(sparse, pi, horizon=T)
    assert all(Fraction(thin.error_bounds[name]) >= off(getattr(thin, name), exact[name]) for name in NAMES)
    batch, one = pg.solve(mdp, np.stack([pi, pi[:, ::-1]]), horizon=T), pg.solve(mdp, pi, horizon=T)
    for name in NAMES:
        assert batch.error_bounds[name].shape == (2,) and batch.error_bounds[name][0] < 10 * one.error_bounds[name] + 1e-25
    assert pg.solve(*fractions_of_a_bandit(), horizon=2).error_bounds["V"] == 0
    moved = pg.SoftmaxPolicy(S, A).probabilities(np.zeros((S, A)) + 1e-30j)
    assert pg.solve(mdp, moved, horizon=T).error_bounds["J"] == np.inf


def fractions_of_a_bandit():
    half = Fraction(1, 2)
    return pg.MDP([[[half, half]], [[0, 1]]], [1, 0], 1, 0), [[1], [1]]
