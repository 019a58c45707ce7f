"""Several groups in one call, as users call a function, where the groups of a call change each other.

A group by itself then says nothing of what a call with several does: advantages may stand at the rows of another group. So
all pairs of groups of a small problem are gone through, each pair in one call; triples too where they are few. Where even the
pairs are too many, calls are drawn: they can show a bias, and cannot show that there is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..errors import EstimatorError
from ..validation import read_only
from .asking import close
from .fixtures import generic_fixtures
from .grouping import LADDER, GroupBatch, Groups, counted, enumerate_groups, pools, problem_for
from .result import Finding
from .weighing import Answer, weights_of

CALLS = 4300            # calls at most
DRAWN = 2000            # calls that are drawn where there are more
ERRORS = 12.0           # standard errors beyond which a drawn mean is off: no chance of any size explains them
SHAPES = ((LADDER, 2), (LADDER, 1))     # two lengths from either of two starts; else one step
MOST = {1: (2, 3, 4)}   # groups in one call, by group size; else pairs and triples
SHOWN = 3               # moved rows that are told
PROBED = 24             # calls whose groups are asked for in another order, or alone


@dataclass(frozen=True, eq=False)
class Calls(Groups):
    """Every call of ``together`` groups, or some that were drawn; the rows of a call are those of its groups.

    together : int, groups in one call; drawn : bool, these are some of the calls, with the same weight each
    """

    together: int = 2
    drawn: bool = False

    def batch(self, chosen=slice(None)) -> GroupBatch:
        """One call: the groups of it, labelled as such."""
        return GroupBatch(self.fixture, self.rows[chosen].reshape(-1, self.size // self.together))

    @property
    def words(self) -> str:
        """What is called how."""
        what = "rows" if self.size == self.together else f"groups of {self.size // self.together}"
        how = f"{len(self.rows)} calls drawn of too many" if self.drawn else f"all {len(self.rows)} such calls gone through"
        return f"{self.together} {what} in one call, {how}"


def all_calls(fn, size, gamma, critic, same_start) -> Iterator[Calls]:
    """Calls of two groups, and of more where those are few."""
    for together in MOST.get(size, (2, 3)):
        calls = _every(fn, size, together, gamma, critic, same_start)
        if calls is None and together == 2:
            calls = _drawn(_problem(size, gamma, critic, *SHAPES[0]), size, together, same_start)
        if calls is not None:
            yield calls


def _problem(size, gamma, critic, structure, horizon):
    return problem_for(0, generic_fixtures(1, critic=critic)[0], max(size, 2), gamma, critic, structure, horizon)


def _every(fn, size, together, gamma, critic, same_start) -> Calls | None:
    """All calls of a problem that has few enough; each group in one order where that does not matter."""
    for shape in SHAPES:
        fixture = _problem(size, gamma, critic, *shape)
        for unordered in (False, True) if size > 1 else (False,):
            if counted(pools(fixture, same_start), size, unordered) ** together > CALLS:
                continue
            if unordered and not _takes_any_order(fn, _drawn(fixture, size, together, same_start, PROBED)):
                continue
            groups = enumerate_groups(fixture, size, same_start, unordered)
            which = np.indices((len(groups.rows),) * together).reshape(together, -1).T
            return Calls(fixture, read_only(groups.rows[which].reshape(len(which), -1)),
                         read_only(groups.probability[which].prod(axis=1)), unordered, together)
    return None


def _drawn(fixture, size, together, same_start, n=DRAWN) -> Calls:
    """Some calls: their groups drawn independently, with the probabilities of the problem."""
    rng, probability = np.random.default_rng(0), np.asarray(fixture.batch.probability, dtype=float)
    found = pools(fixture, same_start)
    shares = np.array([probability[pool].sum() for pool in found])
    rows = np.stack([rng.choice(found[i], size=size, p=probability[found[i]] / shares[i])
                     for i in rng.choice(len(found), size=n * together, p=shares / shares.sum())])
    return Calls(fixture, read_only(rows.reshape(n, -1)), read_only(np.full(n, 1 / n)), False, together, True)


def _takes_any_order(fn, calls) -> bool:
    """Members that are turned around within their groups get the weights they had."""
    rng, k = np.random.default_rng(0), calls.size // calls.together
    order = np.concatenate([g * k + rng.permutation(k) for g in range(calls.together)])
    turned = Calls(calls.fixture, calls.rows[:, order], calls.probability, False, calls.together)
    return all(close(weights_of(fn, calls, [c])[0][order], weights_of(fn, turned, [c])[0]) for c in range(len(calls.rows)))


def ask_calls(fn, calls) -> Answer:
    """The weights of every call, one call at a time."""
    return Answer(np.concatenate([weights_of(fn, calls, [c]) for c in range(len(calls.rows))]))


def undecided(c) -> bool:
    """Calls were drawn, and their mean is not off by more than chance may make it."""
    return c.groups.drawn and _errors(c) <= ERRORS


def _errors(c) -> float:
    """By how many standard errors a drawn mean is off, in the worst coordinate."""
    policy, theta, batch = c.groups.fixture.policy, c.groups.fixture.theta, c.groups.fixture.batch
    score = np.asarray(policy.score(theta), dtype=float)[batch.states[:, :-1], batch.actions][c.groups.rows]
    each = np.einsum("gkt,gkt...->g...", c.answer.weights, score).reshape(len(c.groups.rows), -1) / c.groups.size
    spread = each.std(axis=0) / np.sqrt(len(each))
    off = np.abs(np.ravel(c.bias))
    return float((off / np.where(spread > 0, spread, np.inf)).max(initial=0.0))


# ------------------------------------------------------------------------------------------------ what may be wrong with it


def misplaced(fn, calls) -> tuple[Finding, ...]:
    """The weights of a call are those of its groups by themselves, at other rows."""
    k = calls.size // calls.together
    some = _drawn(calls.fixture, k, calls.together, k > 1, PROBED)
    alone = Groups(some.fixture, some.rows.reshape(-1, k), np.ones(PROBED * calls.together))
    try:
        with np.errstate(all="ignore"):
            by_itself = np.concatenate([weights_of(fn, alone, [g]) for g in range(len(alone.rows))]).reshape(PROBED, calls.size, -1)
    except EstimatorError:
        return ()
    in_call = np.concatenate([weights_of(fn, some, [c]) for c in range(PROBED)])
    source = [_source(in_call[:, i, 0], by_itself[:, :, 0], i) for i in range(calls.size)]
    if None in source or source == list(range(calls.size)):
        return ()
    moves = [f"row {i} has that of row {j}" for i, j in enumerate(source) if i != j]
    moved = ", ".join(moves[:SHOWN]) + (", ..." if len(moves) > SHOWN else "")
    return (Finding("wrong-rows", f"weights stand at the wrong rows when there are several groups in a call: {moved}", 0.0,
                    look="how rows and groups are laid out: a transpose before reshape (A.T.reshape), tile where repeat belongs, "
                         "or reshape(k, -1) where reshape(-1, k) belongs"),)


def _source(column, columns, own):
    """The row whose numbers these are, its own where that fits; None where there is no such row."""
    fits = [j for j in range(columns.shape[1]) if close(column, columns[:, j])]
    return own if own in fits else next(iter(fits), None)


def one_group_counts(compared) -> tuple[Finding, ...]:
    """1/m of the gradient with m groups in a call."""
    factors = [(c.groups.together, float((c.found * c.truth).sum() / (c.truth**2).sum()), c) for c in compared]
    if not all(abs(m * x - 1) < 1e-6 and np.linalg.norm(c.found - x * c.truth) <= 1e-6 * np.linalg.norm(c.found) for m, x, c in factors):
        return ()
    return (Finding("one-over-groups", "1/m of the gradient with m groups in a call", 0.0,
                    look="is only one group of the call written, or is the number of groups divided by once more?"),)
