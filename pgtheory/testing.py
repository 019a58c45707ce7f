r"""Assertions for test suites: is this gradient the policy gradient, and if not, which known mistake does it look like?

>>> import pgtheory as pg
>>> mdp, policy, theta = pg.models.load("start-matters"), pg.SoftmaxPolicy(2, 2), [[0.0, 0.0], [0.0, 0.0]]
>>> pg.testing.assert_policy_gradient(pg.policy_gradient(mdp, policy, theta), mdp, policy, theta)
"""

from __future__ import annotations

import numpy as np

from .arithmetic import EPS, as_array, canonical, join
from .errors import PGTheoryError, UndefinedError
from .policies import one_theta
from .problems.finite import Problem
from .solution import policy_gradient
from .validation import bracket

BLUNT = 0.05     # share of the gradient beyond which a derived tolerance would accept wrong ones


def assert_policy_gradient(grad, mdp, policy, theta, *, rtol=None, atol=None) -> None:
    """Raise ``AssertionError`` unless ``grad`` is :func:`pgtheory.policy_gradient` of this model, policy and theta.

    Parameters
    ----------
    grad : theta's shape, or a function (mdp, policy, theta) -> theta's shape
        Reward units per unit of theta. float32 is compared with the tolerance of float32.
    mdp : MDP; policy : Policy; theta : policy.shape
    rtol, atol : float, optional
        The error of every entry may be atol + rtol * max |gradient|. Where neither is given the tolerance is derived: twice
        the rounding error of one solve at this conditioning; 0 in exact arithmetic.

    Raises
    ------
    AssertionError
        With the relative error, the first entry that is furthest off, both values there, and the known mistake that
        reproduces ``grad``, or two of them: 1/(1 - gamma) missing or twice, a flipped sign, states weighted without gamma^t
        (finite or stationary), or by the start alone, the advantage, the reward or V for Q, Q without gamma, P transposed, a
        score that is not centred or lacks pi, a derivative in w where it is w d/dw, a transpose, a constant factor.
    InvalidPolicyError, NotExactError, UndefinedError
        Where the policy gradient itself cannot be had, or floats are compared with exact numbers and no tolerance is given.

    Notes
    -----
    The state weights are those of Sutton, McAllester, Singh, Mansour, NIPS 2000, theorem 1, start-state formulation; what
    dropping gamma^t does is in Thomas, *Bias in natural actor-critic algorithms*, ICML 2014.

    Examples
    --------
    >>> import numpy as np, pgtheory as pg
    >>> mdp, policy, theta = pg.models.load("start-matters"), pg.SoftmaxPolicy(2, 2), np.zeros((2, 2))
    >>> right = pg.policy_gradient(mdp, policy, theta)
    >>> pg.testing.assert_policy_gradient(right, mdp, policy, theta)
    >>> try:
    ...     pg.testing.assert_policy_gradient(0.1 * right, mdp, policy, theta)
    ... except AssertionError as error:
    ...     print(*str(error).split("; ")[1:], sep="\\n")
    furthest off at [1, 0], which is 0.4090909091 and should be 4.090909091
    looks as if the factor 1/(1 - gamma) were missing
    """
    problem = Problem(mdp, policy, theta)
    theta = one_theta(policy, theta)     # as given: the problem may have moved symbols to a field of its own
    if callable(grad):
        grad = grad(mdp, policy, theta)
    expected = policy_gradient(mdp, policy, theta)
    given = _as_gradient(grad, expected.shape)
    if rtol is None and atol is None:
        join(as_array(expected)[1], as_array(given)[1])
        if problem.exact:
            return _assert_equal(problem, given, expected)
    tolerance = _tolerance(problem, given, expected, rtol, atol)
    error = np.abs(_floats(given) - _floats(expected))
    if not error.max() <= tolerance:
        raise AssertionError(_message(problem, given, expected, error, tolerance))
    return None


def assert_unbiased(fn, *, method="auto", **settings):
    """Raise ``AssertionError`` with the report unless :func:`pgtheory.check_estimator` lets ``fn`` PASS.

    Parameters
    ----------
    fn : function (batch, policy, theta, gamma) -> (N,) + theta's shape
    method, settings : as of :func:`pgtheory.check_estimator`: target, batch_size, tolerance, mdp, ...

    Returns
    -------
    Result, for its ``blind`` spots and ``precision``

    Examples
    --------
    >>> import pgtheory as pg
    >>> pg.testing.assert_unbiased(pg.estimators.RewardToGo()).verdict
    'PASS'
    >>> try:
    ...     pg.testing.assert_unbiased(lambda *problem: -pg.estimators.RewardToGo()(*problem))
    ... except AssertionError as error:
    ...     print(*str(error).splitlines()[:2], sep="\\n")   # doctest: +ELLIPSIS
    FAIL: not the gradient; off by 200 % of its size (exact)
      looks like the sign is flipped [sign-flipped]; residual ...
    """
    from .checking.gradients import check_estimator

    return _passed(check_estimator(fn, method=method, **settings))


