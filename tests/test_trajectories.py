"""Trajectories: conventions of the record, the three ways to end, sampling, log-probabilities."""

from fractions import Fraction

import numpy as np
import pytest
from episodic import as_floats, corridor, equal, exact_mdp, problems, shared_policy
from scipy.stats import chi2

import pgtheory as pg
from pgtheory.trajectories.likelihood import log_probability, trajectory_score


def line():
    """0 -> 1 -> 2 -> 3 (terminal), one action, reward 1, 2, 3."""
    return pg.MDP([[[0, 1, 0, 0]], [[0, 0, 1, 0]], [[0, 0, 0, 1]], [[0, 0, 0, 1]]], [1.0, 2.0, 3.0, 0.0], 0.5, 0)


ONE = [[1.0]] * 4


@pytest.mark.parametrize("make", [lambda m, **options: pg.sample(m, ONE, n=2, **options),
                                  lambda m, **options: pg.enumerate_trajectories(m, ONE, **options)])
class TestEnds:
    """Termination, horizon and time limit are told apart, whoever makes the batch."""

    def test_termination(self, make):
        batch = make(line(), horizon=5)
        assert batch.states[0].tolist() == [0, 1, 2, 3, 3, 3] and batch.rewards[0].tolist() == [1, 2, 3, 0, 0]
        assert batch.valid[0].tolist() == [True, True, True, False, False]
        assert batch.terminated[0].tolist() == [False, False, True, False, False]
        assert not batch.truncated.any() and batch.entered_terminal[0, 2]

    def test_horizon(self, make):
        batch = make(line(), horizon=2)
        assert batch.terminated[0].tolist() == [False, True] and not batch.truncated.any()
        assert not batch.entered_terminal.any()

    def test_time_limit(self, make):
        batch = make(line(), horizon=5, time_limit=2)
        assert batch.states.shape[1] == 6 and batch.states[0].tolist() == [0, 1, 2, 2, 2, 2]
        assert batch.rewards[0].tolist() == [1, 2, 0, 0, 0] and batch.valid[0].tolist() == [True, True, False, False, False]
        assert batch.truncated[0].tolist() == [False, True, False, False, False] and not batch.terminated.any()

    def test_a_limit_at_the_horizon_is_the_horizon(self, make):
        batch = make(line(), horizon=2, time_limit=2)
        assert batch.terminated[0].tolist() == [False, True] and not batch.truncated.any()

    def test_a_limit_at_termination_is_termination(self, make):
        batch = make(line(), horizon=5, time_limit=3)
        assert batch.terminated[0, 2] and not batch.truncated.any()

    def test_critics(self, make):
        batch = make(line(), horizon=4).with_critic([10.0, 11.0, 12.0, 13.0])
        assert batch.values[0].tolist() == [10, 11, 12, 0] and batch.next_values[0].tolist() == [11, 12, 13, 0]
        by_time = make(line(), horizon=2).with_critic(np.arange(12.0).reshape(3, 4))
        assert by_time.values[0].tolist() == [0, 5] and by_time.next_values[0].tolist() == [5, 10]

    def test_single_trajectories_are_as_long_as_the_episode(self, make):
        tau = next(iter(make(line(), horizon=5)))
        assert len(tau) == 3 and tau.states.tolist() == [0, 1, 2, 3] and tau.rewards.tolist() == [1, 2, 3]
        assert tau.terminated and not tau.truncated
        assert make(line(), horizon=5, time_limit=2)[0].truncated


def test_sampling_without_horizon_runs_to_the_end():
    batch = pg.sample(corridor(), shared_policy().probabilities([0.0]), n=50, rng=1)
    assert batch.terminated.any(axis=1).all() and (batch.states[:, -1] == 3).all() and batch.horizon is None


def test_sampling_without_an_end_is_refused():
    with pytest.raises(pg.UndefinedError, match="state 0 reaches no terminal state"):
        pg.sample(corridor(), [[0.0, 1.0]] * 4, n=2)


def test_time_limit_alone_leaves_the_problem_unlimited():
    batch = pg.sample(corridor(), [[0.0, 1.0]] * 4, n=2, time_limit=3)
    assert batch.truncated[:, 2].all() and batch.horizon is None and batch.actions.shape == (2, 3)


def test_same_seed_same_sample_and_generators_move_on():
    pi = shared_policy().probabilities([0.0])
    one, two = (pg.sample(corridor(), pi, 5, 8, rng=3) for _ in range(2))
    assert np.array_equal(one.states, two.states) and np.array_equal(one.actions, two.actions)
    rng = np.random.default_rng(3)
    first, second = (pg.sample(corridor(), pi, 5, 8, rng=rng) for _ in range(2))
    assert np.array_equal(first.states, one.states) and not np.array_equal(second.states, one.states)


