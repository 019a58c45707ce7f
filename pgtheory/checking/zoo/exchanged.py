"""Gradient estimators with parts exchanged: what an estimator is when one part of it, or two, are something else.

For targets with a critic the parts are those of :mod:`.composed`; without one they are what is earned, how it is summed and
discounted, what is subtracted, on which steps it is placed, and which score it multiplies; for groups, how members are compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, partial
from itertools import combinations

import numpy as np

from ..paths import Rollout
from ..references import Setting
from .advantages import BUGS
from .composed import FOLDED, HOLES, LAST, LAYOUT, MASK, composed
from .mutant import Mutant, earlier, later, so_far, to_go

RIGHT = ""
EPSILONS = (1e-8, 1e-6, 1e-4)
ROWS_ONLY = {*LAYOUT, *HOLES, *MASK, *FOLDED, *LAST}     # what cannot happen to one trajectory at a time


# ------------------------------------------------------------------------------------------------ with a critic


def critic_bugs(name: str, number) -> tuple[Mutant, ...]:
    """The known bugs of advantages, and every recursion with one part exchanged, as estimators for a target with a critic.

    >>> len(critic_bugs("n-step", 2)) > 50, critic_bugs("gradient", None)
    (True, ())
    """
    settings = {"gae": ("gae", {"lam": number}), "lambda-return": ("gae", {"lam": number}), "actor-critic": ("td residual", {}),
                "n-step": ("n-step", {"n": number}), "v-trace": ("v-trace", {"lam": 1.0})}
    if name not in settings or (name == "v-trace" and number != 1):
        return ()
    target, numbers = settings[name]
    family = Setting(0.5, target=target).family
    known = [bug for bug in BUGS if family in bug.families and bug.shown.get("form") != "rollout"]
    single = [bug for bug in composed(family) if " + " not in bug.bug and "starts" not in bug.bug and bug.bug not in ROWS_ONLY]
    return tuple(_as_estimator(bug, target, numbers, name, bug in known) for bug in (*known, *single))


def _as_estimator(bug, target, numbers, name, known):
    def weights(s):
        setting = Setting(float(s.gamma), target=target, form="arrays", **numbers)
        return s.d * bug.wrong(_record(s), setting)[0]
    return Mutant(bug.bug, bug.words, weights, links=bug.links, look=bug.look, target=name, known=known)


def _record(s) -> Rollout:
    """Trajectories as rows of one episode."""
    return Rollout(np.asarray(s.r, dtype=float), np.asarray(s.V, dtype=float), np.asarray(s.V_next, dtype=float), s.terminated,
                   s.truncated & ~s.terminated, s.valid, np.zeros_like(s.valid) | (np.arange(s.valid.shape[-1]) == 0), s.ratio)


# ------------------------------------------------------------------------------------------------ without one


def _steps(s):
    return np.arange(s.r.shape[-1])


def _overlong(s):
    """(..., 1) bool: the row fills the record, or was cut by the time limit."""
    return (s.length == s.r.shape[-1]) | s.truncated.any(axis=-1, keepdims=True)


def _reversed_powers(s):
    return s.gamma ** np.maximum(s.length - 1 - _steps(s), 0)


EARNED = {
    RIGHT: ("", lambda s: s.r), "reward-before": ("step t has the reward of t-1", lambda s: earlier(s.r)),
    "reward-after": ("step t has the reward of t+1", lambda s: later(s.r)),
    "reward-lost-at-the-end": ("the last reward is lost", lambda s: np.where(s.last, 0.0, s.r)),
    "reward-lost-at-the-start": ("the first reward is lost", lambda s: np.where(_steps(s) == 0, 0.0, s.r)),
    "reward-at-the-end-only": ("only the last reward counts", lambda s: np.where(s.last, s.r, 0.0)),
    "reward-times-gamma-t": ("the reward is multiplied by gamma^t", lambda s: s.powers * s.r),
    "reward-over-gamma-t": ("the reward is divided by gamma^t", lambda s: s.r / s.powers),
    "overlong-reward-0": ("the rewards of rows of the maximum length count 0", lambda s: np.where(_overlong(s), 0.0, s.r)),
    "reward-clipped": ("rewards are clipped to [-1, 1]", lambda s: np.clip(s.r, -1, 1))}
SUMMED = {
    RIGHT: ("", lambda s, r: to_go(r, s.gamma)), "undiscounted": ("rewards are not discounted", lambda s, r: to_go(r, 1.0)),
    "gamma-twice": ("rewards are discounted by gamma^2 a step", lambda s, r: to_go(r, s.gamma**2)),
    "own-reward": ("only the step's own reward counts", lambda s, r: r),
    "past": ("past rewards are summed", lambda s, r: so_far(r, s.gamma)),
    "whole": ("the return of the whole episode, discounted from its start", lambda s, r: to_go(r, s.gamma)[..., :1] + 0 * r),
    "whole-undiscounted": ("the return of the whole episode, not discounted", lambda s, r: to_go(r, 1.0)[..., :1] + 0 * r),
    "whole-reversed": ("the return of the whole episode, with the powers of gamma reversed",
                       lambda s, r: to_go(r * _reversed_powers(s), 1.0)[..., :1] + 0 * r),
    "to-go-reversed": ("rewards are summed with the powers of gamma reversed, gamma^(L-1-k)",
                       lambda s, r: to_go(r * _reversed_powers(s), 1.0)),
    "mean": ("the mean of the rewards of the episode", lambda s, r: to_go(r, 1.0)[..., :1] / s.length + 0 * r)}
WHOLE_SUMS = {SUMMED[name][1] for name in ("whole", "whole-undiscounted", "whole-reversed", "mean")}     # no gamma^t belongs before these
WEIGHED = {
    RIGHT: ("", lambda s: s.d), "no-gamma-t": ("the weight gamma^t is left out", lambda s: np.ones(s.r.shape[-1])),
    "gamma-t": ("the weight gamma^t is there", lambda s: s.powers), "gamma-t-twice": ("the weight gamma^t is applied twice",
                                                                                lambda s: s.powers**2),
    "gamma-t-plus-1": ("the weight is gamma^(t+1)", lambda s: s.powers * s.gamma),
    "gamma-t-reversed": ("the weight is gamma^(L-1-t)", _reversed_powers)}
SUBTRACTED = {
    RIGHT: ("", lambda s, x: 0.0), "minus-value": ("V(s_t) is subtracted", lambda s, x: s.V),
    "minus-next-value": ("V(s_{t+1}) is subtracted", lambda s, x: s.V_next),
    "minus-own-mean": ("the mean over the steps of the episode is subtracted",
                       lambda s, x: np.where(s.valid, x, 0.0).sum(axis=-1, keepdims=True) / s.length),
    "minus-record-mean": ("the mean over the steps of the record, padding included, is subtracted",
                          lambda s, x: np.where(s.valid, x, 0.0).mean(axis=-1, keepdims=True)),
    "minus-mean-reward": ("the mean reward of the episode is subtracted", lambda s, x: s.r.sum(axis=-1, keepdims=True) / s.length)}
PLACED = {
    RIGHT: ("", lambda s: 1.0), "last-step-only": ("it is placed on the last step only", lambda s: s.last * 1.0),
    "first-step-only": ("it is placed on the first step only", lambda s: (_steps(s) == 0) * 1.0),
    "not-on-the-last": ("the last step is left out", lambda s: ~s.last * 1.0),
    "not-on-the-first": ("the first step is left out", lambda s: (_steps(s) > 0) * 1.0),
    "overlong-left-out": ("rows of the maximum length are left out", lambda s: ~_overlong(s) * 1.0),
    "over-the-length": ("it is averaged over the steps of the episode", lambda s: 1 / s.length),
    "over-the-record": ("it is averaged over the steps of the record", lambda s: 1 / s.r.shape[-1])}


def _uncentred(s, w):
    """The indicator of the state and action, without minus pi."""
    S, A = s.pi.shape
    place = s.states[:, :-1] * A + s.actions
    table = np.zeros((len(w), S * A))
    np.add.at(table, (np.arange(len(w))[:, None], place), np.where(s.valid, w, 0.0))
    return table.reshape(len(w), S, A)


def _in_table(s, w, entries):
    """theta's table: w times (S, A) entries at the states that were visited, every action of them."""
    S = len(s.pi)
    visits = np.zeros((len(w), S))
    np.add.at(visits, (np.arange(len(w))[:, None], s.states[:, :-1]), np.where(s.valid, w, 0.0))
    return visits[:, :, None] * entries


