"""Gymnasium: its environments as MDPs, and MDPs as its environments."""

import subprocess
import sys
import warnings
from fractions import Fraction
from types import SimpleNamespace

import gymnasium
import numpy as np
import pytest
import scipy.sparse
from gymnasium.utils.env_checker import check_env

import pgtheory as pg
from pgtheory.interop import from_gym

GAMMA = 0.99
PUBLISHED_J = {"CliffWalking-v1": -1072.2, "Taxi-v4": -384.8}       # of the uniform policy, to the digits printed
IGNORING_THE_FLAG = {"CliffWalking-v1": -1082.5, "Taxi-v4": -391.9}
ENVIRONMENTS = ["CliffWalking-v1", "CliffWalkingSlippery-v1", "FrozenLake-v1", "FrozenLake8x8-v1", "Taxi-v4"]


def uniform(mdp):
    return np.full((mdp.n_states, mdp.n_actions), 1 / mdp.n_actions)


def flat(env_id):
    """Every entry of P[s][a] as columns s, a, p, s', reward, terminated; the start law; the number of actions."""
    env = gymnasium.make(env_id).unwrapped
    rows = [(s, a, *entry) for s in env.P for a in env.P[s] for entry in env.P[s][a]]
    return *(np.array(column) for column in zip(*rows, strict=True)), env.initial_state_distrib, len(env.P[0])


def series(env_id, gamma, tail):
    """J and the discounted visits of the uniform policy, by pushing the start law forward step by step.

    Mass that terminates is counted no further. What is left out after t steps is at most gamma^t r_max / (1 - gamma).
    """
    s, _, p, t, reward, terminated, x, n_actions = flat(env_id)
    weight, alive = p / n_actions, ~terminated.astype(bool)
    J, d, discount = 0.0, np.zeros(len(x)), 1.0
    while discount * np.abs(reward).max() / (1 - gamma) > tail:
        flow = x[s] * weight
        J, d = J + discount * flow @ reward, d + discount * x
        x = np.bincount(t[alive], flow[alive], minlength=len(x))
        discount *= gamma
    return J, d


class Small(gymnasium.Env):
    """One decision, given by its table."""

    observation_space = gymnasium.spaces.Discrete(2)
    action_space = gymnasium.spaces.Discrete(1)

    def __init__(self, P, start=(1.0, 0.0)):
        self.P, self.initial_state_distrib = P, np.array(start)


def small(first, second=((1.0, 1, 0.0, False),)):
    return Small({0: {0: list(first)}, 1: {0: list(second)}})


@pytest.mark.parametrize("env_id", PUBLISHED_J)
def test_the_uniform_policy_has_the_measured_value_and_D_sums_to_one(env_id):
    solution = pg.solve(mdp := pg.from_gymnasium(env_id, GAMMA), uniform(mdp))
    assert abs(solution.J - PUBLISHED_J[env_id]) <= 0.05
    assert abs(solution.D.sum() - 1) <= 1e-12


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
def test_value_and_visits_agree_with_a_time_series(env_id):
    J, d = series(env_id, GAMMA, tail=1e-8)
    solution = pg.solve(mdp := pg.from_gymnasium(env_id, GAMMA), uniform(mdp))
    # the tail of d is that of a reward of 1; rounding adds a few thousand steps of size 1e-13
    assert abs(solution.J - J) <= 2e-8
    assert np.abs(solution.d[:len(d)] - d).max() <= 2e-8
    assert abs(solution.D.sum() - 1) <= 1e-12


@pytest.mark.parametrize("env_id", IGNORING_THE_FLAG)
def test_ignoring_the_flag_gives_another_value(env_id):
    s, a, p, t, reward, _, rho, n_actions = flat(env_id)
    n = len(rho)
    P, r = np.zeros((n, n_actions, n)), np.zeros((n, n_actions))
    np.add.at(P, (s, a, t), p)
    np.add.at(r, (s, a), p * reward)
    mdp = pg.MDP(P, r, GAMMA, rho)
    J = pg.solve(mdp, uniform(mdp)).J
    assert abs(J - IGNORING_THE_FLAG[env_id]) <= 0.05
    assert abs(J - PUBLISHED_J[env_id]) > 5


