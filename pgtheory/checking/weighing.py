"""Calling a function of weights on groups of trajectories: in one call, where groups do not change each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import EstimatorError
from .asking import close
from .calling import in_words
from .grouping import GroupBatch, Groups

PROBED = 8              # groups that are asked for alone, beside the shortest and the longest


@dataclass(frozen=True, eq=False)
class Answer:
    """weights : (G, k, T), as for a group by itself, empty where no such call is made; called : how they were asked for, "" where
    nothing depends on it; coupled : bool, the groups of a call change each other, so that only one problem is gone through;
    rescaled : bool, their number changes the size of the weights, otherwise than a mean over rows does"""

    weights: np.ndarray
    called: str = ""
    coupled: bool = False
    rescaled: bool = False


def nature(fn, groups: Groups) -> tuple[bool, bool]:
    """(order does not matter within a group, groups of one call change each other), as far as some groups tell."""
    chosen = np.unique(np.linspace(0, len(groups.rows) - 1, PROBED).astype(int))
    together = weights_of(fn, groups, chosen)
    alone = _each_alone(fn, groups, chosen)
    if alone is None:
        return False, True
    coupled = not close(alone, together) and _share(alone, together) is None
    return groups.size > 1 and _takes_any_order(fn, groups), coupled


def _each_alone(fn, groups, chosen):
    """The weights of some groups, one call each; None where the function takes several groups only."""
    try:
        with np.errstate(all="ignore"):
            return np.stack([weights_of(fn, groups, [g])[0] for g in chosen])
    except EstimatorError:
        return None


def _takes_any_order(fn, groups) -> bool:
    """Members of a group turned around get the weights they had."""
    rng = np.random.default_rng(0)
    for g in rng.integers(len(groups.rows), size=2 * PROBED):
        order = rng.permutation(groups.size) if g % 2 else np.roll(np.arange(groups.size), 1)
        turned = Groups(groups.fixture, groups.rows[[g]][:, order], groups.probability[[g]])
        if not close(weights_of(fn, groups, [g])[0][order], weights_of(fn, turned, slice(None))[0]):
            return False
    return True


def ask(fn, groups: Groups) -> Answer:
    """The weights of all groups, in one call where groups do not change each other."""
    together = weights_of(fn, groups, slice(None))
    chosen = _probes(groups, together)
    alone, again = _each_alone(fn, groups, chosen), _each_alone(fn, groups, chosen)
    if alone is None or again is None:
        return Answer(np.zeros(0), "with several groups: it takes no group by itself", coupled=True)
    if not close(alone, again):
        raise EstimatorError(_two_answers(fn, groups, chosen, again))
    if close(alone, together[chosen]):
        return Answer(together)
    share = _share(alone, together[chosen])
    if share is None and groups.size == 1:
        return Answer(np.zeros(0), "with several rows: the rows of one call change each other", coupled=True)
    if share is None:
        weights = np.concatenate([weights_of(fn, groups, [g]) for g in range(len(groups.rows))])
        return Answer(weights, "group by group and in crowds: the groups of one call change each other", coupled=True)
    if abs(share / len(groups.rows) - 1) < 1e-5:
        return Answer(together * groups.rows.size, "its weights are divided by the number of rows of a call: it takes the mean itself")
    return Answer(together * share, f"on all groups, whose number changes the weights by {share:.6g}: given as for one group",
                  rescaled=True)


def _probes(groups, weights):
    """Some groups whose weights are not 0, the one with the fewest and the one with the most steps among them."""
    steps = groups.fixture.batch.valid[groups.rows].sum(axis=(1, 2))
    telling = np.flatnonzero(np.any(weights != 0, axis=(1, 2)))
    telling = telling if len(telling) else np.arange(len(steps))
    some = np.random.default_rng(0).choice(telling, size=PROBED)
    return np.unique([*some, telling[np.argmin(steps[telling])], telling[np.argmax(steps[telling])]])


def _two_answers(fn, groups, chosen, again) -> str:
    once_more = np.stack([weights_of(fn, groups, [g])[0] for g in chosen])
    cause = ("keeps state between calls (a running mean, a counter, a cache): start afresh in every call"
             if close(again, once_more) else "draws random numbers without a seed of its own: seed it in every call")
    return f"your function gives two answers to one question: it {cause}"


def _share(alone, together):
    """The one factor between the answers for groups alone and in a crowd, as a mean over all rows makes it; else None."""
    size = float((together**2).sum())
    factor = float((alone * together).sum()) / size if size > 0 else 0.0
    return factor if factor > 0 and close(alone, factor * together) else None


def weights_of(fn, groups, chosen):
    """The weights of some groups of one call, (g, k, T) in float64, 0 where there is no step."""
    batch = groups.batch(chosen)
    answer = _as_weights(call(fn, batch), batch)
    changed = batch.changed()
    if changed:
        raise EstimatorError(f"your function changed batch.{changed}: work on a copy")
    bad = batch.valid & ~np.isfinite(answer)
    if bad.any():
        n, t = (int(i) for i in np.argwhere(bad)[0])
        members = " and ".join(in_words(batch[m]) for m in np.flatnonzero(batch.group == batch.group[n]))
        raise EstimatorError(f"your function returned {answer[n, t]} at step {t}; on {members}")
    return np.where(batch.valid, answer, 0.0).reshape(-1, groups.size, answer.shape[1])


def call(fn, batch: GroupBatch):
    """What the function returns; what it raises, with the rows it was given."""
    try:
        return fn(batch)
    except EstimatorError:
        raise
    except Exception as error:
        raise EstimatorError(f"your function raised {type(error).__name__}: {' '.join(str(error).split())}; on "
                             f"{len(batch)} rows in {int(batch.group[-1]) + 1} groups, the first is {in_words(batch[0])}") from error


def _as_weights(answer, batch):
    shape = batch.rewards.shape
    if answer is None:
        raise EstimatorError(f"your function returned None: return the weights, {shape} (is the return statement missing?)")
    for method in ("detach", "cpu"):        # a PyTorch tensor that still has a gradient or lives elsewhere
        answer = getattr(answer, method)() if hasattr(answer, method) else answer
    try:
        array = np.asarray(answer).astype(float)
    except (TypeError, ValueError):
        raise EstimatorError("what your function returned is no array of numbers") from None
    if array.shape != shape:
        hint = {(shape[0],): "; one weight a row? multiply it with batch.valid: w[:, None] * batch.valid",
                (shape[0], 1): "; one weight a row? multiply it with batch.valid",
                shape[::-1]: "; it looks transposed", (shape[0], shape[0]): "; (N,) against (N, 1) broadcasts to (N, N)"}
        raise EstimatorError(f"the weights have shape {array.shape}: they must be {shape}{hint.get(array.shape, '')}")
    return array
