"""Proofs that run: every step holds where it should, and every step fails when its formula is altered."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction as F  # noqa: N817
from xml.etree import ElementTree

import numpy as np
import pytest
import scipy.sparse

import pgtheory as pg
from pgtheory import arithmetic
from pgtheory.claims import stochastic as stochastic_claim
from pgtheory.claims import unrolling as unrolling_claim
from pgtheory.derivations import DERIVATIONS, ON_ACTIONS, ON_TRAJECTORIES, prove
from pgtheory.derivations.instance import instance, running_example
from pgtheory.derivations.line import check
from pgtheory.derivations.occupancy import partial_visits
from pgtheory.derivations.recursion import determinant

SLUGS = list(DERIVATIONS)


def floats(mdp):
    """The running example in float64."""
    P, R, rho = (np.array(x, dtype=float) for x in (mdp.P, mdp.R, mdp.rho))
    return pg.MDP(P, R, float(mdp.gamma), rho)


def generic(seed=0, S=4, A=3, gamma=0.9):
    rng = np.random.default_rng(seed)
    return pg.MDP(rng.dirichlet(np.ones(S), (S, A)), rng.normal(size=(S, A, S)), gamma, rng.dirichlet(np.ones(S)))


def episodic():
    """gamma = 1: two live states and an end, in fractions; every live state can go on and can end."""
    P = [[[F(1, 4), F(1, 2), F(1, 4)], [0, F(2, 3), F(1, 3)]], [[F(1, 2), 0, F(1, 2)], [F(1, 5), F(3, 5), F(1, 5)]],
         [[0, 0, 1], [0, 0, 1]]]
    return pg.MDP(P, [[1, 2], [3, F(-1, 2)], [0, 0]], 1, [F(1, 3), F(2, 3), 0])


# ---------------------------------------------------------------------------------- what holds


@pytest.mark.parametrize("slug", SLUGS)
@pytest.mark.parametrize("k", [1, 2, 4])
def test_every_step_is_an_exact_equality_on_the_running_example(slug, k):
    proof = prove(slug, k=k)
    assert proof.passed and proof.exact and not proof.skipped, str(proof)
    assert all(step.bound == 0 and step.lhs.dtype == object for step in proof.steps)
    assert all(step.error == 0 for step in proof.steps if step.relation == "=")


@pytest.mark.parametrize("slug", SLUGS)
@pytest.mark.parametrize("make", [episodic, lambda: pg.models.load("short-corridor", exact=True),
                                  lambda: pg.models.load("start-matters", exact=True)],
                         ids=["episodic", "short-corridor", "start-matters"])
def test_every_step_is_exact_on_other_models_with_and_without_discount(slug, make):
    assert prove(slug, make()).passed


def test_the_lecturers_call():
    proof = prove("unrolling", pg.models.load("two-rooms", exact=True), k=2)
    assert proof.passed and proof.exact and proof.k == 2


@pytest.mark.parametrize("slug", SLUGS)
def test_floats_pass_within_bounds_that_are_far_below_the_numbers(slug):
    proof = prove(slug, generic(), k=20)
    assert proof.passed and not proof.exact, str(proof)
    assert all(0 < step.bound < 1e-8 for step in proof.steps)


@pytest.mark.parametrize("slug", SLUGS)
def test_sparse_models_prove_what_their_dense_twins_prove(slug):
    dense = generic()
    P = scipy.sparse.csr_array(dense.P.reshape(-1, 4))
    R = scipy.sparse.csr_array(dense.R.reshape(-1, 4))
    one, other = prove(slug, dense), prove(slug, pg.MDP(P, R, dense.gamma, dense.rho))
    assert other.passed and [s.title for s in one.steps] == [s.title for s in other.steps]


@pytest.mark.parametrize("slug", SLUGS)
@pytest.mark.parametrize("policy, theta", [
    (pg.EscortPolicy(2, 2), [[F(1), F(2)], [F(3), F(-1)]]),
    (pg.DirectPolicy(2, 2), [[F(1, 3), F(2, 3)], [F(1, 4), F(3, 4)]]),
], ids=["escort", "direct"])
def test_every_parameterisation_has_its_proof_and_says_what_it_leaves_out(slug, policy, theta):
    proof = prove(slug, running_example(), policy, theta)
    assert proof.passed, str(proof)
    left_out = {title for title, _ in proof.skipped}
    expected = {"The softmax score"} | ({"The score has mean 0"} if isinstance(policy, pg.DirectPolicy) else set())
    assert left_out == (expected if slug == "score-function" else set())


class Kinked(pg.Policy):
    """A user's policy whose code is not analytic."""

    shape = (2,)

    def probabilities(self, theta):
        z = np.abs(theta[0]) + 0.5 + theta[1] ** 2
        return np.tile(np.array([z / (1 + z), 1 / (1 + z)]), (2, 1))


