"""A model and a policy whose value does not exist, in the place of their solution."""

from __future__ import annotations

from ..errors import UndefinedError
from ..solution import solve

ANSWERS = frozenset({"V", "Q", "A", "d", "D", "J", "P_pi", "r_pi", "resolvent", "error_bounds"})


class Unsolved:
    """What is left of a :class:`pgtheory.Solution` at gamma = 1 where some state never ends; asked for more, it says why.

    mdp, pi, arithmetic : as of a solution
    reason : str, why there is no value

    >>> import pgtheory as pg
    >>> from pgtheory.problems.unsolved import solved_or_not
    >>> loop = solved_or_not(pg.MDP([[[1.0]]], [[1.0]], 1.0, 0), [[1.0]])
    >>> loop.reason[:38]
    'gamma = 1, and state 0 reaches no term'
    """

    def __init__(self, mdp, pi, reason: str):
        finite = solve(mdp, pi, horizon=1)
        self.mdp, self.pi, self.arithmetic, self.reason = finite.mdp, finite.pi, finite.arithmetic, reason

    def __getattr__(self, name):
        if name in ANSWERS:
            raise UndefinedError(self.reason)
        raise AttributeError(name)


def solved_or_not(mdp, pi):
    """The solution; or, at gamma = 1 where a state never ends, an :class:`Unsolved` one, since finite horizons still exist."""
    try:
        return solve(mdp, pi)
    except UndefinedError as error:
        if mdp.gamma != 1:
            raise
        return Unsolved(mdp, pi, str(error))
