"""Mistakes in a policy gradient written by hand: another state weight, another Q, another score, a factor; and two of these.

Each choice of state weights, of what stands for Q and of what stands for grad pi gives one vector. A wrong gradient is told
by which of them it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse

from ..errors import PGTheoryError, UndefinedError
from ..mdp import MDP
from ..solution import solve

ALIKE = 1e-6        # relative distance below which a wrong gradient is taken for the mistake it resembles
TELLING = 1e-3      # share of the deviation that a factor, or two mistakes, may leave
RIGHT = ""


class Written:
    """A policy gradient as one would write it, sum_s x(s) sum_a grad pi(a|s) y(s, a), with a choice of each part.

    Every part is a table words -> array, or None where it makes no sense here; the right choice has no words.
    """

    def __init__(self, problem, expected):
        self.problem, self.expected = problem, expected
        self.solution, self.policy = problem.solution, problem.policy
        self.theta, self.gamma = floats(problem.theta), float(problem.gamma)

    @cached_property
    def states(self) -> dict[str, Any]:
        """(S,) what weighs the states."""
        d, stationary, gap = floats(self.solution.d), self._stationary, 1 - self.gamma
        return {
            RIGHT: d,
            "the factor 1/(1 - gamma) were missing": d * gap if gap else None,
            "the factor 1/(1 - gamma) were there twice": d / gap if gap else None,
            "gamma^t were dropped from the state weights (undiscounted visits)": self._undiscounted,
            "gamma^t were dropped from the state weights (stationary distribution)": stationary,
            "gamma^t were dropped from the state weights (stationary distribution over 1 - gamma)":
                None if stationary is None or not gap else stationary / gap,
            "the states were weighted by the start distribution alone": floats(self.solution.mdp.rho),
            "all states were weighted alike": np.ones(len(d)),
            "d were solved with P_pi where its transpose belongs": self._backwards}

    @cached_property
    def values(self) -> dict[str, Any]:
        """(S, A) what stands for Q."""
        s, r = self.solution, floats(self.solution.mdp.r)
        V, Q = floats(s.V), floats(s.Q)
        onward = (Q - r) / self.gamma if self.gamma else None
        return {
            RIGHT: Q,
            "the advantage stood for Q, off the simplex": floats(s.A),
            "the reward stood for Q": r,
            "Q lacked gamma, r + P V": None if onward is None else r + onward,
            "Q lacked the reward, gamma P V": Q - r,
            "V stood for Q": np.repeat(V[:, None], Q.shape[1], axis=1),
            "Q were that of P transposed": self._transposed_Q}

    @cached_property
    def scores(self) -> dict[str, Callable | None]:
        """(S, A) state weights times Q -> theta's shape."""
        pi, score = floats(self.problem.pi), self._score
        table = getattr(self.policy, "tabular", False) and self.expected.shape == pi.shape
        return {
            RIGHT: lambda x: self.policy.pullback(self.theta, x),
            "pi were missing, grad log pi for grad pi": None if score is None else lambda x: np.tensordot(x, score, axes=2),
            "the score were not centred, pi Q for pi (Q - V)": (lambda x: pi * x) if table else None,
            "the score were not centred and pi missing, Q for pi (Q - V)": (lambda x: x) if table else None}

    def one(self, states=RIGHT, values=RIGHT, scores=RIGHT):
        """theta's shape, or None."""
        x, y, along = self.states[states], self.values[values], self.scores[scores]
        return None if x is None or y is None or along is None else floats(along(x[:, None] * y))

    def singles(self) -> Iterator[tuple[str, Any]]:
        """(words, theta's shape): one part is another."""
        yield from ((words, self.one(states=words)) for words in self.states if words)
        yield from ((words, self.one(values=words)) for words in self.values if words)
        yield from ((words, self.one(scores=words)) for words in self.scores if words)
        yield "its sign were flipped", -self.expected
        yield "it were the derivative in w, not w d/dw", self.expected / self.theta if self.policy.logarithmic else None
        yield "it were transposed", self.expected.T if self.expected.T.shape == self.expected.shape else None

    def pairs(self) -> Iterator[tuple[str, Any]]:
        """(words, theta's shape): one mistake and the sign, or two parts are others."""
        for words, wrong in self.singles():
            if wrong is not None and not words.startswith("its sign"):
                yield f"{words}, and its sign flipped", -wrong
        for x in self.states:
            for y in self.values:
                for z in self.scores:
                    if sum(map(bool, (x, y, z))) == 2:
                        yield ", and ".join(filter(None, (x, y, z))), self.one(x, y, z)

    @property
    def _score(self):
        try:
            return floats(self.policy.score(self.theta))
        except (PGTheoryError, AttributeError):
            return None

    @property
    def _undiscounted(self):
        mdp = self.solution.mdp
        try:
            return floats(solve(MDP(mdp.P, mdp.R, 1, mdp.rho), self.problem.pi).d)
        except UndefinedError:
            return None

    @cached_property
    def _P_pi(self):
        P_pi = self.solution.P_pi
        return floats(P_pi.toarray() if scipy.sparse.issparse(P_pi) else P_pi)

    @cached_property
    def _stationary(self):
        """(S,) the stationary distribution of P_pi, or None where there are several."""
        S = len(self._P_pi)
        system = np.vstack([self._P_pi.T - np.eye(S), np.ones(S)])
        weights, _, rank, _ = np.linalg.lstsq(system, np.append(np.zeros(S), 1.0), rcond=1e-12)
        return weights if rank == S else None

    @property
    def _backwards(self):
        """(S,) (I - gamma P_pi)^-1 rho, where the transpose of the matrix belongs."""
        return self._solved(self._P_pi, floats(self.solution.mdp.rho))

    @property
    def _transposed_Q(self):
        """(S, A) the action value where P[s, a, t] and P[t, a, s] are mixed up."""
        P = self.solution.mdp.P
        if not isinstance(P, np.ndarray):
            return None
        P, r, pi = floats(P).swapaxes(0, 2), floats(self.solution.mdp.r), floats(self.problem.pi)
        V = self._solved(np.einsum("sa,sat->st", pi, P), (pi * r).sum(axis=1))
        return None if V is None else r + self.gamma * P @ V

    def _solved(self, matrix, b):
        try:
            return np.linalg.solve(np.eye(len(b)) - self.gamma * matrix, b)
        except np.linalg.LinAlgError:
            return None


