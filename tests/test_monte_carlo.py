"""The simulated gradient and state distribution: exact means by matrix powers, boxes, verdicts on right and wrong ones."""

import numpy as np
import pytest
import scipy.sparse

import pgtheory as pg
from pgtheory.checks.sequential import sequential_test
from pgtheory.differentiate import complex_step
from pgtheory.problems.finite import Problem
from pgtheory.routes.monte_carlo import GradientSampler, StateSampler, testable_directions
from pgtheory.trajectories.sampling import ChainSampler

FALSE_ALARM = 1e-9


class Logistic(pg.Policy):
    """A user's policy: probabilities alone."""

    shape = (2,)

    def probabilities(self, theta):
        p = 1 / (1 + np.exp(-(theta[0] + theta[1] * np.arange(3))))
        return np.stack([p, 1 - p], axis=-1)


def model(gamma, seed=0, S=3, A=2, deterministic=False):
    rng = np.random.default_rng(seed)
    P = np.eye(S)[rng.integers(0, S, (S, A))] if deterministic else rng.dirichlet(np.ones(S), size=(S, A))
    return pg.MDP(P, rng.standard_normal((S, A, S)), gamma, rng.dirichlet(np.ones(S)), normalize=True)


def problem_of(kind, gamma, seed=0):
    rng = np.random.default_rng(seed + 100)
    policy, theta = {
        "softmax": (pg.SoftmaxPolicy(3, 2), rng.standard_normal((3, 2))),
        "weights": (pg.SoftmaxPolicy(3, 2, weights=True), rng.random((3, 2)) + 0.1),
        "features": (pg.SoftmaxPolicy(features=rng.standard_normal((3, 2, 4))), rng.standard_normal(4)),
        "direct": (pg.DirectPolicy(3, 2), rng.dirichlet(np.ones(2), size=3)),
        "escort": (pg.EscortPolicy(3, 2, power=3), rng.random((3, 2)) + 0.2),
        "user": (Logistic(), rng.standard_normal(2)),
    }[kind]
    return Problem(model(gamma, seed), policy, theta)


def derivative(problem):
    """theta's shape: grad J by the complex step through the value; knows no theorem and no sampling."""
    rho = problem.mdp.rho
    directions = np.eye(problem.theta.size).reshape((-1,) + problem.theta.shape)
    return complex_step(lambda x: problem.V_at(x) @ rho, problem.policy.step, problem.theta, directions).reshape(
        problem.theta.shape)


def mean_by_series(sampler, survival=0.5, weight=0.5, terms=400):
    """(k,): the mean of a draw, summed over both stopping times as powers of the transition law; no linear solve.

    T >= t has probability gamma^t; N >= t has probability gamma^(survival t) and the reward then counts gamma^(weight t).
    """
    chain, gamma = sampler.chain, sampler.gamma
    S, A = chain.pi.shape
    step = np.zeros((S, S))
    np.add.at(step, (chain.states, chain.next_states), chain.probabilities)
    gain, following = np.zeros((S, A)), np.zeros((S, A, S))
    share = chain.probabilities / chain.pi[chain.states, chain.actions]
    np.add.at(gain, (chain.states, chain.actions), share * sampler.gains)
    np.add.at(following, (chain.states, chain.actions, chain.next_states), share)
    per_state = (chain.pi * gain).sum(axis=1)
    law, Q, later, D = chain.mdp.rho.astype(float), gain.copy(), per_state.copy(), np.zeros(S)
    for t in range(terms):
        D += (1 - gamma) * gamma**t * law
        law = law @ step
        Q += gamma ** (survival * (t + 1)) * gamma ** (weight * (t + 1)) * (following @ later)
        later = step @ later
    mean = np.einsum("s,sa,sak,sa->k", D, chain.pi, sampler.scores, Q + sampler.lead) + D @ sampler.offset
    return mean / (1 - gamma)


