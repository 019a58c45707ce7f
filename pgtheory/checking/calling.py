"""Calling a user's function: what it returns is checked, and what it does wrong is said, with the trajectory that shows it.

The arrays handed over are read-only. A function whose answer changes from call to call, with the other trajectories of the
batch, or that writes into its input, is found out before anything is averaged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import EstimatorError, PGTheoryError
from ..validation import bracket, first, read_only
from . import tuples

PROBED = 7              # rows that are asked for again, alone
NOISE = 1e-6            # relative difference of two answers that single precision may make
LIMIT = 200_000         # groups of trajectories gone through at most


class UnsteadyError(EstimatorError):
    """Two answers to one question, from a function that draws random numbers or keeps state."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What a function answered on every trajectory (or group) of a fixture.

    estimates : (M,) + theta's shape, float64; probability : (M,)
    single : bool, all numbers are those of single precision; pooled : bool, the mean over a group was taken here
    unordered : bool, every group was asked for in one order, with the probability of all of them
    """

    estimates: np.ndarray
    probability: np.ndarray
    single: bool
    pooled: bool = False
    unordered: bool = False

    @property
    def mean(self) -> np.ndarray:
        return np.tensordot(self.probability, self.estimates, axes=1)

    @property
    def squares(self) -> np.ndarray:
        """theta's shape: the mean of the squared estimates."""
        return np.tensordot(self.probability, self.estimates**2, axes=1)

    @property
    def size(self) -> float:
        """E |estimate|: the scale of what was averaged."""
        return float(self.probability @ np.linalg.norm(self.estimates.reshape(len(self.estimates), -1), axis=1))


def ask_all(fn, fixture, batch_size=1) -> Answers:
    """The answers on all trajectories of the fixture, or on all groups of ``batch_size`` of them."""
    return _rows(fn, fixture) if batch_size == 1 else _groups(fn, fixture, batch_size)


def _rows(fn, fixture) -> Answers:
    batch = fixture.batch
    estimates, single = estimates_of(fn, batch, fixture)
    return Answers(estimates, np.asarray(batch.probability, dtype=float), single)


def _groups(fn, fixture, k) -> Answers:
    batch, shape = fixture.batch, fixture.theta.shape
    unordered = is_symmetric(fn, fixture, k)
    count = tuples.count(len(batch), k, unordered)
    if count > LIMIT:
        how = f"{len(batch)}^{k} = {count}" if not unordered else f"{count}"
        raise PGTheoryError(f"there are {how} groups of {k} trajectories, more than the limit of {LIMIT}: "
                            f"{'' if unordered else 'its answer changes with their order; '}"
                            "shorten the horizon, shrink the model or the batch, or leave mdp out")
    probability = np.asarray(batch.probability, dtype=float)
    answers, weights, single, pooled = [], [], True, False
    for rows, ways in tuples.groups(len(batch), k, unordered):
        weights.append(ways * probability[rows].prod(axis=1))
        for row in rows:
            answer, one_single, one_pooled = group_answer(fn, batch.take(row), fixture, k)
            answers.append(answer)
            single, pooled = single and one_single, pooled or one_pooled
    return Answers(np.reshape(answers, (count,) + shape).astype(float), np.concatenate(weights), single, pooled, unordered)


def is_symmetric(fn, fixture, k) -> bool:
    """The answer on a group does not change with the order of its members, as far as some groups tell."""
    rows, others, _ = tuples.shuffled(len(fixture.batch), k)
    for one, other in zip(rows, others, strict=True):
        a, b = (group_answer(fn, fixture.batch.take(x), fixture, k)[0] for x in (one, other))
        if not _close(a, b):
            return False
    return True


def group_answer(fn, group, fixture, k):
    """(theta's shape, in single precision?, the mean of k estimates?): the answer on one group."""
    shape = fixture.theta.shape
    answer = _as_floats(_call(fn, group, fixture), fixture, k)
    pooled = answer.shape == (k,) + shape
    answer = answer.mean(axis=0) if pooled else answer
    if answer.shape != shape:
        raise EstimatorError(_shape_words(answer.shape, shape, k, True))
    _require_finite(answer[None], group, shape)
    return answer, _is_single(answer), pooled


