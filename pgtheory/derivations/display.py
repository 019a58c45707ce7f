"""A proof as text of 80 columns, as HTML with MathML, and as LaTeX."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from html import escape
from numbers import Rational, Real

import numpy as np

from ..checks.record import FAIL
from ..report.style import SCOPED
from ..report.text import paragraph
from ..report.typeset import mathml
from ..report.words import WIDTH, small
from ..validation import bracket
from .line import EQUAL

LONGEST = 24       # characters of a number that is printed in full
LONGEST_FORMULA = 300
MOST_ROWS, MOST_COLUMNS = 6, 6


def as_text(proof) -> str:
    """The claim, the steps one by one with a verdict each, and what that shows."""
    blocks = [_heading(proof), *map(_step, proof.steps), _skipped(proof), paragraph(conclusion(proof))]
    return "\n\n".join("\n".join(block) for block in map(list, blocks) if block)


def _heading(proof) -> Iterator[str]:
    yield from paragraph(f"{proof.title} ({proof.slug})")
    yield from paragraph(proof.statement, "  ", "    ")
    yield from paragraph(f"Hypotheses: {'; '.join(proof.hypotheses)}.", hanging="  ")
    yield from paragraph(f"Source: {proof.source}.", hanging="  ")
    yield from paragraph(f"Instance: {proof.model}, {proof.policy}; k = {proof.k}.", hanging="  ")


def _step(step) -> Iterator[str]:
    above = paragraph(f"{step.number}. {step.title}", hanging="   ", width=WIDTH - 14)
    yield from above[:-1]
    yield f"{above[-1].ljust(WIDTH - 13)} {step.verdict}"
    yield from paragraph(step.statement, "     ", "       ")
    yield from paragraph(f"Why: {step.because}.", "   ", "   ")
    yield from paragraph(f"Here: {comparison(step)}.", "   ", "   ")


def _skipped(proof) -> Iterator[str]:
    for title, reason in proof.skipped:
        yield from paragraph(f"Not checked here: {title}: {reason}.", hanging="  ")


def conclusion(proof) -> str:
    """One sentence that claims no more than was shown."""
    n, held = len(proof.steps), sum(step.passed for step in proof.steps)
    if not proof.passed:
        bad = ", ".join(str(step.number) for step in proof.steps if not step.passed)
        return f"NOT PROVED: {held} of {n} steps hold on this instance; step{'s' * (n - held > 1)} {bad} did not."
    how = "exactly" if proof.exact else "within the rounding of both sides"
    return f"PASSED: all {n} steps hold on this instance, {how}. The argument for every model: {proof.file}"


def comparison(step) -> str:
    """One entry of both sides, and how far the others agree."""
    return f"{_entry(step)}; {_agreement(step)}"


def _entry(step) -> str:
    if step.lhs.size == 0:
        return "there is nothing to compare"
    index = _telling(step)
    sign = step.relation if step.passed else "against"
    numbers = f"{number(step.lhs[index])} {sign} {number(step.rhs[index])}"
    place = _place(step, index)
    return f"{place}: {numbers}" if place else numbers


def _telling(step) -> tuple:
    """Index of the worst entry of a step that fails, else of the largest; of the first one that is not 0 for symbols."""
    shown = step.lhs - step.rhs if step.verdict == FAIL else step.lhs
    try:
        flat = [abs(float(x)) for x in shown.flat]
        return tuple(map(int, np.unravel_index(int(np.nanargmax(flat)), shown.shape)))
    except (TypeError, ValueError):
        return next((index for index, x in np.ndenumerate(shown) if x != 0), (0,) * shown.ndim)


def _place(step, index) -> str:
    """"s = 1, theta[1, 0]"; nothing for a single number."""
    return ", ".join(f"theta{bracket(tuple(map(int, np.unravel_index(i, step.theta_shape))))}" if name == "theta"
                     else f"{name} = {i}" for name, i in zip(step.axes, index, strict=False))


def _agreement(step) -> str:
    entries = "the only entry" if step.lhs.size == 1 else f"all {step.lhs.size} entries"
    if step.error != step.error:
        return f"{entries} compared as rational functions" if step.passed else "not equal"
    if not step.passed:
        return f"off by {small(step.error)}, allowed {small(step.bound)}"
    if step.relation != EQUAL:
        return f"so in {entries}"
    return f"equal in {entries}" if step.bound == 0 else f"{entries} within {small(step.error)}, allowed {small(step.bound)}"


def number(x) -> str:
    """A number in full, or to six digits where that is long.

    >>> number(Fraction(47, 40)), number(0.1 + 0.2), number(Fraction(1, 3**60))
    ('47/40', '0.3', 'about 2.35898e-29')
    """
    if isinstance(x, (float, np.floating)):
        return format(float(x), ".6g")
    text = str(x)
    if len(text) <= LONGEST:
        return text
    if isinstance(x, Real):
        return f"about {float(x):.6g}"
    return text if len(text) <= LONGEST_FORMULA else f"(a formula of {len(text)} characters, whole in HTML and JSON)"


# ------------------------------------------------------------------------------------------------------ typeset


def as_html(proof) -> str:
    """The same for a notebook: formulas and small arrays as MathML, every text escaped, no script."""
    return "\n".join(['<div class="pgtheory">', f"<style>{SCOPED}</style>", *sections(proof), "</div>"])


def sections(proof, whole=False) -> Iterator[str]:
    """The proof; with ``whole`` every entry of both sides where they are not typeset as arrays."""
    yield f"<h2>{escape(proof.title)} <code>{escape(proof.slug)}</code></h2>"
    yield f'<div class="statement">{mathml(proof.statement)}</div>'
    yield f"<ul>{''.join(f'<li>{escape(h)}</li>' for h in proof.hypotheses)}</ul>"
    yield f'<p class="quiet">{escape(proof.source)}</p><p>{escape(proof.model)}, {escape(proof.policy)}; k = {proof.k}</p>'
    for step in proof.steps:
        badge = f'<span class="badge {step.verdict.lower()}">{step.verdict}</span>'
        yield (f'<h3>{step.number}. {escape(step.title)} {badge}</h3>'
               f'<div class="statement">{mathml(step.statement)}</div><p>Why: {escape(step.because)}.</p>')
        array = _array(step)
        if array:
            yield f'<div class="statement">{mathml(array)}</div>'
        yield f'<p class="quiet">{escape(comparison(step))}</p>'
        if whole and not array:
            yield from _entries(step)
    for title, reason in proof.skipped:
        yield f'<p class="quiet">Not checked here: {escape(title)}: {escape(reason)}.</p>'
    yield f'<p class="established {"passed" if proof.passed else "failed"}">{escape(conclusion(proof))}</p>'


def _entries(step) -> Iterator[str]:
    """A table of all entries of both sides, folded away."""
    sign = escape(step.relation)
    yield f"<details><summary>all {step.lhs.size} entries</summary><table><tbody>"
    for index in np.ndindex(step.lhs.shape):
        yield (f'<tr><td>{escape(_place(step, index))}</td><td><code>{escape(str(step.lhs[index]))}</code></td><td>{sign}</td>'
               f'<td><code>{escape(str(step.rhs[index]))}</code></td></tr>')
    yield "</tbody></table></details>"


def _array(step) -> str:
    """Both sides in LaTeX where they are small; "" where they are not."""
    lhs, rhs = (np.atleast_1d(side) for side in (step.lhs, step.rhs))
    if lhs.ndim > 2 or lhs.shape[-1] > MOST_COLUMNS or lhs.size > MOST_ROWS * MOST_COLUMNS or lhs.size == 0:
        return ""
    left, right = (_matrix(side.reshape(-1, side.shape[-1])) for side in (lhs, rhs))
    relation = "\\leq" if step.relation != EQUAL else "=" if step.passed else "\\neq"
    return f"{left} {relation} {right}" if left and right else ""


def _matrix(rows) -> str:
    cells = [[_latex(x) for x in row] for row in rows]
    if any(not cell for row in cells for cell in row):
        return ""
    body = r" \\ ".join(" & ".join(row) for row in cells)
    return rf"\left( \begin{{matrix}} {body} \end{{matrix}} \right)"


def _latex(x) -> str:
    """A number in LaTeX; "" where it is long or a symbol."""
    if isinstance(x, (float, np.floating)):
        digits, _, power = format(float(x), ".5g").partition("e")
        return rf"{digits} \cdot 10^{{{int(power)}}}" if power else digits
    if not isinstance(x, Rational) or len(str(x)) > LONGEST:
        return ""
    x = Fraction(x)
    sign = "-" * (x < 0)
    return f"{x.numerator}" if x.denominator == 1 else rf"{sign}\frac{{{abs(x.numerator)}}}{{{x.denominator}}}"


def as_latex(proof) -> str:
    """The chain of statements, for a front end that knows LaTeX alone."""
    rows = (rf"&\text{{{step.number}. {step.verdict}}} && {step.statement}" for step in proof.steps)
    return "$$\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}$$"
