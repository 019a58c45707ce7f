"""Compatible critics of deterministic policies (Silver et al. 2014, theorem 3), where they are not vacuous."""

import numpy as np
import pytest

import pgtheory as pg
from pgtheory.continuous.critic import DeterministicCritic
from pgtheory.models.continuous import random_continuous


def case(seed):
    """Fewer parameters than state-action coordinates (m k < S k), so that the critic cannot simply be Q."""
    rng = np.random.default_rng(seed)
    S, k = int(rng.integers(4, 12)), int(rng.integers(1, 4))
    m = int(rng.integers(1, S // 2 + 1))
    model = random_continuous(S, k, rng, gamma=0.9)
    return model, pg.DeterministicPolicy(rng.normal(size=(S, m))), rng.normal(size=(m, k)) / 2


@pytest.mark.parametrize("seed", range(40))
def test_compatible_critic_replaces_Q_exactly(seed):
    model, policy, theta = case(seed)
    critic, exact = DeterministicCritic(model, policy, theta), pg.policy_gradient(model, policy, theta)
    np.testing.assert_allclose(critic.gradient, exact, rtol=0, atol=1e-11 * np.abs(critic.solution.grad_Q).max() * 10)
    assert np.abs(critic.residual).max() > 1e-2 * np.abs(critic.solution.grad_Q).max()     # not vacuous


@pytest.mark.parametrize("seed", range(10))
def test_another_w_does_not(seed):
    model, policy, theta = case(seed)
    best, exact = DeterministicCritic(model, policy, theta), pg.policy_gradient(model, policy, theta)
    wrong = DeterministicCritic(model, policy, theta, weights=best.w + 0.01 * np.abs(best.w).max())
    assert np.abs(wrong.gradient - exact).max() > 1e-4 * np.abs(exact).max()
    unweighted = np.linalg.lstsq(best._jacobian.reshape(-1, theta.size), best.solution.grad_Q.ravel(), rcond=None)[0]
    forgets_D = DeterministicCritic(model, policy, theta, weights=unweighted)
    assert np.abs(forgets_D.gradient - exact).max() > 1e-4 * np.abs(exact).max()


def test_w_minimises_the_error_of_the_gradient():
    model, policy, theta = case(3)
    best = DeterministicCritic(model, policy, theta)

    def loss(critic):
        return critic.solution.D @ (critic.residual**2).sum(axis=1)

    for direction in np.random.default_rng(0).normal(size=(20,) + theta.shape):
        assert loss(DeterministicCritic(model, policy, theta, weights=best.w + 1e-3 * direction)) > loss(best)


def test_w_is_the_natural_gradient():
    """M w = (1 - gamma) grad J with M = E_D[grad mu grad mu^T]."""
    model, policy, theta = case(5)
    critic = DeterministicCritic(model, policy, theta)
    gradient = pg.policy_gradient(model, policy, theta)
    np.testing.assert_allclose(critic.metric @ critic.w.ravel(), (1 - model.gamma) * gradient.ravel(), rtol=1e-9)


def test_critic_differs_from_Q_and_touches_it_at_the_policy():
    model, policy, theta = case(8)
    critic = DeterministicCritic(model, policy, theta)
    mu = critic.solution.actions
    np.testing.assert_allclose(critic.Q_at(mu), critic.solution.V, rtol=1e-13)
    away = mu + 0.5
    assert np.abs(critic.Q_at(away) - critic.solution.Q_at(away)).max() > 0.1
    h = 1e-6
    slope = (critic.Q_at(mu + h * np.eye(mu.shape[1])[0]) - critic.Q_at(mu - h * np.eye(mu.shape[1])[0])) / (2 * h)
    np.testing.assert_allclose(slope, critic.grad_Q[:, 0], atol=1e-7)


def test_tabular_critic_is_vacuous():
    """One action a state: the critic's gradient is that of Q, and the theorem says nothing; hence fewer features above."""
    model = random_continuous(5, 2, rng=1)
    critic = DeterministicCritic(model, pg.DeterministicPolicy(np.eye(5)), np.zeros((5, 2)))
    assert np.abs(critic.residual).max() < 1e-12


def test_density_and_exact_parameters_are_refused():
    model = random_continuous(3, 1, rng=0)
    with pytest.raises(pg.InvalidPolicyError, match="compatible with a DeterministicPolicy"):
        DeterministicCritic(model, pg.GaussianPolicy(np.eye(3), 0.1), np.zeros((3, 1)))
