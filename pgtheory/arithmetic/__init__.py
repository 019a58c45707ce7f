"""The arithmetics: float64, complex128, sparse, exact ``Fraction``, fraction field, sympy expression.

This package is the only place that knows them. Everything above it is written once over arrays: a formula multiplies and adds,
and asks this package for the two things that differ, the products with the transition law (:func:`kernel`) and the linear
solve (:func:`factorize`).

====================  =======================  ==========================================
name                  array                    solve
====================  =======================  ==========================================
``float64``           float64                  LAPACK getrf / getrs; SuperLU where sparse
``complex128``        complex128               the same (the complex step passes through)
``Fraction``          object                   integers, rows cleared of denominators: python-flint, or sympy
``ball``              object, ``Ball``         python-flint's ``arb_mat``, with as many bits as asked for
``dual``              object, ``Dual``         the same for the value, and again for the derivative
``field``             object, ``FracElement``  sympy ``DomainMatrix`` over the polynomials, rows cleared of
                      or ``Factored``          denominators
``expression``        object, ``sympy.Expr``   through the fraction field of its symbols
====================  =======================  ==========================================

Integers belong to all of them: an integer array waits for what it meets.
"""

from .entries import distinct, nonzero, objects
from .factored import Factored, FactoredField, over_common_powers
from .integers import IntegerRows
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
    balls_of,
    in_balls,
    is_sparse,
    join,
)
from .precise import Ball, overlap
from .products import DenseKernel, ExactKernel, SparseKernel, dot_rows, kernel, plus_identity
from .signs import is_expression, is_negative, require_exact_real
from .solving import DenseFactorization, RefinedFactorization, factorize
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
    "Ball",
    "DenseFactorization",
    "DenseKernel",
    "ExactKernel",
    "Factored",
    "FactoredField",
    "IntegerRows",
    "RefinedFactorization",
    "SparseKernel",
    "as_array",
    "balls_of",
    "canonical",
    "distinct",
    "dot_rows",
    "factored",
    "factorize",
    "in_balls",
    "is_expression",
    "is_negative",
    "is_sparse",
    "join",
    "kernel",
    "nonzero",
    "objects",
    "over_common_powers",
    "overlap",
    "plus_identity",
    "rational_field",
    "reduced",
    "require_exact_real",
]
