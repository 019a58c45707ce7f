"""The claims about deterministic policies on continuous actions, in the catalogue and in verify; their wrong versions; and
the simulated gradient that judges them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction as F  # noqa: N817

import numpy as np
import pytest
import sympy

import pgtheory as pg
from pgtheory.checks.catalogue import Theorem
from pgtheory.checks.judge import judge
from pgtheory.checks.sequential import sequential_test
from pgtheory.claims import deterministic, deterministic_bellman, recursion, unrolling
from pgtheory.claims.deterministic_horizon import ending
from pgtheory.claims.equation import Equation
from pgtheory.models.continuous import random_continuous
from pgtheory.problems.continuous import problem_of
from pgtheory.routes import complex_step, finite_difference, monte_carlo
from pgtheory.routes.deterministic_monte_carlo import DeterministicSampler
from pgtheory.routes.monte_carlo import StateSampler

SLUGS = ("deterministic-bellman", "deterministic-recursion", "deterministic-unrolling", "deterministic")
FALSE_ALARM = 1e-9


class Network(pg.DeterministicPolicy):
    """x -> tanh(x W) v, all parameters in one vector: a user's policy, nothing but numpy."""

    def __init__(self, inputs, hidden, action_dim):
        self.inputs, self.hidden, self.k = np.asarray(inputs, dtype=float), hidden, action_dim
        self.shape = (self.inputs.shape[1] * hidden + hidden * action_dim,)

    def actions(self, theta):
        m = self.inputs.shape[1] * self.hidden
        W, v = theta[:m].reshape(-1, self.hidden), theta[m:].reshape(self.hidden, self.k)
        return np.tanh(self.inputs @ W) @ v


def case(seed):
    """A member of the random family: tabular, linear and network policies in turn, gamma from 0 to 0.99."""
    rng = np.random.default_rng(seed)
    S, k = int(rng.integers(1, 9)), int(rng.integers(1, 4))
    model = random_continuous(S, k, rng, gamma=float(rng.choice([0.0, 0.5, 0.9, 0.99])), supplied=seed % 2 == 0)
    if seed % 3 == 0:
        policy, shape = pg.DeterministicPolicy(np.eye(S)), (S, k)
    elif seed % 3 == 1:
        policy, shape = pg.DeterministicPolicy(rng.normal(size=(S, 2))), (2, k)
    else:
        policy = Network(rng.normal(size=(S, 2)), 3, k)
        shape = policy.shape
    return model, policy, rng.normal(size=shape) / 2


def rational():
    """Two states, one action each, all rational in it: (model, policy, theta)."""
    a = sympy.Symbol("a")
    p = 1 / (1 + a**2)
    model = pg.ContinuousActionMDP.from_sympy([[p, 1 - p], [a**2 * p, p]], [[a, 1], [a**2, 3 * a]], a, F(1, 2),
                                              [F(1, 3), F(2, 3)])
    return model, pg.DeterministicPolicy([[F(1), F(2)], [F(0), F(1)]]), [[F(1, 2)], [F(-1, 3)]]


def episodic(gamma):
    """Two live states and an end that is reached from both with probability above 1/4; actions beyond 0 push towards it."""
    def P(s, a):
        on = 1 / (1 + np.exp(-a[0]))
        return [np.array([0.5 - 0.4 * on, 0.3, 0.2 + 0.4 * on]), np.array([0.3 * on, 0.7 - 0.3 * on, 0.3]), np.eye(3)[2]][s]

    def R(s, a):
        return np.array([1.0, a[0], 2 - a[0] ** 2]) if s < 2 else np.zeros(3)

    return pg.ContinuousActionMDP(P, R, gamma, [0.75, 0.25, 0.0])


# ------------------------------------------------------------------------------------------------- both sides agree


