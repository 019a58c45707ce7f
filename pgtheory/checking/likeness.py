"""Which known bug does a deviation look like? By distance, for checks whose bugs can be run on the same input."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .result import Finding

NOTHING = 1e-9      # size, relative to what is right, below which a function returns 0: that is no multiple of any bug
ALIKE = 1e-6        # distance from a bug, relative to the deviation (or, if larger, to what single precision leaves of it)


def nearest(found, expected, candidates: Iterable, multiples=True) -> tuple[tuple[Finding, ...], float]:
    """(findings, next best): the bugs that do what was found, all of them ties, and the residual of the best other one.

    found, expected : arrays; candidates : (bug, array) pairs, bug having ``bug``, ``words``, ``links`` and ``look``
    Bugs that make no difference here are left out. Where none fits as it stands, multiples of those are tried that are no
    multiple of the truth; not at all with ``multiples=False``.
    """
    deviation = _norm(found - expected)
    if not np.isfinite(deviation) or deviation == 0:
        return (), float("inf")
    alike = ALIKE * max(1.0, _norm(found) / deviation)
    showing = [(bug, wrong) for bug, wrong in candidates if differs(wrong, expected)]
    plain = _ranked([(_norm(found - wrong) / deviation, 1.0, bug) for bug, wrong in showing])
    if multiples and _norm(found) > NOTHING * _norm(expected) and not any(residual <= alike for residual, _, _ in plain):
        turned = [(bug, wrong) for bug, wrong in showing if differs(_multiple(wrong, expected) * expected, wrong)]
        scaled = _ranked([(_norm(found - _multiple(found, wrong) * wrong) / deviation, _multiple(found, wrong), bug)
                          for bug, wrong in turned])
        if any(residual <= alike for residual, _, _ in scaled):
            plain = scaled
    findings = tuple(Finding(bug.bug, bug.words, residual, scale, bug.links, bug.look) for residual, scale, bug in plain
                     if residual <= alike)
    return findings, min((residual for residual, _, _ in plain if residual > alike), default=float("inf"))


def _ranked(fits):
    """The best first, one of each id."""
    best = {bug.bug: (residual, scale, bug) for residual, scale, bug in sorted(fits, key=lambda fit: -fit[0])}
    return sorted(best.values(), key=lambda fit: fit[0])


def _multiple(found, wrong) -> float:
    """The multiple of ``wrong`` nearest to ``found``."""
    size = float((wrong * wrong).sum())
    return float((found * wrong).sum()) / size if size > 0 else 0.0


def differs(wrong, expected) -> bool:
    """A bug shows here: it is further from the truth than rounding.

    >>> differs(np.array([1.0 + 1e-15]), np.array([1.0])), differs(np.array([1.1]), np.array([1.0]))
    (False, True)
    """
    gap = _norm(wrong - expected)
    return bool(np.isfinite(gap) and gap > 1e-9 * max(_norm(expected), np.finfo(float).tiny))


def _norm(x) -> float:
    return float(np.linalg.norm(np.ravel(x)))
