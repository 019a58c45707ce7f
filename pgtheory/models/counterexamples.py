"""The smallest models on which a common statement about policy gradients fails."""

from __future__ import annotations

from fractions import Fraction

from .catalogue import Answer, at_state, deterministic, fractions, model, tables, uniform

F = Fraction
HERE = "this package"
END = 2


def _ends(end: int):
    return [(end, a, end, 1, 0) for a in (0, 1)]


@model("start-matters", "The discounted state distribution depends on the start", HERE,
       Answer("D", uniform(2, 2), fractions("2/11", "9/11"), 0, "both actions alike"),
       Answer("V", uniform(2, 2), fractions("100/11", 10), 0, "both actions alike"),
       Answer("D", uniform(2, 2), fractions(0, 1), 0, "both actions alike, from state 1", (), {"start": 1}), gamma=F(9, 10))
def start_matters(start=0):
    """State 0: stay for 1, or go to state 1 for 0. State 1 is absorbing and pays 2 or 0."""
    P, R = tables(2, 2, [(0, 0, 0, 1, 1), (0, 1, 1, 1, 0), (1, 0, 1, 1, 2), (1, 1, 1, 1, 0)])
    return P, R, at_state(start, 2)


@model("bandit", "One decision between 1 and 0: baselines move the variance, and not always down", HERE,
       Answer("J", (fractions("9/10", "1/10"),) * 2, F(9, 10), 0, "the better arm with 9/10"),
       Answer("J", uniform(2, 2), F(1, 2), 0, "both arms alike"), gamma=F(1))
def bandit():
    """State 0: arm 0 pays 1, arm 1 pays 0, and both end the episode in state 1."""
    return *tables(2, 2, [(0, 0, 1, 1, 1), (0, 1, 1, 1, 0), *_ends(1)]), at_state(0, 2)


@model("dropped-gamma", "Without gamma^t the update is the gradient of no function", HERE,
       Answer("J", uniform(3, 2), F(1, 8), 0, "all actions alike"),
       Answer("J", deterministic((0, 0, 0), 2), F(1, 2), 0, "on, then take"), gamma=F(1, 2))
def dropped_gamma():
    """State 0: go on to state 1, or end; state 1: take 1, or nothing, and end in state 2."""
    steps = [(0, 0, 1, 1, 0), (0, 1, END, 1, 0), (1, 0, END, 1, 1), (1, 1, END, 1, 0)]
    return *tables(3, 2, [*steps, *_ends(END)]), at_state(0, 3)


@model("reward-to-go", "Reward-to-go may raise the variance: 0 for the full return, 1/4 for the reward-to-go", HERE,
       Answer("V", uniform(3, 2), fractions(0, -1, 0), 0, "both actions alike"),
       Answer("V", deterministic((1, 0, 0), 2), fractions(0, -1, 0), 0, "one action for certain"), gamma=F(1))
def reward_to_go():
    """Two steps whatever the actions: the first pays 1, the second takes it back; state 2 is the end."""
    steps = [(s, a, s + 1, 1, reward) for s, reward in ((0, 1), (1, -1)) for a in (0, 1)]
    return *tables(3, 2, [*steps, *_ends(END)]), at_state(0, 3)
