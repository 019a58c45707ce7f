r"""The instance on which a derivation is checked where none is given, and what completes one that is given in part.

The running example of ``proofs/``: two states, two actions, rewards that depend on the next state, all in fractions;
V = (12/5, 3), d = (47/40, 33/40), J = 51/20.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from ..claims.episodes import reason_against
from ..continuous.deterministic_policies import DeterministicPolicy
from ..continuous.model import ContinuousActionMDP
from ..errors import PGTheoryError, UndefinedError
from ..mdp import MDP
from ..policies import SoftmaxPolicy
from ..problems.continuous import DeterministicProblem, problem_of
from ..problems.finite import Problem
from ..validation import whole_number
from .action_setting import ActionSetting
from .episode_setting import EpisodeSetting
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
    k = _steps(k)
    model = running_example() if model is None else model
    if not isinstance(model, MDP):
        raise PGTheoryError(f"prove needs an MDP, not {type(model).__name__}")
    policy, theta = _completed(model, policy, theta)
    _require_small(model.n_states**2 * model.n_actions, int(np.prod(policy.shape)), model)
    return Setting(Problem(model, policy, theta, complete=True), k)


def episode_instance(model=None, policy=None, theta=None, k=3) -> EpisodeSetting:
    """The same for a claim about trajectories: the horizon is k, or as long as they can all be written out.

    >>> episode_instance(k=100).k
    3
    """
    setting = instance(model, policy, theta, k)
    reason = reason_against(setting.problem, simplex=False, rewards=False)
    if reason is not None:
        raise UndefinedError(f"the claims about trajectories do not apply: {reason}")
    return EpisodeSetting(setting.problem, setting.k)


def running_actions():
    """(model, policy, theta) of ``proofs/deterministic*.md``: mu = (1, 1/2), V = (36/17, 40/17).

    >>> from pgtheory.derivations.instance import running_actions
    >>> import pgtheory as pg
    >>> model, policy, theta = running_actions()
    >>> pg.solve(model, policy.actions(theta)).V
    array([Fraction(36, 17), Fraction(40, 17)], dtype=object)
    """
    from sympy import Symbol

    a = Symbol("a")
    p = 1 / (1 + a**2)
    model = ContinuousActionMDP.from_sympy([[p, 1 - p], [1 - p, p]], [[a, 1], [0, 2 - a]], a, gamma=Fraction(1, 2),
                                           rho=[Fraction(3, 4), Fraction(1, 4)])
    return model, DeterministicPolicy([[1, 0], [1, 1]]), [[Fraction(1)], [Fraction(-1, 2)]]


def action_instance(model=None, policy=None, theta=None, k=3) -> ActionSetting:
    """The same for a deterministic policy on continuous actions; where it is not given, one action a state from 0 to 1/2.

    >>> action_instance().solution.actions.tolist()
    [[Fraction(1, 1)], [Fraction(1, 2)]]
    """
    k = _steps(k)
    if model is None:
        model, policy, theta = running_actions()
    if not isinstance(model, ContinuousActionMDP):
        raise PGTheoryError(f"this claim is about continuous actions: prove needs a ContinuousActionMDP, not "
                            f"{type(model).__name__}")
    if policy is None:
        policy = DeterministicPolicy(np.eye(model.n_states, dtype=int))
    if theta is None:
        shape = (model.n_states, model.action_dim)
        if policy.shape not in (shape, (shape[0], None)):
            raise PGTheoryError(f"theta is missing: {policy!r} needs parameters, as in prove(slug, model, policy, theta)")
        theta = np.arange(np.prod(shape)).reshape(shape) / (2 * np.prod(shape))
    problem = problem_of(model, policy, theta, complete=True)
    if not isinstance(problem, DeterministicProblem):
        raise PGTheoryError(f"this claim is about deterministic policies: prove needs one, not {type(policy).__name__}")
    _require_small(model.n_states**2 * model.action_dim, problem.theta.size, model)
    return ActionSetting(problem, k)


def _steps(k) -> int:
    k = whole_number(k, "k", PGTheoryError, 1)
    if k > MOST_STEPS:
        raise PGTheoryError(f"k is {k}: a proof that is written out takes at most {MOST_STEPS} steps")
    return k


def _require_small(entries, parameters, model) -> None:
    if entries * parameters > MOST_ENTRIES:
        raise PGTheoryError(f"{model!r} with {parameters} parameters is too large to be written out step by "
                            "step: use verify, or prove it on a smaller model")


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