@pytest.mark.parametrize("name", ["thermostat", "noisy-target", "random-continuous"])
def test_every_claim_passes_on_the_built_in_models_simulation_included(name):
    """H0: the theorem; the sequential tests of a report call it wrong with probability 1e-9 at most."""
    model = pg.models.load(name)
    theta = np.random.default_rng(2).normal(size=(model.n_states, model.action_dim))
    report = pg.verify(model, pg.DeterministicPolicy(np.eye(model.n_states)), theta, alpha=FALSE_ALARM)
    assert report.passed and report.count("PASS") == len(report.checks) and not report.skipped, str(report)
    assert set(report.claims) == {"occupancy", *SLUGS}
    assert {c.route for c in report.checks if c.theorem == "deterministic"} == {
        "complex-step", "finite-difference", "monte-carlo"}


def test_every_claim_passes_on_the_random_family():
    for seed in range(24):
        report = pg.verify(*case(seed), samples=0)
        assert report.passed and report.count("PASS") == len(report.checks), f"seed {seed}\n{report}"


def test_the_undiscounted_case_holds_with_d():
    report = pg.verify(episodic(1), pg.DeterministicPolicy(np.eye(3)), [[0.3], [-0.5], [1.0]])
    assert report.passed and set(report.claims) == {"occupancy", *SLUGS}
    assert [reason for _, reason in report.skipped if "gamma = 1" in reason]     # no bounded simulation there


@pytest.mark.parametrize("slug", SLUGS)
def test_both_sides_are_equal_in_fractions_and_as_rational_functions(slug):
    model, policy, theta = rational()
    x, y = sympy.symbols("x y")
    for at in (theta, np.array([[x], [y]])):
        identity = pg.theorems[slug].sides(model, policy, at)
        assert identity.lhs == identity.rhs
        assert identity.lhs.shape == {"deterministic": (2, 1), "deterministic-bellman": (2,)}.get(slug, (2, 2, 1))
        assert not bool(identity.lhs == identity.rhs + 1)


def test_exact_models_are_verified_by_equality_and_simulated():
    report = pg.verify(*rational(), samples=20_000)
    assert report.passed
    assert {c.theorem for c in report.checks if c.kind == "exact" and c.verdict == "PASS"} == {"occupancy", *SLUGS}
    assert report.count("FAIL") == 0 and any(c.route == "monte-carlo" for c in report.checks)


def test_a_closed_form():
    """One state, r = a - a^2, gamma = 1/2: J = 2 (mu - mu^2) with mu = 2 theta, so grad J = 4 (1 - 4 theta)."""
    a = sympy.Symbol("a")
    model = pg.ContinuousActionMDP.from_sympy([[1]], [a - a**2], a, F(1, 2), [F(1)])
    policy = pg.DeterministicPolicy([[F(2)]])
    for theta in (F(1, 8), F(1, 3)):
        identity = pg.theorems["deterministic"].sides(model, policy, [[theta]])
        assert identity.lhs.item() == identity.rhs.item() == 4 * (1 - 4 * theta)


def test_a_policy_whose_code_is_not_analytic_is_checked_by_differences():
    class Kinked(pg.DeterministicPolicy):
        shape = (1,)

        def actions(self, theta):
            return np.full((3, 1), float(np.abs(theta[0])))

    report = pg.verify(pg.models.load("thermostat", n_states=3), Kinked(), [0.4], samples=0)
    assert report.passed and report.context["differentiated_by"] == "finite differences"
    assert any("not analytic" in reason for _, reason in report.skipped)


def test_a_model_that_drops_complex_steps_is_checked_by_differences_where_it_gives_derivatives():
    def P(s, a):
        move = 1 / (1 + np.exp(-np.real(a[0])))
        return np.array([1 - move, move])

    def dP(s, a):
        move = P(s, a)[1]
        return np.array([[-1.0], [1.0]]) * move * (1 - move)

    model = pg.ContinuousActionMDP(P, lambda s, a: np.array([0.0, 1.0]), 0.5, [1.0, 0.0], dP=dP)
    report = pg.verify(model, pg.DeterministicPolicy(np.eye(2)), [[0.2], [0.4]], samples=0)
    assert report.passed, str(report)
    assert {c.route for c in report.checks if c.theorem == "deterministic"} == {"finite-difference"}


# ------------------------------------------------------------------------------------------------ densities


