r"""Integrals over actions: Gauss rules, their products, and doubling until the value stands.

A rule with n nodes is exact for polynomials of degree 2n - 1; for functions analytic around the line its error falls
geometrically (Legendre) or like :math:`e^{-c\sqrt n}` (Hermite), so that what a doubling still moves bounds what is left.
Source: Trefethen, *Is Gauss quadrature better than Clenshaw-Curtis?*, SIAM Review 50 (2008).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ..errors import UndefinedError

FIRST = 8   # nodes an axis to begin with


@lru_cache(maxsize=64)
def gauss_hermite(n: int):
    """(nodes (n,), weights (n,)) for the standard normal density; the weights sum to 1.

    >>> from pgtheory.continuous.quadrature import gauss_hermite
    >>> x, w = gauss_hermite(3)
    >>> float(round(w @ x**4, 12))
    3.0
    """
    from scipy.special import roots_hermitenorm

    x, w = roots_hermitenorm(n)
    return _locked((x - x[::-1]) / 2), _locked((w + w[::-1]) / (2 * w.sum()))


@lru_cache(maxsize=64)
def gauss_legendre(n: int):
    """(nodes (n,), weights (n,)) for the uniform density on [-1, 1]; the weights sum to 1.

    >>> from pgtheory.continuous.quadrature import gauss_legendre
    >>> x, w = gauss_legendre(2)
    >>> float(round(w @ x**2, 12))
    0.333333333333
    """
    from scipy.special import roots_legendre

    x, w = roots_legendre(n)
    return _locked((x - x[::-1]) / 2), _locked((w + w[::-1]) / (2 * w.sum()))


def _locked(array):
    array.flags.writeable = False
    return array


def product(nodes, weights, part: slice = slice(None)):
    """Rules on k axes, as one rule: nodes (n, ..., k) and weights (n, ..., k) to (N, ..., k) and (N, ...), N = n^k.

    ``part`` takes a slice of the N.

    >>> import numpy as np
    >>> from pgtheory.continuous.quadrature import product
    >>> x, w = product(np.array([[-1.0, 0.0], [1.0, 2.0]]), np.full((2, 2), 0.5))
    >>> x.tolist(), w.tolist()
    ([[-1.0, 0.0], [-1.0, 2.0], [1.0, 0.0], [1.0, 2.0]], [0.25, 0.25, 0.25, 0.25])
    """
    n, k = nodes.shape[0], nodes.shape[-1]
    index = np.unravel_index(np.arange(n**k)[part], (n,) * k)
    x = np.stack([nodes[index[j], ..., j] for j in range(k)], axis=-1)
    w = np.prod(np.stack([weights[index[j], ..., j] for j in range(k)]), axis=0)
    return x, w


def parts(total: int, size: int) -> list[slice]:
    """range(total) in slices of at most ``size``.

    >>> from pgtheory.continuous.quadrature import parts
    >>> parts(5, 3)
    [slice(0, 3, None), slice(3, 5, None)]
    """
    return [slice(start, min(start + size, total)) for start in range(0, total, size)]


class Doubling(NamedTuple):
    """A value that stood when its nodes were doubled.

    value : what the integrand returned at the last rule
    nodes : nodes an axis of that rule
    history : ((nodes, moved), ...), how far each doubling moved the value, in units of its scale
    """

    value: Any
    nodes: int
    history: tuple


def doubled(f: Callable, distance: Callable, limit: int, tolerance: float) -> Doubling:
    """``f(n)`` for n = 8, 16, ... up to ``limit``, until ``distance(new, old)`` is at most ``tolerance``.

    Raises :class:`UndefinedError` where it never is, or where ``limit`` leaves no doubling.

    >>> import numpy as np
    >>> from pgtheory.continuous.quadrature import doubled, gauss_hermite
    >>> def mean_of_cosine(n):
    ...     x, w = gauss_hermite(n)
    ...     return w @ np.cos(x)
    >>> result = doubled(mean_of_cosine, lambda new, old: abs(new - old), limit=256, tolerance=1e-12)
    >>> bool(abs(result.value - np.exp(-0.5)) < 1e-14), result.nodes
    (True, 32)
    """
    n, history = FIRST, []
    value = f(n)
    while 2 * n <= limit:
        n, old = 2 * n, value
        value = f(n)
        history.append((n, float(distance(value, old))))
        if history[-1][1] <= tolerance:
            return Doubling(value, n, tuple(history))
    if not history:
        raise UndefinedError(f"{limit} nodes an axis leave no room to double {FIRST}: raise max_nodes; more than three "
                             "action dimensions are out of reach of a product rule")
    raise UndefinedError(f"the integral over actions still moves by {history[-1][1]:.1e} of its scale at {n} nodes an axis "
                         f"(tolerance {tolerance:.1e}): lower sigma, raise max_nodes, or accept a larger tolerance")
