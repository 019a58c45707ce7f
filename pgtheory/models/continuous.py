r"""Models of continuous actions: a saturating thermostat, a noisy target on a finite track, and a random family.

They are this library's own; nothing about them was published. What is known of them is symmetry and closed forms, named
with each.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..continuous.model import ContinuousActionMDP
from ..errors import InvalidMDPError
from ..validation import whole_number
from .catalogue import MODELS, Model, defaults


def softmax(logits):
    """Probabilities along the last axis, analytic in the logits.

    >>> import numpy as np
    >>> from pgtheory.models.continuous import softmax
    >>> softmax(np.array([0.0, np.log(3.0)]))
    array([0.25, 0.75])
    """
    e = np.exp(logits - np.real(logits).max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def thermostat(n_states: int = 9, gamma: float = 0.9) -> ContinuousActionMDP:
    """A room between -1 (cold) and 1 (hot) in ``n_states`` steps, heated or cooled by tanh(a); it drifts towards -1/2.

    The next temperature is 0.8 x + 0.2 (-1/2) + 0.6 tanh(a), seen through noise of deviation 1/4 and rounded to the grid
    by a softmax. The reward is -x'^2 - 0.05 tanh(a)^2, comfort less energy: however large the action, power saturates, so
    the gradient vanishes far out. Starts anywhere, uniformly.

    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.models.continuous import thermostat
    >>> room = thermostat()
    >>> bool(np.abs(pg.solve(room, np.full((9, 1), 40.0)).grad_Q).max() < 1e-30)
    True
    """
    x = _track(n_states)

    def P(actions):
        drift = 0.8 * x - 0.1 + 0.6 * np.tanh(actions[..., 0])
        return softmax(-8 * (x - drift[..., None]) ** 2)

    def R(actions):
        return -(x**2) - 0.05 * np.tanh(actions[..., 0, None]) ** 2

    return ContinuousActionMDP(P, R, gamma, np.full(n_states, 1 / n_states), action_dim=1, vectorized=True)


def noisy_target(n_states: int = 11, gamma: float = 0.95) -> ContinuousActionMDP:
    """A track from -1 to 1 with a target at 0; the action is a push a_0 and the care c = 1/(1 + e^{-a_1}) taken with it.

    The push shifts the position, seen through noise of deviation 1/sqrt(8 + 8c); the reward is e^{-8 x'^2} for landing near
    the target, less 0.1 a_0^2 for the push and 0.1 c^2 for the care. Starts at the left end. The mirror image of the track
    with a_0 negated is the same model, so that V is even under any odd push.

    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.models.continuous import noisy_target
    >>> push = np.stack([-np.linspace(-1, 1, 11), np.zeros(11)], axis=1)
    >>> V = pg.solve(noisy_target(), push).V
    >>> bool(np.abs(V - V[::-1]).max() < 1e-13)
    True
    """
    x = _track(n_states)
    rho = np.zeros(n_states)
    rho[0] = 1.0

    def P(actions):
        push, care = actions[..., 0, None], 1 / (1 + np.exp(-actions[..., 1, None]))
        return softmax(-4 * (1 + care) * (x - x[:, None] - push) ** 2)

    def R(actions):
        push, care = actions[..., 0, None], 1 / (1 + np.exp(-actions[..., 1, None]))
        return np.exp(-8 * x**2) - 0.1 * push**2 - 0.1 * care**2

    return ContinuousActionMDP(P, R, gamma, rho, action_dim=2, vectorized=True)


def _track(n_states):
    """(S,) positions from -1 to 1."""
    return np.linspace(-1, 1, whole_number(n_states, "n_states", InvalidMDPError, 1))


class RandomLaw(NamedTuple):
    """Coefficients of the random family: bias and base (S, S), the others (S, S, k).

    P = softmax over s' of bias + slope . a - curve (bend . a)^2;  R = base + tilt . a + w^2 / 4 - w^3 / 8, w = twist . a.
    """

    bias: np.ndarray
    slope: np.ndarray
    bend: np.ndarray
    curve: float
    base: np.ndarray
    tilt: np.ndarray
    twist: np.ndarray

    def P(self, actions):
        """(..., S, S) for actions (..., S, k)."""
        return softmax(self.bias + _along(self.slope, actions) - self.curve * _along(self.bend, actions) ** 2)

    def R(self, actions):
        """(..., S, S) for actions (..., S, k)."""
        w = _along(self.twist, actions)
        return self.base + _along(self.tilt, actions) + w * w * (2 - w) / 8

    def dP(self, actions):
        """(..., S, S, k)."""
        P = self.P(actions)
        bent = -2 * self.curve * _along(self.bend, actions)
        logits = self.slope + bent[..., None] * self.bend
        return P[..., None] * (logits - np.matmul(P[..., None, :], logits))

    def dR(self, actions):
        """(..., S, S, k)."""
        w = _along(self.twist, actions)
        return self.tilt + (w * (4 - 3 * w) / 8)[..., None] * self.twist


def _along(coefficients, actions):
    """(..., S, S): coefficients (S, S, k) times the action of the state."""
    return np.matmul(coefficients, actions[..., None])[..., 0]


def random_continuous(n_states: int, action_dim: int = 1, rng=0, *, gamma: float = 0.9, quadratic: bool = True,
                      supplied: bool = False) -> ContinuousActionMDP:
    """A random member: P a softmax of an affine or ``quadratic`` function of a, R a cubic that depends on s'.

    ``supplied`` hands the derivatives over too, in place of the complex step. ``rng`` is a Generator or a seed.

    >>> import pgtheory as pg
    >>> from pgtheory.models.continuous import random_continuous
    >>> random_continuous(4, 2, rng=1)
    ContinuousActionMDP(n_states=4, action_dim=2, gamma=0.9)
    """
    rng = np.random.default_rng(rng)
    square, cube = (n_states, n_states), (n_states, n_states, action_dim)
    law = RandomLaw(rng.normal(size=square), rng.normal(size=cube), rng.normal(size=cube), 0.25 if quadratic else 0.0,
                    rng.normal(size=square), rng.normal(size=cube), rng.normal(size=cube))
    derivatives = {"dP": law.dP, "dR": law.dR} if supplied else {}
    rho = rng.dirichlet(np.ones(n_states))
    return ContinuousActionMDP(law.P, law.R, gamma, rho, action_dim, vectorized=True, **derivatives)


def member(n_states: int = 5, action_dim: int = 2, seed: int = 0, gamma: float = 0.9) -> ContinuousActionMDP:
    """The member of the random family with this seed."""
    for name, x, least in (("n_states", n_states, 1), ("action_dim", action_dim, 1), ("seed", seed, 0)):
        whole_number(x, name, InvalidMDPError, least)
    return random_continuous(n_states, action_dim, seed, gamma=gamma)


CONTINUOUS = {"thermostat": thermostat, "noisy-target": noisy_target}

for _name, _title, _build in (
        ("thermostat", "A room heated or cooled by a power that saturates; actions in R^1", thermostat),
        ("noisy-target", "A target on a finite track, approached by push and care; actions in R^2", noisy_target),
        ("random-continuous", "A random member of a smooth family of models on continuous actions", member)):
    MODELS[_name] = Model(_name, _title, "this package", (), defaults(_build), _build, exact=False, continuous=True)
