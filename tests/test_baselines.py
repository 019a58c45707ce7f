"""The optimal state baseline and the parts of the variance, against enumeration and the quadratic itself, in Fractions."""

from fractions import Fraction

import numpy as np
import pytest
from episodic import as_floats, bandit, corridor, equal, exact_mdp, fractions, problems, shared_policy

import pgtheory as pg
from pgtheory.estimators import Baseline, RewardToGo
from pgtheory.variance.baselines import optimal_baseline, variance_parts

CASES = list(problems(6, seed=71))


def total(mdp, policy, theta, b, horizon):
    return pg.moments(Baseline(b), mdp, policy, theta, horizon=horizon).total_variance


@pytest.mark.parametrize(("mdp", "policy", "theta", "T"), CASES)
def test_the_optimal_baseline_is_stationary_in_every_entry(mdp, policy, theta, T):
    """The variance is a quadratic in b: equal on both sides of its minimum, and larger there."""
    best = optimal_baseline(mdp, policy, theta, horizon=T)
    least = total(mdp, policy, theta, best, T)
    assert not best[T].any()
    for t in range(T):
        for s in range(mdp.n_states):
            move = 0 * best
            move[t, s] = Fraction(1)
            up, down = (total(mdp, policy, theta, best + sign * move, T) for sign in (1, -1))
            assert up == down >= least
    assert least <= pg.moments(RewardToGo(), mdp, policy, theta, horizon=T).total_variance


@pytest.mark.parametrize("gamma", [Fraction(1, 2), 1])
def test_the_stationary_optimum(gamma):
    mdp = exact_mdp(np.random.default_rng(72), 3, 2, gamma)
    policy, theta = pg.SoftmaxPolicy(3, 2, weights=True), fractions([[1, 2], [3, 1], [1, 1]])
    best = optimal_baseline(mdp, policy, theta)
    least = total(mdp, policy, theta, best, None)
    for s in range(2):
        move = 0 * best
        move[s] = Fraction(1, 3)
        up, down = (total(mdp, policy, theta, best + sign * move, None) for sign in (1, -1))
        assert up == down > least
    V = pg.solve(mdp, policy.probabilities(theta)).V      # the value is a good baseline, not the best
    assert least < total(mdp, policy, theta, V, None)


def test_the_two_optima_agree_for_long_horizons():
    mdp = as_floats(exact_mdp(np.random.default_rng(73), 3, 2, Fraction(1, 2), terminal=False))
    policy, theta = pg.SoftmaxPolicy(3, 2), np.random.default_rng(1).normal(size=(3, 2))
    whole, by_time = optimal_baseline(mdp, policy, theta), optimal_baseline(mdp, policy, theta, horizon=80)
    assert total(mdp, policy, theta, by_time, 80) <= total(mdp, policy, theta, whole, None) + 1e-12


def test_the_corridor_is_calmer_with_its_best_baseline():
    best = optimal_baseline(corridor(), shared_policy(), [0.0])
    assert total(corridor(), shared_policy(), [0.0], best, None) < 733


@pytest.mark.parametrize(("mdp", "policy", "theta", "T"), CASES)
def test_parts_of_the_variance_are_those_of_the_enumeration(mdp, policy, theta, T):
    """Draw t in proportion to gamma^t among running steps; group the samples by (t, s), then (t, s, a), then trajectory."""
    batch = pg.enumerate_trajectories(mdp, policy.probabilities(theta), T)
    gamma, score = mdp.gamma, policy.score(theta).reshape(mdp.n_states, 2, -1)
    b = fractions(np.random.default_rng(T).integers(-3, 4, size=(T + 1, mdp.n_states)))
    after = RewardToGo(gamma_weighting=False).weights(batch, batch.behaviour, gamma)
    samples = []      # (weight, (t, s), a, sample without c)
    for n, t in np.argwhere(batch.valid):
        s, a = batch.states[n, t], batch.actions[n, t]
        samples.append((batch.probability[n] * gamma ** int(t), (t, s), a, score[s, a] * (after[n, t] - b[t, s])))
    c = sum(p for p, *_ in samples)

    def explained(key):
        """Second moment of the means given ``key``."""
        groups = {}
        for p, place, a, x in samples:
            weight, mean = groups.get(key(place, a), (0, 0 * x))
            groups[key(place, a)] = weight + p, mean + p * x
        return sum(c * mean[:, None] * mean / weight for weight, mean in groups.values())

    nothing, states, pairs = (explained(key) for key in (lambda p, a: 0, lambda p, a: p, lambda p, a: (p, a)))
    everything = sum(c * p * x[:, None] * x for p, _, _, x in samples)
    parts = variance_parts(mdp, policy, theta, b, horizon=T)
    assert equal(parts.state, states - nothing)
    assert equal(parts.action, pairs - states)
    assert equal(parts.trajectory, everything - pairs)
    assert equal(parts.total, everything - nothing)


def test_a_state_baseline_acts_on_the_action_part_only():
    mdp = exact_mdp(np.random.default_rng(74), 3, 2, Fraction(1, 2))
    policy, theta = pg.SoftmaxPolicy(3, 2, weights=True), fractions([[1, 2], [3, 1], [1, 1]])
    plain, moved = (variance_parts(mdp, policy, theta, b) for b in (0, fractions([1, 2, 3])))
    assert equal(plain.state, moved.state) and equal(plain.trajectory, moved.trajectory)
    assert not equal(plain.action, moved.action)


def test_stationary_parts_are_the_limit_of_long_horizons():
    mdp = as_floats(exact_mdp(np.random.default_rng(75), 3, 2, Fraction(1, 2), terminal=False))
    policy, theta = pg.SoftmaxPolicy(3, 2), np.random.default_rng(2).normal(size=(3, 2))
    long, whole = (variance_parts(mdp, policy, theta, 0.5, horizon=T) for T in (70, None))
    for a, b in zip(long, whole, strict=True):
        assert np.allclose(a, b, atol=1e-12)


def test_direct_policies_are_refused():
    with pytest.raises(pg.UndefinedError, match="do not add up to 0"):
        optimal_baseline(bandit([1.0, 0.0]), pg.DirectPolicy(2, 2), np.full((2, 2), 0.5))
