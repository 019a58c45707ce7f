r"""What becomes of a Gaussian policy gradient as sigma goes to 0 (Silver et al. 2014, theorem 2).

The gradient tends to the deterministic one; for P and R smooth in the action, and a symmetric density, at the rate
:math:`O(\sigma^2)`, so that halving sigma divides the error by 4. The estimate of it from one sampled action,
:math:`\frac{1}{1-\gamma} \nabla\log\pi(a|s) Q(s,a)`, has a second moment that grows like :math:`\sigma^{-2}`, and the
deterministic estimate :math:`\frac{1}{1-\gamma} \nabla\mu(s) \nabla_a Q(s,a)` one that does not know sigma.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InvalidPolicyError
from .gaussian_policies import GaussianPolicy
from .gradients import solve_policy
from .quadrature import doubled, parts

CHUNK = 2**12   # nodes at which Q and the scores are held at once


@dataclass(frozen=True)
class SigmaLimit:
    """The limit, at every sigma of a sequence.

    sigmas : (n,) standard deviations, in action units
    deterministic : theta's shape, the deterministic policy gradient
    gradients : (n,) + theta's shape, the Gaussian ones
    errors : (n,) Euclidean norms of their differences
    score_moments : (n,) E ||score-function estimate||^2, s ~ D, a ~ pi
    deterministic_moment : float, E ||deterministic estimate||^2, s ~ D
    """

    sigmas: np.ndarray
    deterministic: np.ndarray
    gradients: np.ndarray
    errors: np.ndarray
    score_moments: np.ndarray
    deterministic_moment: float

    @property
    def ratios(self):
        """(n - 1,) error at one sigma over the error at the next; 4 in the limit, where sigma is halved."""
        return self.errors[:-1] / self.errors[1:]

    @property
    def orders(self):
        """(n - 1,) observed exponent p of error ~ sigma^p; 2 in the limit."""
        return np.log(self.ratios) / np.log(self.sigmas[:-1] / self.sigmas[1:])

    @property
    def score_variances(self):
        """(n,) trace of the covariance of the score-function estimate: its second moment less ||gradient||^2."""
        return self.score_moments - (self.gradients.reshape(len(self.sigmas), -1) ** 2).sum(axis=1)

    @property
    def deterministic_variance(self) -> float:
        """Trace of the covariance of the deterministic estimate over s ~ D."""
        return self.deterministic_moment - float((self.deterministic**2).sum())


def sigma_limit(model, policy, theta, sigmas=(0.4, 0.2, 0.1, 0.05)) -> SigmaLimit:
    """Gaussian policies around the deterministic ``policy`` at ``theta``, for each of ``sigmas``; needs gamma < 1.

    Raises :class:`InvalidPolicyError` where there is no sigma, and what solving raises.

    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.models.continuous import thermostat
    >>> from pgtheory.continuous.vanishing_noise import sigma_limit
    >>> limit = sigma_limit(thermostat(), pg.DeterministicPolicy(features=np.ones((9, 1))), [[0.2]], [0.1, 0.05, 0.025])
    >>> limit.ratios.round(1)
    array([3.8, 4. ])
    """
    sigmas = np.asarray(sigmas, dtype=float)
    if sigmas.ndim != 1 or not sigmas.size:
        raise InvalidPolicyError(f"sigmas have shape {sigmas.shape}: they must be a sequence of standard deviations")
    theta = policy.check_theta(theta)
    solution = solve_policy(model, policy, theta)
    weights = solution.grad_Q
    deterministic = policy.pullback(theta, solution.d[:, None] * weights)
    each = policy.state_pullback(theta, weights).reshape(model.n_states, -1) / (1 - model.gamma)
    found = [_at(model, GaussianPolicy(mean=policy, sigma=s), theta) for s in sigmas]
    gradients, moments = np.stack([g for g, _ in found]), np.array([m for _, m in found])
    errors = np.linalg.norm((gradients - deterministic).reshape(len(sigmas), -1), axis=1)
    return SigmaLimit(sigmas, deterministic, gradients, errors, moments, float(solution.D @ (each**2).sum(axis=1)))


def _at(model, gaussian, theta):
    """(gradient, second moment of the score-function estimate) at one sigma."""
    solution = solve_policy(model, gaussian, theta)
    gradient = gaussian.pullback(theta, solution.d[:, None] * solution.score_weighted_Q)
    return gradient, score_moment(gaussian, theta, solution)


def score_moment(gaussian, theta, solution) -> float:
    """E_{s ~ D, a ~ pi} ||grad log pi(a|s) Q(s,a)||^2 / (1 - gamma)^2 by quadrature, doubled until it stands."""
    def moment(n):
        total = n ** gaussian.means(theta).shape[-1]
        return sum(_moment(gaussian.rule(theta, n, part), gaussian, theta, solution) for part in parts(total, CHUNK))

    standing = doubled(moment, lambda new, old: abs(new - old) / abs(new) if new else 0.0, gaussian.limit(theta),
                       gaussian.tolerance)
    return standing.value / (1 - solution.gamma) ** 2


def _moment(rule, gaussian, theta, solution) -> float:
    size = (gaussian.score(theta, rule.actions) ** 2).reshape(*rule.weights.shape, -1).sum(axis=-1)
    return float(solution.D @ (rule.weights * size * solution.Q_at(rule.actions) ** 2).sum(axis=0))