def test_cutting_the_transition_loses_the_state_distribution():
    _, d = series("FrozenLake-v1", GAMMA, tail=1e-10)
    assert abs((1 - GAMMA) * d.sum() - 0.073) <= 0.0005


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
def test_the_sink_is_the_last_state_and_entries_are_added(env_id):
    mdp = pg.from_gymnasium(env_id, GAMMA)
    s, a, p, t, reward, terminated, rho, n_actions = flat(env_id)
    n = len(rho)
    assert (mdp.n_states, mdp.n_actions) == (n + 1, n_actions)
    assert mdp.terminal[n] and mdp.rho[n] == 0 and (mdp.rho[:n] == rho).all()
    P, r = np.zeros((n + 1, n_actions, n + 1)), np.zeros((n + 1, n_actions))
    np.add.at(P, (s, a, np.where(terminated, n, t)), p)
    np.add.at(r, (s, a), p * reward)
    P[n, :, n] = 1
    np.testing.assert_allclose(mdp.P, P, rtol=0, atol=1e-15)
    np.testing.assert_allclose(mdp.r, r, rtol=0, atol=1e-13)


def test_the_goal_row_is_live_until_it_is_entered_with_the_flag():
    cliff = pg.from_gymnasium("CliffWalking-v1", GAMMA)
    assert np.flatnonzero(cliff.terminal).tolist() == [48]


def test_cliff_walking_is_the_cliff_of_the_book():
    ours = pg.models.load("cliff", gamma=GAMMA)
    theirs = pg.from_gymnasium("CliffWalking-v1", GAMMA)
    assert abs(pg.solve(ours, uniform(ours)).J - pg.solve(theirs, uniform(theirs)).J) <= 1e-9


def test_two_rewards_of_one_transition_are_averaged_by_probability():
    mdp = pg.from_gymnasium(small([(0.25, 1, 8.0, False), (0.75, 1, 0.0, False)]), 0.5)
    assert mdp.n_states == 2 and mdp.P[0, 0].tolist() == [0, 1] and mdp.R[0, 0, 1] == 2


def test_the_sink_is_added_only_where_something_terminates():
    assert pg.from_gymnasium(small([(1.0, 1, 1.0, False)]), 0.5).n_states == 2
    assert pg.from_gymnasium(small([(1.0, 1, 1.0, False), (0.0, 1, 1.0, True)]), 0.5).n_states == 2
    both = pg.from_gymnasium(small([(0.5, 1, 1.0, False), (0.5, 1, 3.0, True)]), 0.5)
    assert both.P[0, 0].tolist() == [0, 0.5, 0.5] and both.R[0, 0].tolist() == [0, 1, 3]


def test_an_exact_import_recovers_thirds():
    lake = pg.from_gymnasium("FrozenLake-v1", Fraction(99, 100), exact=True)
    assert lake.arithmetic.name == "Fraction"
    assert set(lake.P.ravel().tolist()) == {0, Fraction(1, 3), Fraction(2, 3), 1}
    assert (lake.P.sum(axis=2) == 1).all()
    exact = pg.solve(lake, [[Fraction(1, 4)] * 4] * 17)
    floating = pg.solve(pg.from_gymnasium("FrozenLake-v1", GAMMA), np.full((17, 4), 0.25))
    assert exact.D.sum() == 1
    assert abs(float(exact.J) - floating.J) <= 1e-12


def test_an_exact_import_recovers_the_complement_of_a_decimal():
    lake = gymnasium.make("FrozenLake-v1", success_rate=0.7)
    assert set(pg.from_gymnasium(lake, Fraction(1, 2), exact=True).P.ravel().tolist()) <= {
        Fraction(k, 20) for k in (0, 3, 6, 14, 17, 20)}


