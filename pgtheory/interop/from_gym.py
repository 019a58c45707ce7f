"""Gymnasium's tabular environments as MDPs.

``env.unwrapped.P[s][a]`` is a list of (probability, next state, reward, terminated). The same next state may stand in it
several times, and ``terminated`` belongs to the transition, not to the state: what ends an episode here may go on there.
"""

from __future__ import annotations

import math
import warnings
from fractions import Fraction
from itertools import groupby
from operator import itemgetter

import numpy as np
import scipy.sparse

from ..arithmetic import EPS
from ..errors import InvalidMDPError, MissingExtraError, NotExactError
from ..mdp import MDP

DENSE_ENTRIES = 4_000_000     # S * A * S beyond which the model is sparse
LARGEST_DENOMINATOR = 10**6   # of a fraction that a float is read as


def from_gymnasium(env_or_id, gamma, exact=False) -> MDP:
    """The MDP of a tabular Gymnasium environment.

    Parameters
    ----------
    env_or_id : gymnasium.Env or str
        An environment whose ``unwrapped`` has ``P`` and ``initial_state_distrib``, or the id of one. Wrappers, a time limit
        among them, are no part of the model.
    gamma : float, or, with ``exact``, int or Fraction
    exact : bool
        Read every probability and reward as the fraction it was rounded from, and demand that rows sum to exactly 1.

    Returns
    -------
    MDP
        With the environment's states and, where any transition terminates, one more state at the end: absorbing and
        reward-free, it is where every terminating transition leads. Entries of one next state are added, their rewards
        averaged by probability. Sparse where S * A * S exceeds four million.

    Raises
    ------
    MissingExtraError
        Gymnasium is not installed.
    InvalidMDPError
        An unknown or outdated id, an environment without P, or a P that is no transition law.
    NotExactError
        A float gamma with ``exact=True``, a Fraction without it, or a probability that is no recognisable fraction.

    Notes
    -----
    Only the added state gets both V and the state distribution right: ignoring ``terminated`` lets finished episodes go on,
    and cutting the transition loses probability.

    Examples
    --------
    >>> import numpy as np, pgtheory as pg
    >>> cliff = pg.from_gymnasium("CliffWalking-v1", gamma=0.99)
    >>> cliff
    MDP(n_states=49, n_actions=4, gamma=0.99, float64)
    >>> solution = pg.solve(cliff, np.full((49, 4), 0.25))
    >>> round(float(solution.J), 1), round(float(solution.D.sum()), 12)
    (-1072.2, 1.0)
    """
    _require_gamma(gamma, exact)
    env = _environment(env_or_id)
    law, rho = _law(env), _start(env)
    S, A = len(rho), len(law[0])
    number = _exact if exact else _float
    merged = [_merge(law[s][a], (s, a), S, number, exact) for s in range(S) for a in range(A)]
    n = S + any(t == S for row in merged for t, _, _ in row)
    merged += [[(S, 1, 0)]] * (A * (n - S))
    start = [number(p, f"initial_state_distrib[{s}]", probability=True) for s, p in enumerate(rho)] + [0] * (n - S)
    P, R = _arrays(merged, n, A, exact)
    return MDP(P, R, gamma, np.array(start, dtype=object if exact else float))


def has_added_state(env_or_id, mdp) -> bool:
    """Whether ``mdp``, read from this environment, has one state more than it, where finished episodes stay.

    >>> import pgtheory as pg
    >>> from pgtheory.interop.from_gym import has_added_state
    >>> has_added_state("FrozenLake-v1", pg.from_gymnasium("FrozenLake-v1", 0.9))
    True
    """
    return mdp.n_states > len(_environment(env_or_id).P)


def _require_gamma(gamma, exact) -> None:
    if exact and isinstance(gamma, (float, np.floating)):
        raise NotExactError(f"gamma is the float {gamma!r} and exact=True asks for Fractions: floats are never silently "
                            f"rounded; write gamma=Fraction({str(gamma)!r})")
    if not exact and isinstance(gamma, Fraction):
        raise NotExactError(f"gamma is {gamma!r} and the environment is read in floats: pass exact=True, or "
                            "a float gamma")


def _environment(env_or_id):
    """The unwrapped environment; one made here from an id is closed again, its tables stay."""
    try:
        import gymnasium
    except ImportError:
        raise MissingExtraError('from_gymnasium needs Gymnasium: pip install "pgtheory[gym]"') from None
    if not isinstance(env_or_id, str):
        if not isinstance(env_or_id, gymnasium.Env):
            raise InvalidMDPError(f"from_gymnasium needs an environment or its id, not {type(env_or_id).__name__}")
        return env_or_id.unwrapped
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)   # the error that follows says it better
            env = gymnasium.make(env_or_id)
    except Exception as error:  # an environment's own code may raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InvalidMDPError(f"Gymnasium cannot make {env_or_id!r}: {reason}") from None
    env.close()
    return env.unwrapped


