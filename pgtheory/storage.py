r"""Models in files: .json (exact or floating, may be written by hand) and .npz (floating, compact).

A .json model is one object::

    {"P": [[["1/3", "2/3"], [0, 1]], [[0, 1], [0, 1]]], "R": [[1, 0], [0, 0]], "gamma": "9/10", "rho": 0}

P is nested [s][a][s'], R is [s][a][s'], [s][a] or [s], rho a start state or a list over the states. A number in quotes is
exact ("1/3", "0.25"); integers go with either kind; a bare decimal is a float, and does not go with numbers in quotes. A
sparse P or R is {"entries": [[s, a, s', value], ...]}. "normalize": true divides every row by its sum.

A .npz model holds the arrays P, R, gamma, rho; sparse ones as P_row, P_col, P_data (row s*A + a) beside n_actions. Nothing
is ever pickled.
"""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
import zlib
from fractions import Fraction
from pathlib import Path
from uuid import uuid4

import numpy as np
import scipy.sparse

from .arithmetic import INTEGER
from .errors import InvalidMDPError, NotExactError, PGTheoryError
from .mdp import MDP
from .validation import bracket

FORMAT, VERSION = "pgtheory.mdp", 1
PARTS = ("P", "R", "gamma", "rho")
EXACT_NUMBER = re.compile(r"[+-]?([0-9]+(/[0-9]+)?|[0-9]*\.[0-9]+)")


def save(mdp: MDP, path) -> None:
    """Write ``mdp`` to ``path``: .json in any arithmetic of numbers, .npz floats (and integers) only.

    The file appears whole or not at all: it is written beside ``path`` and then renamed.

    Raises
    ------
    NotExactError
        An exact model into .npz.
    PGTheoryError
        Another suffix, a model of symbols, or a place that cannot be written.

    >>> import pgtheory as pg, tempfile, pathlib
    >>> from pgtheory.storage import load, save
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "walk.json"
    >>> save(pg.models.load("random-walk", exact=True), path)
    >>> load(path).P[3, 0, 2]
    Fraction(1, 2)
    """
    target = _as_path(path)
    encode = {".json": _to_json, ".npz": _to_npz}.get(target.suffix.lower())
    if encode is None:
        raise PGTheoryError(_unknown_suffix(target))
    if mdp.arithmetic.symbolic:
        raise PGTheoryError("a model of symbols cannot be saved: substitute numbers for them first")
    try:
        _replace(Path(os.path.realpath(target)), encode(mdp))
    except OSError as error:
        raise PGTheoryError(f"{target} cannot be written: {error.strerror or error}") from error