KINDS = ("softmax", "weights", "features", "direct", "escort", "user")
BASELINES = {
    "exact": None,
    "none": 0,
    "constant": 7.5,
    "state": np.array([3.0, -1.0, 0.5]),
    "action": np.array([[3.0, -1.0], [0.5, 2.0], [-4.0, 1.0]]),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("baseline", BASELINES)
def test_the_mean_of_a_draw_is_the_derivative_of_J_whatever_the_baseline(kind, baseline):
    """The series at gamma = 0.7 is truncated at 0.7^400 = 1e-62; what remains is rounding (finite differences for none)."""
    problem = problem_of(kind, 0.7)
    gradient = derivative(problem)
    sampler = GradientSampler(problem, BASELINES[baseline])
    scale = max(np.abs(gradient).max(), np.abs(np.asarray(sampler.offset)).max() / 0.3, 1.0)
    np.testing.assert_allclose(mean_by_series(sampler), sampler.mean(gradient), rtol=0, atol=1e-12 * scale)


def fork():
    """a0 leads to a state that pays 1 for ever, a1 to one that pays nothing: the gradient lies in the future alone."""
    P = np.zeros((3, 2, 3))
    P[0, 0, 1] = P[0, 1, 2] = P[1, :, 1] = P[2, :, 2] = 1
    return Problem(pg.MDP(P, [0.0, 1.0, 0.0], 0.5, 0), pg.SoftmaxPolicy(3, 2), [[0.3, 0.0], [0.0, 0.0], [0.0, 0.0]])


def test_wrong_means_show_in_the_series():
    """Negative controls: rewards not reweighted, N stopped with 1 - gamma, no 1/(1 - gamma), no offset under direct."""
    problem = fork()
    gradient, sampler = derivative(problem).reshape(-1), GradientSampler(problem, 0)
    scale = np.abs(gradient).max()
    np.testing.assert_allclose(mean_by_series(sampler), gradient, atol=1e-13)
    wrong = [mean_by_series(sampler, weight=0.0), mean_by_series(sampler, survival=1.0), 0.5 * mean_by_series(sampler)]
    direct = problem_of("direct", 0.7)
    no_offset = GradientSampler(direct, BASELINES["state"])
    no_offset.offset = np.zeros_like(no_offset.offset)
    assert min(np.abs(x - gradient).max() for x in wrong) > 0.05 * scale
    assert np.abs(mean_by_series(no_offset) - derivative(direct).reshape(-1)).max() > 0.05


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("baseline", ["exact", "none", "action"])
def test_draws_average_the_series(kind, baseline):
    """H0: the draws have the mean of the series. Hoeffding on the box, false alarm 1e-9."""
    sampler = GradientSampler(problem_of(kind, 0.4), BASELINES[baseline])
    n, k = 200_000, len(sampler.low)
    X = sampler.draw(n, 1)
    bound = (sampler.high - sampler.low) * np.sqrt(np.log(2 * k / FALSE_ALARM) / (2 * n))
    assert (np.abs(X.mean(axis=0) - mean_by_series(sampler)) <= bound + 1e-12).all()


@pytest.mark.parametrize("time", ["T", "N"])
def test_stopping_times_off_by_one_show_in_the_draws(time, monkeypatch):
    """Negative control: T or N one too large is seen in the plain draws. The right ones are not called wrong (1e-9)."""
    from pgtheory.routes import monte_carlo

    problem = fork()
    sampler = GradientSampler(problem, 0)
    right, original = mean_by_series(sampler), monte_carlo._failures
    assert sequential_test(sampler.draw, right, sampler.low, sampler.high, 0.01, 1e-9, 1e-9, 100_000).verdict != "FAIL"

    def one_more(p, n, rng):
        return original(p, n, rng) + ((p == 1 - problem.gamma) == (time == "T"))

    monkeypatch.setattr(monte_carlo, "_failures", one_more)
    wider = (sampler.high - sampler.low) / 2      # one more step may leave the box of the right draws
    assert sequential_test(sampler.draw, right, sampler.low - wider, sampler.high + wider, 0.01, 1e-9, 1e-9,
                           100_000).verdict == "FAIL"


def test_directions_see_the_same_draws():
    """With one seed, draws along a direction are the coordinate draws times it."""
    problem = problem_of("features", 0.6)
    directions = np.random.default_rng(0).standard_normal((3, 4))
    along = GradientSampler(problem, directions=directions)
    coordinates = GradientSampler(problem)
    np.testing.assert_allclose(along.draw(1000, 5), coordinates.draw(1000, 5) @ directions.T, atol=1e-12)
    np.testing.assert_allclose(along.mean([1.0, 2.0, 3.0, 4.0]), directions @ [1.0, 2.0, 3.0, 4.0])


def test_tabular_scores_are_those_of_the_whole_jacobian():
    for kind in ("softmax", "weights", "direct", "escort"):
        problem = problem_of(kind, 0.5)
        sampler = GradientSampler(problem)
        jacobian = problem.policy.jacobian(problem.theta).reshape(3, 2, 6)
        np.testing.assert_allclose(sampler.scores, jacobian / problem.pi[:, :, None], atol=1e-14)


def test_a_sparse_model_gives_the_draws_of_the_dense_one():
    dense = model(0.8)
    P, R = (scipy.sparse.csr_array(x.reshape(6, 3)) for x in (dense.P, dense.R))
    sparse = pg.MDP(P, R, 0.8, dense.rho)
    theta = np.random.default_rng(1).standard_normal((3, 2))
    a, b = (GradientSampler(Problem(m, pg.SoftmaxPolicy(3, 2), theta), directions=np.eye(6).reshape(6, 3, 2))
            for m in (dense, sparse))
    np.testing.assert_allclose(a.draw(500, 2), b.draw(500, 2), atol=1e-10)
    np.testing.assert_allclose(np.r_[a.low, a.high], np.r_[b.low, b.high], rtol=1e-3)


# ------------------------------------------------------------------------------------------------------------ the box


def inside(X, sampler):
    return np.all(sampler.low <= X) and np.all(sampler.high >= X)


@pytest.mark.parametrize("kind", KINDS)
def test_no_draw_leaves_the_box(kind):
    """Two million draws over discounts and baselines; and the box lies within the bound that needs no look at the model,
    max |score| r_max / (1 - gamma) / (1 - sqrt gamma)."""
    for gamma in (0.0, 0.3, 0.7, 0.9):
        for baseline in ("exact", "none", "action"):
            sampler = GradientSampler(problem_of(kind, gamma, seed=3), BASELINES[baseline])
            X = sampler.draw(30_000, 4)
            assert inside(X, sampler)
        plain = GradientSampler(problem_of(kind, gamma, seed=3), 0)
        r_max = np.abs(plain.chain.rewards).max()
        crude = np.abs(plain.scores).max(axis=(0, 1)) * r_max / ((1 - gamma) * (1 - np.sqrt(gamma)))
        assert (plain.high <= crude * (1 + 1e-9)).all() and (plain.low >= -crude * (1 + 1e-9)).all()


def test_the_box_is_attained():
    """s0 pays 1, s1 pays 2 and ends: the largest Q-hat is 1 + 2 sqrt(gamma), drawn with positive probability. The score of
    the action taken is 1/2, D-draws in s0 carry it over 1 - gamma."""
    gamma = 0.25
    P = np.zeros((3, 2, 3))
    P[0, :, 1] = P[1, :, 2] = P[2, :, 2] = 1
    mdp = pg.MDP(P, [[1.0, 1.0], [2.0, 2.0], [0.0, 0.0]], gamma, 0)
    sampler = GradientSampler(Problem(mdp, pg.SoftmaxPolicy(3, 2), np.zeros((3, 2))), 0)
    X = sampler.draw(10_000, 0)
    np.testing.assert_allclose(X.max(axis=0)[:2], 0.5 * (1 + 2 * 0.5) / 0.75, rtol=1e-12)
    np.testing.assert_allclose(X.max(axis=0), sampler.high, rtol=2e-6, atol=2e-6)
    np.testing.assert_allclose(X.min(axis=0), sampler.low, rtol=2e-6, atol=2e-6)
    assert (sampler.high[:2] < 0.51 * 0.5 * 2 / (0.75 * 0.5)).all()      # half of r_max / (1 - sqrt(gamma))


def test_unreachable_states_do_not_widen_the_box():
    """A state that the walk never enters, with a reward of a million, leaves the box as it is; its own coordinates are 0."""
    P = np.zeros((2, 2, 2))
    P[0, :, 0] = P[1, :, 1] = 1
    boxes = []
    for reward in (0.0, 1e6):
        mdp = pg.MDP(P, [[1.0, 0.0], [reward, 0.0]], 0.5, 0)
        sampler = GradientSampler(Problem(mdp, pg.SoftmaxPolicy(2, 2), np.zeros((2, 2))), 0)
        boxes.append(np.stack([sampler.low, sampler.high]))
    np.testing.assert_allclose(boxes[0], boxes[1], rtol=1e-2, atol=1e-6)
    np.testing.assert_allclose(boxes[1][:, 2:], 0, atol=1e-6)


def test_with_the_exact_control_variate_deterministic_transitions_leave_no_later_noise():
    """gains = r + gamma V(s') - Q(s, a) = 0: the box does not grow with 1 / (1 - sqrt gamma)."""
    problem = Problem(model(0.99, deterministic=True), pg.SoftmaxPolicy(3, 2), np.zeros((3, 2)))
    exact, plain = GradientSampler(problem), GradientSampler(problem, 0)
    assert np.abs(exact.gains).max() < 1e-11
    advantage = np.abs(problem.solution.A).max()
    assert (exact.high - exact.low).max() <= 2 * advantage / 0.01 * (1 + 1e-6)
    assert (plain.high - plain.low).max() > 20 * (exact.high - exact.low).max()


# ------------------------------------------------------------------------------------------------- edges and refusals


@pytest.mark.parametrize("gamma", [0.0, 1e-300, 1e-17, 1e-8])
def test_vanishing_discounts(gamma):
    """H0: the mean is the gradient. Hoeffding on the box, false alarm 1e-9."""
    problem = problem_of("softmax", gamma)
    sampler, n = GradientSampler(problem), 100_000
    X = sampler.draw(n, 0)
    bound = (sampler.high - sampler.low) * np.sqrt(np.log(12 / FALSE_ALARM) / (2 * n))
    assert np.isfinite(X).all() and sampler.cost == pytest.approx(1, abs=1e-3)
    assert (np.abs(X.mean(axis=0) - derivative(problem).reshape(-1)) <= bound).all()


def test_the_cost_is_the_mean_number_of_transitions(monkeypatch):
    """H0: transitions per draw average ``cost``. Their standard deviation is below 2 / (1 - sqrt gamma); six of its standard
    errors, false alarm 2e-9."""
    sampler, moved, n = GradientSampler(problem_of("softmax", 0.9), 0), [], 50_000
    original = ChainSampler.walk

    def counted(self, states, steps, *args):
        moved.append(steps.sum())
        return original(self, states, steps, *args)

    monkeypatch.setattr(ChainSampler, "walk", counted)
    sampler.draw(n, 0)
    assert abs(1 + sum(moved) / n - sampler.cost) <= 6 * 2 / (1 - np.sqrt(0.9)) / np.sqrt(n)


def test_undiscounted_problems_are_undefined():
    mdp = pg.MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [1.0, 0.0], 1.0, 0)
    problem = Problem(mdp, pg.SoftmaxPolicy(2, 1), np.zeros((2, 1)))
    for sampler in (GradientSampler, StateSampler):
        with pytest.raises(pg.UndefinedError, match="gamma = 1"):
            sampler(problem)


