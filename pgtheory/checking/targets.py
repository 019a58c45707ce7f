r"""What an estimator may claim to estimate, exactly.

Every target has the form

.. math:: \sum_t \gamma^t \sum_s \Pr(s_t = s) \sum_a b(a|s)\, w_t(s, a)\, \nabla\log\pi(a|s),

with w_t(s, a) the conditional mean of what multiplies the score of step t: Q_t for the gradient, the exact mean of GAE for
the critic at hand, and so on, all by recursion over the steps left. A bias on purpose is then no false alarm.

Names: ``gradient``, ``off-policy``, ``semi-gradient``, ``ppo first step``, ``gae(0.95)``, ``lambda-return(0.95)``,
``n-step(2)``, ``actor-critic``, ``v-trace(1)``, ``entropy(0.1)``; each may be followed by ``without gamma^t`` and ``up to
scale``; ``without gamma^t`` alone is ``gradient without gamma^t``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import PGTheoryError
from ..estimators import GAE, ActorCritic, Baseline, Estimator, NStep, PerDecisionIS, VTrace
from ..horizon import powers
from ..solution import policy_gradient, solve
from ..variance.exact import moments
from .fixtures import Fixture

LAM, STEPS, CLIP, BETA = 0.95, 2, 1.0, 0.1     # where a name comes without its number
NAME = re.compile(r"(?P<name>[a-z][a-z -]*?)\s*(?:\((?P<number>[^()]*)\))?")


@dataclass(frozen=True, eq=False)
class Target:
    """What is compared with.

    name : as declared; words : as a report says it
    value : fixture -> theta's shape, the exact expectation
    estimator : fixture -> one of ``pg.estimators`` that it must agree with trajectory by trajectory, or None
    off_policy : the trajectories are another policy's; critic : "exact" or "random", what the trajectories carry
    limited : time limits matter; up_to_scale : a positive factor does not
    discounted : step t counts gamma^t; parameter : the number that came with the name, or None
    at : (fixture, lambda) -> what the value would be for another lambda, or None
    reference : fixture -> an estimator with the target's mean, to be subtracted where draws are noisy, or None
    """

    name: str
    words: str
    value: Callable[[Fixture], Any]
    estimator: Callable[[Fixture], Estimator] | None = None
    off_policy: bool = False
    critic: str = "exact"
    limited: bool = False
    up_to_scale: bool = False
    discounted: bool = True
    parameter: float | None = None
    at: Callable[[Fixture, float], Any] | None = None
    reference: Callable[[Fixture], Estimator] | None = None


def as_target(target) -> Target:
    """The target that a name, one of ``pg.estimators``, a function (mdp, policy, theta) or an array declares.

    >>> as_target("gradient up to scale").words
    'the gradient, up to a positive factor'
    >>> as_target("gae(0.9) without gamma^t").words
    'the exact mean of GAE(0.9) for the critic attached, without gamma^t'
    """
    if isinstance(target, Target):
        return target
    if isinstance(target, str):
        return _named(target)
    if isinstance(target, Estimator):
        name = type(target).__name__
        return Target(name, f"the exact mean of {name}", lambda f: _mean(target, f), lambda f: target,
                      discounted=target.gamma_weighting, parameter=getattr(target, "lam", None))
    if callable(target):
        return Target("given", "the target given", lambda f: np.asarray(target(f.mdp, f.policy, f.theta), dtype=float))
    value = np.asarray(target, dtype=float)
    return Target("given", "the target given", lambda f: value)


def _mean(estimator, fixture):
    if fixture.time_limit is None:
        return moments(estimator, fixture.mdp, fixture.policy, fixture.theta, fixture.horizon, fixture.behaviour).mean
    return fixture.batch.mean(estimator(fixture.batch, fixture.policy, fixture.theta, fixture.gamma))


def _named(text) -> Target:
    name = " ".join(text.lower().split())
    name, up_to_scale = _without(name, "up to scale")
    name, undiscounted = _without(name, "without gamma^t")
    matched = NAME.fullmatch(name or "gradient")
    if not matched or matched["name"] not in TARGETS:
        raise PGTheoryError(f"target {text!r} is not known: it is one of {', '.join(sorted(TARGETS))} (some with a number, "
                            "'gae(0.9)'), followed or not by 'without gamma^t' and 'up to scale'; or one of pg.estimators, "
                            "a function (mdp, policy, theta), an array")
    make, default = TARGETS[matched["name"]]
    number = _number(text, matched["number"], default)
    target = make(*number, not undiscounted)
    words = target.words + ", without gamma^t" * undiscounted + ", up to a positive factor" * up_to_scale
    discounted = not undiscounted and matched["name"] != "ppo first step"
    return replace(target, name=text, words=words, estimator=None if up_to_scale else target.estimator,
                   up_to_scale=up_to_scale, discounted=discounted, parameter=number[0] if number else None)


def _without(text, ending):
    return (text.removesuffix(ending).rstrip(), True) if text.endswith(ending) else (text, False)


def _number(text, given, default):
    """The parameters of a name: none, or one."""
    if default is None:
        if given:
            raise PGTheoryError(f"target {text!r}: this one takes no number")
        return ()
    try:
        return (default,) if given is None else (type(default)(given),)
    except ValueError:
        raise PGTheoryError(f"target {text!r}: {given!r} is no {type(default).__name__}") from None


# ------------------------------------------------------------------------------------------------ exact expectations


def assembled(fixture, weights, discounted) -> np.ndarray:
    """theta's shape: the sum above, for weights (L, S, A)."""
    b, pi, steps = fixture.behaviour, fixture.pi, len(weights)
    visits = solve(fixture.mdp, b, horizon=steps).state_distribution
    if discounted:
        visits = visits * powers(fixture.gamma, steps, fixture.batch.arithmetic)[:, None]
    live = ~fixture.mdp.terminal
    ratio = b / np.where(np.array(pi == 0, dtype=bool), 1, pi)
    return fixture.policy.pullback(fixture.theta, (visits[..., None] * weights).sum(axis=0) * ratio * live[:, None])


