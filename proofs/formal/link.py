"""The link between the formal proofs and pgtheory: the same quantities of the same model, computed on both sides.

The tables of a model and the fractions that pgtheory computes from them are written as a Coq file. Each lemma in it says that a quantity
of Definitions.v, at that model and over any real field, is pgtheory's table. Coq proves it by listing the trajectories (Link.v) or, for
the limits, by checking that the table solves the equations of the model (LinkLimits.v). So the file compiles if, and only if, the two
agree.

Needs pgtheory; used by tests/test_formal.py.
"""

from fractions import Fraction

import numpy as np

import pgtheory as pg

HEAD = """From Coq Require Import QArith.
From mathcomp Require Import all_ssreflect ssralg reals.
From PGFormal Require Import Definitions Link{limits}.

Set Implicit Arguments.

"""

STOCHASTIC = {
    "J": ("J (P_R {S} {A} P R) (r_R {S} {A} r R) (g_R g R) (pi_R {S} {A} pi R) {n} s", "(s : 'I_{S})", "look1 {table} s"),
    "prob_at": ("prob_at (P_R {S} {A} P R) (pi_R {S} {A} pi R) {n} s0 s", "(s0 s : 'I_{S})", "look2 {table} s0 s"),
    "JQ": ("JQ (P_R {S} {A} P R) (r_R {S} {A} r R) (g_R g R) (pi_R {S} {A} pi R) {n} s a", "(s : 'I_{S}) (a : 'I_{A})",
           "look2 {table} s a"),
}
DETERMINISTIC = {
    "dJ": ("dJ (dP_R {S} P R) (dr_R {S} r R) (g_R g R) (act_R {S} act) {n} s", "(s : 'I_{S})", "look1 {table} s"),
    "dprob_at": ("dprob_at (dP_R {S} P R) (act_R {S} act) {n} s0 s", "(s0 s : 'I_{S})", "look2 {table} s0 s"),
}
ENDLESS = {
    "value": ("value (P_R {S} {A} P R) (r_R {S} {A} r R) (g_R g R) (pi_R {S} {A} pi R) s", "(s : 'I_{S})", "look1 {table} s"),
    "qvalue": ("qvalue (P_R {S} {A} P R) (r_R {S} {A} r R) (g_R g R) (pi_R {S} {A} pi R) s a", "(s : 'I_{S}) (a : 'I_{A})",
               "look2 {table} s a"),
    "occupancy": ("occupancy (P_R {S} {A} P R) (g_R g R) (pi_R {S} {A} pi R) s0 s", "(s0 s : 'I_{S})", "look2 {table} s0 s"),
}
FORMS = STOCHASTIC | DETERMINISTIC | ENDLESS


def from_each_state(mdp):
    """The model with each state as its start."""
    return [pg.MDP(mdp.P, mdp.R, mdp.gamma, s) for s in range(mdp.n_states)]


def values(mdp, pi, N):
    """(S,) expected return of N steps: V_0 of the backward pass, 0 for no step."""
    return pg.solve(mdp, pi, horizon=N).V[0] if N else [Fraction(0)] * mdp.n_states


def values_enumerated(mdp, pi, N):
    """(S,) the same from the list of all trajectories with their probabilities."""
    batches = [pg.enumerate_trajectories(start, pi, N) for start in from_each_state(mdp)]
    return [sum(sum(batch.probability * batch.rewards[:, t]) * mdp.gamma**t for t in range(N)) for batch in batches]


def distributions(mdp, pi, t):
    """(S, S) Pr(s_t = s) from each start."""
    return [pg.solve(start, pi, horizon=t + 1).state_distribution[t] for start in from_each_state(mdp)]


def action_values(mdp, pi, N):
    """(S, A) expected return of an action and N steps after it."""
    return pg.solve(mdp, pi, horizon=N + 1).Q[0]


def answers(mdp, pi, steps):
    """[(quantity, number of steps, table)]: what pgtheory says."""
    return [*(("J", N, values(mdp, pi, N)) for N in range(steps + 1)),
            *(("J", N, values_enumerated(mdp, pi, N)) for N in range(1, steps + 1)),
            *(("prob_at", t, distributions(mdp, pi, t)) for t in range(steps + 1)),
            *(("JQ", N, action_values(mdp, pi, N)) for N in range(steps))]


def endless_answers(mdp, pi):
    """The same without an end, gamma < 1: V, Q and d by linear algebra. Each is a limit in Coq."""
    solution = pg.solve(mdp, pi)
    return [("value", "", solution.V), ("qvalue", "", solution.Q),
            ("occupancy", "", [pg.solve(start, pi).d for start in from_each_state(mdp)])]


def deterministic_answers(mdp, actions, steps):
    """The same for the policy that takes ``actions[s]`` in s."""
    pi = [[Fraction(a == action) for a in range(mdp.n_actions)] for action in actions]
    return [*(("dJ", N, values(mdp, pi, N)) for N in range(steps + 1)),
            *(("dprob_at", t, distributions(mdp, pi, t)) for t in range(steps + 1))]


def coq(table):
    """A table of numbers as Coq's rational numbers, and of ints as natural numbers.

    >>> coq([[Fraction(-1, 2), 3]])
    '[:: [:: Qmake (-1) 2; Qmake (3) 1]]'
    """
    if isinstance(table, (list, tuple, np.ndarray)):
        return "[:: " + "; ".join(coq(entry) for entry in table) + "]"
    number = Fraction(table)
    return f"Qmake ({number.numerator}) {number.denominator}"


def coq_file(mdp, found, pi=None, actions=None):
    """(text, names): a file with one lemma for each answer, on the tables of ``mdp``.

    Raises ValueError where an answer has another shape: Coq reads a missing entry as 0, and passes over one too many.
    """
    if not found:
        raise ValueError("there are no answers: a file without lemmas proves nothing")
    head = HEAD.format(limits=" LinkLimits" if any(what in ENDLESS for what, _, _ in found) else "")
    lines = [head + f"Definition P : seq (seq (seq Q)) := {coq(mdp.P)}.", f"Definition r : seq (seq Q) := {coq(mdp.r)}.",
             f"Definition g : Q := {coq(mdp.gamma)}."]
    if pi is not None:
        lines.append(f"Definition pi : seq (seq Q) := {coq(pi)}.")
    if actions is not None:
        lines.append(f"Definition act : seq nat := [:: {'; '.join(str(int(a)) for a in actions)}]%N.")
    names = []
    for i, (quantity, n, table) in enumerate(found):
        _require_shape(quantity, np.shape(table), mdp.n_states, mdp.n_actions)
        left, variables, right = (form.format(S=mdp.n_states, A=mdp.n_actions, n=n, table=coq(table)) for form in FORMS[quantity])
        names.append(f"{quantity}_{n}_{i}")
        lines.append(f"Lemma {names[-1]} (R : realType) {variables} : {left} = real_of_Q R ({right}).")
        given = f" _ {coq(next(V for what, _, V in found if what == 'value'))}" if quantity == "qvalue" else ""
        lines.append(f"Proof. by apply: ({quantity}_agrees{given}); vm_compute. Qed.")
    return "\n".join(lines) + "\n", names


def _require_shape(quantity, shape, S, A):
    read = FORMS[quantity][2]
    expected = (S,) if "look1" in read else (S, A) if read.endswith("s a") else (S, S)
    if shape != expected:
        raise ValueError(f"{quantity} has the shape {shape}, not {expected}")
