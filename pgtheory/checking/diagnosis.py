"""Which known bug is it? The exact bias of every bug of the zoo, on the same problems, beside the function's own.

A bug is named only where its bias is the function's to within 1e-6. First the bugs as they stand, then together with a
forgotten gamma^t, then under the return of the whole episode where reward-to-go is as good, then another gamma or lambda,
then the bugs up to a factor of the bias, and up to a factor of the whole estimate. The first of these that fits is reported,
with everything that fits equally well. Where several have the same mean, those with the same second moments stay; what still
ties cannot be told apart on these problems.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from ..errors import PGTheoryError
from ..mdp import MDP
from . import tuples
from .additions import added, other_temperature
from .expected import at_the_end
from .likeness import factor_words, one_of_each
from .result import Finding
from .targets import as_target
from .zoo.added import ADDED
from .zoo.exchanged import critic_bugs, plain_bugs
from .zoo.gradients import GRADIENTS
from .zoo.mutant import LAM, Mutant, Steps, to_go
from .zoo.pooled import pooled_bugs

NAMED = 1e-6            # relative distance below which a bug is named
NO_TRACE = 1e-9         # relative bias below which a bug cannot be seen
NO_GAMMA_T = "no-gamma-t"
TRIED = 100_000         # trajectories, groups of them, up to which the zoo is gone through


@dataclass(frozen=True, eq=False)
class Fit:
    """A bug beside the function: how far their biases are apart, at the best multiple; squares where they are comparable."""

    mutant: Mutant
    residual: float
    scale: float = 1.0
    undiscounted: bool = False
    squares: np.ndarray | None = None

    def finding(self) -> Finding:
        m = self.mutant
        bug, words = ((f"{m.bug} + {NO_GAMMA_T}", f"{m.words}; and the weight gamma^t is left out") if self.undiscounted
                      else (m.bug, m.words))
        return Finding(bug, words, self.residual, self.scale, m.links, m.look)


class Suspects:
    """The bugs of the zoo on these problems, beside the function's own moments."""

    def __init__(self, compared, target, k):
        self.known: frozenset[Mutant] = frozenset()
        self.fixtures, self.target, self.k = [c.fixture for c in compared], target, k
        self.found, self.expected = (_joined(getattr(c, name) / c.scale for c in compared) for name in ("found", "expected"))
        self.squares = _joined(c.answers.squares / c.scale**2 for c in compared)
        self.bias = self.found - self.expected
        noise = max((1e-6 * c.answers.size / c.scale for c in compared if c.answers.single), default=0.0)
        self.limit = max(NAMED, noise / float(np.linalg.norm(self.bias)))
        self.factor = _factor(self.found, self.expected)

    @property
    def scaled(self) -> bool:
        """The function is a multiple of the target: that is no fingerprint of anything but the factor."""
        return _distance(self.found, self.factor * self.expected, self.bias) <= self.limit

    def as_they_stand(self, discounted=True, episodes=False):
        off = self.target.discounted and not discounted
        return [Fit(m, _distance(self.bias, mean - self.expected), 1.0, off, squares)
                for m, mean, squares in self._moments(self.target.discounted and discounted, episodes, off or episodes)
                if not (off and m.bug == NO_GAMMA_T)]

    def up_to_a_factor(self, of_the_bias):
        ours = self.bias if of_the_bias else self.found
        fits = []
        for m, mean, _ in self._moments(self.target.discounted):
            if _distance(mean, _factor(mean, self.expected) * self.expected) <= NAMED:
                continue
            theirs = mean - self.expected if of_the_bias else mean
            scale = _factor(ours, theirs)
            fits.append(Fit(m, _distance(ours, scale * theirs, self.bias) if scale > 0 else float("inf"), scale))
        return fits

    def other_numbers(self):
        """Another gamma than the model's, another lambda than declared: the nearest one."""
        fits = [self._nearest("gamma", "gamma", lambda x: [self.target.value(_with_gamma(f, x)) for f in self.fixtures])]
        if self.target.at is not None:
            fits.append(self._nearest("lam", "lambda", lambda x: [self.target.at(f, x) for f in self.fixtures]))
        if self.target.discounted and _base(self.target.name) == "gradient":
            bare = as_target("without gamma^t").value
            fits.append(self._nearest("gamma", "gamma", lambda x: [bare(_with_gamma(f, x)) for f in self.fixtures], True))
        return [fit for fit in fits if fit is not None]

    def _nearest(self, bug, name, means, undiscounted=False):
        from scipy.optimize import minimize_scalar

        def off(x):
            return _distance(self.bias, _joined(means(float(x))) - self.expected)
        try:
            best = minimize_scalar(off, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-12})
        except PGTheoryError:
            return None
        mutant = Mutant(f"other-{bug}", f"{name} is {best.x:.6g}", look=f"is {name} written into the code?")
        return Fit(mutant, float(best.fun), undiscounted=undiscounted)

    def _far(self, mutant, discounted, episodes) -> bool:
        """The first problem is enough to see that this is not it."""
        if self.target.up_to_scale:
            return False
        first = _everywhere(mutant, self.fixtures[:1], self.target, self.k, discounted, episodes)
        if first is None:
            return True
        mean = np.ravel(first[0][0])
        unit = max(float(np.linalg.norm(self.bias)), 1e-9 * float(np.linalg.norm(self.found)))
        return float(np.linalg.norm(mean - self.found[:mean.size])) > 10 * self.limit * unit

    def _moments(self, discounted, episodes=False, near=False):
        """(bug, mean, squares) over all fixtures, of the bugs that exist here and leave a trace; only near ones where asked."""
        expected = _values(self.target, self.fixtures)
        plain = _values(as_target("gradient" if discounted else "without gamma^t"), self.fixtures)
        on_policy = all(fixture.on_policy for fixture in self.fixtures)
        for mutant in _candidates(self.fixtures, self.k):
            own = as_target(mutant.target)
            if (own.off_policy and on_policy) or (own.critic != self.target.critic and self.target.off_policy):
                continue        # its ratios are all 1; it is no bug of ratios
            if near and self._far(mutant, discounted, episodes):
                continue
            moments = _everywhere(mutant, self.fixtures, self.target, self.k, discounted, episodes)
            if moments is None:
                continue
            means, squares = zip(*moments, strict=True)
            if not _leaves_trace(means, expected, self.target):
                continue
            if _base(mutant.target) != _base(self.target.name) and not _leaves_trace(means, plain, self.target):
                continue        # right as a gradient: what it lacks is what every gradient lacks here
            if self.target.up_to_scale:
                sizes = [_size(m, g) for m, g in zip(means, expected, strict=True)]
                means = tuple(m / x for m, x in zip(means, sizes, strict=True))
                squares = tuple(q / x**2 for q, x in zip(squares, sizes, strict=True))
            yield mutant, _joined(means), _joined(squares)

    def exchanged(self):
        """Lists of fits: estimators with one part exchanged, then those with two."""
        name, number = _base(self.target.name), self.target.parameter
        if self.k > 1 or self.target.up_to_scale or untried(self.fixtures, 1):
            return
        bugs = critic_bugs(name, number) if self.target.critic == "random" else plain_bugs(self.target.off_policy)
        self.known = frozenset(bug for bug in bugs if bug.known)
        for n in (0, 1):
            fits = list(filter(None, (self._fit(bug) for bug in bugs if bug.bug.count(" + ") == n)))
            if fits:
                yield [self._stripped(fit, bugs) for fit in fits]

    def _stripped(self, fit, bugs):
        """Of a pair one of which is no mistake by itself, as the mean is right with it: the other one."""
        for half in fit.mutant.bug.split(" + ") if " + " in fit.mutant.bug else ():
            single = next((bug for bug in bugs if bug.bug == half), None)
            moments = single and _everywhere(single, self.fixtures, self.target, 1, self.target.discounted)
            if moments and _distance(_joined(mean for mean, _ in moments), self.expected, self.expected) <= NO_TRACE:
                rest = fit.mutant.bug.replace(f"{half} + ", "").replace(f" + {half}", "")
                return replace(fit, mutant=next((bug for bug in bugs if bug.bug == rest), fit.mutant))
        return fit

    def pooled(self, discounted=True):
        """Batches centred, or divided, by statistics of all their steps."""
        if self.k == 1 or self.scaled or untried(self.fixtures, self.k) or _base(self.target.name) != "gradient":
            return []
        scales, fits = self.target.up_to_scale, []
        for bug in pooled_bugs():
            if not scales and self._far(bug, discounted and self.target.discounted, False):
                continue
            moments = _everywhere(bug, self.fixtures, self.target, self.k, discounted and self.target.discounted)
            if moments is not None:
                means = [m / _size(m, g) if scales else m
                         for (m, _), g in zip(moments, _values(self.target, self.fixtures), strict=True)]
                fits.append(Fit(bug, _distance(self.bias, _joined(means) - self.expected),
                                undiscounted=self.target.discounted and not discounted))
        return [fit for fit in fits if fit.residual <= self.limit]

    def added(self):
        """Terms of which a multiple is added to what is right."""
        if self.k > 1 or untried(self.fixtures, 1):
            return ()
        off = not self.target.discounted
        terms = []
        for mutant in ADDED:
            moments = _everywhere(mutant, self.fixtures, self.target, 1, not off)
            if moments is not None:
                terms.append((mutant, _joined(mean for mean, _ in moments)))
        return added(self.found, self.expected, terms, self.target.up_to_scale, self.limit)

    def other_temperature(self):
        """The score of the policy at another multiple of theta, for tabular soft-max policies."""
        if self.k > 1 or untried(self.fixtures, 1) or self.target.up_to_scale or self.target.critic != "exact":
            return ()
        if _base(self.target.name) not in ("gradient", "off-policy", "semi-gradient"):
            return ()
        tables = [_table(fixture, self.target) for fixture in self.fixtures]

        def mean_at(x):
            return _joined(np.einsum("sa,sa...->...", table, np.asarray(f.policy.score(x * np.asarray(f.theta, dtype=float)), dtype=float))
                           for f, table in zip(self.fixtures, tables, strict=True))
        if _distance(mean_at(1.0), self.expected) > NO_TRACE:
            return ()           # the target is not made of these weights
        return other_temperature(self.found, self.expected, mean_at, self.limit)

    def _fit(self, bug):
        """The bug where it fits everywhere; the first problem is enough to see that it does not."""
        means, squares = [], []
        start = 0
        for fixture in self.fixtures:
            moments = _everywhere(bug, [fixture], self.target, 1, self.target.discounted)
            if moments is None:
                return None
            mean, square = moments[0]
            part = slice(start, start + mean.size)
            start += mean.size
            unit = max(float(np.linalg.norm(self.bias[part])), 1e-9 * float(np.linalg.norm(self.found[part])))
            if float(np.linalg.norm(mean.ravel() - self.found[part])) > 10 * self.limit * unit:
                return None
            means.append(mean)
            squares.append(square)
        residual = _distance(self.bias, _joined(means) - self.expected)
        return Fit(bug, residual, squares=_joined(squares)) if residual <= self.limit else None

    def order(self, fit):
        """Bugs against the same target first, then bugs of groups where there are groups."""
        m = fit.mutant
        place = GRADIENTS.index(m) if m in GRADIENTS else -1
        return _base(m.target) != _base(self.target.name), (m.batch_size > 1) != (self.k > 1), place