def _rolled_action(s, w):
    """The actions of t+1, the first one at the end."""
    return s.along_scores(w, actions=np.roll(s.actions, -1, axis=-1))


SCORED = {
    RIGHT: ("", lambda s, w: s.along_scores(w)), "score-not-centred": ("the score is not centred: minus pi is missing", _uncentred),
    "chosen-entry-only": ("the entry of the action taken has 1 - pi, those of the other actions lack their - pi",
                          lambda s, w: _uncentred(s, w * (1 - s.p))),
    "minus-pi-only": ("every entry has - pi, and that of the action taken lacks its 1", lambda s, w: _in_table(s, w, -s.pi)),
    "score-of-next-action": ("the score is that of the next action", _rolled_action),
    "score-at-next-state": ("the score is taken at the next state", lambda s, w: s.along_scores(w, states=s.states[:, 1:])),
    "score-of-previous-action": ("the score is that of the previous action",
                                 lambda s, w: s.along_scores(w, actions=np.roll(s.actions, 1, axis=-1))),
    "score-of-greedy-action": ("the score is that of the greedy action", lambda s, w: s.along_scores(
        w, actions=s.pi.argmax(axis=1)[s.states[:, :-1]])),
    "grad-pi": ("grad pi stands for grad log pi", lambda s, w: s.along_scores(w * s.p)),
    "over-pi": ("the score is divided by pi", lambda s, w: s.along_scores(w / s.p))}


