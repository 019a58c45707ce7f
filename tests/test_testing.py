"""assert_policy_gradient: passes the gradient, refuses anything else, and names the known mistake it looks like."""

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
import sympy
from hypothesis import given
from sympy.polys.fields import field

import pgtheory as pg
from pgtheory import strategies
from pgtheory.testing import assert_policy_gradient

PREFIX = r"^not the policy gradient: "


def ergodic(gamma=0.8, S=4, A=3):
    """No state ends, every state is reached: the stationary distribution exists, and differs from D."""
    rng = np.random.default_rng(1)
    P = 0.9 * rng.dirichlet(np.full(S, 0.3), (S, A)) + 0.1 / S
    return pg.MDP(P, rng.normal(size=(S, A)), gamma, 0, normalize=True)


def episodic(gamma=0.8):
    """Three states and an end that every action may lead to."""
    rng = np.random.default_rng(2)
    P = np.zeros((4, 3, 4))
    P[:3, :, :3], P[:3, :, 3], P[3, :, 3] = 0.8 * rng.dirichlet(np.ones(3), (3, 3)), 0.2, 1.0
    R = rng.normal(size=(4, 3))
    R[3] = 0.0
    return pg.MDP(P, R, gamma, 0, normalize=True)


SOFTMAX = pg.SoftmaxPolicy(4, 3)
THETA = np.random.default_rng(3).normal(size=(4, 3))
DIRECT = pg.DirectPolicy(4, 3)
PI = SOFTMAX.probabilities(THETA)


def message_of(grad, mdp, policy, theta, **tolerances):
    with pytest.raises(AssertionError) as caught:
        assert_policy_gradient(grad, mdp, policy, theta, **tolerances)
    return str(caught.value)


# --------------------------------------------------------------------------------------------------- what is right


@given(strategies.problems())
def test_the_gradient_itself_passes_on_hard_cases(problem):
    mdp, policy, theta = problem
    try:
        assert_policy_gradient(pg.policy_gradient, mdp, policy, theta)
    except pg.UndefinedError as error:      # rounding as large as the gradient: nothing is judged, and that is said
        assert "floating point cannot judge it" in str(error)


@pytest.mark.parametrize("wrong", [lambda g, gamma: 0 * g, lambda g, gamma: -g, lambda g, gamma: (1 - gamma) * g])
@pytest.mark.parametrize("gamma, logit", [(1 - 1e-9, 0.0), (0.9, 40.0)])
def test_no_wrong_gradient_passes_where_rounding_is_as_large(wrong, gamma, logit):
    rng = np.random.default_rng(11)
    mdp = pg.MDP(rng.dirichlet(np.ones(4), (4, 3)), rng.normal(size=(4, 3)), gamma, 0, normalize=True)
    policy, theta = pg.SoftmaxPolicy(4, 3), np.zeros((4, 3))
    theta[:, 0] = logit
    with pytest.raises((pg.UndefinedError, AssertionError)):
        assert_policy_gradient(wrong(pg.policy_gradient(mdp, policy, theta), gamma), mdp, policy, theta)


@given(strategies.problems(exact=True, max_states=3))
def test_the_exact_gradient_passes_and_the_least_difference_does_not(problem):
    mdp, policy, theta = problem
    gradient = pg.policy_gradient(mdp, policy, theta)
    assert_policy_gradient(gradient, mdp, policy, theta)
    gradient = np.array(gradient)
    gradient.flat[-1] += Fraction(1, 10**400)       # far below the smallest float
    assert message_of(gradient, mdp, policy, theta).startswith("not the policy gradient")


@pytest.mark.parametrize("policy, theta", [(SOFTMAX, THETA), (DIRECT, PI), (pg.EscortPolicy(4, 3), THETA),
                                           (pg.SoftmaxPolicy(4, 3, weights=True), np.exp(THETA)),
                                           (pg.SoftmaxPolicy(features=np.ones((4, 3, 2)) * THETA[..., None]), np.ones(2))])