def _chi_squared(batch, enumerated):
    """Pearson's statistic of the sampled trajectories over the enumerated ones."""
    def keys(b):
        return [tuple(row) for row in np.concatenate([b.states, b.actions], axis=1).tolist()]

    place = {key: i for i, key in enumerate(keys(enumerated))}
    counts = np.bincount([place[key] for key in keys(batch)], minlength=len(place))
    expected = np.asarray(enumerated.probability, dtype=float) * len(batch)
    assert expected.min() > 5
    return float(((counts - expected) ** 2 / expected).sum()), len(place) - 1


def test_sampled_trajectories_have_their_exact_probabilities():
    """Null hypothesis: trajectories of two steps are drawn with the enumerated probabilities. alpha = 1e-9, fixed seed."""
    mdp, policy, theta, _ = next(problems(1, seed=9))
    mdp, pi = as_floats(mdp), np.asarray(policy.probabilities(theta), dtype=float)
    enumerated = pg.enumerate_trajectories(mdp, pi, 2)
    n = int(np.ceil(8 / enumerated.probability.min()))
    statistic, dof = _chi_squared(pg.sample(mdp, pi, n, 2, rng=0), enumerated)
    assert statistic < chi2.isf(1e-9, dof)
    wrong = np.roll(pi, 1, axis=1)       # negative control: the wrong policy is noticed
    assert _chi_squared(pg.sample(mdp, wrong, n, 2, rng=0), enumerated)[0] > chi2.isf(1e-9, dof)


def test_exact_models_sample_exact_rewards():
    mdp, policy, theta, _ = next(problems(1, seed=10))
    batch = pg.sample(mdp, policy.probabilities(theta), 4, 3)
    assert isinstance(batch.rewards[0, 0], Fraction) and batch.probability[0] == Fraction(1, 4)


def test_log_probability_is_that_of_the_enumeration_and_only_its_policy_part_moves():
    """d/dtheta of the parts by the complex step: start and dynamics give 0, the policy's part gives the score."""
    rng = np.random.default_rng(11)
    mdp = as_floats(exact_mdp(rng))
    policy, theta = pg.SoftmaxPolicy(3, 2), rng.normal(size=(3, 2))
    batch = pg.enumerate_trajectories(mdp, policy.probabilities(theta), 3)
    assert np.allclose(np.exp(log_probability(batch, batch.behaviour).total), batch.probability, rtol=1e-13)
    score = trajectory_score(batch, policy, theta)
    for index in np.ndindex(3, 2):
        step = np.zeros((3, 2))
        step[index] = 1.0
        parts = log_probability(batch, policy.probabilities(theta + 1e-30j * step))
        assert not np.iscomplexobj(parts.start) and not np.iscomplexobj(parts.dynamics)
        assert np.allclose(parts.total.imag / 1e-30, score[(slice(None), *index)], atol=1e-14)


@pytest.mark.parametrize(("mdp", "policy", "theta", "T"), list(problems(3, seed=12)))
def test_scores_have_mean_zero(mdp, policy, theta, T):
    """The EGLP lemma on whole trajectories, in Fractions."""
    batch = pg.enumerate_trajectories(mdp, policy.probabilities(theta), T)
    assert equal(batch.mean(trajectory_score(batch, policy, theta)), 0 * theta)


def test_log_of_fractions_is_refused():
    mdp, policy, theta, T = next(problems(1, seed=12))
    batch = pg.enumerate_trajectories(mdp, policy.probabilities(theta), T)
    with pytest.raises(pg.NotExactError, match="not rational"):
        log_probability(batch, batch.behaviour)


def test_large_tables_are_contracted_in_chunks(monkeypatch):
    import pgtheory.trajectories.scores

    rng = np.random.default_rng(13)
    mdp = as_floats(exact_mdp(rng))
    policy, theta = pg.SoftmaxPolicy(3, 2), rng.normal(size=(3, 2))
    batch = pg.sample(mdp, policy.probabilities(theta), 7, 3)
    whole = pg.estimators.RewardToGo()(batch, policy, theta, 0.9)
    monkeypatch.setattr(pgtheory.trajectories.scores, "TABLE", 12)
    assert np.array_equal(pg.estimators.RewardToGo()(batch, policy, theta, 0.9), whole)


def test_terminal_start_is_an_empty_episode():
    mdp = pg.MDP([[[1.0]]], [[0.0]], 1.0, 0)
    batch = pg.sample(mdp, [[1.0]], n=2, horizon=3)
    assert not batch.valid.any() and len(batch[0]) == 0 and batch[0].terminated


@pytest.mark.parametrize("values", [[1.0, 2.0], np.zeros((2, 4)), np.zeros((4, 4)), "x"])
def test_critics_of_another_shape_are_refused(values):
    with pytest.raises(pg.PGTheoryError):
        pg.sample(line(), ONE, n=1, horizon=2).with_critic(values)


def test_values_without_a_critic_are_refused():
    with pytest.raises(pg.PGTheoryError, match="no critic is attached"):
        _ = pg.sample(line(), ONE, n=1, horizon=2).values
