r"""Simulation for the infinite horizon, unbiased without truncation, and bounded.

Two random horizons replace the two infinite sums of

.. math:: \nabla J = \frac{1}{1-\gamma} E_{s \sim D,\, a \sim \pi}[\nabla \log \pi(a|s)\, Q(s, a)].

The state reached after T steps, Pr(T = t) = (1 - gamma) gamma^t, is a draw from D; and

.. math:: \hat Q = \sum_{t \le N} \gamma^{t/2} r_t, \qquad \Pr(N \ge t) = \gamma^{t/2},

has mean Q(s, a) and lies within r_max / (1 - sqrt(gamma)), so that the estimate has a box that it provably never leaves.

Source: Zhang, Koppel, Zhu, Basar, *Global convergence of policy gradient methods to (almost) locally optimal policies*,
SIAM J. Control Optim. 58 (2020). Nothing here rests on a linear solve: V and Q serve as control variates only,
and the mean is the same for any other numbers in their place.
"""

from __future__ import annotations

import numpy as np

from ..arithmetic import EPS
from ..errors import NotExactError, PGTheoryError, UndefinedError
from ..problems.slopes import slopes_along
from ..trajectories.sampling import ChainSampler
from ..validation import require_finite

SWEEPS = 10_000              # at most; every iterate is already a bound
SWEEP_WORK = 200_000_000      # outcomes visited while the box is tightened: about a second


class GradientSampler:
    r"""Independent, bounded, unbiased draws of the derivative of J along k directions.

    Parameters
    ----------
    problem : Problem, 0 <= gamma < 1, numeric
    baseline : None, or (S, A), (S,) or scalar b, reward units
        Control variate; None takes the exact Q, 0 is the plain estimate.
    directions : (k,) + theta.shape; None takes ``problem.directions``

    Attributes
    ----------
    directions : (k,) + theta.shape
    low, high : (k,) no draw ever lies outside; reward units per unit of theta
    cost : float, mean number of transitions a draw simulates
    scores : (S, A, k) grad log pi(a|s) along each direction; 0 where pi(a|s) = 0
    gains : (m,) reward of every outcome of ``chain`` after the control variate
    lead : (S, A) and offset : (S, k), what the control variate took out and is put back, see Notes

    Raises
    ------
    UndefinedError
        gamma = 1: no geometric stopping time samples the undiscounted visits. Or pi(a|s) = 0 with a derivative that is not
        0: the log form does not exist there.
    NotExactError
        A symbolic problem.
    PGTheoryError
        S * A * k is too large for a table of scores.

    Notes
    -----
    With any b(s, a) and its mean b(s) under pi, rewards become r + gamma b(s') - b(s, a), which changes Q(s, a) into
    Q(s, a) - b(s, a), because b(s', a') averages b(s') (the doubly robust form of Jiang & Li 2016 on-policy). The draw is

    .. math:: X = \frac{1}{1-\gamma} \Big[\nabla\log\pi(a|s)\, \big(\hat Q_b + b(s, a) - b(s)\big) + b(s) \sum_a
        \nabla\pi(a|s)\Big],

    whose last term is 0 where the rows of pi keep their sum (softmax) and is not under the direct parameterisation. The
    mean is the same for every b, right or wrong; with b = Q the later steps pay their own surprise alone, and the
    variance and the box shrink.

    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.problems.finite import Problem
    >>> from pgtheory.routes.monte_carlo import GradientSampler
    >>> mdp = pg.MDP([[[1.0], [1.0]]], [[1.0, 0.0]], 0.0, 0)
    >>> sampler = GradientSampler(Problem(mdp, pg.SoftmaxPolicy(1, 2), [[0.0, 0.0]]), baseline=0)
    >>> sampler.low.round(9) + 0.0, sampler.high.round(9) + 0.0
    (array([ 0. , -0.5]), array([0.5, 0. ]))
    >>> bool(np.isin(sampler.draw(1000, rng=0)[:, 0], [0.0, 0.5]).all())
    True
    """

    def __init__(self, problem, baseline=None, directions=None):
        self.gamma = _discount(problem)
        self.chain = ChainSampler(problem.mdp, problem.pi)
        self.directions = np.asarray(problem.directions if directions is None else directions, dtype=float)
        slopes = slopes_along(problem, self.directions)
        with np.errstate(over="ignore", invalid="ignore"):
            self._set_tables(slopes, _control_variate(problem, baseline))
            self.low, self.high = self._box()
        if not (np.isfinite(self.low) & np.isfinite(self.high)).all():
            raise UndefinedError("the box of the simulated gradient overflows: some pi(a|s) is so small, or some reward so "
                                 "large, that the score times the return is no float; simulate at a milder theta")

    def _set_tables(self, slopes, b):
        chain, pi = self.chain, self.chain.pi
        mean_b = (pi * b).sum(axis=1)
        self.scores = np.divide(slopes, pi[:, :, None], out=np.zeros_like(slopes), where=pi[:, :, None] > 0)
        self.gains = chain.rewards + self.gamma * mean_b[chain.next_states] - b[chain.states, chain.actions]
        self.lead = b - mean_b[:, None]
        self.offset = slopes.sum(axis=1) * mean_b[:, None]

    @property
    def cost(self) -> float:
        root = np.sqrt(self.gamma)
        return float(1 + self.gamma / (1 - self.gamma) + root * (1 + root) / (1 - self.gamma))

    def draw(self, n, rng):
        """(n, k) independent draws, in about n / (1 - gamma) vectorised steps."""
        rng = np.random.default_rng(rng)
        chain, gamma = self.chain, self.gamma
        states, _ = chain.walk(chain.start(n, rng), _failures(1 - gamma, n, rng), rng)
        k, root = chain.outcomes(states, rng), np.sqrt(gamma)
        N = _failures((1 - gamma) / (1 + root), n, rng)      # 1 - sqrt(gamma) without cancellation
        _, rest = chain.walk(chain.next_states[k], N, rng, self.gains, root)
        actions = chain.actions[k]
        Q = self.gains[k] + root * rest + self.lead[states, actions]
        return (self.scores[states, actions] * Q[:, None] + self.offset[states]) / (1 - gamma)

    def mean(self, gradient):
        """(k,): a gradient (theta's shape) along the directions, what the draws should average."""
        k = len(self.directions)
        return self.directions.reshape(k, -1) @ np.asarray(gradient, dtype=float).reshape(-1)

    def _box(self):
        """(low, high), each (k,): the extremes over every (s, a) that can be drawn, roundings included."""
        gains = np.where(self.chain.reachable[self.chain.states], self.gains, 0.0)
        least, most, rounding = _extremes(self.chain, gains, self.gamma)
        rounding += 8 * EPS * np.abs(self.lead[self.chain.reachable]).max()
        drawable = (self.chain.pi > 0) & self.chain.reachable[:, None]
        low, high = np.full((2, len(self.directions)), [[np.inf], [-np.inf]])
        for a in range(drawable.shape[1]):
            s = np.flatnonzero(drawable[:, a])
            for end in (least[s, a] - rounding, most[s, a] + rounding):
                X = self.scores[s, a] * (end + self.lead[s, a])[:, None]
                slack = 8 * EPS * (np.abs(X) + np.abs(self.offset[s]))
                X += self.offset[s]
                low = np.minimum(low, (X - slack).min(axis=0, initial=np.inf))
                high = np.maximum(high, (X + slack).max(axis=0, initial=-np.inf))
        return low / (1 - self.gamma), high / (1 - self.gamma)


