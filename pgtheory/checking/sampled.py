"""The sequential tier: sampled trajectories, an e-process, and both error probabilities guaranteed under optional stopping.

The guarantee needs a box that holds every estimate: declared, or found by enumeration where the function is deterministic.
Without one the intervals are those of a confidence sequence by the central limit theorem, and the result says ASYMPTOTIC.

Source of the latter: Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas 2024, *Time-uniform central limit theory and asymptotic
confidence sequences*, Annals of Statistics 52.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..arithmetic import EPS
from ..checks.record import FAIL, INCONCLUSIVE, PASS
from ..checks.sequential import fixed_sample, sequential_sample, sequential_test
from ..errors import PGTheoryError
from ..trajectories.batch import sample
from ..trajectories.enumeration import LIMIT, count_trajectories
from . import tuples
from .blackbox import ENOUGH, BlackBox, with_target
from .calling import LIMIT as GROUPS
from .calling import UnsteadyError, ask_all, estimates_of, group_answer, is_symmetric, probe
from .fixtures import blind_spots
from .result import Result

TOLERANCE = 0.05        # of the largest entry of the target
BURN_IN = 2000          # draws before the central limit theorem is taken at its word
SLACK = 1e-9            # of the width of a box found by enumeration
ASYMPTOTIC = "sequential, ASYMPTOTIC"


def check_by_sampling(fn, fixtures, target, k, alpha, beta, tolerance, rng, bounds, budget) -> Result:
    """FAIL with a false-alarm probability of at most alpha over all fixtures, PASS with a false-pass probability of beta."""
    if target.up_to_scale:
        raise PGTheoryError("a target up to scale has no sequential test: its scale would have to be estimated first; use "
                            "method='exact', or declare the scale")
    rng = np.random.default_rng(rng)
    results = []
    for fixture in fixtures:
        results.append(_one(fn, fixture, target, k, alpha / len(fixtures), beta,
                            TOLERANCE if tolerance is None else tolerance, rng, bounds, budget))
        if results[-1].verdict == FAIL:
            break
    return _worst(results)


def check_black_box(fn, fixtures, target, horizon, alpha, beta, tolerance, rng, bounds, budget) -> Result:
    """The same for a function that samples by itself; what it draws is all that is known of it."""
    if target.up_to_scale:
        raise PGTheoryError("a target up to scale has no sequential test: declare the scale")
    rng = np.random.default_rng(rng)
    allowed, results = TOLERANCE if tolerance is None else tolerance, []
    for fixture in fixtures:
        box = None if bounds is None else tuple(np.broadcast_to(np.asarray(x, dtype=float), fixture.theta.shape) for x in bounds)
        asked = BlackBox(fn, fixture, horizon, rng)
        result = _judged(asked.draw, fixture, with_target(fixture, target, horizon), box, alpha / len(fixtures), beta, allowed, rng,
                         budget, ENOUGH)
        blind = tuple(words for words in result.blind if "target=" not in words)     # those targets are no choice here
        results.append(replace(result, details={**result.details, **asked.notes}, blind=blind))
        if result.verdict == FAIL:
            break
    return _worst(results)


def _worst(results):
    return max(results, key=lambda r: ((PASS, INCONCLUSIVE, FAIL).index(r.verdict), r.relative_bias))


def _one(fn, fixture, target, k, alpha, beta, tolerance, rng, bounds, budget) -> Result:
    paired = _paired(fixture, target, k, bounds)
    return _judged(_drawing(fn, fixture, k, paired), fixture, target, _box(fn, fixture, k, bounds, paired), alpha, beta, tolerance,
                   rng, budget)


def _judged(draw, fixture, target, box, alpha, beta, tolerance, rng, budget, look=None) -> Result:
    """The verdict from draws; without a box by confidence sequences that are asymptotic."""
    expected = np.asarray(target.value(fixture), dtype=float)
    allowed = tolerance * float(np.abs(expected).max())
    details: dict[str, Any] = {}
    if box is None:
        verdict, n, mean, deviation, words = _asymptotic(draw, expected.ravel(), allowed, alpha, beta, budget, rng, look)
    else:
        low, high = (np.ravel(x) for x in box)
        found = sequential_test(draw, expected.ravel(), low, high, allowed, alpha, beta, budget, rng, batch=look)
        verdict, n, mean, words = found.verdict, found.n, found.estimate, found.reason
        deviation = found.standard_error * np.sqrt(max(n, 1))
        details = {"p-value": float(f"{np.exp(-max(found.log_e_fail, 0.0)):.3g}")}
    bias = mean.reshape(expected.shape) - expected
    size = float(np.linalg.norm(expected)) or 1.0
    details = {"decided": words, "draws": n, "planned": _planned(deviation, box, expected, allowed, alpha, beta), **details,
               "errors": f"false FAIL <= {alpha:.1g}, false PASS <= {beta:.1g}"}
    return Result(verdict, target.words, "sequential" if box is not None else ASYMPTOTIC, bias,
                  float(np.linalg.norm(bias)) / size, expected, mean.reshape(expected.shape), blind=_blind(fixture, allowed),
                  where=fixture.name, details={name: value for name, value in details.items() if value != ""})


def _planned(deviation, box, expected, allowed, alpha, beta) -> str:
    """What the same errors would have cost, by a sample of fixed size and by the rule for this test."""
    if allowed == 0 or not np.any(deviation > 0):
        return ""
    fixed = fixed_sample(deviation, allowed, alpha, beta)
    words = f"a sample of fixed size would take {fixed} draws (normal approximation) for a bias of {allowed:.2g}"
    if box is None:
        return words
    low, high = (np.ravel(x) for x in box)
    loss = np.maximum(high - expected.ravel(), expected.ravel() - low)
    return f"{words}; at most {sequential_sample(deviation, loss, allowed, beta)} on average until this test passes"


def _blind(fixture, allowed):
    few = fixture.horizon is not None and count_trajectories(fixture.mdp, fixture.behaviour, fixture.steps) <= LIMIT
    spots = blind_spots([fixture]) if few else ()
    return (*spots, f"a bias of less than {allowed:.2g} in every coordinate")


def _paired(fixture, target, k, bounds):
    """batch -> (N,) + theta's shape of mean 0: an estimator with the target's mean on these trajectories, minus that mean.

    Subtracted, it leaves a smaller range, and so a test that decides sooner. Nothing where the box was declared without it.
    """
    if k > 1 or bounds is not None or target.reference is None:
        return lambda batch: 0.0
    estimator, mean = target.reference(fixture), np.asarray(target.value(fixture), dtype=float)
    return lambda batch: np.asarray(estimator(batch, fixture.policy, fixture.theta, fixture.gamma), dtype=float) - mean


def _drawing(fn, fixture, k, paired):
    """(n, rng) -> (n, size) estimates on fresh trajectories."""
    def rows(n, rng):
        batch = sample(fixture.mdp, fixture.behaviour, n, fixture.horizon, fixture.time_limit, rng)
        return batch.with_critic(fixture.critic)

    def draw(n, rng):
        if k == 1:
            batch = rows(n, rng)
            return (estimates_of(fn, batch, fixture)[0] - paired(batch)).reshape(n, -1)
        batch = rows(n * k, rng)
        return np.stack([group_answer(fn, batch.take(range(i, i + k)), fixture, k)[0].ravel() for i in range(0, n * k, k)])
    return draw


def _box(fn, fixture, k, bounds, paired):
    """(low, high), theta's shape, that hold every estimate; None where nothing is known."""
    if bounds is not None:
        low, high = (np.broadcast_to(np.asarray(x, dtype=float), fixture.theta.shape) for x in bounds)
        return low, high
    count = count_trajectories(fixture.mdp, fixture.behaviour, fixture.steps)
    if count > LIMIT or (k > 1 and tuples.count(count, k, unordered=True) > GROUPS):
        return None
    try:
        probe(fn, fixture, k)
    except UnsteadyError:
        return None
    if k > 1 and tuples.count(count, k, is_symmetric(fn, fixture, k)) > GROUPS:
        return None
    estimates = ask_all(fn, fixture, k).estimates - paired(fixture.batch)
    low, high = estimates.min(axis=0), estimates.max(axis=0)
    slack = SLACK * (high - low) + 64 * EPS * max(1.0, float(np.abs(estimates).max(initial=0.0)))
    return low - slack, high + slack


