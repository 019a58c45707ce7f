"""Ball arithmetic: what is enclosed is enclosed, and what float64 cannot decide is decided with more bits."""

import operator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import pgtheory as pg
from pgtheory.arithmetic import Ball, overlap
from pgtheory.arithmetic.precise import product
from pgtheory.checks.judge import judge
from pgtheory.claims import bellman
from pgtheory.problems.finite import Problem
from pgtheory.routes import series

flint = pytest.importorskip("flint")


def rational(x: Ball) -> tuple[Fraction, Fraction]:
    """Center and radius, exactly."""
    def exact(y):
        mantissa, exponent = y.man_exp()
        return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
    return exact(x.x.mid()), exact(x.x.rad())


def holds(x: Ball, value) -> bool:
    center, radius = rational(x)
    return abs(center - value) <= radius


# ------------------------------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize("operation", [operator.add, operator.sub, operator.mul, operator.truediv], ids=lambda f: f.__name__)
@pytest.mark.parametrize("bits", [20, 64, 200])
def test_operations_enclose_the_exact_result(operation, bits):
    rng = np.random.default_rng(bits)
    for _ in range(50):
        a, b = (Fraction(int(p), int(q)) for p, q in rng.integers(1, 10**6, (2, 2)))
        found = operation(Ball.of(a, bits), Ball.of(b, bits))
        assert holds(found, operation(a, b))
        size = abs(operation(a, b)) + (a + b if operation in (operator.add, operator.sub) else 0)
        assert found.rad <= 2.0 ** (3 - bits) * size
        assert holds(operation(Ball.of(a, bits), b), operation(a, b)) and holds(operation(b, Ball.of(a, bits)), operation(b, a))
        assert not holds(found, operation(a, b) + size / 2 ** (bits - 6))                          # negative control


def test_floats_and_integers_are_the_numbers_they_are():
    for x in (0.1, 1e300, 5e-324, -3, 2**40):
        assert rational(Ball.of(x, 64)) == (Fraction(x), 0)
    assert rational(Ball.of(Fraction(1, 3), 64))[1] > 0
    with pytest.raises(pg.NotExactError, match="no number that a ball could enclose"):
        Ball.of(float("nan"), 64)


def test_comparisons_are_true_where_they_are_certain():
    third = Ball.of(1, 100) / 3
    one = third * 3
    assert one.overlaps(1) and one != 1 and not one < 1 and not one > 1
    assert third < 0.34 and 0.33 < third and third >= 0.33 and not third.overlaps(0.34)
    assert Ball.of(0.5, 100) == 0.5 and (-third).is_negative and not third.is_negative
    assert one.lower <= 1 <= one.upper and abs(-third).overlaps(third)


def test_the_context_of_python_flint_is_left_as_it_was():
    before = flint.ctx.prec
    assert pg.solve(pg.models.load("start-matters").in_balls(333), np.full((2, 2), 0.5)).J.bits == 333
    assert flint.ctx.prec == before


def test_products_of_arrays_are_the_sums_of_products():
    rng = np.random.default_rng(0)
    A, B = (np.array([[Ball.of(float(x), 90) for x in row] for row in rng.normal(size=(3, 3))]) for _ in range(2))
    assert overlap(product(A, B), A @ B) and overlap(product(A, B[0]), A @ B[0])
    assert not overlap(product(A, B), A.T @ B)                                                    # negative control


# ----------------------------------------------------------------------------------------------------- solutions


def model(S=4, A=2, gamma=0.9, seed=0, offset=0.0):
    rng = np.random.default_rng(seed)
    return pg.MDP(rng.dirichlet(np.ones(S), (S, A)), rng.normal(size=(S, A)) + offset, gamma, rng.dirichlet(np.ones(S)))