@pytest.mark.parametrize("slug", SLUGS)
def test_a_users_policy_is_proved_by_differences(slug):
    proof = prove(slug, floats(running_example()), Kinked(), [0.3, 0.2])
    assert proof.passed, str(proof)


def symbolic(names, numeric):
    """The running example's shape over a field of symbols; ``numeric`` keeps its P, R, gamma and rho."""
    from sympy import QQ
    from sympy.polys.fields import field

    K, *g = field(names, QQ)
    w = np.array(g[:4], dtype=object).reshape(2, 2)
    if numeric:
        return running_example(), w
    p, r, gamma, x = g[4:8], g[8:12], g[12], g[13]
    P = np.array([[[p[0], 1 - p[0]], [p[1], 1 - p[1]]], [[p[2], 1 - p[2]], [p[3], 1 - p[3]]]], dtype=object)
    return pg.MDP(P, np.array(r, dtype=object).reshape(2, 2), gamma, np.array([x, 1 - x], dtype=object)), w


@pytest.mark.parametrize("slug", SLUGS)
def test_with_symbolic_weights_the_equalities_hold_for_every_softmax_policy(slug):
    mdp, w = symbolic("w:4", numeric=True)
    proof = prove(slug, mdp, pg.SoftmaxPolicy(2, 2, weights=True), w, k=2)
    assert proof.passed and proof.exact
    assert all(step.relation == "=" for step in proof.steps)
    assert {reason for _, reason in proof.skipped} <= {"symbols have no order"}


@pytest.mark.long
@pytest.mark.parametrize("slug", SLUGS)
def test_the_proofs_hold_for_the_general_model_of_two_states_and_two_actions(slug):
    mdp, w = symbolic("w:4,p:4,r:4,g,x", numeric=False)
    assert prove(slug, mdp, pg.SoftmaxPolicy(2, 2, weights=True), w, k=1).passed


# ---------------------------------------------------------------------------------- known numbers


def test_the_running_example_has_the_numbers_worked_out_by_hand():
    """I - P_pi/2 = [[5/6, -1/3], [-5/18, 7/9]], determinant 5/9; r_pi = (1, 5/3)."""
    setting = instance()
    assert setting.r_pi.tolist() == [1, F(5, 3)]
    assert setting.solution.V.tolist() == [F(12, 5), 3]
    assert setting.solution.Q.tolist() == [[F(37, 20), F(107, 40)], [F(17, 5), F(11, 5)]]
    assert setting.solution.d.tolist() == [F(47, 40), F(33, 40)]
    assert F(51, 20) == setting.solution.J
    assert setting.grad("J").value.tolist() == [F(-517, 2400), F(517, 2400), F(11, 50), F(-11, 50)]


def test_walks_of_one_step_are_the_actions_and_their_outcomes():
    setting = instance(k=1)
    assert [len(walks) for walks in setting.walks] == [2, 7]   # P[1, 1, 1] = 0 takes one of the eight away
    assert sum(p for s, _, p, _ in setting.walks[1] if s == 0) == 1
    assert setting.walked_values().value[1].tolist() == [1, F(5, 3)]