class StateSampler:
    r"""Draws from the normalised discounted state distribution D: the state after a geometric number of steps.

    Parameters
    ----------
    problem : Problem, 0 <= gamma < 1, numeric
    at_most : int
        Up to this many states a draw is one-hot; beyond, it says of each of ``at_most`` random halves of the states
        whether the state drawn is in it.
    rng : Generator or seed that picks the halves

    Attributes
    ----------
    members : (S, k) float, 1 where state s counts for coordinate j
    low, high : (k,) in [0, 1], no draw ever lies outside
    cost : float, mean number of transitions a draw simulates

    Raises :class:`UndefinedError` at gamma = 1, :class:`NotExactError` for a symbolic problem. Source: Zhang et al. 2020.

    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.problems.finite import Problem
    >>> from pgtheory.routes.monte_carlo import StateSampler
    >>> mdp = pg.MDP([[[0, 1]], [[0, 1]]], [0.0, 0.0], 0.5, 0)
    >>> sampler = StateSampler(Problem(mdp, pg.SoftmaxPolicy(2, 1), [[0.0], [0.0]]))
    >>> sampler.draw(4, rng=1).sum(axis=1), sampler.mean([0.5, 0.5])
    (array([1., 1., 1., 1.]), array([0.5, 0.5]))
    """

    def __init__(self, problem, at_most=64, rng=0):
        self.gamma = _discount(problem)
        self.chain = ChainSampler(*problem.walk)
        S = problem.mdp.n_states
        halves = np.eye(S) if at_most >= S else np.random.default_rng(rng).integers(0, 2, size=(S, at_most)).astype(float)
        self.members = halves
        reached = halves[self.chain.reachable]
        self.low, self.high = reached.min(axis=0), reached.max(axis=0)
        self.cost = self.gamma / (1 - self.gamma)

    def draw(self, n, rng):
        """(n, k) independent draws of 0 and 1."""
        rng = np.random.default_rng(rng)
        states, _ = self.chain.walk(self.chain.start(n, rng), _failures(1 - self.gamma, n, rng), rng)
        return self.members[states]

    def mean(self, D):
        """(k,): what the draws average where D (S,) is the state distribution."""
        return np.asarray(D, dtype=float) @ self.members


