"""Policy gradient estimators: small frozen objects, called on a batch of trajectories.

``estimator(batch, policy, theta, gamma)`` gives (N,) + shape, one estimate per trajectory, in the arithmetic of the batch.
Every one of them takes ``gamma_weighting=True``: the weight gamma^t of step t, with which the discounted objective's
gradient is estimated; without it what is estimated is, in general, not the gradient of any function.

One decision between 1 and 0 at p = 1/2: the exact mean of REINFORCE is p (1 - p) = 1/4.

>>> import pgtheory as pg
>>> bandit, policy, theta = pg.models.load("bandit"), pg.SoftmaxPolicy(2, 2), [[0.0, 0.0], [0.0, 0.0]]
>>> pg.moments(pg.estimators.Reinforce(), bandit, policy, theta, horizon=1).mean[0].round(12).tolist()
[0.25, -0.25]
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
