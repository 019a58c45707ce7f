"""``pgtheory prove``: the proofs printed one after the other, or written whole, and the exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

from ..continuous.model import ContinuousActionMDP
from ..derivations import DERIVATIONS, ON_ACTIONS, ON_TRAJECTORIES, Proof
from ..derivations.execution import prove_in
from ..derivations.page import as_dict, as_page
from ..errors import UndefinedError
from ..files import require_writable, write_whole
from ..report.text import paragraph
from .campaign import RULE, load, progress_bar


def run(slug: str | None, model: str | None, k: int, format: str = "text", output=None) -> int:
    """Prove ``slug`` (without one, every claim that applies to the model) and deliver it; 1 where a step does not hold.

    >>> from pgtheory.cli.proving import run
    >>> run("occupancy", None, 2)   # doctest: +ELLIPSIS
    Discounted state distribution (occupancy)
    ...
    model: proofs/occupancy.md
    0
    """
    if output is not None:
        require_writable(output)
    mdp = None if model is None else load(model, exact=True)
    proofs: list[Proof] = []
    notes: list[str] = []
    for found in _proved([slug] if slug is not None else _derived(mdp), mdp, k, one=slug is not None):
        (notes if isinstance(found, str) else proofs).append(found)   # type: ignore[arg-type]
        if format == "text" and output is None:
            print(found if slug is not None else f"{found}\n{RULE}", flush=True)
    last = _summary(proofs)
    document = _document(proofs, notes, last, format)
    if output is not None:
        write_whole(output, document.encode())
        print("\n".join([*notes, last, f"written to {output}"]))
    elif format != "text":
        sys.stdout.write(document)
    elif slug is None:
        print(last)
    return int(not _held(proofs))


def _proved(slugs, mdp, k, one: bool) -> Iterator[Proof | str]:
    """Each proof, or a line that says why there is none; what one claim has computed the next need not compute again."""
    settings: dict = {}
    for i, name in enumerate(slugs, 1):
        try:
            with progress_bar(f"[{i}/{len(slugs)}] {name}") as progress:
                yield prove_in(name, settings, mdp, k=k, progress=progress)
        except UndefinedError as error:
            if one:
                raise
            yield "\n".join(paragraph(f"{name}: not proved here: {error}."))


def _held(proofs) -> bool:
    return bool(proofs) and all(proof.passed for proof in proofs)


def _summary(proofs) -> str:
    verdict = "PASSED" if _held(proofs) else "NOT PROVED"
    return f"{verdict}: {sum(proof.passed for proof in proofs)} of {len(proofs)} claims hold step by step."


def _document(proofs, notes, last, format) -> str:
    """All of it as one text, JSON or HTML document."""
    if format == "html":
        return as_page(proofs, [*notes, last])
    if format == "json":
        from .. import __version__

        record = {"version": __version__, "passed": _held(proofs), "conclusion": last, "not_proved": notes,
                  "proofs": [as_dict(proof) for proof in proofs]}
        return json.dumps(record, indent=1, allow_nan=False) + "\n"
    return f"\n{RULE}\n".join([*map(str, proofs), *notes, last]) + "\n"


def _derived(model) -> list[str]:
    """The claims with a derivation that are made for the model; all of them without one."""
    if model is None:
        return [*DERIVATIONS, *ON_ACTIONS, *ON_TRAJECTORIES]
    return list(ON_ACTIONS if isinstance(model, ContinuousActionMDP) else DERIVATIONS | ON_TRAJECTORIES)
