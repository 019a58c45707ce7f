"""Bugs of advantages at boundaries: masks, time limits, resets, the end of the row, holes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..paths import AS_TERMINATION, BOOTSTRAP
from ..references import carried, reference, residuals, stops, summed
from .advantage_bug import EVERY, ROLLOUT, AdvantageBug, backward, on, only, trace


def _last_column(r, values):
    following = r.next_values.copy()
    following[:, -1] = values
    return replace(r, next_values=following)


def _later_masks(r, s):
    last = np.concatenate([r.terminated[:, 1:], r.terminated[:, -1:]], axis=1)
    last_truncated = np.concatenate([r.truncated[:, 1:], r.truncated[:, -1:]], axis=1)
    return replace(r, terminated=last, truncated=last_truncated)


def _earlier_masks(r, s):
    return replace(r, terminated=backward(r.terminated), truncated=backward(r.truncated))


def leaking(r, s):
    """What a carry that is not cut runs through: in rows of one episode, also what stands after its end."""
    return np.ones_like(r.valid) if s.form == "arrays" else r.valid


def _no_cut(r, s):
    return carried(r, residuals(r, s), s.gamma * s.trace, np.zeros_like(r.done), leaking(r, s))


def _cut_at_termination_only(r, s):
    return carried(r, residuals(r, s), s.gamma * s.trace, r.terminated, leaking(r, s))


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
    return {"n-step": summed}.get(s.family, trace)(r, s, delta)


def _holes_are_steps(r, s):
    return replace(r, valid=np.ones_like(r.valid))


def _zeroed_at_holes(r, s):
    before_hole = np.concatenate([~r.valid[:, 1:], np.zeros_like(r.valid[:, :1])], axis=1)
    return carried(r, residuals(r, s), s.gamma * s.trace, cuts=r.done | before_hole)


def _masks_of(later, delta, carry):
    """Another row of masks in delta only, or in the carry only."""
    def wrong(r, s):
        other = later(r, s)
        ends = stops(other if delta else r, s)
        return carried(r, residuals(r, s, ends=ends), s.gamma * s.trace, other.done if carry else r.done)
    return wrong


def _masks_at_start(r, s):
    return replace(r, terminated=r.episode_starts, truncated=np.zeros_like(r.truncated))


def _added_at_limit(times, factor):
    """The value at a time limit is added to the reward, and counts as next value or not."""
    def wrong(r, s):
        raised = replace(r, rewards=r.rewards + factor(s) * np.where(r.truncated, r.next_values, 0.0))
        return reference(raised, s if times == 2 else replace(s, truncation=AS_TERMINATION))
    return wrong


def _row_end_is_termination(r, s):
    stop = r.terminated.copy()
    stop[:, -1] |= ~r.done[:, -1]
    return replace(r, terminated=stop)


BOOTSTRAPS = (
    AdvantageBug("B1", "the done mask of step t+1 is used for step t", on(_later_masks),
                 ("DLR-RM/stable-baselines3#105", "anthonytorlucci/rlevo#342", "RoboVerseOrg/RoboVerse#814"),
                 "the index of done in delta and in the carry", EVERY),
    AdvantageBug("B1-reverse", "the done mask of step t-1 is used for step t", on(_earlier_masks),
                 ("DLR-RM/stable-baselines3#105",), "whether done is stored before or after the step", EVERY),
    AdvantageBug("B1-delta", "the done mask of step t+1 is used in delta", only(_masks_of(_later_masks, True, False)),
                 ("DLR-RM/stable-baselines3#105",), "the index of done in delta"),
    AdvantageBug("B1-carry", "the done mask of step t+1 is used in the carry", only(_masks_of(_later_masks, False, True)),
                 ("DLR-RM/stable-baselines3#105",), "the index of done in the carry"),
    AdvantageBug("B1-starts", "the mask of step t is whether step t itself begins an episode", on(_masks_at_start),
                 ("DLR-RM/stable-baselines3#105",), "episode_starts[t + 1] belongs to step t", EVERY, ROLLOUT),
    AdvantageBug("B2/B3", "the last value is that of the previous observation, V(s_{T-1}) twice",
                 on(lambda r, s: _last_column(r, r.values[:, -1])), ("DLR-RM/stable-baselines3#183", "tensorflow/agents#953"),
                 "which observation the last value is computed from", EVERY, ROLLOUT),
    AdvantageBug("B4", "the value after the last step is always 0", on(lambda r, s: _last_column(r, 0.0)),
                 ("hill-a/stable-baselines#195",), "whether the last value is ever assigned", EVERY, ROLLOUT),
    AdvantageBug("B5", "the carry is not cut at done: it leaks in from the next episode", only(_no_cut),
                 ("vietnh1009/Super-mario-bros-PPO-pytorch#21",), "the (1 - done) of the carry"),
    AdvantageBug("B6/B7", "a time limit is treated the other way: done where terminated is needed", _other_truncation,
                 ("pytorch/rl#1662", "pytorch/rl#2773", "openai/baselines#436", "vwxyzjn/cleanrl#198", "luchris429/purejaxrl#20"),
                 "whether terminated and truncated reach the function apart", EVERY),
    AdvantageBug("B8", "r + gamma V(s_t) at a time limit: the state before the step, not the one reached",
                 on(lambda r, s: replace(r, next_values=np.where(r.truncated, r.values, r.next_values))),
                 ("leggedrobotics/rsl_rl#151", "leggedrobotics/rsl_rl#43"), "which value is added at a time limit", EVERY),
    AdvantageBug("limit-twice", "the value at a time limit counts twice: added to the reward, and as the next value",
                 _added_at_limit(2, lambda s: s.gamma), (), "one of the two ways to bootstrap at a time limit", EVERY),
    AdvantageBug("limit-undiscounted", "the value at a time limit is added to the reward without gamma",
                 _added_at_limit(1, lambda s: 1.0), (), "reward + gamma * value at a time limit", EVERY),
    AdvantageBug("wrap-around", "the value after the last step is that of the first: the row is rolled",
                 on(lambda r, s: _last_column(r, r.values[:, 0])), (), "np.roll, and index -1 + 1", EVERY, ROLLOUT),
    AdvantageBug("B9", "bootstraps from the reset observation", on(_reset_values),
                 ("google-deepmind/mujoco_playground#305", "google-deepmind/mujoco_playground#320", "sail-sg/envpool#194"),
                 "values[t+1] at a boundary: it is the critic after the reset", EVERY, ROLLOUT),
    AdvantageBug("B10", "a time limit is no boundary: the carry leaks in from the next episode",
                 only(_cut_at_termination_only), ("Toni-SM/skrl#224", "Toni-SM/skrl#449"),
                 "the carry: it is cut by terminated, and must be by terminated or truncated"),
    AdvantageBug("B10-zeroed", "the advantage is zeroed at a time limit, and what is carried from there",
                 only(_zeroed_at_limit), ("Toni-SM/skrl#449",), "what the truncation mask multiplies"),
    AdvantageBug("B12", "all rows' rewards are bootstrapped, not only that of the row at its limit",
                 _everybody_bootstraps(own=False), ("Eclectic-Sheep/sheeprl#181",), "the row index of the bonus", EVERY),
    AdvantageBug("B12-own", "all rows' rewards are raised by their own next values where one row meets its limit",
                 _everybody_bootstraps(own=True), ("Eclectic-Sheep/sheeprl#181",), "the row index of the bonus", EVERY),
    AdvantageBug("B14", "masked steps are counted as steps", on(_holes_are_steps),
                 ("ray-project/ray#57895", "ray-project/ray#59958"), "valid: a hole is to be skipped", EVERY, ROLLOUT),
    AdvantageBug("B17", "the done mask is missing in delta: the value of a terminal state counts", only(_no_end),
                 ("seungeunrho/minimalRL#32", "seungeunrho/minimalRL#21"), "the (1 - terminated) of the next value",
                 ("gae", "n-step")),
    AdvantageBug("B18", "the truncation mask multiplies the advantages instead of the carry", only(_masked_after),
                 ("EdanToledo/Stoix#142", "EdanToledo/Stoix#148"), "what the truncation mask multiplies"),
    AdvantageBug("A10", "the running sum is zeroed at masked steps", only(_zeroed_at_holes),
                 ("volcengine/verl#7300", "volcengine/verl#7278"), "what a masked step does to the carry", ("gae",), ROLLOUT),
    AdvantageBug("end-of-row", "the end of the row is taken for a termination", on(_row_end_is_termination), (),
                 "the value after the last step of a row that is still running", EVERY, ROLLOUT),
)
