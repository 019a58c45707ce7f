"""Gradient ascent: known optima, step rules, stopping, no silent divergence. Simulated gradients beside exact ones."""

import numpy as np
import pytest
from episodic import as_floats, bandit, corridor, exact_mdp, fractions, shared_policy

import pgtheory as pg
import pgtheory.streaming
from pgtheory.estimators import GAE, Baseline, Gpomdp, LeaveOneOut, Reinforce, RewardToGo


def test_the_short_corridor_is_climbed_to_two_minus_root_two():
    """The optimum of p -> J(p) is p = 2 - sqrt 2, J = -(6 + 4 sqrt 2) (Sutton & Barto 2018, example 13.1)."""
    history = pg.gradient_ascent(corridor(), shared_policy(), [0.0], step=0.02, iterations=1000, tolerance=1e-10)
    assert history.reason == "tolerance" and history.gradient_norm[-1] <= 1e-10
    assert abs(1 / (1 + np.exp(-history.theta[-1, 0])) - (2 - np.sqrt(2))) < 1e-10
    assert abs(history.J[-1] + 6 + 4 * np.sqrt(2)) < 1e-10
    assert len(history.theta) == len(history.J) == len(history.gradient_norm) == len(history.step_size) + 1


def test_small_exact_steps_never_descend():
    mdp = as_floats(exact_mdp(np.random.default_rng(2), 3, 2))
    history = pg.gradient_ascent(mdp, pg.SoftmaxPolicy(3, 2), np.zeros((3, 2)), step=0.05, iterations=100)
    assert (np.diff(history.J) >= 0).all() and history.J[-1] > history.J[0] and history.reason == "iterations"
    assert history.theta.shape == (101, 3, 2)


def test_one_exact_step_is_theta_plus_alpha_gradient():
    mdp, policy, theta = as_floats(exact_mdp(np.random.default_rng(3))), pg.SoftmaxPolicy(3, 2), np.ones((3, 2))
    for horizon in (None, 4):
        history = pg.gradient_ascent(mdp, policy, theta, step=0.5, iterations=1, horizon=horizon)
        gradient = pg.policy_gradient(mdp, policy, theta, horizon=horizon)
        assert np.allclose(history.theta[1], theta + 0.5 * gradient, atol=1e-15)
        assert history.J[0] == pg.solve(mdp, policy.probabilities(theta), horizon).J
        assert np.isclose(history.gradient_norm[0], np.linalg.norm(gradient))


def test_step_rules_are_called_with_the_step_number():
    history = pg.gradient_ascent(bandit([1.0, 0.0]), pg.SoftmaxPolicy(2, 2), np.zeros((2, 2)), lambda k: 1 / (k + 1), 4)
    assert history.step_size.tolist() == [1, 1 / 2, 1 / 3, 1 / 4]


@pytest.mark.parametrize("step", [0, -1.0, float("nan"), float("inf"), "big", lambda k: None])
def test_steps_that_are_none_are_refused(step):
    with pytest.raises(pg.PGTheoryError, match="step 0 has size"):
        pg.gradient_ascent(bandit([1.0, 0.0]), pg.SoftmaxPolicy(2, 2), np.zeros((2, 2)), step, 1)


@pytest.mark.parametrize("estimator", [Reinforce(), RewardToGo(), Baseline(0.5), LeaveOneOut(), GAE(0.0, 1.0)])
def test_estimators_climb_too(estimator):
    """From J = 1/2 on the bandit r = (1, 0); 300 steps of 8 episodes, fixed seed; each step of a single episode can fall."""
    history = pg.gradient_ascent(bandit([1.0, 0.0]), pg.SoftmaxPolicy(2, 2), np.zeros((2, 2)), 0.5, 300, estimator, 8, rng=1)
    assert history.J[-1] > 0.9
    again = pg.gradient_ascent(bandit([1.0, 0.0]), pg.SoftmaxPolicy(2, 2), np.zeros((2, 2)), 0.5, 300, estimator, 8, rng=1)
    assert np.array_equal(history.theta, again.theta)


