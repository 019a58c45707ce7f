"""``pgtheory verify``: models verified one after the other, shown as they finish, written whole."""

from __future__ import annotations

import dataclasses
import difflib
import json
import os
import sys
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..continuous.deterministic_policies import DeterministicPolicy
from ..continuous.model import ContinuousActionMDP
from ..errors import PGTheoryError
from ..files import require_writable, write_whole
from ..mdp import MDP
from ..policies import SoftmaxPolicy
from ..report import Report
from ..report.text import as_text, paragraph
from ..report.words import WIDTH, established
from ..verification import verify

BUILT_IN = (("short-corridor", False), ("start-matters", False), ("dadashi-2a", False), ("student-mdp", True),
            ("two-rooms", True), ("gridworld-5x5", False), ("thermostat", False), ("noisy-target", False),
            ("random-continuous", False))   # name, exact
GYM = "gym:"
GYM_GAMMA = Fraction(99, 100)
RULE = "=" * WIDTH


def run(model: str | None, *, slugs, gamma, seed, samples, strict, format, output) -> int:
    """Verify ``model`` (or the built-in set), deliver the reports, and return the exit code."""
    from ..checks.catalogue import theorems

    for slug in slugs or ():
        theorems[slug]
    if output is not None:
        if model is not None and os.path.exists(model) and os.path.exists(output) and os.path.samefile(model, output):
            raise PGTheoryError(f"--output {output} is the model itself: name another file for the report")
        require_writable(output)
    problems = [(name, load(name, gamma, exact)) for name, exact in (BUILT_IN if model is None else [(model, False)])]
    if model is None and slugs:
        problems = [(name, loaded) for name, loaded in problems if _made_for(loaded, slugs)]
    settings: dict[str, Any] = {"rng": seed} | ({} if samples is None else {"samples": samples})
    show = format == "text" and output is None
    reports: list[Report] = []
    try:
        for name, loaded in problems:
            chosen = _made_for(loaded, slugs) if model is None and slugs else slugs
            reports.append(_verified(name, loaded, settings | {"theorems": chosen},
                                     f"[{len(reports) + 1}/{len(problems)}] {name}"))
            if show:
                _show(as_text(reports[-1]), first=len(reports) == 1)
    except KeyboardInterrupt:
        pass
    unfinished = [name for name, _ in problems[len(reports):]]
    if unfinished and not reports:
        raise KeyboardInterrupt
    _deliver(reports, unfinished, format, output)
    return _code(reports, unfinished, strict, output)


def _made_for(model, slugs) -> list[str]:
    """The claims among these that are made for a model of this kind; a user's own are taken to be for finite actions."""
    from ..checks.catalogue import theorems

    kind = "deterministic" if isinstance(model, ContinuousActionMDP) else "finite"
    claims = {slug: theorems[slug].claim for slug in slugs}
    return [slug for slug, claim in claims.items() if kind in (claim.kinds if claim else ("finite",))]


def load(name: str, gamma=None, exact: bool = False) -> MDP | ContinuousActionMDP:
    """The model of this name: built in, gym:ENV_ID, or a file; its discount replaced by ``gamma`` (a Fraction), if given.

    Raises :class:`PGTheoryError` where there is none, with the names that come close.

    >>> from pgtheory.cli.campaign import load
    >>> load("short-corridor", gamma=Fraction(1, 2))
    MDP(n_states=4, n_actions=2, gamma=0.5, float64)
    """
    from .. import models

    if name.startswith(GYM):
        from ..interop.from_gym import from_gymnasium

        return from_gymnasium(name[len(GYM):], float(GYM_GAMMA if gamma is None else gamma))
    is_file = os.sep in name or Path(name).suffix.lower() in (".json", ".npz")
    if not is_file and name not in models.names():
        raise _unknown(name, models.names())
    if not is_file and models.info(name).continuous:
        return models.load(name) if gamma is None else models.load(name, gamma=float(gamma))
    mdp = MDP.load(name) if is_file else models.load(name, exact=exact)
    if gamma is None:
        return mdp
    return MDP(mdp.P, mdp.R, gamma if mdp.arithmetic.exact else float(gamma), mdp.rho)


def _unknown(name, names) -> PGTheoryError:
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
    hint = f"did you mean {', '.join(close)}?" if close else "name a built-in one, gym:ENV_ID, or a .json or .npz file;"
    return PGTheoryError(f"no model {name!r}: {hint} 'pgtheory models' lists what is built in")


