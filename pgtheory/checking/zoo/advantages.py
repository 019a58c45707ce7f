r"""Known bugs of advantages and returns: each a small wrong function (rollout, setting) -> (advantages, returns).

The right one is :func:`pgtheory.checking.references.reference`. Most bugs are the right recursion over a wrong record: another
value at a boundary, a mask one step off. Those serve GAE, n-step returns and V-trace alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..paths import AS_TERMINATION, BOOTSTRAP, from_arrays
from ..references import Setting, ahead, as_target, carried, gae, n_step, reference, residuals, stops

EVERY = ("gae", "n-step", "v-trace")
ROLLOUT, NSTEP, VTRACE = {"form": "rollout"}, {"target": "n-step"}, {"target": "v-trace", "form": "rollout"}
RETURNS, MONTE_CARLO = {"output": "both"}, {"target": "monte carlo"}


@dataclass(frozen=True)
class AdvantageBug:
    """A wrong way to compute advantages or returns.

    bug : id; words : what it does; wrong : (rollout, setting) -> (advantages, returns), (N, T) each
    links : public threads, repository#number; look : what to look at; families : the recursions it can happen to
    shown : settings of ``check_advantages`` under which it shows, beside gamma and lam
    """

    seam = "advantages"

    bug: str
    words: str
    wrong: Callable[[Any, Any], tuple]
    links: tuple[str, ...] = ()
    look: str = ""
    families: tuple[str, ...] = ("gae",)
    shown: dict = field(default_factory=dict)

    def settings(self, gamma=0.8, lam=0.9) -> dict:
        """Arguments of ``check_advantages`` under which it shows."""
        return {"gamma": gamma, "lam": lam, **self.shown}

    def function(self, gamma, lam=0.95, target="gae", form="arrays", output="advantages", truncation=BOOTSTRAP, n=3):
        """The bug as a user would have it: a function for ``check_advantages`` with these settings."""
        s = Setting(gamma, lam, n, as_target(target), truncation, form)
        place = 1 if output == "returns" or s.target.endswith("returns") else 0
        if form == "arrays":
            return lambda *arrays: _pick(self.wrong(from_arrays(*arrays), s), output, place)
        return lambda rollout: _pick(self.wrong(rollout, s), output, place)


def _pick(pair, output, place):
    return pair if output == "both" else pair[place]


def _only(advantages):
    """A wrong advantage, with the returns that follow from it."""
    def wrong(r, s):
        A = advantages(r, s)
        return A, A + r.values
    return wrong


def _on(changed):
    """The right recursion over a wrong record."""
    return lambda r, s: reference(changed(r, s), s)


def _forward(x, by=1):
    """x one step later, 0 at the end of the row."""
    return np.concatenate([x[:, by:], np.zeros_like(x[:, :by])], axis=1)


def _backward(x, by=1):
    return np.concatenate([np.zeros_like(x[:, :by]), x[:, :-by]], axis=1)


def _last_column(r, values):
    following = r.next_values.copy()
    following[:, -1] = values
    return replace(r, next_values=following)


# ------------------------------------------------------------------------------------------------ masks and bootstraps


def _later_masks(r, s):
    last = np.concatenate([r.terminated[:, 1:], r.terminated[:, -1:]], axis=1)
    last_truncated = np.concatenate([r.truncated[:, 1:], r.truncated[:, -1:]], axis=1)
    return replace(r, terminated=last, truncated=last_truncated)


def _earlier_masks(r, s):
    return replace(r, terminated=_backward(r.terminated), truncated=_backward(r.truncated))


def _leaking(r, s):
    """What a carry that is not cut runs through: in rows of one episode, also what stands after its end."""
    return np.ones_like(r.valid) if s.form == "arrays" else r.valid


def _no_cut(r, s):
    return carried(r, residuals(r, s), s.gamma * s.trace, np.zeros_like(r.done), _leaking(r, s))


def _cut_at_termination_only(r, s):
    return carried(r, residuals(r, s), s.gamma * s.trace, r.terminated, _leaking(r, s))


def _zeroed_at_limit(r, s):
    kept = ~r.truncated
    return carried(r, residuals(r, s) * kept, s.gamma * s.trace * kept, r.terminated)


def _masked_after(r, s):
    return _cut_at_termination_only(r, s) * ~r.truncated


def _other_truncation(r, s):
    return reference(r, replace(s, truncation=BOOTSTRAP if s.truncation == AS_TERMINATION else AS_TERMINATION))


def _reset_values(r, s):
    following = np.concatenate([r.values[:, 1:], r.next_values[:, -1:]], axis=1)
    return replace(r, next_values=np.where(r.truncated, following, r.next_values))


def _everybody_bootstraps(own):
    """At a step where one row meets its limit, all rows' rewards are raised: by that row's value, or each by its own."""
    def changed(r, s):
        limit = r.truncated.any(axis=0)
        first = np.take_along_axis(r.next_values, r.truncated.argmax(axis=0)[None], axis=0)
        raised = r.next_values if own else np.where(r.truncated, r.next_values, first)
        return replace(r, rewards=r.rewards + s.gamma * limit * raised)
    return lambda r, s: reference(changed(r, s), replace(s, truncation=AS_TERMINATION))


def _no_end(r, s):
    delta = residuals(r, s, ends=np.zeros_like(r.terminated))
    return {"n-step": _n_steps}.get(s.family, _trace)(r, s, delta)


def _trace(r, s, delta):
    return carried(r, delta, s.gamma * s.trace)


def _n_steps(r, s, delta):
    total = delta
    for _ in range(s.n - 1):
        total = delta + s.gamma * ahead(r, total)
    return total


def _holes_are_steps(r, s):
    return replace(r, valid=np.ones_like(r.valid))


def _zeroed_at_holes(r, s):
    before_hole = np.concatenate([~r.valid[:, 1:], np.zeros_like(r.valid[:, :1])], axis=1)
    return carried(r, residuals(r, s), s.gamma * s.trace, cuts=r.done | before_hole)


def _row_end_is_termination(r, s):
    stop = r.terminated.copy()
    stop[:, -1] |= ~r.done[:, -1]
    return replace(r, terminated=stop)


BOOTSTRAPS = (
    AdvantageBug("B1", "the done mask of step t+1 is used for step t", _on(_later_masks),
                 ("DLR-RM/stable-baselines3#105", "anthonytorlucci/rlevo#342", "RoboVerseOrg/RoboVerse#814"),
                 "the index of done in delta and in the carry", EVERY),
    AdvantageBug("B1-reverse", "the done mask of step t-1 is used for step t", _on(_earlier_masks),
                 ("DLR-RM/stable-baselines3#105",), "whether done is stored before or after the step", EVERY),
    AdvantageBug("B2/B3", "the last value is that of the previous observation, V(s_{T-1}) twice",
                 _on(lambda r, s: _last_column(r, r.values[:, -1])), ("DLR-RM/stable-baselines3#183", "tensorflow/agents#953"),
                 "which observation the last value is computed from", EVERY, ROLLOUT),
    AdvantageBug("B4", "the value after the last step is always 0", _on(lambda r, s: _last_column(r, 0.0)),
                 ("hill-a/stable-baselines#195",), "whether the last value is ever assigned", EVERY, ROLLOUT),
    AdvantageBug("B5", "the carry is not cut at done: it leaks in from the next episode", _only(_no_cut),
                 ("vietnh1009/Super-mario-bros-PPO-pytorch#21",), "the (1 - done) of the carry"),
    AdvantageBug("B6/B7", "a time limit is treated the other way: done where terminated is needed", _other_truncation,
                 ("pytorch/rl#1662", "pytorch/rl#2773", "openai/baselines#436", "vwxyzjn/cleanrl#198", "luchris429/purejaxrl#20"),
                 "whether terminated and truncated reach the function apart", EVERY),
    AdvantageBug("B8", "r + gamma V(s_t) at a time limit: the state before the step, not the one reached",
                 _on(lambda r, s: replace(r, next_values=np.where(r.truncated, r.values, r.next_values))),
                 ("leggedrobotics/rsl_rl#151", "leggedrobotics/rsl_rl#43"), "which value is added at a time limit", EVERY),
    AdvantageBug("B9", "bootstraps from the reset observation", _on(_reset_values),
                 ("google-deepmind/mujoco_playground#305", "google-deepmind/mujoco_playground#320", "sail-sg/envpool#194"),
                 "values[t+1] at a boundary: it is the critic after the reset", EVERY, ROLLOUT),
    AdvantageBug("B10", "a time limit is no boundary: the carry leaks in from the next episode",
                 _only(_cut_at_termination_only), ("Toni-SM/skrl#224", "Toni-SM/skrl#449"),
                 "the carry: it is cut by terminated, and must be by terminated or truncated"),
    AdvantageBug("B10-zeroed", "the advantage is zeroed at a time limit, and what is carried from there",
                 _only(_zeroed_at_limit), ("Toni-SM/skrl#449",), "what the truncation mask multiplies"),
    AdvantageBug("B12", "all rows' rewards are bootstrapped, not only that of the row at its limit",
                 _everybody_bootstraps(own=False), ("Eclectic-Sheep/sheeprl#181",), "the row index of the bonus", EVERY),
    AdvantageBug("B12-own", "all rows' rewards are raised by their own next values where one row meets its limit",
                 _everybody_bootstraps(own=True), ("Eclectic-Sheep/sheeprl#181",), "the row index of the bonus", EVERY),
    AdvantageBug("B14", "masked steps are counted as steps", _on(_holes_are_steps),
                 ("ray-project/ray#57895", "ray-project/ray#59958"), "valid: a hole is to be skipped", EVERY, ROLLOUT),
    AdvantageBug("B17", "the done mask is missing in delta: the value of a terminal state counts", _only(_no_end),
                 ("seungeunrho/minimalRL#32", "seungeunrho/minimalRL#21"), "the (1 - terminated) of the next value",
                 ("gae", "n-step")),
    AdvantageBug("B18", "the truncation mask multiplies the advantages instead of the carry", _only(_masked_after),
                 ("EdanToledo/Stoix#142", "EdanToledo/Stoix#148"), "what the truncation mask multiplies"),
    AdvantageBug("A10", "the running sum is zeroed at masked steps", _only(_zeroed_at_holes),
                 ("volcengine/verl#7300", "volcengine/verl#7278"), "what a masked step does to the carry", ("gae",), ROLLOUT),
    AdvantageBug("end-of-row", "the end of the row is taken for a termination", _on(_row_end_is_termination), (),
                 "the value after the last step of a row that is still running", EVERY, ROLLOUT),
)


# ------------------------------------------------------------------------------------------------ rewards and returns


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
    return _trace(r, s, r.rewards + s.gamma * ahead(r, np.where(stops(r, s), 0.0, r.next_values)) - r.values)


def _no_last_step(r, s):
    delta = residuals(r, s)
    delta[:, -1] = 0.0
    return _trace(r, s, delta)


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
    delta = residuals(r, s)
    total = delta
    over = replace(r, valid=_leaking(r, s))
    for _ in range(s.n - 1):
        total = delta + s.gamma * ahead(over, total, np.zeros_like(r.done))
    return total


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
                 _on(lambda r, s: replace(r, rewards=_backward(r.rewards))),
                 ("openai/spinningup#50", "openai/spinningup#67", "openai/spinningup#138"), "the index of the reward", EVERY),
    AdvantageBug("A5", "the rewards of the window begin at r_{t+1}", _on(lambda r, s: replace(r, rewards=_forward(r.rewards))),
                 ("conglu1997/v-d4rl#8", "yandexdataschool/Practical_RL#552"), "the index of the first reward", EVERY),
    AdvantageBug("A6", "bootstraps with gamma instead of gamma^n", _only(_bootstrap_power(lambda taken, n: 1)),
                 ("younggyoseo/FastTD3#6", "jakegrigsby/AdvancedPacmanDQNs#2", "HorizonRobotics/SocialRobot#8"),
                 "the power of gamma before the last value", ("n-step",), NSTEP),
    AdvantageBug("A6-plus", "bootstraps with gamma^(n+1)", _only(_bootstrap_power(lambda taken, n: taken + 1)), (),
                 "the power of gamma before the last value", ("n-step",), NSTEP),
    AdvantageBug("A7", "gamma^n before the last value although the window was cut shorter",
                 _only(_bootstrap_power(lambda taken, n: n)),
                 ("thu-ml/tianshou#135", "Curt-Park/rainbow-is-all-you-need#10", "younggyoseo/FastTD3#6"),
                 "the number of steps of a window near an end", ("n-step",), NSTEP),
    AdvantageBug("A7-crossing", "the n-step window runs over the end of the episode", _only(_window_over_ends),
                 ("thu-ml/tianshou#135",), "what ends the window", ("n-step",), NSTEP),
    AdvantageBug("n-less", "n - 1 steps instead of n", _steps(lambda n: n - 1), (), "the length of the window", ("n-step",), NSTEP),
    AdvantageBug("n-more", "n + 1 steps instead of n", _steps(lambda n: n + 1), (), "the length of the window", ("n-step",), NSTEP),
    AdvantageBug("A8", "the target is r + gamma mask + V: a sum where a product belongs",
                 _with_returns(lambda r, s: r.rewards + s.gamma * ~stops(r, s) + np.where(stops(r, s), 0, r.next_values)),
                 ("ikostrikov/pytorch-ddpg-naf#16",), "r + gamma * mask * V", ("gae", "n-step"), {"target": "td residual"}),
    AdvantageBug("A11", "the advantage is r_t - V instead of G_t - V", _only(lambda r, s: r.rewards - r.values),
                 ("natolambert/rlhf-book#216",), "what V is subtracted from", ("gae", "n-step"), MONTE_CARLO),
    AdvantageBug("A12", "the last step of the row is dropped", _only(_no_last_step), ("ray-project/ray#36013",),
                 "the range of the loop over time", ("gae",), ROLLOUT),
    AdvantageBug("A12-end", "the last reward of an episode is lost", _on(_no_end_reward), ("ray-project/ray#36013",),
                 "whether the reward of the step that ends an episode is stored", EVERY),
    AdvantageBug("A15", "bootstraps two steps ahead", _only(lambda r, s: _trace(r, s, _two_ahead(r, s))),
                 ("epignatelli/navix#152",), "rewards[:-1] paired with values[1:]"),
    AdvantageBug("A15-end", "bootstraps two steps ahead, with nothing where there are none", _only(_two_ahead_shifted),
                 ("epignatelli/navix#152",), "rewards[:-1] paired with values[1:]"),
    AdvantageBug("A16", "the lambda return of step t+1 minus V(s_t)", _only(_next_lambda_return), ("danijar/dreamerv2#60",),
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


# ------------------------------------------------------------------------------------------------ factors and scale


def _factor(factor):
    return _only(lambda r, s: carried(r, residuals(r, s), factor(s)))


def _normalised(axis=None, ddof=0, centre=True, divide=True):
    """Over the valid steps; eps 1e-8 as libraries add it."""
    def wrong(r, s):
        A, G = reference(r, s)
        known = np.where(r.valid, A, np.nan)
        mean = np.nanmean(known, axis=axis, keepdims=True) if centre else 0.0
        scale = _deviation(known, axis, ddof) + 1e-8 if divide else 1.0
        return (A - mean) / scale, G
    return wrong


def _deviation(known, axis, ddof):
    count = np.sum(~np.isnan(known), axis=axis, keepdims=True)
    square = np.nansum((known - np.nanmean(known, axis=axis, keepdims=True))**2, axis=axis, keepdims=True)
    return np.sqrt(square / np.maximum(count - ddof, 1))


def _undiscounted(r, s):
    plain = r.rewards + np.where(stops(r, s), 0.0, r.next_values) - r.values
    return carried(r, plain, s.gamma * s.trace)


FACTORS = (
    AdvantageBug("lambda-forgotten", "lambda is forgotten in the carry", _factor(lambda s: s.gamma), (), "gamma * lam in the carry"),
    AdvantageBug("gamma-forgotten", "gamma is forgotten in the carry", _factor(lambda s: s.trace), (), "gamma * lam in the carry"),
    AdvantageBug("no-carry", "nothing is carried: one-step residuals", _only(lambda r, s: residuals(r, s)), (),
                 "the accumulation", ("gae", "n-step")),
    AdvantageBug("gamma-squared", "gamma is in the carry twice", _factor(lambda s: s.gamma**2 * s.trace), (),
                 "gamma * lam in the carry"),
    AdvantageBug("gamma-missing", "gamma is missing before the next value", _only(_undiscounted), (), "gamma * V(s') in delta"),
    AdvantageBug("lambda-on-value", "lambda multiplies the next value too",
                 _only(lambda r, s: _trace(r, s, residuals(r, s, s.trace * r.next_values))), (), "where lambda stands"),
    AdvantageBug("plus-value", "V(s_t) is added, not subtracted", _only(lambda r, s: _trace(r, s, residuals(r, s) + 2 * r.values)),
                 (), "the sign of V(s_t) in delta"),
    AdvantageBug("baseline-forgotten", "V(s_t) is not subtracted at the end: returns, not advantages",
                 lambda r, s: (reference(r, s)[1], reference(r, s)[1]), (), "whether advantages or returns are handed out", EVERY),
    AdvantageBug("sign", "the sign is flipped", lambda r, s: (-reference(r, s)[0], r.values - reference(r, s)[0]), (),
                 "V - G, or a loss that is a gain", EVERY),
    AdvantageBug("C4", "normalised: minus the mean, over the standard deviation", _normalised(),
                 ("openai/baselines#544", "DLR-RM/stable-baselines3#485", "huggingface/trl#3256"),
                 "the normalisation: give the advantages before it", EVERY),
    AdvantageBug("C4-sample", "normalised, with the standard deviation over n - 1", _normalised(ddof=1),
                 ("openai/baselines#544", "huggingface/trl#3256"), "the normalisation: give the advantages before it", EVERY),
    AdvantageBug("C4-row", "normalised row by row", _normalised(axis=1), ("openai/baselines#323",),
                 "the normalisation: give the advantages before it", EVERY),
    AdvantageBug("C4-mean", "the mean over the batch is subtracted", _normalised(divide=False), ("openai/baselines#544",),
                 "the normalisation: give the advantages before it", EVERY),
    AdvantageBug("C4-std", "divided by the standard deviation", _normalised(centre=False), ("hill-a/stable-baselines#697",),
                 "the normalisation: give the advantages before it", EVERY),
)


# ------------------------------------------------------------------------------------------------ V-trace


def _v_trace(clip=1.0, trace=lambda c, s: c * s.lam, squared=False, leak=False):
    """V-trace with one thing changed: the clip, what the trace is made of, the ratio taken twice, the target over a cut."""
    def wrong(r, s):
        clipped, delta = np.minimum(r.ratios, clip), residuals(r, s)
        correction = carried(r, clipped * delta * (clipped if squared else 1), s.gamma * trace(np.minimum(r.ratios, 1), s))
        targets = r.values + correction
        if not leak:
            return clipped * (delta + s.gamma * ahead(r, correction)), targets
        following = np.concatenate([targets[:, 1:], r.next_values[:, -1:]], axis=1)
        return clipped * (r.rewards + s.gamma * np.where(stops(r, s), 0.0, following) - r.values), targets
    return wrong


def _next_ratio(r, s):
    return replace(r, ratios=_forward(r.ratios))


RATIOS = (
    AdvantageBug("B11", "the advantage takes the target of the next trajectory at a cut", _v_trace(leak=True),
                 ("pytorch/rl#4209",), "the target after the last step of a trajectory", ("v-trace",), VTRACE),
    AdvantageBug("F4", "the ratio is applied twice", _v_trace(squared=True), ("SlopDotCash/asi#462", "SlopDotCash/asi#1975"),
                 "how often rho multiplies delta", ("v-trace",), VTRACE),
    AdvantageBug("F4-index", "the ratio of the next step is used", _on(_next_ratio), ("SlopDotCash/asi#2362",),
                 "the time index of rho", ("v-trace",), VTRACE),
    AdvantageBug("unclipped", "the ratio is not clipped", _v_trace(clip=np.inf), (), "min(1, rho)", ("v-trace",), VTRACE),
    AdvantageBug("c-missing", "the trace has no ratio", _v_trace(trace=lambda c, s: s.lam + 0 * c), (), "the c of the trace",
                 ("v-trace",), VTRACE),
    AdvantageBug("c-lambda", "the trace has no lambda", _v_trace(trace=lambda c, s: c), (), "the lambda of the trace",
                 ("v-trace",), VTRACE),
    AdvantageBug("F1", "the ratios are all 1: the behaviour policy is missing",
                 _on(lambda r, s: replace(r, ratios=np.ones_like(r.ratios))),
                 ("meta-pytorch/torchforge#571", "tensorforce/tensorforce#312"), "where the ratio comes from", ("v-trace",), VTRACE),
)

BUGS: tuple[AdvantageBug, ...] = BOOTSTRAPS + REWARDS + FACTORS + RATIOS


# ------------------------------------------------------------------------------------------------ right, though reported


def _masked_before(r, s):
    """The values of terminal states are set to 0 first; delta then needs no mask."""
    known = replace(r, next_values=np.where(stops(r, s), 0.0, r.next_values))
    return carried(known, residuals(known, s, ends=np.zeros_like(r.done)), s.gamma * s.trace)


def _lambda_return_first(r, s):
    following = np.where(stops(r, s), 0.0, r.next_values)
    inside = ahead(r, np.ones_like(r.rewards)) == 1
    blend = np.where(inside, (1 - s.trace) * following, following)
    return carried(r, r.rewards + s.gamma * blend, s.gamma * s.trace) - r.values


def _mixture(r, s):
    """(1 - lambda) sum_n lambda^(n-1) A^(n), what is left over to the longest."""
    T = r.rewards.shape[1]
    steps = [n_step(r, replace(s, n=n)) for n in range(1, T + 1)]
    return sum((1 - s.trace) * s.trace**k * A for k, A in enumerate(steps[:-1])) + s.trace ** (T - 1) * steps[-1]


def _explicit_sum(r, s):
    delta = residuals(r, s)
    total = np.zeros_like(delta)
    for k in reversed(range(delta.shape[1])):
        total = total + (s.gamma * s.trace) ** k * _shifted(r, delta, k)
    return total


def _shifted(r, delta, k):
    for _ in range(k):
        delta = ahead(r, delta)
    return delta


CONTROLS = (
    AdvantageBug("masked-values", "delta without a done mask, on values that are 0 at the end already", _only(_masked_before),
                 ("thu-ml/tianshou#869",), shown=ROLLOUT),
    AdvantageBug("lambda-return-minus-value", "the lambda return by its own recursion, minus V", _only(_lambda_return_first),
                 ("ikostrikov/pytorch-a2c-ppo-acktr-gail#110",)),
    AdvantageBug("mixture", "the mixture of n-step advantages", _only(_mixture), ("google-deepmind/rlax#140",), shown=ROLLOUT),
    AdvantageBug("explicit-sum", "the sum over residuals, without a recursion", _only(_explicit_sum), ("openai/baselines#224",)),
)
ELSEWHERE = {
    "A7 (ring buffer)": "the window crosses the head of a ring buffer: lies in the buffer, not in the function",
    "C1, C2": "gradients through the advantage: needs the parameters of the critic",
    "C5": "statistics of the first call: refused as a function that keeps state",
    "D1-D3": "averages over steps of a loss: check_weights",
    "E1-E10": "log-probabilities and entropies: check_estimator",
    "G1-G6": "deterministic actions, target networks: no advantage is computed",
}
