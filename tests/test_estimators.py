"""Estimators: their expectations in exact Fractions by enumeration, against J differentiated without a theorem.

Every unbiased estimator must give the exact gradient with ``==``; biased ones must give their own closed-form mean; and the
wrong estimators at the end of the file must not pass.
"""

import itertools
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from episodic import as_floats, bandit, equal, exact_gradient, exact_mdp, fractions, problems, simplex

import pgtheory as pg
from pgtheory.estimators import (
    GAE,
    ActorCritic,
    AllAction,
    Baseline,
    DeterministicGradient,
    Gpomdp,
    LeaveOneOut,
    NStep,
    PerDecisionIS,
    Reinforce,
    RewardToGo,
    TrajectoryIS,
    VTrace,
    surrogate_loss,
)

HALF = Fraction(1, 2)
CASES = [*problems(6, seed=21), (exact_mdp(np.random.default_rng(22), 2, 2), *(
    pg.SoftmaxPolicy(2, 2, weights=True), fractions([[1, 2], [3, 1]])), 4)]
every_case = pytest.mark.parametrize("case", range(len(CASES)))


@cache
def setting(case):
    """(mdp, policy, theta, T, enumerated batch, exact gradient)."""
    mdp, policy, theta, T = CASES[case]
    batch = pg.enumerate_trajectories(mdp, policy.probabilities(theta), T)
    return mdp, policy, theta, T, batch, exact_gradient(mdp, policy, theta, T)


def critic(case, shape):
    return fractions(np.random.default_rng(case).integers(-4, 5, size=shape))


def mean_of(case, estimator):
    mdp, policy, theta, _, batch, _ = setting(case)
    return batch.mean(estimator(batch, policy, theta, mdp.gamma))


def by_step(case, advantage, *, weighting=True, visits=None):
    """sum_t gamma^t sum_s Pr(s_t = s) sum_a grad pi(a|s) advantage[t, s, a], by linear algebra."""
    mdp, policy, theta, T, _, _ = setting(case)
    visits = pg.solve(mdp, policy.probabilities(theta), horizon=T).state_distribution if visits is None else visits
    power = [mdp.gamma**t if weighting else 1 for t in range(T)]
    return sum(policy.pullback(theta, visits[t][:, None] * advantage[t] * power[t]) for t in range(T))


UNBIASED = {
    "reinforce": lambda S, T, b: Reinforce(),
    "reward-to-go": lambda S, T, b: RewardToGo(),
    "gpomdp": lambda S, T, b: Gpomdp(),
    "baseline of the state": lambda S, T, b: Baseline(b((S,))),
    "baseline by time": lambda S, T, b: Baseline(b((T + 1, S))),
    "baseline, whole return": lambda S, T, b: Baseline(b((S,)), full_return=True),
    "baseline, whole return, by time": lambda S, T, b: Baseline(b((T + 1, S)), full_return=True),
    "constant baseline": lambda S, T, b: Baseline(Fraction(7, 3)),
    "GAE, lambda 1": lambda S, T, b: GAE(b((S,)), 1),
    "GAE, lambda 1, critic by time": lambda S, T, b: GAE(b((T + 1, S)), 1),
    "T steps": lambda S, T, b: NStep(b((S,)), T),
    "leave one out": lambda S, T, b: LeaveOneOut(),
    "all actions": lambda S, T, b: AllAction(),
    "on-policy per-decision": lambda S, T, b: PerDecisionIS(),
    "on-policy whole": lambda S, T, b: TrajectoryIS(),
    "on-policy V-trace": lambda S, T, b: VTrace(b((T + 1, S))),
}


@every_case
@pytest.mark.parametrize("name", UNBIASED)
def test_expectation_is_the_exact_gradient(case, name):
    mdp, _, _, T, _, gradient = setting(case)
    estimator = UNBIASED[name](mdp.n_states, T, lambda shape: critic(case, shape))
    assert equal(mean_of(case, estimator), gradient)


@every_case
@pytest.mark.parametrize("estimator", [PerDecisionIS(), TrajectoryIS()])
def test_importance_sampling_reaches_the_gradient_from_another_policy(case, estimator):
    mdp, policy, theta, T, _, gradient = setting(case)
    behaviour = simplex(np.random.default_rng(case), (mdp.n_states, mdp.n_actions))
    batch = pg.enumerate_trajectories(mdp, behaviour, T)
    assert equal(batch.mean(estimator(batch, policy, theta, mdp.gamma)), gradient)
    unweighted = batch.mean(Reinforce()(batch, policy, theta, mdp.gamma))   # negative control: the ratios are needed
    assert not equal(unweighted, gradient)


