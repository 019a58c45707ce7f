"""``check_estimator``: is a function that estimates a policy gradient from trajectories unbiased for what it declares?

Three tiers, in this order, stopping at the first verdict. *Pathwise*: where the target is an estimator, the same trajectory
through both. *Exact*: the expectation over all trajectories of small generic problems against the target; no statistics.
*Sequential*: for functions that own their randomness, or problems too large to enumerate, an e-process with both errors
bounded under optional stopping.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..checks.record import FAIL, PASS
from ..errors import PGTheoryError
from ..horizon import check_horizon
from ..trajectories.enumeration import LIMIT, count_trajectories
from ..validation import whole_number
from .calling import is_symmetric, probe
from .diagnosis import diagnose, unseen, untried
from .expected import SINGLE_TOLERANCE, compare, look, where
from .fixtures import Fixture, blind_spots, generic_fixtures, users_fixture
from .pathwise import compare_paths
from .result import DOUBLE, SINGLE, Result
from .sampled import check_black_box, check_by_sampling
from .targets import as_target

METHODS = ("auto", "pathwise", "exact", "sequential")
EXACT = 1e-9                            # relative bias that double precision may leave
ROUNDING = {DOUBLE: 1e-13, SINGLE: 1e-7}    # of E |estimate|
MIXED = 1e-6                            # of E |estimate|, where a part of the computation may be in single precision
ORDERED = 3                             # batches of more than this are asked whether their order matters
LONG = 4                                # steps of the critic of a problem whose episodes go on until they end: nobody looks
TIME_LIMIT = 3                          # of the second set of problems, where a target takes account of time limits


def check_estimator(fn, mdp=None, policy=None, theta=None, horizon=4, target="gradient", batch_size=1, behaviour=None,
                    method="auto", alpha=1e-6, beta=1e-6, tolerance=None, rng=0, *, bounds=None, budget=1_000_000,
                    owns_sampling=False) -> Result:
    r"""Is ``fn`` unbiased for ``target``; if not, how far off is it, where, and which known bug does it look like?

    Parameters
    ----------
    fn : function (batch, policy, theta, gamma) -> (N,) + theta's shape, one estimate per trajectory; a list of N arrays will
        do. With ``batch_size=k > 1`` it is called on k trajectories and returns theta's shape, one gradient for all (or k,
        whose mean is taken). ``batch`` is a :class:`~pgtheory.trajectories.batch.TrajectoryBatch` with a critic in ``values`` and
        ``next_values``; ``for tau in batch`` gives episodes as long as they were
    mdp, policy, theta : a problem of your own; by default three built-in ones that hide nothing
    horizon : int, the number of steps after which the problem ends (of built-in ones for groups, at most)
    target : str, one of ``pg.estimators``, a function (mdp, policy, theta) -> theta's shape, or such an array: what is
        claimed to be estimated, see :mod:`pgtheory.checking.targets`
    batch_size : int, the number of trajectories that one estimate is made of
    behaviour : (S, A) the policy that acts, for a problem of your own; built-in ones take another policy where the target
        is off-policy
    method : "auto", or one tier: "pathwise", "exact", "sequential"
    alpha, beta : probabilities of a false FAIL and a false PASS of the sequential tier
    tolerance : float, relative bias that is let pass; by default 1e-9 and what rounding leaves (1e-5 where the answers are in
        single precision, 1e-6 of the mean size of an estimate where a part may have been: the verdict then says so), and 0.05
        for the sequential tier
    rng : Generator or seed, of theta where none is given and of sampling
    bounds : (low, high), scalars or theta's shape, that hold every estimate (of the sequential tier; by default by
        enumeration where that is possible)
    budget : int, trajectories at most (of the sequential tier)
    owns_sampling : bool, ``fn`` is a black box (env, policy, theta, rng) -> (n,) + theta's shape, any number of independent
        estimates a call: it plays its own episodes in ``env``, a :class:`~pgtheory.checking.blackbox.Simulator` with ``reset``,
        ``step``, ``mdp``, ``gamma`` and ``horizon``, drawing from ``rng``. Judged by the sequential tier; ``horizon=None``
        then lets episodes go on until they end. Without ``bounds`` its error probabilities are asymptotic

    Returns
    -------
    Result; print it

    Raises
    ------
    EstimatorError
        ``fn`` raised (with the trajectory that caused it), returned NaN or a wrong shape, writes into its input, keeps
        state, is not deterministic, or couples trajectories without ``batch_size``.
    PGTheoryError
        There are too many trajectories or groups to go through, with their number.

    Examples
    --------
    >>> import pgtheory as pg
    >>> print(pg.check_estimator(pg.estimators.Reinforce()))   # doctest: +ELLIPSIS
    PASS: the gradient; deviation ...e-1... of its size (exact)
    ...
    >>> result = pg.check_estimator(pg.estimators.RewardToGo(gamma_weighting=False))
    >>> result.verdict, result.diagnosis[0].words
    ('FAIL', 'the weight gamma^t of step t is left out')

    A black box, which samples by itself, here by the library's own sampler:

    >>> def box(env, policy, theta, rng):
    ...     batch = pg.sample(env.mdp, policy.probabilities(theta), 1000, env.horizon, rng=rng)
    ...     return -pg.estimators.RewardToGo()(batch, policy, theta, env.gamma)
    >>> pg.check_estimator(box, owns_sampling=True).verdict
    'FAIL'
    """
    if not callable(fn):
        raise PGTheoryError(f"fn is {type(fn).__name__}: it must be a function (batch, policy, theta, gamma)")
    if method not in METHODS:
        raise PGTheoryError(f"method is {method!r}: it is one of {', '.join(METHODS)}")
    k = whole_number(batch_size, "batch_size", PGTheoryError, 1)
    declared = as_target(target)
    if owns_sampling:
        _refuse_for_black_boxes(method, k, declared)
        problems = _problems_to_act_in(declared, mdp, policy, theta, horizon, behaviour, rng)
        return check_black_box(fn, problems, declared, horizon, alpha, beta, tolerance, rng, bounds, budget)
    fixtures = _fixtures(fn, declared, mdp, policy, theta, check_horizon(horizon), k, behaviour, rng)
    if method == "sequential" or (method == "auto" and not _enumerable(fixtures)):
        return check_by_sampling(fn, fixtures, declared, k, alpha, beta, tolerance, rng, bounds, budget)
    for fixture in fixtures:
        probe(fn, fixture, k)
    return _check_by_enumeration(fn, fixtures, declared, k, method, tolerance)


def _fixtures(fn, target, mdp, policy, theta, horizon, k, behaviour, rng) -> tuple[Fixture, ...]:
    if mdp is not None:
        return (users_fixture(mdp, policy, theta, horizon, behaviour, rng),)
    if policy is not None or theta is not None or behaviour is not None:
        raise PGTheoryError("policy, theta and behaviour belong to a model: pass mdp too, or leave them all out")
    plain = _generic(fn, target, horizon, k)
    cut = [f.with_time_limit(min(TIME_LIMIT, f.horizon - 1)) for f in plain if target.limited and f.horizon > 1]
    return plain + tuple(cut)


def _refuse_for_black_boxes(method, k, target):
    if method not in ("auto", "sequential") or k > 1 or target.off_policy or target.critic != "exact":
        raise PGTheoryError("a function that owns its sampling is judged by its draws alone: leave method, batch_size and targets "
                            "with a critic or another policy out")


def _problems_to_act_in(target, mdp, policy, theta, horizon, behaviour, rng) -> tuple[Fixture, ...]:
    steps = LONG if horizon is None else check_horizon(horizon)
    if mdp is not None:
        found: tuple[Fixture, ...] = (users_fixture(mdp, policy, theta, steps, behaviour, rng),)
    elif policy is not None or theta is not None or behaviour is not None:
        raise PGTheoryError("policy, theta and behaviour belong to a model: pass mdp too, or leave them all out")
    else:
        found = generic_fixtures(1, steps)
    return tuple(replace(fixture, horizon=horizon) for fixture in found)


def _generic(fn, target, horizon, k):
    """The built-in problems; larger ones for batches whose order does not matter."""
    if k > ORDERED:
        large = generic_fixtures(k, horizon, target.off_policy, target.critic, unordered=True)
        probe(fn, large[0], k)
        if is_symmetric(fn, large[0], k):
            return large
    return generic_fixtures(k, horizon, target.off_policy, target.critic)


def _enumerable(fixtures) -> bool:
    return all(count_trajectories(f.mdp, f.behaviour, f.steps) <= LIMIT for f in fixtures)


# ------------------------------------------------------------------------------------------------ the exact tier


def _check_by_enumeration(fn, fixtures, target, k, method, tolerance) -> Result:
    paths = None
    if method != "exact" and k == 1 and target.estimator is not None:
        paths = compare_paths(fn, fixtures, target, EXACT if tolerance is None else tolerance, SINGLE_TOLERANCE)
        if paths.verdict == PASS or method == "pathwise":
            return replace(paths, blind=paths.blind + unseen(fixtures, target, k))
    elif method == "pathwise":
        raise PGTheoryError(f"target {target.name!r} names no estimator to compare trajectory by trajectory: declare one of "
                            "pg.estimators, or 'gae(0.9)', 'n-step(2)', ...; groups have none")
    result = _exact(fn, fixtures, target, k, tolerance)
    if paths is None:
        return result
    words = "; ".join(filter(None, (paths.where, result.where)))
    if result.passed:
        words = f"the mean agrees, single trajectories do not: {paths.where}"
    return replace(result, where=words)


def _exact(fn, fixtures, target, k, tolerance) -> Result:
    compared = [compare(fn, fixture, target, k) for fixture in fixtures]
    allowed = _allowed(compared, tolerance)
    passed = all(c.within(*allowed) for c in compared)
    worst = max(compared, key=lambda c: c.relative)
    result = Result(PASS if passed else FAIL, target.words, "exact", worst.bias, worst.relative, worst.expected, worst.found,
                    blind=_blind(compared), details=_details(compared, target))
    if passed:
        precise = all(c.within(EXACT, ROUNDING[DOUBLE]) for c in compared)
        return replace(result, precision=DOUBLE if precise else SINGLE, blind=result.blind + unseen(fixtures, target, k))
    findings, next_best = diagnose(compared, target, k)
    skipped = untried(fixtures, k)
    return replace(result, diagnosis=findings, next_best=next_best, where=where(fn, compared, target, k, allowed),
                   look="" if findings else look(worst, next_best),
                   details={**result.details, **({"diagnosis": skipped} if skipped else {})})


def _allowed(compared, tolerance) -> tuple[float, float]:
    """(share of the target, share of E |estimate|) that the bias may be; the second is rounding."""
    if all(c.answers.single for c in compared):
        return SINGLE_TOLERANCE if tolerance is None else tolerance, ROUNDING[SINGLE]
    return (EXACT, MIXED) if tolerance is None else (tolerance, ROUNDING[DOUBLE])


def _blind(compared) -> tuple[str, ...]:
    spots = blind_spots([c.fixture for c in compared])
    zero = all(np.linalg.norm(c.expected) <= EXACT * c.answers.size for c in compared)
    return spots + (("the target is 0 here: signs and factors",) if zero else ())


def _details(compared, target) -> dict[str, Any]:
    details = {}
    if target.up_to_scale:
        details["scale"] = ", ".join(f"{c.scale:.6g}" for c in compared)
    if any(c.answers.pooled for c in compared):
        details["pooled"] = "one estimate per trajectory came back: their mean was taken"
    if any(c.answers.unordered for c in compared):
        details["order"] = "that of a batch does not matter: each batch was asked for in one order"
    return details