def test_a_followed_estimate_is_the_batch_mean():
    mdp, policy, theta = corridor(), shared_policy(), np.zeros(1)
    history = pg.gradient_ascent(mdp, policy, theta, 0.01, 1, Reinforce(), n=3, rng=5)
    batch = pg.sample(mdp, policy.probabilities(theta), 3, rng=5)
    assert np.allclose(history.theta[1], 0.01 * batch.mean(Reinforce()(batch, policy, theta, 1.0)))


def test_probabilities_stay_on_the_simplex():
    """Projected ascent of the direct parameterisation reaches the best arm; the projection by its optimality condition."""
    history = pg.gradient_ascent(bandit([1.0, 0.0, 0.5]), pg.DirectPolicy(2, 3), np.full((2, 3), 1 / 3), 1.0, 20)
    assert np.allclose(history.theta[-1][0], [1, 0, 0]) and np.allclose(history.theta.sum(axis=2), 1)
    from pgtheory.ascent import _project

    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 4))
    nearest = _project(x)
    for corner in np.eye(4):      # (x - p) . (q - p) <= 0 for every q of the simplex
        assert (((x - nearest) * (corner - nearest)).sum(axis=1) <= 1e-12).all()


def test_divergence_is_said_and_the_history_kept():
    with pytest.raises(pg.UndefinedError, match="the ascent broke down at step 1: J does not exist any more") as caught:
        pg.gradient_ascent(corridor(), shared_policy(), [-3.0], step=1e3, iterations=10)
    assert caught.value.history.theta.tolist() == [[-3.0]]
    mdp = pg.MDP([[[0, 1], [0, 1]], [[0, 1], [0, 1]]], [[1e280, -1e280], [0, 0]], 1.0, 0)
    with pytest.raises(pg.PGTheoryError, match="broke down at step 1"):
        pg.gradient_ascent(mdp, pg.SoftmaxPolicy(2, 2), np.zeros((2, 2)), step=1e30, iterations=10)


def test_a_start_without_value_is_refused_as_itself():
    with pytest.raises(pg.UndefinedError, match="^gamma = 1, and state"):
        pg.gradient_ascent(corridor(), pg.DirectPolicy(4, 2), [[0.0, 1.0]] * 4, step=1.0, iterations=1)


def test_exact_parameters_are_refused():
    with pytest.raises(pg.NotExactError):
        pg.gradient_ascent(bandit([1, 0]), pg.SoftmaxPolicy(2, 2, weights=True), fractions([[1, 2], [1, 1]]), 1, 1)


# ------------------------------------------------------------------------------------------------------- simulation


SIGMAS = 6.5      # P(|z| > 6.5) = 8e-11; six entries at most are compared


@pytest.fixture(scope="module")
def problem():
    mdp = as_floats(exact_mdp(np.random.default_rng(12), 3, 2, terminal=True))
    return mdp, pg.SoftmaxPolicy(3, 2), np.random.default_rng(1).normal(size=(3, 2))


@pytest.mark.parametrize("estimator", [Reinforce(), RewardToGo(), Gpomdp(), Baseline(1.0),
                                       RewardToGo(gamma_weighting=False)])
def test_simulated_means_lie_where_the_exact_moments_say(problem, estimator):
    """Null hypothesis: the mean of n estimates is normal, with exact mean and exact variance over n. alpha = 5e-10."""
    mdp, policy, theta = problem
    n, T = 20_000, 5
    exact = pg.moments(estimator, mdp, policy, theta, horizon=T)
    sigma = np.sqrt(np.maximum(exact.variance, 0) / n) + 1e-15
    simulated = pg.simulate_gradient(estimator, mdp, policy, theta, n, T, rng=3)
    assert (np.abs(simulated.mean - exact.mean) < SIGMAS * sigma).all()
    assert (np.abs(simulated.standard_error / sigma - 1)[exact.variance > 1e-9] < 0.6).all()
    other = pg.moments(estimator, mdp, policy, theta + 1.0 * np.eye(3, 2), horizon=T)     # negative control: elsewhere
    assert (np.abs(simulated.mean - other.mean) > SIGMAS * sigma).any()


