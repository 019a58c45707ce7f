"""Losses and advantages in PyTorch, checked: four adapters of a few lines each.

    python -m pytest examples/checks/test_pytorch.py
"""

import pytest

import pgtheory as pg

torch = pytest.importorskip("torch")
torch.set_num_threads(1)        # a check makes thousands of small calls: threads cost more than they give

GAMMA, LAM = 0.8, 0.9


# ---- 1. a policy loss: weights w = -d loss / d log pi


def weights_of(loss):
    """The adapter: any loss of (logp, rewards, valid, group), (N, T) each and group (N,)."""
    def weights(batch):
        logp = torch.tensor(batch.log_probs, requires_grad=True)
        rewards, valid, group = (torch.tensor(x) for x in (batch.rewards, batch.valid, batch.group))
        return -torch.autograd.grad(loss(logp, rewards, valid, group), logp)[0]
    return weights


def my_loss(logp, rewards, valid, group):
    """REINFORCE with the returns of whole episodes: the sum over steps, the mean over episodes. The code under test."""
    returns = (rewards * valid).sum(dim=1, keepdim=True)
    return -(logp * returns * valid).sum(dim=1).mean()


def my_token_mean_loss(logp, rewards, valid, group):
    """The same, averaged over all steps."""
    returns = (rewards * valid).sum(dim=1, keepdim=True)
    return -(logp * returns * valid).sum() / valid.sum()


def test_the_loss_is_minus_the_gradient():
    pg.testing.assert_weights(weights_of(my_loss))


def test_a_mean_over_tokens_turns_the_gradient():
    result = pg.check_weights(weights_of(my_token_mean_loss), group_size=2, target="gradient up to scale")
    assert result.verdict == "FAIL" and result.diagnosis[0].bug == "whole-return-token-mean"


# ---- 2. PPO's clipped loss at its first step, where old and new policy are the same


def test_ppo_at_its_first_step():
    def my_ppo_loss(logp, rewards, valid, group):
        returns = (rewards * valid).sum(dim=1, keepdim=True)
        ratio = torch.exp(logp - logp.detach())
        clipped = torch.clamp(ratio, 0.8, 1.2)
        return -(torch.minimum(ratio * returns, clipped * returns) * valid).sum(dim=1).mean()

    pg.testing.assert_weights(weights_of(my_ppo_loss), target="ppo first step")


# ---- 3. a network: the gradient that backward() leaves, one number for a batch of trajectories


def test_a_module_and_its_backward():
    def adapter(batch, policy, theta, gamma):       # called on two trajectories at a time: batch_size=2
        logits = torch.nn.Parameter(torch.tensor(theta))        # theta (S, A): logits of a table; copy it into your module
        states, actions, rewards = (torch.tensor(x) for x in (batch.states[:, :-1], batch.actions, batch.rewards))
        valid = torch.tensor(batch.valid)
        logp = torch.log_softmax(logits[states], dim=-1).gather(-1, actions.unsqueeze(-1)).squeeze(-1)
        returns = (rewards * gamma ** torch.arange(rewards.shape[1]) * valid).sum(dim=1, keepdim=True)
        loss = -(logp * returns * valid).sum(dim=1).mean()
        loss.backward()
        return -logits.grad

    pg.testing.assert_unbiased(adapter, batch_size=2)


# ---- 4. advantages in tensors: (N, T), or (N, T, 1), or time first, in the precision that you use


def test_gae_in_float32():
    def my_gae(rewards, values, next_values, terminated, done):
        advantages, carry = torch.zeros_like(rewards), 0.0
        for t in reversed(range(rewards.shape[1])):
            delta = rewards[:, t] + GAMMA * next_values[:, t] * ~terminated[:, t] - values[:, t]
            carry = delta + GAMMA * LAM * ~done[:, t] * carry
            advantages[:, t] = carry
        return advantages, advantages + values

    def adapter(r):
        numbers = (torch.tensor(x, dtype=torch.float32) for x in (r.rewards, r.values, r.next_values))
        return my_gae(*numbers, torch.tensor(r.terminated), torch.tensor(r.done))

    result = pg.testing.assert_advantages(adapter, gamma=GAMMA, lam=LAM, form="rollout", output="both")
    assert result.precision == "single precision"
