r"""The instance on which a derivation is checked where none is given, and what completes one that is given in part.

The running example of ``proofs/``: two states, two actions, rewards that depend on the next state, all in fractions;
V = (12/5, 3), d = (47/40, 33/40), J = 51/20.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from ..errors import PGTheoryError
from ..mdp import MDP
from ..policies import SoftmaxPolicy
from ..problem import Problem
from ..validation import whole_number
from .setting import Setting

MOST_ENTRIES = 4_000_000   # of the derivative of the transition law: beyond, a proof cannot be written out
MOST_STEPS = 1000


def running_example() -> MDP:
    """The MDP of ``proofs/``.

    >>> from pgtheory.derivations.instance import running_example
    >>> import pgtheory as pg
    >>> from fractions import Fraction as F
    >>> pg.solve(running_example(), [[F(1, 3), F(2, 3)], [F(2, 3), F(1, 3)]]).V
    array([Fraction(12, 5), Fraction(3, 1)], dtype=object)
    """
    half, third, quarter = Fraction(1, 2), Fraction(1, 3), Fraction(1, 4)
    return MDP(P=[[[half, half], [quarter, 3 * quarter]], [[third, 2 * third], [1, 0]]],
               R=[[[1, 0], [2, 1]], [[0, 3], [1, 0]]], gamma=half, rho=[3 * quarter, quarter])


def instance(model=None, policy=None, theta=None, k=3) -> Setting:
    """A model, a policy and theta, with what was not given; see :func:`pgtheory.prove`.

    >>> instance().pi.tolist()
    [[Fraction(1, 3), Fraction(2, 3)], [Fraction(2, 3), Fraction(1, 3)]]
    """
    k = whole_number(k, "k", PGTheoryError, 1)
    if k > MOST_STEPS:
        raise PGTheoryError(f"k is {k}: a proof that is written out takes at most {MOST_STEPS} steps")
    model = running_example() if model is None else model
    if not isinstance(model, MDP):
        raise PGTheoryError(f"prove needs an MDP, not {type(model).__name__}")
    policy, theta = _completed(model, policy, theta)
    entries = model.n_states**2 * model.n_actions * int(np.prod(policy.shape))
    if entries > MOST_ENTRIES:
        raise PGTheoryError(f"{model!r} with {int(np.prod(policy.shape))} parameters is too large to be written out step by "
                            "step: use verify, or prove it on a smaller model")
    return Setting(Problem(model, policy, theta, complete=True), k)


def _completed(model, policy, theta):
    """A softmax policy where none is given, in the arithmetic of the model; its weights cycle through 1, ..., A."""
    if policy is not None:
        if theta is None:
            raise PGTheoryError(f"theta is missing: {policy!r} needs parameters, as in prove(slug, model, policy, theta)")
        return policy, theta
    S, A = model.n_states, model.n_actions
    exact = model.arithmetic.exact or model.arithmetic.name == "integer"
    if theta is not None:
        return SoftmaxPolicy(S, A, weights=exact), theta
    weights = 1 + (np.arange(S)[:, None] + np.arange(A)) % A
    if exact:
        return SoftmaxPolicy(S, A, weights=True), [[Fraction(int(w)) for w in row] for row in weights]
    return SoftmaxPolicy(S, A), np.log(weights)