def test_walks_stop_where_there_are_too_many():
    setting = instance(generic(S=6, A=4), k=9)
    assert 2 <= len(setting.walks) < 10
    assert prove("unrolling", generic(S=6, A=4), k=9).passed


def test_pair_values_agree_with_the_bellman_equation_on_the_way_off_the_simplex():
    setting = instance()
    pi = np.array([[F(1, 2), F(1)], [F(1, 3), F(1, 5)]], dtype=object)
    Q = setting.pair_values(pi)
    V = (pi * Q).sum(axis=1)
    assert (setting.r + (setting.P @ V) * setting.gamma == Q).all()


@pytest.mark.parametrize("M, expected", [([[F(2)]], 2), ([[0, 1], [1, 0]], -1), ([[2, 0, 1], [1, 3, 2], [1, 1, 1]], 0)])
def test_determinants(M, expected):
    assert determinant(np.array(M, dtype=object)) == expected


# ---------------------------------------------------------------------------------- altered formulas fail


def half(setting):
    return setting.number(1) / 2


def stationary(setting):
    """Any vector that P_pi leaves alone, scaled to sum to 1 / (1 - gamma)."""
    law = setting.P_pi[0]
    for _ in range(64):
        law = law @ setting.P_pi
    return law / (setting.number(1) - setting.gamma)


def source_times(setting, weights):
    return weights @ setting.source


def late(setting):
    """The remainder discounted once more."""
    return setting.remainder(setting.k) * setting.gamma


def one_more_laws(setting):
    n = len(setting.walks)
    return setting.state_laws(n)[1:]


def transposed_laws(setting):
    return np.swapaxes(setting.state_laws(len(setting.walks) - 1), 1, 2)


def undiscounted_values(it):
    terms = it.state_laws(len(it.walks) - 1)[:-1] @ it.r_pi
    return np.concatenate([it.arithmetic.zeros((1, it.S)), np.cumsum(terms, axis=0)])


def rows_for_columns(it):
    """Cramer's rule with row s replaced."""
    out = it.arithmetic.zeros(it.S)
    for s in range(it.S):
        M = it.power(0) - it.step_matrix
        M[s] = it.r_pi
        out[s] = determinant(M)
    return out


def tighter(it):
    """The bound of the remainder with one gamma too many."""
    return np.broadcast_to(abs(it.grad("V").value).max(axis=0) * it.contraction() * it.gamma, it.grad("V").value.shape)


def tighter_start(it):
    return abs(it.grad("V").value).max(axis=0) * it.contraction() * it.gamma


def substitution_without_gamma(t):
    return lambda it: ((it.state_laws(t)[t] @ it.source) * it.discounts(t + 1)[t]
                       + (it.state_laws(t + 1)[t + 1] @ it.grad("V").value) * it.discounts(t + 1)[t])


def substitution_of_one_law(t):
    return lambda it: (it.state_laws(t)[t] @ (it.source + it.grad("V").value * it.gamma)) * it.discounts(t + 1)[t]


def score(it):
    return it.problem.along(it.problem.policy.score(it.problem.theta))


def units(it):
    return it.power(0)[:, None, :, None] * np.array([[1, 0], [0, 1]], dtype=it.pi.dtype)[None, :, None, :]


def indicator(it):
    return units(it).reshape(2, 2, 4)


SHARED = {"State laws by walking": [one_more_laws, transposed_laws]}

