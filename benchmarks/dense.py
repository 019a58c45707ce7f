"""V, Q, D and the exact gradient of a dense MDP, against one dgetrf of that size and one pass over P."""

from __future__ import annotations

import sys

import clock
import numpy as np
from scipy.linalg import lapack

import pgtheory as pg

GAMMA, ACTIONS = 0.99, 4
BARS = {   # states: (factor, seconds on top, rounds, calls a round)
    100: (1.6, 40e-6, 100, 20),
    500: (1.3, 0.0, 60, 5),
    1000: (1.3, 0.0, 20, 3),
    2000: (1.1, 0.0, 9, 1),
    4000: (1.1, 0.0, 3, 1),
}


def random_mdp(S, rng):
    """Every transition possible, rewards of state and action."""
    P = rng.random((S, ACTIONS, S))
    P /= P.sum(axis=2, keepdims=True)
    return pg.MDP(P, rng.standard_normal((S, ACTIONS)), GAMMA, 0)


def everything(mdp, policy, theta):
    """What a user types."""
    solution = pg.solve(mdp, policy.probabilities(theta))
    return solution.V, solution.Q, solution.D, policy.pullback(theta, solution.d[:, None] * solution.Q)


def measure(S) -> clock.Row:
    factor, extra, rounds, calls = BARS[S]
    rng = np.random.default_rng(S)
    mdp, policy, theta = random_mdp(S, rng), pg.SoftmaxPolicy(S, ACTIONS), rng.standard_normal((S, ACTIONS))
    M = np.asfortranarray(np.eye(S) - GAMMA * pg.solve(mdp, policy.probabilities(theta)).P_pi)
    rows, V = mdp.P.reshape(S * ACTIONS, S), rng.standard_normal(S)

    def limit(buffer):
        lapack.dgetrf(buffer, overwrite_a=True)
        rows @ V

    times = clock.interleave({"limit": (lambda: M.copy(order="F"), limit),
                              "ours": (lambda: None, lambda _: everything(mdp, policy, theta))}, rounds, calls)
    rule = f"{factor}x" + (f" + {extra * 1e6:.0f} us" if extra else "")
    return clock.Row(f"dense, S = {S}, A = {ACTIONS}", times["ours"], times["limit"], factor * times["limit"] + extra, rule)


def table(large=False) -> list[clock.Row]:
    return [measure(S) for S in BARS if large or S < 4000]


if __name__ == "__main__":
    raise SystemExit(clock.show(table("--large" in sys.argv)))
