"""The command line: ``pgtheory verify | models | theorems | prove | demo | check``.

The commands only read their arguments; what they are to do comes back to :func:`main` as a function, so that bad input,
Ctrl-C and a closed pipe are met in one place. Exit codes: 0 passed; 1 a check failed; 2 bad input; 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from enum import StrEnum
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import PGTheoryError

PASSED, FAILED, BAD_INPUT, INTERRUPTED, CLOSED_PIPE = 0, 1, 2, 130, 141
app = typer.Typer(add_completion=False, rich_markup_mode=None)


class Format(StrEnum):
    """What a report or a list is written as."""

    text = "text"
    json = "json"
    html = "html"


FORMATS = {"": Format.text, ".txt": Format.text, ".text": Format.text, ".md": Format.text, ".log": Format.text,
           ".json": Format.json, ".html": Format.html, ".htm": Format.html}


class ListFormat(StrEnum):
    """What a list is written as."""

    text = "text"
    json = "json"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code. Nothing but a bug of pgtheory raises.

    >>> from pgtheory.cli.app import main
    >>> main(["--version"])   # doctest: +ELLIPSIS
    pgtheory ...
    0
    """
    try:
        action = _parse(arguments)
        code = action() if callable(action) else int(action or 0)
        sys.stdout.flush()
        return code
    except PGTheoryError as error:
        return _complain(str(error), BAD_INPUT)
    except KeyboardInterrupt:
        return _complain("interrupted before any model was finished: nothing was written", INTERRUPTED)
    except MemoryError:
        return _complain("out of memory: the model is too large for this machine", BAD_INPUT)
    except BrokenPipeError:
        _abandon_output()
        return CLOSED_PIPE
    except OSError as error:
        _abandon_output()
        return _complain(f"standard output cannot be written: {error.strerror or error}", BAD_INPUT)


def _abandon_output() -> None:
    """Point standard output at nothing, so that the interpreter's last flush does not fail once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parse(arguments) -> Callable[[], int] | int | None:
    """The action that the arguments ask for, or the exit code where typer has already answered (--help, --version)."""
    try:
        return typer.main.get_command(app).main(arguments, prog_name="pgtheory", standalone_mode=False)
    except Exception as error:
        if not hasattr(error, "format_message"):   # the one thing that typer's usage errors have in common over its versions
            raise
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "pgtheory"
        message = error.format_message().rstrip(".")
        raise PGTheoryError(f"{message[:1].lower()}{message[1:]}; see '{command} --help'") from None


def _complain(message: str, code: int) -> int:
    print(f"pgtheory: {' '.join(message.split())}", file=sys.stderr)
    return code


def _version(wanted: bool) -> None:
    if wanted:
        from .. import __version__

        print(f"pgtheory {__version__}")
        raise typer.Exit


class Kind(StrEnum):
    """What a user's function computes."""

    gradient = "gradient"
    weights = "weights"
    advantages = "advantages"


@app.callback(invoke_without_command=True)
def pgtheory(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
):
    """The exact oracle for policy gradients: both sides of every claim, by independent routes."""
    if context.invoked_subcommand is None:
        print(context.get_help())


def _discount(text: str) -> Fraction:
    try:
        gamma = Fraction(text) if len(text) < 40 and abs(int(text.lower().partition("e")[2] or 0)) < 400 else Fraction(-1)
    except (ValueError, ZeroDivisionError):
        gamma = Fraction(-1)
    if not 0 <= gamma <= 1:
        raise typer.BadParameter(f"{text!r} is no discount: write a number from 0 to 1, such as 0.9 or 9/10")
    return gamma


@app.command()
def verify(
    model: Annotated[str | None, typer.Argument(
        metavar="MODEL", show_default=False,
        help="A built-in name, gym:ENV_ID (gamma 0.99), or a .json or .npz file; without one, a built-in set.")] = None,
    theorem: Annotated[list[str] | None, typer.Option(
        metavar="SLUG", show_default=False, help="Check this claim only; may be given several times.")] = None,
    gamma: Annotated[Any, typer.Option(
        metavar="G", parser=_discount, show_default=False, help="Discount instead of the model's: 0.9 or 9/10.")] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Seed of the policy's parameters and of every draw.")] = 0,
    samples: Annotated[int | None, typer.Option(
        metavar="N", min=0, show_default=False, help="Draws at most for a statistical check; 0: no simulation.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 also where a check was inconclusive.")] = False,
    format: Annotated[Format | None, typer.Option(
        show_default=False, help="Default: text, or what the suffix of --output says.")] = None,
    output: Annotated[Path | None, typer.Option(
        metavar="FILE", show_default=False, help="Write the report there, whole or not at all.")] = None,
):
    """Check both sides of every claim on a model.

    Every left side comes by routes that do not know the claim. The policy is a softmax with random parameters of the
    seed, rational ones where the model is exact; on continuous actions it takes one random action a state.
    """
    from .campaign import run

    return partial(run, model, slugs=theorem or None, gamma=gamma, seed=seed, samples=samples, strict=strict,
                   format=(format or _suffix(output)).value, output=output)


