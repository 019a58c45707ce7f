"""Exact moments of estimators: the linear recursion against enumeration in Fractions, limits and published numbers."""

from fractions import Fraction

import numpy as np
import pytest
from episodic import (
    as_floats,
    bandit,
    corridor,
    equal,
    exact_gradient,
    exact_mdp,
    fractions,
    problems,
    shared_policy,
    simplex,
)

import pgtheory as pg
from pgtheory.estimators import (
    GAE,
    ActorCritic,
    AllAction,
    Baseline,
    Gpomdp,
    LeaveOneOut,
    NStep,
    PerDecisionIS,
    Reinforce,
    RewardToGo,
    TrajectoryIS,
    VTrace,
)

CASES = list(problems(4, seed=61))
THIRD = Fraction(1, 3)


def estimators(S, T, rng):
    """Every estimator, with and without gamma^t, with critics of the state and by time."""
    def b(*shape):
        return fractions(rng.integers(-4, 5, size=shape))

    for weighting in (True, False):
        options = {"gamma_weighting": weighting}
        yield from (Reinforce(**options), RewardToGo(**options), Gpomdp(**options), LeaveOneOut(**options),
                    Baseline(b(S), **options), Baseline(b(T + 1, S), full_return=True, **options),
                    ActorCritic(b(S), **options), NStep(b(T + 1, S), 2, **options),
                    NStep(b(S), 3, bootstrap=True, **options),
                    GAE(b(S), THIRD, **options), GAE(b(T + 1, S), 1, bootstrap=True, **options), AllAction(**options),
                    PerDecisionIS(**options), TrajectoryIS(**options), VTrace(b(S), lam=THIRD, **options))


def by_enumeration(estimator, *args, **options):
    """A function of one's own is not recognised as an estimator of the library."""
    return pg.moments(lambda *call: estimator(*call), *args, **options)


@pytest.mark.parametrize("case", range(len(CASES)))
@pytest.mark.parametrize("off_policy", [False, True])
def test_the_recursion_equals_the_enumeration_in_fractions(case, off_policy):
    mdp, policy, theta, T = CASES[case]
    T, rng = min(T, 2) + (case == 0), np.random.default_rng(case)
    options = {"horizon": T, "behaviour": simplex(rng, theta.shape) if off_policy else None}
    for estimator in estimators(mdp.n_states, T, rng):
        fast, slow = (f(estimator, mdp, policy, theta, **options) for f in (pg.moments, by_enumeration))
        assert equal(fast.mean, slow.mean), estimator
        assert equal(fast.covariance, slow.covariance), estimator


def test_in_floats_the_two_agree_to_rounding():
    """Relative to the second moment: 1e-13."""
    rng = np.random.default_rng(7)
    mdp = as_floats(exact_mdp(rng))
    policy, theta = pg.SoftmaxPolicy(3, 2), rng.normal(size=(3, 2))
    for estimator in (Reinforce(), RewardToGo(), Baseline([1.0, -2.0, 0.5]), GAE([1.0, 2.0, 3.0], 0.7), TrajectoryIS()):
        fast, slow = (f(estimator, mdp, policy, theta, horizon=4) for f in (pg.moments, by_enumeration))
        scale = np.abs(slow.covariance).max() + np.abs(slow.mean).max() ** 2
        assert np.max(np.abs(fast.covariance - slow.covariance)) < 1e-13 * scale
        assert np.max(np.abs(fast.mean - slow.mean)) < 1e-13 * np.sqrt(scale)


