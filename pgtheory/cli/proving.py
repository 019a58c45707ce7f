"""``pgtheory prove``: the proofs printed one after the other, and the exit code."""

from __future__ import annotations

from ..continuous.model import ContinuousActionMDP
from ..derivations import DERIVATIONS, ON_ACTIONS, ON_TRAJECTORIES, prove
from ..errors import UndefinedError
from ..report.text import paragraph
from .campaign import RULE, load


def run(slug: str | None, model: str | None, k: int) -> int:
    """Print the proof of ``slug`` (without one, of every claim that applies to the model); 1 where a step does not hold.

    >>> from pgtheory.cli.proving import run
    >>> run("occupancy", None, 2)   # doctest: +ELLIPSIS
    Discounted state distribution (occupancy)
    ...
    model: proofs/occupancy.md
    0
    """
    mdp = None if model is None else load(model, exact=True)
    if slug is not None:
        proof = prove(slug, mdp, k=k)
        print(proof)
        return int(not proof.passed)
    held: list[bool] = []
    for name in _derived(mdp):
        try:
            proof = prove(name, mdp, k=k)
        except UndefinedError as error:
            print("\n".join([*paragraph(f"{name}: not proved here: {error}."), RULE]), flush=True)
        else:
            print(f"{proof}\n{RULE}", flush=True)
            held.append(proof.passed)
    passed = bool(held) and all(held)
    print(f"{'PASSED' if passed else 'NOT PROVED'}: {sum(held)} of {len(held)} claims hold step by step.")
    return int(not passed)


def _derived(model) -> list[str]:
    """The claims with a derivation that are made for the model; all of them without one."""
    if model is None:
        return [*DERIVATIONS, *ON_ACTIONS, *ON_TRAJECTORIES]
    return list(ON_ACTIONS if isinstance(model, ContinuousActionMDP) else DERIVATIONS | ON_TRAJECTORIES)