@pytest.mark.parametrize("mdp", [ergodic(), episodic(), episodic(1.0), ergodic(0.0)], ids=["ergodic", "episodic", "1", "0"])
def test_a_gradient_by_complex_steps_passes(mdp, policy, theta):
    """The left side of the theorem, by a route that knows no theorem, lies within the derived tolerance."""
    def by_complex_steps(mdp, policy, theta):
        def J(x):
            pi = policy.probabilities(x)
            P_pi, r_pi = np.einsum("sa,sat->st", pi, mdp.P), (pi * mdp.r).sum(axis=1)
            live = ~mdp.terminal if mdp.gamma == 1 else np.ones(4, dtype=bool)
            V = np.linalg.solve(np.eye(live.sum()) - mdp.gamma * P_pi[live][:, live], r_pi[live])
            return mdp.rho[live] @ V
        steps = np.eye(theta.size).reshape((theta.size,) + theta.shape)
        return np.array([J(policy.step(theta, d, 1e-30j)).imag / 1e-30 for d in steps]).reshape(theta.shape)

    assert_policy_gradient(by_complex_steps, mdp, policy, theta)
    off = by_complex_steps(mdp, policy, theta) + 1e-9       # negative control: a millionth of what a float32 would show
    assert message_of(off, mdp, policy, theta).startswith("not the policy gradient")


def test_sparse_models_and_lists_are_taken():
    mdp = ergodic()
    sparse = pg.MDP(sp.csr_array(mdp.P.reshape(12, 4)), mdp.R, mdp.gamma, mdp.rho)
    assert_policy_gradient(pg.policy_gradient(mdp, SOFTMAX, THETA).tolist(), sparse, SOFTMAX, THETA.tolist())
    assert "1/(1 - gamma) were missing" in message_of(0.2 * pg.policy_gradient(mdp, SOFTMAX, THETA), sparse, SOFTMAX, THETA)


def test_float32_is_compared_with_the_tolerance_of_float32():
    mdp = ergodic()
    single = pg.policy_gradient(mdp, SOFTMAX, THETA).astype(np.float32)
    assert_policy_gradient(single, mdp, SOFTMAX, THETA)
    assert message_of(single.astype(float), mdp, SOFTMAX, THETA).startswith("not the policy gradient: relative error")
    assert message_of(single + np.float32(0.01), mdp, SOFTMAX, THETA).startswith("not the policy gradient")


@pytest.mark.parametrize("tolerances, passes", [({"rtol": 1e-2}, True), ({"rtol": 1e-4}, False), ({"atol": 0.1}, True),
                                                ({"atol": 1e-9}, False), ({"rtol": 0, "atol": 0.0}, False)])
def test_tolerances_may_be_given(tolerances, passes):
    mdp = ergodic()
    gradient = pg.policy_gradient(mdp, SOFTMAX, THETA)
    nearly = gradient + 1e-3 * np.abs(gradient).max()
    if passes:
        assert_policy_gradient(nearly, mdp, SOFTMAX, THETA, **tolerances)
    else:
        message_of(nearly, mdp, SOFTMAX, THETA, **tolerances)


def test_floats_are_compared_with_an_exact_gradient_only_where_a_tolerance_is_given():
    mdp = pg.MDP([[[0, 1], [1, 0]], [[0, 1], [0, 1]]], [[1, 2], [0, 0]], Fraction(1, 2), 0)
    policy, theta = pg.SoftmaxPolicy(2, 2, weights=True), [[Fraction(1), Fraction(2)], [Fraction(1), Fraction(1)]]
    floating = pg.policy_gradient(mdp, policy, theta).astype(float)
    with pytest.raises(pg.NotExactError, match="never silently rounded"):
        assert_policy_gradient(floating, mdp, policy, theta)
    assert_policy_gradient(floating, mdp, policy, theta, rtol=1e-15)
    assert "sign were flipped" in message_of(-floating, mdp, policy, theta, rtol=1e-15)


