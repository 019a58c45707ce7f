"""Bugs that nobody has reported yet: recursions and estimators with parts exchanged are named by the parts.

The functions here are written as loops by themselves; nothing of them is taken from the tables of parts.
"""

import numpy as np
import pytest

import pgtheory as pg
from pgtheory.checking.paths import episodes, rollout
from pgtheory.checking.references import TARGETS, Setting, reference
from pgtheory.checking.zoo.composed import RECIPES, RIGHT, composed
from pgtheory.checking.zoo.elsewhere import lines

GAMMA, LAM = 0.8, 0.9


def names(result):
    assert result.verdict == "FAIL", str(result)
    return {finding.bug for finding in result.diagnosis}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("truncation", ["bootstrap", "as_termination", "absent"])
def test_nothing_exchanged_is_the_reference(target, truncation):
    """Every recipe with the right parts, on rows with several episodes, with holes, and of one episode."""
    rng = np.random.default_rng(0)
    records = (("rollout", rollout(rng, truncation)), ("rollout", rollout(rng, truncation, holes=True)),
               ("arrays", episodes(rng, truncation)))
    for form, record in records:
        s = Setting(GAMMA, LAM, 3, target, truncation, form)
        for recipe in RECIPES[s.family]:
            found = recipe.run(record, s, {part: table[RIGHT][1] for part, table in recipe.parts.items()})
            for ours, right in zip(found, reference(record, s), strict=True):
                np.testing.assert_allclose(np.where(record.valid, ours - right, 0.0), 0.0, atol=1e-12)


def scan(r, delta, keep, factor=GAMMA * LAM):
    """(N, T) sum by a loop from the end; keep (N, T) says where the carry survives."""
    A, carry = np.zeros(r.rewards.shape), np.zeros(len(r.rewards))
    for t in reversed(range(A.shape[1])):
        A[:, t] = carry = delta[:, t] + factor * keep[:, t] * carry
    return A


def right_delta(r):
    return r.rewards + GAMMA * np.where(r.terminated, 0.0, r.next_values) - r.values


def shifted(mask):
    return np.concatenate([mask[:, 1:], mask[:, -1:]], axis=1)


WRITTEN_WRONGLY = {
    "cut-truncated": lambda r: scan(r, right_delta(r), ~r.truncated),
    "minus-before": lambda r: scan(r, right_delta(r) + r.values - np.pad(r.values, ((0, 0), (1, 0)))[:, :-1], ~r.done),
    "carry-lambda-twice": lambda r: scan(r, right_delta(r), ~r.done, GAMMA * LAM**2),
    "one-late": lambda r: np.pad(scan(r, right_delta(r), ~r.done), ((0, 0), (1, 0)))[:, :-1],
    "stop-truncated + carry-gamma": lambda r: scan(
        r, r.rewards + GAMMA * np.where(r.truncated, 0, r.next_values) - r.values, ~r.done, GAMMA),
    "gamma-is-1 + cut-none": lambda r: scan(r, r.rewards + np.where(r.terminated, 0, r.next_values) - r.values, np.ones_like(r.done)),
    "reward-sign-flipped + values-of-the-step": lambda r: scan(
        r, -r.rewards + GAMMA * np.where(r.terminated, 0, r.values) - r.values, ~r.done),
    "stop-terminated-later + cut-done-later": lambda r: scan(
        r, r.rewards + GAMMA * np.where(shifted(r.terminated), 0, r.next_values) - r.values, ~shifted(r.done)),
}


@pytest.mark.parametrize("bug", WRITTEN_WRONGLY)
def test_a_recursion_written_wrongly_in_one_place_or_two_is_named(bug):
    found = names(pg.check_advantages(WRITTEN_WRONGLY[bug], GAMMA, LAM, form="rollout"))
    assert bug in found or found == {"B1"}      # a known bug comes first; the last one is two exchanges and one of those


def test_wrong_in_three_places_is_not_named():
    """The control: what the tables do not reach has no name."""
    def three(r):
        return -scan(r, np.sign(r.rewards) * 0.3 + LAM * np.where(r.truncated, 0, r.values) - r.values, ~shifted(r.terminated), 0.5)
    assert names(pg.check_advantages(three, GAMMA, LAM, form="rollout")) == set()


