"""The numbers of a report in few digits, and what it established in a sentence that claims no more than was shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Real

import numpy as np

from ..checks.record import FAIL, INCONCLUSIVE, OF_SCORES, PASS, Check
from . import Report

WIDTH = 80


def size(side) -> str:
    """Largest absolute entry, four digits; "symbolic" where entries have no size.

    >>> from fractions import Fraction
    >>> size([Fraction(-1, 3), 0]), size([]), size(["x"])
    ('0.3333', '0', 'symbolic')
    """
    entries = np.asarray(side).ravel().tolist()
    try:
        return format(float(max((abs(x) for x in entries), default=0)), ".4g")
    except (TypeError, ValueError, ArithmeticError):
        return "symbolic"


def small(x) -> str:
    """An error or a bound: three digits, and 0 only for zero.

    >>> small(0.0), small(2.2e-16)
    ('0', '2.20e-16')
    """
    return "0" if x == 0 else format(float(x), ".2e")


def bound(check: Check) -> str:
    """The bound of a check; "exact" where both sides were compared with ==."""
    return "exact" if check.kind == "exact" else small(check.bound)


LABELS = {   # context keys as a reader would call them; others are shown as they are, without underscores
    "n_states": "states", "n_actions": "actions", "rounding_unit": "relative rounding of a solve",
    "differentiated_by": "grad pi by", "samples": "draws at most",
}


def shown(context: dict):
    """(label, value) of what a reader needs of the context: nothing that is missing or has no size.

    >>> list(shown({"n_states": 2, "conditioning": float("nan"), "value_scale": None}))
    [('states', '2')]
    """
    for key, x in context.items():
        if x is not None and x != "nan" and x == x:
            yield LABELS.get(key, key.replace("_", " ")), value(x)


def value(x) -> str:
    """A value of the context: floats in six digits, everything else as it prints."""
    if isinstance(x, Real) and isinstance(x, (float, np.floating)):
        return format(float(x), ".6g")
    if isinstance(x, (list, tuple)):
        return ", ".join(value(item) for item in x)
    return str(x)


def label(check: Check) -> str:
    """What is compared, and by which route."""
    return f"{check.part}: {check.route}" if check.part else check.route


def skipped_by_reason(report: Report) -> dict[str, list[str]]:
    """Reason -> the claims that it kept, whole or by one route, from being checked.

    >>> skipped_by_reason(Report((), skipped=(("bellman", "no time"), ("recursion", "no time"))))
    {'no time': ['bellman', 'recursion']}
    """
    reasons: dict[str, list[str]] = {}
    for slug, reason in report.skipped:
        reasons.setdefault(reason, []).append(slug)
    return reasons


def verdict(report: Report) -> str:
    """The report in one word: PASSED, FAILED, or NOT ESTABLISHED where nothing failed but something stays unproved."""
    if report.passed:
        return "PASSED"
    return "FAILED" if report.count(FAIL) else "NOT ESTABLISHED"


def established(reports: Sequence[Report]) -> str:
    """One sentence: how many claims were established, by how many checks of which strength, and what was not shown."""
    parts = [_claims(reports), *_strengths(reports), *_shortfalls(reports)]
    return f"{_overall(reports)}: {'; '.join(part for part in parts if part)}."


def _overall(reports) -> str:
    words = [verdict(report) for report in reports]
    return next((w for w in ("FAILED", "NOT ESTABLISHED", "PASSED") if w in words), "NOT ESTABLISHED")


def _claims(reports) -> str:
    claims = sum(len(report.claims) for report in reports) + _skipped_whole(reports)
    where = f" on {len(reports)} models" if len(reports) > 1 else ""
    if not any(report.claims for report in reports):
        return f"no claim was checked{where}"
    done = sum(len(report.established) for report in reports)
    return f"{done} of {claims} claims established{where}"


def _strengths(reports) -> Iterable[str]:
    passed = [c for report in reports for c in report.checks if c.verdict == PASS]
    exact, bounded, statistical = (sum(c.kind == kind for c in passed) for kind in ("exact", "bounded", "statistical"))
    if exact:
        yield f"{exact} exact {'equality' if exact == 1 else 'equalities'}"
    if bounded:
        yield f"{bounded} {'agreement within its bound' if bounded == 1 else 'agreements within bounds'}{_ground(reports, bounded)}"
    if statistical:
        yield f"{statistical} statistical PASS, {'' if statistical == 1 else 'each '}excluding a bias above " \
              f"its bound{_confidence(reports)}"


def _ground(reports, n) -> str:
    """The conditioning and the scales that the bounds refer to."""
    known = [report.context for report in reports if isinstance(report.context.get("conditioning"), Real)]
    if not known:
        return ""
    refer = "refers" if n == 1 else "refer"
    worst = max(known, key=lambda context: context["conditioning"])
    if len(reports) > 1:
        return f" that {refer} to the scales and the conditioning of each model, at most {worst['conditioning']:.4g}"
    name = "the mean episode length" if worst.get("gamma") in (1, "1") else "1/(1-gamma)"
    known_scales = ((key, worst.get(f"{key}_scale")) for key in ("value", "gradient"))
    scales = (f"{key} scale {scale:.4g}, " for key, scale in known_scales if isinstance(scale, Real))
    return f" that {refer} to {''.join(scales)}conditioning {worst['conditioning']:.4g} ({name})"


def _confidence(reports) -> str:
    """What the bounds of statistical checks are, and the probability that any of them is wrong, where it is known."""
    known = {(context["tolerance"], context["alpha"]) for context in (report.context for report in reports)
             if "tolerance" in context and "alpha" in context}
    if len(known) != 1:
        return ""
    tolerance, alpha = known.pop()
    each = " a model" if len(reports) > 1 else ""
    return f" ({value(tolerance)} of {_measure(reports)}; error probability {value(alpha)}{each})"


def _measure(reports) -> str:
    """What the tolerance is a part of: an entry, but where the right side is 0 the scores that must cancel."""
    passed = [c for report in reports for c in report.checks if c.kind == "statistical" and c.verdict == PASS]
    of_scores = [c for c in passed if OF_SCORES in c.note]
    if not of_scores:
        return "the largest entry"
    return OF_SCORES if len(of_scores) == len(passed) else f"the largest entry, or, where that is 0, of {OF_SCORES}"


def _shortfalls(reports) -> Iterable[str]:
    checks = [c for report in reports for c in report.checks]
    failed = [c for c in checks if c.verdict == FAIL]
    if failed:
        yield f"{len(failed)} of {len(checks)} checks FAIL ({', '.join(dict.fromkeys(c.theorem for c in failed))})"
    unproved = dict.fromkeys(slug for report in reports for slug, made in report.claims.items()
                             if slug not in report.established and not any(c.verdict == FAIL for c in made))
    if unproved:
        yield f"no exact or bounded PASS for {', '.join(unproved)}"
    yield from (text for text in (_open(checks), _skipped(reports)) if text)


def _open(checks) -> str:
    n = sum(c.verdict == INCONCLUSIVE for c in checks)
    return f"{n} INCONCLUSIVE, which {'shows' if n == 1 else 'show'} nothing" if n else ""


def _skipped(reports) -> str:
    """How many claims were not checked at all; a skipped route of a checked claim is listed, not counted."""
    n = _skipped_whole(reports)
    return f"{n} {'claim' if n == 1 else 'claims'} skipped, which {'shows' if n == 1 else 'show'} nothing" if n else ""


def _skipped_whole(reports) -> int:
    return sum(len({slug for slug, _ in report.skipped} - set(report.claims)) for report in reports)
