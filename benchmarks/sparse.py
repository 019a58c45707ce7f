"""V, Q, D and the exact gradient on a 316 x 316 grid, against one SuperLU factorisation with the best ordering."""

from __future__ import annotations

import clock
import numpy as np
import scipy.sparse
from dense import everything
from scipy.sparse.linalg import splu

import pgtheory as pg

SIDE, GAMMA, SLIP, FACTOR, ROUNDS = 316, 0.99, 0.2, 1.3, 7
SYMMETRIC = {"diag_pivot_thresh": 0.0, "options": {"SymmetricMode": True}}
ORDERINGS = {f"{order}{', symmetric mode' if mode else ''}": {"permc_spec": order} | mode
             for order in ("MMD_AT_PLUS_A", "MMD_ATA", "COLAMD") for mode in ({}, SYMMETRIC)}


def grid(side, rng):
    """Four moves that slip to either side with probability SLIP / 2; walls stop."""
    S = side * side
    row, column = np.divmod(np.arange(S), side)
    steps = [(-1, 0), (0, 1), (1, 0), (0, -1)]
    reached = [np.clip(row + i, 0, side - 1) * side + np.clip(column + j, 0, side - 1) for i, j in steps]
    turns = {0: 1 - SLIP, 1: SLIP / 2, -1: SLIP / 2}
    rows = np.concatenate([np.arange(S) * 4 + a for a in range(4) for _ in turns])
    columns = np.concatenate([reached[(a + turn) % 4] for a in range(4) for turn in turns])
    P = scipy.sparse.csr_array((np.tile(np.repeat(list(turns.values()), S), 4), (rows, columns)), shape=(S * 4, S))
    return pg.MDP(P, rng.standard_normal((S, 4)), GAMMA, 0)


def table() -> list[clock.Row]:
    rng = np.random.default_rng(0)
    mdp, policy = grid(SIDE, rng), pg.SoftmaxPolicy(SIDE**2, 4)
    theta = rng.standard_normal((SIDE**2, 4))
    P_pi = pg.solve(mdp, policy.probabilities(theta)).P_pi
    M = scipy.sparse.csc_array(scipy.sparse.eye_array(SIDE**2) - GAMMA * P_pi)
    contenders = {name: (lambda: None, lambda _, how=how: splu(M, **how)) for name, how in ORDERINGS.items()}
    times = clock.interleave(contenders | {"ours": (lambda: None, lambda _: everything(mdp, policy, theta))}, ROUNDS)
    best = min(ORDERINGS, key=times.get)
    print(f"best SuperLU ordering: {best}")
    return [clock.Row(f"sparse grid, {SIDE} x {SIDE}", times["ours"], times[best], FACTOR * times[best], f"{FACTOR}x")]


if __name__ == "__main__":
    raise SystemExit(clock.show(table()))
