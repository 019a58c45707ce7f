"""Lines, scales and refusals that the derivations about trajectories share."""

from __future__ import annotations

import numpy as np

from ..errors import UndefinedError
from .line import Line

OFF_THE_SIMPLEX = "the derivatives of this policy leave the simplex: the rows of pi do not keep their sum"


def require(claim, setting) -> None:
    """Refuse a claim that does not apply."""
    reason = claim.applies(setting.problem)
    if reason is None and claim.needs_simplex and not (setting.problem.policy.normalised or setting.in_the_simplex):
        reason = f"{OFF_THE_SIMPLEX}, and symbols are differentiated coordinate by coordinate"
    if reason is not None:
        raise UndefinedError(f"{claim.slug} does not apply: {reason}")


def score(setting) -> float:
    """Sums of scores before they cancel."""
    return setting.episodes.gradient_size(1.0)


def gradient(setting) -> float:
    """Estimates of the gradient before they cancel."""
    return setting.episodes.gradient_size()


def gained(setting) -> float:
    """Returns."""
    return setting.episodes.return_size


def claimed(claim, index: int):
    """The right side of the claim's equation of that number, as :mod:`pgtheory.claims` computes it."""
    return lambda setting: np.asarray(claim.equations(setting.problem)[index].rhs)


def score_mean() -> Line:
    """Every state's score has mean 0."""
    return Line(
        "The score has mean 0", r"\sum_a \pi(a|s) \nabla\log\pi(a|s) = \nabla \sum_a \pi(a|s) = 0",
        "pi grad log pi is grad pi, and the probabilities of a row sum to 1 for all theta nearby",
        lambda it: (it.problem.along(it.problem.policy.score(it.problem.theta)) * it.pi[:, :, None]).sum(axis=1),
        lambda it: it.arithmetic.zeros((it.S, it.problem.theta.size)), ("s", "theta"), lambda it: it.slope_size())
