"""Continuous actions for T steps: against a model whose states carry the time, enumeration, and the complex step."""

from fractions import Fraction as F  # noqa: N817

import numpy as np
import pytest
import sympy

import pgtheory as pg
from pgtheory.continuous.solution import walk_model
from pgtheory.differentiate import complex_step, ladder
from pgtheory.models.continuous import random_continuous, thermostat

T = 4


def case(seed, gamma=0.9):
    rng = np.random.default_rng(seed)
    S, k = int(rng.integers(1, 6)), int(rng.integers(1, 4))
    model = random_continuous(S, k, rng, gamma=gamma, supplied=bool(seed % 2))
    return model, pg.DeterministicPolicy(rng.normal(size=(S, 2))), rng.normal(size=(2, k)) / 2


def unrolled(model, steps):
    """The same problem as one that ends: state (t, s) is t S + s, and after ``steps`` steps a terminal state is reached."""
    S, end = model.n_states, steps * model.n_states

    def spread(table, a, fill):
        rows = []
        for t in range(steps):
            row = [np.zeros(a.shape[:-2] + (S, S)) + fill] * (steps + 1)
            if t + 1 < steps:
                row[t + 1] = table(a[..., t * S:(t + 1) * S, :])
            rows.append(np.concatenate(row, axis=-1)[..., :end + 1])
        return rows

    def P(a):
        rows = spread(model.P, a, 0.0)
        to_end = np.zeros((S, end + 1)) + (np.arange(end + 1) == end)
        rows[-1] = np.broadcast_to(to_end, rows[-1].shape)
        last = np.broadcast_to(to_end[:1], rows[-1].shape[:-2] + (1, end + 1))
        return np.concatenate([*rows, last], axis=-2)

    def R(a):
        rows = spread(model.R, a, 0.0)
        here = a[..., (steps - 1) * S:end, :]
        r = (model.P(here) * model.R(here)).sum(axis=-1, keepdims=True)
        rows[-1] = np.broadcast_to(r, rows[-1].shape)
        return np.concatenate([*rows, 0 * rows[-1][..., :1, :]], axis=-2)

    rho = np.concatenate([model.rho, np.zeros(end + 1 - S)])
    return pg.ContinuousActionMDP(P, R, model.gamma, rho, model.action_dim, vectorized=True)


def in_time(policy, steps):
    """The features of the policy in every (t, s); the terminal state has none."""
    phi = np.asarray(policy.features)
    return pg.DeterministicPolicy(np.concatenate([np.tile(phi, (steps, 1)), np.zeros((1, phi.shape[1]))]))


@pytest.mark.parametrize("gamma", [0.0, 0.9, 1.0])
@pytest.mark.parametrize("seed", range(6))
def test_value_and_gradient_are_those_of_the_model_whose_states_carry_the_time(seed, gamma):
    """The other side is solved by one factorisation of the unrolled problem, for ever, and knows no recursion in time."""
    model, policy, theta = case(seed, gamma)
    whole, spread = unrolled(model, T), in_time(policy, T)
    solution = pg.solve(model, policy.actions(theta), horizon=T)
    unrolled_V = pg.solve(whole, spread.actions(theta)).V
    np.testing.assert_allclose(solution.V[:-1].ravel(), unrolled_V[:-1], rtol=0, atol=1e-13 * max(1, np.abs(unrolled_V).max()))
    ours, theirs = pg.policy_gradient(model, policy, theta, horizon=T), pg.policy_gradient(whole, spread, theta)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12 * max(1, np.abs(theirs).max()))


@pytest.mark.parametrize("gamma", [0.5, 1.0])
def test_gradient_is_the_complex_step_of_the_value(gamma):
    for seed in range(20):
        model, policy, theta = case(seed, gamma)
        directions = np.eye(theta.size).reshape((theta.size,) + theta.shape)
        seen = complex_step(lambda x: pg.solve(model, policy.actions(x), horizon=7).J, policy.step, theta, directions)   # noqa: B023
        claimed = pg.policy_gradient(model, policy, theta, horizon=7)
        size = max(1.0, np.abs(pg.solve(model, policy.actions(theta), horizon=7).gradient_weights).max())
        assert np.abs(claimed.ravel() - seen).max() <= 1e-12 * size * model.n_states, f"seed {seed}"


def test_wrong_versions_are_caught():
    """The stationary Q in the place of Q_t; visits without gamma^t; V_t in the place of V_{t+1}."""
    model, policy, theta = case(3)
    actions = policy.actions(theta)
    solution = pg.solve(model, actions, horizon=T)
    right = pg.policy_gradient(model, policy, theta, horizon=T)
    each, powers = solution.grad_Q_at(actions), model.gamma ** np.arange(T)

    def gradient(visits, slopes):
        return policy.pullback(theta, (visits[..., None] * slopes).sum(axis=0))

    visits = solution.state_distribution * powers[:, None]
    np.testing.assert_allclose(gradient(visits, each), right, rtol=1e-12)
    stationary = np.repeat(pg.solve(model, actions).grad_Q[None], T, axis=0)
    longer = pg.solve(model, actions, horizon=T + 1).grad_Q_at(actions)[:-1]
    for wrong in (gradient(visits, stationary), gradient(solution.state_distribution, each), gradient(visits, longer)):
        assert np.abs(wrong - right).max() > 1e-4 * np.abs(right).max()