def test_exact_problems_are_simulated_in_floats_and_symbolic_ones_refused():
    from fractions import Fraction

    half = Fraction(1, 2)
    mdp = pg.MDP([[[half, half], [0, 1]], [[1, 0], [0, 1]]], [[1, 2], [3, 4]], half, 0)
    w = np.array([[Fraction(1), Fraction(2)], [Fraction(3), Fraction(1)]], dtype=object)
    problem = Problem(mdp, pg.SoftmaxPolicy(2, 2, weights=True), w)
    sampler = GradientSampler(problem)
    gradient = pg.policy_gradient(mdp, problem.policy, w)
    np.testing.assert_allclose(mean_by_series(sampler), sampler.mean(gradient), atol=1e-13)

    from sympy import QQ
    from sympy.polys.fields import field

    _, x = field("x", QQ)
    symbolic = Problem(mdp, pg.SoftmaxPolicy(2, 2, weights=True), np.array([[x, x + 1], [x, x + 2]], dtype=object))
    for refuses in (GradientSampler, StateSampler):
        with pytest.raises(pg.NotExactError, match="symbolic"):
            refuses(symbolic)


def test_an_action_without_probability_but_with_a_slope_is_undefined():
    problem = Problem(model(0.5), pg.DirectPolicy(3, 2), [[1.0, 0.0], [0.5, 0.5], [0.5, 0.5]])
    with pytest.raises(pg.UndefinedError, match=r"pi\[0, 1\] is 0"):
        GradientSampler(problem)
    nearly = Problem(model(0.5), pg.SoftmaxPolicy(3, 2), [[0.0, -2000.0], [0.0, 0.0], [0.0, 0.0]])
    assert nearly.pi[0, 1] == 0 and np.isfinite(GradientSampler(nearly).draw(100, 0)).all()