def td_means(fixture) -> np.ndarray:
    """(L, S, A) mean of r_t + gamma v_{t+1}(s_{t+1}) - v_t(s_t); 0 in terminal states, no bootstrap at the horizon."""
    f, live = fixture, ~fixture.mdp.terminal
    at = [f.critic if f.critic.ndim == 1 else f.critic[t] for t in range(f.horizon + 1)]
    following = [at[t + 1] * live * (t + 1 < f.horizon) for t in range(f.steps)]
    gained = [f.mdp.r + f.gamma * _expect(f, following[t]) - at[t][:, None] for t in range(f.steps)]
    return np.stack(gained) * live[:, None]


def _expect(fixture, values):
    """(S, A) mean of values (S,) at the next state."""
    return fixture.mdp.kernel.expect(values)


def traced(fixture, factor, length=None) -> np.ndarray:
    """(L, S, A) mean of sum_k factor^k delta_{t+k}, over ``length`` terms at most."""
    delta = td_means(fixture)
    steps = len(delta)
    total = delta
    for _ in range((steps if length is None else min(length, steps)) - 1):
        ahead = (total * fixture.behaviour).sum(axis=-1)
        total = delta + np.stack([factor * _expect(fixture, ahead[t + 1]) if t + 1 < steps else 0 * delta[t]
                                  for t in range(steps)])
    return total


def corrected(fixture, rho_bar) -> np.ndarray:
    """(L, S, A) mean of rho_t (r_t + gamma v_{t+1} - v(s_t)) with the v of V-trace, both clips at ``rho_bar``."""
    delta, b = td_means(fixture), fixture.behaviour
    ratio = np.minimum(fixture.pi / np.where(b == 0, 1, b), rho_bar)
    ahead, out = np.zeros(len(b)), []
    for t in reversed(range(len(delta))):
        out.append(ratio * (delta[t] + fixture.gamma * _expect(fixture, ahead)))
        ahead = (b * out[-1]).sum(axis=-1)
    return np.stack(out[::-1])


