"""What the theorems say: one file a claim, with its statement, hypotheses, source and theorem side."""

from . import (
    bellman,
    deterministic,
    deterministic_bellman,
    deterministic_recursion,
    deterministic_unrolling,
    occupancy,
    recursion,
    score_function,
    stochastic,
    unrolling,
)

CLAIMS = (bellman.CLAIM, recursion.CLAIM, unrolling.CLAIM, occupancy.CLAIM, stochastic.CLAIM, score_function.CLAIM,
          deterministic_bellman.CLAIM, deterministic_recursion.CLAIM, deterministic_unrolling.CLAIM, deterministic.CLAIM)
