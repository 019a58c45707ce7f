"""The .json layout: readable, exact where the model is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import scipy.sparse

from ..errors import InvalidMDPError, NotExactError, PGTheoryError
from ..validation import bracket
from .keys import FORMAT, PARTS, VERSION, normalize, require_keys

NORMALIZE = '"normalize": true'
EXACT_NUMBER = re.compile(r"[+-]?([0-9]+(/[0-9]+)?|[0-9]*\.[0-9]+)")


def encode(mdp) -> bytes:
    """The text of a .json file, one line for each state."""
    writers: dict[str, Callable] = {"integer": int, "float64": float, "Fraction": _exact_text}
    write = writers[mdp.arithmetic.name]
    # one number in quotes makes the whole file exact, also where every number is whole
    gamma = str(mdp.gamma) if mdp.arithmetic.name == "Fraction" else write(mdp.gamma)
    try:
        document = {"format": FORMAT, "version": VERSION, "gamma": gamma, "rho": _nested(mdp.rho, write),
                    "P": _table(mdp.P, mdp.n_actions, write), "R": _table(mdp.R, mdp.n_actions, write)}
        lines = [f" {json.dumps(key)}: {_lines(value)}" for key, value in document.items()]
    except ValueError:
        raise NotExactError("an entry has more digits than Python turns into text: raise the limit with "
                            "sys.set_int_max_str_digits(0)") from None
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def _exact_text(x):
    return x.numerator if x.denominator == 1 else str(x)


def _nested(array, write):
    out = np.empty(array.shape, dtype=object)
    out.flat[:] = [write(x) for x in array.flat]
    return out.tolist()


def _table(array, n_actions, write):
    if not scipy.sparse.issparse(array):
        return _nested(array, write)
    stored = array.tocoo()
    return {"entries": [[int(row) // n_actions, int(row) % n_actions, int(t), write(x)]
                        for row, t, x in zip(stored.row, stored.col, stored.data, strict=True)]}


def _lines(value) -> str:
    """JSON with one line for each row of the outermost list."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {_lines(x)}" for key, x in value.items()) + "}"
    if isinstance(value, list) and value and isinstance(value[0], list):
        return "[\n  " + ",\n  ".join(json.dumps(x, allow_nan=False) for x in value) + "]"
    return json.dumps(value, allow_nan=False)


def decode(content: bytes, build):
    """The model in the text of a .json file."""
    document = _parse(content)
    if not isinstance(document, dict):
        raise InvalidMDPError(f"it holds a {type(document).__name__}: a model is an object with the keys {', '.join(PARTS)}")
    require_keys(document, PARTS)
    if isinstance(document["P"], dict):
        return _from_entries(document, build)
    if isinstance(document["R"], dict):
        raise InvalidMDPError("R is sparse (entries) and P is nested: write both as entries, or both nested")
    arrays = {name: _entries(document[name], name) for name in PARTS}
    return build(**_in_one_arithmetic(arrays), normalize=normalize(document))


def _parse(content):
    try:
        return json.loads(content.decode("utf-8-sig"), object_pairs_hook=_unique_keys)
    except PGTheoryError:
        raise
    except RecursionError:
        raise InvalidMDPError("it is nested too deeply to be a model") from None
    except ValueError as error:
        raise InvalidMDPError(f"it is not JSON ({error}): a model is an object with the keys {', '.join(PARTS)}") from None


def _unique_keys(pairs):
    document = {}
    for key, value in pairs:
        if key in document:
            raise InvalidMDPError(f"the key {key!r} stands twice: keep one of the two")
        document[key] = value
    return document


def _entries(value, name):
    """Nested lists as an object array of int, float and str; anything else is refused by its place."""
    if isinstance(value, dict):
        raise InvalidMDPError(f'{name} is an object: write nested lists, or {{"entries": [[s, a, s\', value], ...]}}')
    try:
        array = np.array(value, dtype=object)
    except (ValueError, RuntimeError):
        raise InvalidMDPError(f"{name} is nested too deep: P has three indices, R up to three, rho one") from None
    for index, x in np.ndenumerate(array):
        if type(x) not in (int, float, str):
            reason = ": its rows have different lengths" if isinstance(x, list) else \
                ': entries are numbers, or exact numbers in quotes such as "1/3"'
            raise InvalidMDPError(f"{name}{bracket(index)} is {_json_name(x)}{reason}")
    return array


def _json_name(x) -> str:
    return {list: "a list", dict: "an object", bool: "a truth value"}.get(type(x), "null")