@pytest.mark.parametrize("kind", [pg.GaussianPolicy, pg.SquashedGaussianPolicy, pg.TruncatedGaussianPolicy])
@pytest.mark.parametrize("sigma", [0.4, None])
def test_densities_pass_the_claims_of_stochastic_policies(kind, sigma):
    model = pg.models.load("thermostat", n_states=4)
    theta = np.random.default_rng(1).normal(size=(4 + (sigma is None), 1)) / 2
    report = pg.verify(model, kind(np.eye(4), sigma), theta, samples=20_000)
    assert report.passed and report.count("FAIL") == 0, str(report)
    assert set(report.claims) == {"bellman", "recursion", "unrolling", "occupancy", "stochastic", "score-function"}
    assert report.context["quadrature_error"] <= 1e-11


def test_a_score_without_the_normaliser_of_a_truncated_density_fails(monkeypatch):
    monkeypatch.setattr(pg.TruncatedGaussianPolicy, "_local_score", pg.GaussianPolicy._local_score)
    report = pg.verify(pg.models.load("thermostat", n_states=3), pg.TruncatedGaussianPolicy(np.eye(3), 0.5),
                       np.full((3, 1), 0.8), theorems=["stochastic", "score-function", "recursion"], samples=0)
    assert {c.theorem for c in report.checks if c.verdict == "FAIL"} == {"stochastic", "score-function", "recursion"}


# ------------------------------------------------------------------------------------------------ wrong versions


def _weighted(problem, visits, slope):
    return problem.policy.pullback(problem.theta, visits[:, None] * slope)


def another_action(problem):
    solution = problem.solution
    return _weighted(problem, solution.d, solution.grad_Q_at(solution.actions + 0.3))


def without_transition_term(problem):
    """grad_a r alone: no gamma grad_a P V."""
    model, solution = problem.mdp, problem.solution
    myopic = pg.ContinuousActionMDP(model.P, model.R, 0.0, model.rho, model.action_dim, vectorized=True)
    return _weighted(problem, solution.d, pg.solve(myopic, solution.actions).grad_Q)


def without_constant(problem):
    return _weighted(problem, problem.solution.D, problem.solution.grad_Q)


def jacobian_transposed(problem):
    """Weights (k, S), read where (S, k) belong."""
    solution = problem.solution
    weights = (solution.d[:, None] * solution.grad_Q).T.reshape(solution.actions.shape)
    return problem.policy.pullback(problem.theta, weights)


def jacobian_summed_over_coordinates(problem):
    solution = problem.solution
    weights = solution.d[:, None] * solution.grad_Q
    return np.tensordot(weights.sum(axis=1), problem.policy.jacobian(problem.theta).sum(axis=1), axes=1)


def without_discount(problem):
    """States weighted as the stationary chain visits them."""
    law = np.linalg.matrix_power(problem.solution.P_pi, 2**20)[0]
    return _weighted(problem, law / (1 - problem.gamma), problem.solution.grad_Q)


WRONG = [another_action, without_transition_term, without_constant, jacobian_transposed, jacobian_summed_over_coordinates,
         without_discount]


def as_theorem(claim, *equations):
    altered = replace(claim, equations=lambda problem: [make(problem) for make in equations])
    return Theorem(claim.slug, "altered", "", (), "", "", altered)


def altered(wrong):
    return as_theorem(deterministic.CLAIM, lambda problem: Equation(
        "altered", "grad J", problem.along(wrong(problem)), problem.gradient_scale))


@pytest.mark.parametrize("wrong", WRONG, ids=lambda f: f.__name__)
def test_every_route_fails_a_wrong_theorem(wrong):
    model = random_continuous(4, 2, 11, gamma=0.8)
    policy = pg.DeterministicPolicy(np.random.default_rng(3).normal(size=(4, 2)))
    theta = np.array([[0.4, -0.3], [0.2, 0.6]])
    report = pg.verify(model, policy, theta, theorems=[altered(wrong)], samples=400_000, rng=7)
    assert {c.route: c.verdict for c in report.checks} == dict.fromkeys(
        ("complex-step", "finite-difference", "monte-carlo"), "FAIL"), str(report)
    right = pg.verify(model, policy, theta, theorems=["deterministic"], samples=400_000, rng=7)
    assert {c.verdict for c in right.checks} == {"PASS"}, str(right)


