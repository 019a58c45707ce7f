"""verify: what it checks, what it skips and says why, and what its report claims."""

from __future__ import annotations

import sys
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse

import pgtheory as pg
from pgtheory.checks.record import Check
from pgtheory.report import Report

RETURNS = {"log-derivative", "surrogate-loss", "reward-to-go", "baseline"}
CLAIMS = {"bellman", "recursion", "unrolling", "occupancy", "stochastic", "score-function", "trajectory-score", "eglp"} | RETURNS


def logits(mdp, seed=0):
    return np.random.default_rng(seed).normal(size=(mdp.n_states, mdp.n_actions))


def verified(mdp, **settings):
    return pg.verify(mdp, pg.SoftmaxPolicy(mdp.n_states, mdp.n_actions), logits(mdp), **{"samples": 0, **settings})


@pytest.mark.parametrize("name", ["start-matters", "gridworld-5x5", "short-corridor", "random-walk"])
def test_every_claim_passes_on_known_models(name):
    report = verified(pg.models.load(name))
    assert report.passed and report.count("FAIL") == 0, str(report)
    assert {c.theorem for c in report.checks} == CLAIMS


def test_exact_models_are_checked_by_equality():
    for name, skipped in (("student-mdp", set()), ("two-rooms", RETURNS)):     # the goal of the rooms is far away
        mdp = pg.models.load(name, exact=True)
        S, A = mdp.n_states, mdp.n_actions
        w = np.array([[Fraction(1 + (s + a) % 3) for a in range(A)] for s in range(S)])
        report = pg.verify(mdp, pg.SoftmaxPolicy(S, A, weights=True), w)
        assert report.passed
        assert {c.theorem for c in report.checks if c.kind == "exact" and c.verdict == "PASS"} == CLAIMS - skipped
        assert {slug for slug, reason in report.skipped if "no reward can be earned" in reason} == skipped


def test_sparse_and_dense_models_get_the_same_verdicts():
    mdp = pg.models.load("gridworld-5x5")
    sparse = pg.MDP(scipy.sparse.csr_array(mdp.P.reshape(-1, 25)), mdp.r, mdp.gamma, mdp.rho)
    a, b = verified(mdp), verified(sparse)
    assert [(c.theorem, c.part, c.route, c.verdict) for c in a.checks] == [
        (c.theorem, c.part, c.route, c.verdict) for c in b.checks]


@pytest.mark.parametrize("policy, theta", [
    (pg.DirectPolicy(2, 2), [[0.25, 0.75], [0.5, 0.5]]),
    (pg.EscortPolicy(2, 2), [[1.0, -2.0], [0.5, 0.25]]),
    (pg.EscortPolicy(2, 2, power=3), [[1.0, -2.0], [0.5, 0.25]]),
    (pg.SoftmaxPolicy(features=[[[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [-1.0, 2.0]]]), [0.3, -0.7]),
    (pg.SoftmaxPolicy(2, 2, weights=True), [[1.0, 2.0], [3.0, 0.5]]),
])
def test_every_built_in_policy_passes(policy, theta):
    assert pg.verify(pg.models.load("start-matters"), policy, theta, samples=0).passed


def test_a_deterministic_row_leaves_the_log_form_out():
    """pi(a|s) = 0 has no logarithm under the direct parameterisation; the grad-pi form stands."""
    report = pg.verify(pg.models.load("start-matters"), pg.DirectPolicy(2, 2), [[1.0, 0.0], [0.5, 0.5]], samples=0)
    parts = {c.part for c in report.checks if c.theorem == "stochastic"}
    assert parts == {"grad-pi form"} and report.passed


def test_gamma_1_is_verified_with_d_in_place_of_D():
    report = verified(pg.models.load("short-corridor"))
    assert report.passed
    assert "sum of d = 1/(1 - gamma)" not in {c.part for c in report.checks}


@pytest.mark.parametrize("policy", [pg.SoftmaxPolicy(1, 2), pg.DirectPolicy(1, 2)])
def test_a_model_that_is_over_at_once_is_verified_too(policy):
    """At gamma = 1 nothing is left to solve, the conditioning is 0, and pi and its derivatives are rounded all the same."""
    over = pg.MDP(np.ones((1, 2, 1)), np.zeros((1, 2)), 1.0, 0)
    report = pg.verify(over, policy, [[0.4, 0.6]], samples=0)
    assert report.passed and report.context["rounding_unit"] > 0
    assert {"bellman", "stochastic", "score-function", "trajectory-score"} <= set(report.claims)


def test_near_gamma_1_a_pass_is_earned_or_not_given(monkeypatch):
    """At gamma = 1 - 1e-12 floating point cannot tell the gradient, balls can; nearer to 1 solve refuses the very floats."""
    rng = np.random.default_rng(1)
    mdp = pg.MDP(rng.dirichlet(np.ones(3), (3, 2)), rng.normal(size=(3, 2)), 1 - 1e-12, 0)
    report = verified(mdp, theorems=["stochastic"])
    assert report.passed and all("in balls of" in c.note for c in report.checks)
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "flint", None)
        report = verified(mdp, theorems=["stochastic"])
    assert {c.verdict for c in report.checks} == {"INCONCLUSIVE"} and not report.passed
    with pytest.raises(pg.UndefinedError, match=r"gamma = 1 - 1.0e-15 is closer to 1 than float rows of 3 entries"):
        verified(pg.MDP(mdp.P, mdp.R, 1 - 1e-15, 0))


