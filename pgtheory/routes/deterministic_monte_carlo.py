r"""Simulation of the deterministic policy gradient, unbiased without truncation, and bounded.

.. math:: \nabla J = \frac{1}{1-\gamma} E_{s \sim D}\Big[\nabla\mu(s) \Big(\nabla_a r(s, a) + \gamma \sum_{s'}
    \nabla_a P(s'|s, a)\, V(s')\Big)\Big]_{a = \mu(s)}.

The state after a geometric number of steps is a draw from D. The signed kernel under the sum is sampled from the sum of its
absolute values over the directions, and the draw is weighted by the ratio; V at the state drawn is estimated on a random
horizon, as in :mod:`.monte_carlo`. Nothing here rests on a linear solve: V serves as a control variate only.
"""

from __future__ import annotations

import numpy as np

from ..arithmetic import EPS
from ..continuous.slopes import slopes
from ..errors import PGTheoryError, UndefinedError
from ..problems.slopes import LARGEST_TABLE
from ..trajectories.sampling import AliasTable, ChainSampler
from ..validation import require_finite
from .monte_carlo import _discount, _extremes, _failures


class DeterministicSampler:
    r"""Independent, bounded, unbiased draws of the derivative of J along k directions, under a deterministic policy.

    Parameters
    ----------
    problem : DeterministicProblem, 0 <= gamma < 1, numeric
    baseline : None, or (S,) or scalar b, reward units
        Control variate; None takes the exact V, 0 is the plain estimate.
    directions : (k,) + theta.shape; None takes ``problem.directions``

    Attributes
    ----------
    directions : (k,) + theta.shape
    low, high : (k,) no draw ever lies outside; reward units per unit of theta
    cost : float, mean number of transitions a draw simulates
    kernel : (S, S, k) m, derivative of P(s'|s, mu(s)) along each direction
    ratio : (n, k) m over the probability with which the pair (s, s') is drawn, for every pair that can be drawn
    known : (S, k) what a state adds without simulation: grad r along each direction, and the control variate put back
    gains : (m,) expected reward of the step, after the control variate, for every outcome of ``chain``

    Raises
    ------
    UndefinedError
        gamma = 1: no geometric stopping time samples the undiscounted visits.
    NotExactError
        A symbolic problem.
    PGTheoryError
        S * S * k is too large for a table.

    Notes
    -----
    With any b(s) rewards become r + gamma b(s') - b(s), which changes V(s) into V(s) - b(s). A step pays their mean over
    s', which changes no mean and narrows the draws; with b = V it is the Bellman residual. The draw is

    .. math:: X = \frac{1}{1-\gamma} \Big[\partial r(s) + \gamma \sum_{x} m(s, x) b(x)
        + \gamma \frac{m(s, s')}{q(s'|s)} \hat V_b(s')\Big], \qquad q(x|s) \propto \sum_j |m_j(s, x)|,

    whose mean is the same for every b, right or wrong. A constant b changes nothing but the spread, since the rows of m
    sum to 0. |m_j| / q is at most the total variation sum_j sum_x |m_j(s, x)|, so that draws have a box.

    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.problems.continuous import problem_of
    >>> from pgtheory.routes.deterministic_monte_carlo import DeterministicSampler
    >>> model = pg.ContinuousActionMDP(lambda s, a: np.ones(1), lambda s, a: 1 - a**2, 0.5, [1.0])
    >>> problem = problem_of(model, pg.DeterministicPolicy(features=[[1.0]]), [[0.25]])
    >>> DeterministicSampler(problem, baseline=0).draw(3, rng=0)
    array([[-1.],
           [-1.],
           [-1.]])
    """

    def __init__(self, problem, baseline=None, directions=None):
        self.gamma = _discount(problem)
        self.chain = ChainSampler(*problem.walk)
        self.directions = np.asarray(problem.directions if directions is None else directions, dtype=float)
        S, k = problem.mdp.n_states, len(self.directions)
        if S * S * k > LARGEST_TABLE:
            raise PGTheoryError(f"{k} directions of {S} x {S} slopes are too many for one table: pass "
                                "directions=testable_directions(problem, 64)")
        self.kernel, reward_slopes = _slopes(problem, self.directions)
        b = _control_variate(problem, baseline)
        self.gains = _expected(self.chain, self.chain.rewards + self.gamma * b[self.chain.next_states] - b[self.chain.states])
        self.known = reward_slopes + self.gamma * np.einsum("stk,t->sk", self.kernel, b)
        self._set_pairs()
        self.low, self.high = self._box()
        if not (np.isfinite(self.low) & np.isfinite(self.high)).all():
            raise UndefinedError("the box of the simulated gradient overflows: rewards or slopes are too large for a float")

    def _set_pairs(self):
        """What s' is drawn after which s, and how much each draw counts; a state without slopes draws itself, for 0."""
        weight = np.abs(self.kernel).sum(axis=2)
        still = weight.sum(axis=1) == 0
        weight[still, still] = 1.0
        self._from, self._to = np.nonzero(weight)
        chosen = weight[self._from, self._to]
        q = chosen / weight.sum(axis=1)[self._from]
        self.ratio = self.kernel[self._from, self._to] / q[:, None]
        self._next = AliasTable(chosen, np.bincount(self._from, minlength=len(weight)))

    @property
    def cost(self) -> float:
        root = np.sqrt(self.gamma)
        return float(1 + self.gamma / (1 - self.gamma) + root * (1 + root) / (1 - self.gamma))

    def draw(self, n, rng):
        """(n, k) independent draws, in about n / (1 - gamma) vectorised steps."""
        rng = np.random.default_rng(rng)
        chain, gamma, root = self.chain, self.gamma, np.sqrt(self.gamma)
        states, _ = chain.walk(chain.start(n, rng), _failures(1 - gamma, n, rng), rng)
        pair = self._next.draw(states, rng)
        N = _failures((1 - gamma) / (1 + root), n, rng)      # 1 - sqrt(gamma) without cancellation
        _, V = chain.walk(self._to[pair], N + 1, rng, self.gains, root)
        return (self.known[states] + gamma * self.ratio[pair] * V[:, None]) / (1 - gamma)

    def mean(self, gradient):
        """(k,): a gradient (theta's shape) along the directions, what the draws should average."""
        k = len(self.directions)
        return self.directions.reshape(k, -1) @ np.asarray(gradient, dtype=float).reshape(-1)

    def _box(self):
        """(low, high), each (k,): the extremes over every pair (s, s') that can be drawn, roundings included."""
        least, most, rounding = _extremes(self.chain, self.gains, self.gamma)
        drawable = self.chain.reachable[self._from]
        s, t, ratio = self._from[drawable], self._to[drawable], self.ratio[drawable]
        low, high = np.full((2, len(self.directions)), [[np.inf], [-np.inf]])
        for end in (least[t, 0] - rounding, most[t, 0] + rounding):
            X = self.gamma * ratio * end[:, None]
            slack = 16 * EPS * (np.abs(X) + np.abs(self.known[s]))
            X += self.known[s]
            low, high = np.minimum(low, (X - slack).min(axis=0)), np.maximum(high, (X + slack).max(axis=0))
        return low / (1 - self.gamma), high / (1 - self.gamma)


