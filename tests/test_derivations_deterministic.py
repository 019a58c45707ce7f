"""The executed proofs about deterministic policies: every step holds where it should, and fails when its formula is altered."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction as F  # noqa: N817

import numpy as np
import pytest
import sympy

import pgtheory as pg
from pgtheory.derivations import ON_ACTIONS, prove
from pgtheory.derivations.instance import action_instance, running_actions
from pgtheory.derivations.line import check
from pgtheory.models.continuous import random_continuous

SLUGS = list(ON_ACTIONS)


def ending():
    """gamma = 1, in fractions: from both live states the end is reached with probability above 1/4, whatever the action."""
    a = sympy.Symbol("a")
    p = 1 / (1 + a**2) / 2
    model = pg.ContinuousActionMDP.from_sympy(
        [[p, sympy.Rational(1, 4), sympy.Rational(3, 4) - p], [sympy.Rational(1, 4), p, sympy.Rational(3, 4) - p], [0, 0, 1]],
        [[a, 1, 2], [0, a**2, 1], [0, 0, 0]], a, F(1), [F(1, 3), F(2, 3), F(0)])
    return model, pg.DeterministicPolicy([[1, 0], [1, 1], [0, 0]]), [[F(1)], [F(-1, 2)]]


@pytest.mark.parametrize("slug", SLUGS)
@pytest.mark.parametrize("k", [1, 2, 4])
def test_every_step_is_an_exact_equality_on_the_running_example(slug, k):
    proof = prove(slug, k=k)
    assert proof.passed and proof.exact and not proof.skipped, str(proof)
    assert all(step.bound == 0 and step.lhs.dtype == object for step in proof.steps)


@pytest.mark.parametrize("slug", SLUGS)
def test_every_step_is_exact_without_discount(slug):
    proof = prove(slug, *ending())
    assert proof.passed and proof.exact, str(proof)


@pytest.mark.parametrize("slug", SLUGS)
def test_with_symbolic_parameters_the_equalities_hold_for_every_policy(slug):
    model, policy, _ = running_actions()
    x, y = sympy.symbols("x y")
    proof = prove(slug, model, policy, np.array([[x], [y]]), k=2)
    assert proof.passed and proof.exact and all(step.relation == "=" for step in proof.steps)
    assert {reason for _, reason in proof.skipped} <= {"symbols have no order"}


@pytest.mark.parametrize("slug", SLUGS)
def test_floats_pass_within_bounds_that_are_far_below_the_numbers(slug):
    for model in (random_continuous(4, 2, 1), pg.models.load("thermostat")):
        proof = prove(slug, model, k=20)
        assert proof.passed and not proof.exact, str(proof)
        assert all(0 < step.bound < 1e-8 for step in proof.steps)


class Kinked(pg.DeterministicPolicy):
    """A user's policy whose code is not analytic."""

    shape = (2,)

    def actions(self, theta):
        return np.abs(theta)[:, None] * np.ones((2, 2))


@pytest.mark.parametrize("slug", SLUGS)
def test_a_users_policy_is_proved_by_differences(slug):
    assert prove(slug, random_continuous(2, 2, 1), Kinked(), [0.3, 0.2]).passed


def beside(it):
    """phi with the gradient of Q at another action."""
    slope = it.solution.grad_Q_at(it.solution.actions + it.number(1))
    return (it.jacobian * slope[:, :, None]).sum(axis=1)


def chained_law(it):
    return (it.action_slopes[0][..., None] * it.jacobian[:, None]).sum(axis=2)


def chained_reward(it):
    return (it.action_slopes[1][..., None] * it.jacobian).sum(axis=1)


def without_gamma(t):
    return lambda it: ((it.state_laws(t)[t] @ it.source) * it.discounts(t + 1)[t]
                       + (it.state_laws(t + 1)[t + 1] @ it.grad("V").value) * it.discounts(t + 1)[t])


def tighter(it):
    return np.broadcast_to(abs(it.grad("V").value).max(axis=0) * it.contraction() * it.gamma**4, it.grad("V").value.shape)


