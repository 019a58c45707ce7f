"""The strategies: everything drawn is valid, every hard case is drawn often, failures shrink to one state and one action."""

import subprocess
import sys
import tomllib
from collections import Counter
from fractions import Fraction
from importlib import import_module
from math import gcd
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
from hypothesis import find, given, settings
from hypothesis import strategies as st

import pgtheory as pg

strategies = pg.strategies
N_CENSUS = 400


# ------------------------------------------------------------------------------------------------- what is drawn


def connected(mdp):
    """(S, S) bool: some action leads from s to s'."""
    return (np.asarray(mdp.P, dtype=float) > 0).any(axis=1)


def reached(mdp):
    """(S,) bool: states visited with positive probability under some policy."""
    links, found = connected(mdp), np.asarray(mdp.rho, dtype=float) > 0
    for _ in range(mdp.n_states):
        found = found | links[found].any(axis=0)
    return found


def has_period(mdp):
    """Some state can only be returned to after a multiple of two or more steps."""
    links = connected(mdp).astype(int)
    walk, periods = np.eye(mdp.n_states, dtype=int), np.zeros(mdp.n_states, dtype=int)
    for k in range(1, 2 * mdp.n_states + 1):
        walk = ((walk @ links) > 0).astype(int)
        periods = np.array([gcd(p, k) if walk[s, s] else p for s, p in enumerate(periods)])
    return bool((periods > 1).any())


def hard_cases(mdp, pi):
    """The names of the hard cases that this problem is; found from P, R, rho and pi alone."""
    pi, R = np.asarray(pi, dtype=float), np.asarray(mdp.R, dtype=float)
    stays = np.array([bool(np.all(mdp.P[s, :, s] == 1)) for s in range(mdp.n_states)])
    return {name for name, found in {
        "one state": mdp.n_states == 1, "one action": mdp.n_actions == 1,
        "absorbing state that pays": bool((stays & ~mdp.terminal).any()), "terminal state": bool(mdp.terminal.any()),
        "unreachable state": not reached(mdp).all(), "periodic chain": has_period(mdp),
        "gamma = 0": mdp.gamma == 0, "gamma near 0": 0 < mdp.gamma < 1e-6, "gamma near 1": 1 > mdp.gamma > 1 - 1e-6,
        "rewards of both signs": R.min() < 0 < R.max(), "rewards of 1e-8": bool(((R != 0) & (np.abs(R) <= 1e-7)).any()),
        "rewards of 1e8": np.abs(R).max() >= 1e7,
        "rewards (S,)": R.ndim == 1, "rewards (S, A)": R.ndim == 2, "rewards (S, A, S)": R.ndim == 3,
        "deterministic policy": mdp.n_actions > 1 and bool(((pi == 0) | (pi == 1)).all()),
        "probability 0": bool((pi == 0).any()), "probability below 1e-290": bool(((pi > 0) & (pi < 1e-290)).any()),
        "nearly deterministic policy": bool(((pi > 0) & (pi < 1e-8)).any()),
    }.items() if found}


ALWAYS_DRAWN = ("one state", "one action", "absorbing state that pays", "terminal state", "unreachable state",
                "periodic chain", "gamma = 0", "gamma near 0", "gamma near 1", "rewards of both signs", "rewards of 1e-8",
                "rewards of 1e8", "rewards (S,)", "rewards (S, A)", "rewards (S, A, S)", "deterministic policy",
                "probability 0", "probability below 1e-290", "nearly deterministic policy")


def census(problems, n=N_CENSUS):
    """How often each hard case was drawn, and each policy class."""
    counts = Counter()

    @settings(max_examples=n, database=None)
    @given(problems)
    def draw(problem):
        mdp, policy, theta = problem
        counts.update(hard_cases(mdp, policy.probabilities(theta)) | {repr(policy).split("(")[0]})

    draw()
    return counts


@pytest.fixture(scope="module")
def counts():
    return census(strategies.problems())


@pytest.mark.parametrize("case", ALWAYS_DRAWN)
def test_every_hard_case_is_at_least_one_draw_in_eighty(counts, case):
    assert counts[case] >= N_CENSUS // 80, counts


@pytest.mark.parametrize("policy", ["SoftmaxPolicy", "DirectPolicy", "EscortPolicy"])
def test_every_policy_class_is_drawn(counts, policy):
    assert counts[policy] >= N_CENSUS // 20


def test_census_misses_the_cases_that_a_tame_strategy_does_not_draw():
    """Negative control: one state and gamma 0.5 can be neither periodic nor unreachable nor near an end of [0, 1]."""
    tame = census(strategies.problems(max_states=1, gammas=st.just(0.5)), 50)
    assert tame["one state"] == 50
    for case in ("periodic chain", "unreachable state", "gamma = 0", "gamma near 0", "gamma near 1"):
        assert tame[case] == 0


# --------------------------------------------------------------------------------------------------- it is valid