@pytest.mark.parametrize(("T", "N"), [(1, 3), (2, 2)])
def test_leave_one_out_over_all_tuples_is_the_exact_gradient(T, N):
    """Expectation over N independent trajectories; the batch mean that includes one's own sample gives (1 - 1/N) of it."""
    rng = np.random.default_rng(5)
    mdp = exact_mdp(rng, 2, 2, Fraction(9, 10))
    policy, theta = pg.SoftmaxPolicy(2, 2, weights=True), fractions([[1, 2], [3, 1]])
    batch = pg.enumerate_trajectories(mdp, policy.probabilities(theta), T)
    gradient = exact_gradient(mdp, policy, theta, T)

    def own_mean_included(b):
        total = (b.rewards * [mdp.gamma**t for t in range(T)]).sum(axis=1)
        return Baseline(b.mean(total), full_return=True)(b, policy, theta, 1) if T == 1 else None

    honest = wrong = 0
    for rows in itertools.product(range(len(batch)), repeat=N):
        p, tuple_ = np.prod(batch.probability[list(rows)]), batch.take(rows)
        honest = honest + p * tuple_.mean(LeaveOneOut()(tuple_, policy, theta, mdp.gamma))
        if T == 1:
            wrong = wrong + p * tuple_.mean(own_mean_included(tuple_))
    assert equal(honest, gradient)
    if T == 1:
        assert equal(wrong, gradient * Fraction(N - 1, N)) and not equal(wrong, gradient)


# ---------------------------------------------------------------------------- biased ones, with their own closed-form means


@every_case
@pytest.mark.parametrize("lam", [0, Fraction(1, 3), 1])
@pytest.mark.parametrize("by_time", [False, True])
def test_gae_has_its_closed_form_mean(case, lam, by_time):
    """E[A^lambda_t|s, a] = A_t - e_t(s) + gamma (1-lambda) sum_k (gamma lambda)^k [P P_pi^k e_(t+1+k)](s, a), e = v - V."""
    mdp, policy, theta, T, _, _ = setting(case)
    solution = pg.solve(mdp, policy.probabilities(theta), horizon=T)
    v = critic(case, (T + 1, mdp.n_states) if by_time else (mdp.n_states,))
    e = np.array(np.broadcast_to(v, (T + 1, mdp.n_states)) - solution.V, dtype=object)
    e[T], e[:, mdp.terminal] = Fraction(0), Fraction(0)
    P, P_pi = mdp.P, mdp.kernel.mix(solution.pi)
    advantage = []
    for t in range(T):
        later, mixed = 0 * P[:, :, 0], np.array(np.eye(mdp.n_states, dtype=int), dtype=object)
        for k in range(T - t):
            later = later + (mdp.gamma * lam) ** k * (P @ (mixed @ e[t + 1 + k]))
            mixed = mixed @ P_pi
        advantage.append(solution.A[t] - e[t][:, None] + mdp.gamma * (1 - lam) * later)
    assert equal(mean_of(case, GAE(v, lam)), by_step(case, advantage))


@every_case
def test_one_step_estimators_have_the_mean_of_the_bellman_backup(case):
    mdp, policy, theta, T, _, _ = setting(case)
    v = critic(case, (T + 1, mdp.n_states))
    after = [np.where(mdp.terminal, Fraction(0), v[t + 1] if t + 1 < T else v[t + 1] * 0) for t in range(T)]
    backup = [mdp.r + mdp.gamma * (mdp.P @ after[t]) - v[t][:, None] for t in range(T)]
    expected = by_step(case, backup)
    for estimator in (ActorCritic(v), NStep(v, 1), GAE(v, 0)):
        assert equal(mean_of(case, estimator), expected)


@every_case
def test_on_policy_v_trace_without_traces_looks_two_steps_ahead(case):
    mdp, policy, theta, T, batch, _ = setting(case)
    v = critic(case, (T + 1, mdp.n_states))
    one, two = (e.weights(batch, batch.behaviour, mdp.gamma) for e in (VTrace(v, lam=0), NStep(v, 2)))
    assert equal(one, two)


@every_case
@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_true_value_as_critic_leaves_no_bias(case, n):
    mdp, policy, theta, T, _, gradient = setting(case)
    V = pg.solve(mdp, policy.probabilities(theta), horizon=T).V
    assert equal(mean_of(case, NStep(V, n)), gradient)
    assert equal(mean_of(case, GAE(V, Fraction(1, 3))), gradient)


