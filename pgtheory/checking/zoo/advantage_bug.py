"""What a bug of advantages is, and the small steps that such bugs are written with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..paths import BOOTSTRAP, from_arrays
from ..references import Setting, as_target, carried, reference

EVERY = ("gae", "n-step", "v-trace")
ROLLOUT, NSTEP, VTRACE = {"form": "rollout"}, {"target": "n-step"}, {"target": "v-trace", "form": "rollout"}
RETURNS, MONTE_CARLO = {"output": "both"}, {"target": "monte carlo"}


@dataclass(frozen=True, eq=False)
class AdvantageBug:
    """A wrong way to compute advantages or returns.

    bug : id; words : what it does; wrong : (rollout, setting) -> (advantages, returns), (N, T) each
    links : public threads, repository#number; look : what to look at; families : the recursions it can happen to
    shown : settings of ``check_advantages`` under which it shows, beside gamma and lam
    """

    seam = "advantages"

    bug: str
    words: str
    wrong: Callable[[Any, Any], tuple]
    links: tuple[str, ...] = ()
    look: str = ""
    families: tuple[str, ...] = ("gae",)
    shown: dict = field(default_factory=dict)

    def settings(self, gamma=0.8, lam=0.9) -> dict:
        """Arguments of ``check_advantages`` under which it shows."""
        return {"gamma": gamma, "lam": lam, **self.shown}

    def function(self, gamma, lam=0.95, target="gae", form="arrays", output="advantages", truncation=BOOTSTRAP, n=3):
        """The bug as a user would have it: a function for ``check_advantages`` with these settings."""
        s = Setting(gamma, lam, n, as_target(target), truncation, form)
        place = 1 if output == "returns" or s.target.endswith("returns") else 0
        if form == "arrays":
            return lambda *arrays: _pick(self.wrong(from_arrays(*arrays), s), output, place)
        return lambda rollout: _pick(self.wrong(rollout, s), output, place)


def _pick(pair, output, place):
    return pair if output == "both" else pair[place]


def only(advantages):
    """A wrong advantage, with the returns that follow from it."""
    def wrong(r, s):
        A = advantages(r, s)
        return A, A + r.values
    return wrong


def on(changed):
    """The right recursion over a wrong record."""
    return lambda r, s: reference(changed(r, s), s)


def forward(x, by=1):
    """(N, T) x of the step after, 0 at the end of the row."""
    return np.concatenate([x[:, by:], np.zeros_like(x[:, :by])], axis=1)


def backward(x, by=1):
    """(N, T) x of the step before, 0 at the start of the row."""
    return np.concatenate([np.zeros_like(x[:, :by]), x[:, :-by]], axis=1)


def trace(r, s, delta):
    """(N, T) residuals summed as GAE sums them."""
    return carried(r, delta, s.gamma * s.trace)
