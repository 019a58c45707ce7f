"""Gridworlds. States are cells, numbered row by row from the top left; actions are north, south, east, west."""

from __future__ import annotations

from fractions import Fraction

from ..errors import InvalidMDPError
from ..validation import in_words
from .catalogue import Answer, at_state, deterministic, fractions, model, tables, uniform

F = Fraction
BARTO = "Sutton & Barto, Reinforcement Learning, 2nd ed. 2018"
MOVES = ((-1, 0), (1, 0), (0, 1), (0, -1))
NORTH, SOUTH, EAST, WEST = range(4)


def _rectangle(rows: int, columns: int) -> list:
    return [(i, j) for i in range(rows) for j in range(columns)]


def _land(cells, cell, a):
    """The cell that action a leads to; the same one where it runs into a wall."""
    beyond = (cell[0] + MOVES[a][0], cell[1] + MOVES[a][1])
    return beyond if beyond in cells else cell


PRINTED_5X5 = ("3.3", "8.8", "4.4", "5.3", "1.5",
               "1.5", "3.0", "2.3", "1.9", "0.5",
               "0.1", "0.7", "0.7", "0.4", "-0.4",
               "-1.0", "-0.4", "-0.4", "-0.6", "-1.2",
               "-1.9", "-1.3", "-1.2", "-1.4", "-2.0")


@model("gridworld-5x5", "Gridworld with two exceptional cells", f"{BARTO}, example 3.5 and figure 3.2",
       Answer("V", uniform(25, 4), fractions(*PRINTED_5X5), F(1, 20), "all directions alike"), gamma=F(9, 10))
def gridworld_5x5():
    """Every action in cell (0, 1) leads to (4, 1) and pays 10, in (0, 3) to (2, 3) for 5; running into a wall costs 1."""
    cells = _rectangle(5, 5)
    exceptional = {(0, 1): ((4, 1), 10), (0, 3): ((2, 3), 5)}
    moves = []
    for s, cell in enumerate(cells):
        for a in range(4):
            ahead = _land(cells, cell, a)
            target, reward = exceptional.get(cell, (ahead, -int(ahead == cell)))
            moves.append((s, a, cells.index(target), 1, reward))
    return *tables(25, 4, moves), [F(1, 25)] * 25


@model("gridworld-4x4", "Gridworld with two terminal corners", f"{BARTO}, example 4.1 and figure 4.1; exercise 4.1",
       Answer("V", uniform(16, 4), fractions(0, -14, -20, -22, -14, -18, -20, -20, -20, -20, -18, -14, -22, -20, -14, 0), 0,
              "all directions alike"),
       Answer("Q", uniform(16, 4), F(-1), 0, "all directions alike", (11, SOUTH)),
       Answer("Q", uniform(16, 4), F(-15), 0, "all directions alike", (7, SOUTH)), gamma=F(1))
def gridworld_4x4():
    """Every step costs 1 until the corner 0 or 15 is reached; starts anywhere else."""
    cells = _rectangle(4, 4)
    corners = {0, 15}
    moves = [(s, a, s if s in corners else cells.index(_land(cells, cell, a)), 1, -int(s not in corners))
             for s, cell in enumerate(cells) for a in range(4)]
    return *tables(16, 4, moves), [F(0), *[F(1, 14)] * 14, F(0)]


CLIFF_ROWS = (EAST,) * 11 + (SOUTH,)


@model("cliff", "Cliff walking: the short way runs along the edge", f"{BARTO}, example 6.6",
       Answer("J", deterministic(CLIFF_ROWS * 3 + (NORTH, EAST), 4), F(-13), 0, "along the edge: 13 steps, by counting"),
       gamma=F(1))
def cliff():
    """A 4 x 12 grid without its cliff: state 36 is the start, 37 the goal (terminal).

    Every step costs 1; stepping off the edge costs 100 and leads back to the start.
    """
    cells = [*_rectangle(3, 12), (3, 0), (3, 11)]
    abyss = [(3, j) for j in range(1, 11)]
    moves = [(37, a, 37, 1, 0) for a in range(4)]
    for s, cell in enumerate(cells[:-1]):
        for a in range(4):
            target = _land(cells + abyss, cell, a)
            moves.append((s, a, 36, 1, -100) if target in abyss else (s, a, cells.index(target), 1, -1))
    return *tables(38, 4, moves), at_state(36, 38)


SLIP = F(1, 5)
DOOR_WAY = (SOUTH, SOUTH, SOUTH, SOUTH, EAST, EAST, EAST, SOUTH, SOUTH, EAST, NORTH, EAST, EAST)


@model("two-rooms", "Two rooms with a door, a slippery floor and a goal",
       "this package, after the four rooms of Sutton, Precup & Singh, Artificial Intelligence 112 (1999)",
       Answer("J", deterministic(DOOR_WAY, 4), F(9, 10) ** 5, 0, "the shortest way, 6 steps, on a dry floor", (),
              {"slip": 0}),
       gamma=F(9, 10))
def two_rooms(slip=SLIP):
    """Rooms of 3 x 2 cells on either side of a wall with a door in its middle: 13 cells, state 0 the start, 12 the goal.

    With probability ``slip`` the step goes to one side, left or right alike. Entering the goal, which is terminal, pays 1.
    """
    if not 0 <= slip <= 1:
        raise InvalidMDPError(f"slip is {in_words(slip)}: it must be a probability")
    cells = [cell for cell in _rectangle(3, 5) if cell[1] != 2 or cell == (1, 2)]
    goal = len(cells) - 1
    moves = [(goal, a, goal, 1, 0) for a in range(4)]
    for s, cell in enumerate(cells[:-1]):
        for a in range(4):
            sides = (EAST, WEST) if a in (NORTH, SOUTH) else (NORTH, SOUTH)
            for b, p in ((a, 1 - slip), (sides[0], slip / F(2)), (sides[1], slip / F(2))):
                t = cells.index(_land(cells, cell, b))
                moves.append((s, a, t, p, int(t == goal)))
    return *tables(13, 4, moves), at_state(0, 13)
