"""What the theorems say: one file a claim, with its statement, hypotheses, source and theorem side."""

from . import (
    baseline,
    bellman,
    deterministic,
    deterministic_bellman,
    deterministic_recursion,
    deterministic_unrolling,
    eglp,
    log_derivative,
    occupancy,
    recursion,
    reward_to_go,
    score_function,
    stochastic,
    surrogate_loss,
    trajectory_score,
    unrolling,
)

CLAIMS = (bellman.CLAIM, recursion.CLAIM, unrolling.CLAIM, occupancy.CLAIM, stochastic.CLAIM, score_function.CLAIM,
          deterministic_bellman.CLAIM, deterministic_recursion.CLAIM, deterministic_unrolling.CLAIM, deterministic.CLAIM,
          trajectory_score.CLAIM, log_derivative.CLAIM, surrogate_loss.CLAIM, reward_to_go.CLAIM, baseline.CLAIM, eglp.CLAIM)