@pytest.mark.parametrize("entries, words", [
    ([(0.1234567890123, 1, 0.0, False), (0.8765432109877, 1, 0.0, False)], "the probability of P[0, 0][0] is 0.12345"),
    ([(1.0, 1, float(np.pi), False)], "the reward of P[0, 0][0] is 3.14159"),
    ([(1e-17, 0, 0.0, False), (1.0, 1, 0.0, False)], "the probability of P[0, 0][0] is 1e-17"),
])
def test_an_exact_import_refuses_what_is_no_fraction(entries, words):
    with pytest.raises(pg.NotExactError) as caught:
        pg.from_gymnasium(small(entries), Fraction(1, 2), exact=True)
    assert words in str(caught.value) and "exact=False" in str(caught.value)


def test_an_exact_import_demands_rows_of_exactly_one():
    rounded = [(0.333333333333, 1, 0.0, False), (0.666666666667, 0, 0.0, False)]
    with pytest.raises(pg.NotExactError, match="no fraction"):
        pg.from_gymnasium(small(rounded), Fraction(1, 2), exact=True)
    with pytest.raises(pg.InvalidMDPError, match="sums to 2/3, not 1"):
        pg.from_gymnasium(small([(1 / 3, 1, 0.0, False), (1 / 3, 0, 0.0, False)]), Fraction(1, 2), exact=True)


def test_large_environments_become_sparse_models(monkeypatch):
    dense = pg.from_gymnasium("FrozenLake-v1", GAMMA)
    monkeypatch.setattr(from_gym, "DENSE_ENTRIES", 100)
    sparse = pg.from_gymnasium("FrozenLake-v1", GAMMA)
    assert scipy.sparse.issparse(sparse.P) and scipy.sparse.issparse(sparse.R)
    assert (sparse.P.toarray().reshape(dense.P.shape) == dense.P).all()
    assert (sparse.R.toarray().reshape(dense.R.shape) == dense.R).all()
    assert abs(pg.solve(sparse, uniform(sparse)).J - pg.solve(dense, uniform(dense)).J) <= 1e-12
    with pytest.raises(pg.NotExactError, match="too many for an exact model"):
        pg.from_gymnasium("FrozenLake-v1", Fraction(1, 2), exact=True)


def test_a_wrapped_environment_is_read_without_its_time_limit():
    wrapped = gymnasium.wrappers.TimeLimit(small([(1.0, 1, 1.0, True)]), 5)
    assert (pg.from_gymnasium(wrapped, 0.5).P == pg.from_gymnasium(wrapped.unwrapped, 0.5).P).all()


