"""Deviations that are no other recursion but another number: gamma, lambda, n, a factor, a mean and a standard deviation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .likeness import factor_words
from .references import reference
from .result import Finding

FITS = 1e-6         # residual, relative to the deviation, below which a number explains it
NONSENSE = 1e-9     # factors nearer to 0 are none


def other_numbers(comparison, compared) -> tuple[Finding, ...]:
    """Another gamma, lambda or n than was declared, where one of them explains everything."""
    from scipy.optimize import minimize_scalar

    deviation = np.sqrt(sum(float((c.bias**2).sum()) for c in compared))
    if not np.isfinite(deviation) or deviation == 0:
        return ()

    def off(**numbers):
        s = replace(comparison.setting, **numbers)
        gaps = ((c.found - np.where(c.record.valid, comparison.picked(reference(c.record, s)), 0.0)) for c in compared)
        return float(np.sqrt(sum((gap**2).sum() for gap in gaps))) / deviation
    found = []
    for name, words, at in (("gamma", "gamma", lambda x: off(gamma=x)), ("lam", "lambda", lambda x: off(lam=x))):
        inner = minimize_scalar(at, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-12})
        x = min((float(inner.x), 0.0, 1.0), key=at)
        found.append((at(x), f"{words} is {x:.6g}, not {getattr(comparison.setting, name):g}", f"other-{name}"))
    if comparison.setting.family == "n-step":
        found += [(off(n=n), f"n is {n}, not {comparison.setting.n}", "other-n") for n in range(1, 10)]
    return tuple(Finding(bug, words, residual, look="is this number written into the code, or not passed on?")
                 for residual, words, bug in sorted(found) if residual <= FITS)


def of_the_right(setting, compared) -> tuple[Finding, ...]:
    """A multiple of what is right; or, record by record, a multiple plus a constant."""
    x, y = (np.concatenate([getattr(c, name)[:, c.record.valid].ravel() for c in compared]) for name in ("expected", "found"))
    deviation = float(np.linalg.norm(y - x))
    factor = float(x @ y / (x @ x)) if np.isfinite(deviation) and x @ x > 0 else 0.0
    if abs(factor) <= NONSENSE or len(compared[0].expected) > 1:
        return ()
    left = float(np.linalg.norm(y - factor * x)) / deviation
    if left <= FITS:
        return (Finding("factor", factor_words(factor, setting.gamma, setting.trace), left, look="a constant factor"),)
    lines = [_line(c) for c in compared]
    left = float(np.sqrt(sum(gap for *_, gap in lines))) / deviation
    if left > FITS:
        return ()
    a, b, _ = lines[0]
    return (Finding("normalised", f"what is right, less {-b / a:.4g} and over {1 / a:.4g} (on the first record; other numbers on "
                    "others): normalised, with statistics of its own", left,
                    look="the normalisation: does it count steps that are none? Give what there is before it"),)


def _line(c):
    """(a, b, squared residual) of found = a expected + b on a record."""
    x, y = (getattr(c, name)[:, c.record.valid].ravel() for name in ("expected", "found"))
    (a, b), *_ = np.linalg.lstsq(np.stack([x, np.ones_like(x)], axis=1), y, rcond=None)
    return float(a), float(b), float(((y - a * x - b) ** 2).sum())
