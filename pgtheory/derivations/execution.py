"""Derivations by slug, and :func:`prove`, which runs one."""

from __future__ import annotations

from collections.abc import Callable

from ..checks.catalogue import theorems
from ..errors import PGTheoryError
from . import (
    baseline,
    bellman,
    deterministic,
    deterministic_bellman,
    deterministic_recursion,
    deterministic_unrolling,
    eglp,
    log_derivative,
    occupancy,
    recursion,
    reward_to_go,
    score_function,
    stochastic,
    surrogate_loss,
    trajectory_score,
    unrolling,
)
from .display import number
from .instance import action_instance, episode_instance, instance
from .line import EQUAL, Step, check
from .proof import Proof

MOST_PARAMETERS = 12   # that are printed

DERIVATIONS = {"bellman": bellman, "recursion": recursion, "unrolling": unrolling, "occupancy": occupancy,
               "stochastic": stochastic, "score-function": score_function}
ON_ACTIONS = {"deterministic-bellman": deterministic_bellman, "deterministic-recursion": deterministic_recursion,
              "deterministic-unrolling": deterministic_unrolling, "deterministic": deterministic}   # continuous ones
ON_TRAJECTORIES = {"trajectory-score": trajectory_score, "log-derivative": log_derivative, "surrogate-loss": surrogate_loss,
                   "eglp": eglp, "reward-to-go": reward_to_go, "baseline": baseline}   # of a finite horizon


def prove(slug, model=None, policy=None, theta=None, k=3, progress: Callable | None = None) -> Proof:
    r"""Go through the proof of a claim step by step, both sides of every step computed on an instance.

    Parameters
    ----------
    slug : str, a claim of :data:`pgtheory.theorems`
    model : MDP, or None for the running example of ``proofs/``: two states, two actions, in fractions; for the claims about
        deterministic policies a ContinuousActionMDP
    policy, theta : None for a softmax policy that is nowhere uniform; for an exact model, of weights in fractions; for a
        ContinuousActionMDP, None is one action a state
    k : int, how many steps are unrolled, at least 1; for the claims about trajectories the horizon, or as many steps up to
        k as can be written out trajectory by trajectory: the k of the result says how many
    progress : called as progress(done, total, text) before each step

    Returns
    -------
    Proof
        Exact models compare with ==; float64 within the rounding of both sides, each computed by itself. Over symbols the
        equalities hold for every model of that size.

    Raises
    ------
    PGTheoryError
        Unknown slugs (with what is close), k below 1, theta missing, models too large to be written out.
    UndefinedError
        Where the claim does not apply.

    Notes
    -----
    A step is checked on an instance; that it holds for every instance is the argument of the file ``proof.file``.

    Examples
    --------
    >>> import pgtheory as pg
    >>> proof = pg.prove("unrolling", k=2)
    >>> for step in proof.steps:
    ...     print(step.number, step.title, step.verdict)
    1 State laws by walking PASS
    2 One more step (Chapman-Kolmogorov) PASS
    3 Substitution 1: the remainder after 0 steps PASS
    4 Substitution 2: the remainder after 1 step PASS
    5 Unrolled k times PASS
    6 The remainder vanishes PASS
    >>> print(str(proof).splitlines()[-1])
    model: proofs/unrolling.md
    """
    return prove_in(slug, {}, model, policy, theta, k, progress)


def prove_in(slug, settings: dict, model=None, policy=None, theta=None, k=3, progress: Callable | None = None) -> Proof:
    """:func:`prove` that keeps what it computes in ``settings``, for other claims about the same instance."""
    theorem = theorems[slug]
    known = DERIVATIONS | ON_ACTIONS | ON_TRAJECTORIES
    if slug not in known:
        raise PGTheoryError(f"the claim {slug!r} has no derivation: there are {', '.join(known)}")
    derivation, made = known[slug], _made_for(slug)
    if made not in settings:
        settings[made] = made(model, policy, theta, k)
    setting = settings[made]
    if theorem.claim is not None and theorem.claim.needs_simplex:
        setting = setting.along_simplex
    found, skipped = derivation.lines(setting), list(getattr(derivation, "skipped", lambda setting: [])(setting))
    numbered = list(zip(_numbers(derivation, found, made, setting.k), found, strict=True))
    if setting.arithmetic.symbolic:
        skipped += [(line.title, "symbols have no order") for line in found if line.relation != EQUAL]
        numbered = [(place, line) for place, line in numbered if line.relation == EQUAL]
    steps: list[Step] = []
    for place, line in numbered:
        if progress is not None:
            progress(len(steps), len(numbered), line.title)
        steps.append(check(line, setting, place))
    return Proof(theorem.slug, theorem.title, theorem.statement, theorem.hypotheses, theorem.source, theorem.proof,
                 repr(setting.problem.mdp), _in_words(setting), setting.k, setting.exact, tuple(steps), tuple(skipped))


def _numbers(derivation, found, made, k) -> list[int]:
    """The place of every line among the sections of the proof's file, which walks through the running example."""
    places = {line.title: i for i, line in enumerate(derivation.lines(made(k=k)), 1)}
    out: list[int] = []
    for line in found:
        out.append(places.get(line.title, (out[-1] if out else 0) + 1))     # what takes another's place at gamma = 1
    return out


def _made_for(slug):
    """What makes the setting of a claim."""
    return action_instance if slug in ON_ACTIONS else episode_instance if slug in ON_TRAJECTORIES else instance


def _in_words(setting) -> str:
    """The policy, with its parameters where they are few, and the directions where they are not the coordinates."""
    problem = setting.problem
    where = ", differentiated along the simplex" if getattr(setting, "in_the_simplex", False) else ""
    if problem.theta.size > MOST_PARAMETERS:
        return f"{problem.policy!r}{where}"
    return f"{problem.policy!r} at theta = {_listed(problem.theta)}{where}"


def _listed(theta) -> str:
    return f"[{', '.join(number(x) if theta.ndim == 1 else _listed(x) for x in theta)}]"
