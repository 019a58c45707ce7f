"""The solution against what does not solve: time series by matrix powers, closed forms, exact arithmetic, duality."""

import warnings
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

import pgtheory as pg
from pgtheory import strategies
from pgtheory.arithmetic import DenseFactorization
from pgtheory.chain import reaches
from pgtheory.differentiate import exact_derivative, unit_directions
from pgtheory.problems.finite import Problem
from pgtheory.solution import evaluate

EPS = np.finfo(float).eps


def generated(seed, S=5, A=3, gamma=0.8):
    """A model with sparse rows and a policy on it; nothing is symmetric, so that a transpose shows."""
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.full(S, 0.3), (S, A))
    mdp = pg.MDP(P, rng.normal(size=(S, A, S)), gamma, rng.dirichlet(np.ones(S)), normalize=True)
    return mdp, rng.dirichlet(np.ones(A), S)


def on_policy(mdp, pi):
    """P_pi and r_pi by plain sums over actions and successors."""
    P_pi = np.einsum("sa,sat->st", pi, mdp.P)
    R = mdp.R if mdp.R.ndim == 3 else np.broadcast_to(mdp.R.reshape(mdp.R.shape + (1,) * (3 - mdp.R.ndim)), mdp.P.shape)
    return P_pi, np.einsum("sa,sat,sat->s", pi, mdp.P, R)


def by_time(mdp, pi):
    """(V, d) as series over time, and the bounds on what was left out and lost to rounding.

    After T steps the rest of V is at most gamma^T max|r| / (1 - gamma), that of d at most gamma^T / (1 - gamma) in all.
    """
    P_pi, r_pi = on_policy(mdp, pi)
    V, d, forward, backward, t, weight = 0.0, 0.0, r_pi, mdp.rho, 0, 1.0
    while weight / (1 - mdp.gamma) > EPS:
        V, d = V + weight * forward, d + weight * backward
        forward, backward, weight, t = P_pi @ forward, backward @ P_pi, weight * mdp.gamma, t + 1
    size = 1 / (1 - mdp.gamma)
    rounding = (2 * mdp.n_states + 4 * t) * EPS * size**2 + weight * size
    return V, d, rounding * np.abs(r_pi).max() + 1e-300, rounding


def agrees_with_time(mdp, pi):
    V, d, V_bound, d_bound = by_time(mdp, pi)
    solution = pg.solve(mdp, pi)
    return bool(np.abs(solution.V - V).max() <= V_bound and np.abs(solution.d - d).max() <= d_bound)


# ------------------------------------------------------------------------------------------------------ time series


