r"""Stochastic policies: theta -> pi_theta(a | s).

A policy is its parameters' shape and the function :meth:`Policy.probabilities`; everything else has a default. The
derivatives that a policy hands out are with respect to theta, or, for positive weights w = e^logit, the derivation
w d/dw; :meth:`Policy.step` moves theta the way these derivatives mean, so that a route that knows no formula can
differentiate along it.
"""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from .arithmetic import FLOAT, Arithmetic, as_array, dot_rows, is_negative
from .errors import InvalidPolicyError, NotExactError, PGTheoryError
from .validation import bracket, first, in_words, numbers, require_finite, whole_number

REMEMBERED = 2**16       # entries of the largest table of probabilities that a softmax policy keeps from its last call


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
        return _parameters(theta, self.shape)

    def jacobian(self, theta):
        """(S, A) + shape: d pi(a | s) / d theta, probability per unit of theta."""
        return _differentiated(self, self.check_theta(theta))[0]

    def differentiated_by(self, theta) -> str:
        """How :meth:`jacobian` gets its numbers: "formula", "complex step" or "finite differences"."""
        if type(self).jacobian is not Policy.jacobian:
            return "formula"
        return _differentiated(self, self.check_theta(theta))[1]

    def score(self, theta):
        """(S, A) + shape: d log pi(a | s) / d theta; :class:`InvalidPolicyError` where some pi(a | s) is 0."""
        theta = self.check_theta(theta)
        pi = self.probabilities(theta)
        _require_support(pi)
        return self.jacobian(theta) / pi.reshape(pi.shape + (1,) * len(self.shape))

    def pullback(self, theta, weights):
        """theta's shape: sum_sa weights[s, a] grad pi(a | s), for weights (S, A)."""
        jacobian = self.jacobian(theta)
        return np.tensordot(_weights(weights, jacobian.shape[:2]), jacobian, axes=2)

    def score_pullback(self, theta, weights):
        """theta's shape: sum_sa weights[s, a] grad log pi(a | s); :class:`InvalidPolicyError` where some pi(a | s) is 0."""
        if not self.tabular:
            score = self.score(theta)
            return np.tensordot(_weights(weights, score.shape[:2]), score, axes=2)
        pi = self.probabilities(self.check_theta(theta))
        weights = _weights(weights, pi.shape)
        _require_support(pi)
        return self.pullback(theta, weights / pi)

    def state_pullback(self, theta, weights):
        """(S,) + shape: sum_a weights[s, a] grad pi(a | s), state by state."""
        jacobian = self.jacobian(theta)
        weights = _weights(weights, jacobian.shape[:2])
        return (weights.reshape(weights.shape + (1,) * len(self.shape)) * jacobian).sum(axis=1)

    def __repr__(self):
        return f"{type(self).__name__}(shape={tuple(self.shape)})"


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
            self.features = _features(features, 3, "(S, A, k)")
            self.shape = self.features.shape[2:]
        else:
            self.features = None
            self.shape = _table_shape(n_states, n_actions)
        self.weights = self.logarithmic = bool(weights)
        self.tabular = features is None
        self._last = (b"", None)

    def check_theta(self, theta):
        theta = _parameters(theta, self.shape)
        if self.weights:
            _require_positive(theta)
        elif theta.dtype == object:
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
        with np.errstate(over="ignore", invalid="ignore"):
            logits = np.einsum("sak,...k->...sa", self.features, theta)
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
        out = _zeros_like(pi, (S, A, S, A))
        s = np.arange(S)
        out[s, :, s, :] = _unit(pi, A) - pi[:, None, :]
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
        weights = _weights(weights, pi.shape)
        if self.features is not None:
            return np.tensordot(weights, self.score(theta), axes=2)
        return weights - pi * weights.sum(axis=-1, keepdims=True)

    def state_pullback(self, theta, weights):
        """(S,) + shape."""
        centred = self._centred(theta, weights)
        if self.features is not None:
            return np.einsum("sa,sak->sk", centred, self.features)
        return _on_diagonal(centred)

    def _centred(self, theta, weights):
        """pi (w - sum pi w), with w counted from the likeliest action's, so that nothing cancels where pi is nearly 1."""
        pi = self._pi_again(theta)
        weights = _weights(weights, pi.shape)
        if pi.dtype != object:
            weights = weights - weights[np.arange(len(pi)), pi.real.argmax(axis=1)][:, None]
        return (weights - dot_rows(pi, weights)[..., None]) * pi

    def __repr__(self):
        if self.features is not None:
            return f"SoftmaxPolicy(features={self.features.shape})"
        return f"SoftmaxPolicy({self.shape[0]}, {self.shape[1]}{', weights=True' if self.weights else ''})"


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
        self.shape = _table_shape(n_states, n_actions)

    def probabilities(self, theta):
        """(..., S, A): theta, copied. It is not required to be a distribution, so that it can be moved; :func:`solve` is."""
        return self.check_theta(theta).copy()

    def jacobian(self, theta):
        """(S, A, S, A): the identity."""
        theta = self.check_theta(theta)
        S, A = self.shape
        return _unit(theta, S * A).reshape(S, A, S, A)

    def pullback(self, theta, weights):
        """(S, A): the weights."""
        return _weights(weights, self.shape).copy()

    def state_pullback(self, theta, weights):
        """(S, S, A): weights[s] in row s."""
        return _on_diagonal(_weights(weights, self.shape))

    def __repr__(self):
        return f"DirectPolicy({self.shape[0]}, {self.shape[1]})"


