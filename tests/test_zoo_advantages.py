"""The zoo of advantages and of weights: every bug is found and named, every right function passes."""

import numpy as np
import pytest

import pgtheory as pg
from pgtheory.checking.grouping import group_problems
from pgtheory.checking.zoo.advantages import BUGS, CONTROLS
from pgtheory.checking.zoo.gradients import NEGATIVE_CONTROLS
from pgtheory.checking.zoo.weights import WEIGHT_CONTROLS, as_function, weight_bugs

GAMMA, LAM = 0.8, 0.9
# bugs that a row of one episode cannot show: what a carry runs into there stands after the end
ARRAYS = [bug for bug in BUGS if "form" not in bug.shown]


def check(bug, **settings):
    return pg.check_advantages(bug.function(**settings), **settings)


def test_the_zoo_is_as_large_as_it_says():
    assert len(BUGS) >= 45 and len({bug.bug for bug in BUGS}) == len(BUGS)
    rows = {bug.bug.split("-")[0] for bug in BUGS} | {row for bug in BUGS for row in bug.bug.split("/")}
    assert {"B1", "B2", "B5", "B6", "B7", "B8", "B9", "B10", "B11", "B12", "B14", "B16", "B17", "B18", "A2", "A3", "A4", "A5", "A6",
            "A7", "A8", "A10", "A11", "A12", "A15", "A16", "C4", "F4"} <= rows


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.bug)
def test_every_bug_fails_on_rollouts_and_is_named(bug):
    result = check(bug, **{**bug.settings(GAMMA, LAM), "form": "rollout"})
    assert result.verdict == "FAIL" and result.relative_bias > 0.01
    assert [finding.bug for finding in result.diagnosis] == [bug.bug] and result.diagnosis[0].residual < 1e-12


@pytest.mark.parametrize("bug", ARRAYS, ids=lambda bug: bug.bug)
def test_bugs_fail_on_rows_of_one_episode_too_and_are_among_the_ties(bug):
    result = check(bug, **{**bug.settings(GAMMA, LAM), "form": "arrays"})
    assert result.verdict == "FAIL" and bug.bug in {finding.bug for finding in result.diagnosis}
    assert len(result.diagnosis) <= 2


@pytest.mark.parametrize("truncation", ["as_termination", "absent"])
@pytest.mark.parametrize("bug", [bug for bug in BUGS if "n-step" not in bug.shown.values()], ids=lambda bug: bug.bug)
def test_bugs_that_do_not_need_time_limits_show_without_bootstrapping_them(bug, truncation):
    """A bug passes only where it is right: it agrees with the reference on every record."""
    result = check(bug, **{**bug.settings(GAMMA, LAM), "form": "rollout", "truncation": truncation})
    if result.verdict == "PASS":
        assert bug.bug in {"B8", "B9", "B10", "B10-zeroed", "B11", "B12", "B12-own", "B18", "B6/B7", "limit-twice",
                           "limit-undiscounted"}
    else:
        assert bug.bug in {finding.bug for finding in result.diagnosis}


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.bug)
@pytest.mark.parametrize("seed", range(3))
def test_right_functions_that_were_reported_pass(control, seed):
    settings = {**control.settings(GAMMA, LAM), "rng": seed}
    fn = control.function(**{name: value for name, value in settings.items() if name != "rng"})
    for form in {"rollout", settings.get("form", "arrays")}:
        fn = control.function(GAMMA, LAM, form=form)
        assert pg.check_advantages(fn, GAMMA, LAM, form=form, rng=seed).verdict == "PASS"


def test_settings_that_hide_a_bug_say_so():
    """Where a bug passes because of lambda, gamma or n, the report names what is not seen."""
    for words in ("lam = 1", "lam = 0", "gamma = 1", "gamma = 0"):
        name, value = words.split(" = ")
        settings, hidden = {name: float(value)}, 0
        for bug in BUGS:
            kept = {**bug.settings(GAMMA, LAM), "form": "rollout", **settings}
            if kept.get("target", "gae") != "gae":
                continue
            result = check(bug, **kept)
            if result.verdict == "PASS":
                hidden += 1
                assert any(words in spot for spot in result.blind), (bug.bug, settings)
        assert hidden


def test_ties_are_reported_as_ties():
    """With lambda = 0 nothing is carried: leaks over the end make no difference, and two others become one."""
    result = check(next(bug for bug in BUGS if bug.bug == "A15"), **{"gamma": GAMMA, "lam": 1e-12, "form": "rollout"})
    assert result.verdict == "FAIL" and len(result.diagnosis) >= 1
    arrays = check(next(bug for bug in BUGS if bug.bug == "B17"), gamma=GAMMA, lam=LAM)
    assert {finding.bug for finding in arrays.diagnosis} == {"B17", "B1-reverse"} and "cannot be told apart" in str(arrays)


