"""Ten million simulated steps with the reward-to-go gradient, against drawing two uniform doubles a step."""

from __future__ import annotations

import clock
import numpy as np

import pgtheory as pg

S, A, T, N = 100, 4, 100, 100_000
FACTOR, ROUNDS = 3.0, 7
DRAWS = 200_000


def draw(rng):
    """Two uniform doubles for each of the N T steps, in pieces that fit the cache."""
    for _ in range(2 * N * T // DRAWS):
        rng.random(DRAWS)


def table() -> list[clock.Row]:
    rng = np.random.default_rng(0)
    P = rng.dirichlet(np.ones(S), size=(S, A))
    mdp = pg.MDP(P, rng.standard_normal((S, A)), 0.99, np.full(S, 1 / S), normalize=True)
    policy, theta, estimator = pg.SoftmaxPolicy(S, A), rng.standard_normal((S, A)), pg.estimators.RewardToGo()
    times = clock.interleave({
        "draws": (lambda: rng, draw),
        "ours": (lambda: rng, lambda rng: pg.simulate_gradient(estimator, mdp, policy, theta, N, T, rng)),
    }, ROUNDS)
    return [clock.Row("10^7 simulated steps, reward-to-go", times["ours"], times["draws"], FACTOR * times["draws"],
                      f"{FACTOR:g}x two draws a step")]


if __name__ == "__main__":
    raise SystemExit(clock.show(table()))