@pytest.mark.parametrize("call, error, words", [
    (lambda: pg.from_gymnasium("Taxi-v3", 0.9), pg.InvalidMDPError, "Please use `Taxi-v4`"),
    (lambda: pg.from_gymnasium("Blackjack-v1", 0.9), pg.InvalidMDPError, "has no transition table P"),
    (lambda: pg.from_gymnasium("FrozenLak-v1", 0.9), pg.InvalidMDPError, "Gymnasium cannot make 'FrozenLak-v1'"),
    (lambda: pg.from_gymnasium("no_such_module:Env-v0", 0.9), pg.InvalidMDPError, "no_such_module"),
    (lambda: pg.from_gymnasium("not an id", 0.9), pg.InvalidMDPError, "Gymnasium cannot make"),
    (lambda: pg.from_gymnasium(3, 0.9), pg.InvalidMDPError, "needs an environment or its id, not int"),
    (lambda: pg.from_gymnasium("FrozenLake-v1", 1.5), pg.InvalidMDPError, "gamma is 1.5"),
    (lambda: pg.from_gymnasium("FrozenLake-v1", "0.9"), pg.InvalidMDPError, "gamma is '0.9'"),
    (lambda: pg.from_gymnasium("FrozenLake-v1", 0.99, exact=True), pg.NotExactError, "write gamma=Fraction('0.99')"),
    (lambda: pg.from_gymnasium("FrozenLake-v1", Fraction(9, 10)), pg.NotExactError, "pass exact=True"),
    (lambda: pg.from_gymnasium(small([(0.5, 1, 0.0, False)]), 0.9), pg.InvalidMDPError, "P[0, 0] sums to 0.5"),
    (lambda: pg.from_gymnasium(small([(1.0, 2, 0.0, False)]), 0.9), pg.InvalidMDPError, "P[0, 0][0] leads to 2"),
    (lambda: pg.from_gymnasium(small([(1.0, 1.0, 0.0, False)]), 0.9), pg.InvalidMDPError, "P[0, 0][0] leads to 1.0"),
    (lambda: pg.from_gymnasium(small([(1.5, 1, 0.0, False), (-0.5, 1, 0.0, False)]), 0.9), pg.InvalidMDPError, "is -0.5"),
    (lambda: pg.from_gymnasium(small([(float("nan"), 1, 0.0, False)]), 0.9), pg.InvalidMDPError, "is nan: it must be"),
    (lambda: pg.from_gymnasium(small([(1.0, 1, float("inf"), False)]), 0.9), pg.InvalidMDPError, "the reward of P[0, 0][0]"),
    (lambda: pg.from_gymnasium(small([(1.0, 1, None, False)]), 0.9), pg.InvalidMDPError, "is None: it must be a number"),
    (lambda: pg.from_gymnasium(small([(1.0, 1, 0.0)]), 0.9), pg.InvalidMDPError, "(probability, next state, reward,"),
    (lambda: pg.from_gymnasium(Small({0: {0: []}, 2: {0: []}}), 0.9), pg.InvalidMDPError, "actions numbered from 0"),
    (lambda: pg.from_gymnasium(Small({0: {0: [(1.0, 0, 0, False)]}, 1: {}}), 0.9), pg.InvalidMDPError, "P[1] has 0 actions"),
    (lambda: pg.from_gymnasium(Small({}), 0.9), pg.InvalidMDPError, "is empty"),
    (lambda: pg.from_gymnasium(Small({0: {0: [(1.0, 0, 0, False)]}}), 0.9), pg.InvalidMDPError, "has shape (2,)"),
])
def test_bad_environments_are_refused_with_the_mend(call, error, words):
    with pytest.raises(error) as caught:
        call()
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_an_environment_without_a_start_law_is_refused():
    env = small([(1.0, 1, 0.0, False)])
    del env.initial_state_distrib
    with pytest.raises(pg.InvalidMDPError, match="set env.unwrapped.initial_state_distrib"):
        pg.from_gymnasium(env, 0.9)


