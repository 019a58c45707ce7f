"""The deterministic policy gradient along trajectories, against differentiation of J that knows no theorem."""

import numpy as np
import pytest

import pgtheory as pg
from pgtheory.continuous.deterministic_policies import DeterministicPolicy
from pgtheory.continuous.solution import solve_actions
from pgtheory.estimators import DeterministicGradient
from pgtheory.estimators.deterministic import walk_model
from pgtheory.models.continuous import thermostat

T = 3


@pytest.fixture(scope="module")
def room():
    return thermostat(n_states=3), DeterministicPolicy(features=np.array([[1.0, 0.2], [1.0, -0.3], [1.0, 0.5]]))


THETA = np.array([[0.3], [-0.4]])


def J(model, actions, horizon):
    """Value of T steps at complex actions, by plain recursion."""
    P, R = model.law(actions)
    V = 0 * P[:, 0]
    for _ in range(horizon):
        V = (P * (R + model.gamma * V)).sum(axis=1)
    return model.rho @ V, V


def slopes(model, actions):
    """(T, S, 1) d Q_t / d a by the complex step, state by state; V_{t+1} stays fixed."""
    out = np.zeros((T, 3, 1))
    for t in range(T):
        after = J(model, actions, T - t - 1)[1]
        P, R = model.law(actions + 1e-30j)
        out[t, :, 0] = (P * (R + model.gamma * after)).sum(axis=1).imag / 1e-30
    return out


def test_mean_is_the_complex_step_gradient_of_the_finite_horizon_value(room):
    model, policy = room
    actions = policy.actions(THETA)
    batch = pg.enumerate_trajectories(walk_model(model, actions), np.ones((3, 1)), T)
    gradient = np.array([J(model, policy.actions(THETA + 1e-30j * d), T)[0].imag / 1e-30
                         for d in np.eye(2).reshape(2, 2, 1)]).reshape(2, 1)
    exact = slopes(model, actions)
    estimate = batch.mean(DeterministicGradient(exact)(batch, policy, THETA, model.gamma))
    assert np.allclose(estimate, gradient, rtol=0, atol=1e-13)
    dropped = batch.mean(DeterministicGradient(exact, gamma_weighting=False)(batch, policy, THETA, model.gamma))
    assert np.abs(dropped - gradient).max() > 1e-3      # negative control
    frozen = batch.mean(DeterministicGradient(exact[0])(batch, policy, THETA, model.gamma))
    assert np.abs(frozen - gradient).max() > 1e-3       # the time index matters


def test_long_walks_tend_to_the_discounted_gradient(room):
    """What 300 steps leave out is below 0.9^300 = 2e-14 of the whole; the mean over states is exact, by linear algebra."""
    model, policy = room
    solution = solve_actions(model, policy.actions(THETA))
    chain = walk_model(model, policy.actions(THETA))
    visits = pg.solve(chain, np.ones((3, 1)), horizon=300).state_distribution
    target = policy.pullback(THETA, solution.d[:, None] * solution.grad_Q)     # theorem 1
    weights = (visits * 0.9 ** np.arange(300)[:, None]).sum(axis=0)[:, None] * solution.grad_Q
    assert np.allclose(policy.pullback(THETA, weights), target, atol=1e-12)
    batch = pg.sample(chain, np.ones((3, 1)), n=2, horizon=300)
    loop = [sum(0.9**t * policy.state_pullback(THETA, solution.grad_Q)[s] for t, s in enumerate(tau.states[:-1]))
            for tau in batch]
    assert np.allclose(DeterministicGradient(solution.grad_Q)(batch, policy, THETA, 0.9), loop, atol=1e-12)


def test_slopes_of_another_shape_are_refused(room):
    model, policy = room
    batch = pg.sample(walk_model(model, policy.actions(THETA)), np.ones((3, 1)), n=1, horizon=T)
    for wrong in (np.zeros(3), np.zeros((2, 1)), np.zeros((T + 1, 3, 1))):
        with pytest.raises(pg.PGTheoryError, match="action_gradient has shape"):
            DeterministicGradient(wrong)(batch, policy, THETA, 0.9)


def test_stochastic_tools_say_that_they_need_probabilities(room):
    model, policy = room
    chain = walk_model(model, policy.actions(THETA))
    with pytest.raises(pg.InvalidPolicyError, match="need one with probabilities"):
        pg.moments(DeterministicGradient(np.zeros((3, 1))), chain, policy, THETA, horizon=2)