def _law(env) -> list:
    """[s][a] -> list of (probability, next state, reward, terminated), complete and with one number of actions."""
    law = getattr(env, "P", None)
    if law is None:
        raise InvalidMDPError(f"{type(env).__name__} has no transition table P: only tabular environments can be read, such "
                              "as FrozenLake-v1, CliffWalking-v1 or Taxi-v4; type the model in with pgtheory.MDP")
    try:
        rows = [[list(law[s][a]) for a in range(len(law[s]))] for s in range(len(law))]
    except (KeyError, IndexError, TypeError) as error:
        raise InvalidMDPError(f"P of {type(env).__name__} is no table P[s][a] over states and actions numbered from 0 "
                              f"({type(error).__name__}: {error})") from None
    if not rows or not rows[0]:
        raise InvalidMDPError(f"P of {type(env).__name__} is empty: there must be at least one state and one action")
    for s, actions in enumerate(rows):
        if len(actions) != len(rows[0]):
            raise InvalidMDPError(f"P[{s}] has {len(actions)} actions and P[0] has {len(rows[0])}: every state needs "
                                  "the same number")
    return rows


def _start(env) -> np.ndarray:
    rho = getattr(env, "initial_state_distrib", None)
    if rho is None:
        raise InvalidMDPError(f"{type(env).__name__} has no initial_state_distrib: set env.unwrapped.initial_state_distrib "
                              "to the (S,) start distribution")
    rho = np.asarray(rho)
    if rho.shape != (len(env.P),):
        raise InvalidMDPError(f"initial_state_distrib of {type(env).__name__} has shape {rho.shape}: it must be "
                              f"{(len(env.P),)}, one probability a state")
    return rho


def _merge(entries, pair, S, number, exact) -> list:
    """[(next state, probability, reward)] of one row: terminating entries lead to S, equal next states are one."""
    total = sum if exact else math.fsum
    parsed = sorted(_entries(entries, pair, S, number), key=itemgetter(0))
    merged = []
    for t, group in groupby(parsed, key=itemgetter(0)):
        probabilities, rewards = zip(*((p, r) for _, p, r in group), strict=True)
        p = total(probabilities)
        same = len(set(rewards)) == 1
        merged.append((t, p, rewards[0] if same else total(x * r for x, r in zip(probabilities, rewards, strict=True)) / p))
    return merged


def _entries(entries, pair, S, number):
    """(next state or S, probability, reward) of every entry with a positive probability."""
    for k, entry in enumerate(entries):
        place = f"P{list(pair)}[{k}]"
        try:
            p, t, reward, terminated = entry
        except (TypeError, ValueError):
            raise InvalidMDPError(f"{place} is {entry!r}: it must be (probability, next state, reward, terminated)") \
                from None
        if isinstance(t, (bool, np.bool_)) or not isinstance(t, (int, np.integer)) or not 0 <= t < S:
            raise InvalidMDPError(f"{place} leads to {t!r}: with {S} states it must lie in 0..{S - 1}")
        p = number(p, f"the probability of {place}", probability=True)
        reward = number(reward, f"the reward of {place}")
        if p:
            yield (S if terminated else int(t)), p, reward


def _float(x, place, probability=False) -> float:
    try:
        x = float(x)
    except (TypeError, ValueError):
        raise InvalidMDPError(f"{place} is {x!r}: it must be a number") from None
    if not math.isfinite(x) or (probability and x < 0):
        raise InvalidMDPError(f"{place} is {x}: it must be finite" + (" and not negative" if probability else ""))
    return x


def _exact(x, place, probability=False) -> Fraction:
    """The fraction that the float x was rounded from: of a small denominator, within the rounding of 1 - x or of x."""
    if isinstance(x, (int, np.integer, Fraction)) and not isinstance(x, bool):
        _float(x, place, probability)
        return Fraction(int(x)) if isinstance(x, np.integer) else Fraction(x)
    x = _float(x, place, probability)
    guess = Fraction(x).limit_denominator(LARGEST_DENOMINATOR)
    allowed = 4 * EPS * (1 if probability else abs(x))
    if abs(Fraction(x) - guess) > allowed or (guess == 0) != (x == 0):
        raise NotExactError(f"{place} is {x!r}: no fraction with a denominator up to {LARGEST_DENOMINATOR} is that close; "
                            "read the environment with exact=False")
    return guess


def _arrays(merged, n, A, exact):
    """P and R of the merged rows: dense (n, A, n), or sparse (n*A, n)."""
    if n * A * n > DENSE_ENTRIES:
        if exact:
            raise NotExactError(f"{n} states and {A} actions are too many for an exact model: read it with exact=False")
        return _sparse(merged, n)
    P, R = (np.full((n * A, n), Fraction(0) if exact else 0.0, dtype=object if exact else float) for _ in range(2))
    for row, successors in enumerate(merged):
        for t, p, reward in successors:
            P[row, t], R[row, t] = p, reward
    return P.reshape(n, A, n), R.reshape(n, A, n)


def _sparse(merged, n):
    place = [(row, t) for row, successors in enumerate(merged) for t, _, _ in successors]
    rows, columns = np.array(place).T
    entries = np.array([(p, reward) for successors in merged for _, p, reward in successors], dtype=float)
    P, R = (scipy.sparse.coo_array((values, (rows, columns)), shape=(len(merged), n)).tocsr() for values in entries.T)
    R.eliminate_zeros()
    return P, R
