"""check_estimator: right estimators pass, wrong ones fail by the right amount, and what cannot be judged is said."""

import json
import time
from fractions import Fraction

import numpy as np
import pytest

import pgtheory as pg
from pgtheory.checking.fixtures import blind_spots, generic_fixtures
from pgtheory.checking.targets import as_target
from pgtheory.cli import main

E = pg.estimators
BANDIT = pg.MDP([[[0, 1], [0, 1]], [[0, 1], [0, 1]]], [[1.0, 0.0], [0.0, 0.0]], 1.0, 0)
ONE_STATE = {"mdp": BANDIT, "policy": pg.SoftmaxPolicy(2, 2), "theta": np.zeros((2, 2)), "horizon": 1}


def with_critic(make):
    """An estimator of the critic attached to the trajectories."""
    return lambda batch, *rest: make(batch.critic)(batch, *rest)


def reinforce(batch, policy, theta, gamma):
    """As homework is written: a loop over episodes, no array operations, no knowledge of padding."""
    score = policy.score(theta)
    estimates = []
    for tau in batch:
        G = sum(gamma**k * r for k, r in enumerate(tau.rewards))
        estimates.append(sum(score[s, a] for s, a in zip(tau.states, tau.actions, strict=False)) * G)
    return estimates


def steps(batch, policy, theta, weight):
    """Estimates of loops: sum over t of weight(rewards, t) score."""
    score = policy.score(theta)
    return [sum(weight(tau.rewards, t) * score[tau.states[t], tau.actions[t]] for t in range(len(tau))) for tau in batch]


# --------------------------------------------------------------------------------------------------- what is right


@pytest.mark.parametrize("estimator", [
    E.Reinforce(), E.RewardToGo(), E.Gpomdp(), E.Baseline(3.0), E.Baseline(-1.0, full_return=True), E.AllAction(),
    with_critic(E.Baseline), with_critic(E.ActorCritic), with_critic(lambda v: E.GAE(v, 0.3)),
    with_critic(lambda v: E.NStep(v, 2)), E.GAE(5.0, 1.0), reinforce], ids=lambda x: repr(x).split(" at 0x")[0])
def test_unbiased_estimators_pass(estimator):
    result = pg.check_estimator(estimator)
    assert result.verdict == "PASS" and result.method == "exact" and result.precision == "double"
    assert result.relative_bias < 1e-13 and result.blind and not result.diagnosis


@pytest.mark.parametrize("estimator, target", [
    (E.PerDecisionIS(), "off-policy"), (E.TrajectoryIS(), "off-policy"),
    (E.RewardToGo(gamma_weighting=False), "without gamma^t"), (E.RewardToGo(gamma_weighting=False), "ppo first step"),
    (with_critic(lambda v: E.GAE(v, 0.9)), "gae(0.9)"), (with_critic(lambda v: E.GAE(v, 0.95)), "gae"),
    (with_critic(lambda v: E.GAE(v, 0.5, gamma_weighting=False)), "lambda-return(0.5) without gamma^t"),
    (with_critic(lambda v: E.NStep(v, 3)), "n-step(3)"), (with_critic(E.ActorCritic), "actor-critic"),
    (with_critic(E.VTrace), "v-trace"), (with_critic(lambda v: E.VTrace(v, 1.5, 1.5)), "v-trace(1.5)")])
def test_biases_on_purpose_pass_as_declared(estimator, target):
    assert pg.check_estimator(estimator, target=target, method="exact").passed


