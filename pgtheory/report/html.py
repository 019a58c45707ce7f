"""Reports as HTML: one self-contained page, or a fragment for a notebook. No scripts, no requests, every text escaped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from ..checks.record import FAIL, INCONCLUSIVE, PASS, Check
from . import Report
from .figures import error_figure
from .style import PAGE, SCOPED
from .typeset import statement
from .words import bound, established, label, shown, size, skipped_by_reason, small, verdict

TITLE = "pgtheory report"
COLUMNS = (("left", "|left|", "largest absolute entry of the left side"),
           ("right", "|right|", "largest absolute entry of the right side"),
           ("error", "error", "largest absolute difference of the two sides"),
           ("bound", "bound", "what the error is compared with; the resolution of a statistical check"))


def as_html(reports: Sequence[Report], note: str = "") -> str:
    """A page with these reports; with several, a list of contents first. ``note`` stands above them all.

    >>> from pgtheory.report import Report
    >>> as_html([Report((), model="a < b")]).count("a &lt; b")
    1
    """
    from .. import __version__

    body = "\n".join(_page(reports, note))
    return (f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{TITLE}</title>\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{PAGE}{SCOPED}</style>\n</head>\n'
            f'<body>\n<main class="pgtheory">\n{body}\n<p class="quiet">pgtheory {escape(__version__)}</p>\n</main>\n'
            "</body>\n</html>\n")


def as_fragment(report: Report) -> str:
    """One report as a ``<div>`` with its own style, for a notebook's output cell."""
    body = "\n".join(_report(report, "pgtheory", set()))
    return f'<div class="pgtheory">\n<style>{SCOPED}</style>\n{body}\n</div>'


def _page(reports, note) -> Iterator[str]:
    yield f"<h1>{TITLE}</h1>"
    if note:
        yield f"<p><strong>{escape(note)}</strong></p>"
    if len(reports) != 1:
        yield _established(reports)
        yield from _contents(reports)
    explained: set[str] = set()
    for i, report in enumerate(reports, 1):
        yield from _report(report, f"report-{i}", explained)


def _contents(reports) -> Iterator[str]:
    heads = "".join(f"<th>{x}</th>" for x in ("model", "claims", PASS, FAIL, INCONCLUSIVE, ""))
    yield f"<table><thead><tr>{heads}</tr></thead><tbody>"
    for i, report in enumerate(reports, 1):
        cells = [(x.lower(), str(report.count(x))) for x in (PASS, FAIL, INCONCLUSIVE)]
        cells.insert(0, ("claims", f"{len(report.established)} of {len(report.claims)}"))
        numbers = "".join(f'<td data-label="{name}">{text}</td>' for name, text in cells)
        yield (f'<tr><td><a href="#report-{i}">{escape(report.model)}</a></td>{numbers}'
               f'<td class="verdict">{_badge(verdict(report), PASS if report.passed else FAIL)}</td></tr>')
    yield "</tbody></table>"


def _report(report: Report, ident: str, explained: set[str]) -> Iterator[str]:
    """One report; ``explained`` are the claims whose statements already stand above it."""
    yield f'<section id="{ident}">\n<h2>{escape(report.model)}</h2>\n<p>{escape(report.policy)}</p>'
    yield _context(report)
    yield _established([report])
    for i, (slug, checks) in enumerate(report.claims.items(), 1):
        yield from _claim(slug, explained)
        yield from _table(checks)
        yield from _figure(slug, checks, f"{ident}-figure-{i}")
    yield from _skipped(report)
    yield "</section>"


def _context(report) -> str:
    pairs = (f"<div><dt>{escape(label)}</dt><dd>{escape(x)}</dd></div>" for label, x in shown(report.context))
    return f"<dl>{''.join(pairs)}</dl>" if report.context else ""


def _established(reports) -> str:
    kind = "passed" if reports and all(report.passed for report in reports) else "failed"
    return f'<p class="established {kind}">{escape(established(reports))}</p>'


def _badge(text: str, kind: str) -> str:
    return f'<span class="badge {kind.lower()}">{escape(text)}</span>'


def _claim(slug: str, explained: set[str]) -> Iterator[str]:
    """Title, statement, hypotheses and source of a claim, once a page."""
    from ..checks.catalogue import theorems

    theorem = theorems.get(slug)
    if theorem is None:
        yield f"<h3><code>{escape(slug)}</code></h3>"
        return
    yield f"<h3>{escape(theorem.title)} <code>{escape(slug)}</code></h3>"
    if slug in explained:
        return
    explained.add(slug)
    if theorem.statement:
        yield f'<div class="statement">{statement(theorem.statement)}</div>'
    if theorem.hypotheses:
        yield f"<p>Hypotheses:</p><ul>{''.join(f'<li>{escape(h)}</li>' for h in theorem.hypotheses)}</ul>"
    for name, text in (("Source", theorem.source), ("Proof", theorem.proof)):
        if text:
            yield f'<p class="quiet">{name}: {escape(str(text))}</p>'


def _table(checks) -> Iterator[str]:
    heads = "".join(f'<th title="{escape(about)}">{text}</th>' for _, text, about in COLUMNS)
    yield f"<table><thead><tr><th>part: route</th>{heads}<th>verdict</th></tr></thead><tbody>"
    for check in checks:
        yield from _row(check)
    yield "</tbody></table>"


def _row(check: Check) -> Iterator[str]:
    numbers = (size(check.lhs), size(check.rhs), small(check.error), bound(check))
    named = zip((name for name, _, _ in COLUMNS), numbers, strict=True)
    cells = "".join(f'<td data-label="{name}">{escape(text)}</td>' for name, text in named)
    noted = ' class="noted"' if check.note else ""
    badge = _badge(check.verdict, check.verdict)
    yield f'<tr{noted}><td>{escape(label(check))}</td>{cells}<td class="verdict">{badge}</td></tr>'
    if check.note:
        yield f'<tr><td class="note" colspan="{len(COLUMNS) + 2}">{escape(check.note)}</td></tr>'


def _figure(slug, checks, ident: str) -> Iterator[str]:
    """The first sweep of finite differences that the claim's checks carry: those of its other parts lie upon it."""
    caption = f"{slug}: error of central differences, before extrapolation, against their step"
    svg = error_figure([(check.part, *check.curve) for check in checks if check.curve is not None][:1], ident, caption)
    if svg:
        yield f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"


def _skipped(report) -> Iterator[str]:
    if report.skipped:
        items = "".join(f"<li>{', '.join(f'<code>{escape(slug)}</code>' for slug in slugs)}: {escape(reason)}</li>"
                        for reason, slugs in skipped_by_reason(report).items())
        yield f"<h3>Skipped</h3><ul>{items}</ul>"
