"""Enumeration: every trajectory once, with its probability, and counted without being listed."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from episodic import as_floats, bandit, exact_mdp, problems

import pgtheory as pg
from pgtheory.trajectories.enumeration import count_trajectories

CASES = list(problems(8, seed=2))


def brute_force(mdp, pi, T):
    """{states and actions: probability} by walking through all (S A)^T sequences, terminal states cut off."""
    found = {}
    S, A = mdp.n_states, mdp.n_actions
    for s0, steps in itertools.product(range(S), itertools.product(itertools.product(range(A), range(S)), repeat=T)):
        p, s, row = mdp.rho[s0], s0, [s0]
        for a, t in steps:
            if mdp.terminal[s]:
                a, t = 0, s
            else:
                p = p * pi[s, a] * mdp.P[s, a, t]
            row, s = row + [a, t], t
        if p:
            found[tuple(int(x) for x in row)] = p
    return found


@pytest.mark.parametrize(("mdp", "policy", "theta", "T"), CASES)
def test_trajectories_are_those_of_the_brute_force_walk(mdp, policy, theta, T):
    pi, T = policy.probabilities(theta), min(T, 2)
    batch = pg.enumerate_trajectories(mdp, pi, T)
    rows = {}
    for n in range(len(batch)):
        steps = zip(batch.actions[n], batch.states[n, 1:], strict=True)
        rows[(int(batch.states[n, 0]), *(int(x) for step in steps for x in step))] = batch.probability[n]
    assert len(rows) == len(batch)
    assert rows == brute_force(mdp, pi, T)


@pytest.mark.parametrize(("mdp", "policy", "theta", "T"), CASES)
def test_probabilities_sum_to_one_and_the_count_is_right(mdp, policy, theta, T):
    pi = policy.probabilities(theta)
    batch = pg.enumerate_trajectories(mdp, pi, T)
    assert sum(batch.probability) == 1
    assert count_trajectories(mdp, pi, T) == len(batch)


def test_nothing_branches_after_the_end():
    mdp = bandit([Fraction(1), Fraction(0)])
    batch = pg.enumerate_trajectories(mdp, [[Fraction(1, 2)] * 2] * 2, horizon=5)
    assert len(batch) == 2
    assert batch.states.tolist() == [[0, 1, 1, 1, 1, 1]] * 2
    assert batch.valid.tolist() == [[True] + [False] * 4] * 2
    assert batch.actions[:, 1:].sum() == 0


def test_actions_that_are_never_taken_do_not_branch():
    batch = pg.enumerate_trajectories(bandit([1.0, 0.0]), [[0.0, 1.0]] * 2, horizon=1)
    assert batch.actions.tolist() == [[1]]


def test_too_many_are_refused_with_their_count_at_once():
    """40 steps of 4 branches: refused by counting, not by trying."""
    mdp = pg.MDP([[[0.5, 0.5], [0.5, 0.5]]] * 2, [1.0, 0.0], 0.9, 0)
    with pytest.raises(pg.PGTheoryError, match=f"there are {4**40} trajectories of up to 40 steps"):
        pg.enumerate_trajectories(mdp, [[0.5, 0.5]] * 2, horizon=40)
    assert len(pg.enumerate_trajectories(mdp, [[0.5, 0.5]] * 2, horizon=4, limit=256)) == 256
    with pytest.raises(pg.PGTheoryError, match="256"):
        pg.enumerate_trajectories(mdp, [[0.5, 0.5]] * 2, horizon=4, limit=255)


def test_symbols_pass_through_and_the_log_derivative_is_the_score():
    """w d/dw log P(tau | w) of the symbolic probability is the trajectory's score: the dynamics drop out."""
    from sympy import QQ
    from sympy.polys.fields import field

    from pgtheory.trajectories.likelihood import trajectory_score

    _, *w = field("a, b, c, d", QQ)
    theta = np.array(w, dtype=object).reshape(2, 2)
    mdp = exact_mdp(np.random.default_rng(4), 2, 2, terminal=False)
    policy = pg.SoftmaxPolicy(2, 2, weights=True)
    batch = pg.enumerate_trajectories(mdp, policy.probabilities(theta), horizon=2)
    score = trajectory_score(batch, policy, theta)
    assert batch.probability.sum() == 1
    for n, p in enumerate(batch.probability):
        for index, x in np.ndenumerate(theta):
            assert x * p.diff(x) / p == score[n][index]


def test_sparse_models_enumerate_alike():
    import scipy.sparse

    mdp = as_floats(exact_mdp(np.random.default_rng(8)))
    sparse = pg.MDP(scipy.sparse.csr_array(mdp.P.reshape(6, 3)), scipy.sparse.csr_array(np.asarray(mdp.R).reshape(6, 3)),
                    mdp.gamma, mdp.rho)
    pi = np.full((3, 2), 0.5)
    one, other = pg.enumerate_trajectories(mdp, pi, 3), pg.enumerate_trajectories(sparse, pi, 3)
    assert np.array_equal(one.states, other.states) and np.array_equal(one.rewards, other.rewards)
    assert np.array_equal(one.probability, other.probability)


def test_floats_and_fractions_do_not_mix():
    with pytest.raises(pg.NotExactError):
        pg.enumerate_trajectories(exact_mdp(np.random.default_rng(0)), np.full((3, 2), 0.5), 2)


def test_batches_of_policies_are_refused():
    with pytest.raises(pg.InvalidPolicyError, match="one policy"):
        pg.enumerate_trajectories(bandit([1.0, 0.0]), np.full((3, 2, 2), 0.5), 2)
