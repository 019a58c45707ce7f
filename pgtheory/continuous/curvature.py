r"""Second derivatives of P(s'|s, a) and R(s, a, s') in the action, and the Hessian of Q(s, a) that follows from them.

.. math::
    \nabla_a^2 Q = \sum_{s'} \nabla_a^2 P\, (R + \gamma V(s')) + \nabla_a P\, \nabla_a R^\top + \nabla_a R\, \nabla_a P^\top
        + P\, \nabla_a^2 R.

Where dP and dR are given (expressions of sympy among them) they are differentiated once more: by the complex step, exact to
rounding. Where they are not, P and R are averaged over circles in the complex plane (Cauchy's integral), exact to about 13
digits where the code is analytic. In Fractions the answer is exact. The error is reported either way.

Source: Lyness & Moler, *Numerical differentiation of analytic functions*, SIAM J. Numer. Anal. 4 (1967); Fornberg,
*Numerical differentiation of analytic functions*, ACM TOMS 7 (1981).
"""

from __future__ import annotations

import warnings
from fractions import Fraction
from itertools import combinations

import numpy as np

from ..arithmetic import EPS, FRACTION, as_array
from ..differentiate import ladder
from ..errors import NotExactError
from .doubts import irregular
from .slopes import trusted
from .stepping import STEP, slope

NODES = 32       # of a circle; their mean misses the 34th power of its radius and higher ones
LEVELS = 30      # radii tried, each half the one before
PATIENCE = 4     # of them past the best one


def hessian_Q(model, actions, P, R, W):
    """(..., S, k, k) and the error of every entry, at checked actions, where W (S,) is worth having at s'.

    Raises :class:`NotExactError` for symbols and complex actions.

    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.continuous.curvature import hessian_Q
    >>> model = pg.ContinuousActionMDP(lambda s, a: np.ones(1), lambda s, a: np.cos(a), 0.5, [1.0])
    >>> H, error = hessian_Q(model, np.array([[1.0]]), np.ones((1, 1)), np.cos([[1.0]]), np.array([2.0]))
    >>> bool(abs(H[0, 0, 0] + np.cos(1)) <= error < 1e-12)
    True
    """
    exact = actions.dtype == object
    if actions.dtype.kind == "c" or exact and as_array(actions)[1] != FRACTION:
        raise NotExactError("the Hessian is taken at real actions, in floats or Fractions")
    (d2P, P_error), (d2R, R_error) = second(model, "P", actions), second(model, "R", actions)
    dP, dR = (each.array for each in trusted(model, actions))
    terms = _terms(P, R + W, dP, dR, d2P, d2R)
    H = sum(terms)
    H = (H + np.swapaxes(H, -1, -2)) / 2
    if exact:
        return H, 0
    size = float(np.max(sum(_terms(*map(abs, (P, abs(R) + abs(W), dP, dR, d2P, d2R))))))
    spread = float(np.max((abs(R) + abs(W)).sum(axis=-1)))
    return H, P_error * spread + R_error + 8 * EPS * (model.n_states + 16) * size


def _terms(P, gains, dP, dR, d2P, d2R):
    """(..., S, k, k) each, summed over s'."""
    crossed = (dP[..., :, None] * dR[..., None, :]).sum(axis=-3)
    yield (d2P * gains[..., None, None]).sum(axis=-3)
    yield crossed + np.swapaxes(crossed, -1, -2)
    yield (d2R * P[..., None, None]).sum(axis=-3)


def second(model, name: str, actions):
    """(..., S, S, k, k) second derivatives of "P" or "R", and the error of every entry.

    >>> import numpy as np
    >>> from pgtheory.continuous.curvature import second
    >>> from pgtheory.models.continuous import random_continuous
    >>> given, derived = (random_continuous(3, 2, rng=1, supplied=x) for x in (True, False))
    >>> (exact, _), (near, error) = (second(model, "P", np.zeros((3, 2))) for model in (given, derived))
    >>> bool(abs(exact - near).max() <= error < 1e-12)
    True
    """
    given = getattr(model, "d" + name) is not None
    if actions.dtype == object:
        return _in_a_field(model, name, actions), 0
    stepped = _stepped(model, name, actions) if given else None
    if stepped is not None:
        return stepped, 0.0
    around = None if given else _around(model, name, actions)
    beside = _beside(model, name, actions) if around is None or around[1] > EPS**0.5 * _size(around[0]) else None
    found = [x for x in (around, beside) if x is not None]
    return min(found, key=lambda x: x[1])


def _size(x) -> float:
    return max(1.0, float(np.max(np.abs(x), initial=0.0)))


# ------------------------------------------------------------------------------------------------ of given slopes


