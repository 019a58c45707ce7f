"""The direct parameterisation: theta holds the probabilities."""

from __future__ import annotations

from .base import Policy, as_weights
from .tables import on_diagonal, table_shape, unit_like


class DirectPolicy(Policy):
    r"""Direct parameterisation: theta (S, A) are the probabilities themselves.

    The gradient is the ambient partial derivative of :math:`\rho (I - \gamma P_\pi)^{-1} r_\pi`, each entry of theta moved
    alone; it leaves the simplex, so Q must not be replaced by the advantage there.

    Raises :class:`InvalidPolicyError` where theta is no table of probabilities. Source: Agarwal, Kakade, Lee, Mahajan,
    *On the theory of policy gradient methods*, JMLR 22 (2021), section 3.

    >>> import pgtheory as pg
    >>> pg.DirectPolicy(1, 2).pullback([[0.25, 0.75]], weights=pg.solve(
    ...     pg.MDP([[[1.0], [1.0]]], [[1.0, 0.0]], 0.0, 0), [[0.25, 0.75]]).Q)
    array([[1., 0.]])
    """

    vectorized = True
    tabular = True
    normalised = False

    def __init__(self, n_states, n_actions):
        self.shape = table_shape(n_states, n_actions)

    def probabilities(self, theta):
        """(..., S, A): theta, copied. It is not required to be a distribution, so that it can be moved; :func:`solve` is."""
        return self.check_theta(theta).copy()

    def jacobian(self, theta):
        """(S, A, S, A): the identity."""
        theta = self.check_theta(theta)
        S, A = self.shape
        return unit_like(theta, S * A).reshape(S, A, S, A)

    def pullback(self, theta, weights):
        """(S, A): the weights."""
        return as_weights(weights, self.shape).copy()

    def state_pullback(self, theta, weights):
        """(S, S, A): weights[s] in row s."""
        return on_diagonal(as_weights(weights, self.shape))

    def __repr__(self):
        return f"DirectPolicy({self.shape[0]}, {self.shape[1]})"
