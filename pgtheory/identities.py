r"""The theorems as identities of rational functions: one calculation for every model of a size and every policy at once.

With all of P, R, gamma, rho and the parameters symbols, both sides of a policy gradient theorem are rational functions of
them. The left side differentiates J, which knows no theorem; the right side is :func:`pgtheory.policy_gradient`. Cleared of
their common denominator the sides are polynomials, and the theorem holds for every model of that size, at every parameter at
which it is defined, if their difference is the zero polynomial. Both sides share the model, the policy and the linear solve.

>>> from pgtheory.identities import general_identity
>>> general_identity(1, 2).holds
True
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .arithmetic import FactoredField, objects, over_common_powers
from .continuous.deterministic_policies import DeterministicPolicy
from .continuous.model import ContinuousActionMDP
from .differentiate import symbolic_derivative
from .errors import PGTheoryError
from .mdp import MDP
from .policies import Policy, SoftmaxPolicy
from .solution import policy_gradient, solve
from .validation import whole_number


class RationalIdentity(NamedTuple):
    """Two arrays of rational functions that are claimed to be equal.

    lhs, rhs : of one shape, elements of a :class:`pgtheory.arithmetic.FactoredField`
    """

    lhs: np.ndarray
    rhs: np.ndarray

    @property
    def cleared(self) -> tuple[np.ndarray, np.ndarray]:
        """Both sides as arrays of polynomials: each pair of entries is multiplied by its common denominator."""
        pairs = [over_common_powers(pair)[1] for pair in zip(self.lhs.flat, self.rhs.flat, strict=True)]
        left, right = zip(*pairs, strict=True)
        return objects(left, self.lhs.shape), objects(right, self.lhs.shape)

    @property
    def difference(self) -> np.ndarray:
        """Polynomials, left minus right; the identity holds where all of them are the zero polynomial."""
        left, right = self.cleared
        return left - right

    @property
    def holds(self) -> bool:
        """Every entry of :attr:`difference` is zero."""
        return not any(self.difference.flat)


def general_mdp(n_states: int, n_actions: int) -> tuple[MDP, np.ndarray]:
    """(mdp, w): the MDP of this size with a symbol for everything, and a symbol for the weight w of every action.

    P[s, a, s'] and rho[s] but for the last state's, r[s, a], and gamma: (S A + 1)(S - 1) + 2 S A + 1 symbols with w.

    >>> from pgtheory.identities import general_mdp
    >>> mdp, w = general_mdp(2, 1)
    >>> mdp.P[0, 0], mdp.rho, mdp.gamma, w[1, 0]
    (array([P000, -P000 + 1], dtype=object), array([rho0, -rho0 + 1], dtype=object), gamma, w10)
    """
    S, A = (whole_number(n, name, PGTheoryError, 1) for n, name in ((n_states, "n_states"), (n_actions, "n_actions")))
    symbols = _Symbols(P=(S, A, S - 1), r=(S, A), gamma=(), rho=(S - 1,), w=(S, A))
    return MDP(_completed(symbols["P"]), symbols["r"], symbols["gamma"][()], _completed(symbols["rho"])), symbols["w"]


def general_identity(n_states: int, n_actions: int, theorem: Callable = policy_gradient) -> RationalIdentity:
    """The stochastic policy gradient theorem for every MDP of this size and every softmax policy on it.

    The left side is w dJ/dw, the derivative with respect to the logits; ``theorem(mdp, policy, w)`` is the right side.

    >>> from pgtheory.identities import general_identity
    >>> general_identity(2, 2).holds
    True
    """
    mdp, w = general_mdp(n_states, n_actions)
    return _stochastic(mdp, SoftmaxPolicy(*w.shape, weights=True), w, theorem)


def every_policy_identity(mdp: MDP, policy: Policy | None = None, theorem: Callable = policy_gradient) -> RationalIdentity:
    """The stochastic theorem on one exact model for every parameter at once; the policy is softmax in weights, or ``policy``.

    Every parameter is a symbol, so the policy must be rational, as ``SoftmaxPolicy(S, A, weights=True)`` and
    ``EscortPolicy(S, A)`` are. Raises :class:`NotExactError` where the model is in floats.

    >>> import pgtheory as pg
    >>> from pgtheory.identities import every_policy_identity
    >>> every_policy_identity(pg.models.load("start-matters", exact=True)).holds
    True
    """
    policy = SoftmaxPolicy(mdp.n_states, mdp.n_actions, weights=True) if policy is None else policy
    theta = _Symbols(rational=True, w=policy.shape)["w"]
    return _stochastic(mdp, policy, theta, theorem)


def _stochastic(mdp, policy, theta, theorem) -> RationalIdentity:
    J = objects([solve(mdp, policy.probabilities(theta)).J], ())
    lhs = symbolic_derivative(J, theta, logarithmic=policy.logarithmic)
    return RationalIdentity(lhs, theorem(mdp, policy, theta))


# ------------------------------------------------------------------------------------------- deterministic policies


def general_continuous(n_states: int, rational: bool = False, degree: int = 2) -> tuple[ContinuousActionMDP, np.ndarray]:
    r"""(model, theta): a family of models of one action dimension with a symbol for every coefficient, and one action a state.

    Rewards are polynomials in the action, :math:`r(s, a) = \sum_{k \le degree} c_{sk} a^k`. Transition probabilities are
    :math:`P(s'|s, a) = x_{ss'}(a) = p_{ss'} + q_{ss'} a`, the last one making up for the others; or, ``rational``,
    :math:`x_{ss'}(a) / \sum_t x_{st}(a)` with 1 for the last x.

    >>> from pgtheory.identities import general_continuous
    >>> model, theta = general_continuous(2)
    >>> model.P(0, theta[0])
    array([p00 + q00*theta00, -p00 - q00*theta00 + 1], dtype=object)
    """
    S = whole_number(n_states, "n_states", PGTheoryError, 1)
    symbols = _Symbols(p=(S, S - 1), q=(S, S - 1), c=(S, degree + 1), gamma=(), rho=(S - 1,), theta=(S, 1))
    p, q, c = symbols["p"], symbols["q"], symbols["c"]

    def P(s, a):
        x = p[s] + q[s] * a[0]
        return np.append(x, 1) / (x.sum() + 1) if rational else _completed(x)

    def dP(s, a):
        x, dx = p[s] + q[s] * a[0], q[s]
        if not rational:
            return np.append(dx, -dx.sum())[:, None]
        whole = x.sum() + 1
        return (np.append(dx, 0) / whole - np.append(x, 1) * (dx.sum() / whole**2))[:, None]

    def R(s, a):
        return objects([sum(c[s, k] * a[0] ** k for k in range(degree + 1))], (1,))

    def dR(s, a):
        return objects([sum(k * c[s, k] * a[0] ** (k - 1) for k in range(1, degree + 1))], (1, 1))

    model = ContinuousActionMDP(P, R, symbols["gamma"][()], _completed(symbols["rho"]), dP=dP, dR=dR)
    return model, symbols["theta"]


def deterministic_identity(n_states: int, rational: bool = False, degree: int = 2,
                           theorem: Callable = policy_gradient) -> RationalIdentity:
    """The deterministic policy gradient theorem on a whole family of models, see :func:`general_continuous`.

    The left side is dJ/dtheta where theta holds the action of every state; ``theorem(model, policy, theta)`` the right side.

    >>> from pgtheory.identities import deterministic_identity
    >>> deterministic_identity(2).holds, deterministic_identity(2, rational=True).holds
    (True, True)
    """
    model, theta = general_continuous(n_states, rational, degree)
    policy = DeterministicPolicy(features=np.eye(n_states, dtype=int))
    J = objects([solve(model, policy.actions(theta)).J], ())
    return RationalIdentity(symbolic_derivative(J, theta, logarithmic=False), theorem(model, policy, theta))


# ------------------------------------------------------------------------------------------------------ symbols


class _Symbols(dict):
    """Arrays of generators of one field, by name; integers are the constants, or rational numbers."""

    def __init__(self, rational: bool = False, **shapes):
        from sympy import QQ, ZZ
        from sympy.polys.rings import ring

        names = {name: [name + "".join(map(str, index)) for index in np.ndindex(shape)] for name, shape in shapes.items()}
        field = FactoredField(ring([x for group in names.values() for x in group], QQ if rational else ZZ)[0])
        gens = iter(field.gens)
        super().__init__((name, objects([next(gens) for _ in names[name]], shape)) for name, shape in shapes.items())


def _completed(x):
    """The last axis with one more entry: 1 minus the others."""
    last = 1 - x.sum(axis=-1, keepdims=True)
    return np.concatenate([x, last], axis=-1)
