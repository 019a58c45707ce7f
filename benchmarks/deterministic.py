"""The exact deterministic policy gradient, S = 1000, k = 2, less the time of the model's functions, against one dgetrf."""

from __future__ import annotations

from statistics import median
from time import process_time

import clock
import numpy as np
from scipy.linalg import lapack

from pgtheory.continuous.deterministic_policies import DeterministicPolicy
from pgtheory.continuous.model import ContinuousActionMDP
from pgtheory.models.continuous import random_continuous
from pgtheory.solution import policy_gradient, solve

S, K, FEATURES, GAMMA, ROUNDS = 1000, 2, 8, 0.9, 21
FACTOR = 1.3


class Clock:
    """A function that counts the seconds spent in it, and in freeing the memory of its answers."""

    def __init__(self, function):
        self.function, self.seconds, self.value = function, 0.0, None

    def __call__(self, actions):
        start = process_time()
        self.value = None
        self.value = self.function(actions)
        self.seconds += process_time() - start
        return self.value


def timed(model):
    """The clocks, and the same model with its functions under them."""
    clocks = {name: Clock(f) for name in ("P", "R", "dP", "dR") if (f := getattr(model, name)) is not None}
    derivatives = {name: clocks[name] for name in ("dP", "dR") if name in clocks}
    copy = ContinuousActionMDP(clocks["P"], clocks["R"], GAMMA, model.rho, K, vectorized=True, **derivatives)
    return clocks.values(), copy


def measure(supplied: bool) -> clock.Row:
    """Medians over interleaved rounds; the first gradient, which compares the derivatives with differences, is not timed."""
    rng = np.random.default_rng(0)
    policy, theta = DeterministicPolicy(rng.normal(size=(S, FEATURES))), rng.normal(size=(FEATURES, K)) / FEATURES
    clocks, model = timed(random_continuous(S, K, rng=1, gamma=GAMMA, supplied=supplied))
    policy_gradient(model, policy, theta)
    M = np.eye(S) - GAMMA * solve(model, policy.actions(theta)).P_pi
    factorizations, gradients, functions = [], [], []
    for _ in range(ROUNDS):
        buffer = M.copy(order="F")
        start = process_time()
        lapack.dgetrf(buffer, overwrite_a=True)
        factorizations.append(process_time() - start)
        before, start = sum(c.seconds for c in clocks), process_time()
        policy_gradient(model, policy, theta)
        gradients.append(process_time() - start)
        functions.append(sum(c.seconds for c in clocks) - before)
    limit, own = median(factorizations), median(g - f for g, f in zip(gradients, functions, strict=True))
    name = f"deterministic, {'dP, dR given' if supplied else 'complex step'}"
    return clock.Row(name, own, limit, FACTOR * limit, f"{FACTOR}x")


def table() -> list[clock.Row]:
    """Both ways to differentiate; the functions' own time is subtracted on the left."""
    return [measure(supplied) for supplied in (True, False)]


if __name__ == "__main__":
    raise SystemExit(clock.show(table()))
