"""``pgtheory prove``: the proofs printed one after the other, and the exit code."""

from __future__ import annotations

from .campaign import RULE, load
from .continuous import ContinuousActionMDP
from .derivations import DERIVATIONS, ON_ACTIONS, ON_TRAJECTORIES, prove


def run(slug: str | None, model: str | None, k: int) -> int:
    """Print the proof of ``slug`` (without one, of every claim that has a derivation); 1 where a step does not hold.

    >>> from pgtheory.proving import run
    >>> run("occupancy", None, 2)   # doctest: +ELLIPSIS
    Discounted state distribution (occupancy)
    ...
    model: proofs/occupancy.md
    0
    """
    mdp = None if model is None else load(model, exact=True)
    held: list[bool] = []
    for name in _derived(mdp) if slug is None else (slug,):
        proof = prove(name, mdp, k=k)
        print(f"{RULE}\n{proof}" if held else proof, flush=True)
        held.append(proof.passed)
    if slug is None:
        print(f"{RULE}\n{'PASSED' if all(held) else 'NOT PROVED'}: {sum(held)} of {len(held)} claims hold step by step.")
    return int(not all(held))


def _derived(model) -> list[str]:
    """The claims with a derivation that are made for the model; all of them without one."""
    if model is None:
        return [*DERIVATIONS, *ON_ACTIONS, *ON_TRAJECTORIES]
    return list(ON_ACTIONS if isinstance(model, ContinuousActionMDP) else DERIVATIONS | ON_TRAJECTORIES)
