"""Gaussian, truncated and squashed densities: normalisation, scores, samples; and the Gauss rules they are integrated with.

Statistical tests here: ``test_samples_follow_the_density`` (Kolmogorov-Smirnov, alpha 1e-9 a state), seeds fixed.
"""

import numpy as np
import pytest
from scipy import integrate, stats

import pgtheory as pg
from pgtheory.continuous.quadrature import doubled, gauss_hermite, gauss_legendre, product
from pgtheory.differentiate import ladder

PHI = np.array([[1.0, 0.0], [0.5, -1.0], [-1.0, 2.0]])
LOW, HIGH = -0.5, 1.25


def policies(sigma):
    return [pg.GaussianPolicy(PHI, sigma), pg.TruncatedGaussianPolicy(PHI, sigma, low=LOW, high=HIGH),
            pg.SquashedGaussianPolicy(PHI, sigma, low=LOW, high=HIGH)]


def theta_for(policy, k, seed=0):
    theta = np.random.default_rng(seed).normal(size=(2, k)) / 2
    return np.vstack([theta, np.full(k, np.log(0.4))]) if policy.learns_sigma else theta


ALL = [*policies(0.4), *policies(None)]
NAMES = [f"{type(p).__name__}-{'learnt' if p.learns_sigma else 'fixed'}" for p in ALL]
each = pytest.mark.parametrize("policy", ALL, ids=NAMES)


@each
def test_density_integrates_to_one(policy):
    """scipy's adaptive quadrature of exp(log_density), in every state."""
    theta = theta_for(policy, 1)
    for s in range(3):
        bounds = (-8, 8) if type(policy) is pg.GaussianPolicy else (LOW + 1e-12, HIGH - 1e-12)
        total, error = integrate.quad(lambda a: np.exp(policy.log_density(theta, [a], s)), *bounds, limit=200)   # noqa: B023
        assert abs(total - 1) <= error + 1e-8


@each
@pytest.mark.parametrize("k", [1, 2])
def test_score_is_the_derivative_of_the_log_density(policy, k):
    theta = theta_for(policy, k)
    actions = policy.sample(theta, rng=3)
    score = policy.score(theta, actions)
    assert score.shape == (3,) + theta.shape
    for index in np.ndindex(theta.shape):
        step = np.zeros(theta.shape)
        step[index] = 1.0
        seen = ladder(lambda h: policy.log_density(theta + h * step, actions), 1e-14)   # noqa: B023
        assert np.abs(seen.value - score[(slice(None), *index)]).max() <= 10 * seen.error + 1e-10


def test_log_density_of_the_truncated_one_is_scipys():
    policy, theta = policies(0.4)[1], theta_for(policies(0.4)[1], 1)
    mean = policy.means(theta)[:, 0]
    a = np.array([[-0.4], [0.1], [1.2]])
    expected = stats.truncnorm.logpdf(a[:, 0], (LOW - mean) / 0.4, (HIGH - mean) / 0.4, loc=mean, scale=0.4)
    np.testing.assert_allclose(policy.log_density(theta, a), expected, rtol=1e-12)


def test_far_truncation_keeps_its_digits():
    """A box 40 sigma above the mean: E a = mean + sigma * hazard; the hazard by its continued fraction (Laplace)."""
    policy = pg.TruncatedGaussianPolicy([[1.0]], 1.0, low=40.0, high=100.0)
    z, hazard = 40.0, 0.0
    for n in range(60, 0, -1):
        hazard = n / (z + hazard)
    mean = z + hazard     # phi(z)/Q(z), the mean of a standard normal beyond z
    score = policy.score([[0.0]], [[mean]])
    assert abs(score.item()) < 1e-10
    rule = policy.rule([[0.0]], 64)
    assert abs((rule.weights * rule.actions[..., 0]).sum() - mean) < 1e-10
    samples = policy.sample([[0.0]], np.zeros(100, dtype=int), rng=0)
    assert samples.min() >= 40 and samples.mean() < 40.1


@each
def test_rule_integrates_moments_and_scores(policy):
    """Weights sum to 1, E[score] = 0, and E[a] as scipy's quadrature of the density has it."""
    theta = theta_for(policy, 1)
    rule = policy.rule(theta, 128)
    np.testing.assert_allclose(rule.weights.sum(axis=0), 1, rtol=1e-13)
    np.testing.assert_allclose((rule.weights[..., None] * rule.scores).sum(axis=0), 0, atol=1e-11)
    for s in range(3):
        bounds = (-8, 8) if type(policy) is pg.GaussianPolicy else (LOW + 1e-12, HIGH - 1e-12)
        mean, error = integrate.quad(lambda a: a * np.exp(policy.log_density(theta, [a], s)), *bounds)   # noqa: B023
        assert abs((rule.weights[:, s] * rule.actions[:, s, 0]).sum() - mean) <= error + 1e-8


def test_rule_in_parts_is_the_rule():
    policy, theta = ALL[1], theta_for(ALL[1], 2)
    whole, parts = policy.rule(theta, 5), [policy.rule(theta, 5, slice(i, i + 10)) for i in (0, 10, 20)]
    for name in ("actions", "weights", "scores"):
        np.testing.assert_array_equal(getattr(whole, name), np.concatenate([getattr(p, name) for p in parts]))


