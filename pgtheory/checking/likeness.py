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


def factor_words(factor, gamma=1.0, lam=1.0) -> str:
    """A constant factor in words, by what it is made of where that is plain.

    >>> factor_words(0.64, 0.8)
    'it is 0.64 times the target, which is gamma^2: a power of gamma too many (gamma^(t+2) for gamma^t)'
    >>> factor_words(0.5, 0.8)
    'it is 0.5 times the target'
    """
    words = f"it is {factor:.6g} times the target"
    for k in (1, -1, 2, -2, 3, -3):
        if 0 < gamma < 1 and _equal(factor, gamma**k):
            off = f"gamma^(t{k:+d}) for gamma^t"
            power = "gamma" if k == 1 else f"gamma^{k}"
            return f"{words}, which is {power}: {'a power of gamma too many' if k > 0 else 'a power of gamma is missing'} ({off})"
    named = (("1 - gamma", 1 - gamma), ("1/(1 - gamma)", 1 / (1 - gamma) if gamma < 1 else 1.0), ("lambda", lam),
             ("gamma lambda", gamma * lam), ("1 - lambda", 1 - lam))
    which = next((name for name, number in named if number not in (0.0, 1.0) and _equal(factor, number)), "")
    return f"{words}, which is {which}" if which else words


def _equal(a, b) -> bool:
    return abs(a - b) <= 1e-6 * abs(b)


def one_of_each(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Ties that are the same mistake told in several ways, each told once: the first of them."""
    kept: dict[str, Finding] = {}
    for finding in findings:
        kept.setdefault(_core(finding.bug), finding)
    told = {finding.words: finding for finding in reversed(kept.values())}
    return tuple(finding for finding in kept.values() if told[finding.words] is finding)


def _core(bug) -> str:
    """The name without what stands at the end of a row, where nothing is looked at."""
    return " + ".join(sorted(part.removesuffix("-open").removesuffix("-closed").replace("row-end", "none") for part in bug.split(" + ")))


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
