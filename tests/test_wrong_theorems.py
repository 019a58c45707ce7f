"""Wrong theorems end in FAIL, by every route that can see them; the right one does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import pgtheory as pg
from pgtheory import arithmetic
from pgtheory.checks.catalogue import Theorem
from pgtheory.claims import stochastic
from pgtheory.claims.equation import Equation
from pgtheory.problems.finite import Problem
from pgtheory.solution import evaluate

DIFFERENTIATING = ("complex-step", "finite-difference")


def ergodic(seed=3, S=4, A=3, gamma=0.7):
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.full(S, 0.3), (S, A)) * 0.95 + 0.05 / S
    return pg.MDP(P, rng.normal(size=(S, A, S)), gamma, rng.dirichlet(np.ones(S)), normalize=True)


def episodic(gamma=0.8):
    """Three live states and an end; every action ends with probability at least 1/4."""
    rng = np.random.default_rng(5)
    P = np.zeros((4, 2, 4))
    P[:3, :, :3] = 0.75 * rng.dirichlet(np.ones(3), (3, 2))
    P[:3, :, 3] = 1 - P[:3, :, :3].sum(axis=2)
    P[3, :, 3] = 1.0
    R = rng.normal(size=(4, 2))
    R[3] = 0.0
    return pg.MDP(P, R, gamma, 0, normalize=True)


def softmax(mdp, seed=1):
    return pg.SoftmaxPolicy(mdp.n_states, mdp.n_actions), np.random.default_rng(seed).normal(
        size=(mdp.n_states, mdp.n_actions))


def direct(mdp, seed=1):
    policy, theta = softmax(mdp, seed)
    return pg.DirectPolicy(mdp.n_states, mdp.n_actions), policy.probabilities(theta)


def gradient(problem, visits, Q):
    return problem.policy.pullback(problem.theta, visits[:, None] * Q)


def without_constant(problem):
    return gradient(problem, problem.solution.D, problem.solution.Q)


def undiscounted_visits(problem):
    """Pr(s_t = s) summed without gamma^t, on an episodic model; the value stays discounted."""
    mdp = problem.mdp
    plain = pg.MDP(mdp.P, mdp.R, 1.0, mdp.rho)
    return gradient(problem, pg.solve(plain, problem.pi).d, problem.solution.Q)


def stationary(problem):
    """The stationary distribution in place of D, with the right constant."""
    P_pi = problem.solution.P_pi
    law = np.linalg.matrix_power(P_pi, 2**20)[0]
    return gradient(problem, law / (1 - problem.gamma), problem.solution.Q)


def advantage_for_Q(problem):
    return gradient(problem, problem.solution.d, problem.solution.A)


def transposed(problem):
    """P_pi transposed in the theorem side: d from the wrong side of the matrix."""
    wrong = problem.solution.resolvent(problem.mdp.rho, transpose=False)
    return gradient(problem, wrong, problem.solution.Q)


def other_value(problem):
    """Q of another policy, the uniform one."""
    uniform = np.full(problem.pi.shape, 1 / problem.mdp.n_actions)
    return gradient(problem, problem.solution.d, pg.solve(problem.mdp, uniform).Q)


def no_discount_in_Q(problem):
    solution = problem.solution
    return gradient(problem, solution.d, problem.mdp.r + problem.mdp.kernel.expect(solution.V))


def wrong_sign(problem):
    return -stochastic.gradient_form(problem)


MUTANTS = [
    pytest.param(without_constant, ergodic, softmax, id="without 1/(1 - gamma)"),
    pytest.param(undiscounted_visits, episodic, softmax, id="without gamma^t"),
    pytest.param(stationary, ergodic, softmax, id="stationary distribution"),
    pytest.param(advantage_for_Q, ergodic, direct, id="A for Q, direct parameterisation"),
    pytest.param(transposed, ergodic, softmax, id="P transposed in the theorem side"),
    pytest.param(other_value, ergodic, softmax, id="V of another policy"),
    pytest.param(no_discount_in_Q, ergodic, softmax, id="gamma dropped in Q"),
    pytest.param(wrong_sign, ergodic, softmax, id="sign"),
]


def as_theorem(wrong):
    """The stochastic theorem with its right side replaced."""
    def equations(problem):
        return [Equation("altered", "grad J", problem.along(wrong(problem)), problem.gradient_scale)]

    claim = replace(stochastic.CLAIM, equations=equations)
    return Theorem("stochastic", "altered", "", (), "", "", claim)


@pytest.mark.parametrize("wrong, model, policy", MUTANTS)
def test_every_route_that_can_see_a_wrong_theorem_fails_it(wrong, model, policy):
    mdp = model()
    chosen, theta = policy(mdp)
    report = pg.verify(mdp, chosen, theta, theorems=[as_theorem(wrong)], samples=400_000, rng=7)
    verdicts = {c.route: c.verdict for c in report.checks}
    assert {verdicts[name] for name in DIFFERENTIATING} == {"FAIL"}, verdicts
    assert verdicts["monte-carlo"] == "FAIL", [c.note for c in report.checks]
    assert not report.passed


@pytest.mark.parametrize("model, policy", [(ergodic, softmax), (episodic, softmax), (ergodic, direct)])
def test_the_right_theorem_fails_by_no_route(model, policy):
    """Null hypothesis: the theorem holds; the e-processes of a report call it wrong with probability 1e-9 at most."""
    mdp = model()
    chosen, theta = policy(mdp)
    report = pg.verify(mdp, chosen, theta, samples=20_000, alpha=1e-9, rng=7)
    assert report.count("FAIL") == 0, str(report)
    assert report.passed


@pytest.mark.parametrize("wrong, model, policy", [
    pytest.param(without_constant, "start-matters", None, id="without 1/(1 - gamma)"),
    pytest.param(advantage_for_Q, "start-matters", "direct", id="A for Q, direct parameterisation"),
    pytest.param(other_value, "start-matters", None, id="V of another policy"),
    pytest.param(wrong_sign, "start-matters", None, id="sign"),
])
def test_exact_arithmetic_sees_wrong_theorems_as_unequal(wrong, model, policy):
    from fractions import Fraction

    mdp = pg.models.load(model, exact=True)
    if policy == "direct":
        chosen, theta = pg.DirectPolicy(2, 2), [[Fraction(1, 3), Fraction(2, 3)], [Fraction(1, 4), Fraction(3, 4)]]
    else:
        chosen, theta = pg.SoftmaxPolicy(2, 2, weights=True), [[Fraction(1), Fraction(2)], [Fraction(3), Fraction(1)]]

    def exactly(problem):
        if wrong is other_value:
            half = Fraction(1, 2)
            uniform = np.array([[half, half], [half, half]], dtype=object)
            return gradient(problem, problem.solution.d, pg.solve(problem.mdp, uniform).Q)
        return wrong(problem)

    report = pg.verify(mdp, chosen, theta, theorems=[as_theorem(exactly)])
    assert [c.verdict for c in report.checks if c.route == "exact"] == ["FAIL"]


def test_P_transposed_in_solve_itself_is_caught_by_the_series(monkeypatch):
    right = arithmetic.DenseKernel.mix
    monkeypatch.setattr(arithmetic.DenseKernel, "mix", lambda self, pi: np.swapaxes(right(self, pi), -1, -2).copy())
    mdp = ergodic()
    policy, theta = softmax(mdp)
    report = pg.verify(mdp, policy, theta, theorems=["bellman", "occupancy"], samples=400_000, rng=7)
    failed = {(c.theorem, c.route) for c in report.checks if c.verdict == "FAIL"}
    assert {("bellman", "series"), ("occupancy", "series"), ("occupancy", "monte-carlo")} <= failed


def test_a_value_that_misses_its_last_bits_by_1e_6_is_caught(monkeypatch):
    """The bounds are tight enough to see a relative error of 1e-6 in V alone."""
    right = pg.Solution.V.func
    monkeypatch.setattr(pg.Solution.V, "func", lambda self: right(self) * (1 + 1e-6))
    mdp = ergodic()
    policy, theta = softmax(mdp)
    report = pg.verify(mdp, policy, theta, theorems=["bellman"], samples=0)
    assert report.count("FAIL") >= 2


def test_a_wrong_recursion_is_caught_in_every_start_state():
    """The recursion without its gamma, and the unrolling without its remainder."""
    from pgtheory.claims import recursion, unrolling

    mdp = ergodic()
    policy, theta = softmax(mdp)
    problem = Problem(mdp, policy, theta)
    source, P_pi = recursion.local_gradient(problem), problem.solution.P_pi
    wrong = [Equation("no gamma", "grad V", lambda g: source + P_pi @ g, problem.gradient_scale),
             Equation("no remainder", "grad V", sum(unrolling.terms(problem, 3)), problem.gradient_scale)]
    claim = replace(recursion.CLAIM, equations=lambda p: wrong)
    report = pg.verify(mdp, policy, theta, theorems=[Theorem("recursion", "", "", (), "", "", claim)], samples=0)
    assert {c.verdict for c in report.checks} == {"FAIL"} and len(report.checks) == 4


def test_wrong_occupancies_are_caught():
    from pgtheory.claims import occupancy

    mdp = ergodic()
    policy, theta = softmax(mdp)
    problem = Problem(mdp, policy, theta)
    D, d = problem.solution.D, evaluate(mdp, problem.pi).resolvent(mdp.rho)
    wrong = [Equation("D for d", "d", D, 5.0), Equation("resolvent not transposed", "d", d, 5.0)]
    claim = replace(occupancy.CLAIM, equations=lambda p: wrong)
    report = pg.verify(mdp, policy, theta, theorems=[Theorem("occupancy", "", "", (), "", "", claim)], samples=400_000)
    assert {c.verdict for c in report.checks} == {"FAIL"} and len(report.checks) == 4


def test_wrong_expected_rewards_of_a_sparse_model_are_caught_by_the_series(monkeypatch):
    import scipy.sparse

    monkeypatch.setattr(arithmetic.SparseKernel, "weigh",
                        lambda self, R: np.asarray(R.sum(axis=1)).reshape(self.n_states, self.n_actions))
    dense = ergodic()
    S, A = dense.n_states, dense.n_actions
    mdp = pg.MDP(scipy.sparse.csr_array(dense.P.reshape(S * A, S)), scipy.sparse.csr_array(dense.R.reshape(S * A, S)), dense.gamma,
                 dense.rho)
    policy, theta = softmax(mdp)
    report = pg.verify(mdp, policy, theta, theorems=["bellman"], samples=0)
    assert {c.part for c in report.checks if c.route == "series" and c.verdict == "FAIL"} == {
        "V = sum_a pi Q", "Q = sum P (R + gamma V)"}