def diagnose(compared, target, k) -> tuple[tuple[Finding, ...], float]:
    """(findings that tie, residual of the best bug that does not fit), for the comparisons of all fixtures."""
    suspects = Suspects(compared, target, k)
    plain = suspects.as_they_stand()
    tiers = [lambda: plain]
    if target.discounted:
        tiers += [lambda: suspects.as_they_stand(discounted=False), lambda: suspects.as_they_stand(episodes=True)]
    if not suspects.scaled:
        tiers.append(suspects.other_numbers)
        tiers += [lambda: suspects.up_to_a_factor(True), lambda: suspects.up_to_a_factor(False)]
    for tier in tiers:
        fits = tier()
        named = [fit for fit in fits if fit.residual <= suspects.limit]
        if named:
            named = sorted(_same_squares(named, suspects), key=suspects.order)
            return one_of_each(fit.finding() for fit in named), _best(fit for fit in fits if fit.residual > suspects.limit)
    if suspects.scaled and abs(suspects.factor) > NO_TRACE:
        return (_of_factor(suspects),), _best(plain)
    if suspects.scaled:
        return (), _best(plain)
    pooled = suspects.pooled() or (suspects.pooled(discounted=False) if target.discounted else [])
    if pooled:
        return one_of_each(fit.finding() for fit in sorted(pooled, key=lambda fit: fit.residual)), _best(plain)
    numbers = padding(compared) or suspects.added() or suspects.other_temperature()
    if numbers:
        return numbers, _best(plain)
    for exchanged in suspects.exchanged():
        named = sorted(_same_squares(exchanged, suspects), key=lambda fit: (fit.mutant not in suspects.known, fit.residual))
        known = [fit for fit in named if fit.mutant in suspects.known]
        return one_of_each(fit.finding() for fit in known or named), _best(plain)
    return (), _best(plain)


