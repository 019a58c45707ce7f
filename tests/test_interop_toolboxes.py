"""pymdptoolbox and QuantEcon: their layouts, and their own values of deterministic policies."""

from fractions import Fraction

import mdptoolbox.mdp
import numpy as np
import pytest
import scipy.sparse
from quantecon.markov import DiscreteDP

import pgtheory as pg

GAMMA = 0.9


def problem(S, A, seed=0):
    """P (A, S, S) and R (A, S, S), generic."""
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(S), size=(A, S)), rng.normal(size=(A, S, S))


def one_hot(actions, n_actions):
    return np.eye(n_actions)[np.asarray(actions)]


def toolbox_value(P, R, actions):
    """V of a deterministic policy as pymdptoolbox itself evaluates it."""
    solver = mdptoolbox.mdp.PolicyIteration(P, R, GAMMA)
    solver.policy = np.array(actions)
    solver._evalPolicyMatrix()
    return np.asarray(solver.V).ravel()


REWARDS = {"(A, S, S)": lambda R: R, "(S, A)": lambda R: R[:, :, 0].T.copy(), "(S,)": lambda R: R[0, :, 0].copy(),
           "list of (S, S)": list, "tuple of (S, S)": tuple}


def objects(matrices):
    out = np.empty(len(matrices), dtype=object)
    for a, matrix in enumerate(matrices):
        out[a] = matrix
    return out


