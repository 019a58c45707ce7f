r"""Deterministic policies: theta -> mu_theta(s), one action in R^k a state."""

from __future__ import annotations

import numpy as np

from ..arithmetic import FLOAT, INTEGER, as_array, join
from ..differentiate import differentiated
from ..errors import InvalidPolicyError, NotExactError
from ..validation import numbers, read_only, whole_number


class DeterministicPolicy:
    r"""mu_theta(s) = phi(s) theta; or subclass it, giving ``shape`` and ``actions(theta) -> (S, k)``.

    Parameters
    ----------
    features : (S, m) array phi; ``np.eye(S)`` is one action a state
    action_dim : int, optional
        k; without it the last axis of theta says it.

    Attributes
    ----------
    shape : (m, k), the shape of theta; k is None while nobody has said it
    vectorized : bool, True where ``actions`` takes a stack (..., *shape) and returns (..., S, k)

    Raises
    ------
    InvalidPolicyError
        Parameters of another shape, or not finite.

    Notes
    -----
    Source: Silver et al., *Deterministic policy gradient algorithms*, ICML 2014. A subclass without ``jacobian`` is
    differentiated by complex steps where its code is analytic (found out by trying, against finite differences), and by
    finite differences where it is not; ``differentiated_by`` says which.

    Examples
    --------
    >>> import numpy as np, pgtheory as pg
    >>> policy = pg.DeterministicPolicy(features=[[1.0, 0.0], [1.0, 2.0]])
    >>> policy.actions([[0.5], [1.0]])
    array([[0.5],
           [2.5]])
    >>> policy.pullback([[0.5], [1.0]], np.array([[1.0], [10.0]]))
    array([[11.],
           [20.]])
    >>> class Square(pg.DeterministicPolicy):
    ...     shape = (2,)
    ...     def actions(self, theta):
    ...         return (theta**2)[:, None]
    >>> Square().jacobian([1.0, 2.0])
    array([[[2., 0.]],
    <BLANKLINE>
           [[0., 4.]]])
    """

    vectorized = False
    normalised = True     # every theta is allowed
    logarithmic = False   # derivatives are with respect to theta itself
    shape: tuple

    def __init__(self, features=None, action_dim=None):
        if features is None:
            self._require_own()
            return
        self.features = state_features(features)
        self.vectorized = True
        k = None if action_dim is None else whole_number(action_dim, "action_dim", InvalidPolicyError, 1)
        self.shape = (self.features.shape[1], k)

    def _require_own(self):
        if not self._own or not isinstance(getattr(self, "shape", None), tuple):
            raise InvalidPolicyError("a DeterministicPolicy needs features (S, m); a policy of your own is a subclass with "
                                     "shape, a tuple, and actions(theta) -> (S, k)")

    def check_theta(self, theta):
        """theta as an array of this policy's shape; raises :class:`InvalidPolicyError` where it is none."""
        return parameters(theta, self.shape)

    def actions(self, theta):
        """(..., S, k): mu(s) = phi(s) theta, for theta (..., m, k)."""
        theta = self.check_theta(theta)
        arithmetic = join(as_array(self.features)[1], as_array(theta)[1])
        features = arithmetic.convert(self.features) if arithmetic.exact else self.features
        return np.matmul(features, theta)

    def step(self, theta, direction, h):
        """theta moved by h along ``direction`` (theta's shape)."""
        return theta + h * direction

    def jacobian(self, theta):
        """(S, k) + shape: d mu(s) / d theta, action per unit of theta."""
        theta = self.check_theta(theta)
        if self._own:
            return self._differentiated(theta)[0]
        features = join(as_array(self.features)[1], as_array(theta)[1]).convert(self.features)
        return features[:, None, :, None] * np.eye(theta.shape[-1], dtype=int)[:, None, :]

    def differentiated_by(self, theta) -> str:
        """How :meth:`jacobian` gets its numbers: "formula", "complex step" or "finite differences"."""
        if not self._own or type(self).jacobian is not DeterministicPolicy.jacobian:
            return "formula"
        return self._differentiated(self.check_theta(theta))[1]

    def pullback(self, theta, weights):
        """theta's shape: sum_s weights[s] . grad mu(s), for weights (S, k)."""
        if self._own:
            return np.tensordot(weights, self.jacobian(theta), axes=2)
        return self.features.T @ weights

    def state_pullback(self, theta, weights):
        """(S,) + shape: weights[s] . grad mu(s), state by state."""
        if not self._own:
            return self.features[:, :, None] * weights[:, None, :]
        jacobian = self.jacobian(theta)
        return (weights.reshape(weights.shape + (1,) * (jacobian.ndim - 2)) * jacobian).sum(axis=1)

    @property
    def _own(self) -> bool:
        """True for a subclass with actions of its own."""
        return type(self).actions is not DeterministicPolicy.actions

    def _differentiated(self, theta):
        if theta.dtype == object:
            raise NotExactError(f"{type(self).__name__} defines no jacobian: exact derivatives need one")
        return differentiated(self.actions, self.step, theta)

    def __repr__(self):
        if self._own:
            return f"{type(self).__name__}(shape={tuple(self.shape)})"
        return f"{type(self).__name__}(features={self.features.shape})"


def state_features(features):
    """features as a read-only (S, m) array; raises :class:`InvalidPolicyError` where they are none."""
    array, arithmetic = numbers(features, "features", InvalidPolicyError)
    if array.ndim != 2 or 0 in array.shape:
        raise InvalidPolicyError(f"features have shape {array.shape}: they must be (S, m), one row a state; one action a "
                                 "state is numpy.eye(S)")
    if arithmetic.name == "complex128":
        raise InvalidPolicyError("features are complex: they must be real")
    return read_only(np.array(array))


def parameters(theta, shape: tuple):
    """theta as an array whose last axes are ``shape``, where None is any length; integers become floats.

    >>> from pgtheory.continuous.deterministic_policies import parameters
    >>> parameters([[1], [2]], (2, None))
    array([[1.],
           [2.]])
    """
    array, arithmetic = numbers(theta, "theta", InvalidPolicyError, "parameters must be finite")
    last = array.shape[max(array.ndim - len(shape), 0):]
    if len(last) != len(shape) or any(n not in (m, None) for m, n in zip(last, shape, strict=True)) or 0 in last:
        raise InvalidPolicyError(f"theta has shape {array.shape}: this policy's is {_in_words(shape)}"
                                 f"{_hint(array.shape, shape)}")
    return FLOAT.convert(array) if arithmetic == INTEGER else array


def _in_words(shape) -> str:
    return f"({', '.join('k' if n is None else str(n) for n in shape)}{',' if len(shape) == 1 else ''})"


def _hint(found, shape) -> str:
    if len(shape) == 2 and found == shape[:1]:
        return "; one action dimension is theta[:, None]"
    return "; did you mean theta.T?" if len(shape) == 2 and len(found) == 2 and found[1] == shape[0] else ""
