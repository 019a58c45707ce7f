"""Both theorems as equations between Fractions: 200 generated rational models each, compared with ``==``.

The left sides are dual numbers sent through the elimination: a + b e with e^2 = 0, which know no theorem.
"""

import sys
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse

import pgtheory as pg
from pgtheory import arithmetic
from pgtheory.arithmetic import integers
from pgtheory.continuous.slopes import slopes
from pgtheory.solution import evaluate

SEEDS = range(200)
GAMMAS = (Fraction(0), Fraction(1, 2), Fraction(9, 10), Fraction(99, 100), 1 - Fraction(1, 10**9), Fraction(1))


def fractions(rng, shape, least=-9, largest=9):
    flat = [Fraction(int(x), int(y)) for x, y in zip(rng.integers(least, largest + 1, int(np.prod(shape))),
                                                     rng.integers(1, 8, int(np.prod(shape))), strict=True)]
    return np.array(flat, dtype=object).reshape(shape)


def simplices(rng, shape, sparse=True):
    """Rational distributions along the last axis, some entries 0."""
    counts = rng.integers(0 if sparse else 1, 6, shape).astype(object)
    counts[..., 0] += 1
    return counts * Fraction(1) / counts.sum(axis=-1, keepdims=True)


def rational_mdp(seed):
    """S <= 5, A <= 3, every discount in turn; at gamma = 1 the last state ends the episode."""
    rng = np.random.default_rng([5, seed])
    S, A, gamma = int(rng.integers(1, 6)), int(rng.integers(1, 4)), GAMMAS[seed % len(GAMMAS)]
    P, R = simplices(rng, (S, A, S)), fractions(rng, [(S, A, S), (S, A), (S,)][seed % 3])
    if gamma == 1:
        P[..., -1] += Fraction(1, 3)
        P = P / P.sum(axis=-1, keepdims=True)
        P[-1], R[-1] = Fraction(0), Fraction(0)
        P[-1, :, -1] = Fraction(1)
    return pg.MDP(P, R, gamma, simplices(rng, (S,))), rng


def policies(mdp, rng):
    """(policy, theta) of every rational family."""
    S, A = mdp.n_states, mdp.n_actions
    return {"softmax": (pg.SoftmaxPolicy(S, A, weights=True), fractions(rng, (S, A), 1, 9)),
            "direct": (pg.DirectPolicy(S, A), simplices(rng, (S, A), sparse=False)),
            "escort": (pg.EscortPolicy(S, A), fractions(rng, (S, A), 1, 9))}


# ------------------------------------------------------------------------------------------ the stochastic theorem


@pytest.mark.parametrize("name", ["softmax", "direct", "escort"])
def test_both_sides_of_the_stochastic_theorem_are_equal_fractions(name):
    for seed in SEEDS:
        mdp, rng = rational_mdp(seed)
        policy, theta = policies(mdp, rng)[name]
        identity = pg.theorems["stochastic"].sides(mdp, policy, theta)
        assert all(isinstance(x, Fraction) for x in (*identity.lhs.flat, *identity.rhs.flat)), seed
        assert (identity.lhs == identity.rhs).all(), seed
        assert (identity.rhs == pg.policy_gradient(mdp, policy, theta)).all(), seed


def _normalised_visits(mdp, policy, theta, solution):
    return policy.pullback(theta, (1 - mdp.gamma) * solution.d[:, None] * solution.Q)


def _undiscounted_future(mdp, policy, theta, solution):
    return policy.pullback(theta, solution.d[:, None] * (mdp.r + mdp.kernel.expect(solution.V)))


def _visits_from_another_start(mdp, policy, theta, solution):
    other = pg.MDP(mdp.P, mdp.R, mdp.gamma, mdp.n_states - 1)
    return policy.pullback(theta, pg.solve(other, solution.pi).d[:, None] * solution.Q)


def _one_part_in_a_trillion(mdp, policy, theta, solution):
    return pg.policy_gradient(mdp, policy, theta) * (1 + Fraction(1, 10**12))


WRONG = [_normalised_visits, _undiscounted_future, _visits_from_another_start, _one_part_in_a_trillion]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda f: f.__name__[1:])
def test_a_wrong_stochastic_theorem_is_unequal(wrong):
    """Negative control, on the models with two states and two actions at least and 0 < gamma < 1."""
    seen = tried = 0
    for seed in SEEDS:
        mdp, rng = rational_mdp(seed)
        if min(mdp.n_states, mdp.n_actions) < 2 or not 0 < mdp.gamma < 1:
            continue
        policy, theta = policies(mdp, rng)["softmax"]
        left = pg.theorems["stochastic"].sides(mdp, policy, theta).lhs
        right = wrong(mdp, policy, theta, pg.solve(mdp, policy.probabilities(theta)))
        seen, tried = seen + bool((left != right).any()), tried + 1
    assert tried > 50 and seen == tried


# --------------------------------------------------------------------------------------- the deterministic theorem


