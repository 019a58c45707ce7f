"""The catalogue of claims, by slug: :data:`theorems`, and :func:`theorem` to add one's own."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ..arithmetic import EXPRESSION, as_array, canonical, reduced
from ..claims import CLAIMS
from ..claims.equation import Claim
from ..errors import PGTheoryError, UndefinedError
from ..problems.continuous import problem_of
from ..routes import complex_step, exact, finite_difference, series
from .record import Identity, Side


@dataclass(frozen=True)
class Theorem:
    """A claim: its statement, its hypotheses, its source, and both sides as code.

    Attributes
    ----------
    slug, title : str
    statement : str, LaTeX
    hypotheses : tuple of str
    source : str, author, year, number
    proof : str, the file that proves it, or "" for a user's claim

    >>> import pgtheory as pg
    >>> pg.theorems["stochastic"].source
    'Sutton, McAllester, Singh & Mansour 2000, theorem 1 (with unnormalised d)'
    """

    slug: str
    title: str
    statement: str
    hypotheses: tuple[str, ...]
    source: str
    proof: str
    claim: Claim | None = None
    function: Callable | None = None

    def sides(self, model, policy, theta) -> Identity:
        """Both sides at theta: the left by a route that does not know the claim, the right as the claim says.

        Gradients have theta's shape, behind the axes of what is differentiated. In exact arithmetic ``lhs == rhs`` is true;
        in floating point they agree to rounding. Raises :class:`UndefinedError` where the claim does not apply.

        >>> import pgtheory as pg
        >>> from fractions import Fraction
        >>> mdp = pg.models.load("start-matters", exact=True)
        >>> w = [[Fraction(1), Fraction(2)], [Fraction(3), Fraction(1)]]
        >>> identity = pg.theorems["stochastic"].sides(mdp, pg.SoftmaxPolicy(2, 2, weights=True), w)
        >>> bool(identity.lhs == identity.rhs)
        True
        """
        if self.claim is None:
            assert self.function is not None
            lhs, rhs = _pair(self.slug, self.function(model, policy, theta))
        else:
            lhs, rhs = map(reduced, _sides(self.claim, problem_of(model, policy, theta, complete=True)))
            if EXPRESSION in (model.arithmetic, as_array(theta)[1]):
                lhs, rhs = EXPRESSION.convert(lhs), EXPRESSION.convert(rhs)
        lhs, rhs = canonical(lhs, rhs)
        return Identity(lhs.view(Side), rhs.view(Side))


def _pair(slug, given):
    """What a user's claim returned, as two arrays of numbers; :class:`PGTheoryError` where it is no pair of them."""
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise PGTheoryError(f"the claim {slug!r} returned {type(given).__name__}: it must return a pair (lhs, rhs)")
    lhs, rhs = (as_array(side, f"a side of the claim {slug!r}")[0] for side in given)
    if lhs.size == 0:
        raise PGTheoryError(f"the claim {slug!r} returned empty sides: there is nothing to compare")
    return lhs, rhs


def _sides(claim, problem):
    """The claim's main equation, its left side by the sharpest route there is."""
    require_kind(claim, problem)
    reason = claim.reason_against(problem)
    if reason is not None:
        raise UndefinedError(f"{claim.slug} does not apply: {reason}")
    equations = claim.equations(problem)
    equation = equations[min(claim.main, len(equations) - 1)]
    if equation.quantity == "given":
        return np.asarray(equation.lhs), np.asarray(equation.rhs)
    value = sharpest(problem, equation).compute(problem, equation.quantity).value
    shape = value.shape if equation.kind in ("V", "Q", "d") else value.shape[:-1] + problem.theta.shape
    return value.reshape(shape), np.asarray(equation.right(value)).reshape(shape)


def require_kind(claim, problem) -> None:
    """Refuse a claim that is not made for problems of this kind; :class:`PGTheoryError` says why, and what holds instead."""
    reason = claim.mismatch(problem)
    if reason is not None:
        instead = ", ".join(other.slug for other in CLAIMS if other.mismatch(problem) is None)
        raise PGTheoryError(f"{reason}: the claims for it are {instead}")


def sharpest(problem, equation):
    """The most accurate route to the equation's left side that can be taken."""
    for route in (exact, complex_step, finite_difference, series):
        fits = equation.kind in route.QUANTITIES and route.fits(problem)
        if fits and route.reason_against(problem, equation.quantity) is None:
            return route
    raise UndefinedError(f"no route computes {equation.quantity} here")


class Catalogue(Mapping):
    """Theorems by slug; a lookup that fails names what is close.

    >>> import pgtheory as pg
    >>> "bellman" in pg.theorems
    True
    """

    def __init__(self, claims):
        self._known = {c.slug: Theorem(c.slug, c.title, c.statement, c.hypotheses, c.source, f"proofs/{c.slug}.md", c)
                       for c in claims}
        self.builtin = tuple(self._known)

    def __getitem__(self, slug: str) -> Theorem:
        if slug not in self._known:
            close = difflib.get_close_matches(str(slug), self._known, n=3, cutoff=0.4)
            hint = f"did you mean {', '.join(close)}?" if close else f"there are {', '.join(self._known)}"
            raise UnknownTheoremError(f"no theorem {slug!r}: {hint}")
        return self._known[slug]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def __repr__(self) -> str:
        return f"<{len(self)} theorems: {', '.join(self)}>"

    def add(self, theorem: Theorem) -> None:
        """Take a user's claim; built-in slugs are taken."""
        if theorem.slug in self.builtin:
            raise PGTheoryError(f"the slug {theorem.slug!r} is built in: choose another name for your claim")
        self._known[theorem.slug] = theorem


class UnknownTheoremError(PGTheoryError, KeyError):
    """No claim of that slug; says what is close.

    >>> from pgtheory.checks.catalogue import UnknownTheoremError
    >>> issubclass(UnknownTheoremError, KeyError)
    True
    """

    __str__ = Exception.__str__


theorems = Catalogue(CLAIMS)


def theorem(slug: str, *, statement: str = "", source: str = "", hypotheses: tuple[str, ...] = ()):
    """Add a claim of one's own: decorate a function (mdp, policy, theta) -> (lhs, rhs).

    ``verify(..., theorems=[slug])`` then checks it. Raises :class:`PGTheoryError` where the slug is built in.

    >>> import pgtheory as pg
    >>> @pg.theorem("advantage-mean", statement=r"\\sum_a \\pi(a|s) A(s,a) = 0")
    ... def advantage_mean(mdp, policy, theta):
    ...     pi = policy.probabilities(theta)
    ...     return (pi * pg.solve(mdp, pi).A).sum(axis=1), [0.0, 0.0]
    >>> pg.theorems["advantage-mean"].statement
    '\\\\sum_a \\\\pi(a|s) A(s,a) = 0'
    """
    if not isinstance(slug, str) or not slug:
        raise PGTheoryError(f"a theorem needs a slug, a non-empty string, not {slug!r}")

    def register(function):
        title = (function.__doc__ or slug).strip().splitlines()[0]
        theorems.add(Theorem(slug, title, statement, tuple(hypotheses), source, "", None, function))
        return function

    return register
