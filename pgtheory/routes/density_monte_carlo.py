r"""Simulation of the stochastic policy gradient of a density over actions, unbiased without truncation; and clipped, bounded.

.. math:: \nabla J = \frac{1}{1-\gamma} E_{s \sim D,\, a \sim \pi}\Big[\nabla\log\pi(a|s)\, \sum_{s'} P(s'|s,a)
    \big(R(s,a,s') + \gamma V(s')\big)\Big].

The state after a geometric number of steps is a draw from D, the action is drawn from the density itself, and what follows
s' is estimated on a random horizon, as in :mod:`.monte_carlo`. Between the draws from the density states walk in the chain
that the policy leaves, whose law P_pi is an integral over the actions, by quadrature.

The score of a Gaussian is not bounded, and so a draw X has no box. It gets one by clipping to [-B, B], at the price of a
bias that is known: :math:`|E X - E\,\mathrm{clip}(X)| \le E(|X| - B)_+ \le \tfrac{27}{256}\, E X^4 / B^3`, because
:math:`(x - B) B^3 / x^4` is largest at x = 4B/3, where it is 27/256. The fourth moment is an integral over the actions again.
With :math:`B^3 = \tfrac{27}{256}\, E X^4 / b` the bias is at most b, which a test then adds to the width of its null and
takes from its tolerance, so that its error probabilities hold for the true mean.
"""

from __future__ import annotations

from copy import copy

import numpy as np

from ..errors import UndefinedError
from ..trajectories.sampling import ChainSampler
from .deterministic_monte_carlo import _control_variate, _expected
from .monte_carlo import _discount, _extremes, _failures

ENTRIES = 2_000_000      # of a table of P at the actions drawn, held at once
MARGIN = 1.1             # on fourth moments, for what their quadrature may miss
LEAST = 1e-3             # bias allowed for, relative to the fourth root of E X^4, where hardly any is asked for