@pytest.mark.parametrize("estimator, target", [
    (E.RewardToGo(gamma_weighting=False), "gradient"), (E.RewardToGo(), "without gamma^t"),
    (E.RewardToGo(), "ppo first step"),
    (E.RewardToGo(), "entropy(0.1)"), (E.RewardToGo(), "semi-gradient"), (E.PerDecisionIS(), "semi-gradient"),
    (E.RewardToGo(), "off-policy"), (with_critic(lambda v: E.GAE(v, 0.9)), "gae(0.5)"), (with_critic(E.ActorCritic), "gae"),
    (with_critic(lambda v: E.NStep(v, 3)), "n-step(2)"), (with_critic(lambda v: E.NStep(v, 2)), "actor-critic"),
    (with_critic(lambda v: E.VTrace(v, 1.5, 1.5)), "v-trace"), (with_critic(E.VTrace), "off-policy")])
def test_what_is_declared_is_what_is_checked(estimator, target):
    assert pg.check_estimator(estimator, target=target, method="exact", horizon=3).verdict == "FAIL"


@pytest.mark.parametrize("k", [2, 3])
def test_groups_pass_and_couple(k):
    assert pg.check_estimator(E.LeaveOneOut(), batch_size=k).passed
    assert pg.check_estimator(lambda *problem: E.Reinforce()(*problem).mean(axis=0), batch_size=k).passed


@pytest.mark.parametrize("critic, off_policy", [("exact", False), ("random", False), ("random", True)])
def test_exact_targets_by_recursion_are_the_means_by_enumeration(critic, off_policy):
    names = ["gae(0.9)", "gae(0) without gamma^t", "n-step(2)", "n-step(9)", "actor-critic"] + ["v-trace(0.9)"] * off_policy
    for fixture in generic_fixtures(critic=critic, off_policy=off_policy):
        for f in (fixture, fixture.with_time_limit(3)):
            for name in names:
                target = as_target(name)
                mean = f.batch.mean(target.estimator(f)(f.batch, f.policy, f.theta, f.gamma))
                assert np.abs(mean - target.value(f)).max() < 1e-13, (f.name, name)


def test_built_in_problems_hide_nothing_but_what_they_say():
    spots = blind_spots(generic_fixtures())
    assert [words.split(":")[0] for words in spots] == ["behaviour = policy", "no episode is truncated"]
    assert blind_spots([f.with_time_limit(2) for f in generic_fixtures(off_policy=True)]) == ()


def test_the_semi_gradient_is_the_mean_of_per_step_ratios_times_the_true_action_value():
    def estimator(batch, policy, theta, gamma):
        pi, T = policy.probabilities(theta), batch.actions.shape[1]
        Q = pg.solve(batch.mdp, pi, horizon=T).Q
        s, a = batch.states[:, :-1], batch.actions
        weights = (pi / batch.behaviour)[s, a] * Q[np.arange(T), s, a] * gamma ** np.arange(T) * batch.valid
        return np.einsum("nt,nt...->n...", weights, policy.score(theta)[s, a])
    assert pg.check_estimator(estimator, target="semi-gradient").passed
    assert not pg.check_estimator(estimator, target="off-policy").passed


# ------------------------------------------------------------------------------- wrong, by numbers known beforehand


@pytest.mark.parametrize("k, share", [(2, Fraction(1, 2)), (3, Fraction(2, 3)), (4, Fraction(3, 4))])
def test_a_batch_mean_with_the_own_sample_gives_one_minus_one_over_n(k, share):
    """Bandit, p = 1/2, r = (1, 0): the gradient is 0.25."""
    def estimator(batch, policy, theta, gamma):
        G = batch.rewards.sum(axis=1)
        return E.Baseline(G.mean())(batch, policy, theta, gamma).mean(axis=0)
    result = pg.check_estimator(estimator, **ONE_STATE, batch_size=k)
    assert result.verdict == "FAIL"
    assert result.expected[0, 0] == pytest.approx(0.25, abs=1e-15)
    assert result.found[0, 0] == pytest.approx(0.25 * float(share), abs=1e-15)