@pytest.mark.parametrize(("target", "lam", "bug"), [("v-trace", 1.0, "c-before"), ("v-trace", LAM, "rho-squared"),
                                                     ("v-trace returns", 1.0, "no-ratios")])
def test_ratios_in_the_wrong_place_are_named(target, lam, bug):
    def v_trace(r):
        rho = np.minimum(r.ratios, 1) if bug != "no-ratios" else np.ones_like(r.ratios)
        c = np.pad(rho, ((0, 0), (1, 0)))[:, :-1] if bug == "c-before" else rho
        own = rho**2 if bug == "rho-squared" else rho
        next_value, acc = np.where(r.terminated, 0.0, r.next_values), np.zeros(len(rho))
        A, G = np.zeros_like(rho), np.zeros_like(rho)
        for t in reversed(range(rho.shape[1])):
            plain = r.rewards[:, t] + GAMMA * next_value[:, t] - r.values[:, t]
            A[:, t] = rho[:, t] * (plain + GAMMA * ~r.done[:, t] * acc)
            acc = own[:, t] * plain + GAMMA * lam * c[:, t] * ~r.done[:, t] * acc
            G[:, t] = r.values[:, t] + acc
        return G if target.endswith("returns") else A
    assert names(pg.check_advantages(v_trace, GAMMA, lam, target=target, form="rollout")) & {bug, "F4", "F1"}


@pytest.mark.parametrize(("declared", "words"), [({"gamma": 0.7}, "gamma is 0.8, not 0.7"), ({"lam": 0.5}, "lambda is 0.9, not 0.5")])
def test_other_numbers_than_declared_are_found(declared, words):
    result = pg.check_advantages(lambda r: scan(r, right_delta(r), ~r.done), **{"gamma": GAMMA, "lam": LAM, **declared}, form="rollout")
    assert words in result.diagnosis[0].words


def test_factors_and_normalisations_with_statistics_of_their_own_are_told():
    third = pg.check_advantages(lambda r: scan(r, right_delta(r), ~r.done) / 3, GAMMA, LAM, form="rollout")
    assert "0.333333 times the target" in third.diagnosis[0].words
    def padded(rewards, values, terminated, truncated):
        delta = rewards + GAMMA * values[:, 1:] * ~terminated - values[:, :-1]
        A, carry = np.zeros_like(rewards), 0.0
        for t in reversed(range(rewards.shape[1])):
            A[:, t] = carry = delta[:, t] + GAMMA * LAM * ~(terminated | truncated)[:, t] * carry
        return (A - A.mean()) / (A.std() + 1e-8)         # over what stands after the end, too
    assert names(pg.check_advantages(padded, GAMMA, LAM)) == {"normalised"}


# ------------------------------------------------------------------------------------------------ gradients and weights


def episode(tau, score, weight):
    return sum(weight(t, tau) * score[s, a] for t, (s, a) in enumerate(zip(tau.states, tau.actions, strict=False)))


def to_go(t, tau, gamma):
    return sum(gamma ** (k - t) * r for k, r in enumerate(tau.rewards) if k >= t)


@pytest.mark.parametrize(("bug", "weight"), [
    ("gamma-t-twice + own-reward", lambda t, tau, g: g ** (2 * t) * tau.rewards[t]),
    ("reward-clipped + over-the-length", lambda t, tau, g: g**t * sum(
        g ** (k - t) * np.clip(r, -1, 1) for k, r in enumerate(tau.rewards) if k >= t) / len(tau.rewards)),
    ("undiscounted + first-step-only", lambda t, tau, g: (t == 0) * sum(tau.rewards)),
])
def test_estimators_written_wrongly_in_two_places_are_named(bug, weight):
    def fn(batch, policy, theta, gamma):
        score = policy.score(theta)
        return [episode(tau, score, lambda t, tau: weight(t, tau, gamma)) for tau in batch]
    found = {frozenset(name.split(" + ")) for name in names(pg.check_estimator(fn))}
    assert frozenset(bug.split(" + ")) in found