def _slopes(problem, directions):
    """(S, S, k) and (S, k): derivatives of P(s'|s, mu(s)) and of r(s, mu(s)) along each direction."""
    actions = problem.solution.actions
    P, R = (np.asarray(table, dtype=float) for table in problem.mdp.law(actions))
    dP, dR = (np.asarray(slope.array, dtype=float) for slope in slopes(problem.mdp, actions))
    k = len(directions)
    jacobian = np.asarray(problem.policy.jacobian(problem.theta), dtype=float).reshape(actions.shape + (-1,))
    moved = jacobian @ directions.reshape(k, -1).T                     # (S, action_dim, k)
    grad_r = (dP * R[..., None] + dR * P[..., None]).sum(axis=1)
    return np.einsum("stj,sjk->stk", dP, moved), np.einsum("sj,sjk->sk", grad_r, moved)


def _expected(chain, gains):
    """(m,): the mean of the gains over the outcomes of the same state."""
    return np.add.reduceat(chain.probabilities * gains, chain.offsets[:-1])[chain.states]


def _control_variate(problem, baseline):
    """b as (S,) floats."""
    S = problem.mdp.n_states
    b = np.asarray(problem.solution.V if baseline is None else baseline, dtype=float)
    if b.shape not in ((), (S,)):
        raise PGTheoryError(f"baseline has shape {b.shape}: it must be a scalar or {(S,)}")
    require_finite(b, "baseline", PGTheoryError)
    return np.broadcast_to(b, (S,))
