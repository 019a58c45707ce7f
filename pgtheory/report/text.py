"""A report as plain text of 80 columns: ASCII, no colour, no control characters."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from textwrap import wrap

from ..checks.record import PASS, Check
from . import Report
from .words import WIDTH, bound, established, shown, size, skipped_by_reason, small

HEAD, HEADS = "claim, part, route", ("|left|", "|right|", "error", "bound", "verdict")
GAP, DEEP = "  ", "    "


def as_text(report: Report) -> str:
    """The heading, the checks claim by claim, what was skipped and why, and one sentence of what was established.

    |left| and |right| are the largest absolute entries of both sides, ``error`` that of their difference.

    >>> from pgtheory.report import Report
    >>> print(as_text(Report((), skipped=(("deterministic", "the actions are not continuous"),))))
    skipped
      deterministic: the actions are not continuous
    <BLANKLINE>
    NOT ESTABLISHED: no claim was checked; 1 claim skipped, which shows nothing.
    """
    blocks = (_heading(report), _table(report), _skipped(report), paragraph(established([report])))
    return "\n\n".join("\n".join(block) for block in map(list, blocks) if block)


def paragraph(text: str, indent: str = "", hanging: str | None = None, width: int = WIDTH) -> list[str]:
    """``text`` in lines of at most ``width`` columns; a word that is longer is broken."""
    ascii_only = text.encode("ascii", "backslashreplace").decode()
    return wrap(ascii_only, width, initial_indent=indent, subsequent_indent=indent if hanging is None else hanging,
                break_on_hyphens=False)


def _heading(report) -> Iterator[str]:
    for line in (report.model, report.policy):
        yield from paragraph(line)
    yield from paragraph(", ".join(f"{label} {x}" for label, x in shown(report.context)))


def _table(report) -> Iterator[str]:
    if not report.checks:
        return
    cells = [_cells(check) for check in report.checks]
    widths = [max(map(len, column)) for column in zip(HEADS, *cells, strict=True)]
    longest = max(len(HEAD), *(len(DEEP + check.route) for check in report.checks))
    left = min(WIDTH - sum(widths) - len(GAP) * len(widths), longest)
    yield _row(HEAD, HEADS, left, widths)
    for slug, checks in report.claims.items():
        yield from paragraph(slug)
        for part, routes in groupby(checks, key=lambda check: check.part):
            yield from paragraph(part, GAP, GAP + DEEP)
            for check in routes:
                yield from _lines(check, left, widths)


def _cells(check: Check) -> tuple[str, ...]:
    return size(check.lhs), size(check.rhs), small(check.error), bound(check), check.verdict


def _row(first, cells, left, widths) -> str:
    *numbers, verdict = cells
    columns = (cell.rjust(width) for cell, width in zip(numbers, widths, strict=False))
    return GAP.join([first.ljust(left), *columns, verdict]).rstrip()


def _lines(check, left, widths) -> Iterator[str]:
    """One row, its route wrapped where it must be; beneath it what was drawn, or why it did not pass."""
    *above, last = paragraph(check.route, DEEP, 2 * DEEP, left) or [DEEP]
    yield from above
    yield _row(last, _cells(check), left, widths)
    if check.note and (check.kind == "statistical" or check.verdict != PASS):
        yield from paragraph(check.note, 2 * DEEP)


def _skipped(report) -> Iterator[str]:
    if report.skipped:
        yield "skipped"
    for reason, slugs in skipped_by_reason(report).items():
        yield from paragraph(f"{', '.join(slugs)}: {reason}", GAP, GAP + DEEP)