def test_scores_too_large_for_floats_are_undefined():
    problem = Problem(model(0.5), pg.DirectPolicy(3, 2), [[1.0, 5e-324], [0.5, 0.5], [0.5, 0.5]])
    with pytest.raises(pg.UndefinedError, match="overflows"):
        GradientSampler(problem)


@pytest.mark.parametrize("deterministic", [True, False])
def test_roundings_do_not_push_a_draw_out_of_the_box(deterministic):
    """Rewards from 1e-8 to 1e8 in one model, gamma up to 0.999, gains that are pure rounding: still inside."""
    for seed, gamma in ((0, 0.5), (1, 0.95), (2, 0.999)):
        mdp = model(gamma, seed, deterministic=deterministic)
        for size in (1e-8, 1.0, np.array([1e-8, 1.0, 1e8])[:, None, None]):
            problem = Problem(pg.MDP(mdp.P, mdp.R * size, gamma, mdp.rho), pg.SoftmaxPolicy(3, 2), np.eye(3)[:, :2])
            for baseline in (None, 0):
                sampler = GradientSampler(problem, baseline)
                X = sampler.draw(1000, seed)
                assert inside(X, sampler)


@pytest.mark.parametrize(("baseline", "words"), [
    (np.zeros(2), r"baseline has shape \(2, 1\)"), (np.zeros((2, 3)), "baseline has shape"), (np.nan, "baseline is nan"),
])
def test_bad_baselines_are_refused(baseline, words):
    with pytest.raises(pg.PGTheoryError, match=words):
        GradientSampler(problem_of("softmax", 0.5), baseline)