def test_an_action_dependent_baseline_turns_the_sign():
    """Bandit, p = 1/2, r = (1, 0), plus c = (0, 3): 1/2 * 1/2 * 1 + 1/2 * (-1/2) * 3 = -1/2, where the gradient is 1/4."""
    def estimator(batch, policy, theta, gamma):
        weights = (batch.rewards + np.array([0.0, 3.0])[batch.actions]) * batch.valid
        return np.einsum("nt,nt...->n...", weights, policy.score(theta)[batch.states[:, :-1], batch.actions])
    assert pg.check_estimator(estimator, **ONE_STATE).found[0, 0] == pytest.approx(-0.5, abs=1e-15)


def test_dropping_gamma_t_turns_the_cross_derivatives_of_the_two_state_example():
    """gamma = 1/2, s0: a0 -> s1 or end; s1: r = 1 or 0, end: without gamma^t the field at 0 is (1/16, 1/8), not 1/16."""
    mdp = pg.MDP([[[0, 1, 0], [0, 0, 1]], [[0, 0, 1], [0, 0, 1]], [[0, 0, 1], [0, 0, 1]]],
                 [[0.0, 0.0], [1.0, 0.0], [0.0, 0.0]], 0.5, 0)
    dropped = E.RewardToGo(gamma_weighting=False)
    result = pg.check_estimator(dropped, mdp, pg.SoftmaxPolicy(3, 2), np.zeros((3, 2)), horizon=2)
    assert result.found[:2, 0].tolist() == [0.0625, 0.125]
    assert result.expected[:2, 0].tolist() == [0.0625, 0.0625]
    assert "right for episodes of 1 step, wrong from 2 on" in result.where


def test_the_table_shows_where_it_is_off_and_the_cosine_is_called_no_test():
    result = pg.check_estimator(E.RewardToGo(gamma_weighting=False))
    words = str(result)
    assert words.startswith("FAIL: not the gradient; off by") and max(map(len, words.splitlines())) <= 80
    assert result.cosine > 0.999 and "no test" in words and "pytorch/examples#744" in words
    assert words.index("looks like") < words.index("expected") < words.index("cosine")
    assert np.allclose(result.found - result.expected, result.bias)
    assert json.loads(json.dumps(result.as_dict()))["diagnosis"][0]["bug"] == "no-gamma-t"


# ------------------------------------------------------------------ bugs as people write them, in loops of their own


def drop_last(rewards, t):
    return sum(0.8**k * r for k, r in enumerate(rewards[:-1]) if k >= t)


INDEPENDENT = {
    "sign-flipped": lambda r, t: -sum(0.8**k * x for k, x in enumerate(r)),
    "no-gamma-t": lambda r, t: sum(0.8 ** (k - t) * x for k, x in enumerate(r) if k >= t),
    "gamma-unused": lambda r, t: sum(r),
    "past-rewards": lambda r, t: sum(0.8**k * x for k, x in enumerate(r) if k <= t),
    "never-summed": lambda r, t: 0.8**t * r[t],
    "rewards-early": lambda r, t: sum(0.8 ** (k + 1) * x for k, x in enumerate(r[:-1]) if k + 1 >= t),
    "last-reward-lost": drop_last,
    "mean-over-own-steps": lambda r, t: sum(0.8**k * x for k, x in enumerate(r)) / len(r),
    "gamma-t-twice": lambda r, t: 0.8**t * sum(0.8**k * x for k, x in enumerate(r) if k >= t),
    "rewards-clipped": lambda r, t: sum(0.8**k * min(max(x, -1), 1) for k, x in enumerate(r)),
    "first-step-only": lambda r, t: sum(0.8**k * x for k, x in enumerate(r)) * (t == 0),
    "last-step-only": lambda r, t: sum(0.8**k * x for k, x in enumerate(r)) * (t == len(r) - 1),
    "mean-reward + no-gamma-t": lambda r, t: sum(0.8 ** (k - t) * x for k, x in enumerate(r) if k >= t) / (len(r) - t),
    "centred-in-episode + no-gamma-t": lambda r, t: (G := [sum(0.8 ** (k - u) * x for k, x in enumerate(r) if k >= u)
                                                           for u in range(len(r))])[t] - sum(G) / len(G),
    "other-gamma": lambda r, t: sum(0.99**k * x for k, x in enumerate(r)),
    "factor": lambda r, t: 0.3 * sum(0.8**k * x for k, x in enumerate(r)),
}