def estimates_of(fn, batch, fixture):
    """((N,) + theta's shape in float64, whether these are numbers of single precision)."""
    answer = _as_floats(_call(fn, batch, fixture), fixture, len(batch))
    shape = fixture.theta.shape
    if answer.shape != (len(batch),) + shape:
        raise EstimatorError(_shape_words(answer.shape, shape, len(batch), False))
    _require_finite(answer, batch, shape)
    return answer.astype(float), _is_single(answer)


# ------------------------------------------------------------------------------------------------ one call


def _call(fn, batch, fixture):
    theta = read_only(np.array(fixture.theta))
    try:
        return fn(batch, fixture.policy, theta, fixture.gamma)
    except Exception as error:
        raise EstimatorError(_blame(fn, batch, fixture, error)) from error


def _blame(fn, batch, fixture, error) -> str:
    """What was raised, on which trajectory, and why where that is known."""
    words = f"your function raised {type(error).__name__}: {' '.join(str(error).split())}"
    if "read-only" in str(error):
        return f"{words}; it writes into its input, which other trajectories share: work on a copy"
    row = _culprit(fn, batch, fixture)
    if row is None:
        return f"{words}; on {len(batch)} trajectories together, not on each alone"
    return f"{words}; on {in_words(batch[row])}"


def _culprit(fn, batch, fixture):
    """A row that the function refuses by itself, by halving; None where it takes both halves."""
    rows = np.arange(len(batch))
    while len(rows) > 1:
        refused = [part for part in np.array_split(rows, 2) if _refuses(fn, batch.take(part), fixture)]
        if not refused:
            return None
        rows = refused[0]
    return int(rows[0])


def _refuses(fn, batch, fixture) -> bool:
    try:
        fn(batch, fixture.policy, read_only(np.array(fixture.theta)), fixture.gamma)
    except Exception:
        return True
    return False


def in_words(trajectory) -> str:
    """A trajectory in one line.

    >>> import pgtheory as pg
    >>> mdp = pg.MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [2.0, 0.0], 0.5, 0)
    >>> in_words(pg.enumerate_trajectories(mdp, [[1.0], [1.0]], horizon=2)[2])
    'the trajectory with states [0, 1], actions [0], rewards [2], terminated'
    """
    rewards = ", ".join(f"{float(r):.4g}" for r in trajectory.rewards)
    end = "truncated" if trajectory.truncated else "terminated" if trajectory.terminated else "not ended"
    return (f"the trajectory with states {trajectory.states.tolist()}, actions {trajectory.actions.tolist()}, "
            f"rewards [{rewards}], {end}")


# ------------------------------------------------------------------------------------------------ what it returned


def _as_floats(answer, fixture, n):
    if answer is None:
        raise EstimatorError("your function returned None: return one estimate per trajectory, (N,) + theta's shape "
                             f"{fixture.theta.shape} (is the return statement missing?)")
    try:
        array = np.asarray(answer)
    except ValueError:
        array = _stacked(answer, fixture.theta.shape)
    except Exception as error:
        raise EstimatorError(f"what your function returned is no array: {error}") from error
    if array.dtype == object:
        try:
            array = array.astype(float)
        except (TypeError, ValueError):
            array = _stacked(answer, fixture.theta.shape)
    if array.dtype.kind not in "fiub":
        kind = "complex: a complex step ends in Im f / h"
        raise EstimatorError("what your function returned is "
                             f"{kind if array.dtype.kind == 'c' else f'{array.dtype}: numbers are needed'}")
    return array


