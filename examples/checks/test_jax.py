"""Losses and gradients in JAX, checked. Without jax_enable_x64 JAX computes in float32: the verdict says so and is no less one.

    python -m pytest examples/checks/test_jax.py
"""

import pytest

import pgtheory as pg

jax = pytest.importorskip("jax")
jnp = jax.numpy

GAMMA, LAM = 0.8, 0.9


# ---- 1. gradients: jax.grad of the loss of one trajectory, vmapped over all


def my_loss(theta, states, actions, rewards, valid, gamma):
    """REINFORCE on one trajectory of T steps, padded: states (T+1,), the others (T,). The code under test."""
    logp = jax.nn.log_softmax(theta[states[:-1]])[jnp.arange(len(actions)), actions]
    discounted = gamma ** jnp.arange(len(rewards)) * rewards * valid
    return -jnp.sum(logp * valid * jnp.cumsum(discounted[::-1])[::-1])


def test_the_gradient_of_a_loss():
    each = jax.jit(jax.vmap(jax.grad(my_loss), in_axes=(None, 0, 0, 0, 0, None)))

    def adapter(batch, policy, theta, gamma):
        return -each(theta, batch.states, batch.actions, batch.rewards, batch.valid, gamma)

    result = pg.testing.assert_unbiased(adapter)
    assert result.precision == "single precision"


def test_a_loss_without_the_discount_of_the_steps_is_named():
    def without(theta, states, actions, rewards, valid, gamma):
        weights = gamma ** -jnp.arange(len(rewards), dtype=float)
        logp = jax.nn.log_softmax(theta[states[:-1]])[jnp.arange(len(actions)), actions]
        to_go = weights * jnp.cumsum((rewards * valid / weights)[::-1])[::-1]
        return -jnp.sum(logp * valid * to_go)

    each = jax.jit(jax.vmap(jax.grad(without), in_axes=(None, 0, 0, 0, 0, None)))
    result = pg.check_estimator(lambda b, policy, theta, gamma: -each(theta, b.states, b.actions, b.rewards, b.valid, gamma))
    assert result.verdict == "FAIL" and result.diagnosis[0].bug == "no-gamma-t"


# ---- 2. weights of a loss: w = -d loss / d log pi


def test_leave_one_out_loss():
    def my_rloo_loss(logp, rewards, valid):
        R = (rewards * valid).sum(axis=1).reshape(-1, 3)
        advantage = (R - (R.sum(axis=1, keepdims=True) - R) / 2).reshape(-1, 1)
        return -(logp * jax.lax.stop_gradient(advantage) * valid).sum(axis=1).mean()

    def adapter(batch):
        return -jax.grad(my_rloo_loss)(jnp.asarray(batch.log_probs), batch.rewards, batch.valid)

    pg.testing.assert_weights(adapter, group_size=3)


# ---- 3. advantages by a scan, time first


def test_gae_by_a_scan():
    def my_gae(rewards, values, next_values, terminated, done):
        def step(carry, x):
            reward, value, following, stop, end = x
            carry = reward + GAMMA * following * ~stop - value + GAMMA * LAM * ~end * carry
            return carry, carry
        inputs = rewards, values, next_values, terminated, done
        return jax.lax.scan(step, jnp.zeros(rewards.shape[1]), inputs, reverse=True)[1]

    def adapter(r):
        return my_gae(*(jnp.asarray(x.T) for x in (r.rewards, r.values, r.next_values, r.terminated, r.done))).T

    pg.testing.assert_advantages(adapter, gamma=GAMMA, lam=LAM, form="rollout")
