"""check_advantages: right recursions pass, wrong ones are found, placed, made small and named."""

import warnings

import numpy as np
import pytest

import pgtheory as pg
from pgtheory.checking import references
from pgtheory.checking.advantages import blind_spots
from pgtheory.checking.asking import Question
from pgtheory.checking.paths import Rollout, episodes, next_step, rollout
from pgtheory.errors import EstimatorError, PGTheoryError

GAMMA, LAM = 0.8, 0.9


def loop(rewards, values, next_values, stop, cut, gamma=GAMMA, lam=LAM):
    """The textbook loop, row by row and step by step, without a shared line with the reference."""
    out = np.zeros(rewards.shape)
    for n in range(len(rewards)):
        carry = 0.0
        for t in reversed(range(rewards.shape[1])):
            following = 0.0 if stop[n, t] else next_values[n, t]
            carry = rewards[n, t] + gamma * following - values[n, t] + (0.0 if cut[n, t] else gamma * lam * carry)
            out[n, t] = carry
    return out


def gae(rewards, values, terminated, truncated, gamma=GAMMA, lam=LAM):
    return loop(rewards, values[:, :-1], values[:, 1:], terminated, terminated | truncated, gamma, lam)


def rollout_gae(r):
    return loop(r.rewards, r.values, r.next_values, r.terminated, r.done)


def masked_gae(r):
    """Skips holes: the carry passes over them as it is."""
    out, carry = np.zeros(r.rewards.shape), np.zeros(len(r.rewards))
    for t in reversed(range(r.rewards.shape[1])):
        new = (r.rewards[:, t] + GAMMA * r.next_values[:, t] * ~r.terminated[:, t] - r.values[:, t]
               + GAMMA * LAM * ~r.done[:, t] * carry)
        out[:, t] = new
        carry = np.where(r.valid[:, t], new, carry)
    return out


# ------------------------------------------------------------------------------------------------ what is right passes


@pytest.mark.parametrize("seed", range(20))
def test_right_gae_passes_in_arrays_and_in_rollouts(seed):
    for result in (pg.check_advantages(gae, GAMMA, LAM, rng=seed), pg.check_advantages(rollout_gae, GAMMA, LAM, form="rollout", rng=seed),
                   pg.check_advantages(masked_gae, GAMMA, LAM, form="rollout", rng=seed)):
        assert result.verdict == "PASS" and result.precision == "double" and result.method == "pathwise"
        assert result.relative_bias < 1e-14


def test_wrong_discount_or_lambda_fails():
    assert pg.check_advantages(gae, 0.81, LAM).verdict == "FAIL"
    assert pg.check_advantages(gae, GAMMA, 0.91).verdict == "FAIL"


def test_the_reference_is_the_sum_of_discounted_residuals():
    """The definition, (gamma lambda)^k delta_{t+k} up to the end of the episode, step by step over valid steps."""
    r, s = rollout(np.random.default_rng(3), holes=True), references.Setting(GAMMA, LAM)
    A, _ = references.reference(r, s)
    for n, t in np.argwhere(r.valid):
        total, factor = 0.0, 1.0
        for k in [k for k in range(t, r.rewards.shape[1]) if r.valid[n, k]]:
            value = 0.0 if r.terminated[n, k] else r.next_values[n, k]
            total += factor * (r.rewards[n, k] + GAMMA * value - r.values[n, k])
            factor *= GAMMA * LAM
            if r.done[n, k]:
                break
        assert A[n, t] == pytest.approx(total, abs=1e-12)


def test_n_step_returns_by_their_definition():
    r = rollout(np.random.default_rng(4))
    A, G = references.reference(r, references.Setting(GAMMA, LAM, 3, "n-step"))
    for n, t in np.ndindex(r.rewards.shape):
        total, k = 0.0, t
        while True:
            total += GAMMA ** (k - t) * r.rewards[n, k]
            if r.terminated[n, k]:
                break
            if r.truncated[n, k] or k - t == 2 or k + 1 == r.rewards.shape[1]:
                total += GAMMA ** (k - t + 1) * r.next_values[n, k]
                break
            k += 1
        assert G[n, t] == pytest.approx(total, abs=1e-12) and A[n, t] == pytest.approx(total - r.values[n, t], abs=1e-12)