def rational():
    a = sympy.Symbol("a")
    p = 1 / (1 + a**2)
    model = pg.ContinuousActionMDP.from_sympy([[p, 1 - p], [a**2 * p, p]], [[a, 1], [a**2, 3 * a]], a, F(1), [F(1, 3), F(2, 3)])
    return model, pg.DeterministicPolicy([[F(1), F(2)], [F(0), F(1)]]), [[F(1, 2)], [F(-1, 3)]]


def test_fractions_agree_with_every_trajectory_enumerated():
    """The estimator of the theorem with the time-indexed slopes, over all trajectories: the same Fractions."""
    model, policy, theta = rational()
    actions = policy.actions(theta)
    solution = pg.solve(model, actions, horizon=T)
    batch = pg.enumerate_trajectories(walk_model(model, actions), np.full((2, 1), F(1)), horizon=T)
    assert solution.J == (batch.probability * batch.rewards.sum(axis=1)).sum()
    estimates = pg.estimators.DeterministicGradient(solution.grad_Q_at(actions))(batch, policy, theta, F(1))
    gradient = pg.policy_gradient(model, policy, theta, horizon=T)
    assert (gradient == batch.mean(estimates)).all()
    assert isinstance(gradient[0, 0], F)


def test_one_step_is_the_expected_reward_and_its_slope():
    model, policy, theta = case(1)
    actions = policy.actions(theta)
    solution = pg.solve(model, actions, horizon=1)
    P, R = model.P(actions), model.R(actions)
    np.testing.assert_allclose(solution.V, [(P * R).sum(axis=1), np.zeros(model.n_states)], atol=1e-15)
    np.testing.assert_allclose(solution.Q_at(actions)[0], solution.V[0], rtol=1e-14)


@pytest.mark.parametrize("policy", [pg.GaussianPolicy(np.ones((3, 1)), sigma=0.4), pg.GaussianPolicy(np.ones((3, 1)), sigma=None),
                                    pg.TruncatedGaussianPolicy(np.ones((3, 1)), sigma=0.6, low=-1, high=1)],
                         ids=["fixed", "learned", "truncated"])
def test_density_gradient_is_the_difference_of_its_value(policy):
    """At gamma = 1 and without an end; J by quadrature with a fixed rule, moved in theta."""
    from pgtheory.continuous.finite_horizon import solve_density_horizon

    model = thermostat(3, gamma=1.0)
    theta = np.array([[0.3], [-0.8]])[:policy.shape[0]]
    claimed = pg.policy_gradient(model, policy, theta, horizon=5)
    directions = np.eye(theta.size).reshape((theta.size,) + theta.shape)
    seen = ladder(lambda h: np.array([solve_density_horizon(model, policy, theta + h * u, 5).J for u in directions]), 1e-11, 0.25)
    assert np.abs(claimed.ravel() - seen.value).max() <= seen.error + 1e-9
    assert seen.error < 1e-6 < np.abs(claimed).max()


def test_density_of_a_long_horizon_tends_to_that_of_no_horizon():
    """The tail after T steps is at most gamma^T of the scale."""
    model, policy, theta = thermostat(4, gamma=0.5), pg.GaussianPolicy(np.ones((4, 1)), sigma=0.5), [[0.2]]
    np.testing.assert_allclose(pg.policy_gradient(model, policy, theta, horizon=60), pg.policy_gradient(model, policy, theta), rtol=1e-12)
    mu = pg.DeterministicPolicy(np.ones((4, 1)))
    np.testing.assert_allclose(pg.policy_gradient(model, mu, theta, horizon=60), pg.policy_gradient(model, mu, theta), rtol=1e-12)


def test_horizons_that_are_none_are_refused():
    for wrong in (0, -1, 2.5, True):
        with pytest.raises(pg.PGTheoryError, match="horizon"):
            pg.solve(thermostat(3), np.zeros((3, 1)), horizon=wrong)
    batch = pg.solve(thermostat(3), np.zeros((2, 3, 1)), horizon=2)
    assert batch.V.shape == (2, 3, 3) and batch.state_distribution.shape == (2, 2, 3) and batch.J.shape == (2,)
    with pytest.raises(pg.PGTheoryError, match="batch"):
        batch.gradient_weights   # noqa: B018
    with pytest.raises(ValueError, match="read-only"):
        batch.V[0] = 0.0
