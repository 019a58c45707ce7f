"""Functions that own their sampling are judged by their draws; how many these were, beside what theory says."""

import numpy as np
import pytest

import pgtheory as pg
from pgtheory.checking.blackbox import Simulator
from pgtheory.checks.sequential import fixed_sample, sequential_sample, sequential_test

EPISODES = 200


def episodes(env, policy, theta, rng, weigh=lambda G, t, gamma: G):
    """REINFORCE by playing, one estimate an episode, from any environment that has reset and step."""
    pi, score, estimates = policy.probabilities(theta), policy.score(theta), []
    for _ in range(EPISODES):
        state, _ = env.reset()
        total, scores, t, over = 0.0, 0.0, 0, False
        while not over:
            action = int(rng.random() > pi[state, 0])
            scores = scores + score[state, action]
            state, reward, over, _, _ = env.step(action)
            total, t = total + env.gamma**t * reward, t + 1
        estimates.append(weigh(total, t, env.gamma) * scores)
    return estimates


def vectorised(env, policy, theta, rng, estimator):
    batch = pg.sample(env.mdp, policy.probabilities(theta), 2000, env.horizon, rng=rng)
    return estimator(batch, policy, theta, env.gamma)


def check(fn, **settings):
    return pg.check_estimator(fn, owns_sampling=True, **{"tolerance": 0.5, **settings})


@pytest.mark.parametrize("settings", [{}, {"horizon": None}, {"horizon": 2}], ids=str)
def test_a_black_box_passes_with_and_without_a_horizon(settings):
    """H0: the estimator is unbiased; assumed: 2000 draws are many. alpha = 1e-9."""
    result = check(episodes, alpha=1e-9, **settings)
    assert result.verdict == "PASS" and result.method == "sequential, ASYMPTOTIC"
    assert any(words.startswith("a bias of less than") for words in result.blind)


def test_bounds_make_the_guarantee_one_without_asymptotics():
    result = check(lambda *x: vectorised(*x, pg.estimators.RewardToGo()), bounds=(-60, 60), budget=200_000)
    assert (result.verdict, result.method) == ("PASS", "sequential")
    with pytest.raises(pg.PGTheoryError, match="bound violated"):
        check(episodes, bounds=(-1, 1))


def test_wrong_black_boxes_fail():
    assert check(lambda *x: episodes(*x, lambda G, t, gamma: -G)).verdict == "FAIL"
    assert check(lambda *x: vectorised(*x, pg.estimators.RewardToGo(gamma_weighting=False))).verdict == "FAIL"
    undiscounted = check(lambda *x: vectorised(*x, pg.estimators.RewardToGo(gamma_weighting=False)), target="without gamma^t")
    assert undiscounted.verdict == "PASS"


def test_targets_that_need_no_horizon():
    """Undiscounted visits by linear algebra at gamma = 1; the control: the discounted gradient is another one."""
    def long(env, policy, theta, rng):
        batch = pg.sample(env.mdp, policy.probabilities(theta), 2000, 60, rng=rng)
        return pg.estimators.RewardToGo(gamma_weighting=False)(batch, policy, theta, env.gamma)
    assert check(long, horizon=None, target="without gamma^t").verdict == "PASS"
    assert check(long, horizon=None).verdict == "FAIL"
    with pytest.raises(pg.PGTheoryError, match="about a number of steps"):
        check(long, horizon=None, target="ppo first step")


def test_where_the_random_numbers_come_from_is_said():
    rng = np.random.default_rng(3)
    elsewhere = check(lambda env, policy, theta, _: vectorised(env, policy, theta, rng, pg.estimators.RewardToGo()), budget=3000)
    assert "draws from elsewhere" in elsewhere.details["seed"]
    stuck = check(lambda env, policy, theta, _: vectorised(env, policy, theta, 5, pg.estimators.RewardToGo()), budget=3000)
    assert "does it seed itself" in stuck.details["seed"]
    assert "seed" not in check(episodes, budget=3000).details


