r"""The Bellman equation of a deterministic policy: the proof for one action a state."""

from __future__ import annotations

from dataclasses import replace

from ..claims.deterministic_bellman import backup
from . import bellman
from .common import value
from .line import Line


def of_mu(line: Line, **changed) -> Line:
    """A line about pi, said of mu; ``changed`` replaces what reads differently."""
    return replace(line, **{"statement": line.statement.replace(r"\pi", r"\mu"),
                            "because": line.because.replace("_pi", "_mu"), **changed})


def lines(setting) -> list[Line]:
    """The sums over time and their limit, as for any policy; then Q at the action of mu."""
    walking, first, rest, limit, _, _, unique = bellman.lines(setting)
    return [
        of_mu(walking),
        of_mu(first, statement=r"V_k(s) = \sum_{s'} P(s'|s,\mu(s)) \left( R(s,\mu(s),s') + \gamma V_{k-1}(s') \right)",
              because="given s', the steps after the first are a sum of k - 1 steps from s' (Markov property)"),
        of_mu(rest),
        of_mu(limit),
        Line("V is Q at the action of mu", r"V^\mu(s) = Q^\mu(s,\mu(s))",
             "the first split, let k grow: Q(s,a) is the return after a in s, and mu takes mu(s)",
             lambda it: it.solution.V, lambda it: it.solution.Q_at(it.solution.actions), ("s",), value),
        Line("Q spelled out", r"Q^\mu(s,\mu(s)) = r(s,\mu(s)) + \gamma \sum_{s'} P(s'|s,\mu(s)) V^\mu(s')",
             "split the mean of R + gamma V; r(s,a) is the mean of R(s,a,s'); the right side is the claim's code",
             lambda it: it.solution.Q_at(it.solution.actions), lambda it: backup(it.problem, it.solution.V), ("s",), value),
        of_mu(unique),
    ]