@pytest.mark.parametrize("gamma", [0.0, 1e-9, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("seed", range(10))
def test_V_and_d_are_the_sums_over_time(seed, gamma):
    assert agrees_with_time(*generated(seed, gamma=gamma))


@given(strategies.problems(gammas=st.floats(0.0, 0.95)))
def test_V_and_d_are_the_sums_over_time_on_hard_cases(problem):
    mdp, policy, theta = problem
    assert agrees_with_time(mdp, policy.probabilities(theta))


@pytest.mark.parametrize("seed", range(3))
def test_a_solve_with_the_transposed_system_is_caught_by_the_series(seed, monkeypatch):
    """Negative control: P transposed inside solve."""
    right = DenseFactorization.solve
    monkeypatch.setattr(DenseFactorization, "solve", lambda self, B, transpose=False: right(self, B, not transpose))
    assert not agrees_with_time(*generated(seed))


@pytest.mark.parametrize("seed", range(3))
def test_a_solve_with_another_discount_is_caught_by_the_series(seed):
    mdp, pi = generated(seed)
    V, *_, bound, _ = by_time(mdp, pi)
    nearly = pg.MDP(mdp.P, mdp.R, mdp.gamma + 1e-9, mdp.rho)
    assert np.abs(pg.solve(nearly, pi).V - V).max() > bound


# -------------------------------------------------------------------------------- exact identities on generated models


def exact_policy(data, mdp):
    policy = data.draw(strategies.policies(mdp.n_states, mdp.n_actions, exact=True))
    theta = data.draw(strategies.thetas(policy, exact=True))
    return policy, theta, policy.probabilities(theta)


@given(st.data())
def test_exact_solutions_satisfy_the_definitions_exactly(data):
    mdp = data.draw(strategies.mdps(exact=True, max_states=4))
    _, _, pi = exact_policy(data, mdp)
    solution = pg.solve(mdp, pi)
    gamma, S, A = mdp.gamma, mdp.n_states, mdp.n_actions
    for s in range(S):
        assert solution.V[s] == sum(pi[s, a] * solution.Q[s, a] for a in range(A))
        for a in range(A):
            assert solution.Q[s, a] == mdp.r[s, a] + gamma * sum(mdp.P[s, a, t] * solution.V[t] for t in range(S))
            assert solution.A[s, a] == solution.Q[s, a] - solution.V[s]
    P_pi = [[sum(pi[s, a] * mdp.P[s, a, t] for a in range(A)) for t in range(S)] for s in range(S)]
    for t in range(S):
        assert solution.d[t] == mdp.rho[t] + gamma * sum(solution.d[s] * P_pi[s][t] for s in range(S))
    assert solution.d.sum() == 1 / (1 - gamma) and solution.D.sum() == 1
    assert (solution.D >= 0).all()
    assert solution.J == (mdp.rho * solution.V).sum() == (solution.d * solution.r_pi).sum()
    assert solution.error_bounds["V"] == 0


@given(st.data())
def test_floats_agree_with_fractions(data):
    """The float model holds the Fractions rounded once; every rounding is magnified by at most the conditioning."""
    mdp = data.draw(strategies.mdps(exact=True, max_states=4, gammas=st.fractions(0, Fraction(9, 10), max_denominator=20)))
    _, _, pi = exact_policy(data, mdp)
    exact = pg.solve(mdp, pi)
    floats = [np.array(x, dtype=float) for x in (mdp.P, mdp.R, mdp.rho, pi)]
    solution = pg.solve(pg.MDP(floats[0], floats[1], float(mdp.gamma), floats[2]), floats[3])
    conditioning = 1 / (1 - float(mdp.gamma))
    bound = 64 * EPS * conditioning**2
    scale = float(max(abs(x) for x in mdp.R.flat)) * conditioning
    assert np.abs(solution.V - exact.V.astype(float)).max() <= bound * scale
    assert np.abs(solution.Q - exact.Q.astype(float)).max() <= bound * scale
    assert np.abs(solution.d - exact.d.astype(float)).max() <= bound * conditioning
    assert abs(solution.J - float(exact.J)) <= bound * scale


def test_at_gamma_zero_only_the_first_step_counts():
    mdp, pi = generated(0, gamma=0.0)
    solution = pg.solve(mdp, pi)
    assert np.array_equal(solution.V, solution.r_pi) and np.array_equal(solution.d, mdp.rho)
    assert np.array_equal(solution.Q, mdp.r)


# --------------------------------------------------------------------------------------------------- the resolvent


@given(st.data())
def test_the_resolvent_and_its_transpose_are_adjoint(data):
    mdp = data.draw(strategies.mdps(exact=True, max_states=4))
    _, _, pi = exact_policy(data, mdp)
    solution = pg.solve(mdp, pi)
    numbers = st.lists(st.fractions(-5, 5, max_denominator=9), min_size=mdp.n_states, max_size=mdp.n_states)
    x, y = (np.array(data.draw(numbers), dtype=object) for _ in range(2))
    assert (x * solution.resolvent(y)).sum() == (solution.resolvent(x, transpose=True) * y).sum()
    assert (solution.resolvent(solution.r_pi) == solution.V).all()
    assert (solution.resolvent(mdp.rho, transpose=True) == solution.d).all()


def test_the_resolvent_takes_any_number_of_right_sides():
    mdp, pi = generated(1)
    solution = pg.solve(mdp, pi)
    M = np.eye(5) - mdp.gamma * on_policy(mdp, pi)[0]
    B = np.random.default_rng(0).normal(size=(5, 2, 3))
    for transpose in (False, True):
        X = solution.resolvent(B, transpose=transpose)
        assert X.shape == B.shape
        assert np.abs(np.tensordot(M.T if transpose else M, X, axes=1) - B).max() <= 64 * EPS * 10 * np.abs(X).max()
        assert np.allclose(X[:, 1, 2], solution.resolvent(B[:, 1, 2], transpose=transpose), rtol=1e-14)
    assert solution.resolvent([1, 0, 0, 0, 0]).dtype == float
    complex_B = B[:, 0] + 1j * B[:, 1]
    assert np.allclose(solution.resolvent(complex_B).imag, solution.resolvent(B[:, 1]), rtol=1e-13)


# --------------------------------------------------------------------------------------------------------- batches


@pytest.mark.parametrize("gamma", [0.8, 0])
def test_a_batch_is_a_loop(gamma):
    mdp, _ = generated(2, gamma=gamma)
    pis = np.random.default_rng(5).dirichlet(np.ones(3), (2, 4, 5))
    batch = pg.solve(mdp, pis)
    for i in np.ndindex(2, 4):
        alone = pg.solve(mdp, pis[i])
        for name in ("V", "Q", "A", "d", "D", "J", "P_pi", "r_pi"):
            assert np.allclose(getattr(batch, name)[i], getattr(alone, name), rtol=1e-12, atol=1e-14), name


def test_an_exact_batch_is_a_loop():
    mdp = pg.MDP([[[0, 1], [1, 0]], [[Fraction(1, 2), Fraction(1, 2)], [0, 1]]], [[1, 2], [3, 4]], Fraction(1, 2), [0, 1])
    pis = np.array([[[Fraction(1, k), 1 - Fraction(1, k)]] * 2 for k in (1, 2, 3)], dtype=object)
    batch = pg.solve(mdp, pis)
    for i in range(3):
        alone = pg.solve(mdp, pis[i])
        for name in ("V", "Q", "A", "d", "D"):
            assert (getattr(batch, name)[i] == getattr(alone, name)).all()
        assert batch.J[i] == alone.J


def test_a_batch_at_gamma_one_is_a_loop():
    mdp, pis = walk(4, 0.3), np.full((3, 5, 1), 1.0)
    batch = pg.solve(mdp, pis)
    assert np.allclose(batch.V, pg.solve(mdp, pis[0]).V, rtol=1e-14) and np.allclose(batch.d, pg.solve(mdp, pis[0]).d)


# ------------------------------------------------------------------------------- gamma = 1: the gambler's closed forms


def walk(N, p, start=1, reward="step", exact=False):
    """A walk on 0..N that goes up with probability p and ends at 0 and N; one action.

    ``reward`` 1 a step counts its length, 1 for reaching N its probability of doing so.
    """
    one = Fraction(1) if exact else 1.0
    P, R = np.zeros((N + 1, 1, N + 1), dtype=object) * one, np.zeros((N + 1, 1, N + 1), dtype=object) * one
    P[0, 0, 0] = P[N, 0, N] = one
    for s in range(1, N):
        P[s, 0, s + 1], P[s, 0, s - 1] = p * one, (1 - p) * one
        R[s, 0, :] = one if reward == "step" else 0 * one
        if reward == "win" and s == N - 1:
            R[s, 0, N] = one
    dtype = object if exact else float
    return pg.MDP(P.astype(dtype), R.astype(dtype), 1, start)


def expected_length(N, p, s):
    """Feller 1968, volume 1, XIV.3: s(N - s) if fair, else s/(q-p) - N/(q-p) (1 - (q/p)^s)/(1 - (q/p)^N)."""
    q = 1 - p
    return s * (N - s) if p == q else s / (q - p) - N / (q - p) * (1 - (q / p) ** s) / (1 - (q / p) ** N)


def winning(N, p, s):
    """Feller 1968, volume 1, XIV.2: s/N if fair, else (1 - (q/p)^s)/(1 - (q/p)^N)."""
    q = 1 - p
    return Fraction(s, N) if p == q else (1 - (q / p) ** s) / (1 - (q / p) ** N)


@pytest.mark.parametrize("p", [Fraction(1, 2), Fraction(1, 3), Fraction(9, 10)])
@pytest.mark.parametrize("N", [2, 3, 7])
def test_mean_episode_lengths_and_winning_chances_of_the_gambler(N, p):
    pi = np.full((N + 1, 1), Fraction(1), dtype=object)
    for start in range(1, N):
        lengths, wins = (pg.solve(walk(N, p, start, reward, exact=True), pi) for reward in ("step", "win"))
        assert lengths.V[start] == lengths.J == lengths.d.sum() == expected_length(N, p, start)
        assert wins.V[start] == winning(N, p, start)
        assert lengths.V[0] == lengths.V[N] == lengths.d[0] == lengths.d[N] == 0


@pytest.mark.parametrize("p", [0.5, 0.4, 0.7])
def test_the_gambler_in_floats(p):
    N, pi = 12, np.ones((13, 1))
    solution = pg.solve(walk(N, p), pi)
    exact = [float(expected_length(N, Fraction(p), s)) for s in range(N + 1)]
    assert np.allclose(solution.V, exact, rtol=1e-12)
    assert np.isclose(solution.d.sum(), exact[1], rtol=1e-12)
    with pytest.raises(pg.UndefinedError, match="D = .1 - gamma. d does not exist at gamma = 1"):
        _ = solution.D


def test_at_gamma_one_the_resolvent_leaves_terminal_rows_zero():
    solution = pg.solve(walk(3, 0.5), np.ones((4, 1)))
    for transpose in (False, True):
        found = solution.resolvent(np.ones((4, 2)), transpose=transpose)
        assert (found[[0, 3]] == 0).all() and (found[[1, 2]] == 2).all()       # (I - P) on 1, 2 is [[1, -1/2], [-1/2, 1]]


def test_gamma_one_is_the_limit_of_gamma_below_one():
    episodic = walk(5, 0.4)
    V = pg.solve(episodic, np.ones((6, 1))).V
    near = pg.solve(pg.MDP(episodic.P, episodic.R, 1 - 1e-8, 1), np.ones((6, 1))).V
    assert 0 < np.abs(V - near).max() < 1e-6


def test_states_that_cannot_end_make_gamma_one_undefined_even_when_unreachable():
    P = np.array([[[0, 1, 0]], [[0, 1, 0]], [[0, 0, 1]]], dtype=float)
    mdp = pg.MDP(P, [1.0, 0.0, 1.0], 1.0, 0)       # state 2 pays for ever, and nothing leads to it
    assert reaches(mdp.kernel.mix(np.ones((3, 1))), mdp.terminal).tolist() == [True, True, False]
    with pytest.raises(pg.UndefinedError, match="state 2 reaches no terminal state"):
        pg.solve(mdp, np.ones((3, 1)))


@pytest.mark.parametrize("P, pi", [
    (np.eye(2)[:, None, :], np.ones((2, 1))), (np.eye(2)[:, None, :], np.ones((3, 2, 1))),
    (sp.eye_array(2), np.ones((2, 1))), (np.eye(2, dtype=int)[:, None, :], [[Fraction(1)]] * 2),
    (np.eye(2, dtype=int)[:, None, :], [[[Fraction(1)]] * 2] * 3),
], ids=["float", "batch", "sparse", "exact", "exact batch"])
def test_a_model_that_is_terminal_throughout_has_nothing_to_solve(P, pi):
    solution = pg.solve(pg.MDP(P, [0, 0], 1, 0), pi)
    assert (solution.V == 0).all() and (solution.d == 0).all() and np.all(solution.J == 0)
    if solution.pi.ndim == 2:
        assert (solution.resolvent([[1, 2, 3], [4, 5, 6]], transpose=True) == 0).all()


# -------------------------------------------------------------------------------------------------------- gradients


@given(st.data())
def test_the_policy_gradient_is_the_derivative_of_J_by_dual_numbers(data):
    """Exact on both sides: the theorem against J of a moved theta, which knows no theorem."""
    mdp = data.draw(strategies.mdps(exact=True, max_states=3, max_actions=2))
    policy, theta, _ = exact_policy(data, mdp)
    gradient, by_start = pg.policy_gradient(mdp, policy, theta), pg.value_gradient(mdp, policy, theta)
    for index, direction in zip(np.ndindex(theta.shape), unit_directions(theta.shape), strict=True):
        along = direction.astype(int)
        moved = exact_derivative(lambda x: evaluate(mdp, policy.probabilities(x)).V, policy.step, theta, along)
        assert (by_start[(slice(None), *index)] == moved).all()
        assert gradient[index] == (mdp.rho * moved).sum()


@given(strategies.problems(gammas=st.floats(0.0, 0.95)))
def test_the_gradient_from_rho_is_rho_times_the_gradients_from_every_state(problem):
    mdp, policy, theta = problem
    gradient, by_start = pg.policy_gradient(mdp, policy, theta), pg.value_gradient(mdp, policy, theta)
    mixed = np.tensordot(mdp.rho, by_start, axes=1)
    shared = Problem(mdp, policy, theta)
    assert np.abs(mixed - gradient).max() <= 2 * shared.unit * shared.gradient_scale


def test_the_gradient_at_gamma_one_is_the_limit_from_below():
    """Two steps to the end, so that J(gamma) is a polynomial: 1 + gamma p with p = 1/2."""
    P = np.zeros((3, 2, 3))
    P[0, 0, 1] = P[0, 1, 2] = P[1, :, 2] = P[2, :, 2] = 1
    policy, theta = pg.SoftmaxPolicy(3, 2), np.zeros((3, 2))
    for gamma in (0.0, 0.5, 0.9, 1.0):
        gradient = pg.policy_gradient(pg.MDP(P, [1.0, 1.0, 0.0], gamma, 0), policy, theta)
        assert np.allclose(gradient, [[gamma / 4, -gamma / 4], [0, 0], [0, 0]], atol=1e-15)


def test_complex_policies_carry_a_derivative_through():
    mdp, pi = generated(4)
    direction = np.zeros((5, 3))
    direction[2] = [1.0, -1.0, 0.0]
    stepped = evaluate(mdp, pi + 1e-30j * direction)
    assert np.allclose(stepped.V.real, pg.solve(mdp, pi).V, rtol=1e-14)
    slope = pg.solve(mdp, pi).resolvent((direction * pg.solve(mdp, pi).Q).sum(axis=1))
    assert np.allclose(stepped.V.imag / 1e-30, slope, rtol=1e-12)


# ------------------------------------------------------------------------------------------------------ housekeeping


def test_quantities_are_computed_once():
    solution = pg.solve(*generated(0))
    for name in ("V", "Q", "A", "d", "D", "P_pi", "r_pi", "error_bounds"):
        assert getattr(solution, name) is getattr(solution, name)


@given(strategies.problems())
def test_solving_hard_cases_warns_of_nothing(problem):
    mdp, policy, theta = problem
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        solution = pg.solve(mdp, policy.probabilities(theta))
        quantities = [getattr(solution, name) for name in ("V", "Q", "A", "d", "D", "J")]
        quantities += [pg.policy_gradient(mdp, policy, theta), pg.value_gradient(mdp, policy, theta)]
    assert all(np.isfinite(x).all() for x in quantities)


def test_solutions_print_what_they_solve():
    mdp, pi = generated(0)
    assert repr(pg.solve(mdp, pi)) == "Solution(MDP(n_states=5, n_actions=3, gamma=0.8, float64))"
    assert repr(pg.solve(mdp, np.stack([pi] * 2))).endswith("float64), batch=(2,))")