ALTERED = {
    "bellman": {
        "Expected reward by walking": [undiscounted_values, lambda it: it.partial_values(len(it.walks) - 1)[:, ::-1]],
        "The first step splits off": [
            lambda it: it.r_pi + it.P_pi @ it.partial_values(it.k - 1)[-1],
            lambda it: it.r_pi + (it.P_pi @ it.partial_values(it.k)[-1]) * it.gamma,
            lambda it: (it.r + (it.P @ it.partial_values(it.k - 1)[-1]) * it.gamma).sum(axis=1) / it.A],
        "What the first k steps leave out": [
            lambda it: it.state_laws(it.k)[-1] @ it.solution.V,
            lambda it: (it.state_laws(it.k)[-1] @ it.solution.V) * it.discounts(it.k + 2)[-1],
            lambda it: it.solution.V * it.discounts(it.k + 1)[-1]],
        "The sums converge": [lambda it: it.filled(it.S, 1) * (abs(it.solution.V).max() * it.discounts(it.k + 2)[-1])],
        "V from Q": [lambda it: it.Q_of_pairs.value.max(axis=1), lambda it: it.Q_of_pairs.value.sum(axis=1) / it.A],
        "Q from V": [lambda it: it.r + it.P @ it.solution.V,
                     lambda it: it.r + (it.solution.V * it.gamma)[:, None]],
        "No other solution": [lambda it: it.power(0) * it.gamma, lambda it: it.power(1)],
    },
    "recursion": {
        "V is a rational function of pi (Cramer)": [rows_for_columns],
        "Differentiate the Bellman equation": [lambda it: it.source, lambda it: (it.grad("Q").value).sum(axis=1)],
        "Product rule": [
            lambda it: (it.jacobian * it.Q_of_pairs.value[:, :, None]).sum(axis=1),
            lambda it: (it.grad("Q").value * it.pi[:, :, None]).sum(axis=1),
            lambda it: (it.jacobian * it.Q_of_pairs.value[:, :, None] + it.grad("Q").value).sum(axis=1)],
        "Differentiate Q": [lambda it: it.P @ it.grad("V").value,
                            lambda it: (it.P * 0 + it.P_pi[:, None]) @ it.grad("V").value * it.gamma],
        "The recursion": [lambda it: it.source + it.P_pi @ it.grad("V").value,
                          lambda it: (it.P_pi @ it.grad("V").value) * it.gamma,
                          lambda it: it.source + (it.P_pi.T @ it.grad("V").value) * it.gamma],
        "The recursion, solved": [lambda it: it.solution.resolvent(it.source, transpose=True),
                                  lambda it: it.source / (it.number(1) - it.gamma)],
    },
    "unrolling": {
        **SHARED,
        "One more step (Chapman-Kolmogorov)": [lambda it: it.state_laws(it.k)[-1], lambda it: it.state_laws(it.k + 1)[-1].T],
        "Substitution 1: the remainder after 0 steps": [substitution_without_gamma(0), substitution_of_one_law(0)],
        "Substitution 2: the remainder after 1 step": [substitution_without_gamma(1), substitution_of_one_law(1)],
        "Substitution 3: the remainder after 2 steps": [substitution_without_gamma(2), substitution_of_one_law(2)],
        "Unrolled k times": [
            lambda it: sum(unrolling_claim.terms(it.problem, it.k)),
            lambda it: sum(unrolling_claim.terms(it.problem, it.k + 1)) + it.remainder(it.k),
            lambda it: sum(unrolling_claim.terms(it.problem, it.k)) + late(it)],
        "The remainder vanishes": [tighter],
    },
    "occupancy": {
        **SHARED,
        "Each law is a distribution": [lambda it: it.state_laws(it.k).sum(axis=1)],
        "What the first k terms leave out": [
            lambda it: it.start @ it.power(it.k + 1) @ it.solution.resolvent(it.power(0)),
            lambda it: it.solution.resolvent(it.power(0)) @ it.power(it.k) @ it.start],
        "The series converges": [lambda it: it.discounts(it.k + 1)[-1:],
                                 lambda it: it.discounts(it.k + 2)[-1:] / (it.number(1) - it.gamma)],
        "Flow": [lambda it: it.solution.mdp.rho + (it.P_pi @ it.solution.d) * it.gamma,
                 lambda it: it.solution.mdp.rho + it.P_pi.T @ it.solution.d,
                 lambda it: (it.P_pi.T @ it.solution.d) * it.gamma],
        "The sum of d": [lambda it: it.filled(1, 1), lambda it: it.filled(1, 1) / (it.number(1) - it.gamma * it.gamma)],
        "D is not negative": [lambda it: it.solution.D - half(it), lambda it: -it.solution.D],
        "D sums to 1": [lambda it: it.solution.d.sum(keepdims=True)],
        "D is the law at a geometric time": [
            lambda it: it.solution.mdp.rho + (it.solution.D @ it.P_pi) * it.gamma,
            lambda it: it.solution.D @ it.P_pi],
        "Visits weigh rewards": [lambda it: (it.solution.D * it.r_pi).sum(keepdims=True),
                                 lambda it: (stationary(it) * it.r_pi).sum(keepdims=True)],
    },
    "stochastic": {
        "From J to V": [lambda it: it.grad("V").value.sum(axis=0) / it.S, lambda it: it.grad("V").value[0]],
        "Unroll k times": [
            lambda it: source_times(it, partial_visits(it, it.k)),
            lambda it: source_times(it, partial_visits(it, it.k)) + it.solution.mdp.rho @ late(it)],
        "Exchange the sums": [
            lambda it: source_times(it, (it.solution.mdp.rho @ it.state_laws(it.k)[:it.k]).sum(axis=0)),
            lambda it: source_times(it, partial_visits(it, it.k + 1))],
        "What the first k terms leave out": [lambda it: it.solution.mdp.rho @ late(it),
                                             lambda it: it.remainder(it.k).sum(axis=0) / it.S],
        "The remainder vanishes": [tighter_start],
        "The theorem with d": [lambda it: source_times(it, it.solution.D), lambda it: source_times(it, stationary(it)),
                               lambda it: source_times(it, it.solution.resolvent(it.solution.mdp.rho))],
        "Normalise": [lambda it: source_times(it, it.solution.D),
                      lambda it: source_times(it, it.solution.d) / (it.number(1) - it.gamma)],
        "The derivative of the logarithm": [score],
        "The log form": [lambda it: (score(it) * it.solution.Q[:, :, None] * it.solution.d[:, None, None]).sum(axis=(0, 1)),
                         lambda it: (score(it) * (it.pi * it.solution.Q)[:, :, None]).sum(axis=(0, 1))],
    },
    "score-function": {
        "The derivative of the probabilities": [score, lambda it: indicator(it) * it.pi[:, :, None]],
        "The derivative of the logarithm": [lambda it: score(it) / it.pi[:, :, None], lambda it: -score(it)],
        "The log-derivative identity": [lambda it: score(it) / it.pi[:, :, None], score],
        "The score has mean 0": [lambda it: score(it).sum(axis=1)],
        "Ratios of a softmax": [
            lambda it: (indicator(it) + indicator(it)[:, :1]) * (it.pi / it.pi[:, :1])[:, :, None],
            lambda it: indicator(it) - indicator(it)[:, :1]],
        "The softmax score": [lambda it: indicator(it) - it.pi[:, :, None],
                              lambda it: indicator(it) - it.pi.reshape(1, 1, 4)],
    },
}