@pytest.mark.parametrize("bug", INDEPENDENT)
def test_bugs_written_as_loops_are_named(bug):
    result = pg.check_estimator(lambda batch, policy, theta, gamma: steps(batch, policy, theta, INDEPENDENT[bug]), horizon=3)
    assert result.verdict == "FAIL"
    assert bug in [finding.bug for finding in result.diagnosis], str(result)
    assert all(finding.residual < 1e-6 for finding in result.diagnosis) and result.next_best > 1e-2


def test_what_no_bug_of_the_zoo_does_is_not_named():
    result = pg.check_estimator(lambda *problem: E.Reinforce()(*problem) + 0.01 * np.arange(8).reshape(4, 2))
    assert result.verdict == "FAIL" and not result.diagnosis and "no known bug does this" in str(result)


def test_another_lambda_than_declared_is_found():
    result = pg.check_estimator(with_critic(lambda v: E.GAE(v, 0.8)), target="gae(0.9)")
    assert result.diagnosis[0].words == "lambda is 0.8" and "first wrong at t = 0" in result.where


# --------------------------------------------------------------------------------------------------- scale, precision


def test_a_factor_passes_up_to_scale_only():
    def third(*problem):
        return E.Reinforce()(*problem) / 3
    result = pg.check_estimator(third, target="gradient up to scale")
    assert result.passed and result.details["scale"] == "0.333333, 0.333333, 0.333333"
    assert pg.check_estimator(third).verdict == "FAIL"
    assert not pg.check_estimator(lambda *problem: -third(*problem), target="gradient up to scale").passed
    assert not pg.check_estimator(E.RewardToGo(gamma_weighting=False), target="gradient up to scale").passed


@pytest.mark.parametrize("size", [4, 8, 12, 32, 64])
def test_batches_whose_order_does_not_matter_may_be_large(size):
    """Each batch in one order; dividing by the standard deviation is no scale, also where two states have to tell."""
    def right(*problem):
        return E.LeaveOneOut()(*problem).mean(axis=0)

    def grpo(batch, policy, theta, gamma):
        G = (batch.rewards * batch.valid * gamma ** np.arange(batch.rewards.shape[1])).sum(axis=1)
        score = np.where(batch.valid[..., None, None], policy.score(theta)[batch.states[:, :-1], batch.actions], 0.0).sum(axis=1)
        return np.tensordot((G - G.mean()) / (G.std() + 1e-8), score, axes=1) / len(batch)
    result = pg.check_estimator(right, batch_size=size)
    assert result.passed and "does not matter" in result.details["order"]
    scaled = pg.check_estimator(grpo, batch_size=size, target="gradient up to scale")
    assert scaled.verdict == "FAIL" and "grpo" in {finding.bug for finding in scaled.diagnosis}


def test_batches_whose_order_matters_are_small():
    def first_counts_twice(*problem):
        g = E.Reinforce()(*problem)
        return (g.sum(axis=0) + g[0]) / (len(g) + 1)
    assert pg.check_estimator(first_counts_twice, batch_size=5).passed
    with pytest.raises(pg.PGTheoryError, match="changes with the order of the batch.*59049 batches"):
        pg.check_estimator(first_counts_twice, batch_size=10)


def test_where_no_diagnosis_is_made_the_report_says_why():
    """More trajectories than every known bug can be tried on."""
    P = np.random.default_rng(0).dirichlet(np.ones(5), size=(5, 3))
    mdp = pg.MDP(P, np.random.default_rng(1).normal(size=(5, 3)), 0.8, np.full(5, 0.2), normalize=True)
    result = pg.check_estimator(lambda *problem: 2.5 * E.Reinforce()(*problem) + 0.1, mdp=mdp, horizon=4)
    assert result.verdict == "FAIL" and not result.diagnosis
    assert result.details["diagnosis"].startswith("none made: ") and "too many" in result.details["diagnosis"]