def test_large_tables_need_few_directions():
    """1200 states x 4 actions: all 4800 coordinates are refused, 8 random signs work and average the right thing."""
    S, A = 1200, 4
    following = (np.arange(S)[:, None] * np.array([2, 3, 5, 7]) + 1) % S
    P = scipy.sparse.csr_array((np.ones(S * A), following.reshape(-1), np.arange(S * A + 1)), shape=(S * A, S))
    mdp = pg.MDP(P, np.sin(np.arange(S * A)).reshape(S, A), 0.5, np.full(S, 1 / S))
    problem = Problem(mdp, pg.SoftmaxPolicy(S, A), np.zeros((S, A)))
    directions = testable_directions(problem, 8)
    with pytest.raises(pg.PGTheoryError, match="testable_directions"):
        GradientSampler(problem, directions=np.broadcast_to(1.0, (S * A, S, A)))
    sampler = GradientSampler(problem, directions=directions)
    gradient = pg.policy_gradient(mdp, problem.policy, problem.theta)
    assert sampler.draw(100, 0).shape == (100, 8)
    right = sequential_test(sampler.draw, sampler.mean(gradient), sampler.low, sampler.high, 0.02, 1e-9, 1e-3, 100_000)
    wrong = sequential_test(sampler.draw, sampler.mean(-gradient), sampler.low, sampler.high, 0.02, 1e-9, 1e-3, 400_000)
    assert right.verdict != "FAIL" and wrong.verdict == "FAIL"