@pytest.mark.parametrize("S, A", [(4, 2), (3, 3), (2, 3)])
@pytest.mark.parametrize("layout", REWARDS)
@pytest.mark.parametrize("wrap", [np.asarray, list, tuple, objects], ids=["array", "list", "tuple", "objects"])
def test_mdptoolbox_values_agree(S, A, layout, wrap):
    P, R = problem(S, A)
    R = REWARDS[layout](R)
    mdp = pg.from_mdptoolbox(wrap(P), R, GAMMA, 0)
    for seed in range(3):
        actions = np.random.default_rng(seed).integers(A, size=S)
        theirs = R if np.ndim(R) > 1 else np.repeat(R[:, None], A, axis=1)     # with S == A it refuses a vector
        expected = toolbox_value(P, theirs, actions)
        np.testing.assert_allclose(pg.solve(mdp, one_hot(actions, A)).V, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("S, A", [(4, 2), (3, 3)])
@pytest.mark.parametrize("sparse_R", [False, True])
def test_mdptoolbox_sparse_matrices_stay_sparse(S, A, sparse_R):
    P, R = problem(S, A)
    sparse = [scipy.sparse.csr_matrix(p) for p in P]
    mdp = pg.from_mdptoolbox(sparse, [scipy.sparse.csr_matrix(r) for r in R] if sparse_R else R, GAMMA, 0)
    assert scipy.sparse.issparse(mdp.P)
    dense = pg.from_mdptoolbox(P, R, GAMMA, 0)
    assert (mdp.P.toarray().reshape(S, A, S) == dense.P).all()
    np.testing.assert_allclose(mdp.r, dense.r, rtol=0, atol=1e-14)
    mixed = pg.from_mdptoolbox([sparse[0], *P[1:]], R, GAMMA, 0)
    assert (mixed.P.toarray() == mdp.P.toarray()).all()
    onto_dense = pg.from_mdptoolbox(P, [scipy.sparse.csr_matrix(r) for r in R], GAMMA, 0)
    assert (onto_dense.R == dense.R).all()


def test_as_many_states_as_actions_do_not_confuse_the_layouts():
    P, R = problem(3, 3)
    actions = [1, 2, 0]
    right = toolbox_value(P, R, actions)
    read_as_s_a_s = pg.solve(pg.MDP(P, R, GAMMA, 0), one_hot(actions, 3)).V
    assert np.abs(read_as_s_a_s - right).max() > 0.1
    ours = pg.solve(pg.from_mdptoolbox(P, R, GAMMA, 0), one_hot(actions, 3)).V
    np.testing.assert_allclose(ours, right, rtol=0, atol=1e-12)


def test_mdptoolbox_layout_takes_fractions():
    third = Fraction(1, 3)
    mdp = pg.from_mdptoolbox([[[third, 1 - third], [0, 1]]], [Fraction(1), 0], Fraction(1, 2), 0)
    assert pg.solve(mdp, [[1], [1]]).V.tolist() == [Fraction(6, 5), 0]


P3, R3 = problem(3, 2)


@pytest.mark.parametrize("call, words", [
    (lambda: pg.from_mdptoolbox(P3.transpose(1, 0, 2), R3, GAMMA, 0), "looks like (S, A, S): that is what"),
    (lambda: pg.from_mdptoolbox(P3[0], R3, GAMMA, 0), "P has shape (3, 3): pymdptoolbox's layout is (A, S, S)"),
    (lambda: pg.from_mdptoolbox([P3[0], P3[1][:2]], R3, GAMMA, 0), "P is ragged"),
    (lambda: pg.from_mdptoolbox(P3, R3.transpose(1, 0, 2), GAMMA, 0), "R has shape (3, 2, 3)"),
    (lambda: pg.from_mdptoolbox(P3, R3[:1], GAMMA, 0), "R has shape (3, 1, 3)"),
    (lambda: pg.from_mdptoolbox(P3, scipy.sparse.csr_array(R3[0]), GAMMA, 0), "R is one sparse matrix of shape (3, 3)"),
    (lambda: pg.from_mdptoolbox(2 * P3, R3, GAMMA, 0), "P[0, 0] sums to 2"),
    (lambda: pg.from_mdptoolbox(P3, R3, 2.0, 0), "gamma is 2"),
    (lambda: pg.from_mdptoolbox([scipy.sparse.eye_array(2), scipy.sparse.eye_array(3)], R3, GAMMA, 0), "of shapes"),
])
def test_bad_mdptoolbox_models_are_refused_with_the_mend(call, words):
    with pytest.raises(pg.InvalidMDPError) as caught:
        call()
    assert words in str(caught.value) and "\n" not in str(caught.value)


FORMULATIONS = {
    "product": lambda ddp: ddp,
    "pairs": lambda ddp: ddp.to_sa_pair_form(sparse=False),
    "sparse pairs": lambda ddp: ddp.to_sa_pair_form(sparse=True),
}


def discrete_dp(S, A):
    P, R = problem(S, A)
    return DiscreteDP(R[:, :, 0].T.copy(), P.transpose(1, 0, 2).copy(), GAMMA)


@pytest.mark.parametrize("S, A", [(4, 2), (3, 3), (2, 4)])
@pytest.mark.parametrize("formulation", FORMULATIONS)
def test_quantecon_values_agree(S, A, formulation):
    ddp = FORMULATIONS[formulation](discrete_dp(S, A))
    mdp = pg.from_quantecon(ddp, 0)
    assert scipy.sparse.issparse(mdp.P) == (formulation == "sparse pairs") and mdp.gamma == GAMMA
    for seed in range(3):
        actions = np.random.default_rng(seed).integers(A, size=S)
        np.testing.assert_allclose(pg.solve(mdp, one_hot(actions, A)).V, ddp.evaluate_policy(actions), rtol=0, atol=1e-12)
    others = pg.solve(mdp, one_hot((actions + 1) % A, A)).V
    assert np.abs(others - ddp.evaluate_policy(actions)).max() > 1e-3


def test_pairs_in_another_order_are_put_in_place():
    ddp = discrete_dp(3, 3)
    pairs, order = ddp.to_sa_pair_form(sparse=True), np.random.default_rng(1).permutation(9)
    shuffled = DiscreteDP(pairs.R[order], pairs.Q[order], GAMMA, pairs.s_indices[order], pairs.a_indices[order])
    mdp = pg.from_quantecon(shuffled, 0)
    assert (mdp.P.toarray().reshape(3, 3, 3) == ddp.Q).all() and (mdp.R == ddp.R).all()


def test_infeasible_pairs_are_refused_by_name():
    ddp = discrete_dp(3, 2)
    ddp.R[1, 0] = -np.inf
    for form, why in ((ddp, "reward -inf"), *((ddp.to_sa_pair_form(sparse), "no such pair") for sparse in (True, False))):
        with pytest.raises(pg.InvalidMDPError) as caught:
            pg.from_quantecon(form, 0)
        assert f"action 0 is infeasible in state 1 ({why})" in str(caught.value) and "finite penalty" in str(caught.value)


@pytest.mark.parametrize("ddp, words", [
    (object(), "needs a quantecon.markov.DiscreteDP, not object"),
    (DiscreteDP(np.array([[np.nan]]), np.array([[[1.0]]]), GAMMA), "R[0, 0] is nan"),
    (DiscreteDP(np.array([[1.0]]), np.array([[[0.7]]]), GAMMA), "P[0, 0] sums to 0.7"),
])
def test_bad_quantecon_models_are_refused(ddp, words):
    with pytest.raises(pg.InvalidMDPError) as caught:
        pg.from_quantecon(ddp, 0)
    assert words in str(caught.value)