def _suffix(output: Path | None) -> Format:
    suffix = output.suffix.lower() if output else ""
    if suffix not in FORMATS:
        raise PGTheoryError(f"--output {output}: no report is written as {suffix}; end the name in .txt, .json or .html, or say "
                            "which one with --format")
    return FORMATS[suffix]


@app.command()
def models(format: Annotated[ListFormat, typer.Option(help="text or json.")] = ListFormat.text):
    """List the built-in models: name, S, A, gamma, title, source."""
    from .listing import list_models

    return partial(list_models, as_json=format is ListFormat.json)


@app.command()
def theorems(format: Annotated[ListFormat, typer.Option(help="text or json.")] = ListFormat.text):
    """List the claims: slug, title, source, and where each is proved."""
    from .listing import list_theorems

    return partial(list_theorems, as_json=format is ListFormat.json)


@app.command()
def prove(
    slug: Annotated[str | None, typer.Argument(
        metavar="SLUG", show_default=False, help="A claim; without one, every claim that has a derivation.")] = None,
    model: Annotated[str | None, typer.Option(
        metavar="MODEL", show_default=False,
        help="A built-in name (in fractions), gym:ENV_ID, or a file; without one, the running example of proofs/.")] = None,
    k: Annotated[int, typer.Option("-k", "--steps", metavar="K", min=1, help="How many steps are unrolled.")] = 3,
    format: Annotated[Format | None, typer.Option(
        show_default=False, help="Default: text, or what the suffix of --output says.")] = None,
    output: Annotated[Path | None, typer.Option(
        metavar="FILE", show_default=False, help="Write the proofs there, whole or not at all.")] = None,
):
    """Go through the proof of a claim: both sides of every step, and a verdict each.

    Text shows one entry of both sides of a step; json and html hold all of them.
    """
    from .proving import run

    return partial(run, slug, model, k, (format or _suffix(output)).value, output)


@app.command()
def demo(
    name: Annotated[str | None, typer.Argument(
        metavar="NAME", show_default=False, help="A demonstration; without one, they are listed.")] = None,
    output: Annotated[Path | None, typer.Option(
        metavar="FILE", show_default=False, help="Write the figure there (.svg, .png, .pdf); default: NAME.svg.")] = None,
):
    """Draw the figure of a teaching demonstration."""
    from .showing import run

    return partial(run, name, output)


@app.command()
def check(
    function: Annotated[str | None, typer.Argument(
        metavar="MODULE:FUNCTION", show_default=False,
        help="An importable module, or a .py file, and a function in it.")] = None,
    kind: Annotated[Kind | None, typer.Option("--as", show_default=False, help="What the function computes.")] = None,
    gamma: Annotated[float | None, typer.Option(
        metavar="G", min=0, max=1, show_default=False, help="The discount that the function uses (advantages).")] = None,
    lam: Annotated[float | None, typer.Option(
        metavar="L", min=0, max=1, show_default=False, help="Lambda, of advantages and of --target gae.")] = None,
    target: Annotated[str | None, typer.Option(
        metavar="TARGET", show_default=False,
        help="What it should be; for gradients 'gradient', 'without gamma^t', 'gradient up to scale', 'gae', ...")] = None,
    group_size: Annotated[int | None, typer.Option(
        metavar="K", min=1, show_default=False, help="Trajectories that one estimate, or one group, is made of.")] = None,
    form: Annotated[str | None, typer.Option(
        metavar="arrays|rollout", show_default=False,
        help="Advantages: called with four arrays, one episode a row (default), or with one rollout.")] = None,
    truncation: Annotated[str | None, typer.Option(
        metavar="HOW", show_default=False, help="Advantages: time limits are 'bootstrap' (default), 'as_termination' or 'absent'.")] = None,
    zoo: Annotated[bool, typer.Option("--zoo", help="Check the known bugs instead, and print the score.")] = False,
    format: Annotated[ListFormat, typer.Option(help="text or json.")] = ListFormat.text,
):
    """Check a gradient, weight or advantage estimator of yours: is it unbiased, and which known bug does it look like?"""
    from .checking import run

    return partial(run, function, kind=kind and kind.value, gamma=gamma, lam=lam, target=target, group_size=group_size, form=form,
                   truncation=truncation, zoo=zoo, as_json=format is ListFormat.json)
