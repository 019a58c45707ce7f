"""Sparse systems: elimination where it stays sparse, iteration where it would fill in; both to rounding level."""

import numpy as np
import pytest
import scipy.sparse

import pgtheory as pg
from pgtheory.arithmetic import EPS, sparse
from pgtheory.arithmetic.sparse import FILL, SMALL, SparseFactorization, work_of_elimination

S, GAMMA = 4500, 0.99


def random_graph(n=S, k=5, seed=0):
    """A transition law with k random successors a state: elimination would fill it in."""
    rng = np.random.default_rng(seed)
    rows, columns = np.repeat(np.arange(n), k), rng.integers(0, n, n * k)
    law = scipy.sparse.coo_array((rng.dirichlet(np.ones(k), n).ravel(), (rows, columns)), shape=(n, n)).tocsr()
    return scipy.sparse.csr_array(law)


def system(law, gamma=GAMMA):
    return scipy.sparse.csr_array(scipy.sparse.eye_array(law.shape[0]) - gamma * law)


@pytest.fixture(scope="module")
def matrix():
    return system(random_graph())


@pytest.mark.parametrize("transpose", [False, True])
def test_iteration_and_elimination_give_the_same(matrix, transpose):
    iterated, direct = SparseFactorization(matrix), SparseFactorization(matrix)
    assert iterated._iterate
    direct._iterate = False
    B = np.random.default_rng(1).standard_normal((S, 2))
    X, Y = iterated.solve(B, transpose), direct.solve(B, transpose)
    assert iterated._lu is None      # it did not factorise in secret
    # each residual is at most 64 eps of (|x| + |b|), and the inverse at most 1/(1-gamma) in the norm of its rows (columns, transposed:
    # there the largest entry is at most the sum, hence S)
    bound = 2 * 64 * EPS * (np.abs(X).max() + np.abs(B).max()) / (1 - GAMMA) * (S if transpose else 1)
    assert np.abs(X - Y).max() <= bound


def test_the_imaginary_part_of_a_complex_step_survives_iteration(matrix):
    """(M + ih N) x = b has the imaginary part -h M^-1 N M^-1 b, twenty digits below the real one."""
    N, b, h = system(random_graph(seed=2)), np.random.default_rng(3).standard_normal(S), 1e-20
    found = SparseFactorization(scipy.sparse.csr_array(matrix + 1j * h * N))
    assert found._iterate
    x = found.solve(b)
    M = SparseFactorization(matrix)
    expected = -M.solve(N @ M.solve(b))
    assert found._lu is None
    assert np.abs(x.imag / h - expected).max() <= 1e4 * EPS * np.abs(expected).max() / (1 - GAMMA)
    assert np.abs(x.imag).max() > 0


def test_a_large_imaginary_part_is_left_to_elimination_where_the_parts_do_not_settle():
    M = scipy.sparse.csr_array(system(random_graph(n=SMALL + 1, k=2)) * (1 + 3j))
    found, b = SparseFactorization(M), np.ones(SMALL + 1)
    found._iterate = True
    with pytest.warns(pg.SlowWarning, match="iteration stalled on 4001 states"):
        x = found.solve(b)
    assert np.abs(M @ x - b).max() <= 1e3 * EPS * (np.abs(x).max() + 1)


def test_where_iteration_stalls_it_says_so_and_elimination_answers(matrix, monkeypatch):
    M = system(random_graph(n=SMALL + 1, k=2))
    found, b = SparseFactorization(M), np.random.default_rng(4).standard_normal(SMALL + 1)
    found._iterate = True
    monkeypatch.setattr(sparse, "ROUNDS", 1)
    with pytest.warns(pg.SlowWarning, match="may take long, or more memory than there is"):
        x = found.solve(b)
    assert np.abs(M @ x - b).max() <= 1e3 * EPS * (np.abs(x).max() + np.abs(b).max())


def shuffled(law, seed=0):
    order = np.random.default_rng(seed).permutation(law.shape[0])
    return scipy.sparse.csr_array(law[order][:, order])


def grid(n):
    line = scipy.sparse.diags_array([np.ones(n - 1), np.ones(n - 1)], offsets=[-1, 1])
    both = scipy.sparse.kron(line, scipy.sparse.eye_array(n)) + scipy.sparse.kron(scipy.sparse.eye_array(n), line)
    return scipy.sparse.csr_array(both / 4)


def cycle(n):
    return scipy.sparse.csr_array((np.ones(n), (np.arange(n), (np.arange(n) + 1) % n)), shape=(n, n))


def with_an_end(law):
    """The same law, every step of which may also end the episode: the end is everybody's neighbour."""
    n = law.shape[0]
    ends = scipy.sparse.csr_array(np.full((n, 1), 0.01))
    return scipy.sparse.csr_array(scipy.sparse.block_array([[0.99 * law, ends], [None, scipy.sparse.eye_array(1)]]))


@pytest.mark.parametrize("size", [5e-324 * 2**20, 1e-300, 1e300])
def test_iteration_does_not_mind_the_size_of_the_right_hand_side(matrix, size):
    """M 1 = (1 - gamma) 1 up to the rounding of the rows; residuals of tiny rewards are subnormal."""
    factor = SparseFactorization(matrix)
    x = factor.solve(matrix @ np.full(S, size))
    assert factor._lu is None
    assert np.abs(x / size - 1).max() <= (2**-19 if size < 1e-310 else 64 * EPS) / (1 - GAMMA)


@pytest.mark.parametrize(("law", "iterates"), [
    (grid(80), False), (shuffled(grid(80)), False), (with_an_end(grid(80)), False), (cycle(5000), False),
    (shuffled(cycle(5000)), False), (random_graph(), True), (with_an_end(random_graph()), True), (random_graph(n=SMALL), False)])
def test_the_structure_decides(law, iterates):
    assert SparseFactorization(system(law))._iterate is iterates


def test_the_estimate_of_the_work_is_that_of_a_band():
    """On a grid of m x m in natural order the band is m wide, and n of them are m^4 multiplications."""
    assert work_of_elimination(system(grid(80))) == 80.0**4 <= FILL * 6400**2


def test_a_large_random_model_is_solved_and_its_bounds_hold():
    law = random_graph(n=20_000)
    mdp = pg.MDP(law, np.arange(20_000) % 7 / 7.0, 0.999, 0, normalize=True)
    solution = pg.solve(mdp, np.ones((20_000, 1)))
    residual = solution.V - (mdp.r[:, 0] + 0.999 * (mdp.P @ solution.V))
    assert np.abs(residual).max() <= 64 * EPS * (np.abs(solution.V).max() + 1)
    assert abs(solution.D.sum() - 1) <= 64 * EPS * 20_000
    assert float(np.max(solution.error_bounds["V"])) <= 1e-10 * np.abs(solution.V).max()