@pytest.mark.parametrize("symbols", [lambda: field("x, y", sympy.QQ)[1:], lambda: sympy.symbols("x y", positive=True)],
                         ids=["field", "expression"])
def test_symbolic_gradients_are_compared_as_rational_functions(symbols):
    """One state, pi = (x, y)/(x + y), rewards (1, 0), gamma = 0: w d/dw of x/(x + y) is xy/(x + y)^2 and its negative."""
    x, y = symbols()
    mdp, policy = pg.MDP([[[1], [1]]], [[1, 0]], 0, 0), pg.SoftmaxPolicy(1, 2, weights=True)
    right = np.array([[x * y / (x + y) ** 2, -x * y / (x + y) ** 2]], dtype=object)
    assert_policy_gradient(right, mdp, policy, [[x, y]])
    assert "furthest off at [0, 0], which is" in message_of(2 * right, mdp, policy, [[x, y]])


# ------------------------------------------------------------------------------------------------ the known mistakes


def stationary(mdp, pi, steps=4000):
    """The state distribution after many steps."""
    p = np.full(mdp.n_states, 1 / mdp.n_states)
    for _ in range(steps):
        p = p @ np.einsum("sa,sat->st", pi, mdp.P)
    return p


def undiscounted(mdp, pi, steps=4000):
    """sum_t Pr(s_t = s) over the live states."""
    p, total = mdp.rho * ~mdp.terminal, 0.0
    for _ in range(steps):
        total, p = total + p, (p @ np.einsum("sa,sat->st", pi, mdp.P)) * ~mdp.terminal
    return total


def with_weights(mdp, visits, policy=SOFTMAX, theta=THETA, advantage=False):
    solution = pg.solve(mdp, PI)
    return policy.pullback(theta, visits[:, None] * (solution.A if advantage else solution.Q))


MISTAKES = [
    ("the factor 1/(1 - gamma) were missing", ergodic(), with_weights(ergodic(), pg.solve(ergodic(), PI).D)),
    ("its sign were flipped", ergodic(), -pg.policy_gradient(ergodic(), SOFTMAX, THETA)),
    ("gamma^t were dropped from the state weights (undiscounted visits)", episodic(),
     with_weights(episodic(), undiscounted(episodic(), PI))),
    ("gamma^t were dropped from the state weights (stationary distribution)", ergodic(),
     with_weights(ergodic(), stationary(ergodic(), PI))),
    ("gamma^t were dropped from the state weights (stationary distribution over 1 - gamma)", ergodic(),
     5 * with_weights(ergodic(), stationary(ergodic(), PI))),
    ("it were 3 times the gradient", ergodic(), 3 * pg.policy_gradient(ergodic(), SOFTMAX, THETA)),
]


@pytest.mark.parametrize("words, mdp, wrong", MISTAKES, ids=[words[:40] for words, *_ in MISTAKES])
def test_known_mistakes_are_named_and_no_other(words, mdp, wrong):
    message = message_of(wrong, mdp, SOFTMAX, THETA)
    assert message.endswith(f"; looks as if {words}")


def loops(mdp, pi):
    """V, Q and D by plain iteration; (S, A) and so on."""
    V, p, D = np.zeros(mdp.n_states), np.array(mdp.rho), 0.0
    for t in range(400):
        Q = mdp.r + mdp.gamma * np.einsum("sat,t->sa", mdp.P, V)
        V, D = (pi * Q).sum(axis=1), D + mdp.gamma**t * p
        p = p @ np.einsum("sa,sat->st", pi, mdp.P)
    return V, Q, D


def centred(x, pi):
    """pi (x - sum pi x), the softmax's Jacobian."""
    return pi * (x - (pi * x).sum(axis=1, keepdims=True))