def test_testable_directions_are_coordinates_or_signs():
    problem = problem_of("softmax", 0.5)
    np.testing.assert_array_equal(testable_directions(problem, 6).reshape(6, 6), np.eye(6))
    signs = testable_directions(problem, 5, rng=1)
    assert signs.shape == (5, 3, 2) and (np.abs(signs) == 1).all()
    np.testing.assert_array_equal(signs, testable_directions(problem, 5, rng=1))


# ----------------------------------------------------------------------------------------------------- wrong theorems


def theorem(problem, constant=None, weights=None, Q=None, pi=None):
    """The right side of the theorem, with one part of it replaced."""
    solution = problem.solution
    pi = solution.pi if pi is None else pi
    Q = solution.Q if Q is None else Q
    weights = solution.D if weights is None else weights
    constant = 1 / (1 - problem.gamma) if constant is None else constant
    return constant * problem.policy.pullback(problem.theta, weights[:, None] * Q)


def undiscounted_weights(problem):
    """Visits without gamma^t, over the mean horizon of the discounted ones, normalised like D."""
    P_pi, horizon = problem.solution.P_pi, int(1 / (1 - problem.gamma))
    laws = [problem.mdp.rho @ np.linalg.matrix_power(P_pi, t) for t in range(horizon, 10 * horizon)]
    return np.mean(laws, axis=0)


MUTANTS = {
    "sign flipped": lambda p: -theorem(p),
    "without 1/(1 - gamma)": lambda p: theorem(p, constant=1.0),
    "without gamma^t": lambda p: theorem(p, weights=undiscounted_weights(p)),
    "V of another policy": lambda p: theorem(p, Q=pg.solve(p.mdp, np.tile([0.95, 0.05], (3, 1))).Q),
    "next reward lost": lambda p: theorem(p, Q=p.mdp.r),
    "P transposed": lambda p: theorem(p, weights=(1 - p.gamma) * p.solution.resolvent(p.mdp.rho)),
}


def distinct_problem(kind="softmax"):
    """The start state pays and is soon left: every part of the theorem matters."""
    P = [[[0.1, 0.9, 0.0], [0.6, 0.2, 0.2]], [[0.0, 0.2, 0.8], [0.1, 0.8, 0.1]], [[0.0, 0.1, 0.9], [0.3, 0.0, 0.7]]]
    mdp = pg.MDP(P, [[2.0, -1.0], [0.0, 1.0], [-1.0, 0.5]], 0.8, 0, normalize=True)
    if kind == "direct":
        return Problem(mdp, pg.DirectPolicy(3, 2), np.full((3, 2), 0.5))
    return Problem(mdp, pg.SoftmaxPolicy(3, 2), [[0.3, 0.0], [0.0, -0.2], [0.1, 0.0]])


def verdict(problem, gradient, budget=400_000, rng=0, sampler=None):
    sampler = GradientSampler(problem) if sampler is None else sampler
    target = sampler.mean(gradient)
    tolerance = 0.05 * np.abs(sampler.mean(theorem(problem))).max()
    return sequential_test(sampler.draw, target, sampler.low, sampler.high, tolerance, 1e-9, 1e-6, budget, rng)


def test_the_right_theorem_passes():
    """H0: the theorem holds; false FAIL 1e-9. A PASS is not guaranteed, the budget was chosen for it."""
    result = verdict(distinct_problem(), theorem(distinct_problem()))
    assert result.verdict == "PASS" and result.n < 400_000
    assert (result.resolution <= result.tolerance).all()


