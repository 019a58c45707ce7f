"""Estimators of well-known libraries through the checks: library | target | verdict | precision.

    python examples/clients.py

Stable-Baselines3, TorchRL and rlax are run as they are installed, and left out where they are not. The others are written
again here in a few lines of numpy, from the published descriptions of what those libraries compute; a row says what that
description does, not what any release of the library does today.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata

import numpy as np

import pgtheory as pg

GAMMA, LAM = 0.8, 0.9


@dataclass(frozen=True)
class Client:
    """One row: whose function, declared as what, the check, and the verdict that is expected."""

    library: str
    target: str
    check: Callable
    expected: str
    needs: tuple[str, ...] = ()

    @property
    def missing(self) -> str:
        """The distributions that are not installed."""
        return ", ".join(name for name in self.needs if not _installed(name))


def _installed(name) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


# ------------------------------------------------------------------------------------------------ advantages, in numpy


def cleanrl_gae(r):
    """The loop of a single-file PPO: one done flag, and the value of whatever observation comes next."""
    rewards, values, dones = r.rewards.T, r.values.T, r.episode_starts.T
    advantages, carry = np.zeros_like(rewards), 0.0
    for t in reversed(range(len(rewards))):
        last = t == len(rewards) - 1
        following = r.next_values[:, -1] if last else values[t + 1]
        goes_on = 1.0 - (r.done[:, -1] if last else dones[t + 1])
        delta = rewards[t] + GAMMA * following * goes_on - values[t]
        advantages[t] = carry = delta + GAMMA * LAM * goes_on * carry
    return advantages.T


def verl_gae(r, whiten=False):
    """GAE over the tokens of one response a row, where a mask tells the model's own tokens from observations.

    Rows here hold several episodes: each becomes a response. Nothing follows the last token, so that what a row that is still
    running expects is added to its last reward.
    """
    out = np.zeros(r.rewards.shape)
    for n, steps in _responses(r):
        mask, values, rewards = r.valid[n, steps], r.values[n, steps], r.rewards[n, steps].copy()
        if mask.any():
            end = steps[np.flatnonzero(mask)[-1]]
            rewards[end - steps[0]] += 0.0 if r.done[n, end] else GAMMA * r.next_values[n, end]
        following, carry = 0.0, 0.0
        for k in reversed(range(len(steps))):
            new = rewards[k] + GAMMA * following - values[k] + GAMMA * LAM * carry
            following, carry = (values[k], new) if mask[k] else (following, carry)
            out[n, steps[k]] = carry
    if whiten:
        known = out[r.valid]
        out = (out - known.mean()) / np.sqrt(known.var(ddof=1 if known.size > 1 else 0) + 1e-8)
    return out * r.valid


def _responses(r):
    """(row, indices) of every stretch of steps up to the end of an episode."""
    for n in range(len(r.rewards)):
        ends = np.flatnonzero(r.done[n]) + 1
        for steps in np.split(np.arange(r.rewards.shape[1]), ends):
            if len(steps):
                yield n, steps


# ------------------------------------------------------------------------------------------------ weights, in numpy


def returns(batch):
    return (batch.rewards * batch.valid).sum(axis=1)


def in_group(batch, values):
    """(N,) sums over the members of a row's group."""
    return np.bincount(batch.group, weights=values)[batch.group]


def grpo(batch, spread):
    """Return minus the mean of the group, over its standard deviation or not."""
    R, k = returns(batch), in_group(batch, np.ones(len(batch)))
    mean = in_group(batch, R) / k
    scale = np.sqrt(in_group(batch, (R - mean) ** 2) / np.maximum(k - 1, 1)) + 1e-4 if spread else 1.0
    return ((R - mean) / scale)[:, None] * batch.valid


def rloo(batch, spread=False):
    """Return minus the mean of the others, over the standard deviation of the group or not."""
    R, k = returns(batch), in_group(batch, np.ones(len(batch)))
    mean = in_group(batch, R) / k
    scale = np.sqrt(in_group(batch, (R - mean) ** 2) / k) + 1e-8 if spread else 1.0
    return ((R - (in_group(batch, R) - R) / (k - 1)) / scale)[:, None] * batch.valid


def sequence_mean(batch, weights):
    """The loss averages over the steps of a row, then over rows."""
    return weights / batch.valid.sum(axis=1, keepdims=True)


