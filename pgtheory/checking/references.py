r"""What is right: the recursions over a record of steps, each written once, for rows with several episodes and with holes.

.. math::
    \delta_t = r_t + \gamma\, v(s'_t) - v(s_t), \qquad A_t = \delta_t + \gamma\lambda A_{t+1},

with :math:`s'_t` the state that step t reached. At a termination v(s'_t) counts 0; at a time limit it counts, or not,
as declared; at either, and at the end of a row, nothing is carried over from behind. "t+1" is the next step of the row that
is one: holes are skipped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import PGTheoryError
from .paths import AS_TERMINATION, BOOTSTRAP, next_step

TARGETS = ("gae", "lambda returns", "td residual", "n-step", "n-step returns", "monte carlo", "monte carlo returns", "v-trace",
           "v-trace returns")
ALIASES = {"reward to go": "monte carlo returns", "returns": "monte carlo returns", "td(lambda)": "lambda returns",
           "lambda return": "lambda returns", "n-step return": "n-step returns", "td error": "td residual",
           "n-step advantages": "n-step", "n-step advantage": "n-step", "vtrace": "v-trace"}


@dataclass(frozen=True)
class Setting:
    """What was declared: the discount, lambda, the number of steps n, the target, how time limits count, what a row is."""

    gamma: float
    lam: float = 0.95
    n: int = 3
    target: str = "gae"
    truncation: str = BOOTSTRAP
    form: str = "rollout"

    @property
    def family(self) -> str:
        """"gae", "n-step" or "v-trace": which recursion it is."""
        return self.target.removesuffix(" returns") if self.target[0] in "nv" else "gae"

    @property
    def trace(self) -> float:
        """The lambda in use: 0 for the residual, 1 for Monte Carlo."""
        return {"td residual": 0.0, "monte carlo": 1.0, "monte carlo returns": 1.0}.get(self.target, self.lam)


def as_target(name) -> str:
    """The target's name in this module's spelling.

    >>> as_target("reward-to-go"), as_target("n_step_returns"), as_target("GAE")
    ('monte carlo returns', 'n-step returns', 'gae')
    """
    words = " ".join(str(name).lower().replace("_", " ").replace("-", " ").split())
    words = words.replace("n step", "n-step").replace("v trace", "v-trace")
    words = ALIASES.get(words, words)
    if words not in TARGETS:
        raise PGTheoryError(f"target is {name!r}: it must be one of {', '.join(map(repr, TARGETS))}")
    return words


def stops(r, s):
    """(N, T) bool: no value follows step t."""
    return r.done if s.truncation == AS_TERMINATION else r.terminated


def residuals(r, s, next_values=None, ends=None):
    """(N, T) r_t + gamma v(s'_t) - v(s_t)."""
    following = r.next_values if next_values is None else next_values
    return r.rewards + s.gamma * np.where(stops(r, s) if ends is None else ends, 0.0, following) - r.values


def carried(r, x, factor, cuts=None, valid=None):
    """(N, T) y_t = x_t + factor_t y_{t+1}; nothing is carried over a cut, nor in from the end of the row."""
    following = next_step(r.valid if valid is None else valid)
    factor = np.where(r.done if cuts is None else cuts, 0.0, factor)
    y, rows = np.zeros((len(x), x.shape[1] + 1)), np.arange(len(x))
    for t in reversed(range(x.shape[1])):
        y[:, t] = x[:, t] + factor[:, t] * y[rows, following[:, t]]
    return y[:, :-1]


def ahead(r, y, cuts=None):
    """(N, T) y at the next step of the same episode; 0 where there is none."""
    following = np.take_along_axis(np.pad(y, ((0, 0), (0, 1))), next_step(r.valid), axis=1)
    return np.where(r.done if cuts is None else cuts, 0.0, following)


def gae(r, s):
    """(N, T) advantages. Source: Schulman et al., ICLR 2016, equation 16; lambda 1 is Monte Carlo, 0 the residual."""
    return carried(r, residuals(r, s), s.gamma * s.trace)


def n_step(r, s):
    """(N, T) sum of the first n residuals, discounted; fewer near an end. Source: Sutton & Barto 2018, equation 7.1."""
    return summed(r, s, residuals(r, s))


def summed(r, s, delta, cuts=None):
    """(N, T) n residuals from step t on, discounted; not over a cut."""
    total = delta
    for _ in range(s.n - 1):
        total = delta + s.gamma * ahead(r, total, cuts)
    return total


def v_trace(r, s):
    """(advantages, targets), (N, T) each, clips at 1. Source: Espeholt et al., *IMPALA*, ICML 2018, equation 1, remark 2."""
    clipped, delta = np.minimum(r.ratios, 1), residuals(r, s)
    correction = carried(r, clipped * delta, s.gamma * s.lam * clipped)
    return clipped * (delta + s.gamma * ahead(r, correction)), r.values + correction


def reference(r, s):
    """(advantages, returns) of the declared target."""
    if s.family == "v-trace":
        return v_trace(r, s)
    advantages = n_step(r, s) if s.family == "n-step" else gae(r, s)
    return advantages, advantages + r.values