@pytest.mark.parametrize("gamma", [0.9, 1 - 1e-9, 1 - 1e-12])
@pytest.mark.parametrize("normalize", [True, False])
def test_every_quantity_encloses_that_of_the_exact_model(gamma, normalize):
    mdp = model(gamma=gamma)
    pi = [[Fraction(1, 3), Fraction(2, 3)]] * 4
    true = pg.solve(mdp.exactly(normalize=normalize), pi)
    found = pg.solve(mdp.in_balls(200, normalize=normalize), pi)
    for name in ("V", "Q", "A", "d", "D", "J"):
        for x, value in zip(np.ravel(getattr(found, name)), np.ravel(getattr(true, name)), strict=True):
            assert holds(x, value) and x.rad <= 1e-35 * max(1, abs(float(value)))
    assert 0 < found.error_bounds["V"] == max(x.rad for x in found.V)
    other = pg.solve(mdp.exactly(normalize=not normalize), pi).V
    assert not holds(found.V[0], other[0])                                                        # negative control


def test_an_episodic_model_is_enclosed_without_discount():
    corridor = pg.models.load("short-corridor")
    V = pg.solve(corridor.in_balls(), np.full((4, 2), 0.5)).V
    assert overlap(V, [-12, -10, -6, 0]) and not overlap(V, [-12, -10, -6, 1])


def test_what_the_bits_cannot_tell_from_singular_is_undefined():
    with pytest.raises(pg.UndefinedError, match="balls of 20 bits"):
        pg.solve(model(gamma=1 - 1e-12).in_balls(20), np.full((4, 2), 0.5))


def test_rows_of_floats_that_leave_no_value_are_told():
    mdp = pg.MDP([[[0.5, 0.5 + 2.0**-52], [0.5, 0.5 + 2.0**-52]]] * 2, [[1.0, 0.0]] * 2, 1 - 2.0**-53, 0)
    with pytest.raises(pg.UndefinedError, match="more than 1 leave no value"):
        pg.solve(mdp.in_balls(400, normalize=False), np.full((2, 2), 0.5))
    assert pg.solve(mdp.in_balls(400), np.full((2, 2), 0.5)).J > 1e15


