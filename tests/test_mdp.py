"""The model: the ways to write one down agree, what it derives is what the definitions say, copies are copies."""

import copy
import pickle
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

import pgtheory as pg
from pgtheory import strategies
from pgtheory.arithmetic import EXPRESSION, FRACTION

EPS = np.finfo(float).eps


def random_model(seed=0, S=4, A=3):
    """(P, R) dense arrays with zeros in P."""
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.full(S, 0.4), (S, A))
    return P / P.sum(axis=2, keepdims=True), rng.normal(size=(S, A, S))


def as_sparse_rows(array):
    """(S, A, S) as csr (S*A, S), row s*A + a."""
    S, A, _ = array.shape
    return sp.csr_array(array.reshape(S * A, S))


def as_sparse_list(array):
    """(S, A, S) as one csr (S, S) an action."""
    return [sp.csr_array(array[:, a]) for a in range(array.shape[1])]


def answers(mdp, pi):
    solution = pg.solve(mdp, pi)
    return {name: np.asarray(getattr(solution, name)) for name in ("V", "Q", "A", "d", "D", "J", "r_pi")}


def agree(one, other, conditioning, scale):
    """Both within 64 roundings, conditioning counted, of the exact answer; the solve is the same size in either layout."""
    bound = 64 * EPS * conditioning**2 * max(scale, 1.0)
    return all(np.abs(one[name] - other[name]).max() <= bound for name in one)


# ---------------------------------------------------------------------------------------------- layouts of rewards


@given(st.data())
def test_the_three_shapes_of_a_reward_say_the_same(data):
    """R(s) paid on leaving s, R(s, a) and R(s, a, s') that do not depend on more give one model, exactly."""
    mdp = data.draw(strategies.mdps(exact=True, max_states=4))
    S, A = mdp.n_states, mdp.n_actions
    of_state = np.array([Fraction(data.draw(st.integers(-9, 9))) for _ in range(S)], dtype=object)
    of_action = np.repeat(of_state[:, None], A, axis=1)
    of_move = np.repeat(of_action[:, :, None], S, axis=2)
    one, two, three = (pg.MDP(mdp.P, R, mdp.gamma, mdp.rho) for R in (of_state, of_action, of_move))
    assert (one.r == two.r).all() and (two.r == three.r).all()
    assert (one.terminal == two.terminal).all() and (two.terminal == three.terminal).all()
    pi = np.full((S, A), Fraction(1, A), dtype=object)
    assert (pg.solve(one, pi).V == pg.solve(three, pi).V).all()


@given(strategies.mdps(exact=True, max_states=4))
def test_expected_reward_is_the_sum_over_successors(mdp):
    def reward(s, a, t):
        return (mdp.R[s], mdp.R[s, a] if mdp.R.ndim > 1 else 0, mdp.R[s, a, t] if mdp.R.ndim > 2 else 0)[mdp.R.ndim - 1]

    for s, a in np.ndindex(mdp.n_states, mdp.n_actions):
        assert mdp.r[s, a] == sum(mdp.P[s, a, t] * reward(s, a, t) for t in range(mdp.n_states))


def test_rewards_of_impossible_transitions_do_not_count():
    P = [[[0.0, 1.0]], [[0.0, 1.0]]]
    with_them = pg.MDP(P, [[[99.0, 2.0]], [[-99.0, 0.0]]], 0.5, 0)
    assert with_them.r.tolist() == [[2.0], [0.0]] and with_them.terminal.tolist() == [False, True]
    assert with_them.r_max == 2.0


# ---------------------------------------------------------------------------------------------------- sparse = dense


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("sparse_P", [as_sparse_rows, as_sparse_list, lambda P: sp.coo_array(as_sparse_rows(P))])
@pytest.mark.parametrize("sparse_R", [lambda R: R, as_sparse_rows, as_sparse_list])
def test_sparse_models_give_the_answers_of_dense_ones(seed, sparse_P, sparse_R):
    P, R = random_model(seed)
    rho, pi = np.full(4, 0.25), np.full((4, 3), 1 / 3)
    dense = answers(pg.MDP(P, R, 0.9, rho), pi)
    sparse = pg.MDP(sparse_P(P), sparse_R(R), 0.9, rho)
    assert agree(answers(sparse, pi), dense, 10.0, np.abs(R).max())
    swapped = pg.MDP(sparse_P(P[:, ::-1]), sparse_R(R), 0.9, rho)          # negative control: two actions exchanged
    uneven = pi * [[0.5, 1.0, 1.5]]
    assert not agree(answers(swapped, uneven), answers(sparse, uneven), 10.0, np.abs(R).max())


@given(strategies.mdps(gammas=st.floats(0.0, 0.95)))
def test_sparse_models_derive_what_dense_ones_derive(mdp):
    S, A = mdp.n_states, mdp.n_actions
    sparse = pg.MDP(sp.csr_array(np.asarray(mdp.P).reshape(S * A, S)), np.array(mdp.R), mdp.gamma, np.array(mdp.rho))
    assert np.array_equal(sparse.terminal, mdp.terminal)
    assert np.allclose(sparse.r, mdp.r, rtol=1e-14, atol=1e-14 * np.abs(mdp.R).max())
    theta = np.linspace(-1.0, 1.0, S * A).reshape(S, A)
    gradients = [pg.policy_gradient(model, pg.SoftmaxPolicy(S, A), theta) for model in (mdp, sparse)]
    assert np.abs(gradients[0] - gradients[1]).max() <= 1e-9 * max(np.abs(mdp.R).max(), 1e-8)