ALTERED = {
    "deterministic-bellman": {
        "Expected reward by walking": [lambda it: it.partial_values(len(it.walks) - 1)[:, ::-1]],
        "The first step splits off": [lambda it: it.r_pi + it.P_pi @ it.partial_values(it.k - 1)[-1]],
        "What the first k steps leave out": [lambda it: it.state_laws(it.k)[-1] @ it.solution.V],
        "The sums converge": [lambda it: it.filled(it.S, 1) * (abs(it.solution.V).max() * it.contraction() ** 3)],
        "V is Q at the action of mu": [lambda it: it.solution.Q_at(it.solution.actions + it.number(1))],
        "Q spelled out": [lambda it: it.r_pi + it.P_pi @ it.solution.V, lambda it: it.r_pi],
        "No other solution": [lambda it: it.power(1)],
    },
    "deterministic-recursion": {
        "V is a rational function of the law at mu (Cramer)": [lambda it: it.solution.V],
        "Differentiate the Bellman equation": [lambda it: it.source, lambda it: it.grad("r").value],
        "Product rule": [lambda it: it.grad("r").value + (it.P_pi @ it.grad("V").value) * it.gamma,
                         lambda it: it.grad("V").value * it.gamma],
        "Chain rule for the law": [lambda it: chained_law(it) * it.gamma, lambda it: chained_law(it).swapaxes(0, 1)],
        "Chain rule for the reward": [lambda it: chained_reward(it) * it.gamma, lambda it: it.source],
        "Collect the gradient of Q in the action": [beside, chained_reward],
        "The recursion": [lambda it: it.source + it.P_pi @ it.grad("V").value,
                          lambda it: beside(it) + (it.P_pi @ it.grad("V").value) * it.gamma],
        "The recursion, solved": [lambda it: it.solution.resolvent(beside(it)),
                                  lambda it: it.solution.resolvent(it.source, transpose=True)],
    },
    "deterministic-unrolling": {
        "State laws by walking": [lambda it: it.state_laws(len(it.walks) - 1).swapaxes(1, 2)],
        "One more step (Chapman-Kolmogorov)": [lambda it: it.state_laws(it.k)[-1]],
        "Substitution 1: the remainder after 0 steps": [without_gamma(0)],
        "Substitution 2: the remainder after 1 step": [without_gamma(1)],
        "Substitution 3: the remainder after 2 steps": [without_gamma(2)],
        "Unrolled k times": [lambda it: it.grad("V").value - it.remainder(it.k)],
        "The remainder vanishes": [tighter],
    },
    "deterministic": {
        "From J to V": [lambda it: it.solution.D @ it.grad("V").value],
        "Unroll k times": [lambda it: it.problem.rho @ it.remainder(it.k)],
        "Exchange the sums": [lambda it: it.solution.d @ it.source],
        "What the first k terms leave out": [lambda it: it.problem.rho @ it.remainder(it.k + 1)],
        "The remainder vanishes": [lambda it: tighter(it)[0]],
        "The theorem with d": [lambda it: it.solution.D @ it.source, lambda it: it.solution.d @ beside(it),
                               lambda it: it.solution.d @ chained_reward(it)],
        "Normalise": [lambda it: it.solution.D @ it.source],
    },
}


def lines_of(slug, setting):
    return {line.title: line for line in ON_ACTIONS[slug].lines(setting)}


@pytest.mark.parametrize("slug", SLUGS)
def test_every_step_has_a_formula_that_is_altered_below(slug):
    assert set(ALTERED[slug]) == set(lines_of(slug, action_instance(k=3)))


@pytest.mark.parametrize("model", [None, random_continuous(3, 2, 4, gamma=0.5)], ids=["fractions", "floats"])
@pytest.mark.parametrize("slug, title", [(slug, title) for slug in SLUGS for title in ALTERED[slug]])
def test_every_step_fails_when_its_formula_is_altered(slug, title, model):
    setting = action_instance(model, k=3)
    if title not in lines_of(slug, setting):
        assert not setting.exact and "Cramer" in title
        return
    line = lines_of(slug, setting)[title]
    assert check(line, setting).verdict == "PASS"
    for altered in ALTERED[slug][title]:
        assert check(replace(line, right=altered), setting).verdict == "FAIL"


def test_what_the_claims_are_not_about_is_refused():
    with pytest.raises(pg.PGTheoryError, match="needs a ContinuousActionMDP, not MDP"):
        prove("deterministic", pg.models.load("start-matters"))
    with pytest.raises(pg.PGTheoryError, match="needs an MDP, not ContinuousActionMDP"):
        prove("stochastic", pg.models.load("thermostat"))
    with pytest.raises(pg.PGTheoryError, match="deterministic policies: prove needs one, not GaussianPolicy"):
        prove("deterministic", pg.models.load("thermostat", n_states=2), pg.GaussianPolicy(np.eye(2), 0.3), [[0.0], [0.1]])
    with pytest.raises(pg.PGTheoryError, match="theta is missing"):
        prove("deterministic", pg.models.load("thermostat", n_states=3), pg.DeterministicPolicy(np.ones((3, 1))))
    with pytest.raises(pg.PGTheoryError, match="too large to be written out"):
        prove("deterministic", random_continuous(90, 3, 1))


def test_the_command_line_proves_what_is_made_for_the_model(capsys):
    from pgtheory.cli import main

    assert main(["prove", "--model", "random-continuous"]) == 0
    assert "PASSED: 4 of 4 claims hold step by step" in capsys.readouterr().out