def test_exact_arithmetic_sees_wrong_theorems_as_unequal():
    for wrong in (another_action, without_constant):
        exactly = wrong if wrong is without_constant else (lambda problem: _weighted(
            problem, problem.solution.d, problem.solution.grad_Q_at(problem.solution.actions + F(1, 3))))
        report = pg.verify(*rational(), theorems=[altered(exactly)], samples=0)
        assert [(c.route, c.verdict) for c in report.checks] == [("exact", "FAIL")]


def test_wrong_recursions_unrollings_and_bellman_equations_fail():
    model, policy, theta = case(4)
    assert model.gamma > 0
    problem = problem_of(model, policy, theta)
    source, P_pi, scale = recursion.local_gradient(problem), problem.solution.P_pi, problem.gradient_scale
    beside = problem.solution.Q_at(problem.solution.actions + 0.1)
    wrong = as_theorem(
        deterministic_bellman.CLAIM,
        lambda p: Equation("no gamma", "grad V", lambda g: source + P_pi @ g, scale),
        lambda p: Equation("no remainder", "grad V", sum(unrolling.terms(problem, 3)), scale),
        lambda p: Equation("Q at another action", "V", beside, problem.value_scale),
        lambda p: Equation("no gamma in V", "given", problem.solution.r_pi + P_pi @ problem.solution.V, problem.value_scale,
                           lhs=problem.solution.V))
    report = pg.verify(model, policy, theta, theorems=[wrong], samples=0)
    assert {c.verdict for c in report.checks} == {"FAIL"} and len(report.checks) == 6, str(report)


def test_a_value_that_is_off_by_1e_6_is_caught(monkeypatch):
    right = pg.ContinuousSolution.V.func
    monkeypatch.setattr(pg.ContinuousSolution.V, "func", lambda self: right(self) * (1 + 1e-6))
    report = pg.verify(*case(0), theorems=["deterministic-bellman"], samples=0)
    assert report.count("FAIL") >= 2


# ------------------------------------------------------------------------------------------- who may be asked what


def test_claims_of_the_wrong_kind_are_refused_and_told_why():
    room, mu = pg.models.load("thermostat", n_states=2), pg.DeterministicPolicy(np.eye(2))
    finite, softmax = pg.models.load("start-matters"), pg.SoftmaxPolicy(2, 2)
    gaussian = pg.GaussianPolicy(np.eye(2), 0.2)
    zeros, action = np.zeros((2, 2)), np.zeros((2, 1))
    for ask in (lambda *x, slug: pg.verify(*x, theorems=[slug]), lambda *x, slug: pg.theorems[slug].sides(*x)):
        with pytest.raises(pg.PGTheoryError, match=r"'deterministic' differentiates Q\(s, a\) in the action.*finitely many.*"
                                                   "the claims for it are bellman, recursion"):
            ask(finite, softmax, zeros, slug="deterministic")
        with pytest.raises(pg.PGTheoryError, match="'stochastic' sums over the probabilities.*DeterministicPolicy.*no "
                                                   "probabilities.*occupancy, deterministic-bellman"):
            ask(room, mu, action, slug="stochastic")
        with pytest.raises(pg.PGTheoryError, match="'deterministic-recursion'.*GaussianPolicy.*a density"):
            ask(room, gaussian, action, slug="deterministic-recursion")
        with pytest.raises(pg.InvalidPolicyError, match="finitely many actions has no such derivative"):
            ask(finite, mu, action, slug="deterministic")
        with pytest.raises(pg.InvalidPolicyError, match="must choose actions in R"):
            ask(room, softmax, zeros, slug="stochastic")


def test_what_is_no_model_is_refused():
    with pytest.raises(pg.PGTheoryError, match="model is str: it must be an MDP or a ContinuousActionMDP"):
        pg.verify("thermostat", pg.DeterministicPolicy(np.eye(2)), np.zeros((2, 1)))


