"""How a named model is described and registered."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import numpy as np

from ..errors import InvalidMDPError
from ..validation import whole_number

Table = tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Answer:
    """A number that is known from elsewhere, about a model under a policy.

    Attributes
    ----------
    what : "V", "Q", "d", "D" or "J", the attribute of a Solution
    policy : (S, A) nested tuples, the probabilities pi(a | s); Fractions, or floats where the policy is irrational
    value : nested tuples or a number, of the shape of ``what`` (from index ``at`` on)
    tolerance : 0 where the value is exact, else half a unit of its last printed digit
    under : the policy in words
    at : index into ``what``; () is all of it
    parameters : what :func:`pgtheory.models.load` must be given

    >>> import pgtheory as pg
    >>> answer = pg.models.info("exercise-3-22").answers[1]
    >>> answer.what, answer.at, answer.under, answer.value, dict(answer.parameters)
    ('V', (0,), 'left at the top', Fraction(4, 3), {'gamma': Fraction(1, 2)})
    """

    what: str
    policy: Table
    value: Any
    tolerance: Any = 0
    under: str = ""
    at: tuple[int, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        object.__setattr__(self, "parameters", MappingProxyType(dict(self.parameters)))


@dataclass(frozen=True)
class Model:
    """A named model: where it comes from, and what is known about it.

    Attributes
    ----------
    name, title : str
    source : book or paper with its page, example or figure
    answers : tuple of Answer
    parameters : mapping, the parameters of ``load`` with their defaults
    exact : bool, whether ``load(name, exact=True)`` gives Fractions
    continuous : bool, whether it is a ContinuousActionMDP, which ``build`` then returns

    >>> import pgtheory as pg
    >>> model = pg.models.info("short-corridor")
    >>> model.source
    'Sutton & Barto, Reinforcement Learning, 2nd ed. 2018, example 13.1'
    >>> model.exact, dict(model.parameters)
    (True, {'gamma': Fraction(1, 1)})
    """

    name: str
    title: str
    source: str
    answers: tuple[Answer, ...]
    parameters: Mapping[str, Any]
    build: Callable = field(repr=False)
    exact: bool = True
    continuous: bool = False


MODELS: dict[str, Model] = {}


def model(name: str, title: str, source: str, *answers: Answer, gamma: Fraction):
    """Register a function that returns P, R, rho (exact numbers, R (S,A,S), (S,A) or (S,)) as the model ``name``.

    Its keyword arguments are the model's parameters beside gamma, each with its default.
    """

    def register(build):
        parameters = MappingProxyType({"gamma": gamma, **defaults(build)})
        MODELS[name] = Model(name, title, source, answers, parameters, build)
        return build

    return register


def defaults(build) -> Mapping[str, Any]:
    """The parameters of a function with their defaults."""
    return MappingProxyType({p.name: p.default for p in inspect.signature(build).parameters.values()})


def uniform(n_states: int, n_actions: int) -> Table:
    """(S, A): every action with probability 1/A."""
    return ((Fraction(1, n_actions),) * n_actions,) * n_states


def deterministic(actions, n_actions: int) -> Table:
    """(S, A): the action ``actions[s]`` with probability 1."""
    return tuple(tuple(Fraction(int(b == a)) for b in range(n_actions)) for a in actions)


def fractions(*numbers) -> tuple:
    """Fractions of integers and of text such as "0.01" or "1/3"."""
    return tuple(Fraction(x) for x in numbers)


def zeros(*shape):
    """An object array of zeros."""
    return np.full(shape, Fraction(0), dtype=object)


def tables(n_states: int, n_actions: int, transitions):
    """P and R (S, A, S) of (s, a, s', probability, reward); probabilities of one place add up, its reward is one."""
    P, R = zeros(n_states, n_actions, n_states), zeros(n_states, n_actions, n_states)
    for s, a, t, probability, reward in transitions:
        P[s, a, t] += probability
        R[s, a, t] = reward
    return P, R


def at_state(s: int, n_states: int):
    """(S,): the start distribution that is state s."""
    if not 0 <= whole_number(s, "start", InvalidMDPError) < n_states:
        raise InvalidMDPError(f"start is {s}: with {n_states} states it must lie in 0..{n_states - 1}")
    rho = zeros(n_states)
    rho[s] = Fraction(1)
    return rho
