r"""Moments of what is summed along the walk of a deterministic policy: :math:`X = g_t(s) + \gamma X'`.

The actions are the policy's own, so that a trajectory is a walk of the chain they leave, and the machine is (1, X). A state at
rest is left out where nothing is added in it; where something is, the sum goes on there as everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..arithmetic import join
from ..continuous.deterministic_policies import DeterministicPolicy
from ..continuous.model import ContinuousActionMDP
from ..continuous.solution import walk_model
from ..errors import InvalidPolicyError, PGTheoryError
from ..trajectories.batch import common_model
from ..validation import numbers
from .lifted import Machine, Setting


def walk_of(model, policy: DeterministicPolicy, theta, behaviour=None):
    """(chain, pi, theta): the MDP of one action that the policy leaves of a model, or the model where it is one already.

    >>> import numpy as np, pgtheory as pg
    >>> room, policy = pg.models.load("thermostat", n_states=3), pg.DeterministicPolicy(features=np.eye(3))
    >>> walk_of(room, policy, np.zeros((3, 1)))[0]
    MDP(n_states=3, n_actions=1, gamma=0.9, float64)
    """
    theta = policy.check_theta(theta)
    if behaviour is not None:
        raise PGTheoryError("behaviour has no meaning for a deterministic policy: it takes its own actions")
    chain = walk_model(model, policy.actions(theta)) if isinstance(model, ContinuousActionMDP) else model
    if getattr(chain, "n_actions", None) != 1:
        raise InvalidPolicyError(f"{policy!r} needs a model of continuous actions, or the walk_model(model, actions) that it leaves; "
                                 f"here is {model!r}")
    chain, pi, _ = common_model(chain, np.ones((chain.n_states, 1), dtype=int))
    return chain, pi, theta


def walk_setting(estimator, model, policy, theta, horizon, behaviour=None) -> WalkSetting:
    """What the machine of a :class:`DeterministicGradient` runs on."""
    chain, pi, theta = walk_of(model, policy, theta, behaviour)
    slopes, other = numbers(estimator.action_gradient, "action_gradient", PGTheoryError)
    S = chain.n_states
    if slopes.shape[:-1] not in ((S,), (horizon, S)):
        wanted = f"({S}, k)" + (f", or ({horizon}, {S}, k) by time" if horizon is not None else "")
        raise PGTheoryError(f"action_gradient has shape {slopes.shape}: it must be {wanted}")
    arithmetic = join(chain.arithmetic, other)
    jacobian = policy.jacobian(theta).reshape(S, slopes.shape[-1], -1)
    added = (arithmetic.convert(slopes)[..., None] * jacobian).sum(axis=-2)
    return WalkSetting(chain.into(arithmetic), policy, theta, pi, pi, horizon, arithmetic, added)


@dataclass(frozen=True, eq=False)
class WalkSetting(Setting):
    """A setting of one action; added (S, m) or (T, S, m): what a visit adds."""

    added: Any

    @property
    def width(self) -> int:
        """Entries of what is added."""
        return self.added.shape[-1]

    @cached_property
    def terminal(self):
        """(S,) bool: at rest, and nothing is added there."""
        some = np.array(self.added != self.arithmetic.number(0), dtype=bool).reshape(-1, len(self.pi), self.width)
        return self.mdp.terminal & ~some.any(axis=(0, 2))

    def machine(self, gamma_weighting: bool) -> Machine:
        """Y = (1, X)."""
        one = self.arithmetic.number(1)
        carry = self.mdp.gamma if gamma_weighting else one
        return Machine((False, True), (1, 0), lambda t: {(0, 0): one, (1, 0): one, (1, 1): carry},
                       lambda t: self.added if self.added.ndim == 2 else self.added[t])