def by_hand():
    """(words, the gradient written wrongly), softmax of a table; sums of 400 steps at gamma = 0.8 leave 1e-38."""
    mdp = ergodic()
    V, Q, D = loops(mdp, PI)
    d, r = D[:, None], mdp.r
    turned = np.swapaxes(mdp.P, 0, 2)
    W = np.linalg.solve(np.eye(4) - mdp.gamma * np.einsum("sa,sat->st", PI, turned), (PI * r).sum(axis=1))
    return mdp, [
        ("the reward stood for Q", d * centred(r, PI)),
        ("Q lacked gamma, r + P V", d * centred(r + mdp.P @ V, PI)),
        ("Q lacked the reward, gamma P V", d * centred(mdp.gamma * mdp.P @ V, PI)),
        ("Q were that of P transposed", d * centred(r + mdp.gamma * turned @ W, PI)),
        ("pi were missing, grad log pi for grad pi",
         d * (Q - Q.sum(axis=1, keepdims=True) * PI)),
        ("the score were not centred, pi Q for pi (Q - V)", d * PI * Q),
        ("the score were not centred and pi missing, Q for pi (Q - V)", d * Q),
        ("the factor 1/(1 - gamma) were there twice", d * centred(Q, PI) / (1 - mdp.gamma)),
        ("the states were weighted by the start distribution alone", mdp.rho[:, None] * centred(Q, PI)),
        ("all states were weighted alike", centred(Q, PI)),
        ("d were solved with P_pi where its transpose belongs",
         np.linalg.solve(np.eye(4) - mdp.gamma * np.einsum("sa,sat->st", PI, mdp.P), mdp.rho)[:, None] * centred(Q, PI)),
        ("the reward stood for Q, and its sign flipped", -d * centred(r, PI)),
        ("the factor 1/(1 - gamma) were missing, and Q lacked gamma, r + P V", (1 - mdp.gamma) * d * centred(r + mdp.P @ V, PI)),
        ("all states were weighted alike, and the score were not centred, pi Q for pi (Q - V)", PI * Q),
    ]


@pytest.mark.parametrize("case", range(14), ids=lambda case: by_hand()[1][case][0][:50])
def test_gradients_written_wrongly_by_hand_are_named_and_no_other(case):
    mdp, cases = by_hand()
    words, wrong = cases[case]
    assert message_of(wrong, mdp, SOFTMAX, THETA).endswith(f"; looks as if {words}")
    assert len(cases) == 14


def test_a_factor_is_named_only_where_it_is_one():
    """Noise is no factor, nor is a zero; a factor near 1 is told by how far it is from 1."""
    mdp = ergodic()
    right, noise = pg.policy_gradient(mdp, SOFTMAX, THETA), np.random.default_rng(0).normal(size=(4, 3))
    for wrong in (right + 1e-9 * noise, right + 1e-5 * noise, 5e-16 * noise, 0 * right):
        assert "times the gradient" not in message_of(wrong, mdp, SOFTMAX, THETA)
    assert message_of(right * (1 + 1e-7), mdp, SOFTMAX, THETA).endswith("it were 1 + 1e-07 times the gradient")
    assert message_of(right / 4, mdp, SOFTMAX, THETA).endswith("it were 0.25 times the gradient")


def test_the_advantage_is_named_where_it_matters():
    mdp = ergodic()
    solution = pg.solve(mdp, PI)
    wrong = with_weights(mdp, solution.d, DIRECT, PI, advantage=True)
    assert message_of(wrong, mdp, DIRECT, PI).endswith("; looks as if the advantage stood for Q, off the simplex")
    assert_policy_gradient(with_weights(mdp, solution.d, advantage=True), mdp, SOFTMAX, THETA)      # and is right on it


def test_a_derivative_in_the_weights_is_named():
    mdp, policy, theta = ergodic(), pg.SoftmaxPolicy(4, 3, weights=True), np.exp(THETA)
    wrong = pg.policy_gradient(mdp, policy, theta) / theta
    assert message_of(wrong, mdp, policy, theta).endswith("; looks as if it were the derivative in w, not w d/dw")


