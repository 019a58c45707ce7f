"""Every number that books, lectures and papers print comes out, within the digits they print (tests/data/published.json)."""

import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import pgtheory as pg

ENTRIES = {entry["model"]: entry for entry in json.loads((Path(__file__).parent / "data" / "published.json").read_text())}
SOUTH = 1


def exact(x) -> Fraction:
    """The decimal number that was printed."""
    return Fraction(repr(x))


def uniform(mdp):
    return np.full((mdp.n_states, mdp.n_actions), Fraction(1, mdp.n_actions), dtype=object)


def deterministic(*actions, n_actions=2):
    return [[Fraction(int(a == b)) for b in range(n_actions)] for a in actions]


def solved(name, pi=None, **parameters):
    """The named model in Fractions under ``pi``, or under the uniform policy."""
    mdp = pg.models.load(name, exact=True, **parameters)
    return pg.solve(mdp, uniform(mdp) if pi is None else pi)


def published(name, key):
    return ENTRIES[name]["published"][key]


def within(got, printed, tolerance) -> bool:
    got, printed = np.ravel(np.asarray(got, dtype=object)), np.ravel(np.asarray(printed, dtype=object))
    bounds = np.broadcast_to(tolerance, got.shape)
    return got.shape == printed.shape and all(
        abs(x - exact(y)) <= exact(float(t)) for x, y, t in zip(got, printed, bounds, strict=True))


@pytest.mark.parametrize("name", ENTRIES)
def test_the_named_model_is_the_published_one(name):
    entry, mdp = ENTRIES[name], pg.models.load(name, exact=True)
    P = np.full((entry["states"], entry["actions"], entry["states"]), Fraction(0), dtype=object)
    for s, a, t, p in entry["P"]:
        P[s, a, t] = exact(p)
    assert (mdp.P == P).all()
    assert (mdp.r == np.array([[exact(x) for x in row] for row in entry["r"]], dtype=object)).all()
    if isinstance(entry["gamma"], float):
        assert mdp.gamma == exact(entry["gamma"])


def test_gridworld_5x5_has_the_values_of_figure_3_2():
    V = solved("gridworld-5x5").V
    assert within(V, published("gridworld-5x5", "V"), ENTRIES["gridworld-5x5"]["tolerance"])
    other_gamma = solved("gridworld-5x5", gamma=Fraction(8, 10)).V
    assert not within(other_gamma, published("gridworld-5x5", "V"), ENTRIES["gridworld-5x5"]["tolerance"])


def test_gridworld_4x4_has_the_values_of_figure_4_1_exactly():
    solution = solved("gridworld-4x4")
    assert solution.V.reshape(4, 4).tolist() == published("gridworld-4x4", "V")
    assert solution.V[1] == -14
    assert solution.Q[11, SOUTH] == published("gridworld-4x4", "q_11_down") == -1
    assert solution.Q[7, SOUTH] == published("gridworld-4x4", "q_7_down") == -15


def test_gridworld_4x4_has_the_tenth_iterate_of_figure_4_1():
    solution = solved("gridworld-4x4")
    iterates = [solution.r_pi * 0]
    for _ in range(11):
        iterates.append(solution.r_pi + solution.P_pi @ iterates[-1])
    printed = published("gridworld-4x4", "k10_row0")
    assert within(iterates[10][:4], printed, 0.05)
    assert not within(iterates[9][:4], printed, 0.05) and not within(iterates[11][:4], printed, 0.05)


def test_random_walk_has_sixths():
    V = solved("random-walk").V
    assert within(V[1:6], published("random-walk", "V"), ENTRIES["random-walk"]["tolerance"])
    assert V.tolist() == [0, *(Fraction(k, 6) for k in range(1, 6)), 0]


def corridor_value(p):
    """V(0) of the short corridor, right with probability p everywhere: the three Bellman equations, eliminated by hand."""
    return -2 * (2 - p) / (p * (1 - p))


@pytest.mark.parametrize("key, p", [("V0_eps_left", Fraction(1, 20)), ("V0_eps_right", Fraction(19, 20))])
def test_short_corridor_has_the_epsilon_greedy_values_of_example_13_1(key, p):
    V = solved("short-corridor", [[1 - p, p]] * 4).V
    assert V[0] == corridor_value(p)
    assert within(V[0], published("short-corridor", key), ENTRIES["short-corridor"]["tolerance"]["eps"])


