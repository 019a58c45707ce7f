"""A report as plain values, for JSON."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.sparse

from ..checks.record import FAIL, INCONCLUSIVE, PASS, Check
from . import Report
from .words import established


def as_dict(report: Report) -> dict:
    """Plain values that ``json.dumps(..., allow_nan=False)`` takes, without loss.

    Arrays are nested lists; floats keep every digit; an exact number is the string "1/3" (as in a saved model), a symbolic
    one the string that sympy prints; NaN and the infinities, which JSON has not, are the strings "nan", "inf" and "-inf".

    >>> from pgtheory.report import Report
    >>> as_dict(Report((), model="a toy"))["passed"]
    False
    """
    from .. import __version__

    return {
        "version": __version__,
        "model": report.model,
        "policy": report.policy,
        "context": plain(report.context),
        "passed": report.passed,
        "established": established([report]),
        "counts": {verdict: report.count(verdict) for verdict in (PASS, FAIL, INCONCLUSIVE)},
        "checks": [_check(check) for check in report.checks],
        "skipped": [{"theorem": slug, "reason": reason} for slug, reason in report.skipped],
    }


def _check(check: Check) -> dict:
    steps, errors = check.curve if check.curve is not None else (None, None)
    return {
        "theorem": check.theorem,
        "part": check.part,
        "route": check.route,
        "kind": check.kind,
        "lhs": plain(check.lhs),
        "rhs": plain(check.rhs),
        "error": plain(check.error),
        "bound": plain(check.bound),
        "verdict": check.verdict,
        "note": check.note,
        "curve": None if check.curve is None else {"steps": plain(steps), "errors": plain(errors)},
    }


def plain(x) -> Any:
    """``x`` as lists, dicts, strings, numbers, booleans and None.

    >>> import numpy as np
    >>> from fractions import Fraction
    >>> plain(np.array([[0.1, np.inf]])), plain([Fraction(1, 3), Fraction(2), True])
    ([[0.1, 'inf']], ['1/3', '2', True])
    """
    if isinstance(x, dict):
        return {str(key): plain(item) for key, item in x.items()}
    if scipy.sparse.issparse(x):
        x = x.toarray()
    if isinstance(x, (np.ndarray, np.generic)):
        x = np.asarray(x).tolist()
    if isinstance(x, (list, tuple)):
        return [plain(item) for item in x]
    if isinstance(x, float):
        return x if math.isfinite(x) else str(x)
    return x if x is None or isinstance(x, (bool, int, str)) else str(x)
