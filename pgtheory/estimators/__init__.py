"""Policy gradient estimators: small frozen objects, called on a batch of trajectories.

``estimator(batch, policy, theta, gamma)`` gives (N,) + shape, one estimate per trajectory, in the arithmetic of the batch.
Every one of them takes ``gamma_weighting=True``: the weight gamma^t of step t, with which the discounted objective's
gradient is estimated; without it what is estimated is, in general, not the gradient of any function.
"""

from .base import Estimator
from .critics import GAE, ActorCritic, AllAction, NStep
from .deterministic import DeterministicGradient
from .montecarlo import Baseline, Gpomdp, LeaveOneOut, Reinforce, RewardToGo, surrogate_loss
from .offpolicy import PerDecisionIS, TrajectoryIS, VTrace

__all__ = [
    "GAE",
    "ActorCritic",
    "AllAction",
    "Baseline",
    "DeterministicGradient",
    "Estimator",
    "Gpomdp",
    "LeaveOneOut",
    "NStep",
    "PerDecisionIS",
    "Reinforce",
    "RewardToGo",
    "TrajectoryIS",
    "VTrace",
    "surrogate_loss",
]
