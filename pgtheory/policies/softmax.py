"""Softmax policies: tables of logits or weights, and linear features."""

from __future__ import annotations

import numpy as np

from ..arithmetic import as_array, dot_rows, in_balls, is_negative
from ..errors import InvalidPolicyError, NotExactError
from ..validation import bracket, first, in_words, numbers, require_finite
from .base import Policy, as_weights, parameters
from .tables import on_diagonal, table_shape, unit_like, zeros_like

REMEMBERED = 2**16       # entries of the largest table of probabilities that a softmax policy keeps from its last call


class SoftmaxPolicy(Policy):
    r"""Softmax (Gibbs) policy: :math:`\pi(a|s) \propto e^{h(s,a)}`, tabular or linear in features.

    Parameters
    ----------
    n_states, n_actions : int
        Tabular: theta (S, A) holds the logits h.
    weights : bool
        theta (S, A) holds positive weights w = e^h instead; derivatives are w d/dw, that is, with respect to the logits.
        Rational, so that Fractions and symbols pass through.
    features : (S, A, k) array
        Linear: theta (k,), h = features . theta.

    Raises
    ------
    InvalidPolicyError
        Parameters of another shape, not finite, or weights that are not positive.
    NotExactError
        Logits in Fractions: e^h is not rational.

    Notes
    -----
    Source: Sutton & Barto, *Reinforcement Learning*, 2018, section 13.1. The largest logit of a row is subtracted first,
    so logits of any finite size are safe; the score 1[a = b] - pi(b | s) never divides by pi.

    Examples
    --------
    >>> import numpy as np, pgtheory as pg
    >>> policy = pg.SoftmaxPolicy(1, 2)
    >>> policy.probabilities([[0.0, np.log(3.0)]])
    array([[0.25, 0.75]])
    >>> policy.score([[0.0, np.log(3.0)]])[0, 0, 0]
    array([ 0.75, -0.75])
    >>> from fractions import Fraction
    >>> pg.SoftmaxPolicy(1, 2, weights=True).probabilities([[Fraction(1), Fraction(3)]])
    array([[Fraction(1, 4), Fraction(3, 4)]], dtype=object)
    """

    vectorized = True

    def __init__(self, n_states=None, n_actions=None, *, weights=False, features=None):
        if features is not None:
            if weights or n_states is not None or n_actions is not None:
                raise InvalidPolicyError("features already give S and A, and their theta holds logits: pass features alone")
            self.features = action_features(features, 3, "(S, A, k)")
            self.shape = self.features.shape[2:]
        else:
            self.features = None
            self.shape = table_shape(n_states, n_actions)
        self.weights = self.logarithmic = bool(weights)
        self.tabular = features is None
        self._last = (b"", None)

    def check_theta(self, theta):
        theta = parameters(theta, self.shape)
        if self.weights:
            _require_positive(theta)
        elif theta.dtype == object and not in_balls(theta):
            raise NotExactError("a softmax of exact logits is not rational: use SoftmaxPolicy(S, A, weights=True), whose "
                                "theta holds the weights w = e^logit")
        return theta

    def probabilities(self, theta):
        """(..., S, A) probabilities, for theta (..., *shape)."""
        theta = self.check_theta(theta)
        pi = self._pi(theta)
        if pi.size <= REMEMBERED and self._fits(theta):
            self._last = theta.tobytes(), pi.copy()
        return pi

    def _pi(self, theta):
        if self.weights:
            scale = theta.real.max(axis=-1, keepdims=True) if theta.dtype != object else None
            w = theta if scale is None else theta / scale
            return w / w.sum(axis=-1, keepdims=True)
        return _softmax(theta if self.features is None else self._logits(theta))

    def _logits(self, theta):
        phi = as_array(theta)[1].convert(self.features) if theta.dtype == object else self.features
        with np.errstate(over="ignore", invalid="ignore"):
            logits = np.einsum("sak,...k->...sa", phi, theta)
        require_finite(logits, "the logit ", InvalidPolicyError, "features . theta overflows; scale the features or theta")
        return logits

    def _fits(self, theta) -> bool:
        return isinstance(theta, np.ndarray) and theta.dtype.char == "d" and theta.shape == self.shape

    def _pi_again(self, theta):
        """Probabilities that were just asked for, in a small table: a gradient asks again after every solve."""
        if self._fits(theta) and theta.tobytes() == self._last[0]:
            return self._last[1]
        return self.probabilities(theta)

    def step(self, theta, direction, h):
        """Logits move by h * direction; weights are multiplied by e^(h * direction)."""
        if not self.weights:
            return theta + h * direction
        theta, direction = np.asarray(theta), np.asarray(direction)
        if theta.dtype == object:
            return theta * (1 + direction * h)   # to first order, which is all an exact derivation sees
        return theta * np.exp(h * direction)

    def inner_slope(self, theta) -> float:
        """1 in tables (grad pi = pi - pi pi), the largest feature otherwise."""
        return 1.0 if self.features is None else float(np.abs(self.features).max())

    def score(self, theta):
        """(S, A) + shape: 1[a = b] - pi(b | s) in row s, or phi(s, a) - E phi(s, .)."""
        pi = self.probabilities(theta)
        if self.features is not None:
            return self.features - np.einsum("sa,sak->sk", pi, self.features)[:, None, :]
        S, A = self.shape
        out = zeros_like(pi, (S, A, S, A))
        s = np.arange(S)
        out[s, :, s, :] = unit_like(pi, A) - pi[:, None, :]
        return out

    def jacobian(self, theta):
        """(S, A) + shape: pi(a | s) times the score."""
        pi = self.probabilities(theta)
        return pi.reshape(pi.shape + (1,) * len(self.shape)) * self.score(theta)

    def pullback(self, theta, weights):
        """theta's shape: pi (weights - sum_a pi weights) in tables, contracted with the features otherwise."""
        centred = self._centred(theta, weights)
        return centred if self.features is None else np.einsum("sa,sak->k", centred, self.features)

    def score_pullback(self, theta, weights):
        """theta's shape: weights - pi sum_a weights in tables; defined for pi(a | s) = 0 too."""
        pi = self.probabilities(theta)
        weights = as_weights(weights, pi.shape)
        if self.features is not None:
            return np.tensordot(weights, self.score(theta), axes=2)
        return weights - pi * weights.sum(axis=-1, keepdims=True)

    def state_pullback(self, theta, weights):
        """(S,) + shape."""
        centred = self._centred(theta, weights)
        if self.features is not None:
            return np.einsum("sa,sak->sk", centred, self.features)
        return on_diagonal(centred)

    def _centred(self, theta, weights):
        """pi (w - sum pi w), with w counted from the likeliest action's, so that nothing cancels where pi is nearly 1."""
        pi = self._pi_again(theta)
        weights = as_weights(weights, pi.shape)
        if pi.dtype != object:
            weights = weights - weights[..., np.arange(len(pi)), pi.real.argmax(axis=1)][..., None]
        return (weights - dot_rows(pi, weights)[..., None]) * pi

    def __repr__(self):
        if self.features is not None:
            return f"SoftmaxPolicy(features={self.features.shape})"
        return f"SoftmaxPolicy({self.shape[0]}, {self.shape[1]}{', weights=True' if self.weights else ''})"


