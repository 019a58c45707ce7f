"""Models on continuous actions as careless users write them: what is wrong is refused by name, what is odd and right is answered."""

import numpy as np
import pytest

import pgtheory as pg
from pgtheory.models.continuous import random_continuous

MU = [[0.3], [-0.2]]
POLICY = pg.DeterministicPolicy(np.eye(2))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def law(s, a):
    return np.array([1 - sigmoid(a[0]), sigmoid(a[0])])


def reward(s, a):
    return np.array([0.0, 1.0]) - a[0] ** 2


def model(P=law, R=reward, gamma=0.9, **options):
    return pg.ContinuousActionMDP(P, R, gamma, [1.0, 0.0], **options)


def gradient(given, theta=MU):
    return pg.policy_gradient(given, POLICY, theta)


REFUSED = {
    "dP of another sign": ({"dP": lambda s, a: -np.array([[-1.0], [1.0]]) * law(s, a)[0] * law(s, a)[1]}, "according to dP: correct it"),
    "dP off by a hundredth": ({"dP": lambda s, a: np.array([[-1.01], [1.01]]) * law(s, a)[0] * law(s, a)[1]}, "according to dP"),
    "dR of another reward": ({"dR": lambda s, a: 2 * a[0] * np.ones((2, 1))}, "R at state 0, action .0.3.* according to dR"),
    "dR without its axis": ({"dR": lambda s, a: -2 * a[0] * np.ones(2)}, r"dR\(0, \[0.3\]\) has shape \(2,\)"),
    "abs": ({"R": lambda s, a: np.abs(a[0]) * np.ones(2)}, "not analytic there"),
    "abs in one state": ({"R": lambda s, a: (np.abs(a[0]) if s else a[0]) * np.ones(2)}, "R at state 1.*not analytic"),
    "np.real": ({"R": lambda s, a: np.real(a[0]) ** 2 * np.ones(2)}, "not analytic there"),
    "conjugate": ({"R": lambda s, a: a[0] * np.conj(a[0]) * np.ones(2)}, "not analytic there"),
    "float()": ({"R": lambda s, a: float(a[0]) ** 2 * np.ones(2)}, "cannot take complex actions"),
    "rows that sum to 1 at mu alone": ({"P": lambda s, a: np.array([0.5, 0.5]) + 0.1 * (a[0] - MU[s][0])}, "at this action and not beside"),
    "single precision in P": ({"P": lambda s, a: law(s, a).astype(np.float32)}, "off by rounding .float32"),
    "the action taken whole": ({"P": lambda s, a: np.array([1 - sigmoid(a), sigmoid(a)])}, r"shape \(2, 1\).*take a\[0\]"),
    "a number for P": ({"P": lambda s, a: 1.0}, r"P\(0, \[0.3\]\) has shape \(\)"),
    "too many next states": ({"R": lambda s, a: np.ones(3)}, r"R\(0, \[0.3\]\) has shape \(3,\)"),
    "a complex reward": ({"R": lambda s, a: np.array([1j, 0])}, "R is complex at real actions"),
    "NaN in P": ({"P": lambda s, a: law(s, a) * (np.nan if s else 1)}, r"P at state 1, action \[-0.2\] is nan"),
    "NaN in R": ({"R": lambda s, a: reward(s, a) * (np.nan if s else 1)}, r"R at state 1, action \[-0.2\] is nan"),
    "no termination": ({"gamma": 1}, "gamma = 1, and state 0 reaches no terminal state"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_named(name):
    options, message = REFUSED[name]
    with pytest.raises(pg.PGTheoryError, match=message):
        gradient(model(**options))


def test_a_reward_that_changes_between_calls_is_refused():
    calls = []

    def R(s, a):
        calls.append(s)
        return reward(s, a) + 1e-3 * len(calls)

    with pytest.raises(pg.InvalidMDPError, match="the same numbers at every call"):
        gradient(model(R=R))


def test_code_that_turns_wrong_at_later_actions_is_found_there():
    """The first gradient is right and given; at other actions the complex step, or dR, is not, and is refused."""
    bent = model(R=lambda s, a: (a[0] ** 2 if a[0].real < 1 else np.abs(a[0])) * np.ones(2))
    given = model(dR=lambda s, a: (-2 * a[0] if a[0].real < 1 else 5.0) * np.ones((2, 1)))
    for case, message in ((bent, "not analytic there"), (given, "according to dR")):
        assert np.isfinite(gradient(case)).all()
        with pytest.raises(pg.InvalidMDPError, match=message):
            gradient(case, [[3.0], [3.0]])
        assert np.isfinite(gradient(case)).all()


def test_a_row_that_follows_the_action_of_another_state_is_found():
    def P(a):
        up = sigmoid(a[..., ::-1, 0])
        return np.stack([1 - up, up], axis=-1)

    mixed = pg.ContinuousActionMDP(P, lambda a: a[..., 0, None] ** 2, 0.9, [1.0, 0.0], vectorized=True)
    with pytest.raises(pg.InvalidMDPError, match="the row follows the action of another state"):
        gradient(mixed)


ANSWERED = {
    "a constant law as a list": ({"P": lambda s, a: [0.5, 0.5]}, {"P": lambda s, a: np.array([0.5, 0.5]) + 0 * a[0]}),
    "whole numbers": ({"P": lambda s, a: np.array([0, 1]), "R": lambda s, a: [0, 3]}, {"P": lambda s, a: np.array([0.0, 1.0]),
                                                                                    "R": lambda s, a: np.array([0.0, 3.0])}),
    "truth values": ({"P": lambda s, a: np.array([False, True])}, {"P": lambda s, a: np.array([0.0, 1.0])}),
    "the reward of leaving as an array of one": ({"R": lambda s, a: -a**2}, {"R": lambda s, a: -a[0] ** 2 * np.ones(2)}),
    "a function that writes into its action": ({"R": lambda s, a: (a.__setitem__(0, a[0] ** 2), -a[0] * np.ones(2))[1]},
                                               {"R": lambda s, a: -a[0] ** 2 * np.ones(2)}),
}


@pytest.mark.parametrize("name", ANSWERED)
def test_what_is_odd_and_right_is_answered(name):
    odd, plain = ANSWERED[name]
    np.testing.assert_array_equal(gradient(model(**odd)), gradient(model(**plain)))


def test_single_precision_rewards_cost_their_digits_and_no_more():
    single = model(R=lambda s, a: reward(s, a).astype(np.complex64 if np.iscomplexobj(a) else np.float32))
    np.testing.assert_allclose(gradient(single), gradient(model()), rtol=1e-6)


@pytest.mark.parametrize("gamma", [0, 0.0, 0.5, 0.999])
def test_one_state_and_one_action_dimension_have_their_closed_form(gamma):
    """J = (a - a^2) / (1 - gamma)."""
    one = pg.ContinuousActionMDP(lambda s, a: np.ones(1), lambda s, a: a - a**2, gamma, [1.0])
    np.testing.assert_allclose(pg.policy_gradient(one, pg.DeterministicPolicy([[2.0]]), [[0.1]]), [[2 * 0.6 / (1 - gamma)]], rtol=1e-12)


def test_undiscounted_episodes_agree_with_the_complex_step():
    ending = model(P=lambda s, a: law(s, a) if s == 0 else np.array([0.0, 1.0]), R=lambda s, a: reward(s, a) * (1 - s), gamma=1)
    value, error = pg.derivative(ending, POLICY, MU)
    assert np.abs(gradient(ending) - value).max() <= error < 1e-12


def test_large_problems_are_verified_along_random_directions():
    """400 parameters and 200 states: 16 directions in general position, along which a wrong gradient shows as well."""
    large = random_continuous(200, 2, rng=1)
    policy, theta = pg.DeterministicPolicy(np.eye(200)), np.random.default_rng(0).normal(size=(200, 2)) / 2
    report = pg.verify(large, policy, theta, theorems=["deterministic"], routes=["complex-step"])
    assert report.passed and report.context["directions"] == "16 random directions"


FLAT = {   # functions that vanish with their slope at 0, where their own value says nothing of their size
    "a square": lambda s, a: -(a**2), "a cube": lambda s, a: a**3, "a rounded cube": lambda s, a: np.sin(a) - a,
    "a loss": lambda s, a: np.cos(a) - 1, "a quartic": lambda s, a: a**4,
}


@pytest.mark.parametrize("name", FLAT)
def test_a_reward_that_vanishes_with_its_slope_is_differentiated(name):
    """Its derivative at 0 is 0; the same code with an absolute value in it, whose slope jumps there, is still refused."""
    one = pg.ContinuousActionMDP(lambda s, a: np.ones(1), FLAT[name], 0.5, [1.0])
    np.testing.assert_allclose(pg.solve(one, [[0.0]]).grad_Q, [[0.0]], atol=1e-15)
    assert pg.verify(one, pg.DeterministicPolicy([[1.0]]), [[0.0]], samples=0).count("FAIL") == 0
    kinked = pg.ContinuousActionMDP(lambda s, a: np.ones(1), lambda s, a: FLAT[name](s, a) + np.abs(a), 0.5, [1.0])
    with pytest.raises(pg.InvalidMDPError):
        _ = pg.solve(kinked, [[0.0]]).grad_Q


def test_functions_of_other_arguments_are_refused_with_the_call_that_was_made():
    def vectorized(actions):
        return np.full((2, 2), 0.5)

    with pytest.raises(pg.InvalidMDPError, match=r"P takes \(actions\) and is called as P\(s, a\).*vectorized=True"):
        gradient(model(P=vectorized))
    with pytest.raises(pg.InvalidMDPError, match=r"P takes \(s, a\) and is called as P\(actions\).*vectorized=False"):
        gradient(pg.ContinuousActionMDP(law, vectorized, 0.5, [1.0, 0.0], vectorized=True))
    with pytest.raises(pg.InvalidMDPError, match=r"dR takes \(s\)"):
        gradient(model(dR=lambda s: np.zeros((2, 1))))
    np.testing.assert_array_equal(gradient(model(R=lambda *both: reward(*both))), gradient(model()))