def _asymptotic(draw, target, allowed, alpha, beta, budget, rng, look=None):
    """(verdict, draws, mean, deviation, words) by asymptotic confidence sequences, Bonferroni over coordinates."""
    n, total, squares, step = 0, np.zeros_like(target), np.zeros_like(target), BURN_IN
    off, deviation = total, squares
    while n < budget:
        X = draw(min(step, budget - n), rng)
        n, total, squares = n + len(X), total + (X - target).sum(axis=0), squares + ((X - target) ** 2).sum(axis=0)
        off = total / n
        deviation = np.sqrt(np.maximum(squares / n - off**2, 0.0))
        step = min(2 * step, look or 32768)
        if (np.abs(off) > _margin(n, deviation, alpha / len(target)) + EPS * n).any():
            return FAIL, n, target + off, deviation, f"outside an asymptotic confidence sequence after {n} draws"
        if (np.abs(off) + _margin(n, deviation, beta) < allowed).all():
            return (PASS, n, target + off, deviation,
                    f"inside the tolerance, by an asymptotic confidence sequence, after {n} draws")
    return INCONCLUSIVE, n, target + off, deviation, f"{n} draws do not decide"


def _margin(n, deviation, alpha):
    """Half width at level alpha, tightest near 10^4 draws."""
    rho2 = 2 * np.log(1 / alpha) / 1e4
    return deviation * np.sqrt(2 * (n * rho2 + 1) / (n**2 * rho2) * np.log(np.sqrt(n * rho2 + 1) / alpha))