def parameters(mdp: MDP | ContinuousActionMDP, seed: int):
    """(policy, theta): a softmax with standard normal logits, or with weights 1 to 5 where the model is exact; on continuous
    actions one action a state, standard normal.

    >>> from pgtheory.cli.campaign import load, parameters
    >>> parameters(load("start-matters", exact=True), seed=0)[0]
    SoftmaxPolicy(2, 2, weights=True)
    """
    rng = np.random.default_rng([seed, 1])
    if isinstance(mdp, ContinuousActionMDP):
        return DeterministicPolicy(np.eye(mdp.n_states)), rng.standard_normal((mdp.n_states, mdp.action_dim))
    shape = mdp.n_states, mdp.n_actions
    if not mdp.arithmetic.exact:
        return SoftmaxPolicy(*shape), rng.standard_normal(shape)
    return SoftmaxPolicy(*shape, weights=True), [[Fraction(int(w)) for w in row] for row in rng.integers(1, 6, shape)]


def _verified(name, mdp, settings, title) -> Report:
    policy, theta = parameters(mdp, settings["rng"])
    try:
        with progress_bar(title) as progress:
            report = verify(mdp, policy, theta, progress=progress, **settings)
    except PGTheoryError as error:
        raise PGTheoryError(f"{name}: {error}") from error
    return dataclasses.replace(report, model=f"{name}: {report.model}{_added_state(name, mdp)}")


def _added_state(name, mdp) -> str:
    if not name.startswith(GYM):
        return ""
    from ..interop.from_gym import has_added_state

    return "; its last state is added: finished episodes stay there" if has_added_state(name[len(GYM):], mdp) else ""


@contextmanager
def progress_bar(title: str):
    """A function (done, total, text) that draws a bar on standard error, or None where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = TextColumn("{task.description}"), BarColumn(20), MofNCompleteColumn(), TextColumn("{task.fields[text]}")
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=None, text="")
        yield lambda done, total, text: bar.update(task, completed=done, total=total, text=text)


def _show(text: str, first: bool = True) -> None:
    """Text on standard output, verdicts coloured where that is a terminal."""
    from rich.console import Console
    from rich.text import Text

    text = text if first else f"\n{RULE}\n{text}"
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        print(text, flush=True)
        return
    coloured = Text(text)
    for pattern, style in ((r"\bPASS(ED)?\b", "green"), (r"\b(FAIL(ED)?|NOT ESTABLISHED)\b", "bold red"),
                           (r"\bINCONCLUSIVE\b", "yellow")):
        coloured.highlight_regex(pattern, style)
    console.print(coloured)


def _deliver(reports, unfinished, format, output) -> None:
    """The document to its file or to standard output, and in text the last line over all models."""
    if output is not None:
        write_whole(output, document(reports, format, unfinished).encode())
        _show("\n".join(paragraph(_summary(reports, unfinished))))
        print(f"written to {output}")
    elif format != "text":
        sys.stdout.write(document(reports, format, unfinished))
    elif len(reports) > 1:
        _show("\n".join(paragraph(_summary(reports, unfinished))), first=False)


def _summary(reports, unfinished) -> str:
    """What was established, which is never the whole where some models were not finished."""
    done = f"INTERRUPTED after {len(reports)} of {len(reports) + len(unfinished)} models; of these: " if unfinished else ""
    return done + established(reports)


def document(reports, format: str, unfinished=()) -> str:
    """All reports as one text, JSON or HTML document, which says so where some models were not finished.

    >>> from pgtheory.cli.campaign import document
    >>> print(document([Report(())], "text", unfinished=["two-rooms"]).splitlines()[-1])
    Interrupted; not finished: two-rooms
    """
    note = f"Interrupted; not finished: {', '.join(unfinished)}" if unfinished else ""
    if format == "html":
        from ..report.html import as_html

        return as_html(reports, note)
    if format == "json":
        return json.dumps(_record(reports, unfinished), indent=1, allow_nan=False) + "\n"
    parts = [as_text(report) for report in reports]
    parts += ["\n".join(paragraph(_summary(reports, unfinished)))] if len(reports) > 1 else []
    return f"\n\n{RULE}\n".join([*parts, *paragraph(note)]) + "\n"


def _record(reports, unfinished) -> dict:
    from .. import __version__

    return {"version": __version__, "passed": all(report.passed for report in reports) and not unfinished,
            "established": _summary(reports, unfinished), "unfinished": list(unfinished),
            "reports": [report.to_dict() for report in reports]}


def _code(reports, unfinished, strict, output) -> int:
    if unfinished:
        done = f"{len(reports)} of {len(reports) + len(unfinished)} models finished"
        where = f"in {output}" if output else "on standard output"
        print(f"pgtheory: interrupted: {done}, their reports are {where}; not finished: {', '.join(unfinished)}",
              file=sys.stderr)
        return 130   # what a shell reports for Ctrl-C
    failed = not all(report.passed for report in reports)
    return int(failed or (strict and any(report.count("INCONCLUSIVE") for report in reports)))
