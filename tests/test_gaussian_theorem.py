"""The stochastic theorem for densities over actions, and the limit sigma to 0.

Left sides: closed forms (a two-state model whose integrals are cosines), the complex step through the quadrature of J alone,
finite differences. Negative controls: the score of another sigma, E_a Q in the place of E_a[score Q], no 1/(1 - gamma).
"""

import numpy as np
import pytest

import pgtheory as pg
from pgtheory.continuous.gaussian_solution import at_nodes
from pgtheory.continuous.gradients import contributions, solve_policy
from pgtheory.continuous.vanishing_noise import sigma_limit
from pgtheory.models.continuous import noisy_target, random_continuous, thermostat


def cosine(gamma=0.9):
    """Two states, P(0|s, a) = (1 + cos(a + s))/2, R = sin(a) + s': every Gaussian integral has a closed form."""
    def P(s, a):
        p = (1 + np.cos(a[0] + s)) / 2
        return np.array([p, 1 - p])

    return pg.ContinuousActionMDP(P, lambda s, a: np.sin(a[0]) + np.array([0.0, 1.0]), gamma, [1.0, 0.0])


def cosine_closed_form(means, sigma, gamma):
    """V of :func:`cosine` under N(means, sigma^2): E cos = e^(-sigma^2/2) cos, and E sin likewise; analytic throughout."""
    damp = np.exp(-(sigma**2) / 2)
    p = (1 + damp * np.cos(means + np.arange(2))) / 2
    r = damp * np.sin(means) + 1 - p
    return np.linalg.solve(np.eye(2) - gamma * np.stack([p, 1 - p], axis=1), r)


def test_solution_has_its_closed_form():
    policy, theta = pg.GaussianPolicy(np.eye(2), 0.7), np.array([[0.3], [-1.1]])
    solution = solve_policy(cosine(), policy, theta)
    np.testing.assert_allclose(solution.V, cosine_closed_form(theta[:, 0], 0.7, 0.9), rtol=1e-13)
    assert solution.nodes == solution.history[-1][0] and solution.history[-1][1] <= policy.tolerance
    assert all(new < old for (_, old), (_, new) in zip(solution.history, solution.history[1:], strict=False))


@pytest.mark.parametrize("sigma", [0.7, None])
def test_gradient_is_that_of_the_closed_form(sigma):
    """Complex step of the closed form, in the means and in log sigma; and the three wrong versions miss it."""
    gamma, h = 0.9, 1e-30
    policy = pg.GaussianPolicy(np.eye(2), sigma)
    theta = np.array([[0.3], [-1.1]]) if sigma else np.array([[0.3], [-1.1], [np.log(0.7)]])

    def J(theta):
        return cosine_closed_form(theta[:2, 0], sigma or np.exp(theta[2, 0]), gamma)[0]

    expected = np.array([[J(theta + 1j * h * e[:, None]).imag / h] for e in np.eye(len(theta))])
    gradient = pg.policy_gradient(cosine(), policy, theta)
    np.testing.assert_allclose(gradient, expected, rtol=1e-11)
    solution = solve_policy(cosine(), policy, theta)
    grad_V = pg.value_gradient(cosine(), policy, theta)
    np.testing.assert_allclose(grad_V[0], expected, rtol=1e-11)
    weights = solution.score_weighted_Q
    without_score = np.repeat(solution.V[:, None], weights.shape[1], axis=1)
    wrong = [solution.D[:, None] * weights, solution.d[:, None] * weights * 0.7, solution.d[:, None] * without_score]
    for other in wrong:
        assert np.abs(policy.pullback(theta, other) - expected).max() > 1e-2 * np.abs(expected).max()


FAMILIES = {"gaussian": pg.GaussianPolicy, "truncated": pg.TruncatedGaussianPolicy, "squashed": pg.SquashedGaussianPolicy}