def continuous_model(seed):
    """Actions in R^k; P polynomial in a, or w / sum w with w = p + (q . a)^2; R quadratic in a; all coefficients rational."""
    rng = np.random.default_rng([6, seed])
    S, k = int(rng.integers(1, 6)), int(rng.integers(1, 4))
    p, q, c, b = fractions(rng, (S, S), 1), fractions(rng, (S, S, k)), fractions(rng, (S, S, k)), fractions(rng, (S, S))

    def rational(s, a):
        weights = p[s] + (q[s] @ a) ** 2
        return weights / weights.sum()

    def polynomial(s, a):
        """A little probability moves from the first state to the last; |a| < 5 here, and no share is below 1/300."""
        moved = (a[0] ** 2 - a[0]) * Fraction(1, 10**5)
        share = p[s] / p[s].sum() + 0 * a[0]
        share[0] -= moved
        share[-1] += moved
        return share

    def R(s, a):
        return b[s] + c[s] @ a + (a @ a) * b[s]

    gamma = GAMMAS[seed % (len(GAMMAS) - 1)]
    return pg.ContinuousActionMDP(rational if seed % 2 else polynomial, R, gamma, simplices(rng, (S,)), k), S, k, rng


def deterministic_case(seed):
    model, S, k, rng = continuous_model(seed)
    m = int(rng.integers(1, S + 1))
    policy = pg.DeterministicPolicy(features=np.eye(S, dtype=int) if seed % 3 == 0 else fractions(rng, (S, m)))
    theta = fractions(rng, (policy.shape[0], k)) / 90
    return model, policy, theta


def test_both_sides_of_the_deterministic_theorem_are_equal_fractions():
    for seed in SEEDS:
        model, policy, theta = deterministic_case(seed)
        identity = pg.theorems["deterministic"].sides(model, policy, theta)
        assert all(isinstance(x, Fraction) for x in (*identity.lhs.flat, *identity.rhs.flat)), seed
        assert (identity.lhs == identity.rhs).all(), seed
        assert (identity.rhs == pg.policy_gradient(model, policy, theta)).all(), seed


def test_a_deterministic_theorem_without_the_transition_term_is_unequal():
    """Negative control: grad_a of the immediate reward in place of grad_a Q, wherever the law depends on the action."""
    seen = tried = 0
    for seed in SEEDS:
        model, policy, theta = deterministic_case(seed)
        solution = pg.solve(model, policy.actions(theta))
        law_moves = slopes(model, solution.actions)[0].array.any()
        if model.gamma == 0 or not law_moves or len(set(solution.V)) == 1:
            continue
        left = pg.theorems["deterministic"].sides(model, policy, theta).lhs
        myopic = pg.solve(pg.ContinuousActionMDP(model.P, model.R, Fraction(0), model.rho, model.action_dim),
                          solution.actions).grad_Q
        seen += bool((left != policy.pullback(theta, solution.d[:, None] * myopic)).any())
        tried += 1
    assert tried > 50 and seen == tried


# ------------------------------------------------------------------------------------------------ the integers below


def test_the_equations_are_equal_without_python_flint_too(monkeypatch):
    """The same Fractions from sympy's elimination, entry by entry."""
    found = {}
    for library in ("flint", "sympy"):
        if library == "sympy":
            monkeypatch.setattr(integers, "_flint", lambda: None)
        for seed in range(12):
            mdp, rng = rational_mdp(seed)
            solution = pg.solve(mdp, policies(mdp, rng)["direct"][1])
            found.setdefault(seed, []).append((*solution.V, *solution.d))
    assert all(len(set(answers)) == 1 for answers in found.values())


def test_V_and_d_solve_their_equations_exactly():
    """(I - gamma P_pi) V = r_pi and (I - gamma P_pi)^T d = rho, multiplied out by plain sums."""
    for seed in SEEDS:
        mdp, rng = rational_mdp(seed)
        pi = policies(mdp, rng)["direct"][1]
        solution, S, inside = pg.solve(mdp, pi), mdp.n_states, range(mdp.n_states - (mdp.gamma == 1))
        M = [[(s == t) - mdp.gamma * sum(pi[s, a] * mdp.P[s, a, t] for a in range(mdp.n_actions)) for t in range(S)]
             for s in range(S)]
        assert [sum(M[s][t] * solution.V[t] for t in range(S)) for s in inside] == [solution.r_pi[s] for s in inside]
        assert [sum(M[s][t] * solution.d[s] for s in inside) for t in inside] == [mdp.rho[t] for t in inside]


def large_cycle(n):
    """A ring of n states that pays 1 in the first: V(s) = gamma^((n - s) mod n) / (1 - gamma^n)."""
    P = np.full((n, 1, n), Fraction(0), dtype=object)
    P[np.arange(n), 0, (np.arange(n) + 1) % n] = Fraction(1)
    R = np.full((n, 1), Fraction(0), dtype=object)
    R[0, 0] = Fraction(1)
    return pg.MDP(P, R, Fraction(1, 2), 0), np.full((n, 1), Fraction(1), dtype=object)


