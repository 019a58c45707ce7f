r"""Is the mean of bounded draws equal to a target? A sequential test whose error probabilities hold without asymptotics.

The draws X are independent (or martingale differences around the mean) and lie in a box declared beforehand. A gambler
who believes the mean lies above m may bet: his wealth, prod_i (1 + stake (X_i - m)), cannot grow on average while the mean
is at most m, and it stays positive as long as stake < 1 / (m - low). By Ville's inequality it ever reaches 1/alpha with
probability at most alpha, whatever the number of draws and whenever one looks. Averages of such wealths are such wealths;
so a grid of stakes needs no tuning.

- **FAIL** when the average over both sides of all coordinates reaches 1/alpha: the mean is not the target. False with
  probability at most alpha, whatever the dependence between coordinates.
- **PASS** when, for each coordinate and side, the wealth of bets against "the bias is at least the tolerance" has reached
  1/beta at some time. If any bias is that large, the PASS is false with probability at most beta; no correction for the
  number of coordinates is needed, since every one of the certificates must come (intersection-union).
- **INCONCLUSIVE** at the end of the budget. Nothing passes for want of evidence.

Sources: Ville 1939, *Etude critique de la notion de collectif*; Waudby-Smith & Ramdas 2024, *Estimating means of bounded
random variables by betting*, JRSS B 86; Berger 1982, *Multiparameter hypothesis testing and
acceptance sampling*, Technometrics 24 (intersection-union); Fan, Grama, Liu 2015, *Exponential inequalities for martingales
with applications*, Electronic J. Probab. 20 (the quadratic bound behind ``resolution``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arithmetic import EPS
from ..errors import PGTheoryError
from ..validation import first, require_finite
from .betting import N_STAKES, Bets, log_mean_exp, quadratic_loss, stakes, unit
from .record import FAIL, INCONCLUSIVE, PASS

ROUNDING = 1e-10        # default half width of the null, relative to the box
FLAT = 1e-50            # boxes this narrow, seen from the target, tell nothing but that they are narrow
SMALLEST, LARGEST, ENTRIES = 1024, 32768, 4_000_000     # draws between looks; entries of X held at once


@dataclass(frozen=True)
class SequentialResult:
    """What a sequential test found.

    verdict : "PASS", "FAIL" or "INCONCLUSIVE"
    n : draws used
    estimate, standard_error : (k,) of the draws, for reading only: no verdict rests on them
    log_e_fail : float, largest log wealth of the bets against the target; exp(-log_e_fail) is an anytime p-value
    resolution : (k,) biases of this size and more are excluded, each with error beta; at most the width of the box
    tolerance : (k,) the bias that a PASS excludes
    reason : what decided, in words
    """

    verdict: str
    n: int
    estimate: np.ndarray
    standard_error: np.ndarray
    log_e_fail: float
    resolution: np.ndarray
    tolerance: np.ndarray
    reason: str


class SequentialTest:
    """The test as a process: feed it draws until it has decided. Several tests may run side by side.

    Parameters
    ----------
    target, low, high : (..., k) the mean claimed, and the box of every draw; leading axes are tests of their own
    tolerance : (..., k) or scalar >= 0, the bias that a PASS excludes; never less than ``rounding``
    alpha, beta : floats in (0, 1), probabilities of a false FAIL and of a false PASS
    budget : int, number of draws for which the stakes are laid out
    rounding : (..., k) or scalar, half width of the null, since the target was itself rounded; by default 1e-10 of the
        largest of |low|, |high|, |target|, and never less than 4 eps of it

    Attributes
    ----------
    n : draws so far
    log_e_fail : (...) running maximum of the log wealth against the target; inf where the target is outside the box
    failed, passed : (...) bool, the first decision of each test stands

    >>> import numpy as np
    >>> test = SequentialTest([0.5], [0.0], [1.0], tolerance=0.2, alpha=1e-6, beta=1e-6, budget=1000)
    >>> test.update(np.tile([[0.0], [1.0]], (400, 1)))
    >>> bool(test.passed), bool(test.failed)
    (True, False)
    """

    def __init__(self, target, low, high, tolerance, alpha, beta, budget, rounding=None):
        target, low, high = (np.array(x, dtype=float) for x in np.broadcast_arrays(target, low, high))
        size = np.max(np.abs([target, low, high]), axis=0)
        rounding = ROUNDING * size if rounding is None else np.maximum(rounding, 4 * EPS * size)
        tolerance = np.broadcast_to(np.asarray(tolerance, dtype=float), target.shape)
        _require_sense(target, low, high, tolerance, alpha, beta, budget)
        self.shape, self.alpha, self.beta, self.budget = target.shape, alpha, beta, budget
        self.target, self.low, self.high = target.reshape(-1), low.reshape(-1), high.reshape(-1)
        self.tolerance = np.maximum(tolerance, rounding).reshape(-1)
        self._against = self._bets(rounding.reshape(-1), +1)
        self._within = self._bets(self.tolerance, -1)
        self._certified = self._within.loss <= 0
        self.n, self._sum, self._squares = 0, np.zeros_like(self.target), np.zeros_like(self.target)
        self._unit = unit(np.maximum(self.high - self.target, self.target - self.low))     # the sums stay in [-n, n]
        outside = self._by_test(self._against.loss < 0).any(axis=-1)
        self.log_e_fail = np.where(outside, np.inf, 0.0)
        self.failed, self.passed = outside, np.zeros_like(outside)
        self._decide()

    @property
    def decided(self) -> bool:
        """Every test has failed or passed."""
        return bool((self.failed | self.passed).all())

    def update(self, X):
        """Take the draws X (n, ..., k), in the order in which they were drawn; looks between calls are free."""
        X = np.asarray(X, dtype=float)
        if X.shape[1:] != self.shape:
            raise PGTheoryError(f"draws have shape {X.shape}: they must be (n,) + {self.shape}")
        X = X.reshape(len(X), -1)
        self._require_in_box(X)
        centred = (X - self.target) / self._unit
        self.n, self._sum = self.n + len(X), self._sum + centred.sum(axis=0)
        self._squares += (centred**2).sum(axis=0)
        self._against.update(X)
        self._within.update(X, np.flatnonzero(~self._certified))
        self._decide()

    def _decide(self):
        fail = log_mean_exp(self._by_test(self._against.log_wealth), axes=(-2, -1))
        self.log_e_fail = np.maximum(self.log_e_fail, fail)
        self._certified |= log_mean_exp(self._within.log_wealth, axes=(-1,)) >= -np.log(self.beta)
        self.failed = self.failed | ((self.log_e_fail >= -np.log(self.alpha)) & ~self.passed)
        self.passed = self.passed | (self._by_test(self._certified).all(axis=-1) & ~self.failed)

    def _bets(self, shift, sign):
        """Processes on both sides of every coordinate, the upper sides first: centres at target + shift, target - shift."""
        side = np.repeat([1.0, -1.0], len(self.target))
        target, low, high, shift = (np.tile(x, 2) for x in (self.target, self.low, self.high, shift))
        column = np.tile(np.arange(len(self.target)), 2)
        return Bets(column, sign * side, target + side * shift, low, high, self.budget)

    def _by_test(self, processes):
        """(..., 2k[, stakes]): what the processes of each test hold."""
        tail, tests = processes.shape[1:], self.shape[:-1]
        sides = np.moveaxis(processes.reshape((2,) + self.shape + tail), 0, len(tests))
        return sides.reshape(tests + (-1,) + tail)

    def _require_in_box(self, X):
        inside = (self.low <= X) & (self.high >= X)      # False for NaN
        if not inside.all():
            i, j = first(~inside)
            raise PGTheoryError(f"bound violated: draw {self.n + i} is {X[i, j]:.17g} in coordinate {j}, outside the box "
                                f"[{self.low[j]:.17g}, {self.high[j]:.17g}] declared: the bound or the estimator is wrong")

    def resolution(self):
        """(..., k) smallest |bias| that the draws so far exclude, each with error beta.

        From log(1 + x) >= x - psi(c) x^2 for x >= -c, the wealth against "the bias is at least e" is at least
        exp(stake (n e - S1) - psi stake^2 (S2 - 2 e S1 + n e^2)) in the first two moments alone: a quadratic in e.
        """
        side, n = np.array([[[1.0]], [[-1.0]]]), self.n
        room = np.stack([self.high - self.target, self.target - self.low]) / self._unit
        width = room.sum(axis=0)
        stake = np.stack([stakes(x, np.where(width > FLAT, width, 0.0), self.budget) for x in room])
        S1, S2 = side * self._sum[:, None], self._squares[:, None]
        psi = quadratic_loss(stake * np.maximum(room, 0.0)[:, :, None])
        a, b = psi * stake**2 * n, stake * n + 2 * psi * stake**2 * S1
        c = stake * S1 + psi * stake**2 * S2 + np.log(N_STAKES / self.beta)
        with np.errstate(divide="ignore", invalid="ignore"):
            smallest = 2 * c / (b + np.sqrt(b**2 - 4 * a * c))
        smallest = np.where((b > 0) & (b**2 >= 4 * a * c), smallest, np.inf).min(axis=-1)
        known = np.where(self._certified.reshape(2, -1), self.tolerance, np.inf)
        sides = np.minimum(np.minimum(smallest, room) * self._unit, known)
        return np.clip(sides, 0.0, None).max(axis=0).reshape(self.shape)


def _require_sense(target, low, high, tolerance, alpha, beta, budget):
    for name, array in (("target", target), ("low", low), ("high", high), ("tolerance", tolerance)):
        require_finite(array, name, PGTheoryError)
    if target.ndim == 0 or (low > high).any() or (tolerance < 0).any():
        raise PGTheoryError("target must be (..., k), low at most high, and tolerance not negative")
    if not (0 < alpha < 1 and 0 < beta < 1):
        raise PGTheoryError(f"alpha is {alpha} and beta is {beta}: error probabilities lie in (0, 1)")
    if budget < 1:
        raise PGTheoryError(f"budget is {budget}: it must be at least one draw")


def sequential_test(draw, target, low, high, tolerance, alpha, beta, budget, rng=0, batch=None, rounding=None):
    """Test whether the mean of bounded draws is ``target``, until it is decided or the budget is spent.

    Parameters
    ----------
    draw : function (n, rng) -> (n, k) independent draws
    target, low, high : (k,) the mean claimed, and the box that holds every draw
    tolerance : (k,) or scalar, the bias that a PASS excludes, in units of X
    alpha, beta : probabilities of a false FAIL, of a false PASS
    budget : int, draws at most
    rng : Generator or seed
    batch : int, draws between looks; by default from 1024 doubling up to 32768, fewer where k is large
    rounding : (k,) or scalar, half width of the null, see :class:`SequentialTest`

    Returns
    -------
    SequentialResult

    Raises
    ------
    PGTheoryError
        A draw lies outside its box ("bound violated", NaN included), or the arguments make no sense.

    Examples
    --------
    >>> from pgtheory.checks.sequential import sequential_test
    >>> def coin(n, rng):
    ...     return rng.integers(0, 2, size=(n, 1)).astype(float)
    >>> sequential_test(coin, [0.5], [0.0], [1.0], 0.05, 1e-6, 1e-6, budget=100_000).verdict
    'PASS'
    >>> sequential_test(coin, [0.6], [0.0], [1.0], 0.05, 1e-6, 1e-6, budget=100_000).verdict
    'FAIL'
    >>> sequential_test(coin, [0.5], [0.0], [1.0], 0.05, 1e-6, 1e-6, budget=1000).verdict
    'INCONCLUSIVE'
    """
    rng = np.random.default_rng(rng)
    test = SequentialTest(np.atleast_1d(target), low, high, tolerance, alpha, beta, budget, rounding)
    size, largest = (SMALLEST, max(SMALLEST, min(LARGEST, ENTRIES // len(test.target)))) if batch is None else (batch, batch)
    while not test.decided and test.n < budget:
        test.update(draw(min(size, budget - test.n), rng))
        size = min(2 * size, largest)
    return _result(test)


def _result(test):
    n, scale = max(test.n, 1), test._unit
    mean = test._sum / n
    deviation = np.sqrt(np.maximum(test._squares / n - mean**2, 0.0))
    verdict = FAIL if test.failed.all() else PASS if test.passed.all() else INCONCLUSIVE
    estimate, resolution = test.target + mean * scale, test.resolution()
    return SequentialResult(verdict, test.n, estimate, deviation * scale / np.sqrt(n), float(test.log_e_fail), resolution,
                            test.tolerance, _reason(test, verdict, estimate, resolution))


def _reason(test, verdict, estimate, resolution) -> str:
    if verdict == PASS:
        return f"every bias beyond the tolerance is excluded after {test.n} draws"
    if verdict == INCONCLUSIVE:
        j = int(np.argmax(resolution / np.maximum(test.tolerance, np.finfo(float).tiny)))
        return (f"{test.n} draws exclude no bias smaller than {resolution[j]:.3g} in coordinate {j}, where the tolerance is "
                f"{test.tolerance[j]:.3g}: more draws would decide (samples)")
    outside = test._against.loss < 0
    if outside.any():
        j = int(test._against.column[np.argmax(outside)])
        return (f"target {test.target[j]:.6g} of coordinate {j} lies outside [{test.low[j]:.6g}, {test.high[j]:.6g}], which "
                "holds every draw: it cannot be their mean")
    worst = int(np.argmax(test._against.log_wealth.max(axis=1)))
    j, above = int(test._against.column[worst]), test._against.sign[worst] > 0
    return (f"the mean of coordinate {j} lies {'above' if above else 'below'} the target {test.target[j]:.6g}: "
            f"{estimate[j]:.6g} over {test.n} draws")


# ------------------------------------------------------------------------------------------------ how many draws


def fixed_sample(deviation, tolerance, alpha, beta) -> int:
    """Draws of a two-sided z-test with these errors, for a bias of ``tolerance`` in any coordinate, the number fixed beforehand.

    ((z_{1-alpha/2k} + z_{1-beta}) deviation / tolerance)^2, the largest over the k coordinates. Source: any textbook, for
    instance Casella & Berger 2002, *Statistical Inference*, section 8.3.

    >>> fixed_sample(np.array([0.5]), 0.025, 1e-6, 1e-6)
    37211
    """
    from scipy.stats import norm

    z = norm.isf(alpha / (2 * np.size(deviation))) + norm.isf(beta)
    return int(np.ceil((z * np.max(np.asarray(deviation) / tolerance)) ** 2))


def sequential_sample(deviation, loss, tolerance, beta) -> int:
    """Draws, on average, until the sequential test passes an unbiased mean, at most: an upper bound, usually twice too large.

    log(N_STAKES / beta) max(4 (sd^2 + tolerance^2) / tolerance^2, 4 loss / tolerance), from log(1 + x) >= x - x^2 for
    |x| <= 1/2; ``loss`` is the furthest that a draw lies from the target. For one coordinate; several wait for the last.
    """
    deviation, loss = np.asarray(deviation), np.asarray(loss)
    steps = np.maximum(4 * (deviation**2 + tolerance**2) / tolerance**2, 4 * (loss + tolerance) / tolerance)
    return int(np.ceil(np.log(N_STAKES / beta) * np.max(steps)))