def test_scores_that_are_not_centred_are_named():
    def fn(batch, policy, theta, gamma):
        out = np.zeros((len(batch),) + theta.shape)
        for n, tau in enumerate(batch):
            for t, (s, a) in enumerate(zip(tau.states, tau.actions, strict=False)):
                out[n, s, a] += gamma**t * to_go(t, tau, gamma)
        return out
    assert names(pg.check_estimator(fn)) == {"score-not-centred"}


def test_bugs_of_advantages_are_named_through_the_gradient_too():
    def fn(batch, policy, theta, gamma):
        delta = batch.rewards + gamma * batch.next_values - batch.values       # no mask
        score = policy.score(theta)[batch.states[:, :-1], batch.actions]
        return np.einsum("nt,nt...->n...", np.where(batch.valid, gamma ** np.arange(delta.shape[1]) * delta, 0.0), score)
    result = pg.check_estimator(fn, target="actor-critic")
    assert "B17" in names(result)


def test_steps_after_the_end_that_are_counted_are_told():
    def fn(batch, policy, theta, gamma):
        score = policy.score(theta)[batch.states[:, :-1], batch.actions]
        G = np.cumsum((batch.rewards * gamma ** np.arange(batch.rewards.shape[1]))[:, ::-1], axis=1)[:, ::-1]
        return np.einsum("nt,nt...->n...", G - 2.0, score)
    result = pg.check_estimator(fn)
    assert names(result) == {"padding-counted"} and "terminal state" in result.diagnosis[0].look
    shifted = pg.check_estimator(lambda *given: fn(*given) + 0.1)       # the control: live states are off, too
    assert "padding-counted" not in names(shifted)


@pytest.mark.parametrize(("bug", "shape"), [
    ("positive-only", lambda A, R: np.maximum(A, 0)), ("clipped", lambda A, R: np.clip(A, -1, 1)), ("sign-only", lambda A, R: np.sign(A)),
    ("exponential", lambda A, R: np.exp(A)), ("worst-dropped", lambda A, R: A * (R != R.min(axis=1, keepdims=True)))])
def test_advantages_of_groups_that_are_bent_are_named(bug, shape):
    def fn(batch):
        R = (batch.rewards * batch.valid).sum(axis=1).reshape(-1, 3)
        return shape(R - (R.sum(axis=1, keepdims=True) - R) / 2, R).reshape(-1, 1) * batch.valid
    assert bug in names(pg.check_weights(fn, 3))


def test_every_composed_bug_has_words_and_an_id_of_its_own():
    for family in RECIPES:
        bugs = composed(family)
        assert all(bug.words and bug.look for bug in bugs)


def test_what_no_seam_carries_is_printed_with_its_reason():
    text = "\n".join(lines())
    for row in ("C2", "C10", "E1", "E6", "E9", "E10", "F3", "F7", "F9", "F11", "G1", "G4"):
        assert row in text
    assert all(len(line.split(None, 1)) == 2 for line in lines())


def test_nothing_at_all_is_no_multiple_of_a_bug():
    """A function that returns 0, or nearly, looks like no bug; it is said that it is 0."""
    for tiny in (0.0, 1e-14):
        result = pg.check_advantages(lambda r, tiny=tiny: tiny * r.rewards, GAMMA, LAM, form="rollout")
        assert names(result) == set()
    assert "0 everywhere" in pg.check_advantages(lambda r: 0 * r.rewards, GAMMA, LAM, form="rollout").look
    for result in (pg.check_estimator(lambda batch, policy, theta, gamma: np.zeros((len(batch),) + theta.shape)),
                   pg.check_weights(lambda batch: 0.0 * batch.rewards)):
        assert names(result) <= {"score-only", "baseline-is-the-td-target"}     # whose mean is 0
        assert all(finding.scale == 1 for finding in result.diagnosis)


def test_a_function_of_the_other_form_is_told_what_it_is_called_with():
    with pytest.raises(pg.PGTheoryError, match="form='arrays' it is called with four arrays"):
        pg.check_advantages(lambda r: r.rewards, GAMMA)
    with pytest.raises(pg.PGTheoryError, match="form='rollout' it is called with one record"):
        pg.check_advantages(lambda rewards, values, terminated, truncated: rewards, GAMMA, form="rollout")