def _stacked(answer, shape):
    """A list with one array an episode, in which sum() over an episode of no steps has left a plain 0."""
    items = [np.asarray(item) for item in answer]
    items = [np.zeros(shape) if item.shape == () and not item else item for item in items]
    if any(item.shape != shape for item in items):
        n = next(i for i, item in enumerate(items) if item.shape != shape)
        raise EstimatorError(f"estimate {n} of the list has shape {items[n].shape}: it must be theta's, {shape}")
    return np.stack(items)


def _shape_words(got, shape, n, grouped) -> str:
    wanted = f"theta's, {shape}" if grouped else f"(N,) + theta's, here {(n,) + shape}"
    words = f"what your function returned has shape {got}: it must be {wanted}"
    if not grouped and got == shape:
        return f"{words}, one estimate per trajectory; if it averages over the batch, say of how many: batch_size=2"
    if not grouped and len(got) == 2 and got[0] == n and len(shape) > 0:
        return f"{words}; weights of steps (N, T) are for check_weights, advantages for check_advantages"
    if got[:1] == (n,) and got[1:] == shape[::-1]:
        return f"{words}; it looks transposed"
    if got == (n, n) or got[:2] == (n, n):
        return f"{words}; (N,) against (N, 1) broadcasts to (N, N)"
    return words


def _require_finite(answers, batch, shape):
    bad = ~np.isfinite(answers)
    if bad.any():
        n, *index = first(bad)
        where = in_words(batch[n]) if len(answers) == len(batch) else " and ".join(in_words(tau) for tau in batch)
        raise EstimatorError(f"your function returned {answers[(n, *index)]} at theta{bracket(tuple(index))}; on {where}")


def _is_single(answers) -> bool:
    """Computed in single precision, whatever it is handed over in: no number has more digits."""
    with np.errstate(over="ignore"):
        return answers.dtype.kind == "f" and np.array_equal(answers.astype(np.float32), answers)


# ------------------------------------------------------------------------------------------------ what it must not do


def probe(fn, fixture, batch_size=1) -> None:
    """Refuse functions that change their answer or their input, or whose rows depend on one another."""
    batch = fixture.batch
    if batch_size > 1:
        rows = np.linspace(0, len(batch) - 1, batch_size).astype(int)
        group = batch.take(rows)
        _require_steady(lambda: _as_floats(_call(fn, group, fixture), fixture, batch_size), group, lambda: None)
        return
    rows = np.unique(np.linspace(0, len(batch) - 1, PROBED).astype(int))
    few = batch.take(rows)
    whole: list[np.ndarray] = []
    alone = _require_steady(lambda: estimates_of(fn, few, fixture)[0], few,
                            lambda: whole.append(estimates_of(fn, batch, fixture)[0]))
    if not _close(alone, whole[0][rows]):
        n = int(np.argmax(np.abs(alone - whole[0][rows]).reshape(len(rows), -1).max(axis=1)))
        raise EstimatorError("the estimate of a trajectory changes with the others in the batch: if that is meant (a batch "
                             "mean, a leave-one-out baseline), pass batch_size=2 or more and return one gradient for the "
                             f"batch; seen on {in_words(few[n])}")


def _require_steady(ask, batch, between):
    """The same answer before and after other questions, and once more; the input as it was."""
    kept = {name: np.array(getattr(batch, name)) for name in ("states", "actions", "rewards", "valid", "probability")}
    before = ask()
    between()
    after = ask()
    if not _close(before, after):
        cause = ("keeps state between calls (a running mean, a counter, a cache): start afresh in every call"
                 if _close(after, ask()) else "draws random numbers without a seed of its own, or counts its calls: start "
                 "afresh in every call, or use method='sequential'")
        raise UnsteadyError(f"your function gives two answers to one question: it {cause}")
    for name, old in kept.items():
        if not np.array_equal(old, getattr(batch, name)):
            raise EstimatorError(f"your function changed batch.{name}: work on a copy")
    return after


def _close(a, b) -> bool:
    if np.shape(a) != np.shape(b):
        return False
    return bool(np.abs(a - b).max(initial=0.0) <= NOISE * max(np.abs(a).max(initial=0.0), np.abs(b).max(initial=0.0)))
