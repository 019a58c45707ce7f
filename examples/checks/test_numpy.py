"""Estimators in numpy, checked: copy the adapter next to yours, and keep the assertion in your test suite.

    python -m pytest examples/checks/test_numpy.py
"""

import numpy as np
import pytest

import pgtheory as pg

GAMMA, LAM = 0.8, 0.9


# ---- advantages: a rollout buffer, time first, with automatic resets


def my_gae(rewards, values, next_values, terminated, done):
    """(T, N) each. This stands for the code under test."""
    advantages, carry = np.zeros_like(rewards), 0.0
    for t in reversed(range(len(rewards))):
        delta = rewards[t] + GAMMA * next_values[t] * ~terminated[t] - values[t]
        carry = delta + GAMMA * LAM * ~done[t] * carry
        advantages[t] = carry
    return advantages


def test_gae_of_a_rollout_buffer():
    def adapter(r):         # r.rewards and all the others are (N, T): N environments, T steps
        return my_gae(r.rewards.T, r.values.T, r.next_values.T, r.terminated.T, r.done.T).T

    pg.testing.assert_advantages(adapter, gamma=GAMMA, lam=LAM, form="rollout")


def test_a_gae_that_takes_time_limits_for_terminations():
    def adapter(r):
        return my_gae(r.rewards.T, r.values.T, r.next_values.T, r.done.T, r.done.T).T

    with pytest.raises(AssertionError, match="a time limit is treated the other way"):
        pg.testing.assert_advantages(adapter, gamma=GAMMA, lam=LAM, form="rollout")
    pg.testing.assert_advantages(adapter, gamma=GAMMA, lam=LAM, form="rollout", truncation="as_termination")    # on purpose


# ---- returns: one episode a row


def test_returns_of_single_episodes():
    def adapter(rewards, values, terminated, truncated):    # (N, T), (N, T+1), (N, T), (N, T)
        returns = np.zeros_like(rewards)
        for n, row in enumerate(rewards):
            length = int(np.argmax(terminated[n] | truncated[n])) + 1
            G = 0.0 if terminated[n, length - 1] else values[n, length]
            for t in reversed(range(length)):
                G = row[t] + GAMMA * G
                returns[n, t] = G
        return returns

    pg.testing.assert_advantages(adapter, gamma=GAMMA, target="monte carlo returns")


# ---- gradients: a function of trajectories


def my_reinforce(trajectories, score, gamma):
    estimates = []
    for tau in trajectories:
        G = sum(gamma**t * r for t, r in enumerate(tau.rewards))
        estimates.append(sum(score[s, a] for s, a in zip(tau.states, tau.actions, strict=False)) * G)
    return estimates


def test_reinforce():
    pg.testing.assert_unbiased(lambda batch, policy, theta, gamma: my_reinforce(batch, policy.score(theta), gamma))


# ---- weights: what multiplies grad log pi, for groups of responses to one prompt


def my_rloo(returns):
    """(G, k) returns of G groups."""
    return returns - (returns.sum(axis=1, keepdims=True) - returns) / (returns.shape[1] - 1)


def test_leave_one_out():
    def adapter(batch):     # rows of a group follow one another; batch.group says which
        advantage = my_rloo((batch.rewards * batch.valid).sum(axis=1).reshape(-1, 4))
        return advantage.reshape(-1, 1) * batch.valid

    pg.testing.assert_weights(adapter, group_size=4)


def test_group_normalisation_is_not_the_gradient_even_up_to_scale():
    def adapter(batch):
        R = (batch.rewards * batch.valid).sum(axis=1).reshape(-1, 4)
        return ((R - R.mean(axis=1, keepdims=True)) / (R.std(axis=1, keepdims=True) + 1e-8)).reshape(-1, 1) * batch.valid

    result = pg.check_weights(adapter, group_size=4, target="gradient up to scale")
    assert result.verdict == "FAIL" and result.diagnosis[0].bug == "grpo" and result.cosine > 0.9
