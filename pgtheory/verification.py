"""Both sides of every claim on one problem, by every route that can be taken: :func:`verify`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np

from .checks.catalogue import Theorem, require_kind
from .checks.catalogue import theorems as catalogue
from .checks.enclosed import decided
from .checks.judge import judge, judge_enclosed, judge_given, judge_user
from .checks.record import Check
from .checks.statistical import DEFAULT_SAMPLES, judge_statistically, simulated, statistical_reason
from .claims.equation import Equation
from .errors import PGTheoryError, UndefinedError
from .problems.continuous import problem_of
from .report import Report
from .routes import ROUTES

ROUTE_NAMES = ("linear-algebra", *(route.NAME for route in ROUTES), "monte-carlo")


def verify(model, policy, theta, theorems=None, routes=None, samples=DEFAULT_SAMPLES, alpha=1e-6, tolerance=0.05, rng=0,
           progress: Callable | None = None) -> Report:
    r"""Check claims on a model, a policy and its parameters: both sides, by routes that do not know each other.

    Parameters
    ----------
    model : MDP or ContinuousActionMDP
    policy : Policy; on continuous actions a DeterministicPolicy or a density such as GaussianPolicy
    theta : policy.shape
    theorems : slugs (or Theorem objects), or None for every built-in claim that is made for such a model and policy
    routes : names among "linear-algebra", "exact", "complex-step", "finite-difference", "series", "monte-carlo"; None: all
    samples : int, draws at most for a statistical check; 0 leaves simulation out
    alpha : float, probability that the whole report calls a right theorem wrong by chance; split over its statistical checks
    tolerance : float, resolution: a statistical PASS proves |bias| <= tolerance * the largest entry of the gradient, or,
        where a claim says that a mean of scores is 0, tolerance * what they may add up to
    rng : seed or numpy Generator
    progress : called as progress(done, total, text) between checks

    Returns
    -------
    Report

    Raises
    ------
    PGTheoryError
        Unknown slugs or routes, claims made for another kind of model or policy, numbers out of range; and what the model
        and the policy raise.
    UndefinedError
        gamma = 1, some state never ends, and every claim asked for needs the value without horizon; beside claims about
        finite horizons, which do not, such claims are skipped with this reason.

    Examples
    --------
    >>> import pgtheory as pg
    >>> mdp = pg.models.load("start-matters")
    >>> report = pg.verify(mdp, pg.SoftmaxPolicy(2, 2), [[0.0, 0.0], [0.0, 0.0]], samples=0)
    >>> report.passed, report.count("FAIL")
    (True, 0)
    """
    _require_settings(samples, alpha, tolerance, routes)
    chosen = [x if isinstance(x, Theorem) else catalogue[x] for x in _listed(theorems)]
    try:
        seed = np.random.default_rng(rng)
    except (TypeError, ValueError):
        raise PGTheoryError(f"rng is {rng!r}: it must be a seed (a whole number, not negative) or a numpy Generator") from None
    problem = problem_of(model, policy, theta, seed)
    chosen = _made_for(problem, chosen, theorems is None)
    jobs, skipped, expected = _plan(chosen, problem, model, policy, theta, routes, samples, tolerance)
    if problem.undefined and not expected:
        raise UndefinedError(problem.undefined)
    n_statistical = sum(job.statistical for job in jobs)
    checks: list[Check] = []
    for done, job in enumerate(jobs):
        if progress is not None:
            progress(done, len(jobs), job.text)
        found = job.run(alpha / max(n_statistical, 1), seed)
        if not any(found is check for check in checks):      # several routes may be decided in one and the same way
            checks.append(found)
    if progress is not None:
        progress(len(jobs), len(jobs), "")
    return Report(tuple(checks), tuple(skipped), repr(model), repr(policy),
                  _context(problem, alpha, tolerance, samples, rng), tuple(expected))


class _Job:
    """One check to be made, and what to call it while it runs."""

    def __init__(self, text, run, statistical=False):
        self.text, self.run, self.statistical = text, run, statistical


def _listed(theorems):
    if theorems is not None and not isinstance(theorems, (str, Theorem)) and not isinstance(theorems, Iterable):
        raise PGTheoryError(f"theorems is {theorems!r}: pass a slug, or a list of slugs")
    if theorems is None:
        return catalogue.builtin
    return (theorems,) if isinstance(theorems, (str, Theorem)) else tuple(theorems)


def _made_for(problem, chosen, all_of_them):
    """The claims for this kind of problem; where a claim was asked for by name, it must be one."""
    if all_of_them:
        return [theorem for theorem in chosen if theorem.claim.mismatch(problem) is None]
    for theorem in chosen:
        if theorem.claim is not None:
            require_kind(theorem.claim, problem)
    return chosen


def _require_settings(samples, alpha, tolerance, routes):
    if isinstance(routes, str):
        raise PGTheoryError(f"routes is {routes!r}: pass a list of names, such as [{routes!r}]")
    if isinstance(samples, bool) or not isinstance(samples, (int, np.integer)) or samples < 0:
        raise PGTheoryError(f"samples is {samples!r}: it must be a whole number, 0 to leave simulation out")
    for name, value in (("alpha", alpha), ("tolerance", tolerance)):
        if not isinstance(value, (int, float, np.floating)) or not 0 < value < 1:
            raise PGTheoryError(f"{name} is {value!r}: it must lie between 0 and 1")
    for name in routes or ():
        if name not in ROUTE_NAMES:
            raise PGTheoryError(f"no route {name!r}: there are {', '.join(ROUTE_NAMES)}")


def _plan(chosen, problem, model, policy, theta, routes, samples, tolerance):
    """Every check to be made, every reason for one that is not, and the main part of every claim that applies."""
    jobs: list[_Job] = []
    expected: list[tuple[str, str]] = []
    skipped: list[tuple[str, str]] = []
    allowed = set(ROUTE_NAMES if routes is None else routes)
    for theorem in chosen:
        if theorem.claim is None:
            jobs.append(_user_job(theorem, problem, model, policy, theta, tolerance))
            expected.append((theorem.slug, "both sides"))
            continue
        reason = theorem.claim.reason_against(problem)
        if reason is not None:
            skipped.append((theorem.slug, reason))
            continue
        omitted = theorem.claim.omitted(problem)
        skipped += [(theorem.slug, omitted)] if omitted else []
        equations = theorem.claim.equations(problem)
        expected.append((theorem.slug, equations[min(theorem.claim.main, len(equations) - 1)].part))
        for equation in equations:
            found, reasons = _jobs_of(theorem, equation, problem, allowed, samples, tolerance)
            jobs += found
            skipped += [(theorem.slug, reason) for reason in reasons if (theorem.slug, reason) not in skipped]
    return jobs, skipped, expected


def _user_job(theorem: Theorem, problem, model, policy, theta, tolerance):
    def run(alpha, rng):
        found = judge_user(theorem, problem, model, policy, theta, tolerance)
        return decided(found, problem, lambda balls: judge_user(theorem, balls, balls.mdp, policy, balls.theta, tolerance))

    return _Job(theorem.slug, run)


def _jobs_of(theorem: Theorem, equation: Equation, problem, allowed, samples, tolerance):
    """The checks of one equation by every route that computes its left side."""
    slug, text = theorem.slug, f"{theorem.slug}: {equation.part}"
    again = partial(judge_enclosed, theorem.claim, equation.part, tolerance)
    jobs: list[_Job] = []
    reasons: list[str] = []
    if equation.quantity == "given" and "linear-algebra" in allowed:
        jobs.append(_Job(text, lambda alpha, rng: decided(judge_given(slug, equation, problem, tolerance), problem, again)))
    for route in ROUTES:
        if route.NAME not in allowed or equation.kind not in route.QUANTITIES:
            continue
        if not route.fits(problem):
            continue
        reason = route.reason_against(problem, equation.quantity)
        if reason is None:
            jobs.append(_Job(f"{text}, {route.NAME}",
                             lambda alpha, rng, route=route: decided(judge(slug, equation, problem, route, tolerance), problem, again)))
        else:
            reasons.append(f"{route.NAME}: {reason}")
    if "monte-carlo" in allowed and samples and simulated(equation):
        reason = statistical_reason(problem, equation)
        if reason is None:
            jobs.append(_Job(f"{text}, monte-carlo", lambda alpha, rng: judge_statistically(
                slug, equation, problem, samples, alpha, tolerance, rng), statistical=True))
        else:
            reasons.append(f"monte-carlo: {reason}")
    return jobs, reasons


def _context(problem, alpha, tolerance, samples, rng):
    gamma = problem.gamma
    return {
        "n_states": problem.mdp.n_states,
        **problem.actions_in_words,
        "gamma": gamma if isinstance(gamma, float) else str(gamma),
        "arithmetic": problem.arithmetic.name,
        "conditioning": None if problem.undefined else _plain(problem.conditioning),
        "rounding_unit": problem.unit,
        "value_scale": _unless_nan(problem.value_scale),
        "gradient_scale": _unless_nan(problem.gradient_scale),
        "directions": "every coordinate" if problem.complete else f"{len(problem.directions)} random directions",
        "differentiated_by": problem.policy.differentiated_by(problem.theta),
        "samples": int(samples),
        "alpha": alpha,
        "tolerance": tolerance,
        "seed": rng if isinstance(rng, (int, np.integer)) else None,
    }


def _unless_nan(x: float):
    return x if x == x else None


def _plain(x):
    try:
        return float(x)
    except TypeError:
        return str(x)
