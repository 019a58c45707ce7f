r"""Gaussian policies on actions in R^k, and their truncated and squashed kin for bounded actions.

The mean is a deterministic policy, mu_theta(s); the deviations are fixed, or learned through their logarithms. What a state
contributes to a gradient is written in its own coordinates first, mean and log sigma, and pulled back to theta after.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..errors import InvalidPolicyError, NotExactError
from ..validation import first, numbers, read_only
from .deterministic_policies import DeterministicPolicy, parameters
from .quadrature import gauss_hermite, product

LOG_2PI = float(np.log(2 * np.pi))


class Rule(NamedTuple):
    """Quadrature over the actions of every state.

    actions : (N, S, k); weights : (N, S), summing to 1 a state; scores : (N, S, p), d log pi / d (mean, log sigma)
    """

    actions: np.ndarray
    weights: np.ndarray
    scores: np.ndarray


class GaussianPolicy:
    r"""a ~ N(mu_theta(s), diag sigma^2), independent in every action dimension.

    Parameters
    ----------
    features : (S, m) array phi; the mean is phi(s) theta
    sigma : float or (k,) array, the standard deviations, in action units; None learns them
    mean : DeterministicPolicy, in place of features; needs a fixed sigma
    tolerance : float, how far a doubling of the nodes may still move the integrals, relative to their scale
    max_nodes : int, nodes of the largest product rule, over all action dimensions

    Attributes
    ----------
    shape : (m, k) with a fixed sigma; (m + 1, k) with sigma=None, its last row log sigma; k is None while unknown
    mean : DeterministicPolicy

    Raises
    ------
    InvalidPolicyError
        sigma that is not positive, parameters of another shape, both features and mean.

    Notes
    -----
    Source: Williams, *Simple statistical gradient-following algorithms*, Machine Learning 8 (1992), section 6, for the
    scores :math:`(a - \mu)/\sigma^2` and :math:`(a-\mu)^2/\sigma^2 - 1` of mean and log sigma.

    Examples
    --------
    >>> import numpy as np, pgtheory as pg
    >>> policy = pg.GaussianPolicy(features=[[1.0], [2.0]], sigma=0.5)
    >>> policy.score([[1.0]], [[1.5], [1.5]])
    array([[[ 2.]],
    <BLANKLINE>
           [[-4.]]])
    >>> pg.GaussianPolicy(features=[[1.0]], sigma=None).score([[0.0], [0.0]], [[2.0]])
    array([[[2.],
            [3.]]])
    """

    def __init__(self, features=None, sigma=None, *, mean=None, tolerance=1e-11, max_nodes=2**18):
        if (features is None) == (mean is None):
            raise InvalidPolicyError("a Gaussian policy has either features (S, m) or a mean, a DeterministicPolicy")
        if mean is not None and sigma is None:
            raise InvalidPolicyError("sigma=None appends a row log sigma to theta, which needs features; with mean=, "
                                     "fix sigma")
        self.mean = DeterministicPolicy(features) if mean is None else mean
        self.sigma: Any = None if sigma is None else _deviations(sigma)
        self.tolerance, self.max_nodes = float(tolerance), int(max_nodes)
        self.shape = self.mean.shape if sigma is not None else (self.mean.shape[0] + 1, *self.mean.shape[1:])

    normalised = True     # every theta is allowed
    logarithmic = False   # derivatives are with respect to theta itself
    analytic_rule = True  # a rule of few nodes is an analytic function of theta too

    def differentiated_by(self, theta) -> str:
        """How the derivatives of the mean are got, as :meth:`DeterministicPolicy.differentiated_by` says."""
        theta = self.check_theta(theta)
        return self.mean.differentiated_by(theta[..., :-1, :] if self.learns_sigma else theta)

    @property
    def learns_sigma(self) -> bool:
        """True where the last row of theta is log sigma."""
        return self.sigma is None

    def check_theta(self, theta):
        """theta as a float array of this policy's shape; raises :class:`InvalidPolicyError` where it is none."""
        theta = parameters(theta, self.shape)
        if theta.dtype == object:
            raise NotExactError("a Gaussian density is not rational: pass theta in floats")
        return theta

    def step(self, theta, direction, h):
        """theta moved by h along ``direction`` (theta's shape)."""
        return theta + h * direction

    def limit(self, theta) -> int:
        """Nodes an axis of the largest product rule allowed."""
        return int(self.max_nodes ** (1 / self.means(theta).shape[-1]) + 1e-9)

    def means(self, theta):
        """(S, k) means mu(s)."""
        theta = self.check_theta(theta)
        return self.mean.actions(theta[..., :-1, :] if self.learns_sigma else theta)

    def deviations(self, theta):
        """(k,) standard deviations, in action units."""
        theta = self.check_theta(theta)
        if self.learns_sigma:
            return np.exp(theta[..., -1, :])
        k = self.means(theta).shape[-1]
        if self.sigma.shape not in ((), (k,)):
            raise InvalidPolicyError(f"sigma has shape {self.sigma.shape}: with {k} action dimensions it must be a "
                                     f"number or {(k,)}")
        return np.broadcast_to(self.sigma, (k,))

    def rule(self, theta, n: int, part: slice = slice(None)) -> Rule:
        """Gauss-Hermite nodes, n an axis; ``part`` takes a slice of the n^k."""
        x, w = gauss_hermite(n)
        k = self.means(theta).shape[-1]
        z, weights = product(np.repeat(x[:, None], k, axis=1), np.repeat(w[:, None], k, axis=1), part)
        latent = self.means(theta) + self.deviations(theta) * z[:, None, :]
        weights = np.broadcast_to(weights[:, None], latent.shape[:-1])
        return Rule(self._bounded(latent), weights, self._local_score(theta, latent))

    def log_density(self, theta, actions, states=None):
        """log pi(a | s) for actions (..., S, k), or (..., k) in ``states`` (...): (..., S), or (...)."""
        latent, log_slope = self._latent(np.asarray(actions))
        sigma = self.deviations(theta)
        z = (latent - self._in(self.means(theta), states)) / sigma
        return (-z**2 / 2 - np.log(sigma) - LOG_2PI / 2 - log_slope).sum(axis=-1)

    def score(self, theta, actions, states=None):
        """(..., S) + shape: d log pi(a | s) / d theta, for actions as in :meth:`log_density`."""
        local = self._local_score(theta, self._latent(np.asarray(actions, dtype=float))[0], states)
        theta = self.check_theta(theta)
        k = self.means(theta).shape[-1]
        mean_theta = theta[:-1] if self.learns_sigma else theta
        jacobian = self._in(self.mean.jacobian(mean_theta), states)
        n = mean_theta.ndim
        score = (local[..., :k].reshape(local.shape[:-1] + (k,) + (1,) * n) * jacobian).sum(axis=-n - 1)
        return np.concatenate([score, local[..., None, k:]], axis=-2) if self.learns_sigma else score

    def sample(self, theta, states=None, rng=0):
        """(S, k) actions, one a state; or (..., k) in ``states`` (...). ``rng``: a Generator or a seed."""
        return self._bounded(self._latent_sample(theta, states, rng))

    def draw(self, theta, states, rng=0):
        """(..., k) actions in ``states`` (...), and their scores (..., p), d log pi / d (mean, log sigma)."""
        latent = self._latent_sample(theta, states, rng)
        return self._bounded(latent), self._local_score(theta, latent, states)

    def _latent_sample(self, theta, states, rng):
        mean = self._in(self.means(theta), states)
        return mean + self.deviations(theta) * np.random.default_rng(rng).standard_normal(mean.shape)

    def pullback(self, theta, weights):
        """theta's shape, from weights (S, p) on the mean and log sigma of every state."""
        if not self.learns_sigma:
            return self.mean.pullback(theta, weights)
        k = weights.shape[-1] // 2
        return np.concatenate([self.mean.pullback(theta[:-1], weights[:, :k]), weights[:, k:].sum(axis=0)[None]])

    def state_pullback(self, theta, weights):
        """(S,) + shape, state by state."""
        if not self.learns_sigma:
            return self.mean.state_pullback(theta, weights)
        k = weights.shape[-1] // 2
        return np.concatenate([self.mean.state_pullback(theta[:-1], weights[:, :k]), weights[:, None, k:]], axis=1)

    def _local_score(self, theta, latent, states=None):
        """(..., S, p): d log pi / d (mean, log sigma) of the Gaussian; a map of it to bounded actions does not change it."""
        sigma = self.deviations(theta)
        z = (latent - self._in(self.means(theta), states)) / sigma
        return np.concatenate([z / sigma, z**2 - 1], axis=-1) if self.learns_sigma else z / sigma

    def _in(self, table, states):
        """Rows of a per-state table."""
        return table if states is None else table[np.asarray(states)]

    def _bounded(self, latent):
        """Gaussian variables to actions."""
        return latent

    def _latent(self, actions):
        """Actions to (Gaussian variables, log of the slope of :meth:`_bounded` there)."""
        return actions, 0.0

    def __repr__(self):
        sigma = "None" if self.learns_sigma else str(self.sigma.tolist())
        return f"{type(self).__name__}(mean={self.mean!r}, sigma={sigma})"


def _deviations(sigma):
    array, arithmetic = numbers(sigma, "sigma", InvalidPolicyError)
    if arithmetic.exact or arithmetic.name == "complex128" or array.ndim > 1:
        raise InvalidPolicyError(f"sigma is {sigma!r}: it must be a positive float, or one an action dimension")
    if (array <= 0).any():
        index = first(array <= 0)
        raise InvalidPolicyError(f"sigma is {array[index]} in action dimension {index[0] if index else 0}: it must be "
                                 "positive; sigma = 0 is a DeterministicPolicy")
    return read_only(np.array(array, dtype=float))
