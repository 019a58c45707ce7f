"""Proofs as one HTML page, or as plain values for JSON: nothing is left out of either."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ..report.data import plain
from ..report.style import PAGE, SCOPED
from .display import conclusion, sections
from .line import Step


def as_page(proofs: Sequence, notes: Sequence[str] = ()) -> str:
    """A page with these proofs; ``notes`` stand above them.

    >>> from pgtheory.derivations.page import as_page
    >>> as_page([], ["nothing < something"]).count("nothing &lt; something")
    1
    """
    from .. import __version__

    body = [f"<p><strong>{escape(note)}</strong></p>" for note in notes]
    body += [line for proof in proofs for line in sections(proof, whole=True)]
    return (f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>pgtheory proofs</title>\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{PAGE}{SCOPED}</style>\n</head>\n'
            f'<body>\n<main class="pgtheory">\n{chr(10).join(body)}\n<p class="quiet">pgtheory {escape(__version__)}</p>\n'
            "</main>\n</body>\n</html>\n")


def as_dict(proof) -> dict:
    """Plain values that ``json.dumps(..., allow_nan=False)`` takes; arrays whole, exact numbers as strings such as "1/3".

    >>> import pgtheory as pg
    >>> pg.prove("unrolling", k=1).to_dict()["steps"][0]["lhs"]
    [[['1', '0'], ['0', '1']], [['1/3', '2/3'], ['5/9', '4/9']]]
    """
    return {
        "slug": proof.slug, "title": proof.title, "statement": proof.statement, "hypotheses": list(proof.hypotheses),
        "source": proof.source, "file": proof.file, "model": proof.model, "policy": proof.policy, "k": proof.k,
        "exact": proof.exact, "passed": proof.passed, "conclusion": conclusion(proof),
        "steps": [_step(step) for step in proof.steps],
        "skipped": [{"title": title, "reason": reason} for title, reason in proof.skipped],
    }


def _step(step: Step) -> dict:
    return {
        "number": step.number, "title": step.title, "statement": step.statement, "because": step.because,
        "axes": list(step.axes), "theta_shape": list(step.theta_shape), "relation": step.relation, "lhs": plain(step.lhs),
        "rhs": plain(step.rhs), "error": plain(step.error), "bound": plain(step.bound), "verdict": step.verdict,
    }
