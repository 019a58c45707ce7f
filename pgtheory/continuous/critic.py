r"""Compatible critic of a deterministic policy (Silver et al. 2014, theorem 3).

A critic :math:`Q^w(s,a) = (a - \mu(s))^\top \nabla_\theta\mu(s)^\top w + V(s)` has the gradient
:math:`\nabla_a Q^w = \nabla_\theta\mu(s)^\top w` in the action. Where w
minimises :math:`E_{s \sim D} \|\nabla_a Q^w - \nabla_a Q\|^2`, it may stand in for Q in the deterministic
policy gradient theorem, exactly, however far it is from Q.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ..errors import InvalidPolicyError, NotExactError
from ..validation import read_only
from .deterministic_policies import DeterministicPolicy
from .gradients import solve_policy


class DeterministicCritic:
    r"""The compatible critic of a policy on a model, in floats.

    Attributes
    ----------
    w : theta's shape, the least-squares weights of smallest norm, reward units per unit of theta
    grad_Q : (S, k) its gradient in the action at mu(s), reward per unit of action
    residual : (S, k) grad_Q less the gradient of the true Q; what a vacuous critic would have at 0
    gradient : theta's shape, the policy gradient with this critic in the place of Q
    metric : (n, n) M = E_D[grad mu grad mu^T], n the size of theta; M w = (1 - gamma) grad J
    solution, policy, theta : what it belongs to

    Raises :class:`InvalidPolicyError` for a policy that is not deterministic, :class:`NotExactError` for exact parameters.
    ``weights=`` takes a w of one's own in place of the best one.

    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.continuous.critic import DeterministicCritic
    >>> from pgtheory.models.continuous import thermostat
    >>> model, policy, theta = thermostat(), pg.DeterministicPolicy(features=np.ones((9, 1))), [[0.2]]
    >>> critic = DeterministicCritic(model, policy, theta)
    >>> bool(np.allclose(critic.gradient, pg.policy_gradient(model, policy, theta), rtol=1e-13))
    True
    >>> bool(np.abs(critic.residual).max() > 0.1)
    True
    """

    def __init__(self, model, policy, theta, weights=None):
        if not isinstance(policy, DeterministicPolicy):
            raise InvalidPolicyError(f"policy is {type(policy).__name__}: this critic is compatible with a "
                                     "DeterministicPolicy")
        self.policy, self.theta = policy, policy.check_theta(theta)
        if self.theta.dtype == object:
            raise NotExactError("the compatible critic is a least-squares fit in floats: pass theta in floats")
        self.solution = solve_policy(model, policy, self.theta)
        self._given = weights

    @cached_property
    def _jacobian(self):
        """(S, k, n)."""
        return self.policy.jacobian(self.theta).reshape(self.solution.actions.shape + (-1,))

    @cached_property
    def w(self):
        """theta's shape: the minimiser, by least squares on sqrt(D)-weighted rows; or the weights given."""
        if self._given is not None:
            return read_only(np.array(self._given, dtype=float).reshape(self.theta.shape))
        root = np.sqrt(self.solution.D)[:, None]
        rows = (root[..., None] * self._jacobian).reshape(-1, self.theta.size)
        fitted = np.linalg.lstsq(rows, (root * self.solution.grad_Q).ravel(), rcond=None)[0]
        return read_only(fitted.reshape(self.theta.shape))

    @cached_property
    def grad_Q(self):
        """(S, k): grad mu(s)^T w."""
        return read_only(self._jacobian @ self.w.ravel())

    @cached_property
    def residual(self):
        """(S, k): the critic's gradient less that of Q."""
        return read_only(self.grad_Q - self.solution.grad_Q)

    @cached_property
    def gradient(self):
        """theta's shape: sum_s d(s) grad mu(s) grad_a Q^w(s, a)."""
        return self.policy.pullback(self.theta, self.solution.d[:, None] * self.grad_Q)

    @cached_property
    def metric(self):
        """(n, n): E_D[grad mu grad mu^T]."""
        return read_only(np.einsum("s,ski,skj->ij", self.solution.D, self._jacobian, self._jacobian))

    def Q_at(self, actions):
        """(..., S): Q^w(s, a) = (a - mu(s)) . grad_Q(s) + V(s), reward units."""
        actions = self.solution.mdp.check_actions(actions)
        return ((actions - self.solution.actions) * self.grad_Q).sum(axis=-1) + self.solution.V