def test_a_transpose_is_named_by_shape_or_by_value():
    square = ergodic(A=4)
    policy, theta = pg.SoftmaxPolicy(4, 4), np.random.default_rng(0).normal(size=(4, 4))
    gradient = pg.policy_gradient(square, policy, theta)
    assert message_of(gradient.T, square, policy, theta).endswith("; looks as if it were transposed")
    wide = pg.policy_gradient(ergodic(), SOFTMAX, THETA)
    assert message_of(wide.T, ergodic(), SOFTMAX, THETA) == (
        "not the policy gradient: its shape is (3, 4), that of theta is (4, 3): it looks transposed")


def test_two_mistakes_that_cannot_be_told_apart_are_both_named():
    """One state: D is stationary."""
    mdp, policy = pg.MDP([[[1.0], [1.0]]], [[1.0, 0.0]], 0.5, 0), pg.SoftmaxPolicy(1, 2)
    message = message_of([[0.25, -0.25]], mdp, policy, [[0.0, 0.0]])
    assert "1/(1 - gamma) were missing or gamma^t were dropped from the state weights (stationary distribution)" in message


def test_an_unknown_mistake_is_not_given_a_name():
    gradient = pg.policy_gradient(ergodic(), SOFTMAX, THETA)
    assert "looks as if" not in message_of(gradient + np.arange(12.0).reshape(4, 3), ergodic(), SOFTMAX, THETA)
    assert "looks as if" not in message_of(0 * gradient, ergodic(), SOFTMAX, THETA)


# ------------------------------------------------------------------------------------------------------ the message


def test_the_message_holds_the_error_the_first_worst_entry_and_both_values():
    mdp, policy = pg.MDP([[[1.0], [1.0]]], [[1.0, 0.0]], 0.5, 0), pg.SoftmaxPolicy(1, 2)
    message = message_of([[0.5, -0.3]], mdp, policy, [[0.0, 0.0]])       # the gradient is (1/2, -1/2)
    assert message.startswith("not the policy gradient: relative error 0.4, tolerance ")
    assert message.endswith("; furthest off at [0, 1], which is -0.3 and should be -0.5")
    message = message_of([[0.75, -0.75]], mdp, policy, [[0.0, 0.0]], rtol=0.1)
    assert "relative error 0.5, tolerance 0.1; furthest off at [0, 0], which is 0.75 and should be 0.5" in message


def test_a_gradient_that_should_be_zero_is_told_in_absolute_terms():
    mdp, policy = pg.MDP([[[1.0]]], [[1.0]], 0.5, 0), pg.SoftmaxPolicy(1, 1)
    assert_policy_gradient([[0.0]], mdp, policy, [[0.0]])
    assert message_of([[1.0]], mdp, policy, [[0.0]]).startswith(
        "not the policy gradient: error 1 where the gradient is 0, tolerance ")


@pytest.mark.parametrize("grad, message", [
    (np.zeros((4, 4)), "its shape is (4, 4), that of theta is (4, 3)"), (0.0, "its shape is (), that of theta is (4, 3)"),
    (np.where(np.arange(12).reshape(4, 3) == 7, np.nan, 0.0), "it is nan at [2, 1]"),
    (np.where(np.arange(12).reshape(4, 3) == 2, np.inf, 0.0), "it is inf at [0, 2]"),
    (np.zeros((4, 3)) + 0j, "it is complex; a complex step ends in Im f / h"),
])
def test_what_is_no_gradient_at_all_is_refused(grad, message):
    assert message_of(grad, ergodic(), SOFTMAX, THETA) == f"not the policy gradient: {message}"


def test_bad_problems_are_refused_as_everywhere():
    with pytest.raises(pg.InvalidPolicyError, match=r"theta has shape \(3, 4\)"):
        assert_policy_gradient(np.zeros((4, 3)), ergodic(), SOFTMAX, np.zeros((3, 4)))
    with pytest.raises(pg.UndefinedError, match="gamma = 1"):
        assert_policy_gradient(np.zeros((4, 3)), ergodic(1.0), SOFTMAX, THETA)
