"""The zoo of gradient estimators: every known bug that one can write through ``fn(batch, policy, theta, gamma)``.

Rows are numbered by kind: A returns and discounts, B masks and bootstraps, C baselines and normalisation, D averages over
steps, E log-probabilities and entropy, F ratios. The links name public threads; a thread proves that somebody reported it, not
that the code is wrong today.
"""

from __future__ import annotations

from .averages import AVERAGES
from .controls import CONTROLS
from .likelihoods import LIKELIHOODS
from .mutant import Mutant
from .returns import RETURNS
from .traces import TRACES

GRADIENTS: tuple[Mutant, ...] = RETURNS + AVERAGES + LIKELIHOODS + TRACES
NEGATIVE_CONTROLS: tuple[Mutant, ...] = CONTROLS
