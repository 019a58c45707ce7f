r"""pgtheory, the exact oracle for policy gradients.

Finite Markov decision processes solved by linear algebra; the policy gradient theorems and the theory around them stated
as code; both sides of every claim by independent routes.

>>> import pgtheory as pg
>>> corridor = pg.models.load("short-corridor")
>>> pg.solve(corridor, [[0.5, 0.5]] * 4).V
array([-12., -10.,  -6.,   0.])
"""

from __future__ import annotations

from importlib import import_module

from .errors import (
    EstimatorError,
    InvalidMDPError,
    InvalidPolicyError,
    MissingExtraError,
    NotExactError,
    PGTheoryError,
    SlowWarning,
    UndefinedError,
)
from .mdp import MDP
from .policies import DirectPolicy, EscortPolicy, Policy, SoftmaxPolicy
from .solution import Solution, policy_gradient, solve, value_gradient

__version__ = "0.1.0"

_LAZY = {   # name: module that holds it; loaded when first asked for, so that the import stays light
    "models": "models",
    "strategies": "strategies",
    "testing": "testing",
    "estimators": "estimators",
    "identities": "identities",
    "sample": "trajectories.batch",
    "enumerate_trajectories": "trajectories.enumeration",
    "moments": "variance.exact",
    "optimal_baseline": "variance.baselines",
    "variance_parts": "variance.baselines",
    "simulate_gradient": "streaming",
    "gradient_ascent": "ascent",
    "ContinuousActionMDP": "continuous.model",
    "ContinuousSolution": "continuous.solution",
    "GaussianSolution": "continuous.gaussian_solution",
    "DeterministicPolicy": "continuous.deterministic_policies",
    "GaussianPolicy": "continuous.gaussian_policies",
    "TruncatedGaussianPolicy": "continuous.bounded_policies",
    "SquashedGaussianPolicy": "continuous.bounded_policies",
    "DeterministicCritic": "continuous.critic",
    "sigma_limit": "continuous.vanishing_noise",
    "check_estimator": "checking.gradients",
    "check_weights": "checking.weights",
    "check_advantages": "checking.advantages",
    "check_rollout": "checking.rollout",
    "RecordRollout": "checking.rollout",
    "verify": "verification",
    "prove": "derivations",
    "demo": "demos",
    "derivative": "checks.derivatives",
    "theorem": "checks.catalogue",
    "theorems": "checks.catalogue",
    "Theorem": "checks.catalogue",
    "Identity": "checks.record",
    "Check": "checks.record",
    "Report": "report",
    "from_gymnasium": "interop.from_gym",
    "TabularEnv": "interop.tabular_env",
    "from_mdptoolbox": "interop.toolboxes",
    "from_quantecon": "interop.toolboxes",
}
_MODULES = {"models", "estimators", "identities", "strategies", "testing"}

__all__ = [
    "MDP",
    "DirectPolicy",
    "EscortPolicy",
    "EstimatorError",
    "InvalidMDPError",
    "InvalidPolicyError",
    "MissingExtraError",
    "NotExactError",
    "PGTheoryError",
    "Policy",
    "SlowWarning",
    "SoftmaxPolicy",
    "Solution",
    "UndefinedError",
    "policy_gradient",
    "solve",
    "value_gradient",
    *_LAZY,
]


def __getattr__(name):
    if name not in _LAZY:
        raise AttributeError(f"module 'pgtheory' has no attribute {name!r}")
    module = import_module(f".{_LAZY[name]}", __name__)
    value = module if name in _MODULES else getattr(module, name)
    globals()[name] = value
    return value


def __dir__():
    return sorted(set(globals()) | set(__all__))