@every_case
def test_bootstrapping_at_the_horizon_changes_the_target_and_says_so(case):
    """With bootstrap the target is the gradient where the final state is worth the critic, scores of T steps only."""
    mdp, policy, theta, T, _, gradient = setting(case)
    v = np.where(mdp.terminal, Fraction(0), critic(case, (mdp.n_states,)))
    pi = policy.probabilities(theta)
    value, Q = v, []
    for _ in range(T):
        Q.insert(0, mdp.r + mdp.gamma * (mdp.P @ value))
        value = (pi * Q[0]).sum(axis=1)
    assert equal(mean_of(case, GAE(v, 1, bootstrap=True)), by_step(case, Q))
    if not mdp.terminal.any():
        assert not equal(mean_of(case, GAE(v, 1, bootstrap=True)), gradient)


@every_case
def test_unclipped_v_trace_is_the_gradient_in_the_behaviours_states(case):
    """With rho_bar = c_bar beyond every ratio, Phi_t has mean Q_t - v up to the behaviour's state distribution."""
    mdp, policy, theta, T, _, _ = setting(case)
    behaviour = simplex(np.random.default_rng(case), (mdp.n_states, mdp.n_actions))
    batch = pg.enumerate_trajectories(mdp, behaviour, T)
    visits = pg.solve(mdp, behaviour, horizon=T).state_distribution
    Q = pg.solve(mdp, policy.probabilities(theta), horizon=T).Q
    for beyond in (1000, np.inf):
        unclipped = VTrace(critic(case, (mdp.n_states,)), rho_bar=beyond, c_bar=beyond)
        assert equal(batch.mean(unclipped(batch, policy, theta, mdp.gamma)), by_step(case, Q, visits=visits))


@every_case
def test_clipped_v_trace_at_its_fixed_point(case):
    """At the value of the clipped policy pi_rho ~ min(rho_bar b, pi), v_t stays there: Phi_t = rho_t (r + gamma v' - v)."""
    mdp, policy, theta, T, _, _ = setting(case)
    pi = policy.probabilities(theta)
    behaviour = simplex(np.random.default_rng(case + 50), pi.shape)
    clipped = np.minimum(behaviour, pi)
    fixed = pg.solve(mdp, clipped / clipped.sum(axis=1, keepdims=True), horizon=T)
    batch = pg.enumerate_trajectories(mdp, behaviour, T)
    visits = pg.solve(mdp, behaviour, horizon=T).state_distribution
    score = policy.score(theta)
    expected = sum(mdp.gamma**t * np.tensordot(visits[t][:, None] * clipped * fixed.A[t], score, axes=2) for t in range(T))
    assert equal(batch.mean(VTrace(fixed.V)(batch, policy, theta, mdp.gamma)), expected)


# --------------------------------------------------------------------------------------------------- identities, pathwise


@every_case
def test_gpomdp_is_rewards_times_the_eligibility_trace(case):
    mdp, policy, theta, T, batch, _ = setting(case)
    score = policy.score(theta)
    for decay, weighting in ((1, True), (mdp.gamma, False)):
        estimate = Gpomdp(gamma_weighting=weighting)(batch, policy, theta, mdp.gamma)
        for n in range(0, len(batch), 7):
            trace, total = 0 * theta, 0 * theta
            for t in range(len(batch[n])):
                trace = trace * decay + score[batch.states[n, t], batch.actions[n, t]]
                total = total + batch.rewards[n, t] * trace * (mdp.gamma**t if weighting else 1)
            assert equal(estimate[n], total)


@every_case
def test_reinforce_is_a_loop_over_single_trajectories(case):
    """The ten lines of a lecture, against the arrays."""
    mdp, policy, theta, _, batch, _ = setting(case)
    score = policy.score(theta)
    estimates = []
    for tau in batch:
        G = sum(mdp.gamma**k * r for k, r in enumerate(tau.rewards))
        estimates.append(sum((score[s, a] for s, a in zip(tau.states, tau.actions, strict=False)), 0 * theta) * G)
    assert equal(Reinforce()(batch, policy, theta, mdp.gamma), np.array(estimates, dtype=object))