def _of_factor(suspects) -> Finding:
    """The one number between the function and the target; what it is made of comes first."""
    gammas = {float(fixture.gamma) for fixture in suspects.fixtures}
    words = factor_words(suspects.factor, gammas.pop() if len(gammas) == 1 else 1.0)
    look = "where gamma^t is counted on: before the update, or after it" if "gamma^(t" in words else (
        "a constant factor: declare 'up to scale' if it is meant")
    return Finding("factor", words, 0.0, look=look)


def padding(compared) -> tuple[Finding, ...]:
    """Steps after the end are counted: nothing is wrong but the parameters of terminal states, where nobody acts."""
    if not all(at_the_end(c) for c in compared):
        return ()
    return (Finding("padding-counted", "steps after the end of an episode are counted: the padding mask is forgotten", 0.0,
                    look="multiply with batch.valid, or go through `for tau in batch`: the whole bias is in the parameters of a "
                         "terminal state"),)


def _same_squares(fits, suspects):
    """Of bugs with the same mean those with the same second moments, if there are any."""
    same = [fit for fit in fits if fit.squares is not None
            and _distance(fit.squares, suspects.squares) <= 2 * max(suspects.limit, NAMED)]
    return same or fits


def unseen(fixtures, target, k) -> tuple[str, ...]:
    """The bugs against this target that leave no trace on these problems, in words; the built-in ones show all."""
    if all(fixture.generic for fixture in fixtures):
        return ()
    expected = _values(target, fixtures)
    hidden = []
    for mutant in _candidates(fixtures, k):
        if _base(mutant.target) == _base(target.name):
            moments = _everywhere(mutant, fixtures, target, k, target.discounted)
            if moments is not None and not _leaves_trace([m for m, _ in moments], expected, target):
                hidden.append(mutant.bug)
    return (f"known bugs that leave no trace on this problem: {', '.join(hidden)}",) if hidden else ()