def test_a_claim_of_ones_own_is_verified_on_continuous_actions():
    slug = "test-action-advantage"

    @pg.theorem(slug)
    def performance_difference(model, policy, theta):
        """J(mu') - J(mu) = sum_s d'(s) (Q(s, mu'(s)) - V(s)) (Kakade & Langford 2002)."""
        old, new = (pg.solve(model, policy.actions(x)) for x in (np.asarray(theta), np.asarray(theta) + 0.5))
        return new.J - old.J, (new.d * (old.Q_at(new.actions) - old.V)).sum()

    try:
        assert pg.verify(*case(3), theorems=[slug]).passed
    finally:
        del pg.theorems._known[slug]


def test_the_derivative_has_every_route():
    model, policy, theta = case(1)
    gradient = pg.policy_gradient(model, policy, theta)
    for route in ("complex-step", "finite-difference"):
        value, error = pg.derivative(model, policy, theta, route=route)
        assert value.shape == gradient.shape and np.abs(value - gradient).max() <= error
    with pytest.raises(pg.UndefinedError, match="does not fit"):
        pg.derivative(model, policy, theta, route="exact")
    value, error = pg.derivative(*rational(), route="exact")
    assert error == 0 and (value == pg.policy_gradient(*rational())).all()


# ------------------------------------------------------------------------------------------------ the simulated gradient


def mean_by_series(sampler, survival=0.5, weight=0.5, terms=400):
    """(k,): the mean of a draw, both stopping times summed as powers of the transition law; no linear solve.

    T >= t has probability gamma^t; N >= t has probability gamma^(survival t), and the gain then counts gamma^(weight t).
    """
    chain, gamma, S = sampler.chain, sampler.gamma, len(sampler.known)
    step, gain = np.zeros((S, S)), np.zeros(S)
    np.add.at(step, (chain.states, chain.next_states), chain.probabilities)
    np.add.at(gain, chain.states, chain.probabilities * sampler.gains)
    law, D, V, later = chain.mdp.rho.astype(float), np.zeros(S), np.zeros(S), gain
    for t in range(terms):
        D += (1 - gamma) * gamma**t * law
        V += gamma ** ((survival + weight) * t) * later
        law, later = law @ step, step @ later
    drawn = sampler._next.probabilities * D[sampler._from]
    return (D @ sampler.known + gamma * (drawn * V[sampler._to]) @ sampler.ratio) / (1 - gamma)


BASELINES = {"exact": None, "none": 0, "constant": 7.5, "state": np.array([3.0, -1.0, 0.5, 2.0])}


def sampled(baseline, gamma=0.7, kind=0):
    rng = np.random.default_rng(5)
    model = random_continuous(4, 2, rng, gamma=gamma)
    policy = Network(rng.normal(size=(4, 2)), 2, 2) if kind else pg.DeterministicPolicy(rng.normal(size=(4, 3)))
    theta = rng.normal(size=policy.shape if kind else (3, 2)) / 2
    return DeterministicSampler(problem_of(model, policy, theta), BASELINES[baseline])


def left(sampler, gamma=0.7, kind=0):
    """The derivative of J by the complex step, which knows no theorem and no sampling."""
    rng = np.random.default_rng(5)
    model = random_continuous(4, 2, rng, gamma=gamma)
    policy = Network(rng.normal(size=(4, 2)), 2, 2) if kind else pg.DeterministicPolicy(rng.normal(size=(4, 3)))
    theta = rng.normal(size=policy.shape if kind else (3, 2)) / 2
    return sampler.mean(pg.derivative(model, policy, theta).value)


@pytest.mark.parametrize("kind", [0, 1])
@pytest.mark.parametrize("baseline", BASELINES)
def test_the_mean_of_a_draw_is_the_derivative_of_J_whatever_the_baseline(baseline, kind):
    """The series at gamma = 0.7 is cut at 0.7^400 = 1e-62; what remains is rounding."""
    sampler = sampled(baseline, kind=kind)
    gradient = left(sampler, kind=kind)
    np.testing.assert_allclose(mean_by_series(sampler), gradient, rtol=0, atol=1e-12 * max(np.abs(gradient).max(), 10.0))


