"""Reported bugs that no seam can carry, each with the reason: they need parameters, buffers or actions that no seam hands over."""

from __future__ import annotations

from .advantages import ELSEWHERE as ADVANTAGES
from .weights import ELSEWHERE as WEIGHTS

NOWHERE = {
    "C2": "a sampled action that carries a gradient into log pi: needs a reparametrised action, the seams have finitely many",
    "C10": "a vectorised and a looped version that differ at tiny variance: compare them with each other",
    "E1, E2, E3": "squashed Gaussian densities: actions of a continuum; check the score by quadrature (pg.GaussianPolicy)",
    "E6": "the log-probability of a clipped action: as above",
    "E9": "gradients of estimators of a KL divergence: the target would be that of the divergence, not of the return",
    "E10": "soft targets of off-policy critics: a Bellman residual, no gradient estimator",
    "F3": "stale log-probabilities across minibatches: lies in the loop around the function",
    "F7": "a scan after shuffling: lies in the buffer, before the function is called",
    "F9": "softmax weights over a batch: no policy gradient is claimed",
    "F11": "weighted importance sampling of action values: no gradient; right for action values",
    "G1, G3, G7": "deterministic actions: no scores; pg.estimators.DeterministicGradient and its tests hold the right one",
    "G4, G5, G6": "target networks and twin critics: lie in the update, not in an estimator",
}


def lines() -> list[str]:
    """What is skipped, seam by seam, with the reason.

    >>> lines()[1]
    '  C2           a sampled action that carries a gradient into log pi: needs a reparametrised action, the seams have finitely many'
    """
    tables = {"Reports that no seam can carry": NOWHERE, "Not in the table of advantages": ADVANTAGES,
              "Not in the table of weights": WEIGHTS}
    return [line for title, table in tables.items() for line in (title, *(f"  {rows:<12} {reason}" for rows, reason in table.items()))]