def test_a_step_both_terminated_and_truncated_is_looked_at():
    def reward_raised(r):       # bootstraps by adding to the reward wherever truncated is set
        delta = r.rewards + GAMMA * r.next_values * r.truncated + GAMMA * r.next_values * ~r.done - r.values
        return scan(r, delta, ~r.done)
    result = pg.check_advantages(reward_raised, GAMMA, LAM, form="rollout")
    assert result.passed and "both terminated and truncated" in result.details["both"]
    careful = pg.check_advantages(lambda r: scan(r, right_delta(r), ~r.done), GAMMA, LAM, form="rollout")
    assert careful.passed and "both" not in careful.details


# ------------------------------------------------------------------------------------------------ what is added, and numbers


def reward_to_go(batch, gamma):
    return np.cumsum((batch.rewards * gamma ** np.arange(batch.rewards.shape[1]))[:, ::-1], axis=1)[:, ::-1]


def scored(batch, policy, theta, weights, at=1.0):
    return np.einsum("nt,nt...->n...", weights * batch.valid, policy.score(at * theta)[batch.states[:, :-1], batch.actions])


def entropy_slopes(policy, theta):
    pi = policy.probabilities(theta)
    return -np.einsum("sa,sa,sa...->s...", pi, np.log(pi), policy.score(theta))


@pytest.mark.parametrize("coefficient", [0.01, -0.3])
def test_a_bonus_added_with_any_coefficient_is_named_with_it(coefficient):
    def entropy(batch, policy, theta, gamma):
        extra = np.einsum("nt,nt...->n...", 1.0 * batch.valid, entropy_slopes(policy, theta)[batch.states[:, :-1]])
        return scored(batch, policy, theta, reward_to_go(batch, gamma)) + coefficient * extra
    def decay(batch, policy, theta, gamma):
        return scored(batch, policy, theta, reward_to_go(batch, gamma)) + coefficient * theta
    def both(batch, policy, theta, gamma):
        return entropy(batch, policy, theta, gamma) + 0.1 * theta
    for fn, bug in ((entropy, "entropy-bonus-undiscounted"), (decay, "weight-decay")):
        result = pg.check_estimator(fn)
        assert names(result) == {bug} and f"coefficient {coefficient:g}" in result.diagnosis[0].words
    assert names(pg.check_estimator(both)) == set()      # the control: two terms are no multiple of one


def test_minus_log_pi_in_the_reward_is_named_in_weights():
    def fn(batch, beta):
        R = ((batch.rewards - beta * batch.log_probs) * batch.valid).sum(axis=1).reshape(-1, 3)
        return (R - (R.sum(axis=1, keepdims=True) - R) / 2).reshape(-1, 1) * batch.valid
    result = pg.check_weights(lambda batch: fn(batch, 0.05), 3)
    assert "surprise-in-reward" in names(result) and "coefficient 0.05" in result.diagnosis[0].words
    assert pg.check_weights(lambda batch: fn(batch, 0.0), 3).passed


@pytest.mark.parametrize("times", [0.5, 1.7])
def test_the_score_at_another_temperature_is_named_with_it(times):
    def fn(batch, policy, theta, gamma):
        return scored(batch, policy, theta, reward_to_go(batch, gamma), times)
    result = pg.check_estimator(fn)
    assert names(result) == {"other-temperature"} and f"{times:g} theta" in result.diagnosis[0].words
    elsewhere = pg.check_estimator(lambda batch, policy, theta, gamma: scored(batch, policy, theta + 0.3 * np.arange(theta.size).reshape(
        theta.shape), reward_to_go(batch, gamma)))       # the control: other parameters, no multiple of these
    assert "other-temperature" not in names(elsewhere)


def td(batch, gamma, mask_reward=False):
    reached = gamma * np.where(batch.terminated, 0.0, batch.next_values)
    return batch.rewards * (~batch.terminated if mask_reward else 1.0) + reached - batch.values


def test_a_factor_that_is_a_power_of_gamma_is_told_as_one():
    def fn(batch, policy, theta, gamma, factor=None):
        c = gamma if factor is None else factor
        return scored(batch, policy, theta, c * gamma ** np.arange(batch.rewards.shape[1]) * td(batch, gamma))
    words = pg.check_estimator(fn, target="actor-critic").diagnosis[0].words
    assert "gamma^(t+1) for gamma^t" in words
    plain = pg.check_estimator(lambda *given: fn(*given, factor=0.7), target="actor-critic").diagnosis[0].words
    assert "0.7 times" in plain and "gamma" not in plain