def _gradient(discounted):
    def value(f):
        if discounted:
            return policy_gradient(f.mdp, f.policy, f.theta, horizon=f.horizon)
        return assembled(f, solve(f.mdp, f.pi, horizon=f.horizon).Q, False)

    def reference(f):
        return Baseline(solve(f.mdp, f.pi, horizon=f.horizon).V, gamma_weighting=discounted)
    return Target("", "the gradient", value, reference=reference)


def _off_policy(discounted):
    if not discounted:
        raise PGTheoryError("target 'off-policy' is the true gradient from another policy's trajectories, whose gamma^t "
                            "belongs to it: declare 'semi-gradient without gamma^t', or leave the words out")
    return Target("", "the gradient, from another policy's trajectories", _gradient(True).value, off_policy=True,
                  reference=lambda f: PerDecisionIS())


def _semi_gradient(discounted):
    def value(f):
        ratio = f.pi / np.where(f.behaviour == 0, 1, f.behaviour)
        return assembled(f, solve(f.mdp, f.pi, horizon=f.horizon).Q * ratio, discounted)
    return Target("", "the off-policy semi-gradient (states as the behaviour visits them)", value, off_policy=True)


def _ppo(discounted):
    return Target("", "the gradient of PPO's surrogate at its first step, which has no gamma^t", _gradient(False).value)


def _critic(words, weights, estimator):
    def make(number, discounted):
        def own(f):
            return estimator(f.critic, number, gamma_weighting=discounted)

        def at(f, x):
            return assembled(f, weights(f, x), discounted)
        return Target("", f"the exact mean of {words.format(number)} for the critic attached", lambda f: at(f, number), own,
                      critic="random", limited=True, at=at if isinstance(number, float) else None, reference=own)
    return make


def _actor_critic(discounted):
    return Target("", "the exact mean of one-step actor-critic for the critic attached",
                  lambda f: assembled(f, td_means(f), discounted),
                  lambda f: ActorCritic(f.critic, gamma_weighting=discounted), critic="random", limited=True)


def _v_trace(clip, discounted):
    return Target("", f"the exact mean of V-trace (clips at {clip:g}) for the critic attached",
                  lambda f: assembled(f, corrected(f, clip), discounted),
                  lambda f: VTrace(f.critic, rho_bar=clip, c_bar=clip, gamma_weighting=discounted), off_policy=True,
                  critic="random", limited=True)


def _entropy(beta, discounted):
    """The gradient, and beta times the mean of sum_t gamma^t grad H(pi(.|s_t)), the states held fixed."""
    def value(f):
        bonus = np.broadcast_to(-np.log(f.pi), (f.horizon,) + f.pi.shape)
        return _gradient(discounted).value(f) + beta * assembled(f, bonus, discounted)
    return Target("", f"the gradient plus {beta:g} times that of the entropies along the way", value)


TARGETS: dict[str, tuple[Callable[..., Target], Any]] = {
    "gradient": (_gradient, None),
    "off-policy": (_off_policy, None),
    "semi-gradient": (_semi_gradient, None),
    "ppo first step": (_ppo, None),
    "actor-critic": (_actor_critic, None),
    "gae": (_critic("GAE({:g})", lambda f, lam: traced(f, f.gamma * lam), GAE), LAM),
    "lambda-return": (_critic("the lambda-return ({:g})", lambda f, lam: traced(f, f.gamma * lam), GAE), LAM),
    "n-step": (_critic("the n-step advantage (n = {})", lambda f, n: traced(f, f.gamma, n), NStep), STEPS),
    "v-trace": (_v_trace, CLIP),
    "entropy": (_entropy, BETA),
}