def lines_of(slug, setting):
    return {line.title: line for line in DERIVATIONS[slug].lines(setting)}


@pytest.mark.parametrize("slug", SLUGS)
def test_every_step_has_a_formula_that_is_altered_below(slug):
    assert set(ALTERED[slug]) == set(lines_of(slug, instance(k=3)))


@pytest.mark.parametrize("make", [running_example, lambda: floats(running_example())], ids=["fractions", "floats"])
@pytest.mark.parametrize("slug, title", [(slug, title) for slug in SLUGS for title in ALTERED[slug]])
def test_every_step_fails_when_its_formula_is_altered(slug, title, make):
    setting = instance(make(), k=3)
    if title not in lines_of(slug, setting):
        assert not setting.exact and "Cramer" in title
        return
    line = lines_of(slug, setting)[title]
    assert check(line, setting).verdict == "PASS"
    for altered in ALTERED[slug][title]:
        step = check(replace(line, right=altered), setting)
        assert step.verdict == "FAIL" and not step.passed
        assert step.error > 0 or step.error != step.error


def ended(it, x):
    """x, shrunk more than the mass under way shrinks."""
    return x * it.contraction() ** 4


AT_GAMMA_1 = [
    ("occupancy", "The series converges", lambda it: ended(it, it.solution.d.sum(keepdims=True))),
    ("occupancy", "Flow", lambda it: (it.P_pi.T @ it.solution.d)[it.alive]),
    ("occupancy", "The sum of d is the mean episode length", lambda it: it.filled(1, 1)),
    ("occupancy", "Visits weigh rewards", lambda it: (it.problem.rho * it.r_pi).sum(keepdims=True)),
    ("bellman", "The sums converge", lambda it: ended(it, it.filled(it.S, 1) * max(abs(it.solution.V)))),
    ("unrolling", "The remainder vanishes", lambda it: ended(it, abs(it.grad("V").value) * 0 + abs(it.grad("V").value).max(axis=0))),
    ("stochastic", "The remainder vanishes", lambda it: ended(it, abs(it.grad("V").value).max(axis=0))),
]


