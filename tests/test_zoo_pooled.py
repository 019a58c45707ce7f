"""Statistics over a whole batch, powers of gamma, one mask for everything, overlong rows, and what is said of pairs.

The functions are written as loops by themselves, as users write them; every one has a control that must not have the name.
"""

import numpy as np
import pytest

import pgtheory as pg

GAMMA, LAM = 0.8, 0.9


def names(result):
    assert result.verdict == "FAIL", str(result)
    return {finding.bug for finding in result.diagnosis}


def to_go(rewards, gamma):
    G, x = np.zeros(rewards.shape), np.zeros(len(rewards))
    for t in reversed(range(rewards.shape[1])):
        G[:, t] = x = rewards[:, t] + gamma * x
    return G


def scored(batch, policy, theta, weights):
    return np.einsum("nt,nt...->n...", weights * batch.valid, policy.score(theta)[batch.states[:, :-1], batch.actions])


# ------------------------------------------------------------------------------------------------ pooled statistics


@pytest.mark.parametrize(("padded", "divided", "bug"), [
    (False, False, "pooled-to-go-steps-mean"), (True, False, "pooled-to-go-record-mean"),
    (False, True, "pooled-to-go-steps-mean-std-1e-08"), (True, True, "pooled-to-go-record-mean-std-1e-08")])
def test_statistics_pooled_over_the_steps_of_a_batch_are_named(padded, divided, bug):
    def fn(batch, policy, theta, gamma):
        G = to_go(batch.rewards * batch.valid, gamma)
        counted = G.ravel() if padded else G[batch.valid]
        w = (G - counted.mean()) / (counted.std() + 1e-8 if divided else 1.0)
        return scored(batch, policy, theta, gamma ** np.arange(G.shape[1]) * w).mean(axis=0)
    assert bug in names(pg.check_estimator(fn, batch_size=2))


@pytest.mark.parametrize("divided", [False, True])
def test_pooled_statistics_are_named_in_weights(divided):
    def fn(batch):
        G = to_go(batch.rewards * batch.valid, batch.gamma).reshape(-1, 3, batch.rewards.shape[1])
        valid = batch.valid.reshape(G.shape)
        w = np.empty_like(G)
        for i, (g, v) in enumerate(zip(G, valid, strict=True)):
            w[i] = (g - g[v].mean()) / (g[v].std() + 1e-8 if divided else 1.0)
        return (batch.gamma ** np.arange(G.shape[-1]) * w * valid).reshape(batch.rewards.shape)
    assert any(name.startswith("pooled-to-go-steps-mean") and ("std" in name) == divided for name in names(pg.check_weights(fn, 3)))


def test_a_pooled_median_is_not_named_as_a_mean():
    """The control: another statistic of the same steps."""
    def fn(batch, policy, theta, gamma):
        G = to_go(batch.rewards * batch.valid, gamma)
        return scored(batch, policy, theta, gamma ** np.arange(G.shape[1]) * (G - np.quantile(G[batch.valid], 0.3))).mean(axis=0)
    assert not any("pooled" in name for name in names(pg.check_estimator(fn, batch_size=2)))


# ------------------------------------------------------------------------------------------------ powers of gamma


@pytest.mark.parametrize(("target", "truncation"), [("monte carlo returns", "absent"), ("monte carlo returns", "as_termination"),
                                                    ("monte carlo", "absent")])
def test_sums_that_are_not_divided_by_gamma_t_are_named(target, truncation):
    def fn(rewards, values, terminated, truncated):
        out = np.zeros_like(rewards)
        for i, end in enumerate(np.argmax(terminated | truncated, axis=1) + 1):
            out[i, :end] = (GAMMA ** np.arange(end) * rewards[i, :end])[::-1].cumsum()[::-1]
        return out if target.endswith("returns") else out - values[:, :-1]
    assert names(pg.check_advantages(fn, GAMMA, target=target, truncation=truncation)) == {"gamma-t-returns"}


@pytest.mark.parametrize(("bug", "power"), [("gamma-t-advantages", lambda t, T: t), ("gamma-minus-t-advantages", lambda t, T: -t),
                                            ("gamma-from-the-end-advantages", lambda t, T: T - 1 - t), (None, lambda t, T: t**2)])
def test_advantages_times_powers_of_gamma_are_named(bug, power):
    def fn(r):
        T = r.rewards.shape[1]
        return GAMMA ** power(np.arange(T), T) * masked(r, r.next_values, r.terminated, r.done)
    assert names(pg.check_advantages(fn, GAMMA, LAM, form="rollout")) == ({bug} if bug else set())


def masked(r, following, stop, cut, rewards=None):
    A, carry = np.zeros(r.rewards.shape), np.zeros(len(r.rewards))
    for t in reversed(range(A.shape[1])):
        delta = (r.rewards if rewards is None else rewards)[:, t] + GAMMA * following[:, t] * ~stop[:, t] - r.values[:, t]
        A[:, t] = carry = delta + GAMMA * LAM * ~cut[:, t] * carry
    return A


# ------------------------------------------------------------------------------------------------ one mask for everything


