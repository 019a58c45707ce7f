r"""Densities on a box: Gaussians cut off at its walls, and Gaussians squashed into it by tanh.

For models whose P or R make sense for bounded actions only.
"""

from __future__ import annotations

import numpy as np

from ..errors import InvalidPolicyError
from ..validation import first, numbers, read_only
from .gaussian_policies import LOG_2PI, GaussianPolicy, Rule
from .quadrature import gauss_legendre, product

SQRT_2, SQRT_2_OVER_PI = float(np.sqrt(2)), float(np.sqrt(2 / np.pi))
REACH = 80.0   # nodes cover densities down to e^(-40) of the largest in the box: below rounding


class SquashedGaussianPolicy(GaussianPolicy):
    r"""a = low + (high - low) (1 + tanh u)/2 with u ~ N(mu_theta(s), sigma^2): always inside the box.

    The density of a is that of u over da/du, the product of (high - low)(1 - tanh^2 u)/2; the slope does not depend on
    theta, so the scores are those of u.

    Parameters
    ----------
    low, high : float or (k,), the box, in action units; the others as in :class:`pgtheory.GaussianPolicy`

    Source: Haarnoja, Zhou, Abbeel, Levine, *Soft actor-critic*, ICML 2018, appendix C.

    >>> import pgtheory as pg
    >>> policy = pg.SquashedGaussianPolicy(features=[[1.0]], sigma=0.5, low=0.0, high=2.0)
    >>> policy.log_density([[0.0]], [[1.0]]).round(9), pg.GaussianPolicy([[1.0]], 0.5).log_density([[0.0]], [[0.0]]).round(9)
    (array([-0.22579135]), array([-0.22579135]))
    """

    def __init__(self, features=None, sigma=None, *, low=-1.0, high=1.0, **options):
        super().__init__(features, sigma, **options)
        self.low, self.high = _box(low, high)

    def _bounded(self, latent):
        return self.low + (self.high - self.low) * (1 + np.tanh(latent)) / 2

    def _latent(self, actions):
        _require_inside(actions, self.low, self.high, strictly=True)
        u = np.arctanh(2 * (actions - self.low) / (self.high - self.low) - 1)
        softplus = np.log1p(np.exp(-2 * np.abs(np.real(u))))   # log(1 - tanh^2 u) without cancellation
        return u, np.log((self.high - self.low) / 2) + 2 * (np.log(2) - np.abs(np.real(u)) - softplus)


class TruncatedGaussianPolicy(GaussianPolicy):
    r"""N(mu_theta(s), sigma^2) given that the action falls in the box.

    The density is :math:`\varphi(z) / (\sigma Z)` with :math:`Z = \Phi(\beta) - \Phi(\alpha)`, the box in units of sigma
    around the mean; Z depends on theta, so its logarithm is in the scores.

    Parameters
    ----------
    low, high : float or (k,), the box, in action units; the others as in :class:`pgtheory.GaussianPolicy`

    Source: Johnson, Kotz, Balakrishnan, *Continuous univariate distributions 1*, 1994, section 13.10.1.

    >>> import pgtheory as pg
    >>> policy = pg.TruncatedGaussianPolicy(features=[[1.0]], sigma=1.0, low=0.0, high=1e9)
    >>> policy.score([[0.0]], [[0.0]]).round(9)   # minus the mean of a half normal, sqrt(2/pi)
    array([[[-0.79788456]]])
    """

    def __init__(self, features=None, sigma=None, *, low=-1.0, high=1.0, **options):
        super().__init__(features, sigma, **options)
        self.low, self.high = _box(low, high)

    analytic_rule = False   # the window follows the real part of theta: only what has converged is analytic

    def rule(self, theta, n: int, part: slice = slice(None)) -> Rule:
        """Gauss-Legendre nodes, n an axis, where in the box the density is; ``part`` takes a slice of the n^k."""
        mean, sigma = self.means(theta), self.deviations(theta)
        low, high = self._window(np.real(mean), np.real(sigma))
        x, w = gauss_legendre(n)
        nodes = low + (high - low) * (1 + x[:, None, None]) / 2
        weights = w[:, None, None] * _relative_density((nodes - mean) / sigma)
        actions, weights = product(nodes, weights / weights.sum(axis=0), part)
        return Rule(actions, weights, self._local_score(theta, actions))

    def _window(self, mean, sigma):
        """(S, k) interval of the box outside which the density is negligible."""
        nearest = (np.clip(mean, self.low, self.high) - mean) / sigma
        reach = sigma * np.sqrt(nearest**2 + REACH)
        return np.maximum(self.low, mean - reach), np.minimum(self.high, mean + reach)

    def log_density(self, theta, actions, states=None):
        """log pi(a | s) for actions (..., S, k), or (..., k) in ``states`` (...): (..., S), or (...)."""
        actions, _ = self._latent(np.asarray(actions))
        mean, sigma = self._in(self.means(theta), states), self.deviations(theta)
        log_Z = _log_mass((self.low - mean) / sigma, (self.high - mean) / sigma)
        return (-(((actions - mean) / sigma) ** 2) / 2 - LOG_2PI / 2 - np.log(sigma) - log_Z).sum(axis=-1)

    def _latent_sample(self, theta, states, rng):
        mean, sigma = self._in(self.means(theta), states), self.deviations(theta)
        z = _inverse((self.low - mean) / sigma, (self.high - mean) / sigma, np.random.default_rng(rng).random(mean.shape))
        return np.clip(mean + sigma * z, self.low, self.high)

    def _local_score(self, theta, latent, states=None):
        sigma, mean = np.real(self.deviations(theta)), np.real(self._in(self.means(theta), states))
        z, alpha, beta = ((x - mean) / sigma for x in (latent, self.low, self.high))
        at_low, at_high = _edges(alpha, beta)
        on_mean = (z + at_high - at_low) / sigma
        if not self.learns_sigma:
            return on_mean
        return np.concatenate([on_mean, z**2 - 1 + beta * at_high - alpha * at_low], axis=-1)

    def _latent(self, actions):
        _require_inside(actions, self.low, self.high, strictly=False)
        return actions, 0.0


