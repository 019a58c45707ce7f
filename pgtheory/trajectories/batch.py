r"""Trajectories: episodes as rows of arrays, sampled here or enumerated in :mod:`pgtheory.trajectories.enumeration`.

One episode a row. After its end the states repeat the last one, actions and rewards are 0 and ``valid`` is False. An episode
ends in one of three ways, and they are told apart:

- *termination*: step t enters a terminal state; nothing follows, its value is 0 whatever a critic says;
- *horizon*: the problem itself ends after T steps (``terminated`` too, and nothing is bootstrapped unless asked);
- *time limit*: the record is cut, the problem goes on (``truncated``): what would have followed has the critic's value.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..arithmetic import FLOAT, INTEGER, Arithmetic, as_array, join
from ..chain import reaches
from ..errors import InvalidPolicyError, NotExactError, PGTheoryError, UndefinedError
from ..horizon import check_horizon
from ..mdp import MDP
from ..solution import as_policy
from ..validation import numbers, read_only, whole_number
from .edges import reward_of
from .sampling import ChainSampler

MAX_STEPS = 10**6      # an episode without horizon or limit that lasts longer is given up, with the reason


@dataclass(frozen=True)
class Trajectory:
    """One episode, as long as it was: L steps.

    states : (L+1,) int; actions : (L,) int; rewards : (L,) reward units
    terminated : bool, it ended by entering a terminal state or at the horizon; truncated : bool, a time limit cut it
    probability : its weight in the batch
    """

    states: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    terminated: bool
    truncated: bool
    probability: Any

    def __len__(self):
        return len(self.actions)


@dataclass(frozen=True, eq=False, repr=False)
class TrajectoryBatch:
    """N episodes of at most T steps.

    Attributes
    ----------
    states : (N, T+1) int; actions : (N, T) int; rewards : (N, T) reward units
    valid : (N, T) bool, the episode was still running when step t was taken
    terminated : (N, T) bool, step t entered a terminal state, or was the last before the horizon
    truncated : (N, T) bool, step t was the last that a time limit allowed
    probability : (N,) weight of each row: Pr(tau) where enumerated, 1/N where sampled
    behaviour : (S, A) the policy that acted
    critic : None, (S,) or (T+1, S) values; see :meth:`with_critic`
    mdp : the model; horizon : steps after which the problem ends, or None; sampled : False where enumerated
    arithmetic : what rewards and probabilities are

    Examples
    --------
    >>> import pgtheory as pg
    >>> mdp = pg.MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [2.0, 0.0], 0.5, 0)
    >>> batch = pg.enumerate_trajectories(mdp, [[1.0], [1.0]], horizon=2)
    >>> batch.states
    array([[0, 0, 0],
           [0, 0, 1],
           [0, 1, 1]])
    >>> batch.probability, batch.valid[2], batch.terminated[2]
    (array([0.25, 0.25, 0.5 ]), array([ True, False]), array([ True, False]))
    >>> batch.mean(batch.rewards.sum(axis=1))
    np.float64(3.0)
    """

    states: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    valid: np.ndarray
    probability: np.ndarray
    behaviour: np.ndarray
    mdp: MDP
    horizon: int | None
    sampled: bool
    arithmetic: Arithmetic
    critic: np.ndarray | None = None

    def __len__(self):
        return len(self.states)

    def __getitem__(self, n) -> Trajectory:
        """Episode ``n``, cut to its length."""
        length = int(np.count_nonzero(self.valid[n]))
        return Trajectory(self.states[n, :length + 1], self.actions[n, :length], self.rewards[n, :length],
                          bool(self.terminated[n].any()) or not length, bool(self.truncated[n].any()), self.probability[n])

    def __iter__(self):
        return (self[n] for n in range(len(self)))

    def take(self, rows) -> TrajectoryBatch:
        """The rows given, as a sample: each weighs 1/N. Rows may repeat.

        >>> import pgtheory as pg
        >>> mdp = pg.MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [2.0, 0.0], 0.5, 0)
        >>> pg.enumerate_trajectories(mdp, [[1.0], [1.0]], horizon=1).take([1, 1, 0]).probability
        array([0.33333333, 0.33333333, 0.33333333])
        """
        rows = np.asarray(rows, dtype=np.intp)
        fields = ("states", "actions", "rewards", "terminated", "truncated", "valid")
        return replace(self, **{name: read_only(getattr(self, name)[rows]) for name in fields},
                       probability=_equal_weights(len(rows), self.arithmetic), sampled=True)

    def with_critic(self, values) -> TrajectoryBatch:
        """The same batch with a critic of shape (S,), (T+1, S) by time, or a constant.

        >>> import pgtheory as pg
        >>> mdp = pg.MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [2.0, 0.0], 0.5, 0)
        >>> batch = pg.enumerate_trajectories(mdp, [[1.0], [1.0]], horizon=1).with_critic([5.0, 7.0])
        >>> batch.values, batch.next_values
        (array([[5.],
               [5.]]), array([[5.],
               [7.]]))
        """
        return replace(self, critic=critic_table(values, self.mdp.n_states, self.actions.shape[1], self.arithmetic))

    @cached_property
    def values(self):
        """(N, T) the critic at s_t, reward units; 0 after the end."""
        return self._criticised(0)

    @cached_property
    def next_values(self):
        """(N, T) the critic at the state that step t reached, whatever that state is; 0 after the end."""
        return self._criticised(1)

    def _criticised(self, shift):
        if self.critic is None:
            raise PGTheoryError("no critic is attached: batch.with_critic(values) takes values (S,) or (T+1, S)")
        T = self.actions.shape[1]
        states = self.states[:, shift:T + shift]
        at = self.critic[states] if self.critic.ndim == 1 else self.critic[np.arange(shift, T + shift), states]
        return read_only(np.where(self.valid, at, self.arithmetic.number(0)))

    @cached_property
    def entered_terminal(self):
        """(N, T) bool: step t entered a terminal state (the horizon alone does not count)."""
        return read_only(self.valid & self.mdp.terminal[self.states[:, 1:]])

    def mean(self, estimates):
        """sum_n probability[n] estimates[n], for estimates (N, ...)."""
        estimates, other = as_array(estimates, "estimates")
        if estimates.shape[:1] != (len(self),):
            raise PGTheoryError(f"estimates have shape {estimates.shape}: the first axis is the {len(self)} trajectories")
        join(self.arithmetic, other)
        return np.tensordot(self.probability, estimates, axes=1)[()]

    def __repr__(self):
        N, T = self.actions.shape
        kind = "sampled" if self.sampled else "enumerated"
        return f"TrajectoryBatch({N} {kind} trajectories of at most {T} steps, {self.arithmetic.name})"


def critic_table(values, n_states, n_steps, arithmetic) -> np.ndarray:
    """A critic (S,) or (T+1, S), or a constant made (S,), in ``arithmetic``; ``n_steps`` None asks for a stationary one.

    >>> from pgtheory.arithmetic import FLOAT
    >>> critic_table(0.5, 2, 3, FLOAT)
    array([0.5, 0.5])
    """
    values, other = numbers(values, "critic", PGTheoryError)
    target = join(arithmetic, other)
    if target.exact and target != arithmetic:
        raise NotExactError(f"the critic is in {other.name} numbers, the trajectories in {arithmetic.name} ones")
    wanted = [(n_states,)] + ([(n_steps + 1, n_states)] if n_steps is not None else [])
    if values.ndim == 0:
        values = np.full(n_states, values[()])
    if values.shape not in wanted:
        raise PGTheoryError(f"the critic has shape {values.shape}: it must be {' or '.join(map(str, wanted))}")
    return read_only(target.convert(values).copy())


def _equal_weights(n, arithmetic):
    return read_only(np.full(n, arithmetic.number(1) / n))


def common_model(mdp, pi):
    """(mdp, pi, arithmetic): both in the one arithmetic in which they meet; one policy, checked."""
    if not isinstance(mdp, MDP):
        raise PGTheoryError(f"trajectories need an MDP, not {type(mdp).__name__}")
    pi, arithmetic = as_policy(pi, mdp)
    if pi.ndim != 2:
        raise InvalidPolicyError(f"pi has shape {pi.shape}: trajectories follow one policy, of shape {pi.shape[-2:]}")
    arithmetic = join(mdp.arithmetic, arithmetic)
    arithmetic = FLOAT if arithmetic == INTEGER else arithmetic
    return mdp.into(arithmetic), read_only(arithmetic.convert(pi).copy()), arithmetic


def common_problem(mdp, policy, theta):
    """(mdp, theta, pi, arithmetic) of a stochastic policy at theta."""
    if not hasattr(policy, "probabilities"):
        raise InvalidPolicyError(f"policy is {type(policy).__name__}: trajectories over finite actions need one with "
                                 "probabilities")
    theta = policy.check_theta(theta)
    mdp, pi, arithmetic = common_model(mdp, policy.probabilities(theta))
    return mdp, theta, pi, arithmetic


def assemble(mdp, pi, arithmetic, states, actions, rewards, probability, *, horizon, time_limit, sampled) -> TrajectoryBatch:
    """A batch from its columns: who was still running, and how each episode ended."""
    T = actions.shape[1]
    step = np.arange(T)
    valid = ~mdp.terminal[states[:, :-1]] & (step < (T if time_limit is None else time_limit))
    terminated = valid & (mdp.terminal[states[:, 1:]] | (step + 1 == horizon))
    truncated = valid & ~terminated & (step + 1 == time_limit)
    columns = {"states": states, "actions": actions, "rewards": rewards, "terminated": terminated, "truncated": truncated,
               "valid": valid, "probability": probability}
    return TrajectoryBatch(**{name: read_only(column) for name, column in columns.items()}, behaviour=pi, mdp=mdp,
                           horizon=horizon, sampled=sampled, arithmetic=arithmetic)


def sample(mdp, pi, n=1000, horizon=None, time_limit=None, rng=0) -> TrajectoryBatch:
    r"""``n`` independent episodes of the policy ``pi``.

    Parameters
    ----------
    mdp : MDP
    pi : (S, A) probabilities
    n : int, number of episodes
    horizon : int or None, the number of steps after which the problem itself ends
    time_limit : int or None, the number of steps after which the record is cut
    rng : Generator or seed

    Without horizon and time limit every episode runs to a terminal state, which every state must then reach.

    Returns
    -------
    TrajectoryBatch, rewards in the arithmetic of the inputs (draws are made with floats)

    Raises
    ------
    UndefinedError
        No horizon, no time limit, and some state reaches no terminal one.

    Examples
    --------
    >>> import pgtheory as pg
    >>> mdp = pg.MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [2.0, 0.0], 0.5, 0)
    >>> batch = pg.sample(mdp, [[1.0], [1.0]], n=4, horizon=3, time_limit=2, rng=0)
    >>> batch.states.shape, bool(batch.valid[:, 2].any())
    ((4, 4), False)
    """
    mdp, pi, arithmetic = common_model(mdp, pi)
    n = whole_number(n, "n", PGTheoryError, 1)
    horizon = None if horizon is None else check_horizon(horizon)
    time_limit = None if time_limit is None else whole_number(time_limit, "time_limit", PGTheoryError, 1)
    chain, rng = ChainSampler(mdp, pi), np.random.default_rng(rng)
    if horizon is None and time_limit is None:
        _require_end(mdp, pi, chain)
    steps = time_limit if horizon is None else horizon
    states, actions = _walk(chain, n, steps, time_limit, rng)
    rewards = reward_of(mdp, states[:, :-1], actions, states[:, 1:])
    running = ~mdp.terminal[states[:, :-1]] & (np.arange(actions.shape[1]) < (time_limit or np.inf))
    return assemble(mdp, pi, arithmetic, states, np.where(running, actions, 0),
                    np.where(running, rewards, arithmetic.number(0)), _equal_weights(n, arithmetic),
                    horizon=horizon, time_limit=time_limit, sampled=True)


def _walk(chain, n, steps, time_limit, rng):
    """states (N, T+1) and actions (N, T); ``steps`` None walks until everybody is in a terminal state."""
    terminal = chain.mdp.terminal
    states: list[np.ndarray] = [chain.start(n, rng)]
    actions: list[np.ndarray] = []
    while len(actions) != steps:
        if steps is None and actions and terminal[states[-1]].all():
            break
        if len(actions) == MAX_STEPS and steps is None:
            raise UndefinedError(f"an episode ran for {MAX_STEPS} steps without end: pass horizon or time_limit")
        k = chain.outcomes(states[-1], rng)
        actions.append(chain.actions[k])
        over = time_limit is not None and len(actions) > time_limit
        states.append(states[-1] if over else chain.next_states[k])
    return np.stack(states, axis=1), np.stack(actions, axis=1)


def _require_end(mdp, pi, chain):
    """Every state that the walk can enter reaches a terminal one."""
    stuck = chain.reachable & ~reaches(mdp.kernel.mix(pi), mdp.terminal)
    if stuck.any():
        raise UndefinedError(f"state {int(np.argmax(stuck))} reaches no terminal state under this policy: its episodes have "
                             "no end; pass horizon (the problem ends there) or time_limit (only the record does)")