@each
def test_samples_follow_the_density(policy):
    """Null: 20000 samples in each state have the policy's distribution. Kolmogorov-Smirnov, alpha = 1e-9 a state, seed 11.

    The distribution function comes from the density, by a cumulative sum on 4001 points (error below 1e-4, KS unit 7e-3).
    """
    theta, n = theta_for(policy, 1), 20000
    for s in range(3):
        a = policy.sample(theta, np.full(n, s), rng=11)[:, 0]
        bounds = (-8, 8) if type(policy) is pg.GaussianPolicy else (LOW + 1e-9, HIGH - 1e-9)
        x = np.linspace(*bounds, 4001)
        density = np.exp(policy.log_density(theta, x[:, None], np.full(len(x), s)))
        cdf = integrate.cumulative_trapezoid(density, x, initial=0)
        assert stats.kstest(a, lambda v: np.interp(v, x, cdf)).pvalue > 1e-9   # noqa: B023
        wrong = stats.kstest(a + 0.1, lambda v: np.interp(v, x, cdf)).pvalue   # noqa: B023
        assert wrong < 1e-9


def test_pullbacks_are_contractions_of_the_scores():
    """pullback of E-weights equals the contraction with full scores, action by action."""
    for policy in ALL:
        theta = theta_for(policy, 2)
        rule = policy.rule(theta, 4)
        Q = np.random.default_rng(5).normal(size=rule.weights.shape)
        local = np.einsum("ns,nsp->sp", rule.weights * Q, rule.scores)
        full = np.einsum("ns,ns...->s...", rule.weights * Q, policy.score(theta, rule.actions))
        np.testing.assert_allclose(policy.state_pullback(theta, local), full, rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(policy.pullback(theta, local), full.sum(axis=0), rtol=1e-9, atol=1e-10)


def test_squashed_actions_stay_inside_and_scores_are_those_of_the_gaussian():
    squashed, gaussian = policies(0.4)[2], policies(0.4)[0]
    theta = theta_for(squashed, 1)
    u = gaussian.sample(theta, rng=2)
    a = squashed.sample(theta, rng=2)
    assert ((a > LOW) & (a < HIGH)).all()
    np.testing.assert_allclose(a, LOW + (HIGH - LOW) * (1 + np.tanh(u)) / 2, rtol=1e-15)
    np.testing.assert_allclose(squashed.score(theta, a), gaussian.score(theta, u), rtol=1e-11)


@pytest.mark.parametrize(("build", "words"), [
    (lambda: pg.GaussianPolicy(PHI, 0.0), "sigma is 0.0.*DeterministicPolicy"),
    (lambda: pg.GaussianPolicy(PHI, [0.1, -1.0]), "action dimension 1"),
    (lambda: pg.GaussianPolicy(sigma=0.1), "either features"),
    (lambda: pg.GaussianPolicy(mean=pg.DeterministicPolicy(PHI)), "sigma=None"),
    (lambda: pg.TruncatedGaussianPolicy(PHI, 0.1, low=1.0, high=0.0), "box"),
    (lambda: pg.GaussianPolicy(PHI, 0.1).means(np.zeros((3, 1))), r"theta has shape \(3, 1\): this policy's is \(2, k\)"),
    (lambda: pg.GaussianPolicy(PHI, [0.1, 0.2]).deviations(np.zeros((2, 3))), r"sigma has shape \(2,\)"),
    (lambda: policies(0.4)[1].log_density(np.zeros((2, 1)), np.full((3, 1), 9.0)), "outside the box"),
    (lambda: policies(0.4)[2].score(np.zeros((2, 1)), np.full((3, 1), HIGH)), "outside the open box"),
])
def test_what_is_no_density_is_named(build, words):
    with pytest.raises(pg.InvalidPolicyError, match=words):
        build()


# ---------------------------------------------------------------------------------------------------------- the rules


@pytest.mark.parametrize("n", [1, 2, 5, 20, 64])
def test_gauss_rules_are_exact_to_their_degree(n):
    x, w = gauss_hermite(n)
    z, v = gauss_legendre(n)
    for degree in range(0, min(2 * n, 20), 2):
        moment = np.prod(np.arange(1, degree, 2, dtype=float))     # (degree - 1)!!
        assert abs(w @ x**degree / moment - 1) < 1e-12
        assert abs(v @ z**degree * (degree + 1) - 1) < 1e-12


def test_product_rule_is_the_product():
    """E x^2 y^4 z^2 under three standard normals is 1 * 3 * 1."""
    x, w = gauss_hermite(4)
    nodes, weights = product(np.repeat(x[:, None], 3, axis=1), np.repeat(w[:, None], 3, axis=1))
    assert nodes.shape == (64, 3)
    assert abs(weights @ (nodes[:, 0] ** 2 * nodes[:, 1] ** 4 * nodes[:, 2] ** 2) - 3) < 1e-13


def test_doubling_says_when_it_does_not_stand():
    def rough(n):
        x, w = gauss_hermite(n)
        return w @ np.abs(x)
    with pytest.raises(pg.UndefinedError, match="still moves by .* at 64 nodes an axis"):
        doubled(rough, lambda new, old: abs(new - old), limit=64, tolerance=1e-10)
    with pytest.raises(pg.UndefinedError, match="no room to double"):
        doubled(rough, lambda new, old: abs(new - old), limit=15, tolerance=1e-10)


@pytest.mark.parametrize("distance", [2.0, 30.0, 100.0, 1000.0])
def test_scores_of_a_truncated_density_average_zero_far_in_its_tail(distance):
    """E grad log pi = 0, by the policy's own rule, with the mean so many deviations outside the box, on either side."""
    for mean in (1 + 0.05 * distance, -1 - 0.05 * distance):
        rule = pg.TruncatedGaussianPolicy([[1.0]], None).rule(np.array([[mean], [np.log(0.05)]]), 128)
        moments = [(rule.weights[..., None] * each).sum(axis=0)[0] for each in (rule.scores, abs(rule.scores))]
        assert (abs(moments[0]) <= 1e-14 * (distance**2 + 100) / 0.05).all()
        assert (moments[1] > 1e-3).all()