class EscortPolicy(Policy):
    r"""Escort policy: :math:`\pi(a|s) \propto |\theta(s,a)|^p`.

    Parameters
    ----------
    n_states, n_actions : int
    power : float >= 1; an integer where theta is exact

    Raises :class:`InvalidPolicyError` where a row of theta is all zero. Source: Mei, Xiao, Dai, Li, Szepesvari, Schuurmans,
    *Escaping the gravitational pull of softmax*, NeurIPS 2020, definition 1.

    >>> import pgtheory as pg
    >>> from fractions import Fraction
    >>> pg.EscortPolicy(1, 2).probabilities([[Fraction(1), Fraction(-2)]])
    array([[Fraction(1, 5), Fraction(4, 5)]], dtype=object)
    """

    vectorized = True
    tabular = True

    def __init__(self, n_states, n_actions, power=2):
        self.shape = _table_shape(n_states, n_actions)
        if isinstance(power, bool) or not isinstance(power, Real) or not 1 <= float(power) < np.inf:
            raise InvalidPolicyError(f"power is {power!r}: it must be a finite number of at least 1")
        self.power = int(float(power)) if float(power).is_integer() else float(power)

    def check_theta(self, theta):
        theta = _parameters(theta, self.shape)
        zero = theta == 0
        if zero.all(axis=-1).any():
            raise InvalidPolicyError(f"theta{bracket(first(zero.all(axis=-1)))} is a row of zeros: |theta|^p cannot be "
                                     "normalised there")
        if theta.dtype == object and not isinstance(self.power, int):
            raise NotExactError(f"power {self.power} of exact parameters is not rational: use an integer power")
        return theta

    def probabilities(self, theta):
        """(..., S, A)."""
        w = self._magnitude(self.check_theta(theta)) ** self.power
        return w / w.sum(axis=-1, keepdims=True)

    def _magnitude(self, theta):
        """|theta|, analytic in theta: its sign is taken from the real part; scaled by the row's largest where floating."""
        if theta.dtype == object:
            return theta if self.power % 2 == 0 else theta * self._sign(theta)
        return theta * self._sign(theta) / np.abs(np.real(theta)).max(axis=-1, keepdims=True)

    def _sign(self, theta):
        if theta.dtype != object:
            return np.where(np.real(theta) < 0, -1.0, 1.0)
        if as_array(theta)[1].symbolic:
            raise NotExactError(f"|theta|^{self.power} of symbols is not rational: use an even power")
        return np.where(theta < 0, -1, 1).astype(object)

    def inner_slope(self, theta) -> float:
        """The largest slope of |theta|^p, over its row's sum."""
        return float(np.abs(self._slope(np.asarray(self.check_theta(theta), dtype=float))).max())

    def jacobian(self, theta):
        """(S, A, S, A)."""
        theta = self.check_theta(theta)
        S, A = self.shape
        pi = self.probabilities(theta)
        out = _zeros_like(pi, (S, A, S, A))
        s = np.arange(S)
        out[s, :, s, :] = (_unit(pi, A) - pi[:, :, None]) * self._slope(theta)[:, None, :]
        return out

    def _slope(self, theta):
        """(S, A): d |theta(s, a)|^p / d theta(s, a), over the row's sum; 0 at theta = 0 where p > 1."""
        m = self._magnitude(theta)
        p = self.power
        if theta.dtype == object:
            sign = 1 if p % 2 == 0 else self._sign(theta)
            return p * m ** (p - 1) * sign / (m**p).sum(axis=-1, keepdims=True)
        largest = np.abs(theta).max(axis=-1, keepdims=True)
        return p * m ** (p - 1) * self._sign(theta) / (m**p).sum(axis=-1, keepdims=True) / largest

    def pullback(self, theta, weights):
        """(S, A)."""
        theta = self.check_theta(theta)
        pi = self.probabilities(theta)
        weights = _weights(weights, pi.shape)
        return self._slope(theta) * (weights - (pi * weights).sum(axis=-1, keepdims=True))

    def state_pullback(self, theta, weights):
        """(S, S, A)."""
        return _on_diagonal(self.pullback(theta, weights))

    def __repr__(self):
        return f"EscortPolicy({self.shape[0]}, {self.shape[1]}, power={self.power})"