def test_without_gymnasium_both_say_what_to_install():
    script = """
import sys
sys.modules["gymnasium"] = None
import pgtheory as pg
for call in (lambda: pg.from_gymnasium("Taxi-v4", 0.9), lambda: pg.TabularEnv(pg.models.load("bandit"))):
    try:
        call()
    except pg.MissingExtraError as error:
        assert isinstance(error, ImportError)
        print(error)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == ['from_gymnasium needs Gymnasium: pip install "pgtheory[gym]"',
                                       'TabularEnv needs Gymnasium: pip install "pgtheory[gym]"']


# ---------------------------------------------------------------------------------------------------- TabularEnv


class Quantiles:
    """A generator whose draws are the midpoints of n equal parts of [0, 1), in turn."""

    def __init__(self, n):
        self.draws = iter((np.arange(n) + 0.5) / n)

    def random(self):
        return next(self.draws)


@pytest.mark.parametrize("name", ["two-rooms", "student-mrp", "chain", "directed-cycle"])
def test_tabular_env_passes_gymnasiums_own_checker(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*(spec|render).*")     # made by hand: there is no spec to remake it from
        check_env(pg.TabularEnv(pg.models.load(name)))


@pytest.mark.parametrize("sparse", [False, True])
def test_steps_follow_P_and_pay_R(sparse):
    """Draws at the midpoints of n equal parts hit each successor n p times, up to one at each of its two ends."""
    P = np.array([[[0.3, 0.0, 0.7], [0.0, 0.25, 0.75]], [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]], [[0.0, 0.0, 1.0]] * 2])
    R = np.arange(18.0).reshape(3, 2, 3) * (P > 0)
    R[2] = 0
    mdp = pg.MDP(*((scipy.sparse.csr_array(x.reshape(6, 3)) for x in (P, R)) if sparse else (P, R)), 0.9, [0.2, 0.8, 0.0])
    env, n = pg.TabularEnv(mdp), 1000
    env.reset(seed=0)
    for s, a in np.ndindex(3, 2):
        env.np_random, counts = Quantiles(n), np.zeros(3)
        for _ in range(n):
            env._state = s
            t, reward, terminated, truncated, info = env.step(a)
            assert reward == R[s, a, t] and terminated == (t == 2) and truncated is False and info == {}
            counts[t] += 1
        assert np.abs(counts - n * P[s, a]).max() <= 2 and not counts[P[s, a] == 0].any()


def test_resets_follow_rho_and_the_seed():
    env, n = pg.TabularEnv(pg.models.load("gridworld-4x4")), 1400
    env.reset(seed=3)
    env.np_random = Quantiles(n)
    counts = np.bincount([env.reset()[0] for _ in range(n)], minlength=16)
    assert np.abs(counts - n * env.initial_state_distrib).max() <= 2

    def episode(seed):
        env.reset(seed=seed)
        return [env.step(k % 4)[0] for k in range(20)]

    slippery = pg.TabularEnv(pg.models.load("two-rooms"))
    env = slippery
    assert episode(7) == episode(7) != episode(8)


@pytest.mark.parametrize("R", [[[1.0, 2.0], [0.0, 0.0]], [3.0, 0.0]])
def test_rewards_of_actions_and_states_are_paid(R):
    env = pg.TabularEnv(pg.MDP([[[0, 1], [0, 1]], [[0, 1], [0, 1]]], R, 0.5, 0))
    env.reset(seed=0)
    assert env.step(1)[1:3] == (np.asarray(R)[0].ravel()[-1], True)


@pytest.mark.parametrize("name", ["two-rooms", "student-mdp", "gridworld-5x5"])
def test_an_mdp_survives_the_way_to_gymnasium_and_back(name):
    mdp = pg.models.load(name, gamma=0.9)
    back = pg.from_gymnasium(pg.TabularEnv(mdp), 0.9)
    there, here = pg.solve(mdp, uniform(mdp)), pg.solve(back, uniform(back))
    np.testing.assert_allclose(here.V[:mdp.n_states], there.V, rtol=0, atol=1e-12)
    assert abs(here.J - there.J) <= 1e-12


def test_a_fraction_model_is_acted_on_in_floats():
    env = pg.TabularEnv(pg.models.load("student-mdp", exact=True))
    assert env.reset(seed=0)[0] == 1 and env.P[3][0][0] == (0.2, 1, 1.0, False)


@pytest.mark.parametrize("action", [-1, 2, 0.5, None, "0"])
def test_an_action_that_does_not_exist_is_refused(action):
    env = pg.TabularEnv(pg.models.load("bandit"))
    env.reset(seed=0)
    with pytest.raises(pg.PGTheoryError, match="it must be an integer in 0..1"):
        env.step(action)


def test_tabular_env_refuses_what_it_cannot_act_on():
    with pytest.raises(pg.PGTheoryError, match="call env.reset"):
        pg.TabularEnv(pg.models.load("bandit")).step(0)
    with pytest.raises(pg.PGTheoryError, match="needs an MDP of numbers"):
        pg.TabularEnv(SimpleNamespace())