@every_case
@pytest.mark.parametrize("estimator", [Reinforce(), RewardToGo(), Baseline(1), PerDecisionIS(), TrajectoryIS(), AllAction()])
def test_without_gamma_weighting_states_count_by_their_plain_probability(case, estimator):
    """sum_t Pr(s_t) sum_a grad pi Q_t, and not the gradient where gamma < 1 and more than one step is taken."""
    mdp, policy, theta, T, batch, gradient = setting(case)
    Q = pg.solve(mdp, policy.probabilities(theta), horizon=T).Q
    dropped = type(estimator)(*([1] if isinstance(estimator, Baseline) else []), gamma_weighting=False)
    field = by_step(case, Q, weighting=False)
    assert equal(batch.mean(dropped(batch, policy, theta, mdp.gamma)), field)
    assert equal(field, gradient) == (mdp.gamma == 1 or T == 1)


def test_gamma_zero():
    mdp, policy, theta, T, _, _ = setting(1)
    still = pg.MDP(mdp.P, mdp.R, 0, mdp.rho)
    batch = pg.enumerate_trajectories(still, policy.probabilities(theta), 2)
    gradient = exact_gradient(still, policy, theta, 2)
    for estimator in (Reinforce(), RewardToGo(), GAE(0, 1), TrajectoryIS()):
        assert equal(batch.mean(estimator(batch, policy, theta, 0)), gradient)
    with pytest.raises(pg.UndefinedError, match="gamma = 0"):
        Reinforce(gamma_weighting=False)(batch, policy, theta, 0)


@pytest.mark.parametrize("estimator", [None, RewardToGo(), GAE(0.3, 0.5)])
def test_the_surrogate_gradient_is_minus_the_estimator_trajectory_by_trajectory(estimator):
    """Complex step through log pi; the weights are held fixed. The error of the complex step is rounding."""
    rng = np.random.default_rng(31)
    mdp = as_floats(exact_mdp(rng))
    policy, theta = pg.SoftmaxPolicy(3, 2), rng.normal(size=(3, 2))
    batch = pg.sample(mdp, policy.probabilities(theta), 6, 4)
    estimates = (estimator or Reinforce())(batch, policy, theta, 0.9)
    for n in range(len(batch)):
        one = batch.take([n])
        for index in np.ndindex(3, 2):
            moved = theta.astype(complex)
            moved[index] += 1e-30j
            slope = surrogate_loss(one, policy, moved, 0.9, estimator).imag / 1e-30
            assert abs(slope + estimates[n][index]) < 1e-13
    loss = surrogate_loss(batch, policy, theta, 0.9)
    assert loss.shape == () and loss.dtype == float


def test_the_value_of_the_surrogate_means_nothing():
    """Adding a constant to all rewards moves the loss and not the expected gradient."""
    policy, theta = pg.SoftmaxPolicy(2, 2), np.zeros((2, 2))
    batches = [pg.enumerate_trajectories(bandit(r), [[0.5, 0.5]] * 2, 1) for r in ([1.0, 0.0], [11.0, 10.0])]
    losses = [surrogate_loss(b, policy, theta, 1.0) for b in batches]
    means = [b.mean(Reinforce()(b, policy, theta, 1.0)) for b in batches]
    assert losses[1] - losses[0] > 6 and np.allclose(means[0], means[1], atol=1e-15)


# ------------------------------------------------------------------------------------------------ the ends of an episode


def test_a_time_limit_is_not_the_end_of_the_problem():
    """Cut after k of T steps: with the true critic the first k terms are unbiased; taken for termination they are not."""
    mdp, policy, theta, _, _, _ = setting(0)
    pi, T, k = policy.probabilities(theta), 3, 2
    solution = pg.solve(mdp, pi, horizon=T)
    batch = pg.enumerate_trajectories(mdp, pi, T, time_limit=k)
    assert batch.truncated.any()
    visits = [mdp.gamma**t * solution.state_distribution[t][:, None] for t in range(k)]
    target = sum(policy.pullback(theta, visits[t] * solution.Q[t]) for t in range(k))
    for estimator in (GAE(solution.V, 1), GAE(solution.V, HALF), NStep(solution.V, 2), ActorCritic(solution.V)):
        assert equal(batch.mean(estimator(batch, policy, theta, mdp.gamma)), target)
    as_termination = pg.enumerate_trajectories(mdp, pi, k)
    wrong = as_termination.mean(GAE(solution.V[:k + 1], 1)(as_termination, policy, theta, mdp.gamma))
    assert not equal(wrong, target)


@pytest.mark.parametrize("estimator", [Reinforce(), RewardToGo(), Gpomdp(), Baseline(0), LeaveOneOut(), PerDecisionIS(),
                                       TrajectoryIS()])
