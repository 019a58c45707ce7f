"""The simulated gradient of a density over actions: its mean, its box, and what it makes of wrong theorems."""

import numpy as np
import pytest

import pgtheory as pg
from pgtheory.checks.record import FAIL, INCONCLUSIVE, PASS
from pgtheory.checks.sequential import sequential_test
from pgtheory.checks.statistical import judge_statistically
from pgtheory.claims.equation import Equation
from pgtheory.models.continuous import random_continuous, thermostat
from pgtheory.problems.continuous import problem_of
from pgtheory.routes import density_monte_carlo, monte_carlo
from pgtheory.routes.density_monte_carlo import DensitySampler

FALSE_ALARM = 1e-9

POLICIES = {
    "fixed": lambda phi: pg.GaussianPolicy(phi, sigma=0.5),
    "learned": lambda phi: pg.GaussianPolicy(phi, sigma=None),
    "squashed": lambda phi: pg.SquashedGaussianPolicy(phi, sigma=0.5, low=-1, high=2),
    "truncated": lambda phi: pg.TruncatedGaussianPolicy(phi, sigma=None, low=-1, high=1),
}
BASELINES = {"exact": None, "none": 0, "constant": 7.5, "state": np.array([3.0, -1.0, 0.5])}


def problem(kind="learned", gamma=0.7, seed=5, k=1):
    rng = np.random.default_rng(seed)
    model = random_continuous(3, k, rng, gamma=gamma)
    policy = POLICIES[kind](rng.normal(size=(3, 2)))
    theta = rng.normal(size=(policy.shape[0], k)) / 2
    if policy.learns_sigma:
        theta[-1] = np.log(0.4)
    return problem_of(model, policy, theta)


def mean_by_series(sampler, weight=0.5, survival=0.5, terms=300):
    """(k,): the mean of a draw; stopping times summed as powers of the chain, the action by quadrature; no linear solve.

    T >= t has probability gamma^t; N >= t has probability gamma^(survival t), and the gain then counts gamma^(weight t).
    """
    chain, gamma, one = sampler.chain, sampler.gamma, sampler.problem
    P_pi = np.array(one.solution.P_pi)
    gain = np.zeros(len(P_pi))
    np.add.at(gain, chain.states, chain.probabilities * sampler._gains)
    law, D, V, later = np.array(one.rho), 0.0, 0.0, gain
    for t in range(terms):
        D = D + (1 - gamma) * gamma**t * law
        V = V + gamma ** ((survival + weight) * t) * later
        law, later = law @ P_pi, P_pi @ later
    total = 0.0
    for rule in one.rules():
        P, _, r = one.mdp.valid_law(rule.actions)
        Q = sampler._advantages(P, r) + gamma ** (survival + weight) * (P @ V)
        scores = np.einsum("nsp,spk->nsk", rule.scores, sampler.pull)
        total = total + np.einsum("ns,nsk->k", rule.weights * Q * D, scores)
    return total / (1 - gamma)


@pytest.mark.parametrize("baseline", BASELINES)
@pytest.mark.parametrize("kind", POLICIES)
def test_the_mean_of_a_draw_is_the_derivative_of_J_whatever_the_baseline(kind, baseline):
    """The series at gamma = 0.7 is cut at 0.7^300 = 1e-46; what remains is quadrature (1e-11) and rounding."""
    sampler = DensitySampler(problem(kind), BASELINES[baseline])
    gradient = pg.derivative(sampler.problem.mdp, sampler.problem.policy, sampler.problem.theta).value
    np.testing.assert_allclose(mean_by_series(sampler), sampler.mean(gradient), rtol=0, atol=1e-9 * max(np.abs(gradient).max(), 10))


