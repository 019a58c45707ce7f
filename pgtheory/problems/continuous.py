r"""Problems of a deterministic policy on continuous actions; and :func:`problem_of`, which picks the kind of problem."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ..arithmetic import EPS
from ..continuous.bounds import gradient_bound
from ..continuous.deterministic_policies import DeterministicPolicy
from ..continuous.finite_horizon import solve_actions_horizon
from ..continuous.gradients import require_finite_actions
from ..continuous.model import ContinuousActionMDP
from ..continuous.slopes import slopes
from ..continuous.solution import solve_actions, walk_model
from ..continuous.stepping import contract
from ..errors import PGTheoryError
from ..horizon import powers
from ..mdp import MDP
from .base import AnyProblem
from .density import DensityProblem
from .finite import Problem
from .on_actions import LEAST, ContinuousProblem


def problem_of(model, policy, theta, rng=0, *, complete=None) -> AnyProblem:
    """The problem that a model, a policy and theta are.

    Raises :class:`PGTheoryError` where ``model`` is none, :class:`InvalidPolicyError` where model and policy do not fit each
    other, and what solving them raises.

    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.problems.continuous import problem_of
    >>> room = pg.models.load("thermostat", n_states=3)
    >>> problem_of(room, pg.DeterministicPolicy(features=np.eye(3)), np.zeros((3, 1))).kind
    'deterministic'
    >>> problem_of(room, pg.GaussianPolicy(features=np.eye(3), sigma=0.5), np.zeros((3, 1))).kind
    'density'
    """
    if not isinstance(model, ContinuousActionMDP):
        if not isinstance(model, MDP):
            raise PGTheoryError(f"model is {type(model).__name__}: it must be an MDP or a ContinuousActionMDP")
        require_finite_actions(policy)
        return Problem(model, policy, theta, rng, complete=complete)
    kind = DeterministicProblem if isinstance(policy, DeterministicPolicy) else DensityProblem
    return kind(model, policy, theta, rng, complete=complete)


class DeterministicProblem(ContinuousProblem):
    """A :class:`ContinuousActionMDP`, a :class:`DeterministicPolicy` and theta.

    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.problems.continuous import DeterministicProblem
    >>> room = pg.models.load("thermostat", n_states=3)
    >>> problem = DeterministicProblem(room, pg.DeterministicPolicy(features=np.eye(3)), np.zeros((3, 1)))
    >>> problem.conditioning.round(9), problem.weights.shape
    (np.float64(10.0), (3, 1))
    """

    kind = "deterministic"

    @property
    def pi(self):
        """(S, k): mu(s)."""
        return self.solution.actions

    @property
    def weights(self):
        """(S, k): grad_a Q(s, a) at a = mu(s)."""
        return self.solution.grad_Q

    @property
    def slope_scale(self) -> float:
        """Largest derivative of an action along any direction of comparison."""
        return float(np.max(abs(self.along(self.policy.jacobian(self.theta))), initial=0))

    @cached_property
    def walk(self):
        """(mdp, pi): the chain at mu as an MDP of one action."""
        return walk_model(self.mdp, self.solution.actions), np.ones((self.mdp.n_states, 1))

    def pi_at(self, theta):
        """(..., S, k): actions at a stack of parameters."""
        return self.policy.actions(theta) if self.policy.vectorized else self._stacked(self.policy.actions, theta)

    def V_at(self, theta):
        """(..., S): the value at a stack of parameters, solved as one batch."""
        return solve_actions(self.mdp, self.pi_at(theta)).V

    def J_at(self, theta, horizon: int):
        """(...): J of the problem that ends after ``horizon`` steps, by the backward recursion, at a stack of parameters."""
        return solve_actions_horizon(self.mdp, self.pi_at(theta), horizon).J

    def sizes_until(self, solution) -> tuple[float, float]:
        """Of J and of its gradient in a problem that ends, solved, before their terms cancel."""
        powered = powers(self.gamma, solution.horizon, self.arithmetic)
        visits = powered @ solution.state_distribution
        sizes = self._sizes_with(abs(solution.V).max(axis=0))
        return float(visits @ self._size_of_rewards), float(powered.sum()) * self._reach_of(sizes)

    @property
    def step_unit(self) -> float:
        """Relative rounding error of one step back and one forth; the user's own formula counts, and so does moving theta."""
        return 0.0 if self.exact else 8 * EPS * (self._width + float(np.max(np.abs(self.theta), initial=0.0)) + 8)

    def chain(self):
        """(P_pi, r_pi) straight from the model's functions."""
        P, R = self.mdp.law(self.solution.actions)
        return P, (P * R).sum(axis=-1)

    def certified(self, name: str) -> float:
        """See :class:`AnyProblem`: of the floats that the model's functions return at mu; 0 in exact arithmetic."""
        return 0.0 if self.exact else float(self.solution.error_bounds[name])

    def certified_gradient(self, gradient) -> float:
        """See :class:`AnyProblem`; along random directions it is multiplied by how far they reach."""
        bound = max(gradient_bound(self.solution, self.policy, self.theta, gradient), LEAST * self.unit)
        return bound if self.complete else bound * float(np.abs(self.directions).reshape(len(self.directions), -1).sum(axis=1).max())

    def _solved(self, theta):
        return solve_actions(self.mdp, self.policy.actions(theta))

    @cached_property
    def _size_of_rewards(self):
        P, R = self.mdp.law(self.solution.actions)
        return contract(P, abs(R))

    @cached_property
    def _size_of_weights(self):
        return self._sizes_with(abs(self.solution.V))

    def _sizes_with(self, V):
        """(S, k): sum over s' of |grad_a P| (|R| + gamma V) + P |grad_a R|, for the absolute values V (S,)."""
        actions = self.solution.actions
        (P, R), (dP, dR) = self.mdp.law(actions), slopes(self.mdp, actions)
        size = abs(R) + V * self.gamma
        return (abs(dP.array) * size[..., None]).sum(axis=1) + (abs(dR.array) * P[..., None]).sum(axis=1)
