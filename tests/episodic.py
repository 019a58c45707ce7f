"""Small exact problems, and the left side that knows no theorem: J by enumeration, differentiated in dual numbers."""

from fractions import Fraction

import numpy as np

import pgtheory as pg
from pgtheory.differentiate import exact_derivative, unit_directions


def fractions(array):
    out = np.empty(np.shape(array), dtype=object)
    out.flat = [Fraction(int(x)) for x in np.asarray(array).flat]
    return out


def simplex(rng, shape, *, zeros=False):
    """Rational rows that sum to 1, some entries 0 where asked."""
    parts = rng.integers(0 if zeros else 1, 6, size=shape)
    parts[..., 0] += 1
    return fractions(parts) / fractions(parts.sum(axis=-1, keepdims=True))


def exact_mdp(rng, S=3, A=2, gamma=None, *, terminal=True):
    """Random rational MDP; the last state is terminal where asked, and rewards depend on (s, a, s')."""
    P, R = simplex(rng, (S, A, S), zeros=True), fractions(rng.integers(-3, 4, size=(S, A, S)))
    if terminal:
        P[-1], R[-1] = Fraction(0), Fraction(0)
        P[-1, :, -1] = Fraction(1)
    gamma = Fraction(int(rng.integers(1, 10)), 10) if gamma is None else gamma
    return pg.MDP(P, R, gamma, simplex(rng, (S,)))


def weights_policy(rng, mdp):
    """(policy, theta): softmax at rational weights."""
    shape = (mdp.n_states, mdp.n_actions)
    return pg.SoftmaxPolicy(*shape, weights=True), fractions(rng.integers(1, 6, size=shape))


def problems(count, seed, **options):
    """(mdp, policy, theta, horizon) with S <= 3, A <= 2, T <= 4, gamma = 1 now and then."""
    rng = np.random.default_rng(seed)
    for i in range(count):
        S, A, T = int(rng.integers(2, 4)), 2, int(rng.integers(1, 4))
        gamma = 1 if i % 4 == 3 else None
        mdp = exact_mdp(rng, S, A, gamma, terminal=bool(i % 3))
        yield (mdp, *weights_policy(rng, mdp), T)


def as_floats(mdp):
    """The same model rounded to float64 (rows sum to 1 again)."""
    arrays = [np.asarray(x, dtype=float) for x in (mdp.P, mdp.R, mdp.rho)]
    return pg.MDP(*arrays[:2], float(mdp.gamma), arrays[2], normalize=True)


def expected_return(mdp, pi, horizon):
    """J = sum over trajectories of Pr(tau) R(tau)."""
    batch = pg.enumerate_trajectories(mdp, pi, horizon)
    return batch.mean(sum(batch.rewards[:, t] * batch.mdp.gamma**t for t in range(horizon)))


def exact_gradient(mdp, policy, theta, horizon):
    """grad J of the finite-horizon problem, by differentiating the sum over trajectories."""
    def J(x):
        return np.array(expected_return(mdp, policy.probabilities(x), horizon), dtype=object)

    slopes = [exact_derivative(J, policy.step, theta, d.astype(int))[()] for d in unit_directions(theta.shape)]
    return np.array(slopes, dtype=object).reshape(theta.shape)


def equal(a, b):
    """Exact equality of two object arrays, entry by entry, with no float among them."""
    a, b = np.asarray(a, dtype=object), np.asarray(b, dtype=object)
    return a.shape == b.shape and not any(isinstance(x, float) for x in (*a.flat, *b.flat)) and bool(np.all(a == b))


def bandit(rewards, gamma=1):
    """One decision in state 0, then the terminal state 1."""
    A = len(rewards)
    return pg.MDP([[[0, 1]] * A] * 2, [rewards, [0] * A], gamma, 0)


def corridor():
    """Short corridor with switched actions (Sutton & Barto 2018, example 13.1); action 0 is left, reward -1 a step."""
    P = np.zeros((4, 2, 4))
    P[0, 0, 0] = P[0, 1, 1] = P[1, 0, 2] = P[1, 1, 0] = P[2, 0, 1] = P[2, 1, 3] = P[3, :, 3] = 1
    return pg.MDP(P, [-1.0, -1.0, -1.0, 0.0], 1.0, 0)


def shared_policy(n_states=4):
    """One parameter for all states: the probability of action 1 (right) is its sigmoid."""
    return pg.SoftmaxPolicy(features=[[[0.0], [1.0]]] * n_states)