@pytest.mark.parametrize("learnt", [False, True], ids=["fixed", "learnt"])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("k", [1, 2, 3])
def test_gradient_is_the_complex_step_of_J(family, learnt, k):
    """J by quadrature at complex parameters knows P, R and the density, not the score and not the theorem."""
    for seed in range(4 if k < 3 else 1):
        rng = np.random.default_rng(seed)
        S = 4 if k < 3 else 2
        model = random_continuous(S, k, rng, gamma=0.9)
        policy = FAMILIES[family](features=rng.normal(size=(S, 2)), sigma=None if learnt else 0.25)
        theta = rng.normal(size=(2, k)) / 2
        if learnt:
            theta = np.vstack([theta, np.log(0.2) + 0.2 * rng.normal(size=k)])
        theta, solution, weights = contributions(model, policy, theta)
        gradient = policy.pullback(theta, solution.d[:, None] * weights)
        for index in [(0, 0), (theta.shape[0] - 1, k - 1)]:
            step = np.zeros(theta.shape)
            step[index] = 1.0
            nodes = 2 * solution.nodes if k < 3 else solution.nodes
            left = at_nodes(model, policy, theta + 1e-30j * step, nodes).J.imag / 1e-30
            assert abs(left - gradient[index]) <= 1e-9 * np.abs(gradient).max(), (seed, index)


@pytest.mark.parametrize("model", [thermostat(), noisy_target()], ids=["thermostat", "noisy-target"])
def test_built_in_models_under_a_gaussian(model):
    x = np.linspace(-1, 1, model.n_states)
    policy = pg.GaussianPolicy(np.stack([np.ones_like(x), -x], axis=1), 0.2)
    theta = np.full((2, model.action_dim), 0.4)
    solution = solve_policy(model, policy, theta)
    left = at_nodes(model, policy, theta + np.array([[0], [1e-30j]]), solution.nodes).J.imag / 1e-30
    assert abs(left - pg.policy_gradient(model, policy, theta)[1].sum()) < 1e-10


def test_bounded_models_need_bounded_policies():
    """P = (a, 1 - a) makes sense on [0, 1] alone: the Gaussian's nodes leave it and are refused; its bounded kin answer."""
    model = pg.ContinuousActionMDP(lambda s, a: np.array([a[0], 1 - a[0]]), lambda s, a: np.array([a[0] ** 2, 1.0]), 0.5,
                                   [1.0, 0.0])
    with pytest.raises(pg.InvalidMDPError, match="does the action leave the range of the model"):
        pg.policy_gradient(model, pg.GaussianPolicy(np.eye(2), 0.3), np.full((2, 1), 0.5))
    for family in (pg.TruncatedGaussianPolicy, pg.SquashedGaussianPolicy):
        policy, theta = family(np.eye(2), 0.3, low=0.0, high=1.0), np.full((2, 1), 0.4)
        solution = solve_policy(model, policy, theta)
        left = [at_nodes(model, policy, theta + 1e-30j * e[:, None], solution.nodes).J.imag / 1e-30 for e in np.eye(2)]
        np.testing.assert_allclose(pg.policy_gradient(model, policy, theta)[:, 0], left, rtol=1e-10)


def test_integrals_that_do_not_stand_are_refused():
    """A reward that oscillates 40 times within sigma cannot be integrated on 64 nodes."""
    model = pg.ContinuousActionMDP(lambda s, a: np.ones(1), lambda s, a: np.cos(40 * a), 0.5, [1.0])
    with pytest.raises(pg.UndefinedError, match="still moves"):
        pg.policy_gradient(model, pg.GaussianPolicy([[1.0]], 1.0, max_nodes=64), [[0.1]])


def test_means_may_be_any_deterministic_policy():
    class Wave(pg.DeterministicPolicy):
        shape = (2,)

        def actions(self, theta):
            return np.sin(theta)[:, None]

    theta = np.array([0.4, -0.8])
    gradient = pg.policy_gradient(cosine(), pg.GaussianPolicy(mean=Wave(), sigma=0.5), theta)
    tabular = pg.policy_gradient(cosine(), pg.GaussianPolicy(np.eye(2), 0.5), np.sin(theta)[:, None])
    np.testing.assert_allclose(gradient, np.cos(theta) * tabular[:, 0], rtol=1e-12)


