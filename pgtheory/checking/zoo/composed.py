"""Recursions with parts exchanged: what a function of advantages is when one part of it, or two, are something else.

The bugs of the zoo are known from somewhere. Those here are every other choice, in every place, of what a recursion is made
of: reward, next value, masks of the value and of the carry, factors, direction, what is subtracted, what is done at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from itertools import combinations

import numpy as np

from ..paths import BOOTSTRAP, Rollout
from ..references import ahead, carried, next_step, stops
from .advantage_bug import AdvantageBug, backward, forward
from .boundaries import leaking

RIGHT = ""


@dataclass(frozen=True)
class Recipe:
    """A recursion (record, setting, choices) -> (advantages, returns), and the choices that each of its parts has.

    parts : part -> {id: (words, value)}; the right choice has the id ""
    """

    run: Callable
    parts: dict[str, dict[str, tuple]]

    def bugs(self) -> Iterator[AdvantageBug]:
        """One part exchanged, then two; names say which."""
        single = [(part, choice) for part, table in self.parts.items() for choice in table if choice]
        for n in (1, 2):
            for chosen in combinations(single, n):
                if len({part for part, _ in chosen}) == n:
                    yield self._bug(dict(chosen))

    def _bug(self, chosen) -> AdvantageBug:
        words = JOINT.get(frozenset(chosen.values())) or _one_mask(chosen)
        words = words or ", and ".join(self.parts[part][choice][0] for part, choice in chosen.items())
        values = {part: table[chosen.get(part, RIGHT)][1] for part, table in self.parts.items()}
        return AdvantageBug(" + ".join(chosen.values()), words, lambda r, s: values["layout"](self.run, r, s, values), (),
                            " and ".join(LOOK.get(part, part) for part in chosen))


JOINT = {       # two exchanges that are one mistake
    frozenset(("stop-none", "cut-none")): "the done mask is missing: the next value and the carry count over every end",
    frozenset(("stop-none", "cut-row-end")): "the done mask is missing inside a row: the next value and the carry count over every end"}


def _one_mask(chosen) -> str:
    """Both masks exchanged for the same other one is one mistake too."""
    stop, cut = (chosen.get(part, "").removeprefix(f"{part}-") for part in ("stop", "cut"))
    return f"the next value and the carry count 0 {STOP[chosen['stop']][0].removeprefix(SUBJECTS['stop'])}" if stop and stop == cut else ""


SUBJECTS = {"stop": "the next value counts 0 ", "cut": "the carry is cut ", "mask": "values[t+1] and the carry count 0 "}
LOOK = {"layout": "the order of the axes: rows are environments, columns time",
        "stop": "the mask of the next value", "cut": "the mask of the carry", "following": "the next value", "factor": "the carry",
        "minus": "what is subtracted", "output": "what is done to the result", "direction": "the direction of the loop",
        "reward": "the index of the reward", "gamma": "gamma before the next value", "window": "what ends the window",
        "power": "the power of gamma before the last value", "steps": "the length of the window", "mix": "the mixture",
        "rho": "the ratio of delta", "c": "the ratio of the trace", "rho_advantage": "the ratio of the advantage",
        "target": "what the advantage bootstraps from", "clip": "min(1, rho)", "mixed": "the value in the mixture",
        "lam": "lambda in the trace", "holes": "valid: a hole is to be skipped", "folded": "what is added to the reward at a time limit",
        "mask": "the index of the mask: episode_starts[t+1] and done[t] belong to step t", "last": "the value after the last step"}


# ------------------------------------------------------------------------------------------------ the parts


def _later(mask, last):
    """The mask of step t+1; what stands at the end of the row is its own mask, False or True."""
    def at(r, s):
        own = mask(r, s)
        end = own[:, -1:] if last is None else np.full_like(own[:, -1:], last)
        return np.concatenate([own[:, 1:], end], axis=1)
    return at


def _masks(right, subject):
    """What a mask can be, for "the value after step t counts 0" or "the carry is cut"."""
    done, terminated = (lambda r, s: r.done), (lambda r, s: r.terminated)
    table = {RIGHT: ("", right), "none": ("never", lambda r, s: np.zeros_like(r.done)), "done": ("at every end", done),
             "terminated": ("at terminations only", terminated), "truncated": ("at time limits only", lambda r, s: r.truncated),
             "starts": ("where step t itself begins an episode", lambda r, s: r.episode_starts),
             "done-earlier": ("by the done of step t-1", lambda r, s: backward(r.done)),
             "terminated-earlier": ("by the termination of step t-1", lambda r, s: backward(r.terminated))}
    table["row-end"] = ("at the end of the row only", lambda r, s: r.terminated & (np.arange(r.done.shape[1]) == r.done.shape[1] - 1))
    for name, mask in (("done", done), ("terminated", terminated)):
        for end, words in ((None, ""), (False, ", unmasked in the last step"), (True, ", masked in the last step")):
            suffix = {None: "", False: "-open", True: "-closed"}[end]
            table[f"{name}-later{suffix}"] = (f"by the {name} of step t+1{words}", _later(mask, end))
    words = SUBJECTS[subject]
    return {f"{subject}-{name}" if name else RIGHT: (words + text, mask) for name, (text, mask) in table.items()}


def _row_values(r):
    return np.concatenate([r.values[:, 1:], r.next_values[:, -1:]], axis=1)


FOLLOWING = {
    RIGHT: ("", lambda r: r.next_values), "values-of-the-step": ("it bootstraps from s_t", lambda r: r.values),
    "values-of-the-row": ("it bootstraps from values[t+1], which is the state after a reset", _row_values),
    "no-next-value": ("it never bootstraps", lambda r: np.zeros_like(r.values)),
    "two-ahead": ("it bootstraps from values[t+2]", lambda r: forward(_row_values(r)))}
MINUS = {
    RIGHT: ("", lambda r: r.values), "minus-nothing": ("V(s_t) is not subtracted", lambda r: np.zeros_like(r.values)),
    "plus-value": ("V(s_t) is added", lambda r: -r.values), "minus-next": ("V(s_{t+1}) is subtracted", lambda r: r.next_values),
    "minus-row-next": ("values[t+1] is subtracted", _row_values),
    "minus-before": ("V(s_{t-1}) is subtracted", lambda r: backward(r.values))}
def _row_time(r):
    return np.broadcast_to(np.arange(r.done.shape[1]), r.done.shape)


def _to_the_end(r):
    """Steps from t to the last one of its episode, or of the row."""
    return carried(r, np.where(r.valid, 1.0, 0.0), np.ones(r.done.shape)) - 1


def _since_the_start(r):
    """Steps from the first one of the episode, or of the row, to t."""
    out, count = np.zeros(r.done.shape), np.zeros(len(r.done))
    for t in range(out.shape[1]):
        out[:, t] = count
        count = np.where(r.valid[:, t], np.where(r.done[:, t], 0, count + 1), count)
    return out


POWERS = {      # what power of gamma a number is multiplied with that needs none
    "gamma-t": ("gamma^t: discounted to the start of the row, and not divided by gamma^t", _row_time),
    "gamma-since-start": ("gamma^(steps since the start of the episode)", _since_the_start),
    "gamma-minus-t": ("gamma^-t: divided by gamma^t without need", lambda r: -_row_time(r)),
    "gamma-from-the-end": ("gamma^(T-1-t): the powers of gamma reversed", lambda r: r.done.shape[1] - 1 - _row_time(r)),
    "gamma-from-the-end-of-episode": ("gamma^(steps to the end of the episode)", _to_the_end)}
REWARD = {
    RIGHT: ("", lambda r, s: r.rewards), "reward-before": ("step t has the reward of t-1", lambda r, s: backward(r.rewards)),
    "reward-after": ("step t has the reward of t+1", lambda r, s: forward(r.rewards)),
    "no-reward-at-the-end": ("the reward of the step that ends an episode is lost", lambda r, s: np.where(r.done, 0.0, r.rewards)),
    "no-reward-at-terminations": ("the reward of the step that terminates is lost: the done mask multiplies the reward too",
                                  lambda r, s: np.where(r.terminated, 0.0, r.rewards)),
    "no-reward-at-limits": ("the reward of the step cut by a time limit is lost", lambda r, s: np.where(r.truncated, 0.0, r.rewards)),
    "reward-signs": ("only the signs of the rewards count", lambda r, s: np.sign(r.rewards)),
    "no-reward": ("the reward is left out", lambda r, s: np.zeros_like(r.rewards)),
    "reward-clipped": ("rewards are clipped to [-1, 1]", lambda r, s: np.clip(r.rewards, -1, 1)),
    "reward-sign-flipped": ("the reward has the wrong sign", lambda r, s: -r.rewards)} | {
    f"reward-times-{name}": (f"the reward is multiplied by {words}", lambda r, s, power=power: s.gamma ** power(r) * r.rewards)
    for name, (words, power) in POWERS.items() if name in ("gamma-t", "gamma-minus-t")}
GAMMA = {
    RIGHT: ("", lambda s: s.gamma), "gamma-is-1": ("the next value is not discounted", lambda s: 1.0),
    "gamma-is-lambda": ("the next value is discounted by lambda", lambda s: s.trace),
    "gamma-twice": ("the next value is discounted twice", lambda s: s.gamma**2),
    "gamma-and-lambda": ("the next value is discounted by gamma lambda", lambda s: s.gamma * s.trace)}
FACTOR = {
    RIGHT: ("", lambda s: s.gamma * s.trace), "carry-gamma": ("lambda is forgotten in the carry", lambda s: s.gamma),
    "carry-lambda": ("gamma is forgotten in the carry", lambda s: s.trace), "carry-1": ("the carry is not discounted", lambda s: 1.0),
    "carry-0": ("nothing is carried", lambda s: 0.0), "carry-gamma-twice": ("gamma is in the carry twice", lambda s: s.gamma**2 * s.trace),
    "carry-lambda-twice": ("lambda is in the carry twice", lambda s: s.gamma * s.trace**2),
    "carry-1-lambda": ("1 - lambda stands for lambda in the carry", lambda s: s.gamma * (1 - s.trace))}


def _normalise(per_row, ddof, everything=False):
    def change(A, r, s):
        counted = r.valid | everything
        known = np.where(counted, A, np.nan)
        axis = 1 if per_row else None
        mean = np.nanmean(known, axis=axis, keepdims=True)
        count = np.sum(counted, axis=axis, keepdims=True)
        scale = np.sqrt(np.nansum((known - mean) ** 2, axis=axis, keepdims=True) / np.maximum(count - ddof, 1))
        return (A - mean) / (scale + 1e-8)
    return change


OUTPUT = {
    RIGHT: ("", lambda A, r, s: A), "turned-around": ("the result is in reversed order of time", lambda A, r, s: A[:, ::-1]),
    "one-late": ("the result is one step late", lambda A, r, s: backward(A)),
    "one-early": ("the result is one step early", lambda A, r, s: forward(A)),
    "sign": ("the sign is flipped", lambda A, r, s: -A),
    "times-1-lambda": ("the result is multiplied by 1 - lambda", lambda A, r, s: (1 - s.trace) * A),
    "normalised": ("the result is normalised, and the returns are made of these numbers", _normalise(False, 0)),
    "normalised-sample": ("the result is normalised (n - 1), and the returns are made of these numbers", _normalise(False, 1)),
    "normalised-rows": ("the result is normalised row by row, and the returns are made of these numbers", _normalise(True, 0)),
    "zero-at-limits": ("the result is 0 at time limits", lambda A, r, s: np.where(r.truncated, 0.0, A)),
    "zero-at-ends": ("the result is 0 at every end", lambda A, r, s: np.where(r.done, 0.0, A)),
    "normalised-everywhere": ("the result is normalised, steps that are none included, and the returns are made of these numbers",
                              _normalise(False, 0, True)),
    "clipped": ("the result is clipped to [-1, 1]", lambda A, r, s: np.clip(A, -1, 1))} | {
    f"{name}-{what}": (f"the {what} are multiplied by {words}", change)
    for name, (words, power) in POWERS.items() for what, change in (
        ("advantages", lambda A, r, s, power=power: s.gamma ** power(r) * A),
        ("returns", lambda A, r, s, power=power: s.gamma ** power(r) * (A + r.values) - r.values))}
HOLES = {RIGHT: ("", lambda r: r.valid), "holes-counted": ("masked steps are counted as steps", lambda r: np.ones_like(r.valid))}
DIRECTION = {RIGHT: ("", False), "forwards": ("the loop runs forwards in time: past residuals are summed", True)}
MASK = _masks(lambda r, s: r.done, "mask")
CUT, STOP = _masks(lambda r, s: r.done, "cut"), _masks(stops, "stop")


# ------------------------------------------------------------------------------------------------ the layout


def _all(r, change):
    return Rollout(**{f.name: change(getattr(r, f.name)) for f in fields(Rollout)})


def _laid_out(to, back):
    """The recursion on a record whose axes are something else, and its results put back."""
    def around(run, r, s, p):
        return tuple(back(x, r.rewards.shape) for x in run(_all(r, to), s, p))
    return around


LAYOUT = {
    RIGHT: ("", lambda run, r, s, p: run(r, s, p)),
    "flattened": ("the rows are flattened into one: what is carried runs from one environment into the next",
                  _laid_out(lambda x: x.reshape(1, -1), lambda x, shape: x.reshape(shape))),
    "flattened-in-time": ("the record is flattened time first: what is carried runs through the environments at each time",
                          _laid_out(lambda x: x.T.reshape(1, -1), lambda x, shape: x.reshape(shape[::-1]).T)),
    "transposed": ("the recursion runs over the environments, not over time", _laid_out(lambda x: x.T, lambda x, shape: x.T)),
    "environments-reversed": ("the rows are in reversed order", _laid_out(lambda x: x, lambda x, shape: x[::-1])),
    "rows-rolled": ("the rows are one environment off", _laid_out(lambda x: x, lambda x, shape: np.roll(x, 1, axis=0)))}


# ------------------------------------------------------------------------------------------------ the recursions


def _finished(A, r, s, parts):
    A = parts["output"](A, r, s)
    return A, A + r.values


def _gae(r, s, p):
    delta = p["reward"](r, s) + p["gamma"](s) * np.where(p["stop"](r, s), 0.0, p["following"](r)) - p["minus"](r)
    factor, cut = p["factor"](s), p["cut"](r, s)
    valid = leaking(r, s) if p["cut"] is not CUT[RIGHT][1] else p["holes"](r)
    return _finished(_forwards(delta, factor, cut) if p["direction"] else carried(r, delta, factor, cut, valid), r, s, p)


FOLDED = {
    RIGHT: ("", lambda r, s: s.gamma * r.next_values if s.truncation == BOOTSTRAP else np.zeros_like(r.values)),
    "limit-not-folded": ("the value at a time limit is not added to the reward", lambda r, s: np.zeros_like(r.values)),
    "limit-folded": ("the value at a time limit is added to the reward", lambda r, s: s.gamma * r.next_values),
    "limit-folded-undiscounted": ("the value at a time limit is added to the reward without gamma", lambda r, s: r.next_values),
    "limit-folded-before": ("at a time limit the value of the state before the step is added", lambda r, s: s.gamma * r.values)}
LAST = {RIGHT: ("", lambda r: r.next_values), "last-value-0": ("the value after the end of the row is 0", lambda r: 0 * r.values),
        "last-value-before": ("the value after the end of the row is that of the last step itself", lambda r: r.values)}


def _buffer(r, s, p):
    """One mask for the next value and the carry; values[t+1] is the next value; a time limit is folded into the reward."""
    following = next_step(r.valid)
    ahead_of = np.take_along_axis(np.pad(r.values, ((0, 0), (0, 1))), following, axis=1)
    ahead_of = np.where(following < r.done.shape[1], ahead_of, p["last"](r))
    mask = p["mask"](r, s)
    reward = p["reward"](r, s) + np.where(r.truncated, p["folded"](r, s), 0.0)
    delta = reward + s.gamma * np.where(mask, 0.0, ahead_of) - p["minus"](r)
    A = carried(r, delta, p["factor"](s), mask)
    return A, A + r.values


def _forwards(delta, factor, cut):
    """c = delta_t + factor (1 - cut_t) c, from the first step on."""
    out, c = np.zeros_like(delta), np.zeros(len(delta))
    for t in range(delta.shape[1]):
        out[:, t] = c = delta[:, t] + factor * np.where(cut[:, t], 0.0, c)
    return out


def _returns(r, s, p):
    """G_t = r_t + gamma (a mixed value + b G_{t+1}) inside an episode, r_t + gamma v at a cut; advantages G - V."""
    (a, b), cut, stop = p["mix"](s), p["cut"](r, s), p["stop"](r, s)
    following, reward, gamma = p["following"](r), p["reward"](r, s), p["gamma"](s)
    step, valid = next_step(leaking(r, s) if p["cut"] is not CUT[RIGHT][1] else r.valid), p["mixed"](r)
    N, T = reward.shape
    G, rows = np.zeros((N, T + 1)), np.arange(N)
    for t in reversed(range(T)):
        inside = ~cut[:, t] & (step[:, t] < T)
        onward = np.where(inside, a * valid[:, t] + b * G[rows, step[:, t]], following[:, t])
        G[:, t] = reward[:, t] + gamma * np.where(stop[:, t], 0.0, onward)
    return _finished(G[:, :-1] - p["minus"](r), r, s, p)


MIX = {
    RIGHT: ("", lambda s: (1 - s.trace, s.trace)), "mix-swapped": ("lambda and 1 - lambda are swapped in the mixture",
                                                                  lambda s: (s.trace, 1 - s.trace)),
    "mix-whole-value": ("the next value counts whole in the mixture, not 1 - lambda", lambda s: (1.0, s.trace)),
    "mix-whole-return": ("the next return counts whole in the mixture, not lambda", lambda s: (1 - s.trace, 1.0)),
    "mix-no-value": ("the mixture lacks the next value", lambda s: (0.0, s.trace)),
    "mix-return-only": ("lambda is forgotten in the mixture: Monte Carlo", lambda s: (0.0, 1.0))}
MIXED = {RIGHT: ("", lambda r: r.next_values), "mix-same-state": ("the mixture takes V(s_t), not V(s_{t+1})", lambda r: r.values),
         "mix-row": ("the mixture takes values[t+1]", _row_values)}


def _n_step(r, s, p):
    """Rewards of a window, the value behind it, minus V."""
    crossing, n = p["window"], max(1, p["steps"](s.n))
    over = replace(r, valid=leaking(r, s)) if crossing else r
    cuts = np.zeros_like(r.done) if crossing else r.done
    stop, value = p["stop"](r, s), p["following"](r)
    total = reward = p["reward"](r, s)
    taken, last, ended = np.ones(total.shape), value, stop
    ever = r.terminated
    for _ in range(n - 1):
        goes_on = ahead(over, np.ones_like(taken), cuts) == 1
        total = reward + p["gamma"](s) * ahead(over, total, cuts)
        taken = np.where(goes_on, 1 + ahead(over, taken, cuts), 1.0)
        last, ended = np.where(goes_on, ahead(over, last, cuts), value), np.where(goes_on, ahead(over, ended, cuts), stop)
        ever = r.terminated | (goes_on & (ahead(over, ever * 1.0, cuts) > 0))
    closed = ever if crossing == "any" else ended.astype(bool)
    power = s.gamma ** p["power"](taken, n)
    return _finished(total + power * np.where(closed, 0.0, last) - p["minus"](r), r, s, p)


def _v_trace(r, s, p):
    raw = r.ratios
    clipped = p["clip"](raw)
    rho, c, outer = (p[name](clipped, raw) for name in ("rho", "c", "rho_advantage"))
    plain = p["reward"](r, s) + s.gamma * np.where(p["stop"](r, s), 0.0, p["following"](r)) - p["minus"](r)
    correction = carried(r, rho * plain, s.gamma * p["lam"](s) * c, p["cut"](r, s))
    A = outer * (plain + s.gamma * p["target"](ahead(r, correction, p["cut"](r, s)), correction))
    return p["output"](A, r, s), r.values + correction


def _ratios(name, subject):
    return {RIGHT: ("", lambda clipped, raw: clipped), f"{name}-raw": (f"{subject} is not clipped", lambda clipped, raw: raw),
            f"{name}-1": (f"{subject} is missing", lambda clipped, raw: np.ones_like(raw)),
            f"{name}-next": (f"{subject} is that of step t+1",
                             lambda clipped, raw: np.concatenate([clipped[:, 1:], clipped[:, -1:]], axis=1)),
            f"{name}-before": (f"{subject} is that of step t-1", lambda clipped, raw: backward(clipped)),
            f"{name}-squared": (f"{subject} is applied twice", lambda clipped, raw: clipped**2),
            f"{name}-inverse": (f"{subject} is upside down", lambda clipped, raw: np.minimum(1 / raw, 1))}


GAE = Recipe(_gae, {"reward": REWARD, "stop": STOP, "following": FOLLOWING, "minus": MINUS, "gamma": GAMMA, "factor": FACTOR,
                    "cut": CUT, "direction": DIRECTION, "holes": HOLES, "output": OUTPUT, "layout": LAYOUT})
# Real code has one mask for both, and values[t+1] behind it; what follows a time limit is added to the reward.
BUFFER = Recipe(_buffer, {"reward": REWARD, "folded": FOLDED, "mask": MASK, "minus": MINUS, "factor": FACTOR, "last": LAST,
                          "layout": LAYOUT})
RETURNS = Recipe(_returns, {"reward": REWARD, "stop": STOP, "following": FOLLOWING, "minus": MINUS, "gamma": GAMMA, "mix": MIX,
                            "mixed": MIXED, "cut": CUT, "output": OUTPUT, "layout": LAYOUT})
N_STEP = Recipe(_n_step, {
    "reward": REWARD, "stop": STOP, "following": FOLLOWING, "minus": MINUS, "gamma": GAMMA, "output": OUTPUT, "layout": LAYOUT,
    "window": {RIGHT: ("", ""), "window-crosses": ("the window runs over the end of the episode", "crosses"),
               "window-crosses-masked": ("the window runs over the end of the episode, and its value counts 0 where any step "
                                         "in it terminates", "any")},
    "power": {RIGHT: ("", lambda taken, n: taken), "power-less": ("the last value is discounted by one power of gamma less",
                                                                 lambda taken, n: taken - 1),
              "power-more": ("the last value is discounted by one power of gamma more", lambda taken, n: taken + 1),
              "power-1": ("the last value is discounted by gamma, not gamma^n", lambda taken, n: 1.0),
              "power-0": ("the last value is not discounted", lambda taken, n: 0.0),
              "power-n": ("the last value is discounted by gamma^n where the window is shorter", lambda taken, n: n)},
    "steps": {RIGHT: ("", lambda n: n), "one-step-less": ("the window has n - 1 steps", lambda n: n - 1),
              "one-step-more": ("the window has n + 1 steps", lambda n: n + 1),
              "one-step": ("the window has one step", lambda n: 1)}})
V_TRACE = Recipe(_v_trace, {
    "reward": REWARD, "stop": STOP, "following": FOLLOWING, "minus": MINUS, "cut": CUT, "output": OUTPUT, "layout": LAYOUT,
    "clip": {RIGHT: ("", lambda raw: np.minimum(raw, 1)), "no-clip": ("no ratio is clipped", lambda raw: raw),
             "no-ratios": ("all ratios are 1", np.ones_like)},
    "rho": _ratios("rho", "the ratio of the residual"), "c": _ratios("c", "the ratio of the trace"),
    "rho_advantage": _ratios("rho-advantage", "the ratio of the advantage"),
    "lam": {RIGHT: ("", lambda s: s.lam), "no-lambda": ("the trace has no lambda", lambda s: 1.0),
            "lambda-twice": ("lambda is in the trace twice", lambda s: s.lam**2)},
    "target": {RIGHT: ("", lambda following, own: following),
               "bootstraps-from-the-critic": ("the advantage bootstraps from the critic, not from the target of the next step",
                                              lambda following, own: 0.0 * following),
               "own-target": ("the advantage takes the correction of its own step", lambda following, own: own)}})
RECIPES = {"gae": (GAE, BUFFER, RETURNS), "n-step": (N_STEP,), "v-trace": (V_TRACE,)}


@lru_cache(maxsize=8)
def composed(family: str) -> tuple[AdvantageBug, ...]:
    """All recursions of a family with one part exchanged, then all with two; one at a time comes first.

    >>> bugs = composed("v-trace")
    >>> bugs[0].bug, sum(" + " in bug.bug for bug in bugs) > 500
    ('reward-before', True)
    """
    found = [bug for recipe in RECIPES[family] for bug in recipe.bugs()]
    return tuple(sorted(found, key=lambda bug: " + " in bug.bug))