@given(strategies.mdps())
def test_models_pass_their_own_validation_without_normalising(mdp):
    again = pg.MDP(np.array(mdp.P), np.array(mdp.R), mdp.gamma, np.array(mdp.rho))
    assert np.array_equal(again.P, mdp.P)
    assert 1 <= mdp.n_states <= 5 and 1 <= mdp.n_actions <= 3


@given(strategies.mdps(exact=True))
def test_exact_models_hold_fractions_whose_rows_sum_to_exactly_one(mdp):
    assert {type(x) for array in (mdp.P, mdp.R, mdp.rho) for x in array.flat} == {Fraction}
    assert (mdp.P.sum(axis=2) == 1).all() and mdp.rho.sum() == 1


@given(st.data())
def test_problems_fit_together_and_can_be_solved(data):
    exact = data.draw(st.booleans())
    mdp, policy, theta = data.draw(strategies.problems(exact=exact, max_states=3))
    solution = pg.solve(mdp, policy.probabilities(theta))
    assert solution.V.shape == (mdp.n_states,)
    assert theta.shape == policy.shape and not theta.flags.writeable
    assert solution.arithmetic.name == ("Fraction" if exact else "float64")


@given(strategies.problems(gammas=st.just(1.0)))
def test_at_gamma_one_every_policy_terminates(problem):
    mdp, policy, theta = problem
    assert mdp.gamma == 1 and mdp.terminal[-1]
    assert np.isfinite(pg.solve(mdp, policy.probabilities(theta)).V).all()


@given(strategies.mdps(sparse=True))
def test_sparse_models_have_a_sparse_law(mdp):
    assert scipy.sparse.issparse(mdp.P)
    assert mdp.P.shape == (mdp.n_states * mdp.n_actions, mdp.n_states)


@given(st.data())
def test_simplices_are_distributions_on_their_support(data):
    n = data.draw(st.integers(1, 6))
    support = data.draw(st.lists(st.integers(0, n - 1), min_size=1, unique=True))
    exact = data.draw(st.booleans())
    p = data.draw(strategies.simplices(n, exact=exact, support=support))
    assert p.shape == (n,) and all(x >= 0 for x in p)
    assert all(p[i] == 0 for i in range(n) if i not in support)
    assert sum(p) == 1 if exact else abs(sum(p) - 1) <= 4 * n * np.finfo(float).eps


@given(strategies.discounts(), strategies.discounts(exact=True))
def test_discounts_lie_in_the_half_open_interval(gamma, exact):
    assert 0 <= gamma < 1 and 0 <= exact < 1
    assert isinstance(gamma, float) and isinstance(exact, Fraction)


@given(st.data())
def test_thetas_without_a_policy_bring_their_own(data):
    assert data.draw(strategies.thetas()).size >= 1
    assert data.draw(strategies.simplices()).size >= 1


# ------------------------------------------------------------------------------------------------------ shrinking


@pytest.mark.parametrize("exact", [False, True])
def test_the_minimal_failing_model_is_one_state_and_one_action(exact):
    mdp = find(strategies.mdps(exact=exact), lambda mdp: True, settings=settings(database=None))
    assert (mdp.n_states, mdp.n_actions, mdp.gamma) == (1, 1, 0)
    assert mdp.R.tolist() == [0]


def test_shrinking_keeps_only_what_the_failure_needs():
    mdp = find(strategies.mdps(), lambda mdp: np.abs(mdp.R).max() > 0 and mdp.gamma > 0, settings=settings(database=None))
    assert (mdp.n_states, mdp.n_actions) == (1, 1)
    mdp = find(strategies.mdps(), lambda mdp: not reached(mdp).all(), settings=settings(database=None))
    assert (mdp.n_states, mdp.n_actions, mdp.gamma) == (2, 1, 0)


def test_the_minimal_failing_problem_is_the_direct_policy_on_one_state():
    mdp, policy, theta = find(strategies.problems(), lambda problem: True, settings=settings(database=None))
    assert (mdp.n_states, mdp.n_actions) == (1, 1)
    assert repr(policy) == "DirectPolicy(1, 1)" and theta.tolist() == [[1.0]]


# --------------------------------------------------------------------------------------------------- registration


@pytest.mark.parametrize("type_", [pg.MDP, pg.Policy, pg.SoftmaxPolicy, pg.DirectPolicy, pg.EscortPolicy])
def test_from_type_draws_what_was_registered(type_):
    strategies.register()
    assert isinstance(find(st.from_type(type_), lambda x: True, settings=settings(database=None)), type_)


def test_the_entry_point_names_the_registration():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    module, name = project["entry-points"]["hypothesis"]["pgtheory"].split(":")
    getattr(import_module(module), name)()
    for cls in (pg.MDP, pg.Policy, pg.SoftmaxPolicy, pg.DirectPolicy, pg.EscortPolicy):
        assert isinstance(find(st.from_type(cls), lambda drawn: True), cls)


def test_importing_pgtheory_does_not_import_hypothesis():
    code = ("import sys, pgtheory; print('hypothesis' in sys.modules); "
            "pgtheory.strategies; print('hypothesis' in sys.modules)")
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                         cwd=Path(__file__).parents[1])
    assert run.stdout.split() == ["False", "True"]
