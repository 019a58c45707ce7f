"""Exact V of a model of 501 states in Fractions, against python-flint's own solve of the same integers."""

from __future__ import annotations

from fractions import Fraction

import clock
import numpy as np

import pgtheory as pg


def integer_system(mdp, pi):
    """(N, b) in flint's integers with N V = b: the rows of I - gamma P_pi and r_pi times a common denominator."""
    import flint

    solution = pg.solve(mdp, pi)
    P_pi, r_pi, S = solution.P_pi, solution.r_pi, mdp.n_states
    rows, right = [], []
    for s in range(S):
        row = [int(s == t) - mdp.gamma * P_pi[s, t] for t in range(S)]
        whole = int(np.lcm.reduce([x.denominator for x in (*row, r_pi[s])], dtype=object))
        rows += [int(whole * x) for x in row]
        right.append(int(whole * r_pi[s]))
    return flint.fmpz_mat(S, S, rows), flint.fmpz_mat(S, 1, right)


def table() -> list[clock.Row]:
    """Taxi, a uniform policy, gamma 99/100; without python-flint or Gymnasium there is nothing to measure against."""
    try:
        import flint  # noqa: F401

        mdp = pg.from_gymnasium("Taxi-v4", Fraction(99, 100), exact=True)
    except ImportError as missing:
        print(f"exact: not measured ({missing})")
        return []
    pi = np.full((mdp.n_states, mdp.n_actions), Fraction(1, mdp.n_actions), dtype=object)
    N, b = integer_system(mdp, pi)
    times = clock.interleave({"limit": (lambda: None, lambda _: N.solve(b)),
                              "ours": (lambda: None, lambda _: pg.solve(mdp, pi).V)}, 7)
    return [clock.Row(f"exact, Taxi, S = {mdp.n_states}", times["ours"], times["limit"], 2 * times["limit"], "2x")]


if __name__ == "__main__":
    raise SystemExit(clock.show(table()))