def test_returns_of_cut_episodes_are_refused(estimator):
    mdp, policy, theta, _, _, _ = setting(0)
    batch = pg.enumerate_trajectories(mdp, policy.probabilities(theta), 3, time_limit=2)
    with pytest.raises(pg.UndefinedError, match="cut by the time limit after step 1"):
        estimator(batch, policy, theta, mdp.gamma)


def test_a_critic_is_never_believed_in_a_terminal_state():
    mdp = bandit([1.0, 0.0], 0.5)
    batch = pg.enumerate_trajectories(mdp, [[0.5, 0.5]] * 2, 3)
    for bootstrap in (False, True):
        weights = ActorCritic([0.0, 1e6], bootstrap=bootstrap).weights(batch, batch.behaviour, 0.5)
        assert weights.tolist() == [[1, 0, 0], [0, 0, 0]]


# ------------------------------------------------------------------------------------------ known numbers, wrong estimators


def test_a_baseline_does_not_touch_the_mean_of_the_bandit():
    """pi(a0) = 9/10, r = (1, 0): 0.09 for every baseline."""
    policy, theta = pg.SoftmaxPolicy(2, 2, weights=True), fractions([[9, 1], [1, 1]])
    batch = pg.enumerate_trajectories(bandit([1, 0]), policy.probabilities(theta), 1)
    for b in (0, Fraction(9, 10), Fraction(1, 10), 100):
        assert batch.mean(Baseline(b)(batch, policy, theta, 1))[0, 0] == Fraction(9, 100)


def test_an_action_dependent_baseline_flips_the_sign():
    """p = 1/2, r = (1, 0): the truth is 1/4; the theta-free but action-dependent c = (0, 3), added, gives -1/2."""
    policy, theta = pg.SoftmaxPolicy(2, 2, weights=True), fractions([[1, 1], [1, 1]])
    mdp = bandit([1, 0])
    batch = pg.enumerate_trajectories(mdp, policy.probabilities(theta), 1)
    c = fractions([0, 3])
    score = policy.score(theta)[0, :, 0, 0][batch.actions[:, 0]]
    assert batch.mean((batch.rewards[:, 0] + c[batch.actions[:, 0]]) * score) == -HALF
    assert exact_gradient(mdp, policy, theta, 1)[0, 0] == Fraction(1, 4)


def _weighted(weights):
    """An estimator from its weights: fn(batch, gamma) -> (N, T)."""
    def estimator(batch, policy, theta, gamma):
        from pgtheory.trajectories.scores import score_sums

        return score_sums(batch, policy, theta, weights(batch, gamma))
    return estimator


def _past(batch, gamma):
    T = batch.rewards.shape[1]
    return np.stack([sum(gamma**k * batch.rewards[:, k] for k in range(t + 1)) for t in range(T)], axis=1)


def _last_step_dropped(batch, gamma):
    weights = RewardToGo().weights(batch, batch.behaviour, gamma)
    weights[:, -1] = Fraction(0)
    return weights


def _last_reward_dropped(batch, gamma):
    rewards, T = batch.rewards.copy(), batch.rewards.shape[1]
    rewards[:, -1] = Fraction(0)
    return np.stack([sum(gamma**k * rewards[:, k] for k in range(t, T)) for t in range(T)], axis=1)