def written_by_hand():
    """Bugs as somebody else writes them, with the ids that should be named."""
    def loop(r, stop, cut, next_values=None, rewards=None, lam=LAM):
        A, carry = np.zeros_like(r.rewards), np.zeros(len(r.rewards))
        following = r.next_values if next_values is None else next_values
        for t in reversed(range(r.rewards.shape[1])):
            delta = (r.rewards if rewards is None else rewards)[:, t] + GAMMA * following[:, t] * (1 - stop[:, t]) - r.values[:, t]
            carry = delta + GAMMA * lam * (1 - cut[:, t]) * carry
            A[:, t] = carry
        return A
    zero = lambda r: np.zeros(r.rewards.shape)   # noqa: E731
    def shifted(r):
        done = np.concatenate([r.done[:, 1:], r.done[:, -1:]], axis=1) * 1.0
        term = np.concatenate([r.terminated[:, 1:], r.terminated[:, -1:]], axis=1) * 1.0
        return loop(r, term, done)
    def auto_reset(r):
        following = np.concatenate([r.values[:, 1:], r.next_values[:, -1:]], axis=1)
        return loop(r, r.terminated, r.done, following)
    def last_previous(r):
        following = r.next_values.copy()
        following[:, -1] = r.values[:, -1]
        return loop(r, r.terminated, r.done, following)
    def bonus(r):
        return loop(r, r.done, r.done, rewards=r.rewards + GAMMA * r.truncated * r.values)
    def whitened(r):
        A = loop(r, r.terminated, r.done)
        return (A - A.mean()) / (A.std() + 1e-8)
    yield "B1", shifted
    yield "B1-starts", lambda r: loop(r, r.episode_starts, r.episode_starts)
    yield "limit-twice", lambda r: loop(r, r.terminated, r.done, rewards=r.rewards + GAMMA * r.truncated * r.next_values)
    yield "B5", lambda r: loop(r, r.terminated, zero(r))
    yield "B6/B7", lambda r: loop(r, r.done, r.done)
    yield "B8", bonus
    yield "B9", auto_reset
    yield "B10", lambda r: loop(r, r.terminated, r.terminated)
    yield "B2/B3", last_previous
    yield "B17", lambda r: loop(r, zero(r), r.done)
    yield "lambda-forgotten", lambda r: loop(r, r.terminated, r.done, lam=1.0)
    yield "C4", whitened
    yield "A4", lambda r: loop(r, r.terminated, r.done, rewards=np.pad(r.rewards, ((0, 0), (1, 0)))[:, :-1])
    yield "sign", lambda r: -loop(r, r.terminated, r.done)


@pytest.mark.parametrize(("bug", "fn"), list(written_by_hand()), ids=lambda x: x if isinstance(x, str) else "")
def test_bugs_in_other_words_are_named(bug, fn):
    result = pg.check_advantages(fn, GAMMA, LAM, form="rollout")
    assert result.verdict == "FAIL" and [finding.bug for finding in result.diagnosis] == [bug]


# ------------------------------------------------------------------------------------------------ weights


@pytest.mark.parametrize("size", [1, 3])
def test_every_bug_of_the_weights_fails_and_is_among_the_ties(size):
    bugs = [bug for bug in weight_bugs(size, "gradient") if bug.batch_size > 1 or size == 1]
    assert len(bugs) >= 20
    unnamed = []
    for bug in bugs:
        result = pg.check_weights(as_function(bug, size), group_size=size)
        assert result.verdict == "FAIL", bug.bug
        if bug.bug not in {finding.bug for finding in result.diagnosis}:
            unnamed.append(bug.bug)
    assert not unnamed


@pytest.mark.parametrize("size", [2, 3])
def test_right_weights_pass(size):
    for control in (*NEGATIVE_CONTROLS, *WEIGHT_CONTROLS):
        if control.weights is not None and control.batch_size in (1, size) and control.target in ("gradient", "without gamma^t",
                                                                                               "gradient up to scale"):
            discounted = "without" not in control.target
            assert pg.check_weights(as_function(control, size, discounted), size, target=control.target).verdict == "PASS", control.bug


def test_groups_go_through_all_members_once():
    groups = group_problems(2, 1.0, "exact", True)[0]
    assert groups.probability.sum() == pytest.approx(1.0, abs=1e-12)
    assert len({tuple(row) for row in groups.rows}) == len(groups.rows)