def _softmax(logits):
    """(..., A) : e^h over the sum of its row. Worked on as columns: numpy is slow on rows as short as a list of actions."""
    columns = np.ascontiguousarray(logits.reshape(-1, logits.shape[-1]).T)
    with np.errstate(over="ignore"):                # a gap beyond 1e308 is minus infinity, and e to that is 0
        e = np.exp(columns - np.maximum.reduce(columns.real))
    e /= np.add.reduce(e)
    return np.ascontiguousarray(e.T).reshape(logits.shape)


def _require_support(pi):
    if np.any(pi == 0):
        s, a = first(pi == 0)
        raise InvalidPolicyError(f"pi[{s}, {a}] is 0: log pi has no derivative there; the log form needs pi > 0")


def _table_shape(n_states, n_actions):
    if n_states is None or n_actions is None:
        raise InvalidPolicyError("a tabular policy needs n_states and n_actions, as in SoftmaxPolicy(3, 2)")
    return (whole_number(n_states, "n_states", InvalidPolicyError, 1),
            whole_number(n_actions, "n_actions", InvalidPolicyError, 1))


def _features(features, ndim, shape):
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


def _parameters(theta, shape):
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


def _weights(weights, shape):
    """The (S, A) weights of a pullback as an array, of the probabilities' shape."""
    weights = np.asarray(weights)
    if weights.shape[-2:] != shape[-2:]:
        raise InvalidPolicyError(f"weights have shape {weights.shape}: they must be {tuple(shape)}, one a probability")
    return weights


def one_theta(policy, theta):
    """The parameters of one policy, not a stack of them; raises :class:`InvalidPolicyError` where either is none."""
    if not isinstance(policy, Policy):
        given = policy.__name__ if isinstance(policy, type) else type(policy).__name__
        raise InvalidPolicyError(f"policy is {given}: it must be a policy object, such as SoftmaxPolicy(S, A); "
                                 "probabilities alone go to solve(mdp, pi)")
    if not isinstance(getattr(policy, "shape", None), tuple):
        raise InvalidPolicyError(f"{type(policy).__name__}.shape must be a tuple, the shape of theta, such as (3,)")
    theta = policy.check_theta(theta)
    if theta.ndim != len(policy.shape):
        raise InvalidPolicyError(f"theta has shape {theta.shape}: this policy's is {policy.shape}; take the gradients of a "
                                 "stack one by one")
    return theta


def _require_positive(theta):
    if theta.dtype == object and as_array(theta)[1].symbolic:
        bad = np.array([x == 0 or is_negative(x) for x in theta.flat], dtype=bool).reshape(theta.shape)
    else:
        bad = (theta if theta.dtype == object else np.real(theta)) <= 0
    if np.any(bad):
        index = first(bad)
        raise InvalidPolicyError(f"theta{bracket(index)} is {in_words(theta[index])}: weights must be positive; logits need "
                                 "SoftmaxPolicy(S, A) without weights=True")


def _arithmetic_of(array) -> Arithmetic:
    return as_array(array)[1]


def _zeros_like(array, shape):
    return _arithmetic_of(array).zeros(shape)


def _unit(array, n):
    """(n, n) identity in the arithmetic of ``array``."""
    if array.dtype != object:
        return np.eye(n)
    out = _zeros_like(array, (n, n))
    out[np.arange(n), np.arange(n)] = _arithmetic_of(array).number(1)
    return out


def _on_diagonal(rows):
    """(S, S, A) with rows[s] at [s, s]."""
    S, A = rows.shape
    out = _zeros_like(rows, (S, S, A))
    out[np.arange(S), np.arange(S)] = rows
    return out


# --------------------------------------------------------------------------------------- a user's own probabilities


def _differentiated(policy, theta) -> tuple[Any, str]:
    """Jacobian of a policy that gives probabilities alone, and how it was got."""
    from .differentiate import differentiated

    if theta.dtype == object:
        raise NotExactError(f"{type(policy).__name__} defines no jacobian: exact derivatives need one")
    return differentiated(policy.probabilities, policy.step, theta)
