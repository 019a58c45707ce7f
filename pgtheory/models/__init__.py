"""Named models, each with its source and with answers that are known from elsewhere.

>>> import pgtheory as pg
>>> pg.models.names()[:4]
('bandit', 'chain', 'cliff', 'dadashi-2a')
>>> pg.models.load("student-mrp", gamma=0.9)
MDP(n_states=7, n_actions=1, gamma=0.9, float64)
"""

from __future__ import annotations

import difflib
from fractions import Fraction

import numpy as np

from ..arithmetic import FRACTION
from ..continuous.model import ContinuousActionMDP
from ..errors import InvalidMDPError, NotExactError
from ..mdp import MDP
from . import continuous, counterexamples, gridworlds, small, textbook  # noqa: F401  (importing them registers their models)
from .catalogue import MODELS, Answer, Model

__all__ = ["Answer", "Model", "info", "load", "names"]


def names() -> tuple[str, ...]:
    """The names of all models, in alphabetical order.

    >>> import pgtheory as pg
    >>> "short-corridor" in pg.models.names()
    True
    """
    return tuple(sorted(MODELS))


def info(name: str) -> Model:
    """Title, source, parameters and known answers of a model; :class:`InvalidMDPError` where there is none of that name.

    >>> import pgtheory as pg
    >>> pg.models.info("random-walk").answers[0].value[1:6]
    (Fraction(1, 6), Fraction(1, 3), Fraction(1, 2), Fraction(2, 3), Fraction(5, 6))
    """
    if name in MODELS:
        return MODELS[name]
    if str(name).startswith("gym:"):
        raise InvalidMDPError(f"{name!r} is an environment of Gymnasium: read it with "
                              f"pgtheory.from_gymnasium({str(name)[4:]!r}, gamma=0.99)")
    if str(name).endswith((".json", ".npz")):
        raise InvalidMDPError(f"{name!r} is a file: read it with pgtheory.MDP.load({str(name)!r})")
    near = difflib.get_close_matches(str(name), MODELS, n=3, cutoff=0.5)
    raise InvalidMDPError(f"there is no model {name!r}: " + (f"did you mean {' or '.join(near)}?" if near else
                          f"the models are {', '.join(names())}"))


def load(name: str, exact: bool = False, **parameters) -> MDP | ContinuousActionMDP:
    """Build the model ``name``: in floats, each the nearest to the exact number, or in Fractions.

    Where ``info(name).continuous`` it is a :class:`pgtheory.ContinuousActionMDP`.

    Parameters
    ----------
    name : str, one of :func:`names`
    exact : bool, Fractions throughout
    parameters : numbers, those of ``info(name).parameters``; every model takes gamma

    Raises
    ------
    InvalidMDPError
        No such model or parameter (with the names that come close), or a parameter outside its range.
    NotExactError
        A float parameter with ``exact=True``, or a Fraction without it; a model of continuous actions with ``exact=True``.

    >>> import pgtheory as pg
    >>> from fractions import Fraction
    >>> half = [[Fraction(1, 2), Fraction(1, 2)]] * 4
    >>> pg.solve(pg.models.load("short-corridor", exact=True), half).V
    array([Fraction(-12, 1), Fraction(-10, 1), Fraction(-6, 1),
           Fraction(0, 1)], dtype=object)
    """
    model = info(name)
    for key, value in parameters.items():
        _check_parameter(model, key, value, exact)
    if model.continuous:
        if exact:
            raise NotExactError(f"{name} is made of exponentials of the action, which are not rational: leave exact out; exact "
                                "models of continuous actions come from ContinuousActionMDP.from_sympy")
        return model.build(**parameters)
    gamma = parameters.pop("gamma", model.parameters["gamma"])
    P, R, rho = model.build(**parameters)
    if exact:
        return MDP(FRACTION.convert(P), FRACTION.convert(R), Fraction(gamma), FRACTION.convert(rho))
    P, R, rho = (np.asarray(x, dtype=float) for x in (P, R, rho))
    return MDP(P, R, float(gamma), rho)


def _check_parameter(model, key, value, exact) -> None:
    if key not in model.parameters:
        raise InvalidMDPError(f"{model.name} has no parameter {key!r}: it takes {', '.join(model.parameters)}")
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, Fraction, np.integer, np.floating)):
        raise InvalidMDPError(f"{key} is {value!r}: it must be a number")
    if exact and isinstance(value, (float, np.floating)):
        raise NotExactError(f"{key} is the float {value!r} and exact=True asks for Fractions: floats are never silently "
                            f"rounded; write {key}=Fraction({str(value)!r})")
    if not exact and isinstance(value, Fraction):
        raise NotExactError(f"{key} is {value!r} and the model is asked for in floats: pass exact=True, or a float")