def test_the_report_names_scale_conditioning_and_directions():
    context = verified(pg.models.load("start-matters")).context
    assert context["conditioning"] == pytest.approx(10.0)
    assert context["gradient_scale"] > 0 and context["directions"] == "every coordinate"
    assert context["differentiated_by"] == "formula"


def test_the_report_says_how_a_users_policy_was_differentiated():
    class Kinked(pg.Policy):
        shape = (1,)

        def probabilities(self, theta):
            p = float(np.clip(np.abs(theta[0]), 0.1, 0.9))
            return np.array([[p, 1 - p], [0.5, 0.5]])

    report = pg.verify(pg.models.load("start-matters"), Kinked(), [0.4], samples=0)
    assert report.context["differentiated_by"] == "finite differences"
    assert any("not analytic" in reason for _, reason in report.skipped)
    assert report.passed, str(report)


BLIND = {   # wrong theorems that no bound may let pass where the bound is wider than the gradient
    "zero": lambda right, gamma: 0 * right,
    "sign": lambda right, gamma: -right,
    "no constant": lambda right, gamma: (1 - gamma) * right,
}


@pytest.mark.parametrize("wrong", BLIND)
@pytest.mark.parametrize("gamma, logit, offset", [(0.9, 0.0, 0.0), (1 - 1e-6, 0.0, 0.0), (1 - 1e-9, 0.0, 0.0), (0.9, 40.0, 0.0),
                                                  (0.9, 0.0, 1e12)])
def test_no_wrong_theorem_passes_because_its_bound_is_wide(wrong, gamma, logit, offset):
    from dataclasses import replace

    from pgtheory.checks.catalogue import Theorem
    from pgtheory.claims import stochastic

    rng = np.random.default_rng(11)
    mdp = pg.MDP(rng.dirichlet(np.ones(4), (4, 3)), rng.normal(size=(4, 3)) + offset, gamma, 0, normalize=True)
    theta = np.zeros((4, 3))
    theta[0, 0] = logit
    theta[1:] = 0.0 if logit == 0 else theta[0]

    def altered(problem):
        return [replace(e, rhs=BLIND[wrong](e.rhs, gamma)) for e in stochastic.equations(problem)]

    claim = replace(stochastic.CLAIM, equations=altered)
    report = pg.verify(mdp, pg.SoftmaxPolicy(4, 3), theta, theorems=[Theorem("stochastic", "", "", (), "", "", claim)],
                       samples=20_000)
    assert report.checks and report.count("PASS") == 0 and not report.passed, str(report)


def test_a_claim_that_no_allowed_route_reaches_is_not_established():
    report = verified(pg.models.load("start-matters"), routes=["series"])
    assert not report.passed and "stochastic" not in report.established and "stochastic" in report.claims


@pytest.mark.parametrize("sides", [(0.0, np.inf), (np.nan, 0.0)])
def test_a_side_that_is_not_finite_fails(sides):
    pg.theorem("not-finite")(lambda mdp, policy, theta: sides)
    report = verified(pg.models.load("start-matters"), theorems=["not-finite"])
    assert [c.verdict for c in report.checks] == ["FAIL"] and "not finite" in report.checks[0].note


def test_theorems_and_routes_can_be_chosen():
    report = verified(pg.models.load("start-matters"), theorems=["stochastic"], routes=["complex-step"])
    assert report.passed
    assert {(c.theorem, c.route) for c in report.checks} == {("stochastic", "complex-step")}


@pytest.mark.parametrize("settings, message", [
    ({"theorems": ["stochastik"]}, "did you mean stochastic"),
    ({"routes": ["guess"]}, "no route 'guess'"),
    ({"samples": -1}, "samples is -1"),
    ({"samples": 2.5}, "samples is 2.5"),
    ({"alpha": 0.0}, "alpha is 0.0"),
    ({"alpha": 2.0}, "alpha is 2.0"),
    ({"tolerance": float("nan")}, "tolerance is nan"),
])
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(pg.PGTheoryError, match=message):
        verified(pg.models.load("start-matters"), **settings)


