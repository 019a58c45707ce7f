"""Bugs of advantages in their rewards and returns: which reward, which power of gamma, which window, which baseline."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..references import ahead, gae, n_step, reference, residuals, stops, summed
from .advantage_bug import EVERY, MONTE_CARLO, NSTEP, RETURNS, ROLLOUT, AdvantageBug, backward, forward, on, only, trace
from .boundaries import leaking


def _with_returns(returns):
    def wrong(r, s):
        G = returns(r, s)
        return G - r.values, G
    return wrong


def _own_powers(r, s):
    """(N, T) gamma^t, t counted from the start of the row."""
    return s.gamma ** np.arange(r.rewards.shape[1])


def _past(r, s):
    G, running = np.zeros_like(r.rewards), np.zeros(len(r.rewards))
    for t in range(r.rewards.shape[1]):
        running = r.rewards[:, t] + s.gamma * running
        G[:, t] = running
        running = np.where(r.done[:, t], 0.0, running)
    return G


def _two_ahead(r, s):
    beyond = ahead(r, np.where(stops(r, s), 0.0, r.next_values))
    running = ~r.done & (ahead(r, np.ones_like(r.rewards)) == 1)
    return residuals(r, s, np.where(running, beyond, r.next_values))


def _two_ahead_shifted(r, s):
    return trace(r, s, r.rewards + s.gamma * ahead(r, np.where(stops(r, s), 0.0, r.next_values)) - r.values)


def _no_last_step(r, s):
    delta = residuals(r, s)
    delta[:, -1] = 0.0
    return trace(r, s, delta)


def _no_end_reward(r, s):
    return replace(r, rewards=np.where(r.done, 0.0, r.rewards))


def _next_lambda_return(r, s):
    return np.where(stops(r, s), 0.0, r.next_values) + ahead(r, gae(r, s)) - r.values


def _bootstrap_power(power):
    """n-step returns whose last value is discounted by gamma^power(steps taken, n)."""
    def wrong(r, s):
        G, taken = _window(r, s)
        right = n_step(r, s)
        return right + G * (s.gamma ** power(taken, s.n) - s.gamma**taken)
    return wrong


def _window(r, s):
    """(value that ends the window of n steps, or 0; how many steps it has), (N, T) each."""
    value, taken = np.where(stops(r, s), 0.0, r.next_values), np.ones(r.rewards.shape)
    end, count = value, taken
    for _ in range(s.n - 1):
        goes_on = ahead(r, np.ones_like(taken)) == 1
        end, count = np.where(goes_on, ahead(r, end), value), np.where(goes_on, 1 + ahead(r, count), 1)
    return end, count


def _window_over_ends(r, s):
    over = replace(r, valid=leaking(r, s))
    return summed(over, s, residuals(r, s), np.zeros_like(r.done))


def _steps(n):
    return lambda r, s: reference(r, replace(s, n=max(1, n(s.n))))


REWARDS = (
    AdvantageBug("A2", "returns are gamma^t r_t, never summed", _with_returns(lambda r, s: _own_powers(r, s) * r.rewards),
                 ("hunkim/ReinforcementZeroToAll#1",), "the accumulation", ("gae", "n-step"), MONTE_CARLO),
    AdvantageBug("A2-power", "gamma^t r_t from step t on: the return is discounted from the start of the row",
                 lambda r, s: reference(replace(r, rewards=_own_powers(r, s) * r.rewards), s), (), "the power of gamma",
                 EVERY, MONTE_CARLO),
    AdvantageBug("A3", "the sum of past discounted rewards as the return", _with_returns(_past),
                 ("mohmdelsayed/streaming-drl#3",), "the direction of the loop over time", ("gae",), MONTE_CARLO),
    AdvantageBug("A4", "rewards are stored one step late: step t gets r_{t-1}",
                 on(lambda r, s: replace(r, rewards=backward(r.rewards))),
                 ("openai/spinningup#50", "openai/spinningup#67", "openai/spinningup#138"), "the index of the reward", EVERY),
    AdvantageBug("rewards-clipped", "rewards are clipped to [-1, 1]",
                 on(lambda r, s: replace(r, rewards=np.clip(r.rewards, -1, 1))), (), "a wrapper that clips rewards", EVERY),
    AdvantageBug("reward-signs", "only the signs of the rewards count", on(lambda r, s: replace(r, rewards=np.sign(r.rewards))),
                 (), "a wrapper that takes signs", EVERY),
    AdvantageBug("A5", "the rewards of the window begin at r_{t+1}", on(lambda r, s: replace(r, rewards=forward(r.rewards))),
                 ("conglu1997/v-d4rl#8", "yandexdataschool/Practical_RL#552"), "the index of the first reward", EVERY),
    AdvantageBug("A6", "bootstraps with gamma instead of gamma^n", only(_bootstrap_power(lambda taken, n: 1)),
                 ("younggyoseo/FastTD3#6", "jakegrigsby/AdvancedPacmanDQNs#2", "HorizonRobotics/SocialRobot#8"),
                 "the power of gamma before the last value", ("n-step",), NSTEP),
    AdvantageBug("A6-plus", "bootstraps with gamma^(n+1)", only(_bootstrap_power(lambda taken, n: taken + 1)), (),
                 "the power of gamma before the last value", ("n-step",), NSTEP),
    AdvantageBug("A7", "gamma^n before the last value although the window was cut shorter",
                 only(_bootstrap_power(lambda taken, n: n)),
                 ("thu-ml/tianshou#135", "Curt-Park/rainbow-is-all-you-need#10", "younggyoseo/FastTD3#6"),
                 "the number of steps of a window near an end", ("n-step",), NSTEP),
    AdvantageBug("A7-crossing", "the n-step window runs over the end of the episode", only(_window_over_ends),
                 ("thu-ml/tianshou#135",), "what ends the window", ("n-step",), NSTEP),
    AdvantageBug("n-less", "n - 1 steps instead of n", _steps(lambda n: n - 1), (), "the length of the window", ("n-step",), NSTEP),
    AdvantageBug("n-more", "n + 1 steps instead of n", _steps(lambda n: n + 1), (), "the length of the window", ("n-step",), NSTEP),
    AdvantageBug("A8", "the target is r + gamma mask + V: a sum where a product belongs",
                 _with_returns(lambda r, s: r.rewards + s.gamma * ~stops(r, s) + np.where(stops(r, s), 0, r.next_values)),
                 ("ikostrikov/pytorch-ddpg-naf#16",), "r + gamma * mask * V", ("gae", "n-step"), {"target": "td residual"}),
    AdvantageBug("A11", "the advantage is r_t - V instead of G_t - V", only(lambda r, s: r.rewards - r.values),
                 ("natolambert/rlhf-book#216",), "what V is subtracted from", ("gae", "n-step"), MONTE_CARLO),
    AdvantageBug("A12", "the last step of the row is dropped", only(_no_last_step), ("ray-project/ray#36013",),
                 "the range of the loop over time", ("gae",), ROLLOUT),
    AdvantageBug("A12-end", "the last reward of an episode is lost", on(_no_end_reward), ("ray-project/ray#36013",),
                 "whether the reward of the step that ends an episode is stored", EVERY),
    AdvantageBug("A15", "bootstraps two steps ahead", only(lambda r, s: trace(r, s, _two_ahead(r, s))),
                 ("epignatelli/navix#152",), "rewards[:-1] paired with values[1:]"),
    AdvantageBug("A15-end", "bootstraps two steps ahead, with nothing where there are none", only(_two_ahead_shifted),
                 ("epignatelli/navix#152",), "rewards[:-1] paired with values[1:]"),
    AdvantageBug("A16", "the lambda return of step t+1 minus V(s_t)", only(_next_lambda_return), ("danijar/dreamerv2#60",),
                 "the index of the return that V is subtracted from"),
    AdvantageBug("B16", "returns are zeros plus values: the stored advantages were not yet written",
                 lambda r, s: (reference(r, s)[0], r.values.copy()), ("vwxyzjn/cleanrl#337",),
                 "which array is added to the values", EVERY, RETURNS),
    AdvantageBug("returns-bare", "the returns are the advantages: the values are not added back",
                 lambda r, s: (reference(r, s)[0], reference(r, s)[0]), (), "returns = advantages + values", EVERY, RETURNS),
    AdvantageBug("returns-monte-carlo", "the returns are Monte Carlo sums, the advantages are not",
                 lambda r, s: (reference(r, s)[0], gae(r, replace(s, target="monte carlo")) + r.values), (),
                 "returns = advantages + values", ("gae", "n-step"), RETURNS),
    AdvantageBug("returns-next", "the returns are advantages plus the values of the next states",
                 lambda r, s: (reference(r, s)[0], reference(r, s)[0] + r.next_values), (), "the index of the values", EVERY, RETURNS),
)