def test_undiscounted_episodes_under_a_density():
    """One step to the end, reward sin a: V(0) = e^(-sigma^2/2) sin m, whose slope in m is e^(-sigma^2/2) cos m."""
    model = pg.ContinuousActionMDP(lambda s, a: np.array([0.0, 1.0]), lambda s, a: np.sin(a[0]) if s == 0 else 0.0, 1,
                                   [1.0, 0.0])
    gradient = pg.policy_gradient(model, pg.GaussianPolicy(np.eye(2), 0.6), [[0.3], [0.0]])
    np.testing.assert_allclose(gradient, [[np.exp(-0.18) * np.cos(0.3)], [0.0]], rtol=1e-12, atol=1e-15)


# ---------------------------------------------------------------------------------------------- the limit sigma to 0

SIGMAS = 0.2 / 2.0 ** np.arange(6)


def cases():
    phi = np.stack([np.ones(9), np.linspace(-1, 1, 9)], axis=1)
    yield thermostat(), phi, np.array([[0.3], [-0.5]])
    for seed in range(4):
        rng = np.random.default_rng(seed)
        k = 1 + seed % 2
        yield random_continuous(5, k, rng, gamma=0.8), rng.normal(size=(5, 2)), rng.normal(size=(2, k)) / 2


def test_gaussian_gradient_tends_to_the_deterministic_one_at_the_rate_sigma_squared():
    """Halving sigma divides the error by 4: the last ratio within 2 %, and each nearer to 4 than the one before."""
    for model, phi, theta in cases():
        limit = sigma_limit(model, pg.DeterministicPolicy(phi), theta, SIGMAS)
        np.testing.assert_array_equal(limit.deterministic, pg.policy_gradient(model, pg.DeterministicPolicy(phi), theta))
        assert abs(limit.ratios[-1] - 4) < 0.08
        assert (np.diff(np.abs(limit.ratios[1:] - 4)) < 0).all()


def test_rate_has_the_constant_of_the_closed_form():
    """Cosine model: the error is sigma^2 times the derivative of J by sigma^2 at 0, known from the closed form."""
    theta, h = np.array([[0.3], [-1.1]]), 1e-30
    limit = sigma_limit(cosine(), pg.DeterministicPolicy(np.eye(2)), theta, [0.02, 0.01])

    def slope(sigma, e):
        return cosine_closed_form(theta[:, 0] + 1j * h * e, sigma, 0.9)[0].imag / h

    exact = [np.linalg.norm([slope(s, e) - slope(0.0, e) for e in np.eye(2)]) for s in (0.02, 0.01)]
    np.testing.assert_allclose(limit.errors, exact, rtol=1e-6)


def test_score_function_second_moment_grows_like_sigma_to_the_minus_two():
    """sigma^2 E||score Q||^2 tends to E_D[||phi||^2 k V^2]/(1 - gamma)^2: E||z||^2 = k, and Q(s, a) tends to V(s) of mu."""
    for model, phi, theta in cases():
        limit = sigma_limit(model, pg.DeterministicPolicy(phi), theta, SIGMAS)
        scaled = limit.score_moments * SIGMAS**2
        solution = pg.solve(model, phi @ theta)
        constant = solution.D @ ((phi**2).sum(axis=1) * model.action_dim * solution.V**2) / (1 - model.gamma) ** 2
        assert abs(scaled[-1] / constant - 1) < 0.01
        np.testing.assert_allclose(np.diff(np.log(limit.score_moments)) / np.log(2), 2, atol=0.6)
        each = np.linalg.norm(phi, axis=1) ** 2 * (solution.grad_Q**2).sum(axis=1) / (1 - model.gamma) ** 2
        assert limit.deterministic_moment == pytest.approx(solution.D @ each, rel=1e-12)
        assert limit.deterministic_variance >= 0 and (limit.score_variances > 0).all()


