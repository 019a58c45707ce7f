"""Calling a function of advantages, in either shape, on records of steps; what comes back is checked and made float64.

The arrays handed over are copies: writing into them is found out, and so is an answer that changes from call to call.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..errors import EstimatorError
from .paths import Rollout, Watched, as_arrays

ARRAYS, ROLLOUT = "arrays", "rollout"
ADVANTAGES, RETURNS, BOTH = "advantages", "returns", "both"
NOISE = 1e-6            # relative difference of two answers to one question that single precision may make


@dataclass(frozen=True)
class Question:
    """A user's function and the shape it has: what it takes, what it gives."""

    fn: Any
    form: str
    output: str

    def ask(self, record: Rollout):
        """((1 or 2, N, T) answers in float64, names of the fields it looked at)."""
        given = Watched(**{f.name: getattr(record, f.name).copy() for f in fields(Rollout)})
        arguments = as_arrays(record) if self.form == ARRAYS else (given,)
        before = [x.copy() for x in arguments] if self.form == ARRAYS else None
        try:
            answer = self.fn(*arguments)
        except EstimatorError:
            raise
        except Exception as error:
            raise EstimatorError(self._blame(record, error)) from error
        read = set(given.__dict__.get("read", ()))
        self._require_untouched(arguments, before, given, record)
        return self._checked(answer, record), read

    def _require_untouched(self, arguments, before, given, record):
        if before is not None:
            names = ("rewards", "values", "terminated", "truncated")
            changed = [name for name, x, y in zip(names, arguments, before, strict=True) if not np.array_equal(x, y)]
        else:
            changed = [f.name for f in fields(Rollout) if not np.array_equal(getattr(given, f.name), getattr(record, f.name))]
        if changed:
            raise EstimatorError(f"your function changed its input {changed[0]}: work on a copy")

    def _blame(self, record, error) -> str:
        """What was raised, and on which row by itself where there is one."""
        words = f"your function raised {type(error).__name__}: {' '.join(str(error).split())}"
        if isinstance(error, TypeError) and "argument" in str(error):
            given = "four arrays (rewards, values, terminated, truncated)" if self.form == ARRAYS else "one record (rollout)"
            words += f"; with form={self.form!r} it is called with {given}"
        for row in range(len(record.rewards)):
            alone = record.part([row], 0, record.rewards.shape[1])
            try:
                self.fn(*(as_arrays(alone) if self.form == ARRAYS else (alone,)))
            except Exception:
                return f"{words}; on the row with {in_words(alone, self.form)}"
        return f"{words}; on {len(record.rewards)} rows together, not on each alone"

    def _checked(self, answer, record):
        shape = record.rewards.shape
        if self.output != BOTH:
            return _as_floats(answer, shape, self.output)[None]
        if isinstance(answer, np.ndarray) or not hasattr(answer, "__len__") or len(answer) != 2:
            raise EstimatorError("with output='both' your function must return a pair (advantages, returns)")
        return np.stack([_as_floats(x, shape, name) for x, name in zip(answer, (ADVANTAGES, RETURNS), strict=True)])


def _as_floats(answer, shape, name):
    if answer is None:
        raise EstimatorError(f"your function returned None: return the {name}, {shape} (is the return statement missing?)")
    for method in ("detach", "cpu"):        # a PyTorch tensor that still has a gradient or lives elsewhere
        answer = getattr(answer, method)() if hasattr(answer, method) else answer
    try:
        array = np.asarray(answer)
        array = array.astype(float) if array.dtype.kind != "c" else array
    except (TypeError, ValueError):
        raise EstimatorError(f"what your function returned as {name} is no array of numbers") from None
    if array.dtype.kind == "c":
        raise EstimatorError(f"what your function returned as {name} is complex")
    if array.shape != shape:
        raise EstimatorError(f"the {name} have shape {array.shape}: they must be {shape}{_hint(array.shape, shape)}")
    return array


def _hint(got, shape) -> str:
    N, T = shape
    if got == (T, N):
        return "; they look transposed: rows are episodes, columns time"
    if got == (N, T, 1):
        return "; take away the last axis"
    if got == (N, T + 1):
        return "; T advantages belong to T + 1 values"
    if got in {(N, N), (T, T), (N, N, T), (N, T, T)}:
        return "; (N,) against (N, 1) broadcasts to (N, N)"
    return "; a pair is for output='both'" if got == (2, N, T) else ""


def require_steady(question, record, before, after_others) -> None:
    """The same answer to the first question, asked again at the end, and once more."""
    if close(before, after_others):
        return
    again, _ = question.ask(record)
    cause = ("keeps state between calls (a running mean, a counter, a cache): start afresh in every call"
             if close(after_others, again) else "draws random numbers without a seed of its own: seed it in every call")
    raise EstimatorError(f"your function gives two answers to one question: it {cause}")


def close(a, b) -> bool:
    """Equal as far as single precision goes; nan equals nan."""
    if np.shape(a) != np.shape(b):
        return False
    known = np.isfinite(a) & np.isfinite(b)
    if not np.array_equal(np.isfinite(a), np.isfinite(b)):
        return False
    scale = max(np.abs(a[known]).max(initial=0.0), np.abs(b[known]).max(initial=0.0))
    return bool(np.abs(a - b)[known].max(initial=0.0) <= NOISE * scale)


def in_words(record, form) -> str:
    """A small record in one line."""
    if form == ARRAYS:
        pairs = zip(("rewards", "values", "terminated", "truncated"), as_arrays(record), strict=True)
    else:
        shown = [f.name for f in fields(Rollout) if f.name not in ("episode_starts", "ratios", "valid")]
        shown += ["valid"] * (not record.valid.all()) + ["ratios"] * bool(np.any(record.ratios != 1))
        pairs = zip(shown, (getattr(record, name) for name in shown), strict=True)
    return ", ".join(f"{name} {_numbers(column)}" for name, column in pairs)


def _numbers(column) -> str:
    rows = ["[" + ", ".join(str(int(x)) if column.dtype == bool else f"{x:.4g}" for x in row) + "]" for row in column]
    return rows[0] if len(rows) == 1 else "[" + ", ".join(rows) + "]"