def test_wrong_means_show_in_the_series():
    """Negative controls: gains not reweighted, N stopped with 1 - gamma, no 1/(1 - gamma), the baseline not put back. They
    miss by a thousandth at least, the right one by rounding."""
    sampler = sampled("none")
    gradient = left(sampler)
    wrong = [mean_by_series(sampler, weight=0.0), mean_by_series(sampler, survival=1.0), 0.3 * mean_by_series(sampler)]
    kept = sampled("state")
    kept.known = sampled("none").known
    wrong.append(mean_by_series(kept))
    assert min(np.abs(x - gradient).max() for x in wrong) > 1e-3 * np.abs(gradient).max()


@pytest.mark.parametrize("baseline", BASELINES)
def test_draws_average_the_series(baseline):
    """H0: the draws have the mean of the series. Hoeffding on the box, false alarm 1e-9."""
    sampler = sampled(baseline, gamma=0.4)
    n, k = 200_000, len(sampler.low)
    bound = (sampler.high - sampler.low) * np.sqrt(np.log(2 * k / FALSE_ALARM) / (2 * n))
    assert (np.abs(sampler.draw(n, 1).mean(axis=0) - mean_by_series(sampler)) <= bound).all()


@pytest.mark.parametrize("gamma", [0.0, 1e-300, 0.3, 0.7, 0.9])
def test_no_draw_leaves_the_box(gamma):
    """And the box lies within the bound that needs no look at the walk: (|known| + gamma TV gain / (1 - sqrt gamma)) /
    (1 - gamma)."""
    for baseline in BASELINES:
        sampler = sampled(baseline, gamma)
        X = sampler.draw(30_000, 4)
        assert (sampler.low <= X).all() and (sampler.high >= X).all()
        reach = np.abs(sampler.ratio).max(axis=0) * np.abs(sampler.gains).max() / (1 - np.sqrt(gamma))
        crude = (np.abs(sampler.known).max(axis=0) + gamma * reach) / (1 - gamma)
        assert (sampler.high <= crude * (1 + 1e-6) + 1e-9).all() and (sampler.low >= -crude * (1 + 1e-6) - 1e-9).all()


@pytest.mark.parametrize("time", ["T", "N"])
def test_stopping_times_off_by_one_show_in_the_draws(time, monkeypatch):
    """Negative control: T or N one too large is seen in the plain draws; the right ones are not called wrong (1e-9)."""
    from pgtheory.routes import deterministic_monte_carlo

    sampler = sampled("none")
    right, original = left(sampler), monte_carlo._failures
    assert sequential_test(sampler.draw, right, sampler.low, sampler.high, 0.01, 1e-9, 1e-9, 100_000).verdict != "FAIL"

    def one_more(p, n, rng):
        return original(p, n, rng) + ((p == 1 - sampler.gamma) == (time == "T"))

    monkeypatch.setattr(deterministic_monte_carlo, "_failures", one_more)
    wider = (sampler.high - sampler.low) / 2      # one more step may leave the box of the right draws
    assert sequential_test(sampler.draw, right, sampler.low - wider, sampler.high + wider, 0.01, 1e-9, 1e-9,
                           2_000_000).verdict == "FAIL"


def test_the_simulation_does_not_rest_on_the_solve():
    """V off by 30 % in the solution: the draws keep the mean, and the theorem side, which uses that V, FAILs."""
    model = pg.models.load("random-continuous")
    theta = np.random.default_rng(0).normal(size=(5, 2)) / 2
    problem = problem_of(model, pg.DeterministicPolicy(np.eye(5)), theta)
    gradient = pg.derivative(model, problem.policy, theta).value
    problem.solution.__dict__["V"] = problem.solution.V * np.array([1.3, 1.0, 0.7, 1.0, 1.3])
    sampler = DeterministicSampler(problem)
    mean = mean_by_series(sampler, terms=2000)
    np.testing.assert_allclose(mean, gradient.ravel(), rtol=0, atol=1e-10 * np.abs(gradient).max())
    wrong = _weighted(problem, problem.solution.d, problem.solution.grad_Q)
    assert sequential_test(sampler.draw, sampler.mean(wrong), sampler.low, sampler.high, 0.01, 1e-9, 1e-9,
                           400_000).verdict == "FAIL"