def test_a_sparse_reward_counts_only_where_a_transition_is_possible():
    P = as_sparse_rows(np.array([[[0.0, 1.0]], [[0.0, 1.0]]]))
    R = as_sparse_rows(np.array([[[99.0, 2.0]], [[-99.0, 0.0]]]))
    assert pg.MDP(P, R, 0.5, 0).r.tolist() == [[2.0], [0.0]]


# ----------------------------------------------------------------------------------------------------- terminal states


@pytest.mark.parametrize("P1, R1, terminal", [
    ([[0, 1], [0, 1]], [0, 0], True),
    ([[0, 1], [0, 1]], [0, 3], False),          # one action pays
    ([[0, 1], [1, 0]], [0, 0], False),          # one action leaves
    ([[1, 0], [1, 0]], [0, 0], False),
])
@pytest.mark.parametrize("sparse", [False, True])
def test_terminal_means_every_action_stays_and_pays_nothing(P1, R1, terminal, sparse):
    P = np.array([[[0.5, 0.5], [0.5, 0.5]], P1], dtype=float)
    mdp = pg.MDP(as_sparse_rows(P) if sparse else P, np.array([[1.0, 1.0], R1]), 0.9, 0)
    assert mdp.terminal.tolist() == [False, terminal]


# ---------------------------------------------------------------------------------------------------- copies, pickles


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda mdp: pickle.loads(pickle.dumps(mdp))])
@given(st.data())
def test_copies_and_pickles_are_the_same_frozen_model(again, data):
    mdp = data.draw(strategies.mdps(exact=data.draw(st.booleans()), max_states=3))
    twin = again(mdp)
    assert all((np.asarray(getattr(twin, name)) == np.asarray(getattr(mdp, name))).all() for name in ("P", "R", "rho", "r"))
    assert (twin.gamma, twin.arithmetic, repr(twin)) == (mdp.gamma, mdp.arithmetic, repr(mdp))
    with pytest.raises(AttributeError, match="frozen"):
        twin.gamma = 0
    with pytest.raises(ValueError, match="read-only"):
        twin.P[0, 0, 0] = 0


def test_a_sparse_model_survives_pickling():
    P, R = random_model()
    mdp = pg.MDP(as_sparse_rows(P), as_sparse_rows(R), 0.9, 1)
    twin = pickle.loads(pickle.dumps(mdp))
    pi = np.full((4, 3), 1 / 3)
    assert np.array_equal(pg.solve(twin, pi).V, pg.solve(mdp, pi).V)


# ------------------------------------------------------------------------------------------------ integers, arithmetic


def gambler(gamma=1):
    """A fair walk on 0..4 by hand: stay, left or right are sure; all entries are integers."""
    P = np.zeros((3, 2, 3), dtype=int)
    P[0, 0, 1] = P[0, 1, 2] = P[1, :, 2] = P[2, :, 2] = 1
    return pg.MDP(P, [[1, 5], [2, 2], [0, 0]], gamma, 0)


def test_integer_models_are_exact_with_fractions_and_float_with_floats():
    third = Fraction(1, 3)
    exact = pg.solve(gambler(), [[third, 1 - third]] * 3)
    assert exact.V.tolist() == [third * (1 + 2) + (1 - third) * 5, 2, 0] and isinstance(exact.V[0], Fraction)
    floating = pg.solve(gambler(), [[1 / 3, 2 / 3]] * 3)
    assert floating.V.dtype == float and np.allclose(floating.V, [13 / 3, 2, 0])
    assert "float64" in repr(gambler())


def test_integer_models_with_an_integer_policy_answer_in_floats():
    assert pg.solve(gambler(), [[1, 0]] * 3).V.dtype == float


def test_moving_into_a_larger_arithmetic_does_not_round():
    mdp = gambler()
    assert mdp.into(FRACTION).P.dtype == object and isinstance(mdp.into(FRACTION).gamma, Fraction)
    tenth = pg.MDP([[[Fraction(1, 10), Fraction(9, 10)]], [[0, 1]]], [1, 0], Fraction(1, 3), 0)
    symbolic = tenth.into(EXPRESSION)
    assert str(symbolic.P[0, 0, 0]) == "1/10" and str(symbolic.gamma) == "1/3"
    with pytest.raises(pg.NotExactError):
        pg.MDP([[[0.1, 0.9]], [[0.0, 1.0]]], [1.0, 0.0], 0.5, 0).into(FRACTION)


@given(strategies.mdps(exact=True, max_states=4), st.randoms(use_true_random=False))
def test_renaming_the_states_renames_the_answers(mdp, random):
    order = list(range(mdp.n_states))
    random.shuffle(order)
    R = mdp.R[order]
    renamed = pg.MDP(mdp.P[order][:, :, order], R[:, :, order] if R.ndim == 3 else R, mdp.gamma, mdp.rho[order])
    pi = np.full((mdp.n_states, mdp.n_actions), Fraction(1, mdp.n_actions), dtype=object)
    assert (pg.solve(mdp, pi).V[order] == pg.solve(renamed, pi).V).all()
    assert (pg.solve(renamed, pi).d == pg.solve(mdp, pi).d[order]).all()
    assert pg.solve(renamed, pi).J == pg.solve(mdp, pi).J
