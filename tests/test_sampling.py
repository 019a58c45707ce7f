"""Alias tables and chain sampling: the laws they imply, exactly where that can be computed, statistically where not."""

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse

import pgtheory as pg
from pgtheory.trajectories.sampling import AliasTable, ChainSampler

EPS = np.finfo(float).eps
FALSE_ALARM = 1e-9


def frequency_bound(n, cells):
    """Hoeffding: all of ``cells`` frequencies of n draws lie this close to their probabilities, but for probability 1e-9."""
    return np.sqrt(np.log(2 * cells / FALSE_ALARM) / (2 * n))


def random_model(S, A, seed, gamma=0.9, holes=True):
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.ones(S), size=(S, A))
    if holes:
        P[rng.random(P.shape) < 0.4] = 0.0
        P[..., 0] += P.sum(axis=-1) == 0
    R = rng.standard_normal((S, A, S))
    return pg.MDP(P, R, gamma, np.full(S, 1 / S), normalize=True), rng.dirichlet(np.ones(A), size=S)


WEIGHTS = {
    "one outcome": [1.0],
    "uniform": np.full(7, 1 / 7),
    "nearly uniform": np.full(64, 1 / 64) * (1 + np.linspace(-1, 1, 64) * 1e-15),
    "one heavy": np.r_[1 - 99e-6, np.full(99, 1e-6)],
    "tiny beside heavy": [1.0, 1e-300, 1e-16, 5e-324],
    "geometric": 0.5 ** np.arange(1, 50) + np.r_[np.zeros(48), 0.5**49],
    "random": np.random.default_rng(1).dirichlet(np.full(500, 0.1)).clip(1e-30),
    "large": np.random.default_rng(2).dirichlet(np.ones(4000)),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_the_table_implies_the_weights(name):
    """Every slot carries at most K roundings of numbers below K, divided by K: the error stays below (K + 8) eps / 2, and
    in fact near 1e-15."""
    p = np.asarray(WEIGHTS[name], dtype=float)
    implied = AliasTable(p, [len(p)]).probabilities
    error = np.abs(implied - p / p.sum()).max()
    assert error <= min((len(p) + 8) * EPS / 2, 2e-15)
    assert implied.sum() == pytest.approx(1, abs=1e-13)


def test_rows_of_all_lengths_side_by_side_equal_rows_by_themselves():
    rng = np.random.default_rng(3)
    rows = [rng.dirichlet(np.full(k, 0.3)).clip(1e-12) for k in (1, 2, 3, 17, 1, 200, 5)]
    together = AliasTable(np.concatenate(rows), [len(row) for row in rows]).probabilities
    apart = np.concatenate([AliasTable(row, [len(row)]).probabilities for row in rows])
    np.testing.assert_array_equal(together, apart)


def test_a_wrong_alias_shows_in_the_implied_probabilities():
    """Negative control of the two tests above."""
    table = AliasTable([0.7, 0.2, 0.1], [3])
    table._alias = np.arange(3)
    assert np.abs(table.probabilities - [0.7, 0.2, 0.1]).max() > 0.05


def test_draws_follow_the_table():
    """H0: draws follow the weights. Hoeffding over all outcomes, false alarm 1e-9. The control: uniform weights."""
    p, n = np.array([0.5, 0.3, 0.15, 0.04, 0.01]), 400_000
    draws = AliasTable(np.r_[0.5, 0.5, p], [2, 5]).draw(np.ones(n, dtype=int), np.random.default_rng(4))
    frequency = np.bincount(draws - 2, minlength=5) / n
    assert np.abs(frequency - p).max() <= frequency_bound(n, 5)
    assert np.abs(frequency - 0.2).max() > frequency_bound(n, 5)


def test_the_largest_uniform_number_stays_in_its_row():
    """floor(u K) < K also where u K is rounded: u = 1 - 2^-53 in rows of every length up to 1500 and a long one."""

    class Edge:
        def random(self, shape):
            return np.full(shape, 1 - 2.0**-53)

    counts = np.r_[np.arange(1, 1500), 2**19 + 1]
    table = AliasTable(np.ones(counts.sum()), counts)
    draws = table.draw(np.arange(len(counts)), Edge())
    np.testing.assert_array_equal(draws, np.cumsum(counts) - 1)


@pytest.mark.parametrize("seed", range(5))
def test_outcomes_are_the_joint_law_without_its_zeros(seed):
    mdp, pi = random_model(5, 3, seed)
    pi[0] = [1.0, 0.0, 0.0]
    chain = ChainSampler(mdp, pi)
    joint = np.zeros((5, 3, 5))
    joint[chain.states, chain.actions, chain.next_states] = chain.probabilities
    np.testing.assert_array_equal(joint, pi[:, :, None] * mdp.P)
    assert (chain.probabilities > 0).all() and len(chain.probabilities) == np.count_nonzero(joint)
    np.testing.assert_array_equal(chain.rewards, mdp.R[chain.states, chain.actions, chain.next_states])


@pytest.mark.parametrize("rewards", ["s", "sa", "sas"])
def test_a_sparse_model_walks_like_the_dense_one(rewards):
    dense, pi = random_model(6, 2, 7)
    R = {"s": dense.R[:, 0, 0], "sa": dense.R[:, :, 0], "sas": dense.R}[rewards]
    P_sparse = scipy.sparse.csr_array(dense.P.reshape(12, 6))
    R_sparse = scipy.sparse.csr_array(R.reshape(12, 6)) if rewards == "sas" else R
    a = ChainSampler(pg.MDP(dense.P, R, 0.9, 0), pi)
    b = ChainSampler(pg.MDP(P_sparse, R_sparse, 0.9, 0), pi)
    for name in ("states", "actions", "next_states", "rewards", "probabilities", "offsets"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    walks = [chain.walk(chain.start(50, 1), np.arange(50), 2, chain.rewards, 0.5) for chain in (a, b)]
    np.testing.assert_array_equal(walks[0], walks[1])


def test_memory_goes_with_the_non_zeros():
    """A million-row P of a sparse grid: 4 outcomes a state and action, no dense array anywhere."""
    n = 100
    s = np.arange(n * n)
    moves = [np.where((s // n + dx >= 0) & (s // n + dx < n) & (s % n + dy >= 0) & (s % n + dy < n), s + n * dx + dy, s)
             for dx, dy in ((0, 1), (0, -1), (1, 0), (-1, 0))]
    P = scipy.sparse.csr_array((np.ones(4 * n * n), np.stack(moves, axis=1).reshape(-1), np.arange(4 * n * n + 1)))
    chain = ChainSampler(pg.MDP(P, np.where(s == 0, 1.0, 0.0), 0.9, 0), np.full((n * n, 4), 0.25))
    assert len(chain.probabilities) == 4 * n * n
    actions, _, following = chain.step(s, rng=0)
    np.testing.assert_array_equal(following, np.stack(moves, axis=1)[s, actions])
    assert chain.reachable.all()


def test_start_and_actions_follow_rho_and_pi_and_never_leave_their_support():
    """H0: starts follow rho, actions pi(.|s). Hoeffding, false alarm 1e-9 each."""
    mdp, pi = random_model(4, 3, 11)
    mdp = pg.MDP(mdp.P, mdp.R, 0.9, [0.7, 0.0, 0.3, 0.0])
    pi[2] = [0.0, 0.25, 0.75]
    chain, n = ChainSampler(mdp, pi), 200_000
    starts = np.bincount(chain.start(n, 5), minlength=4) / n
    assert np.abs(starts - mdp.rho).max() <= frequency_bound(n, 4) and starts[1] == starts[3] == 0
    actions = np.bincount(chain.draw_actions(np.full(n, 2), 6), minlength=3) / n
    assert np.abs(actions - pi[2]).max() <= frequency_bound(n, 3) and actions[0] == 0


def test_walks_follow_the_matrix_powers_for_every_number_of_steps():
    """H0: after t steps the states follow rho P_pi^t, t = 0..6 in one call. Hoeffding over 28 cells, false alarm 1e-9.
    The control: the law one step earlier is rejected."""
    mdp, pi = random_model(4, 2, 13)
    mdp = pg.MDP(mdp.P, mdp.R, 0.9, 3)
    n, P_pi = 100_000, np.einsum("sa,sat->st", pi, mdp.P)
    chain = ChainSampler(mdp, pi)
    steps = np.tile(np.arange(7), n)
    ends, totals = chain.walk(chain.start(7 * n, 1), steps, 2)
    laws = [mdp.rho @ np.linalg.matrix_power(P_pi, t) for t in range(7)]
    found = [np.bincount(ends[steps == t], minlength=4) / n for t in range(7)]
    assert np.abs(np.subtract(laws, found)).max() <= frequency_bound(n, 28)
    assert np.abs(np.subtract(laws[:-1], found[1:])).max() > frequency_bound(n, 28)
    assert (totals == 0).all()


def test_walkers_keep_their_order_and_their_own_number_of_steps():
    """A ring of 5: the end and the discounted total of every walker are known exactly."""
    ring = pg.MDP(np.roll(np.eye(5), 1, axis=1)[:, None, :], np.arange(5.0), 0.9, 0)
    chain = ChainSampler(ring, np.ones((5, 1)))
    rng = np.random.default_rng(0)
    starts, steps = rng.integers(0, 5, 300), rng.integers(0, 30, 300)
    before = starts.copy(), steps.copy()
    ends, totals = chain.walk(starts, steps, 1, chain.rewards, 0.5)
    np.testing.assert_array_equal(ends, (starts + steps) % 5)
    expected = [sum(0.5**t * ((s + t) % 5) for t in range(m)) for s, m in zip(starts, steps, strict=True)]
    np.testing.assert_allclose(totals, expected, rtol=0, atol=1e-14)
    np.testing.assert_array_equal(before, (starts, steps))


def test_reachable_states_are_those_of_the_matrix_powers():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        following = rng.integers(0, 8, size=(8, 2))
        mdp = pg.MDP(np.eye(8)[following], np.zeros(8), 0.9, int(rng.integers(8)))
        pi = np.eye(2)[rng.integers(0, 2, size=8)]
        powers = np.linalg.matrix_power(np.eye(8) + np.einsum("sa,sat->st", pi, mdp.P), 8)
        np.testing.assert_array_equal(ChainSampler(mdp, pi).reachable, mdp.rho @ powers > 0)


def test_a_seed_and_its_generator_draw_the_same():
    mdp, pi = random_model(5, 2, 17)
    chain = ChainSampler(mdp, pi)
    np.testing.assert_array_equal(chain.start(100, 3), chain.start(100, np.random.default_rng(3)))
    states = chain.start(100, 3)
    np.testing.assert_array_equal(chain.step(states, 4), chain.step(states, np.random.default_rng(4)))
    assert not np.array_equal(chain.step(states, 4), chain.step(states, 5))


def test_exact_models_are_rounded_and_symbolic_ones_refused():
    third = Fraction(1, 3)
    mdp = pg.MDP([[[third, 1 - third]], [[0, 1]]], [[third], [0]], Fraction(1, 2), 0)
    chain = ChainSampler(mdp, [[Fraction(1)], [Fraction(1)]])
    np.testing.assert_array_equal(chain.probabilities, [1 / 3, 2 / 3, 1])
    np.testing.assert_array_equal(chain.rewards, [1 / 3, 1 / 3, 0])
    from sympy import QQ
    from sympy.polys.fields import field

    K, p = field("p", QQ)
    with pytest.raises(pg.NotExactError, match="no numbers to draw with"):
        ChainSampler(mdp, np.array([[K(1)], [K(1)]], dtype=object))
    symbolic = pg.MDP(np.array([[[p, 1 - p]], [[K(0), K(1)]]], dtype=object), [0, 0], Fraction(1, 2), 0)
    with pytest.raises(pg.NotExactError, match="no numbers to draw with"):
        ChainSampler(symbolic, [[1], [1]])


@pytest.mark.parametrize(("pi", "words"), [
    ([[0.5, 0.4], [0.5, 0.5]], r"pi\[0\] sums to 0.9"),
    ([[1.5, -0.5], [0.5, 0.5]], r"pi\[0, 1\] is -0.5"),
    ([[0.5, 0.5], [np.nan, 0.5]], r"pi\[1, 0\] is nan"),
    ([[0.5, 0.5]], r"pi has shape \(1, 2\): it must be \(2, 2\)"),
])
def test_what_is_no_policy_is_refused(pi, words):
    mdp = pg.MDP(np.full((2, 2, 2), 0.5), np.zeros(2), 0.9, 0)
    with pytest.raises(pg.InvalidPolicyError, match=words):
        ChainSampler(mdp, pi)