def test_single_precision_passes_and_is_said():
    def single(*problem):
        return E.Reinforce()(*problem).astype(np.float32)

    def inside(*problem):
        return single(*problem).astype(float) * (1 + 2.0**-40)
    assert pg.check_estimator(single).precision == "single precision"
    assert pg.check_estimator(inside).precision == "single precision"       # some of it was, whatever it is handed over in
    refused = pg.check_estimator(inside, tolerance=1e-9)
    assert refused.verdict == "FAIL" and "tolerance=1e-05" in refused.look
    assert pg.check_estimator(lambda *problem: inside(*problem) * (1 + 1e-5)).verdict == "FAIL"
    assert not pg.check_estimator(lambda *problem: single(*problem) * np.float32(1.001)).passed


# --------------------------------------------------------------------------------------------------- pathwise


def test_pathwise_names_the_first_wrong_step():
    def late(batch, policy, theta, gamma):
        weights = E.RewardToGo().weights(batch, batch.behaviour, gamma)
        weights[:, 1] *= 1.5
        return np.einsum("nt,nt...->n...", weights, policy.score(theta)[batch.states[:, :-1], batch.actions])
    result = pg.check_estimator(late, target=E.RewardToGo(), method="pathwise")
    assert result.verdict == "FAIL" and result.method == "pathwise" and result.where.startswith("first wrong at t = 1 of")
    assert pg.check_estimator(E.Gpomdp(), target=E.RewardToGo()).method == "pathwise"


def test_what_agrees_in_the_mean_only_passes_exactly_and_says_so():
    result = pg.check_estimator(E.Reinforce(), target=E.RewardToGo())
    assert result.passed and result.method == "exact" and "single trajectories do not" in result.where
    assert pg.check_estimator(E.Reinforce(), target=E.RewardToGo(), method="pathwise").verdict == "FAIL"


# --------------------------------------------------------------------------------------------------- what is refused


class Counting:
    """Answers by the number of the call."""

    def __init__(self, most=10**9):
        self.calls, self.most = 0, most

    def __call__(self, *problem):
        self.calls = min(self.calls + 1, self.most)
        return E.Reinforce()(*problem) * self.calls


def writes_into_its_input(batch, *rest):
    batch.rewards[:] = 0.0
    return E.Reinforce()(batch, *rest)


def divides_by_zero(batch, policy, theta, gamma):
    return [np.full((4, 2), 1.0 / (len(tau) - 2)) for tau in batch]


@pytest.mark.parametrize("fn, words", [
    (lambda *problem: None, r"returned None: return one estimate per trajectory"),
    (lambda *problem: E.Reinforce()(*problem).mean(axis=0), r"has shape \(4, 2\): .* say of how many: batch_size=2"),
    (lambda batch, *rest: batch.rewards, r"weights of steps \(N, T\) are for check_weights"),
    (lambda *problem: E.Reinforce()(*problem).transpose(0, 2, 1), r"looks transposed"),
    (lambda *problem: E.Reinforce()(*problem) * 1j, r"is complex"),
    (lambda *problem: "gradient", r"numbers are needed"),
    (lambda batch, *rest: [np.zeros(3) for _ in batch], r"has shape \(7, 3\)"),
    (lambda batch, *rest: E.Reinforce()(batch, *rest) * np.where(batch.valid.sum(axis=1) == 3, np.nan, 1)[:, None, None],
     r"returned nan at theta\[0, 0\]; on the trajectory with states \[\d, \d, \d, 3\]"),
    (divides_by_zero, r"raised ZeroDivisionError: .*; on the trajectory with states \[\d, \d, \d\], actions \[\d, \d\]"),
    (writes_into_its_input, r"writes into its input"),
    (Counting(), r"counts its calls"),
    (Counting(3), r"keeps state between calls"),
    (lambda *problem: E.Reinforce()(*problem) + np.random.default_rng().normal(), r"draws random numbers without a seed"),
    (lambda *problem: E.Reinforce()(*problem) - E.Reinforce()(*problem).mean(axis=0), r"changes with the others"),
], ids=range(14))
def test_what_cannot_be_judged_is_said(fn, words):
    with pytest.raises(pg.EstimatorError, match=words):
        pg.check_estimator(fn)


