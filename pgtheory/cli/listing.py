"""What there is: the built-in models and the claims, as text of 80 columns or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ..report.data import plain
from ..report.text import paragraph
from ..report.words import value

INDENT = "    "


def list_models(as_json: bool = False) -> int:
    """Print name, S, A, gamma, title and source of every built-in model; returns the exit code 0.

    >>> list_models()   # doctest: +ELLIPSIS
    name                S           A  gamma
    bandit              2           2      1
    ...
    """
    from .. import models

    entries = []
    for name in models.names():
        mdp, info = models.load(name), models.info(name)
        actions = getattr(mdp, "n_actions", "continuous")
        entries.append({"name": name, "n_states": mdp.n_states, "n_actions": actions, "gamma": mdp.gamma,
                        "title": info.title, "source": info.source})
    _print(entries, _models, as_json)
    return 0


def list_theorems(as_json: bool = False) -> int:
    """Print slug, title, source and proof of every claim; returns the exit code 0.

    >>> list_theorems()   # doctest: +ELLIPSIS
    bellman
        Bellman equations of a policy
    ...
    """
    from ..checks.catalogue import theorems

    entries = [{"slug": t.slug, "title": t.title, "source": t.source, "proof": t.proof} for t in theorems.values()]
    _print(entries, _theorems, as_json)
    return 0


def _print(entries, layout, as_json) -> None:
    print(json.dumps(plain(entries), indent=1, allow_nan=False) if as_json else "\n".join(layout(entries)))


def _models(entries) -> Iterator[str]:
    heads = {"name": "name", "n_states": "S", "n_actions": "A", "gamma": "gamma"}
    rows = [heads, *entries]
    widths = {key: max(len(value(row[key])) for row in rows) for key in heads}
    for row in rows:
        cells = [value(row[key]).rjust(width) for key, width in widths.items() if key != "name"]
        yield "  ".join([row["name"].ljust(widths["name"]), *cells])
        yield from _indented(row.get("title"), row.get("source"))


def _theorems(entries) -> Iterator[str]:
    for entry in entries:
        yield entry["slug"]
        yield from _indented(entry["title"], f"source: {entry['source']}" if entry["source"] else None,
                             f"proof: {entry['proof']}" if entry["proof"] else None)


def _indented(*texts) -> Iterator[str]:
    for text in texts:
        if text:
            yield from paragraph(str(text), INDENT, INDENT + "  ")