def test_the_fast_path_accumulates_what_single_trajectories_give(problem, monkeypatch):
    """Both paths agree within their errors, for rewards of every shape and for rows of unequal length; alpha = 5e-10."""
    mdp, policy, theta = problem
    for R in (mdp.R, mdp.r, np.array([1.0, -1.0, 0.0])):
        model = pg.MDP(mdp.P, R, mdp.gamma, mdp.rho)
        exact = pg.moments(RewardToGo(), model, policy, theta, horizon=6)
        simulated = pg.simulate_gradient(RewardToGo(), model, policy, theta, 10_001, 6, rng=1)
        assert (np.abs(simulated.mean - exact.mean) < SIGMAS * np.sqrt(exact.variance / 10_001) + 1e-12).all()


def test_chunks_change_nothing_but_the_memory(problem, monkeypatch):
    """Merged over many chunks, mean and standard error are those of all estimates at once."""
    mdp, policy, theta = problem
    monkeypatch.setattr(pgtheory.streaming, "STEPS", 8 * 6 * 10)
    chunks = []

    def spy(batch, policy, theta, gamma):
        chunks.append(Reinforce()(batch, policy, theta, gamma))
        return chunks[-1]

    simulated = pg.simulate_gradient(spy, mdp, policy, theta, 95, 4, rng=2)
    together = np.concatenate(chunks)
    assert len(chunks) > 5 and len(together) == 95
    assert np.allclose(simulated.mean, together.mean(axis=0), atol=1e-14)
    assert np.allclose(simulated.standard_error, together.std(axis=0, ddof=1) / np.sqrt(95), atol=1e-14)


def test_memory_does_not_grow_with_the_number_of_trajectories(problem):
    import tracemalloc

    mdp, policy, theta = problem
    peaks = []
    for n in (50_000, 200_000):
        tracemalloc.start()
        pg.simulate_gradient(RewardToGo(), mdp, policy, theta, n, 4, rng=0)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_sparse_models_and_episodes_without_horizon():
    import scipy.sparse

    mdp, policy = corridor(), shared_policy()
    sparse = pg.MDP(scipy.sparse.csr_array(mdp.P.reshape(8, 4)), scipy.sparse.csr_array(
        np.where(mdp.P.reshape(8, 4) > 0, np.repeat(mdp.R, 2)[:, None], 0.0)), 1.0, 0)
    for model, horizon in ((sparse, 40), (mdp, None)):
        exact = pg.moments(RewardToGo(), model, policy, [0.0], horizon=horizon)
        simulated = pg.simulate_gradient(RewardToGo(), model, policy, [0.0], 8_000, horizon, rng=4)
        assert abs(simulated.mean[0] - exact.mean[0]) < SIGMAS * np.sqrt(exact.total_variance / 8_000)


def test_simulation_of_fractions_and_of_wrong_shapes_is_refused(problem):
    mdp, policy, theta = problem
    with pytest.raises(pg.NotExactError, match="pg.moments"):
        pg.simulate_gradient(RewardToGo(), exact_mdp(np.random.default_rng(1)), pg.SoftmaxPolicy(3, 2, weights=True),
                             fractions(np.ones((3, 2))), 10, 2)
    with pytest.raises(pg.PGTheoryError, match="the estimator returned shape"):
        pg.simulate_gradient(lambda *_: np.zeros(3), mdp, policy, theta, 10, 2)