def test_references_agree_with_the_estimators_of_the_library():
    """GAE, n-step and V-trace of pg.estimators, an independent implementation, on enumerated trajectories."""
    mdp = pg.models.load("short-corridor")
    batch = pg.enumerate_trajectories(mdp, [[0.5, 0.5]] * 4, horizon=5, time_limit=4).with_critic([1.0, -2.0, 0.5, 0.0])
    pi = np.array([[0.3, 0.7]] * 4)
    ratios = np.where(batch.valid, pi[batch.states[:, :-1], batch.actions] / 0.5, 1.0)
    r = Rollout(batch.rewards, batch.values, batch.next_values, batch.terminated, batch.truncated, batch.valid,
                np.zeros_like(batch.valid), ratios)
    same = batch.behaviour
    estimators = (("gae", same, pg.estimators.GAE(batch.critic, LAM)), ("n-step", same, pg.estimators.NStep(batch.critic, 3)),
                  ("v-trace", pi, pg.estimators.VTrace(batch.critic, lam=LAM)))
    for target, pi_, estimator in estimators:
        A, _ = references.reference(r, references.Setting(GAMMA, LAM, 3, target))
        weights = estimator.weights(batch, pi_, GAMMA) / GAMMA ** np.arange(r.rewards.shape[1])
        np.testing.assert_allclose(np.where(r.valid, A, 0.0), weights, atol=1e-12)


@pytest.mark.parametrize("truncation", ["bootstrap", "as_termination", "absent"])
@pytest.mark.parametrize("form", ["arrays", "rollout"])
def test_time_limits_count_as_declared(truncation, form):
    def mine(*given):
        if form == "rollout":
            (r,) = given
            return loop(r.rewards, r.values, r.next_values, r.done if truncation == "as_termination" else r.terminated, r.done)
        rewards, values, terminated, truncated = given
        stop = terminated | truncated if truncation == "as_termination" else terminated
        return loop(rewards, values[:, :-1], values[:, 1:], stop, terminated | truncated)
    assert pg.check_advantages(mine, GAMMA, LAM, form=form, truncation=truncation).verdict == "PASS"
    for other in {"bootstrap", "as_termination"} - {truncation}:
        expected = "PASS" if truncation == "absent" and other == "bootstrap" else "FAIL"
        assert pg.check_advantages(mine, GAMMA, LAM, form=form, truncation=other).verdict == expected


def test_a_function_that_knows_no_truncation_passes_where_there_is_none():
    blind = lambda r, v, terminated, truncated: gae(r, v, terminated, np.zeros_like(truncated))   # noqa: E731
    assert pg.check_advantages(blind, GAMMA, LAM, truncation="absent").verdict == "PASS"
    assert pg.check_advantages(blind, GAMMA, LAM).verdict == "FAIL"


def test_returns_and_pairs():
    both = lambda *x: (gae(*x), gae(*x) + x[1][:, :-1])   # noqa: E731
    assert pg.check_advantages(both, GAMMA, LAM, output="both").verdict == "PASS"
    assert pg.check_advantages(lambda *x: both(*x)[1], GAMMA, LAM, output="returns").verdict == "PASS"
    assert pg.check_advantages(lambda *x: both(*x)[1], GAMMA, LAM, target="lambda returns").verdict == "PASS"
    wrong = pg.check_advantages(lambda *x: (gae(*x), gae(*x)), GAMMA, LAM, output="both")
    assert wrong.verdict == "FAIL" and wrong.bias.shape[0] == 2 and not wrong.bias[0].any()
    assert "returns" in wrong.where


def test_monte_carlo_needs_no_critic():
    def to_go(rewards, values, terminated, truncated):
        out, carry = np.zeros_like(rewards), 0.0
        for t in reversed(range(rewards.shape[1])):
            carry = rewards[:, t] + GAMMA * carry * ~(terminated | truncated)[:, t]
            out[:, t] = carry
        return out
    for truncation in ("absent", "as_termination"):
        assert pg.check_advantages(to_go, GAMMA, target="reward-to-go", truncation=truncation).verdict == "PASS"
    assert pg.check_advantages(to_go, GAMMA, target="reward-to-go").verdict == "FAIL"    # a cut episode goes on
    residual = lambda r: r.rewards + GAMMA * r.next_values * ~r.terminated - r.values   # noqa: E731
    assert pg.check_advantages(residual, GAMMA, target="td residual", form="rollout").verdict == "PASS"


# ------------------------------------------------------------------------------------------------ precision


def test_single_precision_is_said():
    result = pg.check_advantages(lambda *x: gae(*x).astype(np.float32), GAMMA, LAM)
    assert result.verdict == "PASS" and result.precision == "single precision" and "single precision" in str(result)
    assert 1e-9 < result.relative_bias < 1e-6
    assert pg.check_advantages(lambda *x: gae(*x).astype(np.float32), GAMMA, LAM, tolerance=1e-12).verdict == "FAIL"
    assert pg.check_advantages(lambda *x: gae(*x).astype(np.float16), GAMMA, LAM).verdict == "FAIL"


