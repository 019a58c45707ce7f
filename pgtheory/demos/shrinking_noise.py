r"""A Gaussian policy with sigma going to 0: its gradient tends to the deterministic one, its score estimate explodes.

Silver et al., *Deterministic policy gradient algorithms*, ICML 2014, theorem 2; rates as in :mod:`pgtheory.continuous.vanishing_noise`.
"""

from __future__ import annotations

import numpy as np

from ..continuous.deterministic_policies import DeterministicPolicy
from ..continuous.vanishing_noise import sigma_limit
from ..models import load
from .style import BLUE, GREEN, GREY, ORANGE, plain

TITLE = "As sigma goes to 0 the gradients agree, and the score-function estimate does not survive it"
SIZE = (12.0, 5.8)


def numbers() -> dict:
    """Distance of the gradients and second moments of the estimates, for sigma = 0.4, 0.2, ...; the thermostat."""
    sigmas = 0.4 * 2.0 ** -np.arange(8)
    limit = sigma_limit(load("thermostat"), DeterministicPolicy(features=np.ones((9, 1))), [[0.2]], sigmas)
    return {"sigmas": sigmas, "errors": limit.errors, "orders": limit.orders, "score moments": limit.score_moments,
            "deterministic moment": limit.deterministic_moment, "deterministic gradient": float(limit.deterministic[0, 0])}


def draw(figure, found) -> None:
    errors, spread = figure.subplots(1, 2)
    s = found["sigmas"]
    errors.loglog(s, found["errors"], "o-", color=BLUE, label="|Gaussian gradient - deterministic gradient|")
    errors.loglog(s, found["errors"][-1] * (s / s[-1]) ** 2, "--", color=GREY, label="slope 2: halving sigma divides it by 4")
    plain(errors, "the gradients", "sigma (action units)", "distance (reward per unit of theta)")
    spread.loglog(s, found["score moments"], "o-", color=ORANGE, label="score-function estimate")
    spread.loglog(s, found["score moments"][-1] * (s / s[-1]) ** -2, "--", color=GREY, label="slope -2")
    spread.axhline(found["deterministic moment"], color=GREEN, linewidth=2, label="deterministic estimate")
    plain(spread, "the estimates from one sampled state and action", "sigma (action units)",
          "mean square (reward per unit of theta, squared)")
    for axes in (errors, spread):
        axes.legend(frameon=False, fontsize=11)
