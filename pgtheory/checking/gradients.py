"""``check_estimator``: is a function that estimates a policy gradient from trajectories unbiased for what it declares?

Three tiers, in this order, stopping at the first verdict. *Pathwise*: where the target is an estimator, the same trajectory
through both. *Exact*: the expectation over all trajectories of small generic problems against the target; no statistics.
*Sequential*: for functions that own their randomness, or problems too large to enumerate, an e-process with both errors
bounded under optional stopping.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..checks.record import FAIL, PASS
from ..errors import EstimatorError, PGTheoryError
from ..horizon import check_horizon
from ..policies import SoftmaxPolicy
from ..trajectories.enumeration import LIMIT, count_trajectories
from ..validation import whole_number
from .calling import Answers, ask_all, probe
from .diagnosis import diagnose, unseen
from .fixtures import Fixture, blind_spots, fixture_of, generic_fixtures, users_fixture
from .pathwise import compare_paths
from .result import DOUBLE, SINGLE, Result, percent
from .sampled import check_by_sampling
from .targets import Target, as_target

METHODS = ("auto", "pathwise", "exact", "sequential")
EXACT, SINGLE_TOLERANCE = 1e-9, 1e-5    # relative bias that double, that single precision may leave
ROUNDING = {DOUBLE: 1e-13, SINGLE: 1e-7}    # of E |estimate|
TIME_LIMIT = 3                          # of the second set of problems, where a target takes account of time limits


def check_estimator(fn, mdp=None, policy=None, theta=None, horizon=4, target="gradient", batch_size=1, behaviour=None,
                    method="auto", alpha=1e-6, beta=1e-6, tolerance=None, rng=0, *, bounds=None, budget=1_000_000) -> Result:
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
    tolerance : float, relative bias that is let pass; by default 1e-9, 1e-5 where the answers are in single precision, and
        0.05 for the sequential tier
    rng : Generator or seed, of theta where none is given and of sampling
    bounds : (low, high), scalars or theta's shape, that hold every estimate (of the sequential tier; by default by
        enumeration where that is possible)
    budget : int, trajectories at most (of the sequential tier)

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
    """
    if not callable(fn):
        raise PGTheoryError(f"fn is {type(fn).__name__}: it must be a function (batch, policy, theta, gamma)")
    if method not in METHODS:
        raise PGTheoryError(f"method is {method!r}: it is one of {', '.join(METHODS)}")
    k = whole_number(batch_size, "batch_size", PGTheoryError, 1)
    declared = as_target(target)
    fixtures = _fixtures(declared, mdp, policy, theta, check_horizon(horizon), k, behaviour, rng)
    if method == "sequential" or (method == "auto" and not _enumerable(fixtures)):
        return check_by_sampling(fn, fixtures, declared, k, alpha, beta, tolerance, rng, bounds, budget)
    for fixture in fixtures:
        probe(fn, fixture, k)
    return _check_by_enumeration(fn, fixtures, declared, k, method, tolerance)


def _fixtures(target, mdp, policy, theta, horizon, k, behaviour, rng) -> tuple[Fixture, ...]:
    if mdp is not None:
        return (users_fixture(mdp, policy, theta, horizon, behaviour, rng),)
    if policy is not None or theta is not None or behaviour is not None:
        raise PGTheoryError("policy, theta and behaviour belong to a model: pass mdp too, or leave them all out")
    plain = generic_fixtures(k, horizon, target.off_policy, target.critic)
    cut = [f.with_time_limit(min(TIME_LIMIT, f.horizon - 1)) for f in plain if target.limited and f.horizon > 1]
    return plain + tuple(cut)


def _enumerable(fixtures) -> bool:
    return all(count_trajectories(f.mdp, f.behaviour, f.steps) <= LIMIT for f in fixtures)


# ------------------------------------------------------------------------------------------------ the exact tier


@dataclass(frozen=True, eq=False)
class Comparison:
    """A fixture's expectation beside the target's: found, expected, scale (1 unless the target leaves it free)."""

    fixture: Fixture
    answers: Answers
    found: np.ndarray
    expected: np.ndarray
    scale: float

    @property
    def bias(self):
        return self.found - self.expected

    @property
    def relative(self) -> float:
        """|bias| / |expected|; of E |estimate| where the target is 0."""
        size = float(np.linalg.norm(self.expected)) or self.answers.size
        return float(np.linalg.norm(self.bias)) / size if size > 0 else 0.0

    def within(self, tolerance, rounding) -> bool:
        """The bias is no larger than what is let pass, or than what rounding leaves of such terms."""
        allowed = max(tolerance * float(np.linalg.norm(self.expected)), rounding * self.answers.size)
        return float(np.linalg.norm(self.bias)) <= allowed


