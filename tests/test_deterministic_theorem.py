"""The deterministic policy gradient theorem against routes that do not know it, on generated models; its wrong versions."""

import numpy as np
import pytest

import pgtheory as pg
from pgtheory.differentiate import complex_step, ladder
from pgtheory.models.continuous import noisy_target, random_continuous, thermostat

EPS = np.finfo(float).eps


class Network(pg.DeterministicPolicy):
    """x -> tanh(x W1 + b1) W2 + b2, all parameters in one vector; nothing but numpy, so that complex steps pass."""

    vectorized = True

    def __init__(self, inputs, hidden, action_dim):
        self.inputs, self.hidden, self.k = np.asarray(inputs, dtype=float), hidden, action_dim
        self.shape = ((self.inputs.shape[1] + 1) * hidden + (hidden + 1) * action_dim,)

    def actions(self, theta):
        m, h, k = self.inputs.shape[1], self.hidden, self.k
        W1, b1, W2, b2 = np.split(np.asarray(theta), np.cumsum([m * h, h, h * k]), axis=-1)
        lead = W1.shape[:-1]
        layer = np.tanh(self.inputs @ W1.reshape(*lead, m, h) + b1[..., None, :])
        return layer @ W2.reshape(*lead, h, k) + b2[..., None, :]


def case(seed):
    """(model, policy, theta): S up to 20, k up to 3, gamma up to 0.99; linear, tabular and network policies in turn."""
    rng = np.random.default_rng(seed)
    S, k, gamma = int(rng.integers(1, 21)), int(rng.integers(1, 4)), float(rng.choice([0.0, 0.5, 0.9, 0.99]))
    model = random_continuous(S, k, rng, gamma=gamma, quadratic=bool(seed % 2), supplied=seed % 5 == 0)
    if seed % 3 == 0:
        policy, shape = pg.DeterministicPolicy(features=np.eye(S)), (S, k)
    elif seed % 3 == 1:
        m = int(rng.integers(1, S + 1))
        policy, shape = pg.DeterministicPolicy(features=rng.normal(size=(S, m)) / np.sqrt(m)), (m, k)
    else:
        policy = Network(rng.normal(size=(S, 2)), 3, k)
        shape = policy.shape
    return model, policy, rng.normal(size=shape) / 2


def J(model, policy, theta):
    """J at a stack of parameters."""
    return pg.solve(model, policy.actions(theta)).J


def by_complex_step(model, policy, theta):
    """grad J by the complex step along every coordinate; knows P, R, the policy and the linear solve, and no theorem."""
    directions = np.eye(theta.size).reshape((theta.size,) + theta.shape)
    return complex_step(lambda x: J(model, policy, x), policy.step, theta, directions).reshape(theta.shape)


def scale(model, policy, theta):
    """Size of the terms of the theorem before they cancel, times the conditioning 1/(1 - gamma)."""
    solution = pg.solve(model, policy.actions(theta))
    jacobian = np.abs(policy.jacobian(theta))
    weights = solution.d[:, None] * np.abs(solution.grad_Q)
    return float(np.tensordot(weights, jacobian, axes=2).max()) / (1 - model.gamma)


def check_against_complex_step(seeds):
    for seed in seeds:
        model, policy, theta = case(seed)
        error = np.abs(pg.policy_gradient(model, policy, theta) - by_complex_step(model, policy, theta)).max()
        assert error <= 1e-11 * scale(model, policy, theta), f"seed {seed}"


def check_against_differences(seeds):
    for seed in seeds:
        model, policy, theta = case(seed)
        directions = np.random.default_rng(seed).normal(size=(3,) + theta.shape)
        V = np.abs(pg.solve(model, policy.actions(theta)).V).max()
        noise = 8 * EPS * (model.n_states + 8) * V / (1 - model.gamma)
        seen = ladder(lambda h: J(model, policy, theta + h * directions), max(noise, EPS))   # noqa: B023
        claimed = np.tensordot(directions, pg.policy_gradient(model, policy, theta), axes=theta.ndim)
        assert np.abs(seen.value - claimed).max() <= seen.error + 1e-11 * scale(model, policy, theta), f"seed {seed}"


def test_theorem_is_the_complex_step_derivative_on_500_models():
    check_against_complex_step(range(500))


def test_theorem_is_the_finite_difference_within_its_reported_error_on_500_models():
    check_against_differences(range(500))


@pytest.mark.parametrize("model", [thermostat(), noisy_target()], ids=["thermostat", "noisy-target"])
def test_theorem_holds_on_built_in_models(model):
    x = np.linspace(-1, 1, model.n_states)
    policy = pg.DeterministicPolicy(features=np.stack([np.ones_like(x), x, x**2], axis=1))
    theta = np.random.default_rng(1).normal(size=(3, model.action_dim)) / 2
    error = np.abs(pg.policy_gradient(model, policy, theta) - by_complex_step(model, policy, theta)).max()
    assert error <= 1e-11 * scale(model, policy, theta)


