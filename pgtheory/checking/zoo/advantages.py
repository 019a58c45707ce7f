"""The zoo of advantages and returns: each bug a small wrong function (rollout, setting) -> (advantages, returns).

The right one is :func:`pgtheory.checking.references.reference`. Most bugs are the right recursion over a wrong record: another
value at a boundary, a mask one step off. Those serve GAE, n-step returns and V-trace alike.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..references import ahead, carried, n_step, residuals, stops
from .advantage_bug import ROLLOUT, AdvantageBug, only
from .boundaries import BOOTSTRAPS
from .factors import FACTORS, RATIOS
from .rewards import REWARDS

BUGS: tuple[AdvantageBug, ...] = BOOTSTRAPS + REWARDS + FACTORS + RATIOS


# ------------------------------------------------------------------------------------------------ right, though reported


def _masked_before(r, s):
    """The values of terminal states are set to 0 first; delta then needs no mask."""
    known = replace(r, next_values=np.where(stops(r, s), 0.0, r.next_values))
    return carried(known, residuals(known, s, ends=np.zeros_like(r.done)), s.gamma * s.trace)


def _lambda_return_first(r, s):
    following = np.where(stops(r, s), 0.0, r.next_values)
    inside = ahead(r, np.ones_like(r.rewards)) == 1
    blend = np.where(inside, (1 - s.trace) * following, following)
    return carried(r, r.rewards + s.gamma * blend, s.gamma * s.trace) - r.values


def _mixture(r, s):
    """(1 - lambda) sum_n lambda^(n-1) A^(n), what is left over to the longest."""
    T = r.rewards.shape[1]
    steps = [n_step(r, replace(s, n=n)) for n in range(1, T + 1)]
    return sum((1 - s.trace) * s.trace**k * A for k, A in enumerate(steps[:-1])) + s.trace ** (T - 1) * steps[-1]


def _explicit_sum(r, s):
    delta = residuals(r, s)
    total = np.zeros_like(delta)
    for k in reversed(range(delta.shape[1])):
        total = total + (s.gamma * s.trace) ** k * _shifted(r, delta, k)
    return total


def _shifted(r, delta, k):
    for _ in range(k):
        delta = ahead(r, delta)
    return delta


CONTROLS = (
    AdvantageBug("masked-values", "delta without a done mask, on values that are 0 at the end already", only(_masked_before),
                 ("thu-ml/tianshou#869",), shown=ROLLOUT),
    AdvantageBug("lambda-return-minus-value", "the lambda return by its own recursion, minus V", only(_lambda_return_first),
                 ("ikostrikov/pytorch-a2c-ppo-acktr-gail#110",)),
    AdvantageBug("mixture", "the mixture of n-step advantages", only(_mixture), ("google-deepmind/rlax#140",), shown=ROLLOUT),
    AdvantageBug("explicit-sum", "the sum over residuals, without a recursion", only(_explicit_sum), ("openai/baselines#224",)),
)
ELSEWHERE = {
    "A7 (ring buffer)": "the window crosses the head of a ring buffer: lies in the buffer, not in the function",
    "C1, C2": "gradients through the advantage: needs the parameters of the critic",
    "C5": "statistics of the first call: refused as a function that keeps state",
    "D1-D3": "averages over steps of a loss: check_weights",
    "E1-E10": "log-probabilities and entropies: check_estimator",
    "G1-G6": "deterministic actions, target networks: no advantage is computed",
}