@pytest.mark.parametrize("slug, title, altered", AT_GAMMA_1, ids=[f"{slug}: {title}" for slug, title, _ in AT_GAMMA_1])
def test_the_steps_that_are_others_at_gamma_1_fail_when_altered(slug, title, altered):
    setting = instance(episodic(), k=3)
    line = lines_of(slug, setting)[title]
    assert check(line, setting).passed
    assert check(replace(line, right=altered), setting).verdict == "FAIL"


def test_every_other_step_fails_at_gamma_1_by_an_alteration_above():
    """But for the score, whose formulas above are written for two states and know no discount."""
    setting = instance(episodic(), k=3)
    for slug in SLUGS[:-1]:
        for title, line in lines_of(slug, setting).items():
            if not any((slug, title) == (one, other) for one, other, _ in AT_GAMMA_1):
                assert "FAIL" in [verdict_of(replace(line, right=altered), setting) for altered in ALTERED[slug][title]], (slug, title)


def verdict_of(line, setting):
    """The verdict; "" where the altered formula does not exist without discount."""
    try:
        return check(line, setting).verdict
    except (ZeroDivisionError, pg.PGTheoryError):
        return ""


def test_an_altered_formula_fails_for_symbols_too():
    mdp, w = symbolic("w:4", numeric=True)
    setting = instance(mdp, pg.SoftmaxPolicy(2, 2, weights=True), w, k=2)
    line = lines_of("recursion", setting)["The recursion"]
    step = check(replace(line, right=lambda it: it.source + it.P_pi @ it.grad("V").value), setting)
    assert step.verdict == "FAIL" and step.error != step.error


# ---------------------------------------------------------------------------------- faults in the library are seen


def failing(slug, *args, **kwargs):
    return {step.title for step in prove(slug, *args, **kwargs).steps if step.verdict == "FAIL"}


def test_a_transposed_transition_law_in_the_solve_is_seen(monkeypatch):
    right = arithmetic.ExactKernel.mix
    monkeypatch.setattr(arithmetic.ExactKernel, "system",
                        lambda self, pi, gamma: arithmetic.plus_identity(right(self, pi * -gamma).T.copy()))
    assert {"V from Q", "What the first k steps leave out"} <= failing("bellman")
    assert "Differentiate the Bellman equation" in failing("recursion")
    assert "Flow" in failing("occupancy") or "What the first k terms leave out" in failing("occupancy")


def test_a_wrong_theorem_side_is_seen_in_its_own_step_alone(monkeypatch):
    monkeypatch.setattr(stochastic_claim, "_weighting", lambda problem: (problem.solution.D, 1))
    assert failing("stochastic") == {"Normalise", "The log form"}


def test_a_wrong_score_formula_is_seen(monkeypatch):
    right = pg.SoftmaxPolicy.score
    monkeypatch.setattr(pg.SoftmaxPolicy, "score", lambda self, theta: right(self, theta) * 2)
    assert {"The derivative of the probabilities", "The log-derivative identity"} <= failing("score-function")
    assert "Product rule" in failing("recursion")


