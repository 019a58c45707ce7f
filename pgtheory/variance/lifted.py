r"""Estimators as state machines: :math:`Y_t = M(s_t, a_t, s_{t+1})\, Y_{t+1}`, their last block the estimate from step t on.

Given s_{t+1}, what follows is independent of the past, so every moment of Y satisfies a linear recursion. The blocks of Y
are numbers or have theta's shape; M is block lower triangular, and each of its blocks is a coefficient of the transition,
times the identity, or times the score where it leads from a number to a block of theta's shape. Sobel 1982, *The variance of
discounted Markov decision processes* (J. Appl. Prob. 19), is the machine (1, G).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, singledispatch
from typing import Any

import numpy as np

from ..arithmetic import Arithmetic, join
from ..errors import NotExactError, UndefinedError
from ..estimators import (
    GAE,
    ActorCritic,
    AllAction,
    Baseline,
    LeaveOneOut,
    NStep,
    PerDecisionIS,
    Reinforce,
    RewardToGo,
    TrajectoryIS,
    VTrace,
)
from ..estimators.base import parameter
from ..estimators.offpolicy import at_most, require_support
from ..mdp import MDP
from ..policies import Policy
from ..trajectories.batch import critic_table
from ..trajectories.edges import Edges
from ..trajectories.scores import score_where_taken


@dataclass(frozen=True, eq=False)
class Setting:
    """What a machine runs on: the model, who acts (behaviour), whose gradient is estimated (pi, score), and for how long."""

    mdp: MDP
    policy: Policy
    theta: np.ndarray
    pi: np.ndarray
    behaviour: np.ndarray
    horizon: int | None
    arithmetic: Arithmetic

    @cached_property
    def score(self):
        """(S*A, size of theta) grad log pi(a|s)."""
        taken = _nonzero(self.behaviour) & self.active[:, None]
        return score_where_taken(self.policy, self.theta, taken).reshape(self.pi.size, -1)

    @property
    def terminal(self):
        """(S,) bool: an episode is over there."""
        return self.mdp.terminal

    @property
    def width(self) -> int:
        """Entries of a score."""
        return self.theta.size

    @cached_property
    def gradient(self):
        """(S*A, size of theta) grad pi(a|s)."""
        return self.policy.jacobian(self.theta).reshape(self.pi.size, -1)

    @cached_property
    def edges(self) -> Edges:
        """The transitions that the behaviour makes, from states that are reached and not terminal."""
        edges = Edges(self.mdp)
        active = _active(self.mdp, edges, self.behaviour, self.terminal)
        return edges.keep(active[edges.state] & _nonzero(self.behaviour)[edges.state, edges.action])

    @cached_property
    def active(self):
        """(S,) bool: reached from rho, and not terminal."""
        active = np.zeros(self.mdp.n_states, dtype=bool)
        active[self.edges.state] = True
        return active

    @cached_property
    def law(self):
        """(E,) behaviour(a|s) P(s'|s,a)."""
        return self.behaviour[self.edges.state, self.edges.action] * self.edges.probability

    @cached_property
    def ratio(self):
        """(E,) pi(a|s) / behaviour(a|s)."""
        require_support(self.pi, self.behaviour, self.active)
        at = self.edges.state, self.edges.action
        return self.pi[at] / self.behaviour[at]

    def number(self, value, name):
        """A parameter of an estimator in the arithmetic of the rest."""
        value, other = parameter(value, name)
        if join(self.arithmetic, other) != self.arithmetic:
            raise NotExactError(f"{name} is in {other.name} numbers, model and policy are in {self.arithmetic.name} ones")
        return self.arithmetic.number(value)

    def baseline(self, values):
        """t -> (E,) the critic at s_t."""
        table = critic_table(values, self.mdp.n_states, self.horizon, self.arithmetic)
        return lambda t: (table if table.ndim == 1 else table[t])[self.edges.state]

    def td_error(self, values, bootstrap):
        """t -> (E,) r + gamma v(s_{t+1}) - v(s_t); the next value counts 0 where the estimator says so."""
        table = critic_table(values, self.mdp.n_states, self.horizon, self.arithmetic)
        now, edges, zero = self.baseline(values), self.edges, self.arithmetic.number(0)
        ends = self.mdp.terminal[edges.next_state]

        def delta(t):
            if t is not None and t + 1 == self.horizon and not bootstrap:
                return edges.reward - now(t)
            after = (table if table.ndim == 1 else table[t + 1])[edges.next_state]
            return edges.reward + np.where(ends, zero, after) * self.mdp.gamma - now(t)
        return delta


def _nonzero(array):
    return np.array(array != 0, dtype=bool)


def _active(mdp, edges, behaviour, terminal):
    """(S,) bool: states that are entered from rho with positive probability and are not terminal."""
    taken = _nonzero(behaviour)[edges.state, edges.action]
    seen = _nonzero(mdp.rho)
    while True:
        more = seen.copy()
        more[edges.next_state[taken & seen[edges.state]]] = True
        if (more == seen).all():
            return seen & ~terminal
        seen = more


@dataclass(frozen=True, eq=False)
class Machine:
    """The blocks of Y and of M. Block 0 is the constant 1, the last block the estimate.

    vector : vector[i], block i has theta's shape
    end : end[i], the value of block i (0 or 1) where the episode is over
    rows : t -> {(i, j): number or (E,)}, the coefficients of M
    field : t -> (S*A, m), what a coefficient from a number to a block of theta's shape multiplies: the score, usually
    """

    vector: tuple[bool, ...]
    end: tuple[int, ...]
    rows: Callable[[int | None], dict[tuple[int, int], Any]]
    field: Callable[[int | None], np.ndarray]


@singledispatch
def machine(estimator, setting) -> Machine:
    """The machine of an estimator of the library."""
    raise NotImplementedError(f"{type(estimator).__name__} has no machine")


def _carry(estimator, setting):
    return setting.mdp.gamma if estimator.gamma_weighting else setting.arithmetic.number(1)


def _advantage(setting, gain, factor, weight, follow, carry, field=None) -> Machine:
    """Y = (1, G, X): G = gain + factor G', X = field (weight + follow G') + carry X'; gain and weight are functions of t."""
    one = setting.arithmetic.number(1)

    def rows(t):
        return {(0, 0): one, (1, 0): gain(t), (1, 1): factor, (2, 0): weight(t), (2, 1): follow, (2, 2): carry}
    return Machine((False, False, True), (1, 0, 0), rows, field or (lambda t: setting.score))


@machine.register
def _(estimator: RewardToGo, setting):
    gamma = setting.mdp.gamma

    def reward(t):
        return setting.edges.reward
    return _advantage(setting, reward, gamma, reward, gamma, _carry(estimator, setting))


@machine.register
def _(estimator: Baseline, setting):
    b, gamma = setting.baseline(estimator.b), setting.mdp.gamma
    if estimator.full_return:
        return _whole_return(estimator, setting, None, b)
    return _advantage(setting, lambda t: setting.edges.reward, gamma, lambda t: setting.edges.reward - b(t), gamma,
                      _carry(estimator, setting))


@machine.register
def _(estimator: GAE, setting):
    delta = setting.td_error(estimator.critic, estimator.bootstrap)
    factor = setting.mdp.gamma * setting.number(estimator.lam, "lam")
    return _advantage(setting, delta, factor, delta, factor, _carry(estimator, setting))


@machine.register
def _(estimator: ActorCritic, setting):
    return machine(NStep(estimator.critic, 1, estimator.bootstrap, gamma_weighting=estimator.gamma_weighting), setting)


@machine.register
def _(estimator: NStep, setting):
    """Y = (1, A^1, ..., A^(n-1), X): A^k = delta + gamma A^(k-1)'."""
    delta, gamma = setting.td_error(estimator.critic, estimator.bootstrap), setting.mdp.gamma
    n = estimator.n if setting.horizon is None else min(estimator.n, setting.horizon)

    def rows(t):
        now = delta(t)
        row = {(0, 0): setting.arithmetic.number(1), (n, n): _carry(estimator, setting)}
        for k in range(1, n + 1):
            row[k, 0] = now
            if k > 1:
                row[k, k - 1] = gamma
        return row
    return Machine((False,) * n + (True,), (1,) + (0,) * n, rows, lambda t: setting.score)


@machine.register
def _(estimator: VTrace, setting):
    delta, gamma = setting.td_error(estimator.critic, estimator.bootstrap), setting.mdp.gamma
    clipped, traced = (at_most(setting.ratio, getattr(estimator, name), lambda x, name=name: setting.number(x, name))
                       for name in ("rho_bar", "c_bar"))
    traced = traced * setting.number(estimator.lam, "lam")

    def gain(t):
        return clipped * delta(t)
    return _advantage(setting, gain, traced * gamma, gain, clipped * gamma, _carry(estimator, setting))


@machine.register
def _(estimator: PerDecisionIS, setting):
    ratio, gamma = setting.ratio, setting.mdp.gamma

    def gain(t):
        return ratio * setting.edges.reward
    return _advantage(setting, gain, ratio * gamma, gain, ratio * gamma, ratio * _carry(estimator, setting))


@machine.register
def _(estimator: AllAction, setting):
    mdp, (S, A) = setting.mdp, setting.pi.shape
    Q = estimator.action_values(mdp, setting.pi, mdp.gamma, setting.horizon)
    one, zero = setting.arithmetic.number(1), setting.arithmetic.number(0)

    def field(t):
        cells = setting.gradient * (Q if Q.ndim == 2 else Q[t]).reshape(S * A, 1)
        return np.repeat(cells.reshape(S, A, -1).sum(axis=1), A, axis=0)
    return _advantage(setting, lambda t: zero, zero, lambda t: one, zero, _carry(estimator, setting), field)


@machine.register(Reinforce)
@machine.register(LeaveOneOut)
def _(estimator, setting):
    return _whole_return(estimator, setting, None, None)


@machine.register
def _(estimator: TrajectoryIS, setting):
    return _whole_return(estimator, setting, setting.ratio, None)


def _whole_return(estimator, setting, ratio, baseline) -> Machine:
    """Y = (1, W, WG, WZ, WZG - B): W the ratios to come, G the return, Z the sum of scores, B that of the baselines."""
    gamma, one, r = setting.mdp.gamma, setting.arithmetic.number(1), setting.edges.reward
    if gamma == 0 and not estimator.gamma_weighting:
        raise UndefinedError("the whole return as seen from step t is R / gamma^t, which does not exist at gamma = 0: use "
                             "RewardToGo")
    ratio = one if ratio is None else ratio
    back = one if estimator.gamma_weighting else one / gamma

    def rows(t):
        row = {(0, 0): one, (1, 1): ratio, (2, 1): r * ratio, (2, 2): ratio * gamma, (3, 1): ratio, (3, 3): ratio * back,
               (4, 1): r * ratio, (4, 2): ratio * gamma, (4, 3): r * ratio * back, (4, 4): ratio * back * gamma}
        if baseline is not None:
            row[4, 0] = -baseline(t)
        return row
    return Machine((False, False, False, True, True), (1, 1, 0, 0, 0), rows, lambda t: setting.score)