def _softmax(logits):
    """(..., A) : e^h over the sum of its row. Worked on as columns: numpy is slow on rows as short as a list of actions."""
    columns = np.ascontiguousarray(logits.reshape(-1, logits.shape[-1]).T)
    with np.errstate(over="ignore"):                # a gap beyond 1e308 is minus infinity, and e to that is 0
        e = np.exp(columns - np.maximum.reduce(columns.real))
    e /= np.add.reduce(e)
    return np.ascontiguousarray(e.T).reshape(logits.shape)


def action_features(features, ndim, shape):
    array, arithmetic = numbers(features, "features", InvalidPolicyError)
    if array.ndim != ndim or 0 in array.shape:
        raise InvalidPolicyError(f"features have shape {array.shape}: they must be {shape}, without empty axes")
    if arithmetic.exact:
        raise NotExactError("a softmax of exact features is not rational: pass float features, or weights=True in tables")
    if arithmetic.name == "complex128":
        raise InvalidPolicyError("features are complex: they must be real")
    array = np.array(array, dtype=float)
    array.flags.writeable = False
    return array


def _require_positive(theta):
    if theta.dtype == object and as_array(theta)[1].symbolic:
        bad = np.array([x == 0 or is_negative(x) for x in theta.flat], dtype=bool).reshape(theta.shape)
    else:
        bad = (theta if theta.dtype == object else np.real(theta)) <= 0
    if np.any(bad):
        index = first(bad)
        raise InvalidPolicyError(f"theta{bracket(index)} is {in_words(theta[index])}: weights must be positive; logits need "
                                 "SoftmaxPolicy(S, A) without weights=True")