def test_value_gradient_is_the_derivative_of_V_for_every_start_state():
    for seed in range(30):
        model, policy, theta = case(seed)
        directions = np.eye(theta.size).reshape((theta.size,) + theta.shape)
        V = complex_step(lambda x: pg.solve(model, policy.actions(x)).V, policy.step, theta, directions)   # noqa: B023
        claimed = pg.value_gradient(model, policy, theta)
        assert claimed.shape == (model.n_states,) + theta.shape
        error = np.abs(claimed.reshape(model.n_states, -1) - V.T).max()
        assert error <= 1e-11 * max(scale(model, policy, theta), np.abs(V).max() / (1 - model.gamma))


def test_value_gradient_satisfies_the_deterministic_recursion():
    """grad V(s) = grad mu(s) grad_a Q(s, mu(s)) + gamma sum_s' P(s'|s, mu(s)) grad V(s')."""
    model, policy, theta = case(7)
    solution = pg.solve(model, policy.actions(theta))
    grad_V = pg.value_gradient(model, policy, theta)
    right = policy.state_pullback(theta, solution.grad_Q) + model.gamma * np.tensordot(solution.P_pi, grad_V, axes=1)
    np.testing.assert_allclose(grad_V, right, rtol=0, atol=1e-12 * np.abs(grad_V).max())


# ------------------------------------------------------------------------------------------------ wrong versions


def _away(model, solution, policy, theta):
    return policy.pullback(theta, solution.d[:, None] * solution.grad_Q_at(solution.actions + 0.1))


def _without_transition_term(model, solution, policy, theta):
    myopic = pg.solve(_with_gamma(model, 0.0), solution.actions).grad_Q   # grad_a r: no gamma grad_a P V
    return policy.pullback(theta, solution.d[:, None] * myopic)


def _without_constant(model, solution, policy, theta):
    return policy.pullback(theta, solution.D[:, None] * solution.grad_Q)


def _without_discount(model, solution, policy, theta):
    """States weighted by how often they are visited in the long run, not by gamma^t."""
    S = model.n_states
    balance = np.vstack([solution.P_pi.T - np.eye(S), np.ones(S)])
    stationary = np.linalg.lstsq(balance, np.append(np.zeros(S), 1), rcond=None)[0]
    return policy.pullback(theta, stationary[:, None] / (1 - model.gamma) * solution.grad_Q)


def _jacobian_transposed(model, solution, policy, theta):
    weights = (solution.d[:, None] * solution.grad_Q).T     # (k, S) where (S, k) belongs
    return np.tensordot(weights.reshape(solution.actions.shape), policy.jacobian(theta), axes=2)


def _jacobian_summed_over_actions(model, solution, policy, theta):
    weights = solution.d[:, None] * solution.grad_Q
    return np.tensordot(weights.sum(axis=1), policy.jacobian(theta).sum(axis=1), axes=1)


def _with_gamma(model, gamma):
    return pg.ContinuousActionMDP(model.P, model.R, gamma, model.rho, model.action_dim, vectorized=True)


WRONG = [_away, _without_transition_term, _without_constant, _without_discount, _jacobian_transposed,
         _jacobian_summed_over_actions]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda f: f.__name__[1:])
def test_wrong_versions_are_caught(wrong):
    """Each misses the complex step by a thousand times the bound at least, wherever it says anything else at all."""
    for seed in range(60):
        rng = np.random.default_rng(seed)
        S, k = int(rng.integers(3, 9)), int(rng.integers(2, 4))
        model = random_continuous(S, k, rng, gamma=0.9)
        policy = pg.DeterministicPolicy(features=rng.normal(size=(S, 2)))
        theta = rng.normal(size=(2, k)) / 2
        solution = pg.solve(model, policy.actions(theta))
        error = np.abs(wrong(model, solution, policy, theta) - by_complex_step(model, policy, theta)).max()
        assert error > 1e-8 * scale(model, policy, theta), f"seed {seed}"


# -------------------------------------------------------------------------------------------- who may be asked what


def test_finite_action_mdp_is_refused_and_told_why():
    mdp = pg.MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [1.0, 0.0], 0.9, 0)
    policy = pg.DeterministicPolicy(features=np.eye(2))
    for gradient in (pg.policy_gradient, pg.value_gradient):
        with pytest.raises(pg.InvalidPolicyError, match="differentiates Q.*finitely many actions.*ContinuousActionMDP"):
            gradient(mdp, policy, np.zeros((2, 1)))
    with pytest.raises(pg.InvalidPolicyError, match="density over actions in R"):
        pg.policy_gradient(mdp, pg.GaussianPolicy(np.eye(2), 0.5), np.zeros((2, 1)))


def test_finite_action_policy_on_continuous_actions_is_refused():
    with pytest.raises(pg.InvalidPolicyError, match="SoftmaxPolicy.*actions in R"):
        pg.policy_gradient(thermostat(3), pg.SoftmaxPolicy(3, 2), np.zeros((3, 2)))


def test_shapes_that_do_not_meet_are_named():
    model = thermostat(3)
    with pytest.raises(pg.InvalidPolicyError, match=r"actions of shape \(2, 1\).*3 states"):
        pg.policy_gradient(model, pg.DeterministicPolicy(np.eye(2)), np.zeros((2, 1)))
    with pytest.raises(pg.InvalidPolicyError, match=r"actions of shape \(3, 2\).*R\^1"):
        pg.policy_gradient(model, pg.DeterministicPolicy(np.eye(3)), np.zeros((3, 2)))
