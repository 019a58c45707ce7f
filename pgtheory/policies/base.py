"""What every stochastic policy is, and what a policy of one's own inherits."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arithmetic import FLOAT, as_array, join
from ..errors import InvalidPolicyError, NotExactError, PGTheoryError
from ..validation import first, require_finite


class Policy:
    """A stochastic policy; subclass it by giving ``shape`` and ``probabilities``.

    Attributes
    ----------
    shape : tuple, the shape of theta
    vectorized : bool, True where ``probabilities`` takes a stack (..., *shape) and returns (..., S, A)
    tabular : bool, True where theta is (S, A) and row s of pi depends on row s of theta alone
    logarithmic : bool, True where derivatives are theta d/d theta, as for positive weights
    normalised : bool, False where the rows of pi sum to 1 only for some theta, as in the direct parameterisation

    Notes
    -----
    The default derivatives are complex steps where the code of ``probabilities`` is analytic (found out by trying, against
    finite differences), and finite differences where it is not; ``differentiated_by`` says which.

    Examples
    --------
    >>> import numpy as np, pgtheory as pg
    >>> class Logistic(pg.Policy):
    ...     shape = (1,)
    ...     def probabilities(self, theta):
    ...         p = 1 / (1 + np.exp(-theta[0]))
    ...         return np.array([[p, 1 - p]])
    >>> Logistic().jacobian([0.0])
    array([[[ 0.25],
            [-0.25]]])
    """

    shape: tuple[int, ...]
    vectorized = False
    tabular = False
    normalised = True
    logarithmic = False

    def probabilities(self, theta):
        """(S, A) probabilities pi(a | s) at theta."""
        raise NotImplementedError(f"{type(self).__name__} must define probabilities(theta) -> (S, A)")

    def step(self, theta, direction, h):
        """theta moved by h along ``direction`` (theta's shape), in the sense of this policy's derivatives."""
        return theta + h * direction

    def inner_slope(self, theta) -> float:
        """Size of the terms of grad pi before they cancel, which its rounding is relative to; 1 where nothing is known."""
        return 1.0

    def check_theta(self, theta):
        """theta as an array of this policy's shape; raises :class:`InvalidPolicyError` where it is none."""
        return parameters(theta, self.shape)

    def jacobian(self, theta):
        """(S, A) + shape: d pi(a | s) / d theta, probability per unit of theta."""
        return _differentiated(self, self.check_theta(theta))[0]

    def differentiated_by(self, theta) -> str:
        """How :meth:`jacobian` gets its numbers: "formula", "complex step" or "finite differences"."""
        if type(self).jacobian is not Policy.jacobian:
            return "formula"
        return _differentiated(self, self.check_theta(theta))[1]

    def jacobian_error(self, theta) -> float:
        """Error of every entry of :meth:`jacobian` beyond rounding: that of finite differences, 0 otherwise."""
        if type(self).jacobian is not Policy.jacobian:
            return 0.0
        return _differentiated(self, self.check_theta(theta))[2]

    def score(self, theta):
        """(S, A) + shape: d log pi(a | s) / d theta; :class:`InvalidPolicyError` where some pi(a | s) is 0."""
        theta = self.check_theta(theta)
        pi = self.probabilities(theta)
        require_support(pi)
        return self.jacobian(theta) / pi.reshape(pi.shape + (1,) * len(self.shape))

    def pullback(self, theta, weights):
        """theta's shape: sum_sa weights[s, a] grad pi(a | s), for weights (S, A)."""
        jacobian = self.jacobian(theta)
        return np.tensordot(as_weights(weights, jacobian.shape[:2]), jacobian, axes=2)

    def score_pullback(self, theta, weights):
        """theta's shape: sum_sa weights[s, a] grad log pi(a | s); :class:`InvalidPolicyError` where some pi(a | s) is 0."""
        if not self.tabular:
            score = self.score(theta)
            return np.tensordot(as_weights(weights, score.shape[:2]), score, axes=2)
        pi = self.probabilities(self.check_theta(theta))
        weights = as_weights(weights, pi.shape)
        require_support(pi)
        return self.pullback(theta, weights / pi)

    def state_pullback(self, theta, weights):
        """(S,) + shape: sum_a weights[s, a] grad pi(a | s), state by state."""
        jacobian = self.jacobian(theta)
        weights = as_weights(weights, jacobian.shape[:2])
        return (weights.reshape(weights.shape + (1,) * len(self.shape)) * jacobian).sum(axis=1)

    def __repr__(self):
        return f"{type(self).__name__}(shape={tuple(self.shape)})"


def one_theta(policy, theta, model=None):
    """The parameters of one policy, not a stack of them; raises :class:`InvalidPolicyError` where either is none.

    On a model in balls they become balls, so that what the policy rounds is enclosed too.
    """
    if not isinstance(policy, Policy):
        given = policy.__name__ if isinstance(policy, type) else type(policy).__name__
        raise InvalidPolicyError(f"policy is {given}: it must be a policy object, such as SoftmaxPolicy(S, A); "
                                 "probabilities alone go to solve(mdp, pi)")
    if not isinstance(getattr(policy, "shape", None), tuple):
        raise InvalidPolicyError(f"{type(policy).__name__}.shape must be a tuple, the shape of theta, such as (3,)")
    if 0 in policy.shape:
        raise InvalidPolicyError(f"{type(policy).__name__}.shape is {policy.shape}: a policy needs at least one parameter")
    theta = policy.check_theta(theta)
    if getattr(getattr(model, "arithmetic", None), "enclosing", False):
        theta = policy.check_theta(join(model.arithmetic, as_array(theta)[1]).convert(theta))
    if theta.ndim != len(policy.shape):
        raise InvalidPolicyError(f"theta has shape {theta.shape}: this policy's is {policy.shape}; take the gradients of a "
                                 "stack one by one")
    return theta


def _differentiated(policy, theta) -> tuple[Any, str, float]:
    """Jacobian of a policy that gives probabilities alone, how it was got, and the error of its entries."""
    from ..differentiate import differentiated

    if theta.dtype == object:
        raise NotExactError(f"{type(policy).__name__} defines no jacobian: exact derivatives need one")
    return differentiated(policy.probabilities, policy.step, theta)


def require_support(pi):
    if np.any(pi == 0):
        s, a = first(pi == 0)
        raise InvalidPolicyError(f"pi[{s}, {a}] is 0: log pi has no derivative there; the log form needs pi > 0")


def parameters(theta, shape):
    """theta as an array whose last axes are ``shape``; ints become floats, exact entries stay exact."""
    try:
        array, arithmetic = as_array(theta, "theta")
    except PGTheoryError as bad:
        raise bad if isinstance(bad, NotExactError) else InvalidPolicyError(str(bad)) from None
    k = len(shape)
    if array.ndim < k or array.shape[array.ndim - k:] != tuple(shape):
        hint = ": did you mean theta.T?" if array.shape == tuple(shape)[::-1] else ""
        raise InvalidPolicyError(f"theta has shape {array.shape}: this policy's is {tuple(shape)}{hint}")
    require_finite(array, "theta", InvalidPolicyError, "parameters must be finite")
    return FLOAT.convert(array) if arithmetic.name == "integer" else array


def as_weights(weights, shape):
    """The (S, A) weights of a pullback as an array, of the probabilities' shape."""
    weights = np.asarray(weights)
    if weights.shape[-2:] != shape[-2:]:
        raise InvalidPolicyError(f"weights have shape {weights.shape}: they must be {tuple(shape)}, one a probability")
    return weights