def test_a_wrong_unrolling_is_seen(monkeypatch):
    monkeypatch.setattr(unrolling_claim, "local_gradient", lambda problem: problem.along(
        problem.policy.state_pullback(problem.theta, problem.mdp.r)))
    assert failing("unrolling") == {"Unrolled k times"}


def test_bounds_too_wide_to_tell_are_inconclusive_and_not_passed():
    mdp = floats(running_example())
    proof = prove("recursion", pg.MDP(mdp.P, mdp.R, 1 - 1e-14, mdp.rho))
    assert not proof.passed
    assert {step.verdict for step in proof.steps} <= {"PASS", "INCONCLUSIVE"}
    assert "NOT PROVED" in str(proof)


def test_the_smallest_fraction_is_a_difference():
    setting = instance()
    line = lines_of("bellman", setting)["V from Q"]
    tiny = F(1, 10**400)
    step = check(replace(line, right=lambda it: it.solution.V + tiny), setting)
    assert step.verdict == "FAIL" and step.error > 0


# ---------------------------------------------------------------------------------- what is refused


def test_unknown_claims_name_what_is_close():
    with pytest.raises(pg.PGTheoryError, match="no theorem 'unroling': did you mean unrolling"):
        prove("unroling")


def test_a_users_claim_has_no_derivation():
    try:
        pg.theorem("without-derivation")(lambda mdp, policy, theta: (0, 0))
        with pytest.raises(pg.PGTheoryError, match="'without-derivation' has no derivation: there are bellman"):
            prove("without-derivation")
    finally:
        pg.theorems._known.pop("without-derivation", None)


@pytest.mark.parametrize("arguments, message", [
    ({"k": 0}, "k is 0: it must be at least 1"),
    ({"k": 2.5}, "k is 2.5: it must be an integer"),
    ({"k": 10**6}, "k is 1000000: .* at most 1000"),
    ({"model": "two-rooms"}, "prove needs an MDP, not str"),
    ({"policy": pg.SoftmaxPolicy(2, 2)}, "theta is missing"),
    ({"theta": [[1.0, 1.0], [1.0, 1.0]]}, "never silently rounded"),
    ({"theta": [[F(1), F(0)], [F(1), F(1)]]}, r"theta\[0, 1\] is 0: weights must be positive"),
])
def test_bad_arguments_are_refused_with_the_mend(arguments, message):
    with pytest.raises(pg.PGTheoryError, match=message):
        prove("unrolling", **arguments)


def test_a_model_that_cannot_be_written_out_is_refused_at_once():
    large = pg.MDP(np.broadcast_to(np.eye(300)[:, None], (300, 2, 300)), np.zeros((300, 2)), 0.9, 0)
    with pytest.raises(pg.PGTheoryError, match="too large to be written out step by step: use verify"):
        prove("bellman", large)


def test_a_score_where_some_probability_is_zero_is_undefined():
    with pytest.raises(pg.UndefinedError, match="score-function does not apply"):
        prove("score-function", running_example(), pg.DirectPolicy(2, 2), [[F(1), F(0)], [F(1, 2), F(1, 2)]])


def test_the_theorem_without_its_log_form_says_so():
    proof = prove("stochastic", running_example(), pg.DirectPolicy(2, 2), [[F(1), F(0)], [F(1, 2), F(1, 2)]])
    assert proof.passed
    assert ("The log form", "some pi(a|s) is 0, where the logarithm has no derivative") in proof.skipped


# ---------------------------------------------------------------------------------- how it shows


@pytest.mark.parametrize("slug", SLUGS)
@pytest.mark.parametrize("make", [running_example, generic, episodic])
def test_the_text_is_plain_and_80_columns_wide_with_a_verdict_for_every_step(slug, make):
    proof = prove(slug, make())
    text = str(proof)
    assert text.isascii() and max(map(len, text.splitlines())) <= 80
    assert sum(line.endswith(" PASS") for line in text.splitlines()) == len(proof.steps)
    assert "PASSED: all" in text


