"""Certified errors on continuous actions: they hold the exact answer of the same floats, and are worth having."""

from fractions import Fraction as F  # noqa: N817

import numpy as np
import pytest

import pgtheory as pg
from pgtheory.continuous.bounds import gradient_bound
from pgtheory.continuous.slopes import slopes
from pgtheory.models.continuous import random_continuous, thermostat
from pgtheory.problems.continuous import problem_of


def exactly(x):
    """The very floats, as Fractions."""
    return np.array([F(float(y)) for y in np.ravel(x)], dtype=object).reshape(np.shape(x))


def exact_answers(model, policy, theta):
    """V, d, J and the gradient of the floats that the model's functions return, in Fractions, by elimination of the test's own."""
    actions = policy.actions(theta)
    (P, R), (dP, dR) = model.law(actions), (x.array for x in slopes(model, actions))
    P, R, dP, dR, rho, gamma = *map(exactly, (P, np.broadcast_to(R, P.shape), dP, dR, model.rho)), F(model.gamma)
    S = len(P)
    M = np.array([[F(int(i == j)) for j in range(S)] for i in range(S)], dtype=object) - gamma * P
    V, d = eliminated(M, (P * R).sum(axis=1)), eliminated(M.T, rho)
    grad_Q = (dP * (R + gamma * V)[..., None]).sum(axis=1) + (dR * P[..., None]).sum(axis=1)
    gradient = np.tensordot(d[:, None] * grad_Q, exactly(policy.jacobian(theta)), axes=2)
    return {"V": V, "Q": V, "d": d, "D": d * (1 - gamma), "J": rho @ V}, gradient


def eliminated(M, r):
    M, r = M.copy(), np.array(r, dtype=object)
    for i in range(len(r)):
        for j in range(i + 1, len(r)):
            c = M[j, i] / M[i, i]
            M[j], r[j] = M[j] - c * M[i], r[j] - c * r[i]
    for i in reversed(range(len(r))):
        r[i] = (r[i] - (M[i, i + 1:] * r[i + 1:]).sum()) / M[i, i]
    return r


@pytest.mark.parametrize("seed", range(8))
def test_bounds_hold_the_exact_answer_and_are_near_rounding(seed):
    rng = np.random.default_rng(seed)
    S, k, gamma = int(rng.integers(1, 7)), int(rng.integers(1, 4)), float(rng.choice([0.0, 0.5, 0.9, 0.999]))
    model, policy = random_continuous(S, k, rng, gamma=gamma), pg.DeterministicPolicy(rng.normal(size=(S, 2)))
    theta = rng.normal(size=(2, k)) / 2
    solution, gradient = pg.solve(model, policy.actions(theta)), pg.policy_gradient(model, policy, theta)
    exact, exact_gradient = exact_answers(model, policy, theta)
    computed = {"V": solution.V, "Q": solution.Q_at(solution.actions), "d": solution.d, "D": solution.D, "J": solution.J}
    for name, bound in solution.error_bounds.items():
        error = max(abs(x - y) for x, y in zip(np.ravel(exactly(computed[name])), np.ravel(exact[name]), strict=True))
        assert error <= bound < 1e-11 / (1 - gamma), name
    bound = gradient_bound(solution, policy, theta, gradient)
    error = max(abs(x - y) for x, y in zip(np.ravel(exactly(gradient)), np.ravel(exact_gradient), strict=True))
    assert error <= bound < 1e-10 / (1 - gamma)
    assert gradient_bound(solution, policy, theta, gradient + 1e-6) >= 0.9e-6      # it does not excuse a wrong one


def test_undiscounted_episodes_are_bounded_without_D():
    model = pg.ContinuousActionMDP(lambda s, x: np.array([0.5, 0.5]) if s == 0 else np.array([0.0, 1.0]),
                                   lambda s, x: (1 - s) * np.cos(x[0]), 1, [1.0, 0.0])
    bounds = pg.solve(model, [[0.3], [0.1]]).error_bounds
    assert set(bounds) == {"V", "Q", "d", "J"} and max(bounds.values()) < 1e-14
    with pytest.raises(pg.UndefinedError, match="gamma = 1"):
        pg.solve(model, [[0.3], [0.1]]).D   # noqa: B018


def test_fractions_have_no_error_and_batches_no_bounds():
    model = pg.ContinuousActionMDP(lambda s, x: np.array([F(1)]), lambda s, x: x, F(1, 2), [F(1)])
    assert set(pg.solve(model, [[F(1, 3)]]).error_bounds.values()) == {0}
    with pytest.raises(pg.PGTheoryError, match="not a batch"):
        pg.solve(thermostat(3), np.zeros((2, 3, 1))).error_bounds   # noqa: B018


def test_verify_uses_the_certified_bounds():
    """Both sides by linear algebra: bounds hundreds of times below those of the a-priori analysis."""
    problem = problem_of(thermostat(), pg.DeterministicPolicy(np.eye(9)), np.zeros((9, 1)))
    assert problem.certified("V") < 1e-2 * problem.unit * problem.value_scale
    assert problem.certified_gradient(np.asarray(pg.policy_gradient(problem.mdp, problem.policy, problem.theta))) < 1e-13
    report = pg.verify(problem.mdp, problem.policy, problem.theta, samples=0)
    notes = {c.note for c in report.checks if c.route == "linear-algebra" and c.theorem == "deterministic-bellman"}
    assert report.passed and notes == {"certified from residuals"}


def test_random_directions_keep_the_certificate():
    problem = problem_of(thermostat(), pg.DeterministicPolicy(np.eye(9)), np.zeros((9, 1)), complete=False)
    gradient = np.asarray(pg.policy_gradient(problem.mdp, problem.policy, problem.theta))
    assert not problem.complete and 0 < problem.certified_gradient(gradient) < 1e-12