def test_wrong_means_show_in_the_series():
    """Negative controls: gains not reweighted, N stopped with 1 - gamma, no 1/(1 - gamma)."""
    sampler = DensitySampler(problem(), 0)
    right = mean_by_series(sampler)
    wrong = [mean_by_series(sampler, weight=0.0), mean_by_series(sampler, survival=1.0), 0.3 * right]
    assert min(np.abs(x - right).max() for x in wrong) > 1e-3 * np.abs(right).max()


def bandit(gamma=0.5):
    """One state, reward a: A(s, a) = a - mu = sigma z, so that X = z^2 / (1 - gamma) for the score z / sigma."""
    model = pg.ContinuousActionMDP(lambda s, a: np.ones(1), lambda s, a: a, gamma, [1.0])
    return problem_of(model, pg.GaussianPolicy(features=[[1.0]], sigma=0.5), [[0.3]])


def test_fourth_moment_has_its_closed_form():
    """E z^8 = 105, over (1 - gamma)^4, enlarged by a tenth."""
    for gamma in (0.0, 0.5, 0.9):
        np.testing.assert_allclose(DensitySampler(bandit(gamma)).fourth_moment, [115.5 / (1 - gamma) ** 4], rtol=1e-9)


def test_fourth_moment_is_that_of_the_draws():
    """Over 200,000 draws of a policy whose draws are bounded; the bound is no exaggeration."""
    sampler = DensitySampler(problem("truncated"))
    ratio = (sampler.draw(200_000, 1) ** 4).mean(axis=0) / sampler.fourth_moment
    assert (ratio < 1).all() and (ratio > 0.8).all(), ratio


@pytest.mark.parametrize("bias", [0.3, 0.1, 0.01])
def test_clipping_moves_the_mean_by_no_more_than_the_bias(bias):
    """X = 2 z^2: E (X - B)_+ = 2 [(1 - c^2) 2 (1 - Phi(c)) + 2 c phi(c)] with B = 2 c^2, in closed form."""
    from scipy.stats import norm

    bounded, allowed = DensitySampler(bandit()).clipped(bias)
    c = np.sqrt(bounded.high.item() / 2)
    moved = 2 * ((1 - c**2) * 2 * norm.sf(c) + 2 * c * norm.pdf(c))
    assert 0 < moved <= allowed.item() == bias
    X = bounded.draw(200_000, 2)
    assert X.max() <= bounded.high and X.min() >= 0


def equation(one, gradient):
    return Equation("log form", "grad J", one.along(np.asarray(gradient)), one.gradient_scale)


def judged(one, gradient, samples=400_000, alpha=FALSE_ALARM, tolerance=0.2):
    return judge_statistically("stochastic", equation(one, gradient), one, samples, alpha, tolerance, np.random.default_rng(3))


@pytest.mark.parametrize("kind", POLICIES)
def test_the_right_gradient_passes(kind):
    """H0: the theorem; the e-process calls it wrong with probability 1e-9 at most, the clipping counted."""
    one = problem(kind)
    found = judged(one, pg.policy_gradient(one.mdp, one.policy, one.theta))
    assert found.verdict == PASS and found.kind == "statistical", found.note


def constant_dropped(one, contributions):
    return one.policy.pullback(one.theta, one.solution.D[:, None] * contributions)


def discount_dropped(one, contributions):
    """Visits of the long run in the place of D."""
    P = np.linalg.matrix_power(np.array(one.solution.P_pi), 4096)
    return one.policy.pullback(one.theta, (one.rho @ P)[:, None] / (1 - one.gamma) * contributions)


def score_over_sigma(one, contributions):
    """(a - mu) / sigma in the place of (a - mu) / sigma^2."""
    scaled = np.array(contributions)
    scaled[:, :one.mdp.action_dim] *= one.policy.deviations(one.theta)
    return one.policy.pullback(one.theta, one.solution.d[:, None] * scaled)


def log_sigma_without_its_one(one, contributions):
    """z^2 in the place of z^2 - 1 as the score of log sigma."""
    wrong = np.array(contributions)
    wrong[:, one.mdp.action_dim:] += one.mean_Q[:, None]
    return one.policy.pullback(one.theta, one.solution.d[:, None] * wrong)


