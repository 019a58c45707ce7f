r"""A policy on a model of continuous actions, solved; and Q(s, a), its gradient and its Hessian at any action.

.. math::
    Q(s,a) = \sum_{s'} P(s'|s,a) \left( R(s,a,s') + \gamma V(s') \right), \qquad
    \nabla_a Q(s,a) = \sum_{s'} \nabla_a P(s'|s,a) \left( R(s,a,s') + \gamma V(s') \right)
        + \sum_{s'} P(s'|s,a) \nabla_a R(s,a,s').
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ..arithmetic import COMPLEX, FLOAT, FRACTION, INTEGER, as_array, join
from ..chain import Chain
from ..errors import PGTheoryError, UndefinedError
from ..mdp import MDP
from ..validation import read_only
from .curvature import hessian_Q
from .doubts import irregular
from .slopes import expected_slope
from .stepping import contract

NEARBY = 128   # terminal states are looked at 1/128 beside the actions too


class ContinuousSolution(Chain):
    r"""What :func:`pgtheory.solve` returns for a :class:`pgtheory.ContinuousActionMDP`.

    Attributes
    ----------
    V : (..., S) value, reward units
    d : (..., S) = sum_t gamma^t Pr(s_t = s); D : (..., S) = (1 - gamma) d; J : (...) rho . V
    P_pi : (..., S, S) transition law at the policy; r_pi : (..., S) its expected reward
    mdp : the model; actions : (..., S, k), or None where the policy is a density
    resolvent(B, transpose=False) : (I - gamma P_pi)^-1 B

    Examples
    --------
    >>> import pgtheory as pg, sympy
    >>> a = sympy.Symbol("a")
    >>> model = pg.ContinuousActionMDP.from_sympy([[1]], [a - a**2], a, 0.5, [1.0])
    >>> solution = pg.solve(model, [[0.25]])
    >>> solution.V, solution.Q_at([[0.5]]), solution.grad_Q_at([[0.5]]), solution.hessian_Q_at([[0.5]]).round(9)
    (array([0.375]), array([0.4375]), array([[0.]]), array([[[-2.]]]))
    """

    def __init__(self, model, P_pi, r_pi, arithmetic, terminal=None, actions=None, law=None):
        super().__init__(P_pi, r_pi, arithmetic.number(model.gamma), arithmetic.convert(model.rho), arithmetic, terminal)
        self.mdp, self.actions, self._law = model, actions, law

    def Q_at(self, actions):
        """(..., S) value of acting once by ``actions`` (..., S, k) and following the policy after, reward units."""
        P, _, r = self._at(self._checked(actions))
        return r + (P @ self.V) * self.gamma

    def grad_Q_at(self, actions):
        """(..., S, k): grad_a Q(s, a) at ``actions`` (..., S, k), reward per unit of action.

        Real or exact actions; complex ones where the model has dP and dR. Raises :class:`InvalidMDPError` where P or R are
        not differentiable.
        """
        actions = self._checked(actions)
        P, R, _ = self._at(actions)
        return expected_slope(self.mdp, actions, P, R, self.V * self.gamma)

    @cached_property
    def grad_Q(self):
        """(S, k): grad_a Q(s, a) at a = mu(s), reward per unit of action; :class:`UndefinedError` for a density."""
        if self.actions is None:
            raise UndefinedError("grad_Q is taken at the policy's actions, and a density has none: use grad_Q_at(actions)")
        return read_only(self.grad_Q_at(self.actions))

    @cached_property
    def error_bounds(self):
        """Certified bounds on the errors of "V", "Q" (at the policy's actions), "d", "D", "J"; see :mod:`.bounds`."""
        from .bounds import chain_bounds

        return chain_bounds(self)

    def hessian_Q_at(self, actions):
        """(..., S, k, k): the Hessian of Q(s, a) in a at ``actions`` (..., S, k), reward per unit of action squared.

        Exact in Fractions where P and R are rational; exact to rounding where dP and dR are given as analytic code, as from
        :meth:`pgtheory.ContinuousActionMDP.from_sympy`; else from P and R on circles in the complex plane, to about 13
        digits. :meth:`hessian_Q_error` says how far it may be off. Raises :class:`NotExactError` at complex or symbolic actions.
        """
        return self._hessian(actions)[0]

    def hessian_Q_error(self, actions) -> float:
        """Error of every entry of :meth:`hessian_Q_at`: 0 in Fractions, else rounding and what the method reports."""
        return self._hessian(actions)[1]

    def _hessian(self, actions):
        actions = self._checked(actions)
        P, R, _ = self._at(actions)
        return hessian_Q(self.mdp, actions, P, R, self.V * self.gamma)

    def _checked(self, actions):
        """Actions at which to ask for Q."""
        if self.batched:
            raise PGTheoryError("Q needs one solution, not a batch: solve each member by itself")
        return actions if actions is self.actions else self.mdp.check_actions(actions)

    def _at(self, actions):
        """P, R and r at actions; at the policy's own from memory."""
        if self._law is not None and actions is self.actions:
            return self._law
        return self.mdp.valid_law(actions)

    def __repr__(self):
        return f"ContinuousSolution({self.mdp!r})"


def solve_actions(model, actions) -> ContinuousSolution:
    r"""Solve a :class:`pgtheory.ContinuousActionMDP` where state s acts by ``actions[..., s, :]``; what ``solve`` calls.

    At gamma = 1 a state is taken as terminal if it stays with probability 1 and pays nothing both at its action and at one
    beside it: for functions that are analytic near the action, that means at every action near it. Raises
    :class:`InvalidMDPError` where the model is none at these actions, :class:`UndefinedError` where gamma = 1 and a state
    cannot terminate.
    """
    actions = model.check_actions(actions)
    P, R, r = model.valid_law(actions)
    terminal = rests(P, r) & _rests_nearby(model, actions) if model.gamma == 1 else None
    P = P.view()   # to be locked, and perhaps the user's own
    return ContinuousSolution(model, P, r, arithmetic_of(P, r), terminal, read_only(np.array(actions)), (P, R, r))


def walk_model(model, actions) -> MDP:
    """The MDP of one action that a :class:`ContinuousActionMDP` becomes at ``actions`` (S, k).

    >>> import numpy as np
    >>> from pgtheory.continuous.model import ContinuousActionMDP
    >>> from pgtheory.continuous.solution import walk_model
    >>> def P(s, a):
    ...     move = 1 / (1 + np.exp(-a[0]))
    ...     return np.array([1 - move, move])
    >>> model = ContinuousActionMDP(P, lambda s, a: np.array([0.0, 1.0]), 0.5, [1.0, 0.0])
    >>> walk_model(model, [[0.0], [0.0]]).P[:, 0]
    array([[0.5, 0.5],
           [0.5, 0.5]])
    """
    P, R, _ = model.valid_law(model.check_actions(actions))
    return MDP(P[:, None], R[:, None], model.gamma, model.rho, normalize=P.dtype != object)


def arithmetic_of(P, r):
    """The arithmetic of a law and a reward that went through :meth:`ContinuousActionMDP.law`."""
    if P.dtype == object:
        found = join(as_array(P)[1], as_array(r)[1])     # a law of whole numbers says nothing, the reward may
        return FRACTION if found == INTEGER else found
    return COMPLEX if "c" in (P.dtype.kind, r.dtype.kind) else FLOAT


def rests(P, r):
    """(..., S) bool: stays with probability 1 and earns nothing.

    >>> import numpy as np
    >>> from pgtheory.continuous.solution import rests
    >>> rests(np.array([[0.5, 0.5], [0.0, 1.0]]), np.array([0.0, 0.0]))
    array([False,  True])
    """
    return np.array((np.einsum("...ss->...s", P) == 1) & (r == 0), dtype=bool)


def _rests_nearby(model, actions):
    if actions.dtype == object:
        numerators = np.arange(1, actions.size + 1).reshape(actions.shape).astype(object)
        beside = actions + numerators / as_array(actions)[1].number(NEARBY)
    else:
        beside = np.real(actions) + irregular(actions.shape) / NEARBY
    P, R = model.law(beside)
    return rests(P, contract(P, R))