MUTANTS = {
    "gamma^t dropped": RewardToGo(gamma_weighting=False),
    "past rewards": _weighted(_past),
    "last step dropped": _weighted(_last_step_dropped),
    "last reward dropped": _weighted(_last_reward_dropped),
    "baseline of the action": _weighted(lambda b, g: RewardToGo().weights(b, b.behaviour, g) - b.actions),
    "critic believed at the horizon": GAE(fractions([0, 5]), 1, bootstrap=True),
    "sign": _weighted(lambda b, g: -RewardToGo().weights(b, b.behaviour, g)),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_wrong_estimators_are_caught(name):
    """A three-step problem without terminal state, gamma < 1: each of them misses the exact gradient."""
    mdp = exact_mdp(np.random.default_rng(40), 2, 2, Fraction(7, 10), terminal=False)
    policy, theta = pg.SoftmaxPolicy(2, 2, weights=True), fractions([[1, 2], [3, 1]])
    batch = pg.enumerate_trajectories(mdp, policy.probabilities(theta), 3)
    gradient = exact_gradient(mdp, policy, theta, 3)
    assert equal(batch.mean(RewardToGo()(batch, policy, theta, mdp.gamma)), gradient)
    assert not equal(batch.mean(MUTANTS[name](batch, policy, theta, mdp.gamma)), gradient)


def test_missing_support_is_refused():
    policy, theta = pg.SoftmaxPolicy(2, 2), np.zeros((2, 2))
    batch = pg.enumerate_trajectories(bandit([1.0, 0.0]), [[1.0, 0.0], [0.5, 0.5]], 1)
    for estimator in (PerDecisionIS(), TrajectoryIS(), VTrace(0.0)):
        with pytest.raises(pg.UndefinedError, match=r"behaviour\[0, 1\] is 0"):
            estimator(batch, policy, theta, 1.0)


@pytest.mark.parametrize(("estimator", "gamma", "message"), [
    (RewardToGo(), 1.5, r"gamma is 1.5: it must lie in \[0, 1\]"), (Reinforce(), float("nan"), "gamma is nan"),
    (RewardToGo(), np.array([0.9, 0.8]), r"gamma has shape \(2,\): it must be one number"),
    (GAE(0, 2), 0.9, r"lam is 2: it must lie in \[0, 1\]"), (GAE(0, -0.1), 0.9, "lam is -0.1"), (VTrace(0, lam=1.1), 0.9, "lam is 1.1"),
    (VTrace(0, rho_bar=-1), 0.9, "rho_bar is -1: it must be at least 0"), (VTrace(0, c_bar=float("nan")), 0.9, "c_bar is nan"),
    (Baseline([0.0, np.nan]), 0.9, r"critic\[1\] is nan"), (GAE(np.inf, 0.5), 0.9, "critic is inf"),
    (AllAction([[0.0, np.nan]] * 2), 0.9, r"Q\[0, 1\] is nan"),
])
def test_numbers_that_no_estimator_can_mean_are_refused_by_sample_and_by_recursion(estimator, gamma, message):
    """Where a gamma of 1.5 or a critic of NaN would have given a number that looks like any other."""
    mdp, policy, theta = bandit([1.0, 0.0], gamma=0.9), pg.SoftmaxPolicy(2, 2), np.zeros((2, 2))
    with pytest.raises(pg.PGTheoryError, match=message):
        estimator(pg.sample(mdp, [[0.5, 0.5]] * 2, 3, 1), policy, theta, gamma)
    if np.ndim(gamma) == 0 and gamma == 0.9:
        with pytest.raises(pg.PGTheoryError, match=message):
            pg.moments(estimator, mdp, policy, theta, horizon=1)


@pytest.mark.parametrize("call", [
    lambda estimator, *problem: pg.moments(estimator, *problem, horizon=1),
    lambda estimator, *problem: pg.simulate_gradient(estimator, *problem, 10, 1),
    lambda estimator, *problem: pg.gradient_ascent(*problem, 0.1, 1, estimator=estimator, horizon=1),
])
def test_a_class_in_place_of_an_estimator_is_named(call):
    problem = bandit([1.0, 0.0]), pg.SoftmaxPolicy(2, 2), np.zeros((2, 2))
    with pytest.raises(pg.PGTheoryError, match=r"estimator is the class RewardToGo: pass an object of it, RewardToGo\(\.\.\.\)"):
        call(RewardToGo, *problem)
    with pytest.raises(pg.PGTheoryError, match="estimator is 'gae': it must be one of pg.estimators, or a function"):
        call("gae", *problem)


@pytest.mark.parametrize("estimator", [AllAction(), DeterministicGradient(np.zeros((2, 1)))])
def test_what_multiplies_no_score_has_no_surrogate_loss(estimator):
    batch = pg.sample(bandit([1.0, 0.0]), [[0.5, 0.5]] * 2, 3, 1)
    with pytest.raises(pg.UndefinedError, match=f"{type(estimator).__name__} .* no surrogate loss"):
        surrogate_loss(batch, pg.SoftmaxPolicy(2, 2), np.zeros((2, 2)), 1.0, estimator)


def test_one_trajectory_has_no_others():
    policy, theta = pg.SoftmaxPolicy(2, 2), np.zeros((2, 2))
    with pytest.raises(pg.UndefinedError, match="at least two"):
        LeaveOneOut()(pg.sample(bandit([1.0, 0.0]), [[0.5, 0.5]] * 2, 1, 1), policy, theta, 1.0)


@pytest.mark.parametrize("estimator", [RewardToGo(), GAE(0, 0.5), Baseline(0.5)])
def test_floats_do_not_enter_exact_batches(estimator):
    mdp, policy, theta, _, batch, _ = setting(0)
    gamma = 0.9 if isinstance(estimator, RewardToGo) else mdp.gamma
    with pytest.raises(pg.NotExactError):
        estimator(batch, policy, theta, gamma)


def test_policies_of_every_kind_agree_with_the_loop():
    """Features, direct, escort and a user's own policy: sum_t w_t score, written as a loop."""
    rng = np.random.default_rng(50)
    mdp = as_floats(exact_mdp(rng))

    class Mine(pg.Policy):
        shape = (2,)

        def probabilities(self, theta):
            logits = np.stack([theta[0] * np.arange(3), theta[1] * np.ones(3)], axis=1)
            e = np.exp(logits)
            return e / e.sum(axis=1, keepdims=True)

    settings = [(pg.SoftmaxPolicy(features=rng.normal(size=(3, 2, 4))), rng.normal(size=4)),
                (pg.DirectPolicy(3, 2), np.full((3, 2), 0.5)),
                (pg.EscortPolicy(3, 2), rng.normal(size=(3, 2))), (Mine(), np.array([0.3, -0.2]))]
    for policy, theta in settings:
        batch = pg.sample(mdp, policy.probabilities(theta), 5, 4)
        score, weights = policy.score(theta), RewardToGo().weights(batch, batch.behaviour, 0.9)
        loop = [sum((w * score[s, a] for w, s, a in zip(weights[n], tau.states, tau.actions, strict=False)),
                    np.zeros(policy.shape)) for n, tau in enumerate(batch)]
        assert np.allclose(RewardToGo()(batch, policy, theta, 0.9), loop, atol=1e-12)
        Q = rng.normal(size=(3, 2))
        gathered = [sum((0.9**t * np.tensordot(Q[s], policy.jacobian(theta)[s], axes=1)
                         for t, s in enumerate(tau.states[:len(tau)])), np.zeros(policy.shape)) for tau in batch]
        assert np.allclose(AllAction(Q)(batch, policy, theta, 0.9), gathered, atol=1e-12)


def test_probabilities_that_underflow_do_no_harm():
    policy, theta = pg.SoftmaxPolicy(2, 2), [[0.0, -720.0], [0.0, 0.0]]
    batch = pg.enumerate_trajectories(bandit([1.0, 2.0]), policy.probabilities(theta), 1)
    estimates = RewardToGo()(batch, policy, theta, 1.0)
    assert np.isfinite(estimates).all() and np.isfinite(batch.mean(estimates)).all()


# ------------------------------------------------------------------------------------------------ degenerate settings


def everything(S, T):
    """Every estimator, with critics of every shape; n beyond the horizon, clips on either side."""
    time = np.arange(float((T + 1) * S)).reshape(T + 1, S)
    return [Reinforce(), RewardToGo(), Gpomdp(), Baseline(1.0), Baseline(time[0]), Baseline(time), Baseline(time, full_return=True),
            LeaveOneOut(), ActorCritic(0.5), ActorCritic(time), NStep(time[0], 2), NStep(time, T + 4), NStep(0.5, 3, bootstrap=True),
            GAE(0.0, 1.0), GAE(time[0], 0.5), GAE(time, 0.5, bootstrap=True), AllAction(), PerDecisionIS(), TrajectoryIS(),
            VTrace(0.5), VTrace(time, rho_bar=0.5, c_bar=2.0, lam=0.5), VTrace(time[0], rho_bar=np.inf, c_bar=np.inf)]


LOOP = [[[0.5, 0.5], [1.0, 0.0]], [[0.25, 0.75], [0.0, 1.0]]]
DEGENERATE = {
    "one state, one action": (pg.MDP([[[1.0]]], [[1.0]], 1.0, 0), pg.SoftmaxPolicy(1, 1), [[0.0]]),
    "one action": (pg.MDP([[[0.5, 0.5]], [[0.25, 0.75]]], [[1.0], [2.0]], 0.9, 0), pg.SoftmaxPolicy(2, 1), [[0.0], [0.0]]),
    "starts at its end": (pg.MDP([[[1.0, 0.0]] * 2, LOOP[1]], [[0.0, 0.0], [1.0, 2.0]], 1.0, 0), pg.SoftmaxPolicy(2, 2),
                          [[0.0, 0.0], [0.0, 0.0]]),
    "softmax that underflows": (pg.MDP(LOOP, [[1.0, 2.0], [2.0, 3.0]], 0.9, 0), pg.SoftmaxPolicy(2, 2), [[0.0, -800.0], [0.0, 1.0]]),
    "direct, on the boundary": (pg.MDP(LOOP, [[1.0, 2.0], [2.0, 3.0]], 0.9, 0), pg.DirectPolicy(2, 2), [[0.0, 1.0], [0.5, 0.5]]),
    "escort, on the boundary": (pg.MDP(LOOP, [[1.0, 2.0], [2.0, 3.0]], 0.9, 0), pg.EscortPolicy(2, 2), [[0.0, 1.0], [0.5, 0.5]]),
    "one-dimensional theta, gamma = 1": (pg.MDP(LOOP, [[1.0, 2.0], [2.0, 3.0]], 1.0, 0), pg.SoftmaxPolicy(
        features=np.random.default_rng(0).normal(size=(2, 2, 3))), [0.1, 0.2, 0.3]),
    "gamma = 0": (pg.MDP(LOOP, [[1.0, 2.0], [2.0, 3.0]], 0.0, 0), pg.SoftmaxPolicy(2, 2), [[0.0, 1.0], [0.5, -0.5]]),
}


@pytest.mark.parametrize("T", [1, 3])
@pytest.mark.parametrize("name", DEGENERATE)
def test_every_estimator_answers_in_degenerate_settings_and_the_recursion_agrees(name, T):
    mdp, policy, theta = DEGENERATE[name]
    pi = policy.probabilities(theta)
    listed, drawn = pg.enumerate_trajectories(mdp, pi, T), pg.sample(mdp, pi, n=3, horizon=T)
    for estimator in everything(mdp.n_states, T):
        for batch in (listed, drawn):
            estimates = estimator(batch, policy, theta, mdp.gamma)
            assert estimates.shape == (len(batch), *policy.shape) and np.isfinite(estimates).all(), estimator
        fast, slow = (pg.moments(f, mdp, policy, theta, horizon=T) for f in (estimator, lambda *call, e=estimator: e(*call)))
        scale = 1 + np.abs(slow.covariance).max() + np.abs(slow.mean).max() ** 2
        assert np.abs(fast.mean - slow.mean).max() < 1e-13 * scale, estimator
        assert np.abs(fast.covariance - slow.covariance).max() < 1e-13 * scale, estimator


@pytest.mark.parametrize("name", ["direct, on the boundary", "escort, on the boundary"])
@pytest.mark.parametrize("estimator", [RewardToGo(), PerDecisionIS(), VTrace(0.0)])
def test_an_action_of_probability_0_that_another_policy_takes_has_no_score(name, estimator):
    mdp, policy, theta = DEGENERATE[name]
    even = np.full((2, 2), 0.5)
    with pytest.raises(pg.UndefinedError, match=r"pi\[0, 0\] is 0 where the trajectories take that action"):
        estimator(pg.enumerate_trajectories(mdp, even, 2), policy, theta, mdp.gamma)
    with pytest.raises(pg.UndefinedError, match=r"pi\[0, 0\] is 0 where the trajectories take that action"):
        pg.moments(estimator, mdp, policy, theta, horizon=2, behaviour=even)


def test_clips_of_v_trace_have_their_limits():
    """Off policy: clips of infinity are those beyond every ratio; without traces and with no room nothing is learnt."""
    mdp, policy, theta = DEGENERATE["gamma = 0"][0], pg.SoftmaxPolicy(2, 2), np.array([[0.0, 1.0], [0.5, -0.5]])
    mdp = pg.MDP(mdp.P, mdp.R, 0.9, mdp.rho)
    batch = pg.enumerate_trajectories(mdp, [[0.7, 0.3], [0.4, 0.6]], 3)
    pi = policy.probabilities(theta)
    beyond = (pi / batch.behaviour).max() + 1

    def estimate(**clips):
        return VTrace([1.0, -2.0], **clips)(batch, policy, theta, 0.9)

    assert np.array_equal(estimate(rho_bar=np.inf, c_bar=np.inf), estimate(rho_bar=beyond, c_bar=beyond))
    assert np.array_equal(estimate(c_bar=0.0), estimate(lam=0.0)) and not np.allclose(estimate(c_bar=0.0), estimate())
    assert not estimate(rho_bar=0.0).any()
    on = pg.enumerate_trajectories(mdp, pi, 3)
    with_traces = VTrace([1.0, -2.0])(on, policy, theta, 0.9)      # on policy every ratio is 1: lambda = 1 is the whole return
    assert np.allclose(with_traces, Baseline([1.0, -2.0])(on, policy, theta, 0.9), atol=1e-14)
