"""V, d, D, J, Q at any action, its gradient and Hessian: against finite-action MDPs, closed forms and derivatives of Q."""

import numpy as np
import pytest

import pgtheory as pg
from pgtheory.models.continuous import noisy_target, random_continuous, thermostat


def finite(model, tables):
    """The MDP whose action j is tables[j] (S, k)."""
    P, R = (np.stack([f(actions) for actions in tables], axis=1) for f in (model.P, model.R))
    return pg.MDP(P, np.broadcast_to(R, P.shape), model.gamma, model.rho, normalize=True)


@pytest.mark.parametrize("seed", range(10))
def test_solution_is_that_of_the_finite_mdp_with_these_actions(seed):
    """An MDP that may choose between two tables of actions and takes the first: its V, d, J and both columns of Q."""
    rng = np.random.default_rng(seed)
    S, k = int(rng.integers(2, 9)), int(rng.integers(1, 4))
    model = random_continuous(S, k, rng, gamma=0.9)
    first, second = rng.normal(size=(2, S, k))
    solution = pg.solve(model, first)
    reference = pg.solve(finite(model, (first, second)), np.tile([1.0, 0.0], (S, 1)))
    for name in ("V", "d", "D", "J"):
        np.testing.assert_allclose(getattr(solution, name), getattr(reference, name), rtol=1e-12, atol=1e-13)
    Q = np.stack([solution.Q_at(first), solution.Q_at(second)], axis=1)
    np.testing.assert_allclose(Q, reference.Q, rtol=1e-12, atol=1e-12)


def test_value_is_Q_at_the_policys_action():
    solution = pg.solve(thermostat(), np.linspace(1, -1, 9)[:, None])
    np.testing.assert_allclose(solution.Q_at(solution.actions), solution.V, rtol=1e-13)
    assert np.abs(solution.Q_at(solution.actions + 0.1) - solution.V).max() > 1e-3


def test_batch_is_one_by_one():
    model, actions = noisy_target(), np.random.default_rng(1).normal(size=(4, 3, 11, 2))
    batch = pg.solve(model, actions)
    assert batch.V.shape == (4, 3, 11) and batch.J.shape == (4, 3)
    for index in np.ndindex(4, 3):
        one = pg.solve(model, actions[index])
        for name in ("V", "d", "D", "J"):
            np.testing.assert_allclose(getattr(batch, name)[index], getattr(one, name), rtol=1e-12)
    with pytest.raises(pg.PGTheoryError, match="batch"):
        batch.Q_at(actions[0, 0])


@pytest.mark.parametrize("supplied", [False, True])
def test_gradient_and_hessian_of_Q_are_its_derivatives(supplied):
    """grad_a Q by the complex step of Q_at; the Hessian by second differences of Q_at, at actions that are not mu(s)."""
    model = random_continuous(5, 3, rng=8, supplied=supplied)
    rng = np.random.default_rng(9)
    solution, elsewhere = pg.solve(model, rng.normal(size=(5, 3))), rng.normal(size=(5, 3))
    gradient, hessian = solution.grad_Q_at(elsewhere), solution.hessian_Q_at(elsewhere)
    h = 1e-30
    for j, e in enumerate(np.eye(3)):
        np.testing.assert_allclose(solution.Q_at(elsewhere + 1j * h * e).imag / h, gradient[:, j], rtol=1e-12, atol=1e-12)
    h = 1e-4    # second differences: truncation h^2 |D4 Q| / 12 about 1e-7, rounding 4 eps |Q| / h^2 about 1e-6
    for i, e in enumerate(np.eye(3)):
        for j, f in enumerate(np.eye(3)):
            corners = [solution.Q_at(elsewhere + h * (x * e + y * f)) for x, y in ((1, 1), (1, -1), (-1, 1), (-1, -1))]
            second = (corners[0] - corners[1] - corners[2] + corners[3]) / (4 * h**2)
            np.testing.assert_allclose(second, hessian[:, i, j], atol=2e-5 * np.abs(hessian).max())
    assert solution.hessian_Q_error(elsewhere) < 1e-8 * np.abs(hessian).max()