def untried(fixtures, k) -> str:
    """Why the zoo was not gone through, in words; "" where it was."""
    rows = sum(len(fixture.batch) for fixture in fixtures)
    if rows > TRIED:
        return f"none made: {rows} trajectories are too many to try every known bug on (limit {TRIED}); shorten the horizon"
    if k > 1 and not _groups_tried(fixtures, k):
        return f"bugs of groups were not tried: there are too many groups of {k} (limit {TRIED})"
    return ""


def _groups_tried(fixtures, k) -> bool:
    return sum(tuples.count(len(fixture.batch), k, True) for fixture in fixtures) <= TRIED


def _candidates(fixtures, k):
    """The bugs that a function of k trajectories may have; none where going through them would take minutes."""
    if sum(len(fixture.batch) for fixture in fixtures) > TRIED:
        return []
    groups = k > 1 and _groups_tried(fixtures, k)
    return [mutant for mutant in GRADIENTS if mutant.batch_size == 1 or groups]


def _everywhere(mutant, fixtures, target, k, discounted, episodes=False):
    """[(mean, squares)] on every fixture; None where the bug does not exist on such a problem."""
    lam = LAM if target.parameter is None else float(target.parameter)
    try:
        with np.errstate(all="ignore"):
            moments = [_moments(mutant, fixture, k, discounted, lam, episodes) for fixture in fixtures]
    except (PGTheoryError, TypeError, ValueError, IndexError, ZeroDivisionError):
        return None
    return moments if all(np.isfinite(mean).all() for mean, _ in moments) else None


