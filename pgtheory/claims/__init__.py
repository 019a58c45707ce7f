"""What the theorems say: one file a claim, with its statement, hypotheses, source and theorem side."""

from . import bellman, occupancy, recursion, score_function, stochastic, unrolling

CLAIMS = (bellman.CLAIM, recursion.CLAIM, unrolling.CLAIM, occupancy.CLAIM, stochastic.CLAIM, score_function.CLAIM)