def _in_one_arithmetic(arrays) -> dict:
    """The parts of a model with strings read as Fractions; floats beside strings are refused."""
    if any(isinstance(x, str) for array in arrays.values() for x in array.flat):
        for name, array in arrays.items():
            arrays[name] = _exact(array, name)
    return {name: _scalar_or_array(array) for name, array in arrays.items()}


def _scalar_or_array(array):
    return array if array.ndim else array.item()


def _exact(array, name):
    out = np.empty(array.shape, dtype=object)
    for index, x in np.ndenumerate(array):
        if isinstance(x, float):
            raise NotExactError(f"{name}{bracket(index)} is the float {x!r} in a file with exact numbers in quotes: floats "
                                f"are never silently rounded; write it as {_in_quotes(x)}")
        out[index] = x if isinstance(x, int) else _fraction(x, f"{name}{bracket(index)}")
    return out


def _in_quotes(x: float) -> str:
    return f'"{Fraction(repr(x))}"' if 1e-12 < abs(x) < 1e12 else "an exact number in quotes"


def _fraction(text: str, place: str) -> Fraction:
    if not EXACT_NUMBER.fullmatch(text.strip()):
        raise InvalidMDPError(f'{place} is "{text[:40]}": an exact number in quotes is written "1/3", "-2" or "0.25"')
    try:
        return Fraction(text.strip())
    except ZeroDivisionError:
        raise InvalidMDPError(f'{place} is "{text[:40]}": a denominator is 0') from None
    except ValueError:
        raise InvalidMDPError(f'{place} is "{text[:40]}...": {len(text)} digits are too many') from None


def _from_entries(document, build):
    P = _coordinates(document["P"], "P")
    states, actions = int(P[:, [0, 2]].max()) + 1, int(P[:, 1].max()) + 1
    _require_every_row(P, states, actions)
    sparse = {"P": P}
    if isinstance(document["R"], dict):
        sparse["R"] = _coordinates(document["R"], "R", (states, actions, states))
    parts = {name: _entries(document[name], name) for name in PARTS if name not in sparse}
    for name, array in (sparse | parts).items():
        _refuse_quotes(array, name)
    parts = {name: _scalar_or_array(array) for name, array in parts.items()}
    return build(**parts, **{name: _sparse(array, states, actions) for name, array in sparse.items()},
               normalize=normalize(document))


def _refuse_quotes(array, name) -> None:
    for index, x in np.ndenumerate(array):
        if isinstance(x, str):
            place = f"entry {index[0]} of {name}" if array.ndim == 2 and array.shape[1] == 4 else f"{name}{bracket(index)}"
            raise NotExactError(f"{place} is in quotes: sparse models hold floats; write plain numbers, or P and R as "
                                "nested lists")


def _coordinates(value, name, below=None):
    """{"entries": [[s, a, s', value], ...]} as an (n, 4) object array, its places checked."""
    listed = value.get("entries")
    entries = np.empty((0, 4), dtype=object) if listed == [] and name == "R" else _entries(listed, name)
    if entries.ndim != 2 or entries.shape[1] != 4:
        raise InvalidMDPError(f'sparse {name} must be {{"entries": [[s, a, s\', value], ...]}}, with four numbers in each')
    seen = set()
    for i, place in enumerate(map(tuple, entries[:, :3])):
        if any(type(x) is not int or x < 0 for x in place):
            raise InvalidMDPError(f"entry {i} of {name} has the place {list(place)}: s, a, s' are integers from 0")
        if below and any(x >= n for x, n in zip(place, below, strict=True)):
            raise InvalidMDPError(f"entry {i} of {name} has the place {list(place)}: P has S, A, S = {below}")
        if place in seen:
            raise InvalidMDPError(f"entry {i} of {name} repeats the place {list(place)}: give every place once")
        seen.add(place)
    return entries


def _require_every_row(P, states, actions) -> None:
    rows = {(s, a) for s, a in P[:, :2]}
    if len(rows) < states * actions:
        s, a = next((s, a) for s in range(states) for a in range(actions) if (s, a) not in rows)
        raise InvalidMDPError(f"P has no entry for state {s} and action {a}: a state without successors must be made "
                              f"absorbing, with [{s}, {a}, {s}, 1]")


def _sparse(entries, states, actions):
    values = np.array(entries[:, 3].tolist()) if len(entries) else np.zeros(0, dtype=int)
    rows = (entries[:, 0] * actions + entries[:, 1]).astype(np.int64)
    return scipy.sparse.coo_array((values, (rows, entries[:, 2].astype(np.int64))), shape=(states * actions, states)).tocsr()