def load(path) -> MDP:
    """Read a model that :func:`save` wrote, or that a person wrote (see the module's text for the layout).

    Raises
    ------
    InvalidMDPError
        No such file, an unknown suffix, a damaged file, missing keys, entries that are no numbers, or no MDP.
    NotExactError
        Floats beside numbers in quotes.

    >>> import tempfile, pathlib
    >>> from pgtheory.storage import load
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "mine.json"
    >>> _ = path.write_text('{"P": [[["1/3", 0.5]]], "R": [0], "gamma": 0, "rho": 0}')
    >>> load(path)
    Traceback (most recent call last):
        ...
    pgtheory.errors.NotExactError: mine.json: P[0, 0, 1] is the float 0.5 in a file with exact numbers in quotes: floats are \
never silently rounded; write it as "1/2"
    """
    source = _as_path(path)
    decode = {".json": _from_json, ".npz": _from_npz}.get(source.suffix.lower())
    if decode is None:
        raise InvalidMDPError(_unknown_suffix(source))
    try:
        return decode(source.read_bytes())
    except (InvalidMDPError, NotExactError) as error:
        hint = ' (in the file: "normalize": true)' if "normalize=True" in str(error) else ""
        raise type(error)(f"{source.name}: {error}{hint}") from None
    except FileNotFoundError:
        raise InvalidMDPError(f"{source} does not exist: check the spelling and the directory") from None
    except (OSError, ValueError) as error:
        raise InvalidMDPError(f"{source} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    except (MemoryError, OverflowError) as error:
        raise InvalidMDPError(f"{source.name} holds a number or a shape that is too large ({error or 'out of memory'}): "
                              "correct it") from None


def _as_path(path) -> Path:
    try:
        return Path(path)
    except TypeError:
        raise InvalidMDPError(f"the path of a model is {path!r}: it must be a string or a pathlib.Path") from None


def _unknown_suffix(path) -> str:
    return f"{path.name or path} ends in {path.suffix!r}: a model file ends in .json or .npz"


def _replace(target: Path, content: bytes) -> None:
    """``content`` at ``target``, whole or not at all."""
    beside = target.with_name(f".{target.name}.{uuid4().hex}.tmp")
    try:
        with open(beside, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


# ------------------------------------------------------------------------------------------------------- .json


def _to_json(mdp: MDP) -> bytes:
    write = {"integer": int, "float64": float, "Fraction": _exact_text}[mdp.arithmetic.name]
    # a lone string makes the whole file exact, also where every number is whole
    gamma = str(mdp.gamma) if mdp.arithmetic.name == "Fraction" else write(mdp.gamma)
    try:
        document = {"format": FORMAT, "version": VERSION, "gamma": gamma, "rho": _nested(mdp.rho, write),
                    "P": _table(mdp.P, mdp.n_actions, write), "R": _table(mdp.R, mdp.n_actions, write)}
    except ValueError:
        raise NotExactError("an entry has more digits than Python turns into text: raise the limit with "
                            "sys.set_int_max_str_digits(0)") from None
    lines = [f" {json.dumps(key)}: {_lines(value)}" for key, value in document.items()]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def _exact_text(x):
    return x.numerator if x.denominator == 1 else str(x)


def _nested(array, write):
    out = np.empty(array.shape, dtype=object)
    out.flat = [write(x) for x in array.flat]
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


def _from_json(content: bytes) -> MDP:
    document = _parse(content)
    if not isinstance(document, dict):
        raise InvalidMDPError(f"it holds a {type(document).__name__}: a model is an object with the keys {', '.join(PARTS)}")
    _require_keys(document, PARTS)
    if isinstance(document["P"], dict):
        return _from_entries(document)
    if isinstance(document["R"], dict):
        raise InvalidMDPError("R is sparse (entries) and P is nested: write both as entries, or both nested")
    arrays = {name: _entries(document[name], name) for name in PARTS}
    return MDP(**_in_one_arithmetic(arrays), normalize=_normalize(document))


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


def _require_keys(document, keys) -> None:
    for name in keys:
        if name not in document:
            near = next((key for key in document if key.lower() == name.lower()), None)
            raise InvalidMDPError(f"the key {name!r} is missing" + (f": is {near!r} meant for it?" if near else
                                  f": a model has the keys {', '.join(keys)}"))
    found, version = document.get("format", FORMAT), document.get("version", VERSION)
    if found != FORMAT:
        raise InvalidMDPError(f"its format is {found!r}, not {FORMAT!r}: this is no model file of pgtheory")
    if version != VERSION:
        raise InvalidMDPError(f"its version is {version!r}, this pgtheory reads version {VERSION}: update pgtheory, or correct "
                              "the key")


def _normalize(document) -> bool:
    value = document.get("normalize", False)
    if not isinstance(value, bool):
        raise InvalidMDPError(f"the key 'normalize' is {value!r}: it must be true or false")
    return value


def _entries(value, name):
    """Nested lists as an object array of int, float and str; anything else is refused by its place."""
    array = np.array(value, dtype=object)
    for index, x in np.ndenumerate(array):
        if type(x) not in (int, float, str):
            reason = ": its rows have different lengths" if isinstance(x, list) else \
                ': entries are numbers, or exact numbers in quotes such as "1/3"'
            raise InvalidMDPError(f"{name}{bracket(index)} is a {_json_name(x)}{reason}")
    return array


def _json_name(x) -> str:
    return {list: "list", dict: "object", bool: "truth value", type(None): "null"}.get(type(x), type(x).__name__)


def _in_one_arithmetic(arrays) -> dict:
    """The parts of a model with strings read as Fractions; floats beside strings are refused."""
    if any(isinstance(x, str) for array in arrays.values() for x in array.flat):
        for name, array in arrays.items():
            arrays[name] = _exact(array, name)
    return {name: array if array.ndim else array.item() for name, array in arrays.items()}


def _exact(array, name):
    out = np.empty(array.shape, dtype=object)
    for index, x in np.ndenumerate(array):
        if isinstance(x, float):
            raise NotExactError(f"{name}{bracket(index)} is the float {x!r} in a file with exact numbers in quotes: floats are "
                                f"never silently rounded; write it as {_in_quotes(x)}")
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


def _from_entries(document) -> MDP:
    P = _coordinates(document["P"], "P")
    states, actions = int(P[:, [0, 2]].max()) + 1, int(P[:, 1].max()) + 1
    _require_every_row(P, states, actions)
    R, rho, gamma = document["R"], _entries(document["rho"], "rho"), _entries(document["gamma"], "gamma")
    R = _coordinates(R, "R", (states, actions, states)) if isinstance(R, dict) else _entries(R, "R")
    for name, array in (("P", P), ("R", R), ("gamma", gamma), ("rho", rho)):
        for index, x in np.ndenumerate(array):
            if isinstance(x, str):
                raise NotExactError(f"{name}{bracket(index)} is in quotes in a sparse model: sparse models hold floats; write "
                                    "plain numbers, or P and R as nested lists")
    return MDP(_sparse(P, states, actions), _sparse(R, states, actions) if isinstance(document["R"], dict) else R,
               gamma.item() if gamma.ndim == 0 else gamma, rho.item() if rho.ndim == 0 else rho,
               normalize=_normalize(document))


def _coordinates(value, name, below=None):
    """{"entries": [[s, a, s', value], ...]} as an (n, 4) object array, its places checked."""
    entries = _entries(value.get("entries"), name)
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
        raise InvalidMDPError(f"P has no entry for state {s} and action {a}: a state without successors must be made absorbing, "
                              f"with [{s}, {a}, {s}, 1]")


def _sparse(entries, states, actions):
    values = np.array(entries[:, 3].tolist()) if len(entries) else np.zeros(0)
    rows = (entries[:, 0] * actions + entries[:, 1]).astype(np.int64)
    return scipy.sparse.coo_array((values, (rows, entries[:, 2].astype(np.int64))), shape=(states * actions, states)).tocsr()


# -------------------------------------------------------------------------------------------------------- .npz


def _to_npz(mdp: MDP) -> bytes:
    if mdp.arithmetic.exact:
        raise NotExactError("an .npz file holds floats and this model is exact: save it as .json, which keeps fractions")
    arrays = {"format": np.array(FORMAT), "version": np.array(VERSION), "gamma": _stored(np.array(mdp.gamma), mdp),
              "rho": _stored(mdp.rho, mdp), "n_actions": np.array(mdp.n_actions)}
    for name, array in (("P", mdp.P), ("R", mdp.R)):
        if scipy.sparse.issparse(array):
            coordinates = array.tocoo()
            arrays |= {f"{name}_row": coordinates.row, f"{name}_col": coordinates.col,
                       f"{name}_data": _stored(coordinates.data, mdp)}
        else:
            arrays[name] = _stored(array, mdp)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _stored(array, mdp):
    """Integers of an integer model, so that it loads as one; floats otherwise."""
    if mdp.arithmetic != INTEGER:
        return array
    if np.abs(array).max(initial=0) >= 2**63:
        raise NotExactError("an integer entry does not fit into 64 bits: save the model as .json")
    return array.astype(np.int64)


def _from_npz(content: bytes) -> MDP:
    data = _unpack(content)
    sparse = "P_data" in data
    _require_keys(data, (*_names("P", data), *_names("R", data), "gamma", "rho", *(("n_actions",) if sparse else ())))
    gamma, rho = (data[name].item() if data[name].ndim == 0 else data[name] for name in ("gamma", "rho"))
    actions = data["n_actions"].item() if sparse and data["n_actions"].ndim == 0 else None
    if sparse and not (type(actions) is int and actions > 0):
        raise InvalidMDPError(f"n_actions is {actions!r}: it must be a positive integer")
    shape = (np.size(rho) * actions, np.size(rho)) if sparse else None
    P, R = (_gathered(name, data, shape) for name in ("P", "R"))
    return MDP(P, R, gamma, rho, normalize=_normalize({k: v.item() for k, v in data.items() if k == "normalize"}))


def _unpack(content) -> dict:
    try:
        archive = np.load(io.BytesIO(content), allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise InvalidMDPError("it is a single array: save a model with numpy.savez(path, P=P, R=R, gamma=gamma, rho=rho)")
        data = {name: archive[name] for name in archive.files}
        return data | {name: data[name].item() for name in ("format", "version") if name in data and data[name].ndim == 0}
    except PGTheoryError:
        raise
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
        raise InvalidMDPError(f"it is damaged, or no .npz file of plain numbers ({str(error).splitlines()[0]}): "
                              "write it again") from None


def _names(name, data):
    return tuple(f"{name}_{part}" for part in ("row", "col", "data")) if f"{name}_data" in data else (name,)


def _gathered(name, data, shape):
    """The array ``name``, or the csr array of its coordinates."""
    if f"{name}_data" not in data:
        return data[name]
    if shape is None:
        raise InvalidMDPError(f"{name} is sparse and P is dense: store both sparse, or both dense")
    row, col, values = (data[key] for key in _names(name, data))
    if row.dtype.kind not in "iu" or col.dtype.kind not in "iu":
        raise InvalidMDPError(f"{name}_row and {name}_col must be integers")
    try:
        return scipy.sparse.coo_array((values, (row, col)), shape=shape).tocsr()
    except (ValueError, TypeError) as error:
        raise InvalidMDPError(f"the coordinates of {name} do not make a sparse array: {error}") from None