def test_hessian_of_a_cubic_is_exact_to_its_reported_error():
    """One state, R = a^3 - a b^2: the Hessian is [[6a, -2b], [-2b, -2a]]."""
    model = pg.ContinuousActionMDP(lambda s, a: np.ones(1), lambda s, a: a[0] ** 3 - a[0] * a[1] ** 2, 0.5, [1.0], 2)
    solution = pg.solve(model, [[0.0, 0.0]])
    a, b = 0.7, -1.3
    error = np.abs(solution.hessian_Q_at([[a, b]])[0] - [[6 * a, -2 * b], [-2 * b, -2 * a]]).max()
    assert error <= solution.hessian_Q_error([[a, b]]) < 1e-9


def test_resolvent_comes_from_the_same_factorisation():
    solution = pg.solve(thermostat(), np.zeros((9, 1)))
    B = np.random.default_rng(0).normal(size=(9, 2, 3))
    M = np.eye(9) - 0.9 * solution.P_pi
    np.testing.assert_allclose(np.tensordot(M, solution.resolvent(B), axes=1), B, atol=1e-12)
    np.testing.assert_allclose(np.tensordot(M.T, solution.resolvent(B, transpose=True), axes=1), B, atol=1e-12)


def test_arrays_are_read_only():
    solution = pg.solve(thermostat(), np.zeros((9, 1)))
    for name in ("V", "d", "D", "P_pi", "r_pi", "actions", "grad_Q"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(solution, name)[0] = 0.0


# ------------------------------------------------------------------------------------------------------- gamma = 1


def walk(stay=lambda a: 0.0 * a):
    """0 - 1 - end: 0 and 1 step towards the end with probability cos^2 a, else to 0; the end is left with ``stay(a)``."""
    def P(s, a):
        up = np.cos(a[0]) ** 2
        back = stay(a[0])
        return [np.array([1 - up, up, 0 * up]), np.array([1 - up, 0 * up, up]), np.array([back, 0 * up, 1 - back])][s]
    return pg.ContinuousActionMDP(P, lambda s, a: 0.0 if s == 2 else -1.0 - a[0] ** 2, 1, [1.0, 0.0, 0.0])


def test_undiscounted_episodes_have_their_closed_form():
    """With p = cos^2 a in both states V(1) = -c + (1-p) V(0) and V(0) = -c/p + V(1), so V(0) = -c (1 + p) / p^2."""
    a = 0.6
    p, c = np.cos(a) ** 2, 1 + a**2
    solution = pg.solve(walk(), np.full((3, 1), a))
    np.testing.assert_allclose(solution.V[0], -c * (1 + p) / p**2, rtol=1e-13)
    assert solution.V[2] == 0 and solution.d[2] == 0
    np.testing.assert_allclose(solution.d.sum(), (1 + p) / p**2, rtol=1e-13)
    with pytest.raises(pg.UndefinedError, match="gamma = 1"):
        solution.D   # noqa: B018
    gradient = pg.policy_gradient(walk(), pg.DeterministicPolicy(np.ones((3, 1))), [[a]])
    slope = -np.sin(2 * a)   # dp/da
    expected = -2 * a * (1 + p) / p**2 - c * slope * (1 / p**2 - 2 * (1 + p) / p**3)
    np.testing.assert_allclose(gradient, [[expected]], rtol=1e-12)


def test_a_state_that_rests_at_one_action_only_is_not_terminal():
    """The end is left with probability sin^2(a)/2, which is 0 at a = 0: no gradient exists there, and none is given."""
    model = walk(stay=lambda a: np.sin(a) ** 2 / 2)
    with pytest.raises(pg.UndefinedError, match="state 0 reaches no terminal state"):
        pg.solve(model, np.zeros((3, 1)))


def test_episodes_that_never_end_are_refused():
    endless = pg.ContinuousActionMDP(lambda s, a: np.array([0.5, 0.5]), lambda s, a: a[0], 1, [1.0, 0.0])
    with pytest.raises(pg.UndefinedError, match="state 0 reaches no terminal state"):
        pg.solve(endless, np.ones((2, 1)))
