"""The claims about trajectories: equal in Fractions on generated models, within bounds in floats, and wrong versions FAIL.

The generated models are those of ``episodic.py``: S <= 3, A = 2, terminal states and gamma = 1 now and then.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from episodic import as_floats, bandit, corridor, equal, exact_gradient, exact_mdp, expected_return, fractions, problems, simplex

import pgtheory as pg
from pgtheory.checks.catalogue import Theorem
from pgtheory.claims import baseline, eglp, log_derivative, surrogate_loss, trajectory_score
from pgtheory.claims.episodes import ENTRIES, TRAJECTORIES, Episodes, episodes_of
from pgtheory.claims.equation import Equation
from pgtheory.claims.long_episodes import LongEpisodes
from pgtheory.differentiate import exact_derivative
from pgtheory.estimators import GAE, Reinforce, RewardToGo
from pgtheory.horizon import evaluate_horizon
from pgtheory.problems import finite as problem_module
from pgtheory.problems.finite import Problem
from pgtheory.problems.slopes import slopes_along
from pgtheory.trajectories import bounded
from pgtheory.trajectories.bounded import EpisodeSampler, EpisodeWeights
from pgtheory.trajectories.enumeration import count_trajectories
from pgtheory.trajectories.likelihood import trajectory_score as score_of
from pgtheory.trajectories.scores import score_sums

SLUGS = ("trajectory-score", "log-derivative", "surrogate-loss", "reward-to-go", "baseline", "eglp")
ON_THE_SIMPLEX = {"log-derivative", "baseline", "eglp"}


def ends(mdp, policy, theta, _):
    """Whether the problem without horizon exists too, as verify asks."""
    try:
        return bool(pg.solve(mdp, policy.probabilities(theta)).J is not None)
    except pg.UndefinedError:
        return False


CASES = [case for case in problems(12, seed=1) if ends(*case)][:8]
every_case = pytest.mark.parametrize("case", range(len(CASES)))


def stepping(exact=True):
    """Two states, no end, gamma = 7/10, rewards that depend on (s, a, s'): every wrong version below is wrong here."""
    mdp = exact_mdp(np.random.default_rng(40), 2, 2, Fraction(7, 10), terminal=False)
    policy, theta = pg.SoftmaxPolicy(2, 2, weights=True), fractions([[1, 2], [3, 1]])
    return (mdp, policy, theta) if exact else (as_floats(mdp), policy, theta.astype(float))


# ------------------------------------------------------------------------------------------------ the claims hold


def test_the_generated_problems_are_eight_and_one_has_gamma_1():
    assert len(CASES) == 8 and any(mdp.gamma == 1 for mdp, *_ in CASES)


@every_case
def test_every_claim_is_an_equality_of_fractions(case):
    mdp, policy, theta, _ = CASES[case]
    report = pg.verify(mdp, policy, theta, theorems=SLUGS, samples=0)
    assert report.passed, str(report)
    assert {c.kind for c in report.checks} == {"exact"} and {c.theorem for c in report.checks} == set(SLUGS)
    assert all(1 <= len(checks) <= 3 for checks in report.claims.values())


@every_case
def test_every_claim_passes_within_its_bounds_in_floats(case):
    mdp, policy, theta, _ = CASES[case]
    report = pg.verify(as_floats(mdp), policy, theta.astype(float), theorems=SLUGS, samples=0)
    assert report.passed and report.count("INCONCLUSIVE") == 0, str(report)
    assert {(c.theorem, c.route) for c in report.checks} >= {
        (slug, route) for slug in SLUGS for route in ("complex-step", "finite-difference")}
    assert max(c.bound / np.abs(c.lhs).max() for c in report.checks
               if c.theorem == "log-derivative" and c.route == "complex-step" and np.abs(c.lhs).max() > 1e-3) < 1e-7


@every_case
def test_both_sides_are_the_gradient_of_the_sum_over_trajectories(case):
    """A third way: J as a sum over trajectories, differentiated in dual numbers by the tests' own code."""
    mdp, policy, theta, _ = CASES[case]
    T = episodes_of(Problem(mdp, policy, theta, complete=True)).horizon
    for slug in ("log-derivative", "reward-to-go", "baseline"):
        identity = pg.theorems[slug].sides(mdp, policy, theta)
        assert identity.lhs == identity.rhs
        assert equal(identity.rhs, exact_gradient(mdp, policy, theta, T)), slug


@pytest.mark.parametrize("slug", [slug for slug in SLUGS if slug != "surrogate-loss"])
def test_both_sides_are_equal_for_all_weights_of_the_softmax_policy(slug):
    from sympy import QQ
    from sympy.polys.fields import field

    _, *w = field("a, b, c, d", QQ)
    mdp = exact_mdp(np.random.default_rng(4), 2, 2, terminal=False)
    identity = pg.theorems[slug].sides(mdp, pg.SoftmaxPolicy(2, 2, weights=True), np.array(w, dtype=object).reshape(2, 2))
    assert identity.lhs == identity.rhs and identity.lhs.shape[-2:] == (2, 2)
    assert slug == "eglp" or any(x != 0 for x in identity.lhs.flat)


@pytest.mark.parametrize("policy, theta", [
    (pg.SoftmaxPolicy(2, 2), [[0.3, -2.0], [1.0, 0.0]]),
    (pg.SoftmaxPolicy(features=[[[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [-1.0, 2.0]]]), [0.3, -0.7]),
    (pg.EscortPolicy(2, 2), [[1.0, -2.0], [0.5, 0.25]]),
])
def test_every_policy_class_passes(policy, theta):
    report = pg.verify(stepping(exact=False)[0], policy, theta, theorems=SLUGS, samples=0)
    assert report.passed and {c.theorem for c in report.checks} == set(SLUGS), str(report)


def test_a_nearly_deterministic_policy_is_never_called_wrong():
    """Gradients of 1e-17 drown in the bound: the verdict may be INCONCLUSIVE, and is not FAIL."""
    report = pg.verify(stepping(exact=False)[0], pg.SoftmaxPolicy(2, 2), [[0.0, 40.0], [-200.0, 0.0]], theorems=SLUGS, samples=0)
    assert report.count("FAIL") == 0 and {c.theorem for c in report.checks} == set(SLUGS)


def test_a_policy_of_ones_own_that_takes_no_stacks_passes():
    class Logistic(pg.Policy):
        shape = (2,)

        def probabilities(self, theta):
            p = 1 / (1 + np.exp(-theta))
            return np.stack([p, 1 - p], axis=1)

    report = pg.verify(stepping(exact=False)[0], Logistic(), [0.3, -1.0], theorems=SLUGS, samples=0)
    assert report.passed and {c.route for c in report.checks} == {"linear-algebra", "complex-step", "finite-difference"}


def test_sparse_models_pass_alike():
    import scipy.sparse

    mdp, policy, theta = stepping(exact=False)
    sparse = pg.MDP(scipy.sparse.csr_array(mdp.P.reshape(4, 2)), scipy.sparse.csr_array(mdp.R.reshape(4, 2)), mdp.gamma,
                    mdp.rho)
    a, b = (pg.verify(m, policy, theta, theorems=SLUGS, samples=2000) for m in (mdp, sparse))
    assert [(c.part, c.route, c.verdict) for c in a.checks] == [(c.part, c.route, c.verdict) for c in b.checks]


def test_gamma_1_is_allowed():
    report = pg.verify(corridor(), pg.SoftmaxPolicy(4, 2), np.zeros((4, 2)), theorems=SLUGS, samples=0)
    assert report.passed and {c.theorem for c in report.checks} == set(SLUGS)


def test_gradients_of_a_long_theta_are_compared_along_random_directions():
    """60 x 2 parameters of which the claim is told 16 directions: a wrong gradient is orthogonal to all with probability 0."""
    rng = np.random.default_rng(0)
    P = np.eye(60)[rng.integers(0, 60, (60, 2))]
    mdp = pg.MDP(P, rng.normal(size=(60, 2)), 0.9, 0)
    problem = Problem(mdp, pg.SoftmaxPolicy(60, 2), rng.normal(size=(60, 2)), complete=False)
    assert len(problem.directions) == 16
    for claim in (log_derivative.CLAIM, eglp.CLAIM, trajectory_score.CLAIM, surrogate_loss.CLAIM):
        theorem = Theorem(claim.slug, "", "", (), "", "", claim)
        assert {c.verdict for c in checks_of(theorem, problem)} == {"PASS"}


def checks_of(theorem, problem):
    from pgtheory.checks.judge import judge, judge_given
    from pgtheory.routes import complex_step, finite_difference

    for equation in theorem.claim.equations(problem):
        if equation.kind == "given":
            yield judge_given(theorem.slug, equation, problem, 0.05)
        else:
            yield from (judge(theorem.slug, equation, problem, route, 0.05) for route in (complex_step, finite_difference))


# -------------------------------------------------------------------------------------------- where they do not apply


@pytest.mark.parametrize("exact", [True, False])
def test_the_direct_parameterisation_is_checked_along_the_simplex(exact):
    """Score, surrogate and plain reward-to-go hold for every entry of theta; what needs sum_a grad pi = 0, along directions."""
    mdp, theta = stepping(exact)[0], simplex(np.random.default_rng(0), (2, 2))
    report = pg.verify(mdp, pg.DirectPolicy(2, 2), theta if exact else theta.astype(float), theorems=SLUGS, samples=0)
    assert report.passed and not report.skipped, str(report)
    assert {c.theorem for c in report.checks} == set(SLUGS) and report.count("INCONCLUSIVE") == 0
    assert {c.theorem for c in report.checks if "along the simplex" in c.part} == ON_THE_SIMPLEX | {"reward-to-go", "surrogate-loss"}
    assert {c.theorem for c in report.checks if "along the simplex" not in c.part} >= set(SLUGS) - {"baseline", "eglp"}


@pytest.mark.parametrize("A", [1, 2, 3])
def test_directions_of_the_simplex_are_the_gradient_less_the_mean_of_its_row(A):
    """For the direct parameterisation, by hand: unit vectors less the mean of their row, and J as a sum over trajectories."""
    mdp, theta = exact_mdp(np.random.default_rng(5), 2, A, terminal=False), simplex(np.random.default_rng(6), (2, A))
    policy = pg.DirectPolicy(2, A)
    T = episodes_of(Problem(mdp, policy, theta, complete=True)).horizon
    inward = A * np.eye(2 * A, dtype=int).reshape(2 * A, 2, A)
    inward -= inward.sum(axis=2, keepdims=True) // A                 # A times the projection of every unit vector

    def J(x):
        return np.array(expected_return(mdp, policy.probabilities(x), T), dtype=object)

    within = fractions(np.zeros((2, A)))
    within.flat = [exact_derivative(J, policy.step, theta, u)[()] / A for u in inward]
    for slug in ("log-derivative", "baseline"):
        identity = pg.theorems[slug].sides(mdp, policy, theta)
        assert identity.lhs == identity.rhs and equal(identity.lhs, within), slug


def test_a_table_of_ones_own_that_leaves_the_simplex_is_checked_along_it():
    """theta = 3 pi in one state and 5 pi in the other: the rows of the slopes of the sums are (1/3, 1/3) and (1/5, 1/5)."""
    class Scaled(pg.Policy):
        shape, tabular, normalised, vectorized = (2, 2), True, False, True

        def probabilities(self, theta):
            return theta / np.array([[3.0], [5.0]])

    theta = np.array([[1.0, 2.0], [4.0, 1.0]])
    report = pg.verify(stepping(exact=False)[0], Scaled(), theta, theorems=SLUGS, samples=0)
    assert report.passed and not report.skipped, str(report)


def test_a_policy_whose_simplex_is_not_known_row_by_row_is_left_out_with_the_reason():
    class Shifted(pg.Policy):
        shape, normalised = (1,), False

        def probabilities(self, theta):
            return np.stack([np.array([0.5, 0.5]) + theta[0], np.array([0.25, 0.75])])

    report = pg.verify(stepping(exact=False)[0], Shifted(), [0.0], theorems=SLUGS, samples=0)
    assert {slug for slug, _ in report.skipped} == ON_THE_SIMPLEX
    assert all("leave the simplex" in reason for _, reason in report.skipped)


def test_off_the_simplex_these_claims_are_indeed_wrong():
    """Negative control of these directions: E[grad log pi R(tau)] is not the ambient gradient, and the score's mean is not 0."""
    mdp, policy = stepping()[0], pg.DirectPolicy(2, 2)
    theta = simplex(np.random.default_rng(0), (2, 2))
    problem = Problem(mdp, policy, theta)
    episodes = episodes_of(problem)
    gradient = policy.pullback(theta, episodes.solution.gradient_weights).reshape(-1)
    assert equal(episodes.mean(RewardToGo()), gradient) and not equal(episodes.mean(Reinforce()), gradient)
    assert any(x != 0 for x in eglp.expectations(episodes, eglp.history(episodes.batch)).flat)


@pytest.mark.parametrize("mdp, policy, theta, reason", [
    (bandit([1.0, 0.0]), pg.EscortPolicy(2, 2), [[1.0, 0.0], [1.0, 1.0]], "is 0, where the logarithm has no derivative"),
    (bandit([1.0, 0.0]), pg.SoftmaxPolicy(2, 2), [[0.0, 500.0], [0.0, 0.0]], "below 1e-100"),
    (bandit([0.0, 0.0]), pg.SoftmaxPolicy(2, 2), np.zeros((2, 2)), "no reward can be earned in T = 20 steps"),
])
def test_where_a_claim_does_not_apply_the_reason_is_told(mdp, policy, theta, reason):
    assert reason in log_derivative.CLAIM.applies(Problem(mdp, policy, theta))
    with pytest.raises(pg.UndefinedError, match="log-derivative does not apply"):
        pg.theorems["log-derivative"].sides(mdp, policy, theta)


def test_the_loss_of_symbols_is_left_out():
    from sympy import QQ
    from sympy.polys.fields import field

    _, a, b = field("a, b", QQ)
    one = Fraction(1)
    mdp = bandit([one, Fraction(0)])
    w = np.array([[a, b], [a, b]], dtype=object)
    assert "weights fixed" in surrogate_loss.CLAIM.applies(Problem(mdp, pg.SoftmaxPolicy(2, 2, weights=True), w))


@every_case
def test_the_horizon_is_the_longest_that_stays_small(case):
    """Derived from the limits themselves: T + 1 has too many trajectories, unless T is 6."""
    mdp, policy, theta, _ = CASES[case]
    for problem in (Problem(mdp, policy, theta), Problem(as_floats(mdp), policy, theta.astype(float))):
        T, name = episodes_of(problem).horizon, problem.arithmetic.name
        limit = min(TRAJECTORIES[name], ENTRIES[name] // theta.size)
        assert 1 <= T <= 6 and count_trajectories(problem.mdp, problem.pi, T) <= limit
        assert T == 6 or count_trajectories(problem.mdp, problem.pi, T + 1) > limit


def test_the_history_tells_earlier_states_and_actions_apart_and_not_the_action_at_t():
    batch = episodes_of(Problem(*stepping())).batch
    c = eglp.history(batch)
    for t in range(c.shape[1]):
        before = [tuple(row) for row in np.column_stack([batch.states[:, :t + 1], batch.actions[:, :t]])]
        seen = {}
        assert all(seen.setdefault(h, x) == x for h, x in zip(before, c[:, t], strict=True))
        assert len(set(c[:, t])) > 1


# --------------------------------------------------------------------------------------------- wrong versions


def mean_of(episodes, weights):
    """E sum_t weights[n, t] grad log pi(a_t|s_t), along the directions of comparison."""
    problem = episodes.problem
    return problem.along(np.asarray(episodes.batch.mean(
        score_sums(episodes.batch, problem.policy, problem.theta, weights))))


def to_go(episodes):
    return RewardToGo().weights(episodes.batch, episodes.problem.pi, episodes.problem.gamma)


def past_rewards_only(episodes):
    whole = Reinforce().weights(episodes.batch, episodes.problem.pi, episodes.problem.gamma)
    return mean_of(episodes, whole - to_go(episodes))


def gamma_dropped(episodes):
    return episodes.mean(RewardToGo(gamma_weighting=False))


def baseline_of_the_action(episodes):
    return mean_of(episodes, to_go(episodes) - episodes.batch.arithmetic.convert(episodes.batch.actions))


def last_step_dropped(episodes):
    weights = to_go(episodes).copy()
    weights[:, -1] = weights[:, -1] * 0
    return mean_of(episodes, weights)


def bootstrapped_at_the_horizon(episodes):
    V = pg.solve(episodes.problem.mdp, episodes.problem.pi).V
    return episodes.mean(GAE(V, episodes.problem.arithmetic.number(1), bootstrap=True))


def wrong_sign(episodes):
    return -episodes.mean(RewardToGo())


WRONG = (past_rewards_only, gamma_dropped, baseline_of_the_action, last_step_dropped, bootstrapped_at_the_horizon, wrong_sign)


def altered(slug, equation_of):
    """The theorem with one equation, made from its episodes."""
    claim = pg.theorems[slug].claim
    return Theorem(slug, "altered", "", (), "", "", replace(claim, equations=lambda p: [equation_of(episodes_of(p))], main=0))


def verdicts(theorem, exact):
    report = pg.verify(*stepping(exact), theorems=[theorem])
    return {c.verdict for c in report.checks}


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_gradient_fails_by_every_route(wrong, exact):
    theorem = altered("reward-to-go", lambda e: Equation(
        "altered", e.grad_J, wrong(e), e.gradient_size(), unit=e.unit))
    assert verdicts(theorem, exact) == {"FAIL"}


@pytest.mark.parametrize("exact", [True, False])
def test_the_frame_of_these_controls_passes_what_is_right(exact):
    theorem = altered("reward-to-go", lambda e: Equation(
        "right", e.grad_J, e.mean(RewardToGo()), e.gradient_size(), unit=e.unit))
    assert verdicts(theorem, exact) == {"PASS"}


@pytest.mark.parametrize("exact", [True, False])
def test_a_coefficient_of_the_action_has_no_mean_of_zero(exact):
    """Negative control of EGLP: c(h_t) + a_t in place of c(h_t)."""
    def equation(e):
        lhs = eglp.expectations(e, eglp.history(e.batch) + e.batch.actions)
        return Equation("altered", "given", lhs * 0, e.gradient_size(12), lhs=lhs, unit=e.unit)

    assert verdicts(altered("eglp", equation), exact) == {"FAIL"}


@pytest.mark.parametrize("exact", [True, False])
def test_a_score_that_misses_its_last_step_fails(exact):
    def equation(e):
        weights = np.full(e.batch.actions.shape, e.batch.arithmetic.number(1))
        weights[:, -1] = weights[:, -1] * 0
        problem = e.problem
        score = problem.along(score_sums(e.batch, problem.policy, problem.theta, weights))
        return Equation("altered", e.slope("grad P(tau)", e.probability_at), e.batch.probability[:, None] * score, 6.0,
                        unit=e.unit)

    assert verdicts(altered("trajectory-score", equation), exact) == {"FAIL"}


@pytest.mark.parametrize("exact", [True, False])
def test_a_start_that_depends_on_theta_fails(exact):
    """Negative control of the constant factors: a start distribution pi(a|0) has a slope of its own."""
    def equation(e):
        def remainder(theta):
            return e.probability_at(theta) * e.problem.pi_at(theta)[..., 0, e.batch.states[:, 0]]

        score = e.problem.along(score_of(e.batch, e.problem.policy, e.problem.theta))
        weight = e.batch.probability * e.problem.pi[0, e.batch.states[:, 0]]
        return Equation("altered", e.slope("altered", remainder), weight[:, None] * score, 6.0, unit=e.unit)

    assert verdicts(altered("trajectory-score", equation), exact) == {"FAIL"}


@pytest.mark.parametrize("exact", [True, False])
def test_a_loss_that_differentiates_through_its_baseline_fails(exact):
    """The weights R(tau) - J(theta), J moving with theta: its gradient is not minus the estimator's."""
    def equation(e):
        problem = e.problem

        def loss(theta):
            shift = problem.J_at(theta, e.horizon) - e.solution.J
            whole = Reinforce().weights(e.batch, problem.pi, problem.gamma)
            s, a = e.batch.states[:, :-1], e.batch.actions
            ratio = problem.pi_at(theta)[..., s, a] / problem.pi[s, a]
            moved = whole - np.asarray(shift, dtype=problem.pi.dtype if problem.exact else None)[..., None, None]
            return -((moved * ratio).sum(axis=-1) @ e.batch.probability)

        rhs = -problem.along(problem.policy.pullback(problem.theta, e.solution.gradient_weights))
        return Equation("altered", e.slope("altered loss", loss, 50.0, 50.0), rhs, 50.0, unit=e.unit)

    assert verdicts(altered("surrogate-loss", equation), exact) == {"FAIL"}


@pytest.mark.parametrize("exact", [True, False])
def test_a_wrong_recursion_of_J_is_seen_by_the_enumeration(exact, monkeypatch):
    """The other wing altered: a backward recursion of one step too many, which believes in a value at the horizon."""
    def longer(mdp, pi, horizon, *more):
        return evaluate_horizon(mdp, pi, horizon + 1, *more)

    monkeypatch.setattr(problem_module, "evaluate_horizon", longer)
    report = pg.verify(*stepping(exact), theorems=["log-derivative", "reward-to-go", "baseline"])
    assert {c.verdict for c in report.checks if c.route != "linear-algebra"} == {"FAIL"}


@pytest.mark.parametrize("exact", [True, False])
def test_wrong_probabilities_of_the_enumeration_are_seen(exact, monkeypatch):
    from pgtheory.claims import episodes

    right = episodes.enumerate_trajectories

    def skewed(*arguments):
        batch = right(*arguments)
        probability = batch.probability.copy()
        probability[0], probability[1] = probability[1], probability[0] * 2
        return replace(batch, probability=probability)

    monkeypatch.setattr(episodes, "enumerate_trajectories", skewed)
    report = pg.verify(*stepping(exact), theorems=SLUGS)
    assert {c.theorem for c in report.checks if c.verdict == "FAIL"} == set(SLUGS)


def test_the_arbitrary_baseline_depends_on_time_and_state():
    b = baseline.arbitrary(episodes_of(Problem(*stepping())))
    assert all(not equal(x, y) for x, y in pairwise(b)) and all(row[0] != row[1] for row in b[:2])


# ----------------------------------------------------------------------------- gamma = 1 without an end


def endless(exact=True):
    mdp, policy, theta = stepping(exact)
    return pg.MDP(mdp.P, mdp.R, 1, mdp.rho), policy, theta


@pytest.mark.parametrize("exact", [True, False])
def test_undiscounted_problems_without_end_are_checked_on_finite_horizons(exact):
    """The others are skipped with the reason; asked for alone, they are refused."""
    mdp, policy, theta = endless(exact)
    report = pg.verify(mdp, policy, theta, samples=0)
    assert report.passed and {c.theorem for c in report.checks} == {*SLUGS, "score-function"}, str(report)
    assert {slug for slug, _ in report.skipped} == {"bellman", "recursion", "unrolling", "occupancy", "stochastic"}
    assert all("state 0 reaches no terminal state" in reason for _, reason in report.skipped)
    assert "conditioning" not in str(report) and report.to_dict() and report.to_html()
    with pytest.raises(pg.UndefinedError, match="state 0 reaches no terminal state"):
        pg.verify(mdp, policy, theta, theorems=["stochastic", "bellman"])
    with pytest.raises(pg.UndefinedError, match="stochastic does not apply: gamma = 1"):
        pg.theorems["stochastic"].sides(mdp, policy, theta)


def test_wrong_gradients_fail_without_an_end_too():
    theorem = altered("reward-to-go", lambda e: Equation("altered", e.grad_J, last_step_dropped(e), e.gradient_size(), unit=e.unit))
    assert {c.verdict for c in pg.verify(*endless(False), theorems=[theorem]).checks} == {"FAIL"}


def test_a_claim_of_ones_own_about_a_finite_horizon_is_checked_there():
    theorem = Theorem("own", "", "", (), "", "", None, lambda mdp, policy, theta: (
        pg.solve(mdp, policy.probabilities(theta), horizon=2).J, pg.solve(mdp, policy.probabilities(theta), horizon=3).J))
    assert [c.verdict for c in pg.verify(*endless(False), theorems=[theorem]).checks] == ["FAIL"]


# ------------------------------------------------------------------------------ too many trajectories


def crowded(S=60, gamma=1.0):
    rng = np.random.default_rng(0)
    mdp = pg.MDP(rng.random((S, 3, S)), rng.normal(size=(S, 3)), gamma, np.full(S, 1 / S), normalize=True)
    return mdp, pg.SoftmaxPolicy(S, 3), rng.normal(size=(S, 3))


def test_where_enumeration_is_out_of_reach_every_claim_is_still_checked():
    """60 states, 3 actions, dense: one step has 10,800 trajectories; 20 steps go by recursion, in the bounds of rounding."""
    report = pg.verify(*crowded(), theorems=SLUGS, samples=0)
    assert report.passed and not report.skipped and report.count("INCONCLUSIVE") == 0, str(report)
    assert {c.theorem for c in report.checks} == set(SLUGS) and all("T = 20" in c.part for c in report.checks)


def test_sparse_models_out_of_reach_pass_alike():
    import scipy.sparse

    mdp, policy, theta = crowded(12)
    sparse = pg.MDP(scipy.sparse.csr_array(mdp.P.reshape(36, 12)), mdp.r, mdp.gamma, mdp.rho)
    a, b = (pg.verify(m, policy, theta, theorems=SLUGS, samples=0) for m in (mdp, sparse))
    assert b.passed and [(c.part, c.verdict) for c in a.checks] == [(c.part, c.verdict) for c in b.checks]


def test_means_by_recursion_are_those_of_the_enumeration():
    """On a model small enough for both, along coordinates and along the simplex."""
    for policy, theta in ((pg.SoftmaxPolicy(2, 2), np.array([[0.3, -1.0], [0.5, 0.2]])),
                          (pg.DirectPolicy(2, 2), np.array([[0.3, 0.7], [0.5, 0.5]]))):
        problem = Problem(stepping(False)[0], policy, theta)
        listed, carried = Episodes(problem, 4), LongEpisodes(problem, 4)
        for estimator in (Reinforce(), RewardToGo(), pg.estimators.Baseline([1.0, -2.0]), GAE([1.0, 2.0], 0.5)):
            for simplex_only in (False, True):
                a, b = (e.mean(estimator, simplex=simplex_only) for e in (listed, carried))
                assert np.max(np.abs(a - b)) < 1e-13 * (1 + np.abs(a).max())
        assert np.max(np.abs(carried.mean(None, simplex=True))) < 1e-14


@pytest.mark.parametrize("wrong", [
    lambda e: e.mean(RewardToGo(gamma_weighting=False)), lambda e: e.mean(Reinforce()) - e.mean(RewardToGo()) * 2,
    lambda e: e.mean(GAE(np.arange(20.0), 1.0, bootstrap=True))])
def test_a_wrong_mean_by_recursion_fails(wrong):
    def equations(problem):
        episodes = LongEpisodes(problem, 5)
        return [Equation("altered", episodes.grad_J, wrong(episodes), episodes.gradient_size(), unit=episodes.unit)]

    claim = replace(pg.theorems["reward-to-go"].claim, equations=equations)
    report = pg.verify(*crowded(20, gamma=0.9), theorems=[Theorem("altered", "", "", (), "", "", claim)])
    assert {c.verdict for c in report.checks} == {"FAIL"}


def test_models_too_large_for_a_table_of_scores_say_so(monkeypatch):
    from pgtheory.claims import long_episodes

    monkeypatch.setattr(long_episodes, "LARGEST_TABLE", 1000)
    report = pg.verify(*crowded(), theorems=["eglp", "score-function"], samples=0)
    assert [slug for slug, _ in report.skipped] == ["eglp"] and "too large for a table of scores" in report.skipped[0][1]


def test_exact_models_out_of_reach_say_how_to_go_on():
    mdp = exact_mdp(np.random.default_rng(2), 20, 2, Fraction(1, 2), terminal=False)
    policy, theta = pg.SoftmaxPolicy(20, 2, weights=True), fractions(np.ones((20, 2)))
    reason = log_derivative.CLAIM.reason_against(Problem(mdp, policy, theta, complete=False))
    assert "even one step has more than 37 trajectories" in reason and "in floats the claim is checked" in reason


# ------------------------------------------------------------------------------ simulation


SIMULATED = ("log-derivative", "reward-to-go", "baseline", "eglp")


def simulated_checks(report):
    return {c.theorem: c.verdict for c in report.checks if c.route == "monte-carlo"}


@pytest.mark.parametrize("policy, theta", [(pg.SoftmaxPolicy(2, 2), [[0.3, -0.5], [0.2, 0.0]]),
                                           (pg.DirectPolicy(2, 2), [[0.3, 0.7], [0.5, 0.5]])])
def test_simulated_episodes_say_so_too(policy, theta):
    """H0: the claims hold; alpha 1e-9 for the whole report, by e-processes. A PASS excludes a bias of 5 %."""
    report = pg.verify(stepping(False)[0], policy, theta, theorems=SLUGS, alpha=1e-9, tolerance=0.1)
    assert simulated_checks(report) == dict.fromkeys(SIMULATED, "PASS"), str(report)


def test_long_episodes_of_large_models_are_simulated():
    """H0: the claims hold; alpha 1e-9. 20 steps, 180 parameters in 16 random sums: no FAIL, and EGLP is established."""
    found = simulated_checks(pg.verify(*crowded(), theorems=SLUGS, alpha=1e-9, samples=60_000, routes=["monte-carlo"]))
    assert set(found) == set(SIMULATED) and "FAIL" not in found.values() and found["eglp"] == "PASS"


@pytest.mark.parametrize("slug, wrong", [
    ("reward-to-go", lambda draws: replace(draws, horizon=draws.horizon - 1)),          # the last step dropped
    ("reward-to-go", lambda draws: replace(draws, weights=EpisodeWeights("history"))),  # weights without meaning
    ("log-derivative", lambda draws: replace(draws, directions=-draws.directions)),     # the sign
    ("baseline", lambda draws: replace(draws, horizon=draws.horizon + 1, weights=EpisodeWeights("to-go"))),
], ids=["last step dropped", "weights without meaning", "sign", "one step too many"])
def test_simulation_sees_wrong_estimators(slug, wrong):
    """Negative controls: fixed seed, the wrong mean must be found out."""
    claim = pg.theorems[slug].claim

    def equations(problem):
        return [replace(e, draws=wrong(e.draws)) for e in claim.equations(problem) if e.draws is not None]

    theorem = Theorem("altered", "", "", (), "", "", replace(claim, equations=equations))
    report = pg.verify(*stepping(False), theorems=[theorem], routes=["monte-carlo"])
    assert [c.verdict for c in report.checks] == ["FAIL"], str(report)


def test_a_coefficient_that_knows_the_action_fails_by_simulation(monkeypatch):
    """Negative control of EGLP: c(h_{t+1}), which knows a_t, in place of c(h_t)."""
    from pgtheory.trajectories import bounded

    right = bounded.histories
    monkeypatch.setattr(bounded, "histories", lambda states, actions: (right(states, actions) + 5 * actions) % 11)
    report = pg.verify(*stepping(False), theorems=["eglp"], routes=["monte-carlo"])
    assert simulated_checks(report) == {"eglp": "FAIL"}


@pytest.mark.parametrize("weights", [EpisodeWeights("return"), EpisodeWeights("to-go"),
                                     EpisodeWeights("to-go", np.array([[1.0, -2.0]] * 4)), EpisodeWeights("history")])
@pytest.mark.parametrize("work", [bounded.WORK, 0])
@pytest.mark.parametrize("shift", [0.0, -9.0, 9.0])
def test_the_box_holds_every_trajectory_and_the_draws_are_their_estimates(weights, work, shift, monkeypatch):
    """Over the enumeration, also where all rewards have one sign: the box is met or exceeded; every draw is one of the estimates."""
    monkeypatch.setattr(bounded, "WORK", work)
    mdp, policy, theta = stepping(False)
    mdp = pg.MDP(mdp.P, mdp.R + shift, mdp.gamma, mdp.rho)
    policy = pg.SoftmaxPolicy(2, 2)
    problem = Problem(mdp, policy, np.log(theta))
    sampler = EpisodeSampler(mdp, problem.pi, slopes_along(problem, problem.directions), 3, weights)
    batch = pg.enumerate_trajectories(mdp, problem.pi, 3)
    w = {"return": lambda: Reinforce().weights(batch, problem.pi, mdp.gamma),
         "to-go": lambda: to_go_less(batch, problem, weights.baseline), "history": lambda: eglp.history(batch)}[weights.kind]()
    estimates = score_sums(batch, policy, problem.theta, np.asarray(w, dtype=float)).reshape(len(batch), -1)
    assert (sampler.low <= estimates.min(axis=0)).all() and (sampler.high >= estimates.max(axis=0)).all()
    if weights.kind == "to-go" and work and not shift:
        assert np.allclose(sampler.high, estimates.max(axis=0), atol=sampler.high.max())       # within a factor of two
    draws = sampler.draw(200, rng=0)
    assert np.abs(draws[:, None] - estimates[None]).max(axis=2).min(axis=1).max() < 1e-12


def to_go_less(batch, problem, baseline):
    less = RewardToGo() if baseline is None else pg.estimators.Baseline(baseline)
    return less.weights(batch, problem.pi, problem.gamma)