def test_score_moment_is_the_sampled_one():
    """Null: ||score Q||^2/(1-gamma)^2 has the quadrature's mean over samples; z-test, alpha 1e-9 (|z| < 6.2), seed 4."""
    model, policy, theta = cosine(), pg.GaussianPolicy(np.eye(2), 0.3), np.array([[0.3], [-1.1]])
    from pgtheory.continuous.vanishing_noise import score_moment
    solution = solve_policy(model, policy, theta)
    exact, n = score_moment(policy, theta, solution), 4000
    rng = np.random.default_rng(4)
    actions = np.stack([policy.sample(theta, rng=rng) for _ in range(n)])
    sizes = (policy.score(theta, actions) ** 2).reshape(n, 2, -1).sum(axis=-1)
    values = (sizes * solution.Q_at(actions) ** 2) @ solution.D / (1 - 0.9) ** 2
    z = (values.mean() - exact) / (values.std() / np.sqrt(n))
    assert abs(z) < 6.2
    assert abs((values.mean() * 1.5 - exact) / (values.std() * 1.5 / np.sqrt(n))) > 6.2


# ------------------------------------------------------------------------------------------------ integrals that vanish

ONE_STATE = {   # R, and the gradient in the mean at 0 of J = 10 E R under N(0, 1/4): 10 E R'
    "odd": (lambda s, a: np.sin(3 * a), 30 * np.exp(-9 / 8)), "an odd cubic": (lambda s, a: a**3 - a, 10 * (3 / 4 - 1)),
    "even with mean 0": (lambda s, a: a**2 - 0.25, 0.0), "fast": (lambda s, a: np.cos(20 * a), 0.0), "zero": (lambda s, a: 0 * a, 0.0),
}


@pytest.mark.parametrize("name", ONE_STATE)
def test_a_value_that_vanishes_by_symmetry_is_an_answer(name):
    R, exact = ONE_STATE[name]
    one, policy = pg.ContinuousActionMDP(lambda s, a: np.ones(1), R, 0.9, [1.0]), pg.GaussianPolicy([[1.0]], 0.5)
    np.testing.assert_allclose(pg.policy_gradient(one, policy, [[0.0]]), [[exact]], rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(pg.policy_gradient(one, policy, [[0.0]], horizon=2), [[0.19 * exact]], rtol=1e-11, atol=1e-13)
    assert pg.verify(one, policy, [[0.0]], samples=0).count("FAIL") == 0


def test_an_integral_that_never_stands_is_still_refused():
    one = pg.ContinuousActionMDP(lambda s, a: np.ones(1), lambda s, a: np.abs(a), 0.9, [1.0])
    with pytest.raises(pg.UndefinedError, match="still moves"):
        pg.policy_gradient(one, pg.GaussianPolicy([[1.0]], 0.5, max_nodes=2**10), [[0.1]])


@pytest.mark.parametrize("seed", range(6))
def test_narrow_truncated_densities_follow_the_complex_step(seed):
    """Their nodes lie in a window that follows the real part of theta: few of them are no analytic function of it."""
    rng = np.random.default_rng(seed)
    model, policy = random_continuous(5, 1, rng), pg.TruncatedGaussianPolicy(rng.normal(size=(5, 2)), 0.05, low=-0.7, high=1.1)
    theta = rng.normal(size=(2, 1))
    value, error = pg.derivative(model, policy, theta, route="complex-step")
    gradient = pg.policy_gradient(model, policy, theta)
    assert np.abs(value - gradient).max() <= error + 1e-10 * np.abs(gradient).max()
    assert np.abs(value - 1.001 * gradient).max() > error + 1e-10 * np.abs(gradient).max()
