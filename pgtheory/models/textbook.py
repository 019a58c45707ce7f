"""Models of textbooks, lectures and papers that are given by a table."""

from __future__ import annotations

import math
from fractions import Fraction

from .catalogue import Answer, at_state, deterministic, fractions, model, tables, uniform, zeros

F = Fraction
BARTO = "Sutton & Barto, Reinforcement Learning, 2nd ed. 2018"
SILVER = "D. Silver, UCL course on reinforcement learning, 2015, lecture 2"
DADASHI = "Dadashi, Taiga, Le Roux, Schuurmans & Bellemare, The value function polytope in reinforcement learning, ICML 2019"


@model("random-walk", "Random walk on five states between two ends", f"{BARTO}, example 6.2",
       Answer("V", uniform(7, 1), (F(0), *(F(k, 6) for k in range(1, 6)), F(0)), under="the only policy"), gamma=F(1))
def random_walk():
    """States 0..6: the ends 0 and 6 are terminal, the walk starts in 3; entering 6 pays 1."""
    steps = [(s, 0, t, F(1, 2), int(t == 6)) for s in range(1, 6) for t in (s - 1, s + 1)]
    return *tables(7, 1, [*steps, (0, 0, 0, 1, 0), (6, 0, 6, 1, 0)]), at_state(3, 7)


def _shared(p) -> tuple:
    """(4, 2): right with probability p, left otherwise, in every state."""
    return ((1 - p, p),) * 4


P_BEST = 2 - math.sqrt(2)


@model("short-corridor", "Short corridor with switched actions: only a stochastic policy is good",
       f"{BARTO}, example 13.1",
       Answer("V", _shared(F(1, 2)), fractions(-12, -10, -6, 0), under="both actions alike"),
       Answer("V", _shared(F(1, 20)), -82, F(3, 5), "epsilon-greedy left, epsilon 0.1", (0,)),
       Answer("V", _shared(F(19, 20)), -44, F(3, 5), "epsilon-greedy right, epsilon 0.1", (0,)),
       Answer("V", _shared(P_BEST), -11.6, 0.06, "the best shared policy, right with 2 - sqrt 2 = 0.59", (0,)),
       Answer("V", _shared(P_BEST), -(6 + 4 * math.sqrt(2)), 1e-13, "the best shared policy, in closed form", (0,)),
       gamma=F(1))
def short_corridor():
    """Three states and the goal; actions left, right, which are switched in state 1; every step costs 1."""
    moves = [(0, 0, 0), (0, 1, 1), (1, 0, 2), (1, 1, 0), (2, 0, 1), (2, 1, 3)]
    return *tables(4, 2, [*((*m, 1, -1) for m in moves), (3, 0, 3, 1, 0), (3, 1, 3, 1, 0)]), at_state(0, 4)


@model("exercise-3-22", "Now or later: left pays 1 at once, right pays 2 a step later", f"{BARTO}, exercise 3.22",
       *(Answer("V", deterministic((a, 0, 0), 2), pays(g), 0, f"{word} at the top", (0,), {"gamma": g})
         for a, word, pays in ((0, "left", lambda g: 1 / (1 - g * g)), (1, "right", lambda g: 2 * g / (1 - g * g)))
         for g in (F(0), F(1, 2), F(9, 10))), gamma=F(9, 10))
def exercise_3_22():
    """State 0 is the top; left leads to 1, right to 2, and both of these lead back."""
    back = [(s, a, 0, 1, reward) for s, reward in ((1, 0), (2, 2)) for a in (0, 1)]
    return *tables(3, 2, [(0, 0, 1, 1, 1), (0, 1, 2, 1, 0), *back]), at_state(0, 3)