MASKS = {"": lambda r: r.done, "mask-starts": lambda r: r.episode_starts, "mask-none": lambda r: np.zeros_like(r.done),
         "mask-done-earlier": lambda r: np.pad(r.done, ((0, 0), (1, 0)))[:, :-1]}


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("truncation", ["bootstrap", "as_termination", "absent"])
def test_one_wrong_mask_with_the_values_of_the_row_is_named(mask, truncation):
    """The control is the right mask, which passes."""
    def fn(r):
        following = np.concatenate([r.values[:, 1:], r.next_values[:, -1:]], axis=1)
        folded = r.rewards + GAMMA * r.next_values * r.truncated * (truncation == "bootstrap")
        return masked(r, following, MASKS[mask](r), MASKS[mask](r), folded)
    result = pg.check_advantages(fn, GAMMA, LAM, form="rollout", truncation=truncation)
    assert result.passed if not mask else mask in names(result)


def test_the_value_at_a_limit_not_folded_under_a_wrong_mask_is_a_pair():
    def fn(r):
        return masked(r, np.concatenate([r.values[:, 1:], r.next_values[:, -1:]], axis=1), r.episode_starts, r.episode_starts)
    assert names(pg.check_advantages(fn, GAMMA, LAM, form="rollout")) == {"limit-not-folded + mask-starts"}


@pytest.mark.parametrize("everywhere", [False, True])
def test_returns_of_normalised_advantages_are_named_beside_right_ones(everywhere):
    def fn(r):
        A = masked(r, r.next_values, r.terminated, r.done)
        counted = A.ravel() if everywhere else A[r.valid]
        return A, (A - counted.mean()) / (counted.std() + 1e-8) + r.values
    found = names(pg.check_advantages(fn, GAMMA, LAM, form="rollout", output="both"))
    assert any("normalised" in name for name in found), found


# ------------------------------------------------------------------------------------------------ scores, rows, pairs


@pytest.mark.parametrize(("bug", "entries"), [
    ("chosen-entry-only", lambda p, a: (np.arange(len(p)) == a) * (1 - p)), ("minus-pi-only", lambda p, a: -p),
    (None, lambda p, a: (np.arange(len(p)) == a) * (1 - p**2))])
def test_scores_with_entries_forgotten_are_named(bug, entries):
    def fn(batch, policy, theta, gamma):
        pi, out = policy.probabilities(theta), []
        for ep in batch:
            g, G = np.zeros(theta.shape), 0.0
            for t in reversed(range(len(ep))):
                G = ep.rewards[t] + gamma * G
                g[ep.states[t]] += gamma**t * G * entries(pi[ep.states[t]], ep.actions[t])
            out.append(g)
        return out
    found = names(pg.check_estimator(fn))
    assert found == {bug} if bug else not any("chosen" in name or "minus-pi" in name for name in found)


@pytest.mark.parametrize(("bug", "kept"), [("overlong-left-out", lambda valid: ~valid.all(axis=1)),
                                           (None, lambda valid: valid.sum(axis=1) != 2)])
def test_rows_of_the_maximum_length_left_out_are_named(bug, kept):
    def fn(batch):
        R = (batch.rewards * batch.valid).sum(axis=1).reshape(-1, 3)
        return (R - (R.sum(axis=1, keepdims=True) - R) / 2).reshape(-1, 1) * batch.valid * kept(batch.valid)[:, None]
    assert names(pg.check_weights(fn, 3, target="gradient up to scale")) == ({bug} if bug else set())


def test_overlong_rewards_of_zero_are_named():
    def fn(batch):
        R = ((batch.rewards * batch.valid).sum(axis=1) * ~batch.valid.all(axis=1)).reshape(-1, 3)
        return (R - (R.sum(axis=1, keepdims=True) - R) / 2).reshape(-1, 1) * batch.valid
    assert names(pg.check_weights(fn, 3)) == {"overlong-reward-0"}


def test_one_mistake_has_no_second_half_that_is_none():
    """The whole return needs no gamma^t, so that reversing its powers is all; gamma^t where none belongs is there once."""
    def reversed_powers(batch):
        k = np.maximum(batch.valid.sum(axis=1, keepdims=True) - 1 - np.arange(batch.rewards.shape[1]), 0)
        return (batch.gamma**k * batch.rewards * batch.valid).sum(axis=1, keepdims=True) * batch.valid
    assert names(pg.check_weights(reversed_powers)) == {"whole-reversed"}
    def gamma_t(batch, policy, theta, gamma):
        return scored(batch, policy, theta, gamma ** np.arange(batch.rewards.shape[1]) * to_go(batch.rewards * batch.valid, gamma))
    assert names(pg.check_estimator(gamma_t, target="without gamma^t")) == {"gamma-t"}


def test_the_smallest_record_shows_more_than_rounding():
    def fn(rewards, values, terminated, truncated):
        done, A, carry = terminated | truncated, np.zeros_like(rewards), 0.0
        for t in reversed(range(rewards.shape[1])):
            delta = rewards[:, t] + 0.3 - 0.3 + GAMMA * values[:, t + 1] * ~terminated[:, t] - values[:, t]
            A[:, t] = carry = delta + GAMMA * LAM**2 * ~done[:, t] * carry
        return A
    smallest = pg.check_advantages(fn, GAMMA, LAM).details["smallest"]
    assert "e-1" not in smallest
