"""Statistics of a batch that are pooled: over every step of it, over the padding too, or at each time.

Each estimator is put together of what is pooled, over which steps, and of what is done with the mean and the standard
deviation. The row's own numbers are in them, which is the mistake.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .mutant import Mutant, Steps

EPSILONS = (1e-8, float(np.finfo(np.float32).eps), 1e-6, 1e-5)
STEPS, ROWS = (-2, -1), (-2,)
POOLED = {      # id: (words, what, weight in front)
    "to-go": ("returns-to-go", lambda s: s.G, lambda s: s.d),
    "whole": ("returns of the whole episodes", lambda s: s.whole, lambda s: 1.0)}
OVER = {        # id: (words, steps that count, axes)
    "steps": ("all steps of the batch", lambda s: s.valid, STEPS),
    "record": ("all steps of the batch, padding included", lambda s: np.ones_like(s.valid), STEPS),
    "time": ("the batch at the same step, padding included", lambda s: np.ones_like(s.valid), ROWS),
    "valid-time": ("those rows of the batch that have this step", lambda s: s.valid, ROWS)}
LOOK = "the statistics of the batch: each row's own return is in them; leave the row out"


def _moments(s: Steps, x, counted, axes):
    """(mean, sum of squares around it, count) over the steps that count."""
    count = np.maximum(counted.sum(axis=axes, keepdims=True), 1)
    mean = np.where(counted, x, 0.0).sum(axis=axes, keepdims=True) / count
    return mean, np.where(counted, (x - mean) ** 2, 0.0).sum(axis=axes, keepdims=True), count


def _pooled(s, what, over, centre, ddof, eps):
    _, value, lead = POOLED[what]
    _, counted, axes = OVER[over]
    x = np.where(s.valid, value(s), 0.0)
    mean, squares, count = _moments(s, x, counted(s), axes)
    scale = 1.0 if eps is None else np.sqrt(squares / np.maximum(count - ddof, 1)) + eps
    return lead(s) * (x - centre * mean) / scale


def _mutant(what, over, centre, ddof, eps):
    done = " and ".join(filter(None, ("the mean is subtracted" if centre else "", "" if eps is None else
                                      f"it is divided by the {'sample ' if ddof else ''}standard deviation plus {eps:.3g}")))
    name = "-".join(filter(None, ("pooled", what, over, "mean" if centre else "", "" if eps is None else
                                  f"{'sample-' if ddof else ''}std-{eps:.3g}")))
    return Mutant(name, f"{POOLED[what][0]} pooled over {OVER[over][0]}: {done}", lambda s: _pooled(s, what, over, centre, ddof, eps),
                  look=LOOK, batch_size=2, known=False)


@lru_cache(maxsize=1)
def pooled_bugs() -> tuple[Mutant, ...]:
    """All of them, those without a standard deviation first.

    >>> pooled_bugs()[0].words
    'returns-to-go pooled over all steps of the batch: the mean is subtracted'
    """
    places = [(what, over) for what in POOLED for over in OVER]
    return tuple(_mutant(*place, True, 0, None) for place in places) + tuple(
        _mutant(*place, centre, ddof, eps) for place in places for centre in (True, False) for ddof in (0, 1) for eps in EPSILONS)