def test_short_corridor_has_the_best_probability_of_example_13_1():
    p, tolerance = 2 - math.sqrt(2), ENTRIES["short-corridor"]["tolerance"]
    corridor, policy = pg.models.load("short-corridor"), pg.SoftmaxPolicy(features=[[[0.0], [1.0]]] * 4)

    def slope(p):
        return pg.policy_gradient(corridor, policy, [math.log(p / (1 - p))])[0]

    V0 = pg.solve(corridor, [[1 - p, p]] * 4).V[0]
    assert abs(p - published("short-corridor", "p_star")) <= tolerance["p"]
    assert abs(V0 - published("short-corridor", "V0_star")) <= tolerance["V"]
    assert abs(V0 + 6 + 4 * math.sqrt(2)) <= 1e-13
    # dV0/dlogit = p (1-p) V0'(p), and |V0''| < 100 here: one rounding of p, and those of a solve of conditioning 12 squared
    assert abs(slope(p)) <= 1e-13
    assert slope(p - 0.01) > 0.05 and slope(p + 0.01) < -0.05


@pytest.mark.parametrize("gamma, key", [(Fraction(1), "gamma1"), (Fraction(9, 10), "gamma09")])
def test_student_mrp_has_the_values_of_the_lecture(gamma, key):
    V = solved("student-mrp", gamma=gamma).V
    assert within(V, published("student-mrp", f"V_{key}"), ENTRIES["student-mrp"]["tolerance"][key])


def test_student_mdp_has_the_random_policy_values_of_the_lecture():
    assert within(solved("student-mdp").V[:4], published("student-mdp", "V_random"), ENTRIES["student-mdp"]["tolerance"])


def test_student_mdp_has_the_optimal_values_of_the_lecture():
    solution = solved("student-mdp", deterministic(1, 1, 1, 1, 0))
    assert solution.V[:4].tolist() == published("student-mdp", "V_opt")
    assert (solution.Q.max(axis=1) == solution.V).all()     # Bellman's optimality equation: no action is better
    worse = solved("student-mdp", deterministic(1, 1, 0, 1, 0))
    assert (worse.Q.max(axis=1) > worse.V).any()


def test_student_mdp_corrects_the_slide_on_the_pub():
    erratum = ENTRIES["student-mdp"]["published_errata"]["q_C3_pub"]
    Q = solved("student-mdp", deterministic(1, 1, 1, 1, 0)).Q[3, 0]
    correct, slide = exact(erratum["correct"]), exact(erratum["slide"])
    assert (Q - correct, Q - slide) == (0, 1)


@pytest.mark.parametrize("name", ["dadashi-2a", "dadashi-2d"])
@pytest.mark.parametrize("state", [0, 1])
def test_values_of_policies_that_agree_off_one_state_lie_on_a_line_monotonically(name, state):
    """Theorem 1 of Dadashi et al. 2019, in Fractions."""
    steps = [Fraction(k, 7) for k in range(8)]
    for other in (Fraction(0), Fraction(2, 5), Fraction(1)):
        V = [solved(name, [[p, 1 - p] if s == state else [other, 1 - other] for s in (0, 1)]).V for p in steps]
        differences = [b - a for a, b in zip(V, V[1:], strict=False)]
        assert all(x[0] * differences[0][1] == x[1] * differences[0][0] for x in differences)
        for s in (0, 1):
            assert all(x[s] >= 0 for x in differences) or all(x[s] <= 0 for x in differences)


@pytest.mark.parametrize("name", ["dadashi-2a", "dadashi-2d"])
def test_values_of_policies_that_differ_in_both_states_lie_on_no_line(name):
    V = [solved(name, [[p, 1 - p], [1 - p, p]]).V for p in (Fraction(0), Fraction(1, 2), Fraction(1))]
    first, second = V[1] - V[0], V[2] - V[0]
    assert first[0] * second[1] != first[1] * second[0]


@pytest.mark.parametrize("gamma, better", [(Fraction(0), "left"), (Fraction(1, 2), "tie"), (Fraction(9, 10), "right")])
def test_exercise_3_22_prefers_now_or_later_by_gamma(gamma, better):
    assert published("exercise-3-22", "answer") == "gamma=0 left; .9 right; .5 tie"
    left, right = (solved("exercise-3-22", deterministic(a, 0, 0), gamma=gamma).V[0] for a in (0, 1))
    assert (left, right) == (1 / (1 - gamma**2), 2 * gamma / (1 - gamma**2))
    assert better == ("tie" if left == right else "left" if left > right else "right")