def test_states_follow_D():
    """H0: draws average D. Hoeffding, false alarm 1e-9."""
    model, policy, theta = case(3)
    problem = problem_of(model, policy, theta)
    sampler, n = StateSampler(problem), 100_000
    bound = np.sqrt(np.log(2 * model.n_states / FALSE_ALARM) / (2 * n))
    assert np.abs(sampler.draw(n, 0).mean(axis=0) - problem.solution.D).max() <= bound


def test_what_cannot_be_simulated_is_refused():
    policy = pg.DeterministicPolicy(np.eye(3))
    with pytest.raises(pg.UndefinedError, match="gamma = 1"):
        DeterministicSampler(problem_of(episodic(1), policy, np.zeros((3, 1))))
    model, exact_policy, _ = rational()
    x, y = sympy.symbols("x y")
    with pytest.raises(pg.NotExactError, match="symbolic"):
        DeterministicSampler(problem_of(model, exact_policy, np.array([[x], [y]])))
    with pytest.raises(pg.PGTheoryError, match=r"baseline has shape \(2,\)"):
        DeterministicSampler(problem_of(episodic(0.5), policy, np.zeros((3, 1))), np.zeros(2))
    with pytest.raises(pg.PGTheoryError, match="too many for one table"):
        DeterministicSampler(problem_of(episodic(0.5), policy, np.zeros((3, 1))), directions=np.zeros((3_000_000, 3, 1)))


# ------------------------------------------------------------------------------------------------ the command line


def test_the_command_line_runs_the_claim_alone_on_the_continuous_models(capsys):
    from pgtheory.cli import main

    assert main(["verify", "--theorem", "deterministic", "--samples", "0"]) == 0
    out = capsys.readouterr().out
    assert out.count("ContinuousActionMDP(") == 3 and "\nthermostat: " in "\n" + out
    assert "PASSED: 3 of 3 claims established on 3 models" in " ".join(out.split())
    assert main(["verify", "thermostat", "--gamma", "1/2", "--theorem", "deterministic", "--samples", "0"]) == 0
    assert "gamma=0.5" in capsys.readouterr().out
    assert main(["verify", "bandit", "--theorem", "deterministic"]) == 2
    assert "finitely many" in capsys.readouterr().err
    assert main(["models"]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("thermostat")] == [
        ["thermostat", "9", "continuous", "0.9"]]


# ------------------------------------------------------------------------------------------------ problems that end


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("T", [1, 4])
def test_the_theorem_of_a_problem_that_ends_holds_and_needs_the_time_in_q(seed, T):
    """With grad_a Q of the endless problem in the place of grad_a Q_t, every route says FAIL."""
    rng = np.random.default_rng(seed)
    model, policy, theta = random_continuous(4, 2, rng), pg.DeterministicPolicy(rng.normal(size=(4, 2))), rng.normal(size=(2, 2))
    problem = problem_of(model, policy, theta)
    equation, discounts = ending(problem, T), float(model.gamma) ** np.arange(T)
    visits = discounts @ pg.solve(model, policy.actions(theta), horizon=T).state_distribution
    endless = problem.along(policy.pullback(theta, visits[:, None] * problem.weights))
    assert np.abs(endless - equation.rhs).max() > 1e-3 * np.abs(equation.rhs).max()
    for route in (complex_step, finite_difference):
        assert judge("deterministic", equation, problem, route, 0.05).verdict == "PASS"
        assert judge("deterministic", replace(equation, rhs=endless), problem, route, 0.05).verdict == "FAIL"


def test_the_theorem_of_a_problem_that_ends_is_a_part_of_the_claim():
    report = pg.verify(*case(0), theorems=["deterministic"], samples=0)
    assert {c.part for c in report.checks} == {"grad mu grad_a Q", "grad mu grad_a Q_t, which ends after T = 3 steps"}
    exact = pg.verify(*rational(), theorems=["deterministic"], samples=0)
    assert [(c.kind, c.verdict) for c in exact.checks] == [("exact", "PASS")] * 2