def test_progress_is_told_of_every_check():
    told = []
    report = verified(pg.models.load("start-matters"), progress=lambda done, total, text: told.append((done, total)))
    assert told[0][0] == 0 and told[-1] == (len(report.checks), len(report.checks))


def check(theorem, kind, verdict):
    return Check(theorem, "", "", kind, np.zeros(1), np.zeros(1), 0.0, 0.0, verdict)


@pytest.mark.parametrize("checks, passed", [
    ([], False),
    ([check("a", "bounded", "PASS")], True),
    ([check("a", "exact", "PASS"), check("a", "bounded", "FAIL")], False),
    ([check("a", "statistical", "PASS")], False),
    ([check("a", "bounded", "PASS"), check("a", "statistical", "INCONCLUSIVE")], True),
    ([check("a", "bounded", "PASS"), check("b", "bounded", "INCONCLUSIVE")], False),
])
def test_passed_needs_an_exact_or_bounded_pass_of_every_claim_and_no_fail(checks, passed):
    assert Report(tuple(checks)).passed is passed


def test_the_same_seed_gives_the_same_report():
    mdp = pg.models.load("start-matters")
    first, second = (verified(mdp, samples=5000, theorems=["stochastic"], rng=3) for _ in range(2))
    assert first.to_dict() == second.to_dict()


class Random(pg.Policy):
    shape = (1,)

    def __init__(self):
        self.rng = np.random.default_rng(0)

    def probabilities(self, theta):
        p = self.rng.uniform(0.2, 0.8)
        return np.array([[p, 1 - p], [0.5, 0.5]])


class Writing(pg.Policy):
    shape = (1,)

    def probabilities(self, theta):
        theta[0] = 0.5
        return np.array([[0.5, 0.5], [0.5, 0.5]])


@pytest.mark.parametrize("policy, message", [(Random(), "gives two answers at one theta"), (Writing(), "writes into theta")])
def test_policies_that_are_random_or_write_into_theta_are_refused(policy, message):
    theta = np.array([0.25])
    with pytest.raises(pg.InvalidPolicyError, match=message):
        pg.verify(pg.models.load("start-matters"), policy, theta)
    assert theta[0] == 0.25


def test_simulation_near_gamma_1_is_skipped_without_being_set_up():
    rng = np.random.default_rng(2)
    mdp = pg.MDP(rng.dirichlet(np.ones(3), (3, 2)), rng.normal(size=(3, 2)), 1 - 1e-8, 0)
    report = verified(mdp, theorems=["stochastic"], samples=1000)
    assert any("too long to simulate" in reason for _, reason in report.skipped)


def test_a_solution_cannot_be_overwritten():
    solution = pg.solve(pg.models.load("start-matters"), [[0.5, 0.5]] * 2)
    with pytest.raises(AttributeError, match="a solution is frozen"):
        solution.V = np.zeros(2)


@pytest.mark.parametrize("slug", ["stochastic", "score-function"])
def test_a_log_form_that_is_left_out_is_said(slug):
    """Saturated logits: pi underflows to 0, where grad log pi does not exist; milder ones bring the form back."""
    mdp, policy = pg.models.load("start-matters"), pg.SoftmaxPolicy(2, 2)
    saturated = pg.verify(mdp, policy, [[1e3, 0.0], [0.0, 0.0]], theorems=[slug], samples=0)
    assert [s for s, reason in saturated.skipped if "the log form is left out: pi[0, 1] is 0.0" in reason] == [slug]
    assert pg.verify(mdp, policy, [[1.0, 0.0], [0.0, 0.0]], theorems=[slug], samples=0).skipped == ()


def test_claims_that_were_skipped_stay_in_the_count():
    """gamma = 1 without an end: no value exists, and what needs one is not passed over in silence."""
    mdp = pg.MDP([[[0.5, 0.5], [1.0, 0.0]], [[0.0, 1.0], [0.5, 0.5]]], [[1.0, 0.0], [0.0, 2.0]], 1.0, 0)
    report = pg.verify(mdp, pg.SoftmaxPolicy(2, 2), [[0.0, 1.0], [0.5, 0.0]], samples=0)
    whole = {slug for slug, _ in report.skipped} - set(report.claims)
    assert whole >= {"bellman", "stochastic"}
    assert f"of {len(report.claims) + len(whole)} claims established" in " ".join(str(report).split())
    assert "Report on" in repr(report) and len(repr(report)) < 500