def test_features_and_symbols():
    """A linear policy in floats; and a bandit whose variance is a polynomial: p(1-p)((1-p) - ...) checked at p = w/(w+1)."""
    rng = np.random.default_rng(8)
    mdp = as_floats(exact_mdp(rng))
    policy, theta = pg.SoftmaxPolicy(features=rng.normal(size=(3, 2, 4))), rng.normal(size=4)
    fast, slow = (f(RewardToGo(), mdp, policy, theta, horizon=3) for f in (pg.moments, by_enumeration))
    assert np.allclose(fast.covariance, slow.covariance, rtol=1e-12, atol=1e-14)
    from sympy import QQ
    from sympy.polys.fields import field

    _, w = field("w", QQ)
    theta = np.array([[w, w**0], [w**0, w**0]], dtype=object)
    result = pg.moments(Reinforce(), bandit([1, 0]), pg.SoftmaxPolicy(2, 2, weights=True), theta, horizon=1)
    p = w / (w + 1)
    assert result.mean[0, 0] == p * (1 - p) and result.variance[0, 0] == p * (1 - p) ** 2 - (p * (1 - p)) ** 2


# ---------------------------------------------------------------------------------------------------- no horizon


@pytest.mark.parametrize("weighted", [RewardToGo(), Baseline(1), GAE(2, 0.5), NStep(1, 3), AllAction(), PerDecisionIS(),
                                      VTrace(1)])
