"""check_weights where the groups of one call change each other: judged as users call it, with several groups in one call."""

import numpy as np
import pytest

import pgtheory as pg
from pgtheory.checking.fixtures import generic_fixtures
from pgtheory.checking.grouping import LADDER, enumerate_groups, problem_for
from pgtheory.checking.several import _every, all_calls


def totals(batch):
    return (batch.rewards * batch.valid).sum(axis=1)


def left_out(batch, k):
    R = totals(batch).reshape(-1, k)
    return R - (R.sum(axis=1, keepdims=True) - R) / (k - 1)


def at_rows(A, batch):
    return A.reshape(-1, 1) * batch.valid


def tiled(batch, k):
    """Members and groups are exchanged when there are several groups."""
    return at_rows(left_out(batch, k).T, batch)


def call_left_out(batch):
    """The mean over the whole call without the row itself."""
    R = totals(batch)
    return at_rows(len(R) / (len(R) - np.ones(1)) * (R - R.mean()), batch)


@pytest.mark.parametrize("k", [2, 3, 4, 5, 8, 16])
@pytest.mark.parametrize("scale", ["", " up to scale"])
def test_advantages_at_the_wrong_rows_do_not_pass(k, scale):
    """Right for one group in a call, wrong for two; for many members by calls drawn with a fixed seed, off by 12 standard errors."""
    result = pg.check_weights(lambda batch: tiled(batch, k), k, target=f"gradient{scale}")
    assert "in one call" in result.details["called"] and "row 1 has that of" in result.details["rows"]
    if scale:       # a score has no covariance with other rows: the mean is shorter, not turned, and the report says so
        assert result.verdict == ("PASS" if k <= 5 else "INCONCLUSIVE") and result.details["scale"].startswith(("1, 0.", "0.", "1 "))
    else:
        assert result.verdict == "FAIL" and "not with one" in result.where and result.diagnosis[0].bug == "wrong-rows"
    right = pg.check_weights(lambda batch: at_rows(left_out(batch, k), batch), k, target=f"gradient{scale}")
    assert right.passed and "called" not in right.details


@pytest.mark.parametrize("k", [1, 2, 3, 8])
def test_a_mean_over_the_whole_call_without_the_own_row_is_unbiased(k):
    result = pg.check_weights(call_left_out, k)
    assert result.passed and "in one call" in result.details["called"]
    with_own = lambda batch: at_rows(totals(batch) - totals(batch).mean(), batch)   # noqa: E731
    assert pg.check_weights(with_own, k).verdict == "FAIL"
    free = pg.check_weights(with_own, k, target="gradient up to scale")     # 1 - 1/n of it, n rows in a call
    assert free.passed and ("0.5, 0.666667, 0.75" if k == 1 else f"{1 - 1 / (2 * k):.6g}") in free.details["scale"]


@pytest.mark.parametrize("k", [1, 3])
def test_the_standard_deviation_of_the_whole_call_turns_the_gradient(k):
    whitened = lambda batch: at_rows((totals(batch) - totals(batch).mean()) / (totals(batch).std() + 1e-8), batch)   # noqa: E731
    assert pg.check_weights(whitened, k, target="gradient up to scale").verdict == "FAIL"


def test_a_baseline_from_the_other_groups_needs_several_of_them():
    """0 / 0 for a group by itself, which nobody calls it with."""
    def others(batch, own):
        R, k = totals(batch), 2
        inside = np.bincount(batch.group, weights=R)[batch.group]
        return at_rows(R - (R.sum() - inside * (not own)) / (len(R) - np.full(len(R), k * (not own))), batch)
    assert pg.check_weights(lambda batch: others(batch, False), 2).passed
    assert pg.check_weights(lambda batch: others(batch, True), 2).verdict == "FAIL"


def test_a_factor_that_grows_with_the_number_of_groups_is_right_up_to_scale_only():
    times = lambda batch: at_rows(left_out(batch, 3), batch) * len(batch) / 3   # noqa: E731
    assert pg.check_weights(times, 3).verdict == "FAIL"
    assert pg.check_weights(times, 3, target="gradient up to scale").passed


def test_only_the_last_group_of_a_call_written_is_one_over_the_groups():
    def last(batch):
        w = at_rows(left_out(batch, 3), batch)
        w[:-3] = 0.0
        return w
    result = pg.check_weights(last, 3)
    assert result.verdict == "FAIL" and [f.bug for f in result.diagnosis] == ["one-over-groups"]


def test_too_many_calls_without_a_bias_in_those_drawn_are_inconclusive():
    """Unbiased, coupled, and the order of members counts: neither all pairs nor all sets of pairs can be gone through."""
    def neighbours(batch):
        R = totals(batch)
        return at_rows(R - np.roll(R, 1), batch)
    result = pg.check_weights(neighbours, 8)
    assert result.verdict == "INCONCLUSIVE" and "smaller group_size" in result.look and not result.passed
    assert pg.check_weights(neighbours, 3).passed       # all pairs of threes are few


def test_probabilities_of_calls_sum_to_one_and_the_mean_is_that_of_single_groups():
    for k in (1, 2, 3, 8):
        for calls in all_calls(lambda batch: at_rows(totals(batch), batch), k, 0.8, "exact", True):
            assert calls.probability.sum() == pytest.approx(1.0, abs=1e-12) and calls.size == k * calls.together
            assert calls.batch([0]).group.tolist() == np.repeat(np.arange(calls.together), k).tolist()
    fixture = problem_for(0, generic_fixtures(1)[0], 2, 0.8, "exact", LADDER, 2)
    groups = enumerate_groups(fixture, 2, True)
    pairs = _every(lambda batch: at_rows(totals(batch), batch), 2, 2, 0.8, "exact", True)
    R = np.asarray(fixture.batch.rewards.sum(axis=1), dtype=float)
    assert pairs.probability @ R[pairs.rows].sum(axis=1) == pytest.approx(2 * groups.probability @ R[groups.rows].sum(axis=1), rel=1e-12)
