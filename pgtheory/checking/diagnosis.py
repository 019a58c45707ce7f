"""Which known bug is it? The exact bias of every bug of the zoo, on the same problems, beside the function's own.

A finding is named only where its bias is the function's to within 1e-6. First the bugs as they stand, then together with a
forgotten gamma^t, then up to a factor of the bias, then up to a factor of the whole estimate: the first of these that fits is
reported, with everything that fits equally well, because these settings cannot tell them apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..errors import PGTheoryError
from .result import Finding
from .zoo.gradients import GRADIENTS
from .zoo.mutant import LAM, Mutant

NAMED = 1e-6            # relative distance below which a bug is named
NO_TRACE = 1e-9         # relative bias below which a bug cannot be seen
NO_GAMMA_T = "no-gamma-t"


@dataclass(frozen=True, eq=False)
class Fit:
    """A bug beside the function: how far their biases are apart, at the best multiple."""

    mutant: Mutant
    residual: float
    scale: float = 1.0
    undiscounted: bool = False

    def finding(self) -> Finding:
        m = self.mutant
        if self.undiscounted:
            return Finding(f"{m.bug} + {NO_GAMMA_T}", f"{m.words}; and the weight gamma^t is left out", self.residual,
                           self.scale, m.links, m.look)
        return Finding(m.bug, m.words, self.residual, self.scale, m.links, m.look)


def diagnose(compared, target, k):
    """(findings, residual of the best that does not fit), for the comparisons of all fixtures."""
    found, expected = (np.concatenate([np.ravel(x) for x in xs]) for xs in zip(*((c.found, c.expected) for c in compared),
                                                                              strict=True))
    bias = found - expected
    limit = _limit(compared, bias)
    means = _means([c.fixture for c in compared], target, k, target.discounted)
    plain = [Fit(m, _distance(bias, mean - expected)) for m, mean in means]
    factor = _factor(found, expected)
    scaled = _distance(found, factor * expected, bias) <= limit
    tiers = [lambda: plain]
    if target.discounted:
        tiers.append(lambda: [Fit(m, _distance(bias, mean - expected), undiscounted=True) for m, mean in
                              _means([c.fixture for c in compared], target, k, False) if m.bug != NO_GAMMA_T])
    if not scaled:
        turning = [(m, mean) for m, mean in means if _distance(mean, _factor(mean, expected) * expected) > NAMED]
        tiers += [lambda: [_free(m, bias, mean - expected, bias) for m, mean in turning],
                  lambda: [_free(m, found, mean, bias) for m, mean in turning]]
    for tier in tiers:
        fits = sorted(tier(), key=lambda fit: fit.residual)
        named = tuple(fit.finding() for fit in fits if fit.residual <= limit)
        if named:
            return named, min((fit.residual for fit in fits if fit.residual > limit), default=float("inf"))
    if scaled:
        return (_multiple(factor, float(_distance(found, factor * expected, bias))),), _best(plain)
    return (), _best(plain)


def _best(fits) -> float:
    return min((fit.residual for fit in fits), default=float("inf"))


def _multiple(factor, residual) -> Finding:
    return Finding("factor", f"it is {factor:.6g} times the target", residual, 1.0, (),
                   "a constant factor; declare 'up to scale' if it is meant")


def _limit(compared, bias) -> float:
    """1e-6, and what single precision leaves where the answers are in it."""
    noise = max((1e-6 * c.answers.size for c in compared if c.answers.single), default=0.0)
    return max(NAMED, noise / float(np.linalg.norm(bias)))


def _distance(a, b, unit=None) -> float:
    size = float(np.linalg.norm(a if unit is None else unit))
    return float(np.linalg.norm(a - b)) / size if size > 0 else float("inf")


def _factor(a, b) -> float:
    """The multiple of b nearest to a."""
    size = float(b @ b)
    return float(a @ b) / size if size > 0 else 0.0


def _free(mutant, ours, theirs, bias) -> Fit:
    scale = _factor(ours, theirs)
    return Fit(mutant, _distance(ours, scale * theirs, bias) if scale > 0 else float("inf"), scale)


def _means(fixtures, target, k, discounted):
    """[(bug, its means over all fixtures)] of the bugs that exist here and leave a trace."""
    out = []
    expected = [np.asarray(target.value(f), dtype=float) for f in fixtures]
    for mutant in GRADIENTS:
        if mutant.batch_size > 1 and k == 1:
            continue
        means = _mean_everywhere(mutant, fixtures, target, k, discounted)
        if means is not None and _leaves_trace(means, expected, target):
            out.append((mutant, np.concatenate([np.ravel(m if not target.up_to_scale else m / _size(m, g))
                                                for m, g in zip(means, expected, strict=True)])))
    return out


def _size(mean, expected):
    """The factor between a bug and the target, where the target leaves it free: what is compared then is the direction."""
    factor = _factor(mean.ravel(), expected.ravel())
    return factor if factor > 0 else 1.0


def _leaves_trace(means, expected, target) -> bool:
    off = [np.linalg.norm(m - (_size(m, g) if target.up_to_scale else 1.0) * g) / (np.linalg.norm(g) or 1.0)
           for m, g in zip(means, expected, strict=True)]
    return max(off) > NO_TRACE


def _mean_everywhere(mutant, fixtures, target, k, discounted):
    lam = LAM if target.parameter is None else target.parameter
    try:
        with np.errstate(all="ignore"):
            means = [_mean(mutant, fixture, k, discounted, float(lam)) for fixture in fixtures]
    except (PGTheoryError, ValueError, IndexError, ZeroDivisionError):
        return None         # this bug does not exist on such a problem
    return means if all(np.isfinite(m).all() for m in means) else None


@lru_cache(maxsize=2048)
def _mean(mutant, fixture, k, discounted, lam):
    return mutant.mean(fixture, k, discounted, lam)


def unseen(fixtures, target, k) -> tuple[str, ...]:
    """The bugs against this target that leave no trace on these problems, in words; none on the built-in ones."""
    if all(fixture.generic for fixture in fixtures):
        return ()
    expected = [np.asarray(target.value(f), dtype=float) for f in fixtures]
    hidden = []
    for mutant in GRADIENTS:
        if (mutant.batch_size > 1 and k == 1) or _base(mutant.target) != _base(target.name):
            continue
        means = _mean_everywhere(mutant, fixtures, target, k, target.discounted)
        if means is not None and not _leaves_trace(means, expected, target):
            hidden.append(mutant.bug)
    return (f"bugs that leave no trace on this problem: {', '.join(hidden)}",) if hidden else ()


def _base(name) -> str:
    return name.partition("(")[0].replace("without gamma^t", "").replace("up to scale", "").strip() or "gradient"