class DensitySampler:
    r"""Independent, unbiased draws of the derivative of J along k directions, under a density over actions.

    Parameters
    ----------
    problem : DensityProblem, 0 <= gamma < 1
    baseline : None, or (S,) or scalar b, reward units
        Control variate; None takes the exact V, 0 is the plain estimate.
    directions : (k,) + theta.shape; None takes ``problem.directions``

    Attributes
    ----------
    directions : (k,) + theta.shape
    fourth_moment : (k,) E X^4, enlarged by a tenth
    low, high : (k,) no draw ever lies outside; infinite, unless :meth:`clipped`
    cost : float, the work of a draw, in transitions of the chain
    pull : (S, p, k) derivative of the mean and log sigma of every state along each direction

    Raises :class:`UndefinedError` at gamma = 1, :class:`PGTheoryError` for a control variate of the wrong shape.

    Notes
    -----
    With any b(s) rewards become r + gamma b(s') - b(s), which changes Q(s, a) into Q(s, a) - b(s), and the score has mean 0
    in every state, so that the mean is the same for every b, right or wrong. The first step pays its mean over s'.

    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.problems.continuous import problem_of
    >>> from pgtheory.routes.density_monte_carlo import DensitySampler
    >>> model = pg.ContinuousActionMDP(lambda s, a: np.ones(1), lambda s, a: a, 0.0, [1.0])
    >>> sampler = DensitySampler(problem_of(model, pg.GaussianPolicy(features=[[1.0]], sigma=1.0), [[0.5]]))
    >>> sampler.fourth_moment.round(9)      # 1.1 times E z^8 for the standard normal z
    array([115.5])
    >>> bounded, bias = sampler.clipped(0.01)
    >>> bounded.high.round(3), bias
    (array([10.68]), array([0.01]))
    """

    def __init__(self, problem, baseline=None, directions=None):
        self.gamma, self.problem = _discount(problem), problem
        self.chain = ChainSampler(*problem.walk)
        self.directions = np.asarray(problem.directions if directions is None else directions, dtype=float)
        self._b = _control_variate(problem, baseline)
        chain, b = self.chain, self._b
        self._gains = _expected(chain, chain.rewards + self.gamma * b[chain.next_states] - b[chain.states])
        self.pull = _pull(problem, self.directions)
        with np.errstate(over="ignore", invalid="ignore"):
            self.fourth_moment = MARGIN * self._fourth_moment()
        if not np.isfinite(self.fourth_moment).all():
            raise UndefinedError("the fourth moment of the simulated gradient overflows: rewards are too large for a float")
        self.high = np.full(len(self.directions), np.inf)

    @property
    def low(self):
        return -self.high

    @property
    def cost(self) -> float:
        root = np.sqrt(self.gamma)
        return float(1 + self.gamma / (1 - self.gamma) + root * (1 + root) / (1 - self.gamma) + len(self._b) ** 2 / 4)

    def clipped(self, bias):
        """(the same sampler with draws clipped to a box, (k,) bound on how far that moves their mean).

        ``bias`` is the bound that is asked for; it is raised to a thousandth of the fourth root of E X^4.
        """
        bias = np.maximum(bias, LEAST * self.fourth_moment**0.25)
        bounded = copy(self)
        bounded.high = np.cbrt(np.divide(27 / 256 * self.fourth_moment, bias, out=np.zeros_like(bias), where=bias > 0))
        return bounded, bias

    def draw(self, n, rng):
        """(n, k) independent draws."""
        rng = np.random.default_rng(rng)
        size = max(1, ENTRIES // len(self._b) ** 2)
        return np.concatenate([self._draw(min(size, n - start), rng) for start in range(0, n, size)])

    def mean(self, gradient):
        """(k,): a gradient (theta's shape) along the directions, what the draws should average."""
        k = len(self.directions)
        return self.directions.reshape(k, -1) @ np.asarray(gradient, dtype=float).reshape(-1)

    def _draw(self, n, rng):
        chain, gamma, root = self.chain, self.gamma, np.sqrt(self.gamma)
        states, _ = chain.walk(chain.start(n, rng), _failures(1 - gamma, n, rng), rng)
        actions, scores = self.problem.policy.draw(self.problem.theta, states, rng)
        P, gain = self._step(states, actions)
        N = _failures((1 - gamma) / (1 + root), n, rng)      # 1 - sqrt(gamma) without cancellation
        _, rest = chain.walk(_next(P, rng), N, rng, self._gains, root)
        X = np.einsum("np,npk->nk", scores, self.pull[states]) * (gain + root * rest)[:, None] / (1 - gamma)
        return np.clip(X, self.low, self.high)

    def _step(self, states, actions):
        """(n, S) P(.|s, a) and (n,) the mean gain of the step, walkers of different states in one table of actions."""
        order = np.argsort(states, kind="stable")
        counts = np.bincount(states, minlength=len(self._b))
        place = np.empty(len(states), dtype=np.intp)
        place[order] = np.arange(len(states)) - np.repeat(np.cumsum(counts) - counts, counts)
        table = np.repeat(self.problem.rule.actions[:1], counts.max(), axis=0)
        table[place, states] = actions
        P, _, r = self.problem.mdp.valid_law(table)
        return P[place, states], self._advantages(P, r)[place, states]

    def _advantages(self, P, r):
        return r + self.gamma * (P @ self._b) - self._b

    def _fourth_moment(self):
        """(k,): the integral over states and actions; what follows s' is at most its extreme."""
        least, most, rounding = _extremes(self.chain, self._gains, self.gamma)
        rest = np.sqrt(self.gamma) * (max(abs(least).max(), abs(most).max()) + rounding)
        total = 0.0
        for rule in self.problem.rules():
            P, _, r = self.problem.mdp.valid_law(self.problem.mdp.check_actions(rule.actions))
            weights = rule.weights * (abs(self._advantages(P, r)) + rest) ** 4 * self.problem.solution.D
            total = total + np.einsum("ns,nsk->k", weights, np.einsum("nsp,spk->nsk", rule.scores, self.pull) ** 4)
        return total / (1 - self.gamma) ** 4


def _next(P, rng):
    """(n,) a next state drawn from every row of P (n, S), by inversion."""
    ends = np.cumsum(P, axis=1)
    u = rng.random(len(P)) * ends[:, -1]
    return np.minimum((ends <= u[:, None]).sum(axis=1), P.shape[1] - 1)


def _pull(problem, directions):
    """(S, p, k)."""
    policy, theta, k = problem.policy, problem.theta, len(directions)
    S, p = problem.weights.shape
    rows = [policy.state_pullback(theta, np.broadcast_to(np.eye(p)[j], (S, p))).reshape(S, -1) for j in range(p)]
    return np.stack(rows, axis=1) @ directions.reshape(k, -1).T
