"""The exact deterministic policy gradient, S = 1000 and k = 2, against one dgetrf and the time the model's functions take.

Run as ``OPENBLAS_NUM_THREADS=1 python benchmarks/deterministic.py``; prints times in milliseconds and the ratio
(gradient - functions) / dgetrf, for derivatives by the complex step and for supplied ones.
"""

from __future__ import annotations

import time

import numpy as np
from scipy.linalg import lapack

from pgtheory.continuous import ContinuousActionMDP
from pgtheory.deterministic_policies import DeterministicPolicy
from pgtheory.models.continuous import random_continuous
from pgtheory.solution import policy_gradient

S, K, FEATURES, ROUNDS = 1000, 2, 8, 15


class Clock:
    """A function that counts the seconds spent in it, and in freeing the memory of its answers."""

    def __init__(self, function):
        self.function, self.seconds, self.value = function, 0.0, None

    def __call__(self, actions):
        start = time.process_time()
        self.value = None
        self.value = self.function(actions)
        self.seconds += time.process_time() - start
        return self.value


def timed(model):
    """The same model with its functions under clocks."""
    clocks = {name: Clock(f) for name in ("P", "R", "dP", "dR") if (f := getattr(model, name)) is not None}
    derivatives = {name: clocks[name] for name in ("dP", "dR") if name in clocks}
    return clocks, ContinuousActionMDP(clocks["P"], clocks["R"], model.gamma, model.rho, K, vectorized=True, **derivatives)


def factorization(rng) -> float:
    """Seconds of one dgetrf of the gradient's size."""
    M = np.asfortranarray(np.eye(S) - 0.9 * rng.dirichlet(np.ones(S), size=S))
    start = time.process_time()
    lapack.dgetrf(M, overwrite_a=True)
    return time.process_time() - start


def gradient(model, clocks, policy, theta):
    """(seconds in all, seconds in the model's functions) of one gradient."""
    before = sum(c.seconds for c in clocks.values())
    start = time.process_time()
    policy_gradient(model, policy, theta)
    return time.process_time() - start, sum(c.seconds for c in clocks.values()) - before


def main() -> None:
    """Interleave the two, and print the medians."""
    rng = np.random.default_rng(0)
    policy, theta = DeterministicPolicy(rng.normal(size=(S, FEATURES))), rng.normal(size=(FEATURES, K)) / FEATURES
    for supplied in (False, True):
        clocks, model = timed(random_continuous(S, K, rng=1, supplied=supplied))
        start = time.process_time()
        policy_gradient(model, policy, theta)   # compares the derivatives with finite differences, once a model
        first = time.process_time() - start
        rows = [(factorization(rng), *gradient(model, clocks, policy, theta)) for _ in range(ROUNDS)]
        dgetrf, whole, functions = (1e3 * float(x) for x in np.median(rows, axis=0))
        ratio = float(np.median([(w - f) / g for g, w, f in rows]))
        print(f"derivatives {'supplied' if supplied else 'by complex step':16s} dgetrf {dgetrf:7.1f}  gradient {whole:7.1f}  "
              f"of it functions {functions:7.1f}  first call {1e3 * first:7.1f}  ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