def test_large_exact_models_without_python_flint_are_answered_with_one_line_of_advice(monkeypatch):
    mdp, pi = large_cycle(integers.SLOW)
    monkeypatch.setattr(integers, "_flint", lambda: None)
    with pytest.warns(pg.SlowWarning, match=r'60 exact unknowns without python-flint .* pip install "pgtheory\[exact\]"'):
        V = pg.solve(mdp, pi).V
    n, gamma = mdp.n_states, mdp.gamma
    assert list(V) == [gamma ** ((n - s) % n) / (1 - gamma**n) for s in range(n)]


def test_small_exact_models_need_no_advice(monkeypatch, recwarn):
    monkeypatch.setattr(integers, "_flint", lambda: None)
    mdp, pi = large_cycle(integers.SLOW - 1)
    assert pg.solve(mdp, pi).V[0] == 1 / (1 - Fraction(1, 2) ** mdp.n_states)
    assert not [w for w in recwarn if issubclass(w.category, pg.SlowWarning)]


def test_a_matrix_over_integers_is_the_matrix():
    rng = np.random.default_rng(0)
    M = fractions(rng, (4, 4))
    rows = arithmetic.IntegerRows.of(M)
    assert (rows.dense() == M).all()
    gamma = Fraction(3, 7)
    identity = np.array([[Fraction(int(i == j)) for j in range(4)] for i in range(4)], dtype=object)
    assert (rows.subtracted_from_identity(gamma).dense() == identity - gamma * M).all()
    assert (rows.restricted([0, 2]).dense() == M[np.ix_([0, 2], [0, 2])]).all()
    assert not (rows.restricted([0, 2]).dense() == M[np.ix_([0, 1], [0, 1])]).all()      # negative control


# ------------------------------------------------------------------------------------- what floats cannot decide


def patient(seed=0):
    """gamma so near 1 that rounding may move J by more than its gradient is."""
    rng = np.random.default_rng(seed)
    return pg.MDP(rng.dirichlet(np.ones(4), (4, 2)), rng.normal(size=(4, 2)), 1 - 1e-12, 0), rng.uniform(1, 2, (4, 2))


def test_what_float64_cannot_decide_is_decided_in_fractions_and_in_balls(monkeypatch):
    mdp, w = patient()
    policy = pg.SoftmaxPolicy(4, 2, weights=True)
    settings = {"theorems": ["stochastic"], "routes": ["exact", "complex-step"], "samples": 0}
    weights = [[Fraction(float(x)) for x in row] for row in w]
    decided = pg.verify(mdp.exactly(), policy, weights, **settings)
    assert decided.passed and {check.kind for check in decided.checks} == {"exact"}
    in_balls = pg.verify(mdp, policy, w, **settings)
    assert in_balls.passed and all("in balls of" in check.note for check in in_balls.checks)
    for check, exact in zip(in_balls.checks, decided.checks, strict=True):
        assert all(x.overlaps(y) for x, y in zip(check.rhs.flat, exact.rhs.flat, strict=True))
    monkeypatch.setitem(sys.modules, "flint", None)
    assert {check.verdict for check in pg.verify(mdp, policy, w, **settings).checks} == {"INCONCLUSIVE"}


def test_the_exact_model_keeps_the_very_floats_if_asked():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        P, R, rho = rng.dirichlet(np.ones(5), (5, 2)), rng.normal(size=(5, 2, 5)), rng.dirichlet(np.ones(5))
        for model in (pg.MDP(P, R, 0.9, rho),
                      pg.MDP(scipy.sparse.csr_array(P.reshape(10, 5)), scipy.sparse.csr_array(R.reshape(10, 5)), 0.9, rho)):
            kept, true = model.exactly(normalize=False), model.exactly()
            assert (kept.P.astype(float) == P).all() and (kept.R.astype(float) == R).all() and float(kept.gamma) == 0.9
            assert all(x == Fraction(float(y)) for x, y in zip(kept.P.flat, P.flat, strict=True))
            assert (true.P.sum(axis=2) == 1).all() and true.rho.sum() == 1 and (abs(true.P - kept.P).max() < 1e-15)
        assert not (kept.P.sum(axis=2) == 1).all()          # negative control: the floats do not sum to exactly 1


def test_the_error_bounds_hold_against_the_exact_model():
    mdp, w = patient(1)
    pi = pg.SoftmaxPolicy(4, 2, weights=True).probabilities(w)
    solution = pg.solve(mdp, pi)
    exact = evaluate(mdp.exactly(normalize=False), np.array([[Fraction(float(x)) for x in row] for row in pi], dtype=object))
    for name in ("V", "Q", "d"):
        pairs = zip(getattr(solution, name).flat, getattr(exact, name).flat, strict=True)
        assert 0 < max(abs(Fraction(float(x)) - y) for x, y in pairs) <= Fraction(solution.error_bounds[name])


def test_large_sparse_models_are_refused():
    n = 2001
    with pytest.raises(pg.NotExactError, match="2001 states and 1 actions are too many for an exact model"):
        pg.MDP(scipy.sparse.eye_array(n, format="csr"), np.zeros(n), 0.9, 0).exactly()
