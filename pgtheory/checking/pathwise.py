"""The pathwise tier: the same trajectories through the user's function and through the declared estimator.

Where a trajectory's scores are linearly independent, the weights that they were given can be read off the estimate, and the
first wrong time index is known.
"""

from __future__ import annotations

import numpy as np

from ..checks.record import FAIL, PASS
from .calling import estimates_of, in_words
from .fixtures import blind_spots
from .result import DOUBLE, SINGLE, Result

READ = 200              # wrong trajectories at most whose weights are read off, the shortest first
INDEPENDENT = 1e-3      # least singular value, relative, at which scores count as independent


def compare_paths(fn, fixtures, target, tolerance, single_tolerance) -> Result:
    """PASS where every estimate agrees with the declared estimator's, relative to the largest one; else FAIL."""
    found = [_compare(fn, fixture, target) for fixture in fixtures]
    single = all(one["single"] for one in found)
    allowed = max(tolerance, single_tolerance) if single else tolerance
    worst = max(found, key=lambda one: one["relative"].max())
    blind = blind_spots(fixtures)
    if worst["relative"].max() <= allowed:
        n = int(np.argmax(worst["relative"]))
        return Result(PASS, target.words, "pathwise", worst["bias"][n], float(worst["relative"][n]), blind=blind,
                      precision=DOUBLE if worst["relative"].max() <= tolerance and not single else SINGLE)
    first = next(one for one in found if one["relative"].max() > allowed)
    n, where = _first_wrong(first, allowed)
    return Result(FAIL, target.words, "pathwise", first["bias"][n], float(first["relative"][n]), first["right"][n],
                  first["ours"][n], blind=blind, where=where)


def _compare(fn, fixture, target) -> dict:
    batch = fixture.batch
    ours, single = estimates_of(fn, batch, fixture)
    right = np.asarray(target.estimator(fixture)(batch, fixture.policy, fixture.theta, fixture.gamma), dtype=float)
    bias = ours - right
    unit = np.abs(right).max(initial=0.0) or 1.0
    return {"fixture": fixture, "ours": ours, "right": right, "bias": bias, "single": single,
            "relative": np.abs(bias).reshape(len(bias), -1).max(axis=1) / unit}


def _first_wrong(one, allowed):
    """(trajectory, words): the shortest wrong trajectory whose weights can be read off, and its first wrong step."""
    batch, fixture = one["fixture"].batch, one["fixture"]
    wrong = np.flatnonzero(one["relative"] > allowed)
    wrong = wrong[np.argsort(batch.valid[wrong].sum(axis=1), kind="stable")]
    score = np.asarray(fixture.policy.score(fixture.theta), dtype=float)
    for n in wrong[:READ]:
        tau = batch[n]
        scores = score[tau.states[:-1], tau.actions].reshape(len(tau), -1).T
        ours, right = (_weights(scores, one[name][n].ravel()) for name in ("ours", "right"))
        if ours is None or right is None:
            continue
        off = np.abs(ours - right) > max(allowed, 1e-9) * np.abs(right).max(initial=1.0)
        if off.any():
            t = int(np.argmax(off))
            return int(n), (f"first wrong at t = {t} of {in_words(tau)}: the score counts {ours[t]:.6g} and should count "
                            f"{right[t]:.6g}")
    return int(wrong[0]), f"wrong on {in_words(batch[wrong[0]])}"


def _weights(scores, estimate):
    """(L,) the weights of the scores (size, L) in an estimate; None where they are not determined, or no weights do it."""
    if scores.shape[1] > scores.shape[0]:
        return None
    weights, _, _, singular = np.linalg.lstsq(scores, estimate, rcond=None)
    if not len(singular) or singular[-1] < INDEPENDENT * singular[0]:
        return None
    left = np.abs(scores @ weights - estimate).max(initial=0.0)
    return weights if left <= 1e-6 * np.abs(estimate).max(initial=1e-12) else None