def _box(low, high):
    low, high = (numbers(x, name, InvalidPolicyError)[0].astype(float) for x, name in ((low, "low"), (high, "high")))
    if low.ndim > 1 or high.ndim > 1 or not (low < high).all():
        raise InvalidPolicyError(f"the box [{low}, {high}] is none: low must be below high, numbers or one an "
                                 "action dimension")
    return read_only(low), read_only(high)


def _require_inside(actions, low, high, strictly) -> None:
    outside = (actions <= low) | (actions >= high) if strictly else (actions < low) | (actions > high)
    if np.any(outside):
        index = first(outside)
        raise InvalidPolicyError(f"action {np.asarray(actions)[index]} lies outside the {'open ' if strictly else ''}box "
                                 f"[{low}, {high}]: the policy has no density there")


def _relative_density(z):
    """exp(-z^2 / 2) along the first axis, over its largest; analytic in z."""
    exponent = -(z**2) / 2
    return np.exp(exponent - np.real(exponent).max(axis=0))


def _log_mass(alpha, beta):
    """log(Phi(beta) - Phi(alpha)), taken in the lower tail, where nothing cancels."""
    from scipy.special import log_ndtr

    low, high = _lower(alpha, beta)
    top = log_ndtr(high)
    return top + np.log(-np.expm1(log_ndtr(low) - top))


def _lower(alpha, beta):
    """The interval, or its mirror image where that lies lower."""
    upper = alpha + beta > 0
    return np.where(upper, -beta, alpha), np.where(upper, -alpha, beta)


def _edges(alpha, beta):
    """phi(alpha) / Z and phi(beta) / Z for Z = Phi(beta) - Phi(alpha); in a tail by ratios, none of which underflows.

    >>> from pgtheory.continuous.bounded_policies import _edges
    >>> low, high = _edges(1e4, 1e4 + 1)     # phi(x) / (1 - Phi(x)) = x + 1/x - 2/x^3 + ...
    >>> round(float(low - 1e4), 9), float(high)
    (0.0001, 0.0)
    """
    from scipy.special import erfcx, ndtr

    upper = alpha + beta > 0
    near, far = np.where(upper, alpha, -beta), np.where(upper, beta, -alpha)      # |near| <= far
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        fall = np.exp(-(far - near) * (far + near) / 2)
        tail = SQRT_2_OVER_PI / (erfcx(near / SQRT_2) - erfcx(far / SQRT_2) * fall)
        at_near = np.where(near > 0, tail, np.exp(-(near**2) / 2 - LOG_2PI / 2) / (ndtr(far) - ndtr(near)))
    return np.where(upper, at_near, at_near * fall), np.where(upper, at_near * fall, at_near)


def _inverse(alpha, beta, u):
    """The standard normal quantile of u (0 to 1) inside [alpha, beta], by logarithms of the lower tail."""
    from scipy.special import log_ndtr, ndtri_exp

    low, high = _lower(alpha, beta)
    with np.errstate(divide="ignore"):
        log_p = np.logaddexp(log_ndtr(low) + np.log1p(-u), log_ndtr(high) + np.log(u))
    z = ndtri_exp(np.minimum(log_p, 0.0))
    return np.where(alpha + beta > 0, -z, z)
