"""The arithmetics: float64, complex128, sparse, exact ``Fraction``, fraction field, sympy expression.

This package is the only place that knows them. Everything above it is written once over arrays: a formula multiplies and adds,
and asks this package for the two things that differ, the products with the transition law (:func:`kernel`) and the linear
solve (:func:`factorize`).

====================  =======================  ==========================================
name                  array                    solve
====================  =======================  ==========================================
``float64``           float64                  LAPACK getrf / getrs; SuperLU where sparse
``complex128``        complex128               the same (the complex step passes through)
``Fraction``          object                   sympy ``DomainMatrix`` over QQ
``dual``              object, ``Dual``         over QQ, with a + b e as the block [[a, 0], [b, a]]
``field``             object, ``FracElement``  sympy ``DomainMatrix`` over the polynomials, rows cleared of
                      or ``Factored``          denominators
``expression``        object, ``sympy.Expr``   through the fraction field of its symbols
====================  =======================  ==========================================

Integers belong to all of them: an integer array waits for what it meets.
"""

from .kinds import (
    COMPLEX,
    DUAL,
    EPS,
    EXACT,
    EXPRESSION,
    FLOAT,
    FRACTION,
    INTEGER,
    Arithmetic,
    as_array,
    is_negative,
    is_sparse,
    join,
    objects,
    require_exact_real,
)
from .products import DenseKernel, ExactKernel, SparseKernel, dot_rows, kernel
from .solving import DenseFactorization, RefinedFactorization, factorize, plus_identity
from .symbolic import canonical, factored, rational_field, reduced

__all__ = [
    "COMPLEX",
    "DUAL",
    "EPS",
    "EXACT",
    "EXPRESSION",
    "FLOAT",
    "FRACTION",
    "INTEGER",
    "Arithmetic",
    "DenseFactorization",
    "DenseKernel",
    "ExactKernel",
    "RefinedFactorization",
    "SparseKernel",
    "as_array",
    "canonical",
    "dot_rows",
    "factored",
    "factorize",
    "is_negative",
    "is_sparse",
    "join",
    "kernel",
    "objects",
    "plus_identity",
    "rational_field",
    "reduced",
    "require_exact_real",
]