def _product(x):
    return np.cumprod(x, axis=-1)


RATIOS = {
    RIGHT: ("", lambda s: s.ratio), "ratios-clipped": ("every ratio is clipped at 1", lambda s: np.minimum(s.ratio, 1)),
    "ratios-inverse": ("the ratios are upside down", lambda s: 1 / s.ratio),
    "no-ratios": ("the ratios are missing", lambda s: 1 + 0 * s.ratio),
    "ratios-squared": ("the ratios are applied twice", lambda s: s.ratio**2)}
EXTENT = {      # what weighs the reward of step k in the weight of step t, for ratios x: sum_k>=t of r_k times it
    RIGHT: ("", lambda s, x, r: to_go(_product(x) * r, s.gamma)),
    "whole-product": ("the ratios of the whole episode weigh every reward", lambda s, x, r: _product(x)[..., -1:] * to_go(r, s.gamma)),
    "whole-product-clipped": ("the product of all ratios is clipped at 1",
                              lambda s, x, r: np.minimum(_product(x)[..., -1:], 1) * to_go(r, s.gamma)),
    "products-clipped": ("the products of ratios are clipped at 1", lambda s, x, r: to_go(np.minimum(_product(x), 1) * r, s.gamma)),
    "past-product": ("only the ratios up to t weigh the return of t", lambda s, x, r: _product(x) * to_go(r, s.gamma)),
    "step-ratio": ("only the ratio of step t weighs its return", lambda s, x, r: x * to_go(r, s.gamma)),
    "reward-ratio": ("only the ratio of step k weighs its reward", lambda s, x, r: to_go(x * r, s.gamma)),
    "before-the-reward": ("the ratio of the step itself is missing", lambda s, x, r: to_go(earlier(_product(x), 1.0) * r, s.gamma)),
    "mean-ratio": ("the mean of the ratios, not their product",
                   lambda s, x, r: np.where(s.valid, x, 0.0).sum(axis=-1, keepdims=True) / s.length * to_go(r, s.gamma))}
WHOLE = {RIGHT: ("", lambda s, x: s.d * x), "whole-return": ("under the return of the whole episode", lambda s, x: x[..., :1] + 0 * x),
         "no-gamma-t": ("the weight gamma^t is left out", lambda s, x: x)}
UNWEIGHTED = {RIGHT: ("", lambda s, x: 0.0),
              "baseline-without-ratio": ("the baseline V(s_t) is not weighed by the ratios", lambda s, x: s.V),
              "baseline-with-all-ratios": ("the baseline V(s_t) is weighed by the ratios of the whole episode",
                                           lambda s, x: s.V * _product(s.ratio)[..., -1:])}