@pytest.mark.parametrize("settings, words", [
    ({"batch_size": 65}, "serve batches of up to 64"),
    ({"mdp": pg.models.load("two-rooms"), "batch_size": 3, "horizon": 3}, r"groups of 3 trajectories, more than the limit"),
    ({"target": "gradiant"}, "target 'gradiant' is not known: it is one of actor-critic"),
    ({"target": "gae(x)"}, "'x' is no float"), ({"target": "gradient(2)"}, "takes no number"),
    ({"target": "off-policy without gamma^t"}, "semi-gradient"), ({"method": "monte carlo"}, "it is one of auto, pathwise"),
    ({"method": "pathwise"}, "names no estimator"), ({"theta": [0.0]}, "belong to a model"), ({"mdp": 3}, "mdp is int"),
    ({"method": "sequential", "target": "gradient up to scale"}, "has no sequential test")])
def test_settings_that_make_no_sense_are_refused(settings, words):
    with pytest.raises(pg.PGTheoryError, match=words):
        pg.check_estimator(E.Reinforce(), **settings)


def test_a_problem_of_ones_own_is_warned_about():
    """The short corridor: gamma = 1, every reward -1, deterministic: dropping gamma^t cannot be seen."""
    result = pg.check_estimator(E.RewardToGo(gamma_weighting=False), mdp=pg.models.load("short-corridor"))
    words = " ".join(result.blind)
    assert result.passed
    for part in ("gamma = 1", "constant reward", "deterministic transitions", "one start state", "no-gamma-t"):
        assert part in words
    assert "sign-flipped" not in words and "not seen" in str(result)


def test_exact_models_and_policies_are_checked_too():
    mdp = pg.models.load("two-rooms", exact=True)
    policy = pg.SoftmaxPolicy(mdp.n_states, mdp.n_actions, weights=True)
    theta = np.array([[Fraction(1 + (s + a) % 3) for a in range(mdp.n_actions)] for s in range(mdp.n_states)], dtype=object)
    assert pg.check_estimator(E.Reinforce(), mdp, policy, theta, horizon=3).relative_bias < 1e-15


def test_a_check_takes_less_than_two_seconds():
    for fn in (E.RewardToGo(gamma_weighting=False), reinforce):
        start = time.process_time()
        pg.check_estimator(fn)
        assert time.process_time() - start < 2


# --------------------------------------------------------------------------------------------------- sequential


LITTLE = pg.MDP([[[0.4, 0.3, 0.3], [0.2, 0.5, 0.3]], [[0.3, 0.3, 0.4], [0.1, 0.4, 0.5]], [[0, 0, 1], [0, 0, 1]]],
                [[1.0, -0.5], [0.3, 2.0], [0.0, 0.0]], 0.8, [0.6, 0.4, 0.0], normalize=True)
PROBLEM = {"mdp": LITTLE, "policy": pg.SoftmaxPolicy(3, 2), "theta": np.array([[0.3, -0.2], [0.1, 0.4], [0.0, 0.0]]),
           "horizon": 2}
BEHAVIOUR = np.array([[0.2, 0.8], [0.75, 0.25], [0.5, 0.5]])