def _stepped(model, name, actions):
    """The complex step of the given slopes; None where their code does not follow it."""
    k = actions.shape[-1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            columns = [model.table("d" + name, actions + 1j * STEP * e)[0] for e in np.eye(k)]
        except Exception:   # a user's code may raise anything at a complex number
            return None
    table = np.stack([np.imag(column) / STEP for column in columns], axis=-1)
    return table if _follows(model, name, actions, table) else None


def _follows(model, name, actions, table) -> bool:
    """What the complex step says is what differences say, along one direction; asked once a model."""
    if f"d2{name}" not in model._trusted:
        u = irregular(actions.shape)
        seen = ladder(lambda h: model.table("d" + name, actions + h * u)[0], 8 * EPS * _size(table), 0.5)
        along = np.einsum("...stjk,...sk->...stj", table, u)
        if not np.all(abs(along - seen.value) <= 10 * seen.error + 1e3 * EPS * _size(table)):
            return False
        model._trusted[f"d2{name}"] = True
    return True


def _beside(model, name, actions):
    """Central differences of the slopes, and the error that their ladder reports."""
    scale, first = max(1.0, float(np.abs(actions).max(initial=0.0))), slope(model, name, actions).array
    found = [ladder(lambda h, e=e: slope(model, name, actions + h * e).array, 8 * EPS * _size(first), scale / 4)
             for e in np.eye(actions.shape[-1])]
    return np.stack([column.value for column in found], axis=-1), max(column.error for column in found)


# --------------------------------------------------------------------------------------------------- on circles


def _around(model, name, actions):
    """From circles around the actions in the complex plane; None where the code refuses them all."""
    k = actions.shape[-1]
    pure = [_on_circles(model, name, actions, e) for e in np.eye(k)]
    if None in pure:
        return None
    table = np.zeros(pure[0][0].shape + (k, k))
    error = max(e for _, e in pure)
    for i in range(k):
        table[..., i, i] = pure[i][0]
    for i, j in combinations(range(k), 2):     # (e_i + e_j)^2 = e_i^2 + 2 e_i e_j + e_j^2
        both = _on_circles(model, name, actions, np.eye(k)[i] + np.eye(k)[j])
        if both is None:
            return None
        table[..., i, j] = table[..., j, i] = (both[0] - pure[i][0] - pure[j][0]) / 2
        error = max(error, (both[1] + pure[i][1] + pure[j][1]) / 2)
    return table, error


def _on_circles(model, name, actions, u):
    """(second derivative along u, its error) at the best of the radii; None where there is none.

    Halving the radius divides what the circle misses by 2^32: what it still moves the mean is an error of the larger
    circle, and of the smaller one no more than that and its rounding.
    """
    radius, best, before, idle = max(1.0, float(np.abs(actions).max(initial=0.0))) / 2, None, None, 0
    for _ in range(LEVELS):
        value, size = _mean_on_circle(model, name, actions, u, radius)
        if value is not None and before is not None:
            error = float(np.max(np.abs(value - before))) + 16 * EPS * size / radius**2
            idle = 0 if best is None or error < best[1] else idle + 1
            best = (value, error) if idle == 0 else best
        if idle == PATIENCE:
            break
        before, radius = value, radius / 2
    return best


def _mean_on_circle(model, name, actions, u, radius):
    """(second derivative, largest entry met) as a mean over a circle; (None, 0) where the code does not answer there.

    A table at a conjugate action is the conjugate table, so that half a circle is enough.
    """
    total, size = 0.0, 0.0
    for m in range(NODES // 2 + 1):
        turn = np.exp(2j * np.pi * m / NODES)
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("error", np.exceptions.ComplexWarning)
                table = model.table(name, actions + radius * turn * u)[0]
        except Exception:   # a user's code may raise anything at a complex number
            return None, 0.0
        if not np.isfinite(table).all():
            return None, 0.0
        total = total + np.real(table * turn**-2) * (1 if m in (0, NODES // 2) else 2)
        size = max(size, float(np.max(np.abs(table), initial=0.0)))
    return total * 2 / (NODES * radius**2), size


# ---------------------------------------------------------------------------------------------------- in Fractions


def _in_a_field(model, name, actions):
    """Exact: the rational function of a + t, differentiated twice in t at t = 0."""
    from sympy import QQ
    from sympy.polys.fields import field

    k = actions.shape[-1]
    K, *t = field([f"t{j}" for j in range(k)], QQ)
    moved = actions * K.one + np.array(t, dtype=object)
    try:
        table = np.asarray(model.table(name, moved)[0])
    except (TypeError, ValueError, NotExactError) as bad:
        raise NotExactError(f"{name} cannot be differentiated twice in Fractions ({bad}): pass float actions") from bad
    out = np.empty(table.shape + (k, k), dtype=object)
    for index, x in np.ndenumerate(table):
        for i in range(k):
            for j in range(k):
                out[(*index, i, j)] = _at_zero(K(x).diff(t[i]).diff(t[j]), k)
    return out


def _at_zero(x, k):
    """A rational function at t = 0, as a Fraction."""
    numerator, denominator = (Fraction(int(y.numerator), int(y.denominator))
                              for y in (part.get((0,) * k, part.ring.domain.zero) for part in (x.numer, x.denom)))
    return numerator / denominator