def likenesses(problem, given, expected, tolerance) -> list[str]:
    """The mistakes that reproduce ``given`` and can be told from the truth; else pairs of them; else the constant factor."""
    with np.errstate(all="ignore"):
        return _likenesses(Written(problem, expected), given, expected, tolerance)


def _likenesses(written, given, expected, tolerance) -> list[str]:
    deviation = float(np.abs(given - expected).max())
    found = _fitting(written.singles(), given, expected, tolerance)
    factor = _factor(given, expected)
    left = float(np.abs(given - factor * expected).max())
    constant = factor and left <= max(tolerance, TELLING * deviation) < abs(factor) * float(np.abs(expected).max())
    if found or constant:
        return found or [f"it were {_times(factor)} times the gradient"]
    near = max(tolerance, min(ALIKE * float(np.abs(given).max()), TELLING * deviation))
    return _fitting(written.pairs(), given, expected, tolerance, near)


def _fitting(candidates, given, expected, tolerance, near=None) -> list[str]:
    found: dict[str, Any] = {}
    for words, wrong in candidates:
        if wrong is None or not np.isfinite(wrong).all() or alike(wrong, expected, tolerance):
            continue
        if float(np.abs(wrong).max()) <= max(tolerance, ALIKE * float(np.abs(expected).max())):
            continue        # it is 0, as many things are
        if alike(given, wrong, tolerance) if near is None else float(np.abs(given - wrong).max()) <= near:
            found[words] = wrong
    return list(found)


def _times(factor) -> str:
    plain = f"{factor:.4g}"
    return plain if plain != "1" else f"1 {'+' if factor > 1 else '-'} {abs(factor - 1):.2g}"


def _factor(given, expected) -> float:
    """The multiple of ``expected`` nearest to ``given``; 0 where there is none. Scaled, so that no square underflows."""
    scale = float(np.abs(expected).max())
    if scale == 0:
        return 0.0
    unit = expected / scale
    factor = float((given * unit).sum() / (unit * unit).sum()) / scale
    return factor if np.isfinite(factor) else 0.0


def alike(a, b, tolerance) -> bool:
    """Equal to within the tolerance, or to 1e-6."""
    return bool(np.abs(a - b).max() <= max(tolerance, ALIKE * np.abs(b).max()))


def floats(array):
    """float64."""
    return np.asarray(array, dtype=float)
