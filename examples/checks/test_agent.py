"""A whole agent, checked: what it saw is recorded by a Gymnasium wrapper, what it computed from that is compared.

The mistake with time limits usually lies outside of the function that computes advantages. Two agents: a loop in numpy, in a
vector environment; and PPO of Stable-Baselines3, where that is installed.

    python -m pytest examples/checks/test_agent.py
"""

import numpy as np
import pytest

import pgtheory as pg

gymnasium = pytest.importorskip("gymnasium")

GAMMA, LAM = 0.8, 0.9


def limited_corridor():
    """A model of four states with a time limit, as an environment."""
    return gymnasium.wrappers.TimeLimit(pg.TabularEnv(pg.models.load("short-corridor")), 3)


# ---- an agent of one's own, in a vector environment


class MyAgent:
    """Collects T steps of N environments, then computes advantages. The code under test."""

    critic = np.array([-9.0, -5.0, -3.0, 0.0])

    def collect(self, envs, T):
        rng, rows = np.random.default_rng(0), []
        states, _ = envs.reset(seed=0)
        for _ in range(T):
            after, rewards, terminated, truncated, infos = envs.step(rng.integers(2, size=envs.num_envs))
            reached = after.copy()
            for i in np.flatnonzero(terminated | truncated):
                reached[i] = infos["final_obs"][i]          # forget this line, and it bootstraps from the reset observation
            rows.append((rewards, self.critic[states], self.critic[reached], terminated, terminated | truncated))
            states = after.copy()
        return [np.array(x) for x in zip(*rows, strict=True)]

    def advantages(self, rewards, values, following, terminated, done):
        out, carry = np.zeros_like(rewards), 0.0
        for t in reversed(range(len(rewards))):
            delta = rewards[t] + GAMMA * following[t] * ~terminated[t] - values[t]
            out[t] = carry = delta + GAMMA * LAM * ~done[t] * carry
        return out                                          # (T, N)


def test_the_advantages_of_my_agent():
    mode = gymnasium.vector.AutoresetMode.SAME_STEP
    envs = pg.RecordRollout(gymnasium.vector.SyncVectorEnv([limited_corridor] * 3, autoreset_mode=mode))
    agent = MyAgent()
    result = pg.check_rollout(envs, agent.critic, agent.advantages(*agent.collect(envs, 50)), GAMMA, LAM)
    assert result.passed, str(result)


# ---- an agent as it comes from PyPI


def test_the_advantages_of_stable_baselines3():
    stable = pytest.importorskip("stable_baselines3")
    torch = pytest.importorskip("torch")
    env = pg.RecordRollout(limited_corridor())              # outermost, around the time limit
    vector = stable.common.vec_env.DummyVecEnv([lambda: env])
    model = stable.PPO("MlpPolicy", vector, n_steps=64, gamma=GAMMA, gae_lambda=LAM, learning_rate=0.0, seed=0, device="cpu")
    model.learn(1)                                          # learning rate 0: the critic is still the one that acted

    def critic(observations):
        with torch.no_grad():
            return model.policy.predict_values(model.policy.obs_to_tensor(observations)[0])

    buffer = model.rollout_buffer
    result = pg.check_rollout(env, critic, buffer.advantages, GAMMA, LAM, returns=buffer.returns)
    assert result.passed and result.precision == "single precision", str(result)