def token_mean(batch, weights):
    """The loss averages over all steps of the batch, which is one group a call."""
    return weights / batch.valid.sum()


def spinning_up(batch):
    """-(logp * weights).mean() over all steps of the batch, the weight of a step being the return of its episode."""
    return returns(batch)[:, None] * batch.valid / batch.valid.sum()


# ------------------------------------------------------------------------------------------------ as installed


def sb3_buffer(r):
    """Rollout buffer of Stable-Baselines3: the value at a time limit is added to the reward before it is stored."""
    import torch
    from gymnasium import spaces
    from stable_baselines3.common.buffers import RolloutBuffer

    N, T = r.rewards.shape
    b = RolloutBuffer(T, spaces.Box(-1, 1, (1,)), spaces.Discrete(2), gamma=GAMMA, gae_lambda=LAM, n_envs=N)
    b.reset()
    b.rewards[:] = (r.rewards + GAMMA * r.next_values * r.truncated).T
    b.values[:], b.episode_starts[:] = r.values.T, r.episode_starts.T
    b.compute_returns_and_advantage(torch.tensor(r.next_values[:, -1]), r.done[:, -1])
    return b.advantages.T, b.returns.T


def torchrl_gae(name):
    def mine(r):
        import torch
        from torchrl.objectives.value import functional

        column = lambda x: torch.tensor(x).unsqueeze(-1)   # noqa: E731
        pair = getattr(functional, name)(GAMMA, LAM, column(r.values), column(r.next_values), column(r.rewards), column(r.done),
                                         column(r.terminated))
        return tuple(x.squeeze(-1) for x in pair)
    return mine


def rlax_gae(rewards, values, terminated, truncated):
    """rlax takes one sequence with its discounts; a time limit is an end of the trace, so the sequence is cut there."""
    import rlax

    out = np.zeros(rewards.shape)
    for n in range(len(rewards)):
        L = int(np.argmax(terminated[n] | truncated[n])) + 1
        discounts = GAMMA * (1.0 - terminated[n, :L])
        out[n, :L] = rlax.truncated_generalized_advantage_estimation(
            np.asarray(rewards[n, :L], dtype=np.float32), discounts.astype(np.float32), LAM, values[n, :L + 1].astype(np.float32))
    return out


def autograd_weights(loss):
    """w = -d loss / d log pi, by PyTorch."""
    def weights(batch):
        import torch

        logp = torch.zeros(batch.rewards.shape, dtype=torch.float64, requires_grad=True)
        rewards, valid, group = (torch.tensor(x) for x in (batch.rewards, batch.valid, batch.group))
        return -torch.autograd.grad(loss(logp, rewards, valid, group), logp)[0].numpy()
    return weights


def rloo_loss(logp, rewards, valid, group):
    """Leave-one-out, summed over steps, the mean over rows; the ratio of PPO at its first step."""
    import torch

    R = (rewards * valid).sum(dim=1)
    total, count = (torch.zeros(int(group.max()) + 1, dtype=R.dtype).index_add(0, group, x)[group] for x in (R, torch.ones_like(R)))
    advantage = R - (total - R) / (count - 1)
    ratio = torch.exp(logp - logp.detach())
    return -(ratio * advantage[:, None] * valid).sum(dim=1).mean()


def ppo_agent(hidden):
    """A whole agent of Stable-Baselines3, on a model with a time limit that it is told of, or not.

    The learning rate is 0, so that the critic after the call is the one that acted.
    """
    import gymnasium
    import torch
    from gymnasium.wrappers import TimeLimit
    from stable_baselines3 import PPO
    from stable_baselines3.common.vec_env import DummyVecEnv

    class Hidden(gymnasium.Wrapper):
        def step(self, action):
            observation, reward, terminated, truncated, info = self.env.step(action)
            return observation, reward, terminated or truncated, False, info

    env = pg.RecordRollout(TimeLimit(pg.TabularEnv(pg.models.load("short-corridor")), 3))
    seen = Hidden(env) if hidden else env
    model = PPO("MlpPolicy", DummyVecEnv([lambda: seen]), n_steps=64, gamma=GAMMA, gae_lambda=LAM, learning_rate=0.0, seed=0,
                device="cpu")
    model.learn(1)

    def critic(observations):
        with torch.no_grad():
            return model.policy.predict_values(model.policy.obs_to_tensor(observations)[0])

    return pg.check_rollout(env, critic, model.rollout_buffer.advantages, GAMMA, LAM, returns=model.rollout_buffer.returns)