def test_the_sequential_tier_decides_all_three_ways():
    settings = {**PROBLEM, "method": "sequential"}
    wrong = pg.check_estimator(lambda *problem: 2 * E.Reinforce()(*problem), **settings)
    assert wrong.verdict == "FAIL" and wrong.method == "sequential"
    assert pg.check_estimator(E.Reinforce(), **settings, tolerance=0.5).verdict == "PASS"
    undecided = pg.check_estimator(E.Reinforce(), **settings, tolerance=0.001, budget=2000)
    assert undecided.verdict == "INCONCLUSIVE" and undecided.details["draws"] == 2000


def test_an_estimator_that_draws_is_judged_asymptotically_or_by_its_bounds():
    rng = np.random.default_rng(5)

    def noisy(batch, *rest):
        return E.Baseline(0.5)(batch, *rest) + rng.uniform(-0.1, 0.1, size=(len(batch), 3, 2))
    settings = {**PROBLEM, "method": "sequential", "tolerance": 0.5}
    assert "ASYMPTOTIC" in pg.check_estimator(noisy, **settings).method
    assert pg.check_estimator(noisy, **settings, bounds=(-6, 6)).method == "sequential"
    assert pg.check_estimator(lambda *x: 2 * noisy(*x), **settings).verdict == "FAIL"
    with pytest.raises(pg.PGTheoryError, match="bound violated"):
        pg.check_estimator(noisy, **settings, bounds=(-0.3, 0.3))


def test_problems_too_large_to_enumerate_are_sampled():
    """H0: the estimator is unbiased; assumed: 2000 draws are many. alpha = 1e-9."""
    result = pg.check_estimator(E.RewardToGo(), mdp=pg.models.load("gridworld-5x5"), horizon=12, budget=4000, alpha=1e-9)
    assert result.method == "sequential, ASYMPTOTIC" and result.verdict != "FAIL"


def runs(estimator, n, **settings):
    """The results of n runs, each with draws of its own."""
    return (pg.check_estimator(estimator, **PROBLEM, method="sequential", rng=run, **settings) for run in range(n))


def bernstein(mean, exponent=20):
    """No count of independent events of this mean is larger, except with probability e^-exponent = 2e-9."""
    third = exponent / 3
    return mean + third + np.sqrt(third**2 + 2 * exponent * mean)


HEAVY = np.array([[0.04, 0.96], [0.95, 0.05], [0.5, 0.5]])         # importance weights up to 100
NULLS = pytest.mark.parametrize("estimator, settings", [
    (E.Reinforce(), {}), (E.TrajectoryIS(), {"behaviour": BEHAVIOUR, "target": "off-policy"}),
    (E.TrajectoryIS(), {"behaviour": HEAVY, "target": "off-policy"})], ids=["on", "off", "heavy"])


@NULLS
def test_false_alarms_stay_within_alpha(estimator, settings):
    """H0: the estimator is unbiased, so that a run FAILs with probability at most 0.05.

    Hoeffding: more than 0.05 * 100 + 31 of 100 have probability below exp(-2 * 31^2 / 100) = 5e-9.
    """
    found = runs(estimator, 100, alpha=0.05, tolerance=1e-3, budget=1500, **settings)
    assert sum(result.verdict == "FAIL" for result in found) <= 36


@pytest.mark.long
@NULLS
def test_false_alarms_of_20000_runs_stay_within_alpha(estimator, settings):
    """H0: the estimator is unbiased. The anytime p-value is below alpha wherever a test at alpha would have failed. 20,000 runs
    over the three settings."""
    n = 6_667
    found = list(runs(estimator, n, alpha=0.001, tolerance=1e-3, budget=1500, **settings))
    p = np.array([result.details["p-value"] for result in found])
    assert sum(result.verdict == "FAIL" for result in found) <= bernstein(n * 0.001)
    assert (p <= 0.001).sum() <= bernstein(n * 0.001) and (p <= 0.05).sum() <= bernstein(n * 0.05)


