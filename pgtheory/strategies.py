r"""Hypothesis strategies for models, policies and parameters, the hard cases among them.

Absorbing and terminal states, states that nothing reaches, periodic chains, deterministic and nearly deterministic rows
(down to 1e-300, and 0), gamma at 0, just above 0 and just below 1, rewards of both signs from 1e-8 to 1e8, one state, one
action. Everything is valid as it is drawn: a row is counts over their sum, or 1 minus what the others took, and nothing is
filtered or repaired afterwards. All of them shrink: towards one state, one action, gamma = 0, reward 0, the first action.

Importing pgtheory does not import Hypothesis; this module does. ``hypothesis.strategies.from_type`` knows the types of an
installed pgtheory; elsewhere call :func:`register`.

>>> import pgtheory as pg
>>> from hypothesis import find
>>> find(pg.strategies.mdps(), lambda mdp: mdp.n_states >= 2)
MDP(n_states=2, n_actions=1, gamma=0, float64)
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import scipy.sparse
from hypothesis import currently_in_test_context, note
from hypothesis import strategies as st

from .mdp import MDP
from .policies import DirectPolicy, EscortPolicy, Policy, SoftmaxPolicy
from .validation import read_only

TINY_EXPONENTS = (3, 9, 16, 300)             # a nearly deterministic row gives the other entries 10^-k
STRUCTURES = ("general", "unreachable", "periodic")
KINDS = ("terminal", "absorbing", "ordinary", "ordinary")   # the shortest to draw comes first, so that it shrinks to it
POWERS = (2, 1, 3, 1.5)

# made once: a strategy built anew at every draw is validated anew
COUNT, POSITIVE_COUNT, SIZE, EXPONENT = st.integers(0, 8), st.integers(1, 8), st.integers(-10, 10), st.integers(-8, 7)
TINY = st.sampled_from([Fraction(0)] + [Fraction(1, 10**k) for k in TINY_EXPONENTS])
ROW_KIND = st.sampled_from(("vertex", "counts", "nearly a vertex", "positive"))


def _vector(numbers, exact):
    """The numbers as an array: Fractions, or the floats nearest to them."""
    if not exact:
        return np.array(numbers, dtype=float)
    out = np.empty(len(numbers), dtype=object)
    out[:] = [Fraction(x) for x in numbers]
    return out


def _stack(rows, shape):
    """The rows as one read-only array of this shape."""
    return read_only(np.concatenate(rows).reshape(shape))


# ------------------------------------------------------------------------------------------------- probabilities


@st.composite
def simplices(draw, n=None, *, exact=False, support=None):
    """(n,) probabilities: a vertex, nearly one, counts over their sum with zeros among them, or all positive.

    ``support`` lists the entries that may be positive. Without ``n`` the length is drawn too.

    >>> import pgtheory as pg
    >>> from hypothesis import find
    >>> find(pg.strategies.simplices(3), lambda p: p[1] > 0)
    array([0., 1., 0.])
    """
    n = draw(st.integers(1, 6)) if n is None else n
    support = list(range(n)) if support is None else list(support)
    kind = draw(ROW_KIND)
    top = draw(st.sampled_from(support))
    p = [Fraction(0)] * n
    if kind == "nearly a vertex":
        for i in support:
            p[i] = Fraction(0) if i == top else draw(TINY)
        p[top] = Fraction(1) - sum(p, Fraction(0))
    else:
        count = POSITIVE_COUNT if kind == "positive" else COUNT
        counts = {i: draw(count) for i in support if kind != "vertex"}
        counts[top] = counts.get(top, 0) + 1
        total = sum(counts.values())
        for i, k in counts.items():
            p[i] = Fraction(k, total)
    return read_only(_vector(p, exact))


# -------------------------------------------------------------------------------------------------------- models


def discounts(*, exact=False):
    """gamma in [0, 1): 0, close to 0, ordinary, close to 1 (1 - 1e-9).

    >>> import pgtheory as pg
    >>> from hypothesis import find
    >>> find(pg.strategies.discounts(exact=True), lambda gamma: gamma > 0)
    Fraction(1, 2)
    """
    tiny = Fraction(1, 10**9)
    known = [Fraction(0), Fraction(1, 2), Fraction(9, 10), Fraction(99, 100), tiny, 1 - tiny]
    if exact:
        return st.sampled_from(known) | st.fractions(0, Fraction(99, 100), max_denominator=100)
    return st.sampled_from([float(x) for x in known]) | st.floats(0.0, 0.999)


@st.composite
def mdps(draw, *, n_states=None, n_actions=None, max_states=5, max_actions=3, exact=False, sparse=False, gammas=None):
    """Models of up to ``max_states`` states and ``max_actions`` actions; in Fractions if ``exact``, P sparse if ``sparse``.

    ``gammas`` is a strategy for the discount, :func:`discounts` by default. Where it draws 1 the model is episodic: its last
    state is terminal and every action may lead closer to it, so that every policy ends.

    >>> import pgtheory as pg
    >>> from hypothesis import find
    >>> find(pg.strategies.mdps(exact=True), lambda mdp: True).P
    array([[[Fraction(1, 1)]]], dtype=object)
    """
    S = draw(st.integers(1, max_states)) if n_states is None else n_states
    A = draw(st.integers(1, max_actions)) if n_actions is None else n_actions
    gamma = draw(discounts(exact=exact) if gammas is None else gammas)
    structure = "episodic" if gamma == 1 else draw(st.sampled_from(STRUCTURES))
    kinds = _kinds(draw, S, structure)
    reach = _supports(draw, S, structure)
    rows = [draw(_row(s, S, kinds[s], reach(s), structure, exact)) for s in range(S) for _ in range(A)]
    P = _stack(rows, (S, A, S))
    rho = draw(st.integers(0, len(reach(0)) - 1).map(lambda i: reach(0)[i]) | simplices(S, exact=exact, support=reach(0)))
    if sparse:
        P = scipy.sparse.csr_array(P.reshape(S * A, S))
    mdp = MDP(P, draw(_rewards(S, A, kinds, exact)), gamma, rho)
    if currently_in_test_context():
        note(as_code(mdp))   # Hypothesis prints it with a failing example, whose repr does not show the entries
    return mdp


def as_code(mdp) -> str:
    """The call that builds a small model again, to paste; sparse or large ones by their repr.

    >>> import pgtheory as pg
    >>> from pgtheory.strategies import as_code
    >>> as_code(pg.MDP([[[1]]], [[2]], 0.5, 0))
    'pg.MDP(P=[[[1.0]]], R=[[2.0]], gamma=0.5, rho=[1.0])'
    """
    if scipy.sparse.issparse(mdp.P) or mdp.P.size > 500:
        return repr(mdp)
    return f"pg.MDP(P={mdp.P.tolist()}, R={mdp.R.tolist()}, gamma={mdp.gamma!r}, rho={mdp.rho.tolist()})"


def _kinds(draw, S, structure):
    """What each state is; one kind of structure allows no state to absorb, another ends in a terminal one."""
    if structure == "periodic":
        return ["ordinary"] * S
    if structure == "episodic":
        return ["ordinary"] * (S - 1) + ["terminal"]
    return [draw(st.sampled_from(KINDS)) for _ in range(S)]


def _supports(draw, S, structure):
    """s -> the states that s may lead to; rho lies on those of state 0."""
    everything = list(range(S))
    if structure == "unreachable" and S > 1:
        known = list(range(draw(st.integers(1, S - 1))))
        return lambda s: known if s in known else everything
    if structure == "periodic" and S > 1:
        period = draw(st.integers(2, S))
        return lambda s: [t for t in everything if t % period == (s + 1) % period]
    return lambda s: everything


@st.composite
def _row(draw, s, S, kind, support, structure, exact):
    """P[s, a]: (S,) probabilities."""
    if kind != "ordinary":
        return _vector([int(t == s) for t in range(S)], exact)
    if structure != "episodic":
        return draw(simplices(S, exact=exact, support=support))
    counts = [draw(COUNT) for _ in range(S)]
    counts[draw(st.integers(s + 1, S - 1))] += 1
    return _vector([Fraction(count, sum(counts)) for count in counts], exact)


@st.composite
def _rewards(draw, S, A, kinds, exact):
    """R as (S,), (S, A) or (S, A, S), of one magnitude or of all; 0 where a state is terminal."""
    shape = draw(st.sampled_from(((S,), (S, A), (S, A, S))))
    exponent = draw(st.sampled_from((st.just(0), st.just(-8), st.just(7), EXPONENT)))
    R = []
    for s in range(S):
        for _ in range(int(np.prod(shape[1:]))):
            size = 0 if kinds[s] == "terminal" else draw(SIZE)
            R.append(size * Fraction(10) ** draw(exponent) if size else Fraction(0))
    return _vector(R, exact).reshape(shape)


# ------------------------------------------------------------------------------------------ policies, parameters


@st.composite
def policies(draw, n_states=None, n_actions=None, *, exact=False):
    """Policy objects: softmax in logits, weights or features, direct, escort; the rational ones if ``exact``.

    >>> import pgtheory as pg
    >>> from hypothesis import find
    >>> find(pg.strategies.policies(), lambda policy: True)
    DirectPolicy(1, 1)
    """
    S = draw(st.integers(1, 5)) if n_states is None else n_states
    A = draw(st.integers(1, 3)) if n_actions is None else n_actions
    kind = draw(st.sampled_from(("direct", "weights", "escort") + (() if exact else ("logits", "features"))))
    if kind == "direct":
        return DirectPolicy(S, A)
    if kind == "escort":
        return EscortPolicy(S, A, draw(st.sampled_from([p for p in POWERS if not exact or isinstance(p, int)])))
    return draw(_features(S, A)) if kind == "features" else SoftmaxPolicy(S, A, weights=kind == "weights")


@st.composite
def _features(draw, S, A):
    k = draw(st.integers(1, 3))
    entries = [draw(st.integers(-4, 4)) / 2 for _ in range(S * A * k)]
    return SoftmaxPolicy(features=np.array(entries).reshape(S, A, k))


@st.composite
def thetas(draw, policy=None, *, exact=False):
    """Parameters of ``policy``, read-only: ordinary ones, and those that make it nearly or fully deterministic.

    Probabilities go down to 1e-300 everywhere, and to 0 where the policy class has them: with logits (underflow), in the
    direct and in the escort parameterisation. Escort parameters are not 0 where |theta|^p has no second derivative.

    >>> import pgtheory as pg
    >>> from hypothesis import find
    >>> find(pg.strategies.thetas(pg.SoftmaxPolicy(1, 2)), lambda theta: True)
    array([[0., 0.]])
    """
    if policy is None:
        policy = draw(policies(exact=exact))
    if isinstance(policy, DirectPolicy):
        S, A = policy.shape
        return _stack([draw(simplices(A, exact=exact)) for _ in range(S)], policy.shape)
    numbers = draw(st.sampled_from(_ranges(policy)))
    entries = [draw(numbers) for _ in range(int(np.prod(policy.shape)))]
    if isinstance(policy, EscortPolicy):
        for first in range(0, len(entries), policy.shape[1]):
            entries[first] = entries[first] or Fraction(1)
    return _stack([_vector(entries, exact)], policy.shape)


def _ranges(policy):
    """Strategies for one parameter: ordinary, nearly deterministic, deterministic where that can be."""
    if isinstance(policy, EscortPolicy):
        zero = (0,) if policy.power >= 2 else ()
        ordinary = st.sampled_from([Fraction(x, 2) for x in (*zero, *range(1, 9), *range(-8, 0))])
        return ordinary, st.sampled_from((1, *zero, -1, _escort_tiny(policy.power, 300), _escort_tiny(policy.power, 9)))
    if getattr(policy, "weights", False):
        return st.integers(1, 9), st.sampled_from((1, *(Fraction(1, 10**k) for k in TINY_EXPONENTS)))
    ordinary = st.integers(-30, 30).map(lambda x: Fraction(x, 10))
    return ordinary, st.sampled_from((0, -7, -20, -690)), st.sampled_from((0, -1024, 1024))


def _escort_tiny(power, k):
    """A parameter whose power is about 10^-k."""
    return Fraction(1, 10 ** round(k / power))


@st.composite
def problems(draw, *, exact=False, **model):
    """(mdp, policy, theta) that fit each other; further arguments are those of :func:`mdps`.

    >>> import pgtheory as pg
    >>> from hypothesis import find
    >>> find(pg.strategies.problems(), lambda problem: True)
    (MDP(n_states=1, n_actions=1, gamma=0, float64), DirectPolicy(1, 1), array([[1.]]))
    """
    mdp = draw(mdps(exact=exact, **model))
    policy = draw(policies(mdp.n_states, mdp.n_actions, exact=exact))
    return mdp, policy, draw(thetas(policy, exact=exact))


# -------------------------------------------------------------------------------------------------- registration


def _softmax_policies():
    sizes = st.integers(1, 5), st.integers(1, 3)
    return st.builds(SoftmaxPolicy, *sizes, weights=st.booleans()) | st.tuples(*sizes).flatmap(lambda size: _features(*size))


OF_TYPE = {
    MDP: lambda: mdps(),
    Policy: lambda: policies(),
    SoftmaxPolicy: _softmax_policies,
    DirectPolicy: lambda: st.builds(DirectPolicy, st.integers(1, 5), st.integers(1, 3)),
    EscortPolicy: lambda: st.builds(EscortPolicy, st.integers(1, 5), st.integers(1, 3), st.sampled_from(POWERS)),
}


def register() -> None:
    """Let ``st.from_type`` draw pgtheory's types; an installed pgtheory needs no such call.

    >>> import pgtheory as pg
    >>> from hypothesis import find, strategies as st
    >>> pg.strategies.register()
    >>> find(st.from_type(pg.MDP), lambda mdp: True)
    MDP(n_states=1, n_actions=1, gamma=0, float64)
    """
    for cls in OF_TYPE:
        st.register_type_strategy(cls, _of_type)


def _of_type(cls):
    return OF_TYPE[cls]()