def assert_weights(fn, group_size=1, same_start=True, target="gradient", **settings):
    """Raise ``AssertionError`` with the report unless :func:`pgtheory.check_weights` lets ``fn`` PASS.

    Parameters
    ----------
    fn : function (batch) -> (N, T), what multiplies the scores; batch.group says which rows share a group
    group_size, same_start, target, settings : as of :func:`pgtheory.check_weights`

    Returns
    -------
    Result, for its ``blind`` spots and ``precision``

    Examples
    --------
    >>> import pgtheory as pg
    >>> whole_return = lambda batch: batch.rewards.sum(axis=1, keepdims=True) * batch.valid
    >>> pg.testing.assert_weights(whole_return).verdict
    'PASS'
    """
    from .checking.weights import check_weights

    return _passed(check_weights(fn, group_size, same_start, target, **settings))


def assert_advantages(fn, gamma, lam=0.95, **settings):
    """Raise ``AssertionError`` with the report unless :func:`pgtheory.check_advantages` lets ``fn`` PASS.

    Parameters
    ----------
    fn : function; gamma, lam, settings : as of :func:`pgtheory.check_advantages`: target, form, truncation, output, ...

    Returns
    -------
    Result, for its ``blind`` spots and ``precision``

    Examples
    --------
    >>> import pgtheory as pg
    >>> residual = lambda r: r.rewards + 0.8 * r.next_values * ~r.terminated - r.values
    >>> pg.testing.assert_advantages(residual, gamma=0.8, target="td residual", form="rollout").verdict
    'PASS'
    """
    from .checking.advantages import check_advantages

    return _passed(check_advantages(fn, gamma, lam, **settings))


def _passed(result):
    if not result.passed:
        raise AssertionError(str(result))
    return result


def _assert_equal(problem, given, expected) -> None:
    """Exact numbers and symbols are equal or they are not."""
    given, expected = canonical(given, expected)
    wrong = np.array(given != expected, dtype=bool)
    if wrong.any() and problem.arithmetic.symbolic:
        raise AssertionError(f"not the policy gradient: {_entry(given, expected, np.argmax(wrong))}")
    if wrong.any():
        error = np.maximum(np.abs(_floats(given - expected)), wrong * np.finfo(float).smallest_subnormal)
        raise AssertionError(_message(problem, given, expected, error, 0.0))


def _as_gradient(grad, shape):
    given, _ = as_array(grad, "the gradient")
    if given.shape != shape:
        hint = ": it looks transposed" if given.shape == shape[::-1] else ""
        raise AssertionError(f"not the policy gradient: its shape is {given.shape}, that of theta is {shape}{hint}")
    bad = ~np.isfinite(given) if given.dtype.kind in "fc" else np.zeros(shape, dtype=bool)
    if bad.any():
        index = np.unravel_index(int(np.argmax(bad)), shape)
        raise AssertionError(f"not the policy gradient: it is {given[index]} at {_place(index)}")
    if given.dtype.kind == "c":
        raise AssertionError("not the policy gradient: it is complex; a complex step ends in Im f / h")
    source = getattr(grad, "dtype", None)
    return given.astype(source) if source in (np.dtype(np.float32), np.dtype(np.float16)) else given


def _tolerance(problem, given, expected, rtol, atol) -> float:
    for name, value in (("rtol", rtol), ("atol", atol)):
        if value is not None and not 0 <= value < np.inf:
            raise PGTheoryError(f"{name} is {value}: a tolerance must be a finite number of at least 0")
    if rtol is None and atol is None:
        unit = float(np.finfo(given.dtype).eps) / EPS if given.dtype.kind == "f" else 1.0
        derived = 2 * unit * problem.unit * problem.gradient_scale
        largest = float(np.abs(_floats(expected)).max())
        if 0 < largest * BLUNT < derived:
            raise UndefinedError(f"rounding alone may move this gradient by {derived:.1e}, and its largest entry is {largest:.1e}: "
                                 "floating point cannot judge it here; lower gamma, or give rtol or atol yourself")
        return derived
    return float(atol or 0.0) + float(rtol or 0.0) * float(np.abs(_floats(expected)).max())


def _floats(array):
    return np.asarray(array, dtype=float)


def _place(index) -> str:
    return bracket(tuple(int(i) for i in index)) or "[]"


def _entry(given, expected, flat) -> str:
    index = np.unravel_index(int(flat), expected.shape)
    is_, should_be = (format(x, ".10g") if isinstance(x, np.floating) else str(x) for x in (given[index], expected[index]))
    return f"furthest off at {_place(index)}, which is {is_} and should be {should_be}"


def _message(problem, given, expected, error, tolerance) -> str:
    scale = float(np.abs(_floats(expected)).max())
    largest = float(error.max())
    size = (f"relative error {largest / scale:.2g}, tolerance {tolerance / scale:.2g}" if scale > 0
            else f"error {largest:.2g} where the gradient is 0, tolerance {tolerance:.2g}")
    from .checking.mistakes import likenesses

    found = likenesses(problem, _floats(given), _floats(expected), tolerance)
    return (f"not the policy gradient: {size}; {_entry(given, expected, np.argmax(error))}"
            + (f"; looks as if {' or '.join(found)}" if found else ""))