def test_memory_of_single_estimates_does_not_grow_either(problem):
    """Reinforce has no fast path: chunks of 20,000 and of 80,000 estimates peak alike."""
    import tracemalloc

    mdp, policy, theta = problem
    peaks = []
    for n in (20_000, 80_000):
        tracemalloc.start()
        pg.simulate_gradient(Reinforce(), mdp, policy, theta, n, 100, rng=0)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_the_standard_error_of_groups_is_unbiased_and_covers(problem):
    """H0: the squared standard error averages the exact variance of the mean, and (mean - truth) / error follows Student's t
    with 63 degrees of freedom. 300 runs, six entries, normal: the average within 6.5 of its standard errors, sqrt(2 / 63 /
    300), and misses of 90 % intervals below the binomial quantile; alpha = 1e-9 each. Control: 10 % off would be seen.
    """
    from scipy.stats import binom, t

    mdp, policy, theta = problem
    n, runs = 4160, 300                       # 64 groups of 65
    exact = pg.moments(RewardToGo(), mdp, policy, theta, horizon=3)
    rng = np.random.default_rng(11)
    found = [pg.simulate_gradient(RewardToGo(), mdp, policy, theta, n, 3, rng=rng) for _ in range(runs)]
    moving = exact.variance > 1e-12
    ratio = np.mean([one.standard_error**2 for one in found], axis=0)[moving] / (exact.variance[moving] / n)
    assert np.abs(ratio - 1).max() < SIGMAS * np.sqrt(2 / 63 / runs) < 0.1
    off = np.array([np.abs(one.mean - exact.mean)[moving] / one.standard_error[moving] for one in found])
    misses = (off > t.ppf(0.95, 63)).sum(axis=0)
    low, high = binom.ppf([1e-10, 1 - 1e-10], runs, 0.1)
    assert ((low <= misses) & (misses <= high)).all()


def test_unequal_groups_leave_the_squared_error_unbiased(problem, monkeypatch):
    """H0: as above, with chunks that do not divide n, so that groups have 1 or 2 trajectories; alpha = 1e-9, normal."""
    mdp, policy, theta = problem
    monkeypatch.setattr(pgtheory.streaming, "FEW", 64)
    exact = pg.moments(RewardToGo(), mdp, policy, theta, horizon=2)
    rng, n, runs = np.random.default_rng(12), 100, 2000
    squares = np.array([pg.simulate_gradient(RewardToGo(), mdp, policy, theta, n, 2, rng=rng).standard_error**2
                        for _ in range(runs)])
    sigma = squares.std(axis=0) / np.sqrt(runs)
    assert (np.abs(squares.mean(axis=0) - exact.variance / n) < SIGMAS * sigma + 1e-15).all()


@pytest.mark.parametrize("estimator", [RewardToGo(), Reinforce()])
def test_an_interrupted_simulation_says_what_it_kept(problem, estimator, monkeypatch):
    """Ctrl-C in the fourth chunk, at its worst moment: what is kept is what the first three chunks give alone."""
    mdp, policy, theta = problem
    monkeypatch.setattr(pgtheory.streaming, "STEPS", 2**15)
    monkeypatch.setattr(pgtheory.streaming, "WIDTH", 1024)
    shown = []

    def show(self, done):
        shown.append(done)

    def interrupt(*arguments, **options):
        if len(shown) == 3:
            raise KeyboardInterrupt
        return original(*arguments, **options)

    fast = isinstance(estimator, RewardToGo)
    owner, name = (pgtheory.streaming._Walk, "_backward") if fast else (pgtheory.streaming, "sample")
    original = getattr(owner, name)
    monkeypatch.setattr(pgtheory.streaming._Progress, "show", show)
    monkeypatch.setattr(owner, name, interrupt)
    with pytest.raises(pgtheory.streaming.SimulationInterrupted, match="interrupted after .* holds their mean") as stopped:
        pg.simulate_gradient(estimator, mdp, policy, theta, 100_000, 4, rng=0)
    n, kept = stopped.value.n, stopped.value.result
    assert n == shown[2] and isinstance(stopped.value, KeyboardInterrupt)
    exact = pg.moments(estimator, mdp, policy, theta, horizon=4)
    assert (np.abs(kept.mean - exact.mean) < 8 * np.sqrt(exact.variance / n) + 1e-12).all()
    if fast:
        monkeypatch.setattr(owner, name, original)
        again = pg.simulate_gradient(estimator, mdp, policy, theta, n, 4, rng=0)
        assert n >= pgtheory.streaming.FEW or np.allclose(kept.mean, again.mean, atol=1.0)
        assert n < pgtheory.streaming.FEW or (np.array_equal(kept.mean, again.mean)
                                              and np.array_equal(kept.standard_error, again.standard_error))