@pytest.mark.parametrize("wrong", [constant_dropped, discount_dropped, score_over_sigma, log_sigma_without_its_one],
                         ids=lambda f: f.__name__)
def test_wrong_gradients_fail(wrong):
    one = problem(seed=6)
    gradient = wrong(one, np.asarray(one.solution.score_weighted_Q))
    assert np.abs(gradient - pg.policy_gradient(one.mdp, one.policy, one.theta)).max() > 0.1 * np.abs(gradient).max()
    assert judged(one, gradient).verdict == FAIL


def later():
    """Two states; the action of the first leads to the second, which pays: what it is good for shows later."""
    def P(a):
        up, stay = 1 / (1 + np.exp(-4 * a[..., 0])), 0 * a[..., 1, 0] + 0.9
        up = up[..., 0]
        return np.stack([np.stack([1 - up, up], axis=-1), np.stack([1 - stay, stay], axis=-1)], axis=-2)

    def R(a):
        return np.zeros(a.shape[:-2] + (2, 2)) + np.array([[0.0], [1.0]])

    model = pg.ContinuousActionMDP(P, R, 0.7, [1.0, 0.0], vectorized=True)
    return problem_of(model, pg.GaussianPolicy(np.ones((2, 1)), sigma=0.5), [[0.0]])


@pytest.mark.parametrize("time", ["T", "N"])
def test_stopping_times_off_by_one_show_in_the_draws(time, monkeypatch):
    """Negative control, with a control variate that leaves something to simulate; the right ones are not called wrong."""
    one = later()
    sampler = DensitySampler(one, one.solution.V * [1.0, 0.7])
    right, original = sampler.mean(pg.policy_gradient(one.mdp, one.policy, one.theta)), monte_carlo._failures
    size = np.abs(right).max()

    def verdict():
        bounded, bias = sampler.clipped(0.02 * size)
        return sequential_test(bounded.draw, right, bounded.low, bounded.high, 0.1 * size, 1e-9, 1e-9, 1_000_000,
                               rounding=bias).verdict

    assert verdict() != FAIL

    def one_more(p, n, rng):
        return original(p, n, rng) + ((p == 1 - sampler.gamma) == (time == "T"))

    monkeypatch.setattr(density_monte_carlo, "_failures", one_more)
    assert verdict() == FAIL


def test_a_vanishing_gradient_is_not_decided():
    """By symmetry the gradient is 0 at mean 0: no tolerance relative to it can be met, and nothing passes."""
    model = pg.ContinuousActionMDP(lambda s, a: np.ones(1), lambda s, a: np.cos(a), 0.5, [1.0])
    one = problem_of(model, pg.GaussianPolicy(features=[[1.0]], sigma=0.5), [[0.0]])
    assert judged(one, [[0.0]], samples=50_000).verdict == INCONCLUSIVE
    assert judged(one, [[1.0]], samples=50_000).verdict == FAIL


def test_verify_simulates_densities():
    report = pg.verify(thermostat(5), pg.GaussianPolicy(np.ones((5, 1)), sigma=0.5), [[0.4]], theorems=["stochastic"],
                       alpha=FALSE_ALARM)
    (check,) = (c for c in report.checks if c.route == "monte-carlo")
    assert check.verdict == PASS and not report.skipped
    undiscounted = pg.ContinuousActionMDP(lambda s, a: np.array([0.5, 0.5]) if s == 0 else np.array([0.0, 1.0]),
                                          lambda s, a: (1 - s) * np.cos(a[0]), 1, [1.0, 0.0])
    report = pg.verify(undiscounted, pg.GaussianPolicy(np.ones((2, 1)), sigma=0.5), [[0.4]], theorems=["stochastic"])
    assert report.passed and any("gamma = 1" in reason for _, reason in report.skipped)
