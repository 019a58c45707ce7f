"""Small families whose answers have a closed form."""

from __future__ import annotations

from fractions import Fraction

from ..errors import InvalidMDPError
from ..validation import whole_number
from .catalogue import Answer, at_state, deterministic, fractions, model, tables, uniform

F = Fraction
HERE = "this package"


@model("one-state", "One state, two actions: a bandit that goes on for ever", HERE,
       Answer("V", uniform(1, 2), fractions(5), 0, "both actions alike"),
       Answer("d", uniform(1, 2), fractions(10), 0, "both actions alike"), gamma=F(9, 10))
def one_state():
    """Arm 0 pays 1, arm 1 pays 0: V = pi(0) / (1 - gamma)."""
    return *tables(1, 2, [(0, 0, 0, 1, 1), (0, 1, 0, 1, 0)]), at_state(0, 1)


@model("directed-cycle", "A cycle that is walked one way: a periodic chain", HERE,
       Answer("D", uniform(3, 2), fractions("4/7", "2/7", "1/7"), 0, "both actions alike"),
       Answer("V", uniform(3, 2), fractions("4/7", "1/7", "2/7"), 0, "both actions alike"), gamma=F(1, 2))
def directed_cycle(n=3):
    """n states; both actions lead to the next one, action 0 out of state 0 pays 1: D(s) = gamma^s (1-gamma)/(1-gamma^n)."""
    n = whole_number(n, "n", InvalidMDPError, least=1)
    moves = [(s, a, (s + 1) % n, 1, int(s == a == 0)) for s in range(n) for a in (0, 1)]
    return *tables(n, 2, moves), at_state(0, n)


@model("chain", "A chain that is climbed step by step, and fallen off all at once", HERE,
       Answer("V", deterministic((0,) * 5, 2), tuple(F(9, 10) ** k for k in (3, 2, 1, 0)) + (F(0),), 0, "always on"),
       Answer("d", uniform(5, 2), fractions(16, 8, 4, 2, 0), 0, "both actions alike: 2^(n+1) - 2 throws to n heads in a row",
              (), {"gamma": 1}),
       gamma=F(9, 10))
def chain(n=4):
    """n states and the end n: action 0 leads one on, action 1 back to state 0; entering the end pays 1."""
    n = whole_number(n, "n", InvalidMDPError, least=1)
    on = [(s, 0, s + 1, 1, int(s == n - 1)) for s in range(n)]
    back = [(s, 1, 0, 1, 0) for s in range(n)]
    return *tables(n + 1, 2, [*on, *back, (n, 0, n, 1, 0), (n, 1, n, 1, 0)]), at_state(0, n + 1)