PLAIN = {"earned": EARNED, "summed": SUMMED, "weighed": WEIGHED, "subtracted": SUBTRACTED, "placed": PLACED, "scored": SCORED}
OFF = {"earned": EARNED, "ratios": RATIOS, "extent": EXTENT, "whole": WHOLE, "subtracted": UNWEIGHTED, "placed": PLACED}


def _weights(s, p):
    x = p["summed"](s, p["earned"](s))
    bare = p["weighed"] is WEIGHED[RIGHT][1] and p["summed"] in WHOLE_SUMS
    w = (1.0 if bare else p["weighed"](s)) * (x - p["subtracted"](s, x)) * p["placed"](s)
    return w * p["differentiated"](s) if "differentiated" in p else w


def _plain(s, p):
    return p["scored"](s, _weights(s, p))


def _off_policy(s, p):
    x = p["extent"](s, p["ratios"](s), p["earned"](s))
    return s.along_scores(p["whole"](s, x - p["subtracted"](s, x)) * p["placed"](s))


@lru_cache(maxsize=4)
def plain_bugs(off_policy: bool) -> tuple[Mutant, ...]:
    """Estimators without a critic, one part exchanged, then two.

    >>> [" + " in bug.bug for bug in plain_bugs(False)[:1]], len(plain_bugs(False)) > 300
    ([False], True)
    """
    run, parts = (_off_policy, OFF) if off_policy else (_plain, PLAIN)
    return tuple(Mutant(name, words, estimates=partial(run, p=values), look=look, known=False,
                        target="off-policy" if off_policy else "gradient")
                 for name, words, look, values in chosen(parts))


@lru_cache(maxsize=1)
def plain_weights() -> tuple[Mutant, ...]:
    """Weights of single rows without a critic, one part exchanged, then two; the scores are right."""
    parts = {name: table for name, table in PLAIN.items() if name != "scored"} | {"differentiated": DIFFERENTIATED}
    return tuple(Mutant(name, words, partial(_weights, p=values), look=look, seam="weights")
                 for name, words, look, values in chosen(parts))


def chosen(parts) -> Iterator[tuple]:
    """(id, words, what to look at, part -> value): one part exchanged, then two."""
    single = [(part, choice) for part, table in parts.items() for choice in table if choice]
    for n in (1, 2):
        for picks in combinations(single, n):
            if len({part for part, _ in picks}) == n:
                other = dict(picks)
                values = {part: table[other.get(part, RIGHT)][1] for part, table in parts.items()}
                yield (" + ".join(other.values()), ", and ".join(parts[part][choice][0] for part, choice in picks),
                       "what is " + " and ".join(part if part not in ("ratios", "extent") else f"in the {part}" for part in other), values)


# ------------------------------------------------------------------------------------------------ groups


def _total(s):
    return s.whole


def _others(x):
    k = x.shape[-2]
    return (x.sum(axis=-2, keepdims=True) - x) / (k - 1)


def _spread(x, ddof):
    return np.sqrt(((x - x.mean(axis=-2, keepdims=True)) ** 2).sum(axis=-2, keepdims=True) / (x.shape[-2] - ddof))


def _of_steps(s, x, what):
    """Mean or standard deviation over all steps of the group."""
    count = s.length.sum(axis=(-2, -1), keepdims=True)
    mean = np.where(s.valid, x, 0.0).sum(axis=(-2, -1), keepdims=True) / count
    return mean if what == "mean" else np.sqrt((np.where(s.valid, x - mean, 0.0) ** 2).sum(axis=(-2, -1), keepdims=True) / count)


def _first_best(s):
    best = s.whole[..., :1].argmax(axis=-2, keepdims=True)
    return np.arange(s.r.shape[-2])[:, None] == best


VALUED = {RIGHT: ("", _total), "to-go": ("reward-to-go", lambda s: s.d * s.G),
          "own-reward": ("only the step's own reward", lambda s: s.d * s.r),
          "overlong-reward-0": ("the reward of rows of the maximum length counts 0", lambda s: np.where(_overlong(s), 0.0, s.whole)),
          "mean-reward": ("the mean reward of the row stands for its return: divided by its length", lambda s: s.whole / s.length)}