def test_a_bug_in_single_precision_is_named_too():
    ended = lambda r, v, term, trunc: gae(r, v, term | trunc, trunc).astype(np.float32)   # noqa: E731
    assert pg.check_advantages(ended, GAMMA, LAM).diagnosis[0].bug == "B6/B7"


def test_numbers_that_are_none_fail():
    def nan(*x):
        A = gae(*x)
        A[2, 0] = np.nan
        return A
    result = pg.check_advantages(nan, GAMMA, LAM)
    assert result.verdict == "FAIL" and "row 2 at time index 0" in result.where and result.relative_bias == np.inf
    assert str(result)


def test_what_stands_after_the_end_is_not_looked_at():
    def scribbles(rewards, values, terminated, truncated):
        A = gae(rewards, values, terminated, truncated)
        done = terminated | truncated
        A[np.cumsum(done, axis=1) - done > 0] = np.nan
        return A
    assert pg.check_advantages(scribbles, GAMMA, LAM).verdict == "PASS"


# ------------------------------------------------------------------------------------------------ where, and how small


def test_the_first_wrong_step_is_named():
    def late(*x):
        A = gae(*x)
        A[5, 2] += 0.5
        return A
    result = pg.check_advantages(late, GAMMA, LAM)
    assert "first in row 5 at time index 2" in result.where and "3 of" in result.where      # one in each record
    assert result.bias[5, 2] == pytest.approx(0.5) and np.count_nonzero(np.abs(result.bias) > 1e-9) == 1


def test_the_smallest_record_of_a_bug_at_a_time_limit_has_one_step():
    cut = lambda r, v, term, trunc: gae(r, v, term | trunc, trunc)   # noqa: E731
    assert pg.check_advantages(cut, GAMMA, LAM).details["smallest"] == (
        "rewards [0], values [0, 1], terminated [0], truncated [1]: advantages [0], should be [0.8]")


def test_the_smallest_record_of_a_bug_between_rows_has_two_rows():
    def shared(r):
        raised = r.rewards + GAMMA * r.truncated.any(axis=0) * r.next_values
        return loop(raised, r.values, r.next_values, r.done, r.done)
    result = pg.check_advantages(shared, GAMMA, LAM, form="rollout")
    assert result.diagnosis[0].bug == "B12-own"
    assert result.details["smallest"].startswith("rewards [[0], [0]]")


# ------------------------------------------------------------------------------------------------ rollouts


def test_the_reset_state_has_another_value_than_the_state_reached():
    r = rollout(np.random.default_rng(0))
    inside = r.done[:, :-1]
    assert np.abs(r.next_values[:, :-1] - r.values[:, 1:])[inside].min() > 1e-3
    np.testing.assert_array_equal(r.next_values[:, :-1][~inside], r.values[:, 1:][~inside])
    np.testing.assert_array_equal(r.episode_starts[:, 1:], inside)


def test_rows_end_in_every_way_and_episodes_are_uneven():
    for seed in range(30):
        r, e = rollout(np.random.default_rng(seed)), episodes(np.random.default_rng(seed))
        for last in (r.terminated[:, -1], r.truncated[:, -1], ~r.done[:, -1], r.done[:, :-1].any(axis=1), r.terminated, r.truncated):
            assert last.any()
        assert not (r.terminated & r.truncated).any()
        lengths = e.valid.sum(axis=1)
        assert len(set(lengths)) > 4 and (e.done.sum(axis=1) == 1).all()
        assert all(e.done[n, length - 1] for n, length in enumerate(lengths))


def test_holes_follow_from_reading_valid_only():
    """A function that takes holes for steps is found where it reads valid, and is not asked where it does not."""
    assert pg.check_advantages(rollout_gae, GAMMA, LAM, form="rollout").verdict == "PASS"
    reads = lambda r: rollout_gae(r) * r.valid   # noqa: E731
    result = pg.check_advantages(reads, GAMMA, LAM, form="rollout")
    assert result.verdict == "FAIL" and [finding.bug for finding in result.diagnosis] == ["B14"]
    assert any("valid" in words for words in pg.check_advantages(rollout_gae, GAMMA, LAM, form="rollout").blind)
    assert not any("valid" in words for words in pg.check_advantages(masked_gae, GAMMA, LAM, form="rollout").blind)