class Terminal:
    """A standard error that is a terminal, and keeps what was written."""

    encoding = "utf-8"

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text
        return len(text)

    def flush(self):
        pass

    def isatty(self):
        return True


@pytest.mark.parametrize("estimator", [RewardToGo(), Reinforce()])
@pytest.mark.parametrize("patience, shows", [(-1.0, True), (3600.0, False)])
def test_a_progress_bar_appears_on_a_terminal_after_a_while(problem, estimator, patience, shows, monkeypatch):
    mdp, policy, theta = problem
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr(pgtheory.streaming, "PATIENCE", patience)
    pg.simulate_gradient(estimator, mdp, policy, theta, 20_000, 4, rng=0)
    assert ("trajectories" in terminal.text) == shows
    monkeypatch.setattr(terminal, "isatty", lambda: False)
    terminal.text = ""
    pg.simulate_gradient(estimator, mdp, policy, theta, 20_000, 4, rng=0)
    assert terminal.text == ""


@pytest.mark.parametrize("tolerance", [float("nan"), -1.0, "small", None])
def test_tolerances_that_are_none_are_refused(tolerance):
    with pytest.raises(pg.PGTheoryError, match="tolerance is"):
        pg.gradient_ascent(bandit([1.0, 0.0]), pg.SoftmaxPolicy(2, 2), np.zeros((2, 2)), 1.0, 1, tolerance=tolerance)


def test_an_estimator_of_another_shape_is_refused():
    with pytest.raises(pg.PGTheoryError, match=r"the estimator's mean has shape \(3,\)"):
        pg.gradient_ascent(bandit([1.0, 0.0]), pg.SoftmaxPolicy(2, 2), np.zeros((2, 2)), 1.0, 1, horizon=1,
                           estimator=lambda batch, *_: np.zeros((len(batch), 3)))


def test_a_leap_onto_a_plateau_is_no_optimum_and_says_so():
    """A step of 1e6 against the gradient's sign at first: the softmax underflows, its gradient is 0, J is not the best."""
    history = pg.gradient_ascent(bandit([0.0, 1.0]), pg.SoftmaxPolicy(2, 2), np.zeros((2, 2)), 1e6, 5, horizon=1,
                                 estimator=lambda batch, *_: np.broadcast_to([[1.0, -1.0], [0.0, 0.0]], (len(batch), 2, 2)))
    assert history.reason == "saturated" and history.J[-1] < 1e-300 and history.gradient_norm[-1] == 0


EVERY = [Reinforce(), RewardToGo(), Gpomdp(), Baseline([0.5, 0.0]), LeaveOneOut(), GAE(0.0, 0.9), pg.estimators.ActorCritic(0.0),
         pg.estimators.NStep(0.0, 2), pg.estimators.AllAction(), pg.estimators.PerDecisionIS(), pg.estimators.TrajectoryIS(),
         pg.estimators.VTrace(0.0)]


@pytest.mark.parametrize("estimator", EVERY, ids=lambda e: type(e).__name__)
def test_every_estimator_can_be_followed_and_is_where_its_mean_is_the_gradient(estimator):
    """300 steps of 8 episodes on the bandit r = (1, 0), from J = 1/2, fixed seed."""
    history = pg.gradient_ascent(bandit([1.0, 0.0]), pg.SoftmaxPolicy(2, 2), np.zeros((2, 2)), step=0.2, iterations=300,
                                 estimator=estimator, n=8, horizon=1, rng=1)
    assert history.J[-1] > 0.9 and len(history.J) == 301
