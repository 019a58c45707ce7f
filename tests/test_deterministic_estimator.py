"""The deterministic policy gradient along trajectories, against differentiation of J that knows no theorem."""

from fractions import Fraction

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
        pg.simulate_gradient(DeterministicGradient(np.zeros((3, 1))), chain, policy, THETA, 10, 2)
    with pytest.raises(pg.InvalidPolicyError, match="walk_model"):
        pg.moments(DeterministicGradient(np.zeros((3, 1))), pg.models.load("bandit"), policy, THETA, horizon=2)
    with pytest.raises(pg.PGTheoryError, match="behaviour has no meaning"):
        pg.moments(DeterministicGradient(np.zeros((3, 1))), chain, policy, THETA, horizon=2, behaviour=np.ones((3, 1)))
    with pytest.raises(pg.PGTheoryError, match="action_gradient has shape"):
        pg.moments(DeterministicGradient(np.zeros((2, 3, 1))), chain, policy, THETA)


# ------------------------------------------------------------------------------------------------ exact moments


HALF = Fraction(1, 2)


def rational_walk(terminal=False):
    """Three states in Fractions, the last of them at rest where asked, and a policy of two features."""
    P = [[[HALF, Fraction(1, 3), Fraction(1, 6)]], [[Fraction(1, 4), HALF, Fraction(1, 4)]],
         [[0, 0, 1]] if terminal else [[Fraction(1, 5), Fraction(1, 5), Fraction(3, 5)]]]
    R = np.zeros((3, 1), dtype=int) if terminal else [[1], [2], [3]]
    policy = DeterministicPolicy(features=np.array([[1, 2], [1, -1], [1, 0]]))
    return pg.MDP(P, R, Fraction(2, 3), [HALF, HALF, 0]), policy, np.array([[Fraction(1)], [HALF]])


@pytest.mark.parametrize("weighting", [True, False])
@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("by_time", [True, False])
def test_moments_by_recursion_are_those_of_the_enumeration(weighting, terminal, by_time):
    """In Fractions, with ==; a state at rest adds its slope at every step, as the estimator does."""
    chain, policy, theta = rational_walk(terminal)
    slopes = np.array([[Fraction(3 * s + t + 1, 7)] for t in range(T) for s in range(3)], dtype=object).reshape(T, 3, 1)
    estimator = DeterministicGradient(slopes if by_time else slopes[0], gamma_weighting=weighting)
    fast, slow = (pg.moments(f, chain, policy, theta, horizon=T) for f in (estimator, lambda *call: estimator(*call)))
    assert fast.mean.shape == (2, 1) and (fast.mean == slow.mean).all() and (fast.covariance == slow.covariance).all()
    assert isinstance(fast.covariance[0, 0], Fraction) and fast.covariance[0, 0] > 0


def test_without_horizon_the_mean_is_the_deterministic_policy_gradient_and_the_covariance_the_limit(room):
    model, policy = room
    solution = pg.solve(model, policy.actions(THETA))
    estimator = DeterministicGradient(solution.grad_Q)
    whole, long = (pg.moments(estimator, model, policy, THETA, horizon=h) for h in (None, 400))
    assert np.allclose(whole.mean, pg.policy_gradient(model, policy, THETA), rtol=1e-11)
    assert np.allclose(whole.covariance, long.covariance, rtol=1e-11, atol=1e-13) and whole.total_variance > 1e-3
    dropped = DeterministicGradient(solution.grad_Q, gamma_weighting=False)
    with pytest.raises(pg.UndefinedError, match="DeterministicGradient has no finite second moment"):
        pg.moments(dropped, model, policy, THETA)


def test_at_rest_the_moment_without_discount_exists_where_nothing_is_added():
    chain, policy, theta = rational_walk(terminal=True)
    slopes = np.array([[Fraction(1)], [Fraction(2)], [Fraction(0)]], dtype=object)
    still = pg.moments(DeterministicGradient(slopes, gamma_weighting=False), chain, policy, theta)
    assert float(still.total_variance) > 0
    slopes[2, 0] = Fraction(1)
    with pytest.raises(pg.UndefinedError, match="no finite second moment"):
        pg.moments(DeterministicGradient(slopes, gamma_weighting=False), chain, policy, theta)