def test_a_done_mask_over_the_reward_is_named_through_the_gradient():
    def fn(batch, policy, theta, gamma):
        return scored(batch, policy, theta, gamma ** np.arange(batch.rewards.shape[1]) * td(batch, gamma, mask_reward=True))
    assert "no-reward-at-terminations" in names(pg.check_estimator(fn, target="actor-critic"))


def test_axes_mixed_up_are_named():
    def flat(r):
        A, carry, delta, keep = np.zeros(r.rewards.size), 0.0, right_delta(r).ravel(), ~r.done.ravel()
        for i in reversed(range(len(A))):
            A[i] = carry = delta[i] + GAMMA * LAM * keep[i] * carry
        return A.reshape(r.rewards.shape)
    def over_rows(r):
        A, carry, delta = np.zeros_like(r.rewards), 0.0, right_delta(r)
        for n in reversed(range(len(A))):
            A[n] = carry = delta[n] + GAMMA * LAM * ~r.done[n] * carry
        return A
    assert names(pg.check_advantages(flat, GAMMA, LAM, form="rollout")) == {"flattened"}
    assert names(pg.check_advantages(over_rows, GAMMA, LAM, form="rollout")) == {"transposed"}


def test_returns_made_of_normalised_advantages_are_told():
    def fn(rewards, values, terminated, truncated, right=False):
        A, carry = np.zeros_like(rewards), 0.0
        for t in reversed(range(rewards.shape[1])):
            delta = rewards[:, t] + GAMMA * values[:, t + 1] * ~terminated[:, t] - values[:, t]
            A[:, t] = carry = delta + GAMMA * LAM * ~(terminated | truncated)[:, t] * carry
        normal = (A - A.mean()) / (A.std() + 1e-8)
        return normal, (A if right else normal) + values[:, :-1]
    words = [pg.check_advantages(lambda *given, right=right: fn(*given, right=right), GAMMA, LAM, output="both").diagnosis[0].words
             for right in (False, True)]
    assert "made of these" in words[0] and "normalised" in words[0]
    assert "made of these" not in words[1] and "normalised" in words[1]


@pytest.mark.parametrize(("bug", "weights"), [
    ("mean-reward", lambda R, p, n: (R / n, 1.0)), ("probability", lambda R, p, n: (R, p)),
    ("whole-return-sequence-mean", lambda R, p, n: (R, 1 / n))])
def test_weights_with_the_same_mean_are_told_apart_by_the_weights(bug, weights):
    def fn(batch):
        n = batch.valid.sum(axis=1).astype(float)
        R, times = weights((batch.rewards * batch.valid).sum(axis=1), np.exp(batch.log_probs), n)
        R = R.reshape(-1, 3)
        A = (R - (R.sum(axis=1, keepdims=True) - R) / 2 * (bug != "whole-return-sequence-mean")).reshape(-1, 1)
        return A * (times if np.ndim(times) != 1 else times[:, None]) * batch.valid
    assert bug in names(pg.check_weights(fn, 3, target="gradient up to scale"))


def test_only_the_best_of_a_group_reinforced_is_named():
    def fn(batch):
        R = (batch.rewards * batch.valid).sum(axis=1).reshape(-1, 3)
        return (R * (np.arange(3) == R.argmax(axis=1)[:, None])).reshape(-1, 1) * batch.valid
    assert any("first-best-only" in name for name in names(pg.check_weights(fn, 3, target="gradient up to scale")))


def test_one_mistake_is_told_in_one_wording():
    def no_mask(rewards, values, terminated, truncated):
        A, carry = np.zeros_like(rewards), 0.0
        for t in reversed(range(rewards.shape[1])):
            A[:, t] = carry = rewards[:, t] + GAMMA * values[:, t + 1] - values[:, t] + GAMMA * LAM * carry
        return A
    result = pg.check_advantages(no_mask, GAMMA, LAM)
    assert len(result.diagnosis) == 1 and "done mask is missing" in result.diagnosis[0].words