def test_discounted_moments_are_the_limit_of_long_horizons(weighted):
    """gamma = 1/2, a problem that never ends: what 60 steps leave out is below 2^-50 of the whole."""
    mdp = as_floats(exact_mdp(np.random.default_rng(9), 3, 2, Fraction(1, 2), terminal=False))
    policy, theta = pg.SoftmaxPolicy(3, 2), np.random.default_rng(9).normal(size=(3, 2))
    behaviour = np.array([[0.6, 0.4], [0.5, 0.5], [0.45, 0.55]]) if isinstance(weighted, (PerDecisionIS, VTrace)) else None
    short, whole = (pg.moments(weighted, mdp, policy, theta, horizon=T, behaviour=behaviour) for T in (60, None))
    assert np.allclose(short.covariance, whole.covariance, rtol=1e-11, atol=1e-13)
    assert np.allclose(short.mean, whole.mean, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("estimator", [Reinforce(), RewardToGo(), TrajectoryIS(), LeaveOneOut(),
                                       RewardToGo(gamma_weighting=False)])
def test_absorbing_moments_are_exact_and_the_limit_of_long_horizons(estimator):
    """In Fractions the mean equals the gradient with ==; in floats 200 steps leave out nothing visible."""
    mdp = exact_mdp(np.random.default_rng(3), 3, 2, Fraction(9, 10))
    policy, theta = pg.SoftmaxPolicy(3, 2, weights=True), fractions([[1, 2], [3, 1], [1, 1]])
    whole = pg.moments(estimator, mdp, policy, theta)
    if estimator.gamma_weighting:
        assert equal(whole.mean, pg.policy_gradient(mdp, policy, theta))
    near = pg.moments(estimator, as_floats(mdp), policy, theta.astype(float), horizon=200)
    assert np.allclose(near.covariance, whole.covariance.astype(float), rtol=1e-9, atol=1e-12)


def test_the_short_corridor_at_one_half_has_variance_1959_and_733():
    """Sutton & Barto 2018, example 13.1, p = 1/2: gradient 2, variances 1959 (whole return) and 733 (reward-to-go)."""
    full, to_go = (pg.moments(e, corridor(), shared_policy(), [0.0]) for e in (Reinforce(), RewardToGo()))
    assert np.allclose([full.mean[0], to_go.mean[0]], 2, atol=1e-10)
    assert abs(full.total_variance - 1959) < 1e-8 and abs(to_go.total_variance - 733) < 1e-8
    long = pg.moments(Reinforce(), corridor(), shared_policy(), [0.0], horizon=500)
    assert abs(long.total_variance - 1959) < 1e-6


def test_the_short_corridor_at_its_optimum():
    """p* = 2 - sqrt 2 to the right: mean 0, variances 1761.98 and 662.75 (to their printed digits)."""
    p = 2 - np.sqrt(2)
    theta = [np.log(p / (1 - p))]
    full, to_go = (pg.moments(e, corridor(), shared_policy(), theta) for e in (Reinforce(), RewardToGo()))
    assert abs(full.mean[0]) < 1e-10
    assert round(float(full.total_variance), 2) == 1761.98 and round(float(to_go.total_variance), 2) == 662.75


# -------------------------------------------------------------------------------------------------- published numbers


@pytest.mark.parametrize(("b", "variance"), [(0, Fraction(9, 10000)), (Fraction(9, 10), Fraction(576, 10000)),
                                             (Fraction(1, 10), 0)])
def test_a_baseline_may_raise_the_variance(b, variance):
    """pi(a0) = 9/10, r = (1, 0): mean 0.09 always; variance 0.0009 without, 0.0576 with b = V, 0 with b = 0.1."""
    policy, theta = pg.SoftmaxPolicy(2, 2, weights=True), fractions([[9, 1], [1, 1]])
    result = pg.moments(Baseline(b), bandit([1, 0]), policy, theta, horizon=1)
    assert result.mean[0, 0] == Fraction(9, 100) and result.variance[0, 0] == variance


@pytest.mark.parametrize(("b", "variance"), [(0, 27.5625), (10, 0.0625), (10.5, 0), (100, 2002.5625)])
def test_baselines_of_an_even_bandit(b, variance):
    """p = 1/2, r = (10, 11): mean -1/4 for every baseline."""
    result = pg.moments(Baseline(b), bandit([10.0, 11.0]), pg.SoftmaxPolicy(2, 2), np.zeros((2, 2)), horizon=1)
    assert abs(result.mean[0, 0] + 0.25) < 1e-13 and abs(result.variance[0, 0] - variance) < 1e-11


def test_reward_to_go_may_have_the_larger_variance():
    """Two steps, one shared p = 1/2, r0 = (1, 1), r1 = (-1, -1): 0 for the whole return, 1/4 for reward-to-go."""
    mdp = pg.MDP([[[0, 1, 0]] * 2, [[0, 0, 1]] * 2, [[0, 0, 1]] * 2], [[1, 1], [-1, -1], [0, 0]], 1, 0)
    policy = pg.SoftmaxPolicy(features=[[[1.0], [0.0]]] * 3)
    full, to_go = (pg.moments(e, mdp, policy, [0.0], horizon=2) for e in (Reinforce(), RewardToGo()))
    assert abs(full.total_variance) < 1e-15 and abs(to_go.total_variance - 0.25) < 1e-15
    assert abs(full.mean[0] - to_go.mean[0]) < 1e-15


@pytest.mark.parametrize(("N", "T"), [(2, 2), (3, 1)])
def test_leave_one_out_of_a_finite_batch(N, T):
    """N times the covariance of the batch mean, by enumerating all N-tuples, in Fractions."""
    import itertools

    mdp = exact_mdp(np.random.default_rng(5), 2, 2, Fraction(9, 10))
    policy, theta = pg.SoftmaxPolicy(2, 2, weights=True), fractions([[1, 2], [3, 1]])
    batch = pg.enumerate_trajectories(mdp, policy.probabilities(theta), T)
    gradient = exact_gradient(mdp, policy, theta, T)
    second = 0
    for rows in itertools.product(range(len(batch)), repeat=N):
        some = batch.take(rows)
        mean = some.mean(LeaveOneOut()(some, policy, theta, mdp.gamma)).reshape(-1)
        second = second + np.prod(batch.probability[list(rows)]) * mean[:, None] * mean
    result = pg.moments(LeaveOneOut(), mdp, policy, theta, horizon=T, batch_size=N)
    flat = gradient.reshape(-1)
    assert equal(result.mean, gradient)
    assert equal(result.covariance, N * (second - flat[:, None] * flat))


# ---------------------------------------------------------------------------------------------------- what does not exist


def test_undiscounted_scores_that_never_end_have_no_variance():
    mdp = as_floats(exact_mdp(np.random.default_rng(9), 3, 2, Fraction(1, 2), terminal=False))
    policy, theta = pg.SoftmaxPolicy(3, 2), np.zeros((3, 2))
    for estimator in (Reinforce(), LeaveOneOut(), TrajectoryIS(), RewardToGo(gamma_weighting=False)):
        with pytest.raises(pg.UndefinedError, match="no finite second moment"):
            pg.moments(estimator, mdp, policy, theta)
    assert np.isfinite(pg.moments(RewardToGo(), mdp, policy, theta).total_variance)


def test_importance_weights_that_grow_too_fast_have_no_variance():
    """One state, pi even, behaviour (9/10, 1/10): E ratio^2 = 25/9, so gamma^2 < 9/25 is needed, that is gamma < 3/5."""
    policy, theta = pg.SoftmaxPolicy(1, 2), np.zeros((1, 2))
    for gamma, exists in ((0.59, True), (0.61, False)):
        mdp = pg.MDP([[[1.0], [1.0]]], [[1.0, 0.0]], gamma, 0)
        if exists:
            assert np.isfinite(pg.moments(PerDecisionIS(), mdp, policy, theta, behaviour=[[0.9, 0.1]]).total_variance)
        else:
            with pytest.raises(pg.UndefinedError, match="PerDecisionIS has no finite second moment"):
                pg.moments(PerDecisionIS(), mdp, policy, theta, behaviour=[[0.9, 0.1]])


def test_states_that_are_never_reached_do_not_spoil_the_moment():
    """An unreachable loop, gamma = 1: the corridor's numbers stand."""
    P = np.zeros((5, 2, 5))
    P[:4, :, :4], P[4, :, 4] = corridor().P, 1
    mdp = pg.MDP(P, [-1.0, -1.0, -1.0, 0.0, 5.0], 1.0, 0)
    assert abs(pg.moments(Reinforce(), mdp, shared_policy(5), [0.0]).total_variance - 1959) < 1e-8


def test_functions_of_ones_own_need_a_horizon():
    with pytest.raises(pg.UndefinedError, match="needs a horizon"):
        by_enumeration(Reinforce(), corridor(), shared_policy(), [0.0])


def test_a_subclass_is_not_mistaken_for_its_parent():
    class Mine(RewardToGo):
        def _weights(self, batch, pi, gamma):
            return 2 * super()._weights(batch, pi, gamma)

    policy, theta = pg.SoftmaxPolicy(2, 2), np.zeros((2, 2))
    assert pg.moments(Mine(), bandit([1.0, 0.0]), policy, theta, horizon=1).mean[0, 0] == 0.5


def test_a_function_that_returns_another_shape_is_refused():
    policy, theta = pg.SoftmaxPolicy(2, 2), np.zeros((2, 2))
    with pytest.raises(pg.PGTheoryError, match=r"the estimator returned shape \(2,\): it must be \(2, 2, 2\)"):
        pg.moments(lambda batch, *_: batch.probability, bandit([1.0, 0.0]), policy, theta, horizon=1)


def test_unclipped_v_trace_is_that_of_a_clip_beyond_every_ratio():
    """In Fractions, where infinity is no number: the ratios themselves, which are at most 3."""
    mdp, policy, theta = bandit([Fraction(2), Fraction(1)]), pg.SoftmaxPolicy(2, 2, weights=True), [[Fraction(1), Fraction(3)]] * 2
    behaviour = np.array([[Fraction(3, 4), Fraction(1, 4)]] * 2, dtype=object)
    unclipped, beyond = (pg.moments(VTrace(Fraction(1, 2), clip, clip), mdp, policy, np.array(theta, dtype=object), 1, behaviour)
                         for clip in (np.inf, 3))
    assert (unclipped.mean == beyond.mean).all() and (unclipped.covariance == beyond.covariance).all()
    clipped = pg.moments(VTrace(Fraction(1, 2)), mdp, policy, np.array(theta, dtype=object), 1, behaviour)
    assert not (clipped.mean == unclipped.mean).all()


def test_time_indexed_critics_need_the_horizon():
    with pytest.raises(pg.PGTheoryError, match="the critic has shape"):
        pg.moments(GAE(np.zeros((3, 4)), 0.5), corridor(), shared_policy(), [0.0])