@model("student-mrp", "The student's week as a Markov reward process", SILVER,
       *(Answer("V", uniform(7, 1), v, F(t), "the only policy", (s,), {"gamma": gamma})
         for gamma, row in (
             (F(1), ((F(-13), "1/2"), (F("1.5"), "1/20"), (F("4.3"), "1/20"), (F(10), "0"), (F("0.8"), "1/20"),
                     (F(-23), "1/2"), (F(0), "0"))),
             (F(9, 10), ((F(-5), "1/20"), (F("0.9"), "1/20"), (F("4.1"), "1/20"), (F(10), "0"), (F("1.9"), "1/20"),
                         (F("-7.6"), "1/20"), (F(0), "0"))))
         for s, (v, t) in enumerate(row)), gamma=F(1))
def student_mrp():
    """States Class 1, Class 2, Class 3, Pass, Pub, Facebook, Sleep (terminal); the reward is that of leaving a state."""
    law = {0: {1: "0.5", 5: "0.5"}, 1: {2: "0.8", 6: "0.2"}, 2: {3: "0.6", 4: "0.4"}, 3: {6: "1"},
           4: {0: "0.2", 1: "0.4", 2: "0.4"}, 5: {0: "0.1", 5: "0.9"}, 6: {6: "1"}}
    pays = (-2, -2, -2, 10, 1, -1, 0)
    P, R = tables(7, 1, ((s, 0, t, F(p), pays[s]) for s, row in law.items() for t, p in row.items()))
    return P, R, at_state(0, 7)


@model("student-mdp", "The student's week as a decision process", SILVER,
       *(Answer("V", uniform(5, 2), v, F(1, 20), "both actions alike", (s,))
         for s, v in enumerate(fractions("-2.3", "-1.3", "2.7", "7.4"))),
       Answer("V", uniform(5, 2), (F(-30, 13), F(-17, 13), F(35, 13), F(96, 13), F(0)), 0, "both actions alike, exactly"),
       Answer("V", deterministic((1, 1, 1, 1, 0), 2), fractions(6, 6, 8, 10, 0), 0, "the best policy: quit, study, study"),
       Answer("Q", deterministic((1, 1, 1, 1, 0), 2), F(47, 5), 0,
              "the best policy; the lecture's slide prints 8.4, which omits the reward 1 of the pub", (3, 0)), gamma=F(1))
def student_mdp():
    """States Facebook, Class 1, Class 2, Class 3, Sleep (terminal).

    Actions: Facebook, quit | Facebook, study | sleep, study | pub, study.
    """
    P, R = tables(5, 2, [(0, 0, 0, 1, -1), (0, 1, 1, 1, 0), (1, 0, 0, 1, -1), (1, 1, 2, 1, -2), (2, 0, 4, 1, 0),
                         (2, 1, 3, 1, -2), (3, 0, 1, F(1, 5), 1), (3, 0, 2, F(2, 5), 1), (3, 0, 3, F(2, 5), 1),
                         (3, 1, 4, 1, 10), (4, 0, 4, 1, 0), (4, 1, 4, 1, 0)])
    return P, R, at_state(1, 5)


def _two_by_two(P, R):
    """P and R as the paper prints them, each (s, a) on its own line, with a uniform start."""
    table = zeros(2, 2, 2)
    table.reshape(4, 2)[...] = [fractions(*row) for row in P]
    rewards = zeros(2, 2)
    rewards.flat = fractions(*R)
    return table, rewards, fractions("1/2", "1/2")


@model("dadashi-2a", "Two states whose values form a polytope, figure 2(a)", f"{DADASHI}, appendix", gamma=F(9, 10))
def dadashi_2a():
    """Two states, two actions."""
    return _two_by_two([("0.01", "0.99"), ("0.92", "0.08"), ("0.08", "0.92"), ("0.70", "0.30")],
                       ("0.06", "0.38", "-0.13", "0.64"))


@model("dadashi-2d", "Two states whose values form a polytope, figure 2(d)", f"{DADASHI}, appendix", gamma=F(9, 10))
def dadashi_2d():
    """Two states, two actions."""
    return _two_by_two([("0.70", "0.30"), ("0.99", "0.01"), ("0.20", "0.80"), ("0.99", "0.01")],
                       ("-0.45", "-0.10", "0.50", "0.50"))