@pytest.mark.parametrize("name", MUTANTS)
def test_wrong_theorems_fail(name):
    """H1: a mutant of the theorem, off by more than the tolerance. That it passes has probability at most 1e-6."""
    problem = distinct_problem()
    result = verdict(problem, MUTANTS[name](problem))
    assert result.verdict == "FAIL" and "coordinate" in result.reason


def test_the_advantage_under_the_direct_parameterisation_fails_and_under_softmax_does_not():
    direct, softmax = distinct_problem("direct"), distinct_problem()
    assert verdict(direct, theorem(direct, Q=direct.solution.A)).verdict == "FAIL"
    assert verdict(direct, theorem(direct)).verdict != "FAIL"
    assert verdict(softmax, theorem(softmax, Q=softmax.solution.A), budget=50_000).verdict != "FAIL"


def test_a_wrong_solve_cannot_hide_behind_its_own_control_variate():
    """The target and the control variate both come from a solve with P transposed (rows renormalised); the simulation walks
    the true P: FAIL."""
    problem = distinct_problem()
    turned = pg.MDP(problem.mdp.P.transpose(2, 1, 0), problem.mdp.R, 0.8, 0, normalize=True)
    wrong = pg.solve(turned, problem.pi)
    sampler = GradientSampler(problem, baseline=wrong.Q)
    gradient = theorem(problem, weights=wrong.D, Q=wrong.Q)
    assert verdict(problem, gradient, sampler=sampler).verdict == "FAIL"
    assert verdict(problem, theorem(problem), sampler=sampler, budget=50_000).verdict != "FAIL"


# -------------------------------------------------------------------------------------------------- state distribution


def D_by_series(problem, terms=600):
    P_pi = np.einsum("sa,sat->st", problem.pi, problem.mdp.P)
    law, D = problem.mdp.rho.copy(), 0.0
    for t in range(terms):
        D = D + (1 - problem.gamma) * problem.gamma**t * law
        law = law @ P_pi
    return D


@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.9])
def test_states_follow_D(gamma):
    """H0: the draws average D, by its series. Hoeffding, false alarm 1e-9. The control: the start distribution."""
    problem = problem_of("softmax", gamma, seed=5)
    sampler, n = StateSampler(problem), 200_000
    X = sampler.draw(n, 0)
    bound = np.sqrt(np.log(6 / FALSE_ALARM) / (2 * n))
    assert X.shape == (n, 3) and (X.sum(axis=1) == 1).all()
    assert np.abs(X.mean(axis=0) - D_by_series(problem)).max() <= bound
    assert gamma == 0 or np.abs(X.mean(axis=0) - problem.mdp.rho).max() > bound


def test_halves_of_many_states():
    problem = Problem(model(0.8, S=12), pg.SoftmaxPolicy(12, 2), np.zeros((12, 2)))
    sampler = StateSampler(problem, at_most=5, rng=3)
    D = D_by_series(problem)
    result = sequential_test(sampler.draw, sampler.mean(D), sampler.low, sampler.high, 0.02, 1e-9, 1e-6, 100_000)
    wrong = sequential_test(sampler.draw, sampler.mean(D[::-1]), sampler.low, sampler.high, 0.001, 1e-9, 1e-6, 400_000)
    assert sampler.members.shape == (12, 5) and result.verdict == "PASS" and wrong.verdict == "FAIL"


def test_states_that_cannot_be_reached_are_known_not_to_be():
    P = np.zeros((3, 1, 3))
    P[0, 0, 1] = P[1, 0, 0] = P[2, 0, 2] = 1
    problem = Problem(pg.MDP(P, np.zeros(3), 0.5, 0), pg.SoftmaxPolicy(3, 1), np.zeros((3, 1)))
    sampler = StateSampler(problem)
    np.testing.assert_array_equal(sampler.high, [1, 1, 0])
    claim = sequential_test(sampler.draw, [2 / 3, 1 / 3 - 0.01, 0.01], sampler.low, sampler.high, 0.1, 1e-9, 1e-6, 1000)
    assert claim.verdict == "FAIL" and claim.n == 0 and "outside" in claim.reason