@lru_cache(maxsize=32)
def _table(fixture, target):
    """(S, A): the mean weight of each score in the gradient, every state and action added up over time."""
    batch, lead = fixture.batch, np.asarray(fixture.batch.probability, dtype=float)[:, None]
    steps = Steps(batch, fixture.policy, fixture.theta, fixture.gamma, target.discounted)
    ratio = np.cumprod(steps.ratio, axis=-1)
    G = to_go(ratio * steps.r, steps.gamma) if target.name.startswith("off-policy") else (
        steps.ratio * steps.G if target.off_policy else steps.G)
    S, A = fixture.pi.shape
    place = batch.states[:, :-1] * A + batch.actions
    return np.bincount(place.ravel(), weights=np.where(steps.valid, lead * steps.d * G, 0.0).ravel(), minlength=S * A).reshape(S, A)


def _with_gamma(fixture, gamma):
    mdp = fixture.mdp
    return replace(fixture, mdp=MDP(mdp.P, mdp.R, gamma, mdp.rho))


@lru_cache(maxsize=2048)
def _moments(mutant, fixture, k, discounted, lam, episodes):
    return mutant.moments(fixture, k, discounted, lam, episodes)


def _values(target, fixtures):
    return [np.asarray(target.value(fixture), dtype=float) for fixture in fixtures]


def _leaves_trace(means, expected, target) -> bool:
    off = [np.linalg.norm(m - (_size(m, g) if target.up_to_scale else 1.0) * g) / (np.linalg.norm(g) or 1.0)
           for m, g in zip(means, expected, strict=True)]
    return bool(max(off) > NO_TRACE)


def _size(mean, expected):
    """The factor between a bug and the target, where the target leaves it free."""
    factor = _factor(mean.ravel(), expected.ravel())
    return factor if factor > 0 else 1.0


def _base(name) -> str:
    return name.partition("(")[0].replace("without gamma^t", "").replace("up to scale", "").strip() or "gradient"


def _joined(arrays):
    return np.concatenate([np.ravel(x) for x in arrays])


def _distance(a, b, unit=None) -> float:
    size = float(np.linalg.norm(a if unit is None else unit))
    return float(np.linalg.norm(a - b)) / size if size > 0 else float("inf")


def _factor(a, b) -> float:
    """The multiple of b nearest to a."""
    size = float(b @ b)
    return float(a @ b) / size if size > 0 else 0.0


def _best(fits) -> float:
    return min((fit.residual for fit in fits), default=float("inf"))