@pytest.mark.parametrize(("fn", "words"), [
    (lambda *x: None, "returned None"), (lambda *x: "no", "no array of numbers"), (lambda *x: np.zeros(3), "has shape"),
    (lambda *x: np.full((2, 4, 2), np.nan), "returned nan"), (lambda *x: 1 / 0, "raised ZeroDivisionError"),
    (lambda env, *x: env.step(0), "call reset"), (lambda env, policy, theta, rng: theta.sort(), "work on a copy")])
def test_what_a_black_box_does_wrong_is_said(fn, words):
    with pytest.raises(pg.PGTheoryError, match=words):
        check(fn)


@pytest.mark.parametrize("settings", [{"method": "exact"}, {"batch_size": 2}, {"target": "off-policy"}, {"target": "gae(0.9)"},
                                      {"theta": [0.0]}, {"target": "gradient up to scale"}])
def test_settings_that_black_boxes_do_not_have_are_refused(settings):
    with pytest.raises(pg.PGTheoryError):
        check(episodes, **settings)


def test_the_simulator_follows_the_model():
    """A chain that leaves no choice, and one of its rewards for each transition."""
    P = np.zeros((3, 2, 3))
    P[0, :, 1] = P[1, :, 2] = P[2, :, 2] = 1.0
    R = np.arange(18.0).reshape(3, 2, 3)
    R[2] = 0.0
    env = Simulator(pg.MDP(P, R, 0.9, [1.0, 0.0, 0.0]), None, np.random.default_rng(0))
    assert env.reset()[0] == 0
    assert env.step(1) == (1, R[0, 1, 1], False, False, {}) and env.step(0) == (2, R[1, 0, 2], True, False, {})
    with pytest.raises(pg.PGTheoryError, match="the episode is over"):
        env.step(0)
    a, b = ([env.reset(seed=4)[0]] + [env.reset()[0] for _ in range(5)] for _ in range(2))
    assert a == b


# ------------------------------------------------------------------------------------------------ how many draws


def test_a_sample_of_fixed_size_by_the_textbook():
    """(1.96 + 1.645)^2 0.25 / 0.01 = 324.9: a coin, 5 % and 5 %, a bias of 0.1."""
    assert fixed_sample(np.array([0.5]), 0.1, 0.05, 0.05) == 325


@pytest.mark.parametrize("bias", [0.0, 0.2, 0.4])
def test_stopping_times_lie_below_the_rule(bias):
    """The mean of 60 runs, which is far below the rule: no run is as long. The rule holds for the bias to be detected, or, for an
    unbiased mean, the tolerance; the control: a bias half as large takes longer than the rule for the whole."""
    tolerance, sd = 0.2, 0.5
    times = []
    for seed in range(60):
        found = sequential_test(lambda n, rng: (rng.random((n, 1)) < 0.5).astype(float), [0.5 - bias], 0.0, 1.0, tolerance, 1e-3,
                                1e-3, 20_000, seed, batch=16)
        assert found.verdict == ("FAIL" if bias else "PASS")
        times.append(found.n)
    assert np.mean(times) <= sequential_sample(np.array([sd]), np.array([1.0]), bias or tolerance, 1e-3 / 2)


def test_the_report_says_what_a_fixed_sample_would_take():
    words = check(episodes).details["planned"]
    assert words.startswith("a sample of fixed size would take") and "draws" in words


def test_power_against_biases_of_one_two_and_four_tolerances():
    """The rule bounds a mean: by Markov at least half of the runs fail within twice its draws. Seeds are fixed, so 20 of 40 is
    no matter of luck; it is far exceeded."""
    for bias in (0.1, 0.2, 0.4):
        budget = 2 * sequential_sample(np.array([0.5]), np.array([1.0]), bias, 1e-3 / 2)
        fails = sum(sequential_test(lambda n, rng, p=0.5 + bias: (rng.random((n, 1)) < p).astype(float), [0.5], 0.0, 1.0, 0.1, 1e-3,
                                    1e-3, budget, seed, batch=64).verdict == "FAIL" for seed in range(40))
        assert fails > 35