def test_a_step_before_a_hole_reached_the_state_after_it():
    r = rollout(np.random.default_rng(1), holes=True)
    following = next_step(r.valid)
    assert (~r.valid).any() and (~r.valid[:, 1:] & r.done[:, :-1]).any() and (~r.valid[:, 1:] & ~r.done[:, :-1] & r.valid[:, :-1]).any()
    for n, t in np.argwhere(r.valid & ~r.done):
        if following[n, t] < r.valid.shape[1]:
            assert r.next_values[n, t] == r.values[n, following[n, t]]


# ------------------------------------------------------------------------------------------------ functions that misbehave


@pytest.mark.parametrize(("fn", "words"), [
    (lambda *x: None, "returned None"), (lambda *x: gae(*x).T, "look transposed"), (lambda *x: gae(*x)[:, :, None], "last axis"),
    (lambda *x: (gae(*x), gae(*x)), "a pair is for output='both'"), (lambda *x: gae(*x) + 1j, "complex"),
    (lambda *x: "no", "no array of numbers"), (lambda *x: gae(*x)[:, 0] - gae(*x)[:, :1], "broadcasts"),
])
def test_answers_of_the_wrong_kind_are_refused_in_words(fn, words):
    with pytest.raises(EstimatorError, match=words):
        pg.check_advantages(fn, GAMMA, LAM)


def test_an_exception_is_shown_with_the_row_that_caused_it():
    def fragile(rewards, values, terminated, truncated):
        if truncated[:, 0].any():
            raise KeyError("a limit at once")
        return gae(rewards, values, terminated, truncated)
    with pytest.raises(EstimatorError, match=r"raised KeyError.*on the row with rewards \[.*truncated \[1, 0") as caught:
        pg.check_advantages(fragile, GAMMA, LAM)
    assert isinstance(caught.value.__cause__, KeyError)


def test_writing_into_the_input_state_and_chance_are_found_out():
    def writes(rewards, values, terminated, truncated):
        rewards *= 2
        return gae(rewards, values, terminated, truncated)
    with pytest.raises(EstimatorError, match="changed its input rewards"):
        pg.check_advantages(writes, GAMMA, LAM)
    seen = []
    with pytest.raises(EstimatorError, match="keeps state"):
        pg.check_advantages(lambda *x: seen.append(1) or gae(*x) - 0.1 * (len(seen) == 1), GAMMA, LAM)
    rng = np.random.default_rng(0)
    with pytest.raises(EstimatorError, match="draws random numbers"):
        pg.check_advantages(lambda *x: gae(*x) + rng.normal(), GAMMA, LAM)


@pytest.mark.parametrize("settings", [{"gamma": 1.5}, {"gamma": 0.8, "lam": -0.1}, {"gamma": 0.8, "target": "gea"},
                                      {"gamma": 0.8, "form": "list"}, {"gamma": 0.8, "truncation": "no"}, {"gamma": 0.8, "output": "A"},
                                      {"gamma": 0.8, "n": 0, "target": "n-step"}, {"gamma": 0.8, "target": "v-trace"}])
def test_settings_are_checked(settings):
    with pytest.raises(PGTheoryError):
        pg.check_advantages(gae, **settings)


# ------------------------------------------------------------------------------------------------ what cannot be seen


def test_lambda_one_hides_the_trace_and_says_so():
    forgot = lambda *x: gae(*x, lam=1.0)   # noqa: E731
    result = pg.check_advantages(forgot, GAMMA, lam=1.0)
    assert result.verdict == "PASS" and any("trace" in words for words in result.blind) and "trace" in str(result)
    assert not any("trace" in words for words in pg.check_advantages(gae, GAMMA, LAM).blind)


def test_gamma_one_and_absent_limits_are_said():
    s = references.Setting(1.0, 0.5, truncation="absent")
    spots = " ".join(blind_spots(s, Question(None, "rollout", "both"), {"valid"}))
    assert "discounting" in spots and "time limits" in spots


def test_reports_are_eighty_columns_and_plain_data():
    result = pg.check_advantages(lambda *x: -gae(*x), GAMMA, LAM)
    assert max(map(len, str(result).splitlines())) <= 80
    assert result.as_dict()["verdict"] == "FAIL"


def test_assertions_raise_with_the_report_and_return_the_result():
    assert pg.testing.assert_advantages(gae, GAMMA, LAM).verdict == "PASS"
    with pytest.raises(AssertionError, match="the sign is flipped"):
        pg.testing.assert_advantages(lambda *x: -gae(*x), GAMMA, LAM)


def test_no_warning_is_raised():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pg.check_advantages(lambda *x: 2 * gae(*x), GAMMA, LAM)