CENTRED = {
    RIGHT: ("", lambda s, x: _others(x)), "not-centred": ("nothing is subtracted", lambda s, x: 0.0),
    "own-sample-in-mean": ("the mean of the group, the row itself included, is subtracted", lambda s, x: x.mean(axis=-2, keepdims=True)),
    "best-of-group": ("the best of the group is subtracted", lambda s, x: x.max(axis=-2, keepdims=True)),
    "mean-over-steps": ("the mean over all steps of the group is subtracted", lambda s, x: _of_steps(s, x, "mean")),
    "own-mean-reward": ("the mean reward of the row itself is subtracted", lambda s, x: s.whole / s.length)}
SCALED = {RIGHT: ("", lambda s, x: 1.0)} | {
    f"{name}-{eps:g}": (f"it is divided by the {words} plus {eps:g}", lambda s, x, f=f, eps=eps: f(s, x) + eps)
    for name, words, f in (("over-std", "standard deviation of the group", lambda s, x: _spread(x, 0)),
                           ("over-sample-std", "sample standard deviation of the group", lambda s, x: _spread(x, 1)),
                           ("over-std-of-steps", "standard deviation over all steps of the group", lambda s, x: _of_steps(s, x, "std")))
    for eps in EPSILONS}
SHAPED = {
    RIGHT: ("", lambda x: x), "positive-only": ("negative advantages count 0", lambda x: np.maximum(x, 0)),
    "negative-only": ("positive advantages count 0", lambda x: np.minimum(x, 0)),
    "sign-only": ("only the sign of the advantage counts", np.sign),
    "clipped": ("advantages are clipped to [-1, 1]", lambda x: np.clip(x, -1, 1)),
    "exponential": ("the exponential of the advantage stands for it", np.exp), "magnitude": ("the sign of the advantage is lost", np.abs),
    "squared": ("the advantage is squared", lambda x: x * np.abs(x))}
KEPT = {RIGHT: ("", lambda s: 1.0), "first-best-only": ("only the best of the group, the first of several, is reinforced", _first_best),
        "best-only": ("only the best of the group is trained on",
                                                 lambda s: s.whole == s.whole.max(axis=-2, keepdims=True)),
        "worst-dropped": ("the worst of the group is left out", lambda s: s.whole != s.whole.min(axis=-2, keepdims=True))}
DIFFERENTIATED = {      # what a loss holds in place of log pi, which multiplies its derivative
    RIGHT: ("", lambda s: 1.0), "probability": ("the probability stands for the log-probability: grad pi for grad log pi", lambda s: s.p),
    "over-pi": ("it is divided by the probability: a ratio to something constant", lambda s: 1 / s.p),
    "log-probability": ("it is multiplied by the log-probability", lambda s: np.log(s.p)),
    "one-minus-p": ("it is multiplied by 1 - pi", lambda s: 1 - s.p)}
GROUPED = {"differentiated": DIFFERENTIATED, "valued": VALUED, "centred": CENTRED, "scaled": SCALED, "shaped": SHAPED, "kept": KEPT,
           "placed": PLACED | {
    "over-the-group": ("it is averaged over all steps of the group", lambda s: s.r.shape[-2] / s.length.sum(axis=-2, keepdims=True)),
    "over-the-longest": ("it is divided by the longest row of the group", lambda s: 1 / s.length.max(axis=-2, keepdims=True))}}


def _grouped(s, p):
    x = p["valued"](s)
    return p["shaped"]((x - p["centred"](s, x)) / p["scaled"](s, x)) * p["kept"](s) * p["placed"](s) * p["differentiated"](s)


@lru_cache(maxsize=2)
def group_bugs() -> tuple[Mutant, ...]:
    """Weights of groups, one part of the leave-one-out advantage exchanged, then two."""
    other = {"valued": {RIGHT: ("", lambda s: s.d * s.G)}}        # reward-to-go is as good a value as the whole return
    return tuple(Mutant(name, words, weights=partial(_grouped, p=values), look=look, batch_size=2, seam="weights")
                 for parts in (GROUPED, GROUPED | other) for name, words, look, values in chosen(parts))