def precise_gradient(mdp, probabilities, theta, digits=80):
    """Central differences of J in mpmath: nothing is shared with the library but the numbers."""
    from mpmath import lu_solve, matrix, mp, mpf

    exact = mdp.exactly()
    P, r, rho = ([mpf(x.numerator) / x.denominator for x in a.flat] for a in (exact.P, exact.r, exact.rho))
    S, A = mdp.n_states, mdp.n_actions

    def J(x):
        pi = probabilities(x)
        M = matrix(S, S)
        b = matrix(S, 1)
        for s in range(S):
            b[s] = sum(pi[s][a] * r[s * A + a] for a in range(A))
            for t in range(S):
                M[s, t] = (s == t) - mpf(mdp.gamma) * sum(pi[s][a] * P[(s * A + a) * S + t] for a in range(A))
        V = lu_solve(M, b)
        return sum(rho[s] * V[s] for s in range(S))

    out = []
    for i in range(np.size(theta)):
        h = mpf(10) ** (-digits // 4)
        up, down = ([mpf(float(x)) + (k == i) * step for k, x in enumerate(np.ravel(theta))] for step in (h, -h))
        out.append((J(up) - J(down)) / (2 * h))
    assert mp.dps >= digits
    return out


@pytest.mark.parametrize("kind", ["logits", "features", "escort"])
def test_gradients_at_float_parameters_enclose_the_differences_of_eighty_digits(kind):
    from mpmath import exp, fsum, mpf, workdps

    mdp, rng = model(S=3, gamma=1 - 1e-6), np.random.default_rng(7)
    phi = rng.normal(size=(3, 2, 2))
    policy, theta = {"logits": (pg.SoftmaxPolicy(3, 2), rng.normal(size=(3, 2))),
                     "features": (pg.SoftmaxPolicy(features=phi), rng.normal(size=2)),
                     "escort": (pg.EscortPolicy(3, 2, power=2.5), rng.normal(size=(3, 2)))}[kind]

    def probabilities(x):
        if kind == "features":
            w = [[exp(fsum(mpf(float(phi[s, a, k])) * x[k] for k in range(2))) for a in range(2)] for s in range(3)]
        else:
            size = (lambda y: exp(y)) if kind == "logits" else (lambda y: abs(y) ** mpf(2.5))
            w = [[size(x[2 * s + a]) for a in range(2)] for s in range(3)]
        return [[y / fsum(row) for y in row] for row in w]

    with workdps(80):
        expected = precise_gradient(mdp, probabilities, theta)
        found = pg.policy_gradient(mdp.in_balls(256), policy, theta)
        by_duals = pg.derivative(mdp.in_balls(256), policy, theta, route="exact").value
        for x, y, value in zip(found.flat, by_duals.flat, expected, strict=True):
            assert x.overlaps(y) and x.rad < 1e-50
            assert abs(mpf(x.x.mid().str(60, radius=False)) - value) < mpf(10) ** -20 * abs(value)   # of the differences: h^2
    assert pg.solve(mdp.in_balls(256), policy.probabilities(theta)).J.rad < 1e-50


def test_value_gradients_and_horizons_come_in_balls_too():
    mdp, theta = model().in_balls(), np.linspace(-1, 1, 8).reshape(4, 2)
    policy = pg.SoftmaxPolicy(4, 2)
    rows = pg.value_gradient(mdp, policy, theta)
    assert overlap(np.tensordot(mdp.rho, rows, axes=1), pg.policy_gradient(mdp, policy, theta))
    assert all(x.rad < 1e-30 for x in np.ravel(pg.policy_gradient(mdp, policy, theta, horizon=3)))


def test_a_softmax_of_saturated_logits_keeps_its_tail():
    bandit = pg.MDP([[[1.0], [1.0]]], [[3.0, 1.0]], 0.0, 0).in_balls(2000)
    gradient = pg.policy_gradient(bandit, pg.SoftmaxPolicy(1, 2), [[800.0, 0.0]])
    p = 1 / (1 + Ball.of(-800, 2000).exp())
    assert overlap(gradient, [[p * (1 - p) * 2, p * (1 - p) * -2]]) and gradient[0, 0] > 0
    assert pg.policy_gradient(pg.MDP([[[1.0], [1.0]]], [[3.0, 1.0]], 0.0, 0), pg.SoftmaxPolicy(1, 2), [[800.0, 0.0]]).max() == 0


# -------------------------------------------------------------------------------------------------- what is refused


def test_precision_is_a_whole_number_of_bits():
    for bits in (0, -5, 1.5, True, "128"):
        with pytest.raises(pg.PGTheoryError, match="whole number of bits"):
            model().in_balls(bits)


def test_symbols_do_not_go_into_balls():
    import sympy

    x = sympy.Symbol("x", positive=True)
    with pytest.raises(pg.NotExactError):
        pg.MDP([[[x, 1 - x]], [[0, 1]]], [1, 0], sympy.Rational(1, 2), 0).in_balls()
    with pytest.raises(pg.NotExactError, match="balls met symbols"):
        pg.solve(model(S=2, A=2).in_balls(), [[x, 1 - x]] * 2)


def test_without_python_flint_one_line_names_the_extra(monkeypatch):
    mdp = model(gamma=1 - 1e-12)
    monkeypatch.setitem(__import__("sys").modules, "flint", None)
    with pytest.raises(pg.MissingExtraError, match=r'pip install "pgtheory\[exact\]"') as caught:
        mdp.in_balls()
    assert "\n" not in str(caught.value)
    report = pg.verify(mdp, pg.SoftmaxPolicy(4, 2), np.zeros((4, 2)), theorems=["recursion"], samples=0)
    assert report.count("INCONCLUSIVE") and all("pgtheory[exact]" in c.note for c in report.checks if c.verdict == "INCONCLUSIVE")


# ---------------------------------------------------------------------------------------------- verify decides


HARD = {"gamma next to 1": (model(gamma=1 - 1e-12), np.linspace(-1, 1, 8).reshape(4, 2)),
        "rewards with a huge offset": (model(offset=1e14), np.linspace(-1, 1, 8).reshape(4, 2)),
        "a saturated softmax": (model(), np.array([[36.0, 0.0]] * 4)),
        "a softmax that needs a thousand bits": (model(), np.array([[300.0, 0.0]] * 4))}
SLUGS = ["bellman", "recursion", "unrolling", "occupancy", "stochastic", "score-function"]


@pytest.mark.parametrize("name", HARD)
def test_verify_decides_with_as_many_bits_as_it_takes(name):
    mdp, theta = HARD[name]
    report = pg.verify(mdp, pg.SoftmaxPolicy(4, 2), theta, theorems=SLUGS, samples=0)
    assert report.passed and report.count("INCONCLUSIVE") == 0
    precise = [check for check in report.checks if "in balls of" in check.note]
    assert precise and all(c.kind == "bounded" and c.error <= c.bound for c in precise)
    bits = {int(check.note.split("in balls of ")[1].split()[0]) for check in precise}
    assert min(bits) >= 128 and (max(bits) >= 512) == (name == "a softmax that needs a thousand bits")


def test_policies_whose_formula_is_not_known_stay_inconclusive():
    class Mine(pg.SoftmaxPolicy):
        pass

    mdp, theta = HARD["gamma next to 1"]
    report = pg.verify(mdp, Mine(4, 2), theta, theorems=["stochastic"], samples=0)
    assert report.count("INCONCLUSIVE") == len(report.checks) > 0


@pytest.mark.parametrize("name", [name for name in HARD if "thousand" not in name])
@pytest.mark.parametrize("off", [lambda d, Q, V: (d, Q * 2), lambda d, Q, V: (d * (1 - 1e-6), Q), lambda d, Q, V: (d[::-1], Q)],
                         ids=["Q doubled", "d off by 1e-6", "states of d swapped"])
def test_a_wrong_theorem_fails_in_disjoint_balls(name, off):
    mdp, theta = HARD[name]

    @pg.theorem("test-wrong-in-balls")
    def wrong(mdp, policy, theta):
        solution = pg.solve(mdp, policy.probabilities(theta))
        d, Q = off(solution.d, solution.Q, solution.V)
        return pg.policy_gradient(mdp, policy, theta), policy.pullback(theta, d[:, None] * Q)

    check = pg.verify(mdp, pg.SoftmaxPolicy(4, 2), theta, theorems=["test-wrong-in-balls"]).checks[0]
    assert check.verdict == "FAIL"
    if "disjoint" in check.note:
        assert not overlap(check.lhs, check.rhs) and check.error > check.bound
    else:      # float64 was enough
        assert check.error > check.bound


def test_a_wrong_claim_of_the_catalogue_fails_in_disjoint_balls(monkeypatch):
    import pgtheory.claims.recursion as recursion

    mdp, theta = HARD["gamma next to 1"]
    right = recursion.local_gradient
    monkeypatch.setattr(recursion, "local_gradient", lambda problem: right(problem) * problem.arithmetic.number(1.0 + 2.0**-30))
    report = pg.verify(mdp, pg.SoftmaxPolicy(4, 2), theta, theorems=["recursion"], samples=0)
    assert {check.verdict for check in report.checks} == {"FAIL"} and all("disjoint" in check.note for check in report.checks)


def test_larger_models_are_decided_along_a_few_random_directions():
    """All coordinates are too many for Python; a wrong theorem is orthogonal to a random direction with probability 0."""
    mdp, theta = model(S=26, A=2, gamma=1 - 1e-12), np.random.default_rng(0).normal(size=(26, 2))
    report = pg.verify(mdp, pg.SoftmaxPolicy(26, 2), theta, theorems=["stochastic"], samples=0)
    assert report.passed and all("random directions" in check.note and check.rhs.shape == (4,) for check in report.checks)
    few = pg.verify(HARD["gamma next to 1"][0], pg.SoftmaxPolicy(4, 2), HARD["gamma next to 1"][1], theorems=["stochastic"], samples=0)
    assert not any("random directions" in check.note for check in few.checks)


# ------------------------------------------------------------------------------------------------ what is right is never called wrong


def bandit(gamma):
    """One state and the end; r(0, a) = (1, 3), and every episode is over after one step."""
    return pg.MDP([[[0.0, 1.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]], [[1.0, 3.0], [0.0, 0.0]], gamma, 0)


@pytest.mark.parametrize("gamma", [0.0, 1.0])
def test_where_the_system_is_the_identity_balls_are_differentiated_all_the_same(gamma):
    """pi (r - V) = 3/4 (1 - 3/2), 1/4 (3 - 3/2)."""
    value, _ = pg.derivative(bandit(gamma).in_balls(128), pg.SoftmaxPolicy(2, 2, weights=True), [[3.0, 1.0], [1.0, 1.0]], route="exact")
    assert all(abs(x - y).upper < 1e-30 for x, y in zip(value.flat, (-0.375, 0.375, 0, 0), strict=True))


def chain_of_three(rewards, gamma):
    return pg.MDP([[[0.5, 0.5, 0.0], [0.0, 0.25, 0.75]], [[0.25, 0.25, 0.5], [1.0, 0.0, 0.0]], [[0.0, 0.5, 0.5], [0.5, 0.0, 0.5]]],
                  rewards, gamma, 0)


PLAIN, TABLE = [[1.0, -2.0], [0.5, 3.0], [-1.0, 0.25]], [[0.3, -0.2], [0.1, 0.6], [-0.5, 0.4]]
LARGE = np.repeat(np.array(PLAIN)[:, :, None], 3, axis=2)
LARGE[0, 1] = 1511821624.2, 1950463696.7, 1034852552.8      # the order of the sum over s' shows in the last digit
NO_ROOM = {
    "rewards next to the smallest normal number": (np.multiply(PLAIN, 1e-308), 1 - 1e-12, pg.SoftmaxPolicy(3, 2), TABLE),
    "subnormal rewards": (np.multiply(PLAIN, 2e-322), 1 - 1e-9, pg.SoftmaxPolicy(3, 2), TABLE),
    "a large reward of an action that is never taken": (
        LARGE, 0.9, pg.SoftmaxPolicy(3, 2), [[800.0, 0.0], [0.1, 0.6], [-0.5, 0.4]]),
    "parameters far smaller than 1": (PLAIN, 0.0, pg.EscortPolicy(3, 2), np.multiply(TABLE, 1e-5)),
    "a subnormal probability": (PLAIN, 1 - 1e-12, pg.DirectPolicy(3, 2), [[5e-324, 1.0], [0.25, 0.75], [0.5, 0.5]]),
    "no discount, and an offset of the rewards": (np.add(PLAIN, 1e16), 0.0, pg.EscortPolicy(3, 2), np.multiply(TABLE, 1e-5)),
}


@pytest.mark.parametrize("which", NO_ROOM)
def test_no_claim_fails_where_floats_have_no_room(which):
    rewards, gamma, policy, theta = NO_ROOM[which]
    report = pg.verify(chain_of_three(rewards, gamma), policy, theta, samples=0)
    assert not [(c.theorem, c.part, c.route, c.error, c.bound) for c in report.checks if c.verdict == "FAIL"]
    assert report.count("PASS") > 10


def test_an_untaken_action_is_off_by_no_more_than_its_own_rewards_round():
    """A Q that is wrong by 1e-9 of the largest reward is still told apart."""
    rewards, gamma, policy, theta = NO_ROOM["a large reward of an action that is never taken"]
    problem = Problem(chain_of_three(rewards, gamma), policy, np.array(theta))
    right = bellman.equations(problem)[1]
    assert judge("bellman", right, problem, series, 0.05).verdict == "PASS"
    assert judge("bellman", replace(right, rhs=right.rhs + 2.0), problem, series, 0.05).verdict == "FAIL"


def start_values(mdp, policy, theta):
    """J twice: as it is, and averaged over the start in floats."""
    solution = pg.solve(mdp, policy.probabilities(theta))
    return solution.J, float(solution.V @ solution.mdp.rho)


@pytest.mark.parametrize(("sides", "verdict", "note"), [
    (start_values, "INCONCLUSIVE", "makes floats of them"),
    (lambda *given: (float(start_values(*given)[0]), start_values(*given)[1] * (1 + 4e-16)), "INCONCLUSIVE", "makes floats of them"),
    (lambda mdp, policy, theta: (pg.solve(mdp, policy.probabilities(theta)).D.sum(), np.array(1.0)), "PASS", "balls"),
])
def test_a_users_claim_that_makes_floats_of_balls_is_left_open_and_not_called_wrong(sides, verdict, note):
    pg.theorem("test-rounded-sides")(sides)
    mdp = chain_of_three(np.add(PLAIN, 1e9), 1 - 1e-12)
    check, = pg.verify(mdp, pg.SoftmaxPolicy(3, 2), TABLE, theorems=["test-rounded-sides"], samples=0).checks
    assert check.verdict == verdict and note in check.note
