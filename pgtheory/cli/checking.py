"""``pgtheory check``: a user's function, named on the command line, through the check of its kind."""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module, util
from pathlib import Path
from typing import Any

from ..errors import PGTheoryError
from ..report.data import plain

DEFAULT_LAM = 0.95


def run(name: str | None, *, kind, gamma, lam, target, group_size, form, truncation, zoo, as_json) -> int:
    """Check the function MODULE:FUNCTION, print the report; 0 for PASS, 1 otherwise."""
    if zoo:
        from ..checking.zoo.seams import run_all

        return run_all()
    if name is None or kind is None:
        raise PGTheoryError("say what to check and as what: pgtheory check MODULE:FUNCTION --as gradient (or weights, "
                            "advantages); --zoo checks the known bugs")
    result = _check(load(name), kind, gamma, lam, target, group_size, form, truncation)
    print(json.dumps(plain(result.as_dict()), indent=1) if as_json else result)
    return int(result.verdict != "PASS")


def _check(fn, kind, gamma, lam, target, group_size, form, truncation):
    import pgtheory as pg

    given: dict[str, Any] = {} if target is None else {"target": target}
    if kind == "advantages":
        _refuse(kind, {"--group-size": group_size})
        if gamma is None:
            raise PGTheoryError("advantages need --gamma, the discount that the function uses")
        given |= {name: value for name, value in (("form", form), ("truncation", truncation)) if value is not None}
        return pg.check_advantages(fn, gamma, DEFAULT_LAM if lam is None else lam, **given)
    _refuse(kind, {"--form": form, "--truncation": truncation})
    _refuse(kind, {"--gamma": gamma} | ({"--lam": lam} if kind == "weights" else {}))
    if kind == "weights":
        return pg.check_weights(fn, **given, **({} if group_size is None else {"group_size": group_size}))
    if lam is not None:
        given = {"target": _with_lambda(target, lam)}
    return pg.check_estimator(fn, **given, **({} if group_size is None else {"batch_size": group_size}))


def _with_lambda(target, lam) -> str:
    name, _, rest = (target or "").partition(" ")
    if name not in ("gae", "lambda-return"):
        raise PGTheoryError(f"--lam belongs to --target gae or lambda-return, not to {target or 'gradient'!r}")
    return f"{name}({lam}) {rest}".rstrip()


def _refuse(kind, options) -> None:
    for option, value in options.items():
        if value is not None:
            mend = "the function is given gamma" if option == "--gamma" else "leave it out"
            raise PGTheoryError(f"{option} does not go with --as {kind}: {mend}")


def load(name: str):
    """The function MODULE:FUNCTION; MODULE is importable from here, or the path of a .py file.

    >>> load("math:sqrt")(4.0)
    2.0
    >>> load("math")
    Traceback (most recent call last):
        ...
    pgtheory.errors.PGTheoryError: 'math' is no MODULE:FUNCTION, such as mine.py:reinforce or package.module:reinforce
    """
    module, _, function = name.rpartition(":")
    if not module or not function:
        raise PGTheoryError(f"{name!r} is no MODULE:FUNCTION, such as mine.py:reinforce or package.module:reinforce")
    found: Any = _module(module)
    for part in function.split("."):
        if not hasattr(found, part):
            raise PGTheoryError(f"{module} has no {function!r}")
        found = getattr(found, part)
    if not callable(found):
        raise PGTheoryError(f"{name} is {type(found).__name__}: a function is needed")
    return found


def _module(name):
    try:
        if name.endswith(".py"):
            return _from_file(Path(name))
        if os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())
        return import_module(name)
    except Exception as error:
        raise PGTheoryError(f"{name} cannot be imported: {type(error).__name__}: {error}") from error


def _from_file(path):
    if not path.is_file():
        raise FileNotFoundError(f"there is no such file as {path}")
    spec = util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None     # it is a .py file
    module = util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    sys.path.insert(0, str(path.parent.resolve()))
    spec.loader.exec_module(module)
    return module