@pytest.mark.parametrize("slug", SLUGS)
@pytest.mark.parametrize("make", [running_example, generic, episodic])
def test_the_html_is_well_formed_and_every_formula_is_typeset(slug, make):
    proof = prove(slug, make())
    page = proof._repr_html_()
    root = ElementTree.fromstring(page)
    assert "\\" not in "".join(root.itertext()), "a formula fell back to its source"
    assert len(root.findall(".//h3")) == len(proof.steps)
    assert page.count('<span class="badge pass">') == len(proof.steps)


def test_a_failing_step_shows_its_worst_entry_and_is_counted():
    proof = prove("recursion")
    setting = instance()
    line = lines_of("recursion", setting)["The recursion"]
    bad = check(replace(line, right=lambda it: it.source + it.P_pi @ it.grad("V").value), setting, 5)
    shown = str(replace(proof, steps=(*proof.steps[:4], bad, *proof.steps[5:])))
    assert "s = 0, theta[1, 0]: 4/25 against 8/25" in shown
    assert "NOT PROVED: 5 of 6 steps hold on this instance; step 5 did not." in shown


def test_latex_has_one_row_a_step():
    proof = prove("unrolling", k=2)
    latex = proof._repr_latex_()
    assert latex.startswith("$$") and latex.endswith("$$")
    assert latex.count("PASS") == len(proof.steps)


# ---------------------------------------------------------------------------------- the command


def command(capsys, *arguments):
    from pgtheory.cli import main

    code = main(list(arguments))
    return code, *capsys.readouterr()


def test_the_command_prints_the_proof_and_exits_0(capsys):
    code, out, err = command(capsys, "prove", "unrolling", "--model", "start-matters", "-k", "2")
    assert code == 0 and not err
    assert out.strip() == str(prove("unrolling", pg.models.load("start-matters", exact=True), k=2))


def test_the_command_without_a_slug_proves_every_claim(capsys):
    code, out, _ = command(capsys, "prove")
    n = len(pg.theorems.builtin)
    assert code == 0 and out.endswith(f"PASSED: {n} of {n} claims hold step by step.\n")
    assert max(map(len, out.splitlines())) <= 80
    assert set(pg.theorems.builtin) == {*DERIVATIONS, *ON_ACTIONS, *ON_TRAJECTORIES}


def test_the_command_tells_which_claims_do_not_apply_to_the_model(capsys, tmp_path):
    """Without rewards there is no return to speak of; 6 claims about states and 2 about probabilities of trajectories stay."""
    pg.MDP(running_example().P, [[F(0), F(0)], [F(0), F(0)]], F(1, 2), 0).save(tmp_path / "nothing.json")
    code, out, err = command(capsys, "prove", "--model", str(tmp_path / "nothing.json"))
    assert code == 0 and not err and out.endswith("PASSED: 8 of 8 claims hold step by step.\n")
    assert "baseline: not proved here: baseline does not apply: no reward can be earned" in out


def test_the_command_exits_1_where_a_step_fails(capsys, monkeypatch):
    monkeypatch.setattr(stochastic_claim, "_weighting", lambda problem: (problem.solution.D, 1))
    code, out, _ = command(capsys, "prove", "stochastic")
    assert code == 1 and "NOT PROVED: 7 of 9 steps hold on this instance; steps 7, 9 did not." in out


@pytest.mark.parametrize("arguments, message", [
    (["stochastik"], "no theorem 'stochastik': did you mean stochastic"),
    (["unrolling", "--model", "two-room"], "no model 'two-room': did you mean two-rooms"),
    (["unrolling", "-k", "0"], "-k"),
])
def test_the_command_exits_2_on_bad_input_with_one_line(capsys, arguments, message):
    code, out, err = command(capsys, "prove", *arguments)
    assert code == 2 and not out and message in err and len(err.splitlines()) == 1