# ------------------------------------------------------------------------------------------------ the table


def _advantages(fn, **settings):
    return lambda: pg.check_advantages(fn, GAMMA, LAM, **{"form": "rollout", **settings})


def _weights(fn, size=3, target="gradient"):
    return lambda: pg.check_weights(fn, size, target=target)


UP_TO_SCALE = "gradient up to scale"
SB3, TORCHRL = ("stable-baselines3",), ("torchrl",)
CLIENTS = (
    Client("Stable-Baselines3 RolloutBuffer", "GAE and returns", _advantages(sb3_buffer, output="both"), "PASS", SB3),
    Client("Stable-Baselines3 PPO, whole agent", "GAE and returns", lambda: ppo_agent(False), "PASS", SB3),
    Client("  the same, time limit hidden from it", "GAE and returns", lambda: ppo_agent(True), "FAIL", SB3),
    Client("TorchRL GAE", "GAE and returns", _advantages(torchrl_gae("generalized_advantage_estimate"), output="both"), "PASS", TORCHRL),
    Client("TorchRL GAE, vectorised", "GAE and returns", _advantages(torchrl_gae("vec_generalized_advantage_estimate"), output="both"),
           "PASS", TORCHRL),
    Client("rlax GAE", "GAE", _advantages(rlax_gae, form="arrays"), "PASS", ("rlax",)),
    Client("PPO loop in CleanRL's manner", "GAE, limits bootstrapped", _advantages(cleanrl_gae), "FAIL"),
    Client("  the same", "GAE, limits as terminations", _advantages(cleanrl_gae, truncation="as_termination"), "PASS"),
    Client("GAE over tokens in verl's manner", "GAE, no limits, masks", _advantages(verl_gae, truncation="absent"), "PASS"),
    Client("  the same, whitened", "GAE, no limits, masks", _advantages(lambda r: verl_gae(r, True), truncation="absent"), "FAIL"),
    Client("GRPO", "gradient", _weights(lambda b: grpo(b, True)), "FAIL"),
    Client("GRPO", UP_TO_SCALE, _weights(lambda b: grpo(b, True), target=UP_TO_SCALE), "FAIL"),
    Client("GRPO without standard deviation", "gradient", _weights(lambda b: grpo(b, False)), "FAIL"),
    Client("GRPO without standard deviation", UP_TO_SCALE, _weights(lambda b: grpo(b, False), target=UP_TO_SCALE), "PASS"),
    Client("RLOO", "gradient", _weights(rloo), "PASS"),
    Client("RLOO over standard deviation", UP_TO_SCALE, _weights(lambda b: rloo(b, True), target=UP_TO_SCALE), "FAIL"),
    Client("RLOO loss through autograd", "gradient", _weights(autograd_weights(rloo_loss)), "PASS", ("torch",)),
    Client("RLOO, sequence-mean loss", UP_TO_SCALE, _weights(lambda b: sequence_mean(b, rloo(b)), target=UP_TO_SCALE), "FAIL"),
    Client("RLOO, token-mean loss", UP_TO_SCALE, _weights(lambda b: token_mean(b, rloo(b)), target=UP_TO_SCALE), "FAIL"),
    Client("simple loss in Spinning Up's manner", "gradient", _weights(spinning_up, size=2), "FAIL"),
    Client("simple loss in Spinning Up's manner", UP_TO_SCALE, _weights(spinning_up, size=2, target=UP_TO_SCALE), "FAIL"),
)


def main() -> int:
    print(f"{'library':<37} {'target':<28} {'verdict':<7} {'precision':<16}  deviation, what it looks like")
    surprises = 0
    for client in CLIENTS:
        if client.missing:
            print(f"{client.library:<37} {client.target:<28} skipped: {client.missing} is not installed")
            continue
        result = client.check()
        surprises += result.verdict != client.expected
        names = ", ".join(finding.bug for finding in result.diagnosis)
        print(f"{client.library:<37} {client.target:<28} {result.verdict:<7} {result.precision:<16}  {result.relative_bias:.1e} {names}")
    return 1 if surprises else 0


if __name__ == "__main__":
    raise SystemExit(main())