def compare(fn, fixture, target: Target, k: int) -> Comparison:
    """The exact expectation of ``fn`` on a fixture, and the target."""
    answers = ask_all(fn, fixture, k)
    found, expected = answers.mean, np.asarray(target.value(fixture), dtype=float)
    if expected.shape != found.shape:
        raise PGTheoryError(f"the target has shape {expected.shape}: theta's is {found.shape}")
    scale = _scale(found, expected) if target.up_to_scale else 1.0
    return Comparison(fixture, answers, found, expected * scale, scale)


def _scale(found, expected) -> float:
    """The multiple of the target nearest to what was found; 1 where it would not be positive."""
    size = float((expected**2).sum())
    scale = float((found * expected).sum()) / size if size > 0 else 1.0
    return scale if scale > 0 else 1.0


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
    where = "; ".join(filter(None, (paths.where, result.where)))
    if result.passed:
        where = f"the mean agrees, single trajectories do not: {paths.where}"
    return replace(result, where=where)


def _exact(fn, fixtures, target, k, tolerance) -> Result:
    compared = [compare(fn, fixture, target, k) for fixture in fixtures]
    single = all(c.answers.single for c in compared)
    allowed = (SINGLE_TOLERANCE if single else EXACT) if tolerance is None else tolerance
    passed = all(c.within(allowed, ROUNDING[SINGLE if single else DOUBLE]) for c in compared)
    worst = max(compared, key=lambda c: c.relative)
    result = Result(PASS if passed else FAIL, target.words, "exact", worst.bias, worst.relative, worst.expected, worst.found,
                    blind=_blind(compared), details=_details(compared, target))
    if passed:
        precise = all(c.within(EXACT, ROUNDING[DOUBLE]) for c in compared)
        return replace(result, precision=DOUBLE if precise else SINGLE, blind=result.blind + unseen(fixtures, target, k))
    findings, next_best = diagnose(compared, target, k)
    return replace(result, diagnosis=findings, next_best=next_best, where=_where(fn, compared, target, k, allowed),
                   look="" if findings else _look(worst, next_best))


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
    return details


def _look(worst, next_best) -> str:
    if worst.relative < 1e-4:
        return (f"a deviation of {worst.relative:.0e} is what single precision makes: pass "
                f"tolerance={SINGLE_TOLERANCE:g} if it computes in float32")
    if not worst.found.any():
        return "it is 0 in the mean: are the weights constant, or detached from the score?"
    return f"no known bug does this; the nearest leaves {percent(next_best)} of the bias"


def _where(fn, compared, target, k, allowed) -> str:
    """On which problem, from which length of the episodes on, in which state."""
    worst = max(compared, key=lambda c: c.relative)
    words = [worst.fixture.name]
    wrong = _first_wrong_length(fn, compared, target, k, allowed)
    if wrong is not None:
        words.append("from the first step on" if wrong == 1 else
                     f"right for episodes of {wrong - 1} step{'s' * (wrong > 2)}, wrong from {wrong} on")
    if isinstance(worst.fixture.policy, SoftmaxPolicy) and worst.fixture.policy.tabular:
        share = (worst.bias**2).sum(axis=1) / (worst.bias**2).sum()
        words.append(f"{100 * share.max():.0f} % of the squared bias in state {int(np.argmax(share))}")
    return "; ".join(words)


def _first_wrong_length(fn, compared, target, k, allowed):
    """The least horizon at which a fixture shows the bias; None where the function takes no other horizon."""
    longest = max(c.fixture.steps for c in compared)
    try:
        for horizon in range(1, longest):
            short = [compare(fn, _shortened(c.fixture, horizon), target, k) for c in compared]
            if not all(c.within(allowed, ROUNDING[SINGLE if c.answers.single else DOUBLE]) for c in short):
                return horizon
    except (EstimatorError, PGTheoryError):
        return None
    return longest


def _shortened(fixture, horizon) -> Fixture:
    """The same problem with an end after ``horizon`` steps; a critic by time keeps its last rows, the steps left."""
    critic = fixture.critic if fixture.critic.ndim == 1 else fixture.critic[fixture.horizon - horizon:]
    behaviour = None if fixture.on_policy else fixture.behaviour
    short = fixture_of(fixture.mdp, fixture.policy, fixture.theta, horizon, behaviour, critic)
    cut = fixture.time_limit is not None and horizon > 1
    return short.with_time_limit(min(fixture.time_limit, horizon - 1)) if cut else short