@pytest.mark.long
@pytest.mark.parametrize("beta", [0.05, 0.001])
@pytest.mark.parametrize("estimator, settings", [
    (E.Reinforce(), {"tolerance": 0.5, "budget": 1500}),
    (E.TrajectoryIS(), {"behaviour": BEHAVIOUR, "target": "off-policy", "tolerance": 1.5, "budget": 4000})], ids=["on", "off"])
def test_false_passes_of_20000_runs_stay_within_beta(estimator, settings, beta):
    """H0: the bias is exactly the tolerance in one coordinate, so that a run PASSes with probability at most beta. The control:
    without the bias nearly every run passes at this budget. 20,000 runs over the four settings."""
    largest = np.abs(pg.policy_gradient(LITTLE, PROBLEM["policy"], PROBLEM["theta"], horizon=2)).max()
    off = np.zeros((3, 2))
    off[0, 0] = settings["tolerance"] * largest
    n = 5_000
    found = runs(lambda *problem: estimator(*problem) + off, n, alpha=1e-12, beta=beta, **settings)
    assert sum(result.verdict == "PASS" for result in found) <= bernstein(n * beta)
    right = runs(estimator, 100, alpha=1e-12, beta=beta, **settings)
    assert sum(result.verdict == "PASS" for result in right) > 90


# --------------------------------------------------------------------------------------------------- how users meet it


def test_assert_unbiased_passes_or_raises_the_report():
    assert pg.testing.assert_unbiased(E.Reinforce()).passed
    with pytest.raises(AssertionError, match=r"FAIL: not the gradient; off by 200 %"):
        pg.testing.assert_unbiased(lambda *problem: -E.Reinforce()(*problem))


@pytest.fixture
def mine(tmp_path, monkeypatch):
    (tmp_path / "homework.py").write_text(
        "import pgtheory as pg\n"
        "right = pg.estimators.Reinforce()\n"
        "wrong = pg.estimators.RewardToGo(gamma_weighting=False)\n"
        "gae = lambda batch, *rest: pg.estimators.GAE(batch.critic, 0.9)(batch, *rest)\n"
        "loo = pg.estimators.LeaveOneOut()\n"
        "number = 3\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "homework.py"


@pytest.mark.parametrize("arguments, code, words", [
    (["right", "--as", "gradient"], 0, "PASS: the gradient"),
    (["wrong", "--as", "gradient"], 1, "FAIL: not the gradient"),
    (["wrong", "--as", "gradient", "--target", "without gamma^t"], 0, "PASS: the gradient, without gamma^t"),
    (["gae", "--as", "gradient", "--target", "gae", "--lam", "0.9"], 0, "GAE(0.9)"),
    (["loo", "--as", "gradient", "--group-size", "2"], 0, "PASS"),
    (["wrong", "--as", "gradient", "--format", "json"], 1, '"verdict": "FAIL"'),
    (["number", "--as", "gradient"], 2, "a function is needed"), (["nobody", "--as", "gradient"], 2, "has no 'nobody'"),
    (["right"], 2, "say what to check and as what"),
    (["right", "--as", "gradient", "--gamma", "0.9"], 2, "--gamma does not go"),
    (["right", "--as", "gradient", "--lam", "0.9"], 2, "--lam belongs to"),
    (["right", "--as", "advantages"], 2, "need --gamma"),
    (["right", "--as", "magic"], 2, "magic")])
def test_the_command_line_checks_a_file_or_a_module(mine, capsys, arguments, code, words):
    name, *options = arguments
    assert main(["check", f"{mine}:{name}", *options]) == code
    out = capsys.readouterr()
    assert words in out.out + out.err
    assert (out.err.count("\n") == 1) == (code == 2)


def test_the_command_line_says_what_cannot_be_imported(mine, capsys):
    assert main(["check", "nowhere.at.all:f", "--as", "gradient"]) == 2
    assert "cannot be imported: ModuleNotFoundError" in capsys.readouterr().err