def testable_directions(problem, at_most, rng=0):
    """(k,) + theta.shape with k <= at_most: every coordinate where they are that few, else random vectors of signs.

    A wrong gradient is orthogonal to one random vector of signs with probability at most 1/2 and to all of them with
    probability at most 2^-k.

    >>> import pgtheory as pg
    >>> from pgtheory.problems.finite import Problem
    >>> from pgtheory.routes.monte_carlo import testable_directions
    >>> problem = Problem(pg.models.load("start-matters"), pg.SoftmaxPolicy(2, 2), [[0.0, 0.0], [0.0, 0.0]])
    >>> testable_directions(problem, at_most=4).shape, testable_directions(problem, at_most=3).shape
    ((4, 2, 2), (3, 2, 2))
    """
    size, shape = problem.theta.size, problem.theta.shape
    if size <= at_most:
        return np.eye(size).reshape((size,) + shape)
    return np.random.default_rng(rng).choice([-1.0, 1.0], size=(at_most,) + shape)


testable_directions.__test__ = False  # type: ignore[attr-defined]  # or pytest takes it for a test, by its name


def _discount(problem) -> float:
    gamma = problem.gamma
    if gamma == 1:
        raise UndefinedError("gamma = 1: no geometric stopping time samples the undiscounted visits, so there is no bounded "
                             "simulation; use gamma < 1, or the routes that differentiate")
    if problem.arithmetic.symbolic:
        raise NotExactError("a symbolic problem cannot be simulated: put numbers in for the symbols first")
    return float(gamma)


def _failures(p, n, rng):
    """(n,) failures before the first success, Pr(T >= t) = (1 - p)^t."""
    return rng.geometric(p, size=n) - 1


def _control_variate(problem, baseline):
    """b as (S, A) floats."""
    S, A = problem.mdp.n_states, problem.mdp.n_actions
    b = np.asarray(problem.solution.Q if baseline is None else baseline, dtype=float)
    b = b[:, None] if b.ndim == 1 else b
    if b.shape not in ((), (S, 1), (S, A)):
        raise PGTheoryError(f"baseline has shape {b.shape}: it must be a scalar, {(S,)} or {(S, A)}")
    require_finite(b, "baseline", PGTheoryError)
    return np.broadcast_to(b, (S, A))


def _extremes(chain, gains, gamma):
    """Least and most (S, A) of Q-hat after (s, a), -inf and inf where pi(a|s) = 0, and what its rounding can add.

    Summed in floating point, term t carries t + 1 roundings and every addition one more, until terms fall below rounding.
    """
    root = np.sqrt(gamma)
    patience = (1 + root) / (1 - gamma)     # 1 / (1 - sqrt(gamma)) without cancellation
    rounding = 40 * EPS * np.abs(gains).max() * patience**2
    return -_most(chain, -gains, root, patience), _most(chain, gains, root, patience), rounding


def _most(chain, gains, root, patience):
    """(S, A): the supremum of sum_{t <= N} root^t gain_t over all walks and all N, approached from above.

    It is the value of optimal stopping, W(s) = max(0, max over outcomes of gain + root W(s')); every iterate of this
    monotone map, started above, is itself an upper bound.
    """
    W = np.full(chain.mdp.n_states, max(0.0, gains.max()) * patience)
    for _ in range(min(SWEEPS, max(1, SWEEP_WORK // len(gains)))):
        lower = np.maximum(0.0, np.maximum.reduceat(gains + root * W[chain.next_states], chain.offsets[:-1]))
        drop, W = (W - lower).max(), lower
        if drop * root * patience <= 1e-6 * W.max():
            break
    most = np.full(chain.pi.shape, -np.inf)
    np.maximum.at(most, (chain.states, chain.actions), gains + root * W[chain.next_states])
    return most
