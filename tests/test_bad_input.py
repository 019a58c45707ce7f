"""Bad input is refused with the right exception, and a message that names index, value and mend. Nothing is repaired.

Every row of the tables is (name, call, exception, what the message must contain); the exception type is compared exactly and
numpy warnings are errors.
"""

import math
import pickle
import re
import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
import sympy
from sympy.polys.fields import field

import pgtheory as pg
from pgtheory import InvalidMDPError, InvalidPolicyError, NotExactError, PGTheoryError, UndefinedError

F = Fraction
P = np.array([[[0.5, 0.5], [1, 0]], [[0, 1], [0, 1]]])      # 2 states, 2 actions: shapes do not tell the axes apart
R = np.array([[1.0, 0.0], [0.0, 0.0]])
P3 = np.array([[[0.5, 0.25, 0.25]] * 2] * 2 + [[[0.0, 0.0, 1.0]] * 2])       # 3 states, 2 actions: they do
R3 = np.ones((3, 2))
SPARSE = sp.csr_array(P3.reshape(6, 3))
HALF = np.full((3, 2), 0.5)
EXACT = np.array([[[F(1, 2), F(1, 2)]], [[F(0), F(1)]]], dtype=object)
K, x = field("x", sympy.QQ)
_, y = field("y", sympy.QQ)
p = sympy.Symbol("p")

mdp = pg.MDP(P, R, 0.9, 0)
mdp3 = pg.MDP(P3, R3, 0.9, 0)
exact = pg.MDP(EXACT, [[F(1)], [F(0)]], F(1, 2), 0)
softmax = pg.SoftmaxPolicy(3, 2)
weights = pg.SoftmaxPolicy(2, 2, weights=True)


def model(P=P, R=R, gamma=0.9, rho=0, **options):
    return pg.MDP(P, R, gamma, rho, **options)


def put(array, index, value):
    array = np.array(array)
    array[index] = value
    return array


def sparse_put(index, value):
    return sp.csr_array(put(SPARSE.toarray(), index, value))


class Uniform(pg.Policy):
    """A user's policy with a mistake to be given: ``shape`` and what ``probabilities`` returns."""

    def __init__(self, shape, pi):
        self.shape, self.pi = shape, pi

    def probabilities(self, theta):
        return self.pi


class Shapeless(pg.Policy):
    def probabilities(self, theta):
        return HALF


ROUNDING = "off by rounding (float32 or printed decimals?): pass normalize=True to divide every row by its sum"
WRONG_ROW = "a successor is missing or wrong; correct the row, or pass normalize=True to divide every row by its sum"
ENTRIES = "entries are numbers, Fractions or sympy elements"
FINITE = "entries must be finite"
NEGATIVE = "probabilities are not negative"

LAYOUT = [
    ("(A, S, S)", lambda: model(P3.transpose(1, 0, 2), R3),
     "P has shape (2, 3, 3): it must be (S, A, S); looks like (A, S, S): did you mean P.transpose(1, 0, 2)?"),
    ("(S, S, A)", lambda: model(P3.transpose(0, 2, 1), R3),
     "P has shape (3, 3, 2): it must be (S, A, S); looks like (S, S, A): did you mean P.transpose(0, 2, 1)?"),
    ("(S', A, S)", lambda: model(P3.transpose(2, 1, 0), R3),
     "P[1, 0] sums to 0.5, not 1: the axes look permuted: did you mean P.transpose(2, 1, 0)?"),
    ("(S', A, S) where S = A", lambda: model(P.transpose(2, 1, 0)),
     "P[0, 0] sums to 0.5, not 1: the axes look permuted: did you mean P.transpose(2, 1, 0)?"),
    ("(S, S', A) where S = A", lambda: model(P.transpose(0, 2, 1)),
     "P[0, 0] sums to 1.5, not 1: the axes look permuted: did you mean P.transpose(0, 2, 1)?"),
    ("(S, S) Markov chain", lambda: model(np.eye(2)),
     "P has shape (2, 2): it must be (S, A, S), the probability of s' after a in s; wrap a Markov chain as P[:, None, :]"),
    ("four axes", lambda: model(P[None]), "P has shape (1, 2, 2, 2): it must be (S, A, S)"),
    ("scalar", lambda: model(1.0), "P has shape (): it must be (S, A, S)"),
    ("empty list", lambda: model([]), "P has shape (0,): it must be (S, A, S)"),
    ("no states", lambda: model(np.zeros((0, 2, 0))),
     "P has shape (0, 2, 0): there must be at least one state and one action"),
    ("no actions", lambda: model(np.zeros((2, 0, 2))),
     "P has shape (2, 0, 2): there must be at least one state and one action"),
    ("three sizes", lambda: model(np.ones((4, 2, 3))), "P has shape (4, 2, 3): it must be (S, A, S)"),
    ("ragged P", lambda: model([[[0.5, 0.5], [1]], [[0, 1], [0, 1]]]),
     "P is ragged: P[0, 1] has shape (1,) beside (2,) before it; its rows must have one length"),
    ("ragged R", lambda: model(R=[[1, 2], [0]]), "R is ragged: R[1] has shape (1,) beside (2,) before it"),
    ("R too long", lambda: model(R=np.zeros((3, 2))), "R has shape (3, 2): it must be (2, 2, 2), (2, 2) or (2,)"),
    ("R (A, S)", lambda: model(P3, np.zeros((2, 3))),
     "R has shape (2, 3): it must be (3, 2, 3), (3, 2) or (3,); looks like (A, S): did you mean R.T?"),
    ("R (A, S, S)", lambda: model(P3, np.zeros((2, 3, 3))), "looks like (A, S, S): did you mean R.transpose(1, 0, 2)?"),
    ("R (S, S, A)", lambda: model(P3, np.zeros((3, 3, 2))), "looks like (S, S, A): did you mean R.transpose(0, 2, 1)?"),
    ("R (S, S)", lambda: model(P3, np.zeros((3, 3))), "a reward of (s, s') is R[:, None, :] broadcast to (S, A, S)"),
    ("R scalar", lambda: model(R=3.0), "R has shape (): it must be (2, 2, 2), (2, 2) or (2,)"),
]

ENTRY = [
    ("NaN in P", lambda: model(put(P, (1, 0, 1), np.nan)), f"P[1, 0, 1] is nan: {FINITE}"),
    ("inf in P", lambda: model(put(P, (1, 1, 0), np.inf)), f"P[1, 1, 0] is inf: {FINITE}"),
    ("NaN in R", lambda: model(R=put(R, (0, 1), np.nan)), f"R[0, 1] is nan: {FINITE}"),
    ("-inf in R", lambda: model(R=put(R, (1, 0), -np.inf)), f"R[1, 0] is -inf: {FINITE}"),
    ("R (S,) with NaN", lambda: model(R=[0.0, np.nan]), f"R[1] is nan: {FINITE}"),
    ("P None", lambda: model(None), f"P is None (NoneType): {ENTRIES}"),
    ("P with a None", lambda: model([[[None, 0.5], [1, 0]], [[0, 1], [0, 1]]]), f"P[0, 0, 0] is None (NoneType): {ENTRIES}"),
    ("P of text", lambda: model([[["1", "0"]], [["0", "1"]]]), f"P[0, 0, 0] is '1' (str): {ENTRIES}"),
    ("P a word", lambda: model("P"), f"P is 'P' (str): {ENTRIES}"),
    ("P a dict", lambda: model({0: 1}), f"P is {{0: 1}} (dict): {ENTRIES}"),
    ("P Decimal", lambda: model([[[Decimal(1)]]], [0]), f"P[0, 0, 0] is Decimal('1') (Decimal): {ENTRIES}"),
    ("P an MDP", lambda: model(mdp), "P is MDP(n_states="),
    ("P dates", lambda: model(np.zeros((1, 1, 1), dtype="datetime64[D]")), "P[0, 0, 0] is datetime.date(1970, 1, 1) (date)"),
    ("R with a None", lambda: model(R=[[1, None], [0, 0]]), f"R[0, 1] is None (NoneType): {ENTRIES}"),
    ("R None", lambda: model(R=None), f"R is None (NoneType): {ENTRIES}"),
    ("complex P", lambda: model(P + 0j), "P is complex: a model is real (only policies may carry a complex step)"),
    ("complex R", lambda: model(R=R + 1j), "R is complex: a model is real"),
    ("masked P", lambda: model(np.ma.masked_array(P, P > 0.6)), "P is a masked array with holes: fill them first"),
    ("negative, sum 1", lambda: model(put(P, (1, 0), [-0.5, 1.5])), f"P[1, 0, 0] is -0.5: {NEGATIVE}"),
    ("negative by rounding", lambda: model(put(P, (1, 0), [-1e-17, 1])),
     f"P[1, 0, 0] is -1e-17: {NEGATIVE}; looks like rounding: set it to 0 and divide the row by its sum"),
    ("negative, normalized", lambda: model(put(P, (1, 0), [-0.5, 1]), normalize=True), f"P[1, 0, 0] is -0.5: {NEGATIVE}"),
    ("negative Fraction", lambda: model([[[F(-1, 2), F(3, 2)]], [[0, 1]]], [1, 0], 0), f"P[0, 0, 0] is -1/2: {NEGATIVE}"),
    ("negative surd", lambda: model([[[sympy.sqrt(2) - 2, 3 - sympy.sqrt(2)]], [[0, 1]]], [1, 0], 0),
     f"P[0, 0, 0] is -2 + sqrt(2): {NEGATIVE}"),
    ("negative constant of a field", lambda: model([[[K(-1), K(2)]], [[0, 1]]], [1, 0], 0), f"P[0, 0, 0] is -1: {NEGATIVE}"),
    ("overflowing R", lambda: model(R=put(R, (0, 1), 1e308)), "R[0, 1] is 1e+308: sums of numbers beyond 1e+290 overflow"),
    ("overflowing P", lambda: model(put(P, (0, 0), [1e308, 1e308])), "P[0, 0, 0] is 1e+308: sums of numbers beyond 1e+290"),
    ("integer beyond floats", lambda: model(R=[[10**400, 0], [0, 0]]), "R[0, 0] is a number of 1329 bits: sums"),
    ("integer beyond floats beside one", lambda: model(R=[[10**400, 0.5], [0, 0]]),
     "R[0, 0] is an integer of 1329 bits: it overflows the floats beside it"),
    ("sympy nan", lambda: model([[[1]]], [[sympy.nan]], 0), f"R[0, 0] is nan: {FINITE}"),
    ("sympy oo", lambda: model([[[1]]], [[-sympy.oo]], 0), f"R[0, 0] is -oo: {FINITE}"),
    ("sympy I", lambda: model([[[1]]], [[sympy.I]], 0), "R[0, 0] is I: entries must be real"),
]

ROWS = [
    ("row sums to 1.1", lambda: model(put(P, (1, 0), [0.5, 0.6])), f"P[1, 0] sums to 1.1, not 1: {WRONG_ROW}"),
    ("row sums to 0.98", lambda: model(put(P, (0, 1), [0.9, 0.08])), f"P[0, 1] sums to 0.98, not 1: {WRONG_ROW}"),
    ("empty row", lambda: model(put(P, (1, 0), [0, 0])),
     "P[1, 0] sums to 0, not 1: the row is empty: a state without successors must be made absorbing, with P[s, a, s] = 1"),
    ("empty row, normalized", lambda: model(put(P, (1, 0), [0, 0]), normalize=True),
     "P[1, 0] sums to 0, not 1: the row is empty"),
    ("printed decimals", lambda: model(put(P, (1, 0), [0.33333, 0.66666])), f"P[1, 0] sums to 0.99999, not 1: {ROUNDING}"),
    ("float32", lambda: model(np.full((3, 1, 3), 1 / 3, dtype=np.float32), np.zeros(3)),
     f"P[0, 0] sums to 1.0000000298, not 1: {ROUNDING}"),
    ("float32 where S = A", lambda: model(put(P, (0, 0), np.array([0.1, 0.9], dtype=np.float32))),
     f"P[0, 0] sums to 0.999999977648, not 1: {ROUNDING}"),
    ("off by 3e-12", lambda: model(put(P, (0, 0), [0.5, 0.5 + 3e-12])),
     f"P[0, 0] sums to 1.000000000003, not 1: {ROUNDING}"),
    ("counts", lambda: model(put(P, (0, 0), [3, 1])), f"P[0, 0] sums to 4, not 1: {WRONG_ROW}"),
    ("mask for P", lambda: model(P > 0.2), f"P[0, 0] sums to 2, not 1: {WRONG_ROW}"),
    ("exact row", lambda: model([[[F(1, 2), F(1, 3)]], [[0, 1]]], [1, 0], 0), f"P[0, 0] sums to 5/6, not 1: {WRONG_ROW}"),
    ("exact row off by 1e-30", lambda: model([[[F(1, 2), F(1, 2) + F(1, 10**30)]], [[0, 1]]], [1, 0], 0), f": {ROUNDING}"),
    ("symbolic row", lambda: model([[[p, p]], [[0, 1]]], [1, 0], 0),
     "P[0, 0] sums to 2*p, not 1: write the last probability of a row as 1 minus the others"),
    ("field row", lambda: model([[[x, x]], [[0, 1]]], [1, 0], 0), "P[0, 0] sums to 2*x, not 1: write the last probability"),
]

DISCOUNT = [
    ("gamma 1.5", lambda: model(gamma=1.5), "gamma is 1.5: it must lie in [0, 1]"),
    ("gamma in percent", lambda: model(gamma=90), "gamma is 90: it must lie in [0, 1]"),
    ("gamma negative", lambda: model(gamma=-0.1), "gamma is -0.1: it must lie in [0, 1]"),
    ("gamma just above 1", lambda: model(gamma=1 + 1e-12), "gamma is 1.000000000001: it must lie in [0, 1]"),
    ("gamma 3/2", lambda: model(gamma=F(3, 2)), "gamma is 3/2: it must lie in [0, 1]"),
    ("gamma sympy 3/2", lambda: model(gamma=sympy.Rational(3, 2)), "gamma is 3/2: it must lie in [0, 1]"),
    ("gamma NaN", lambda: model(gamma=math.nan), "gamma is nan: it must lie in [0, 1]"),
    ("gamma inf", lambda: model(gamma=math.inf), "gamma is inf: it must lie in [0, 1]"),
    ("gamma oo", lambda: model([[[1]]], [1], sympy.oo), f"gamma is oo: {FINITE}"),
    ("gamma True", lambda: model(gamma=True), "gamma is True: it must be a number in [0, 1]"),
    ("gamma numpy True", lambda: model(gamma=np.True_), "gamma is np.True_: it must be a number in [0, 1]"),
    ("gamma None", lambda: model(gamma=None), "gamma is None: it must be a number in [0, 1]"),
    ("gamma text", lambda: model(gamma="0.9"), "gamma is '0.9': it must be a number in [0, 1]"),
    ("gamma list", lambda: model(gamma=[0.9, 0.9]), "gamma is an array of shape (2,): it must be one real number in [0, 1]"),
    ("gamma complex", lambda: model(gamma=0.9 + 0j), "gamma is (0.9+0j): it must be one real number in [0, 1]"),
]

START = [
    ("rho too large", lambda: model(rho=2), "rho is the start state 2: with 2 states it must lie in 0..1"),
    ("rho -1", lambda: model(rho=-1), "rho is the start state -1: with 2 states it must lie in 0..1"),
    ("rho True", lambda: model(rho=True),
     "rho is True: it must be a start state (a Python int) or a distribution of shape (2,)"),
    ("rho 0.0", lambda: model(rho=0.0),
     "rho is 0.0: it must be a start state (a Python int) or a distribution of shape (2,)"),
    ("rho None", lambda: model(rho=None), "rho is missing or sparse: it must be the start state (an int) or a dense (S,)"),
    ("rho text", lambda: model(rho="s0"), f"rho is 's0' (str): {ENTRIES}"),
    ("rho too long", lambda: model(rho=[0.5, 0.5, 0]), "rho has shape (3,): it must be (2,), one probability a state"),
    ("rho a row", lambda: model(rho=[[0.5, 0.5]]), "rho has shape (1, 2): it must be (2,), one probability a state"),
    ("rho sum", lambda: model(rho=[0.5, 0.6]), "rho sums to 1.1, not 1: it must be a distribution over the states"),
    ("rho rounded", lambda: model(rho=[0.3333333, 0.6666666]), f"rho sums to 0.9999999, not 1: {ROUNDING}"),
    ("rho negative", lambda: model(rho=[-0.5, 1.5]), f"rho[0] is -0.5: {NEGATIVE}"),
    ("rho negative, normalized", lambda: model(rho=[3, -1], normalize=True), f"rho[1] is -1: {NEGATIVE}"),
    ("rho NaN", lambda: model(rho=[np.nan, 1]), f"rho[0] is nan: {FINITE}"),
    ("rho zero, normalized", lambda: model(rho=[0, 0], normalize=True), "rho sums to 0, not 1: it must be a distribution"),
    ("rho symbolic", lambda: model([[[1]]], [1], 0, [p]),
     "rho sums to p, not 1: write its last probability as 1 minus the others"),
    ("rho sparse", lambda: model(SPARSE, R3, rho=sp.csr_array([[1.0, 0, 0]])), "rho is missing or sparse"),
]

SPARSE_MODEL = [
    ("sparse NaN", lambda: model(sparse_put((5, 0), np.nan), R3), f"P[2, 1, 0] is nan: {FINITE}"),
    ("sparse negative", lambda: model(sparse_put((3, 2), -1), R3), f"P[1, 1, 2] is -1: {NEGATIVE}"),
    ("sparse row", lambda: model(sparse_put((4, 2), 0.9), R3), f"P[2, 0] sums to 0.9, not 1: {WRONG_ROW}"),
    ("sparse empty row", lambda: model(sparse_put((4, 2), 0), R3), "P[2, 0] sums to 0, not 1: the row is empty"),
    ("sparse transposed", lambda: model(sp.csr_array(SPARSE.T), R3),
     "sparse P has shape (3, 6): it must be (S*A, S), row s*A + a"),
    ("sparse odd rows", lambda: model(sp.csr_array((5, 3)), R3), "sparse P has shape (5, 3): it must be (S*A, S)"),
    ("sparse empty", lambda: model(sp.csr_array((0, 0)), R3), "sparse P has shape (0, 0): it must be (S*A, S)"),
    ("sparse complex", lambda: model(SPARSE.astype(complex), R3), "P is complex: a model is real"),
    ("sparse R shape", lambda: model(SPARSE, sp.csr_array((3, 3))),
     "sparse R has shape (3, 3): it must be (6, 3), row s*A + a"),
    ("sparse R inf", lambda: model(SPARSE, sp.csr_array(put(np.zeros((6, 3)), (5, 2), np.inf))),
     f"R[2, 1, 2] is inf: {FINITE}"),
    ("sparse R, dense P", lambda: model(P3, sp.csr_array((6, 3))),
     "R is sparse and P is dense: pass both sparse, or R.toarray()"),
    ("list of two sizes", lambda: model([sp.eye_array(3), sp.eye_array(2)], R3),
     "P is a list of sparse matrices of shapes [(2, 2), (3, 3)]: each must be (S, S)"),
    ("list, one row off", lambda: model([sp.eye_array(3), sp.diags_array([1.0, 0.5, 1.0])], R3),
     "P[1, 1] sums to 0.5, not 1"),
    ("list, one negative", lambda: model([sp.eye_array(3), sp.diags_array([1.0, 1.0, -1.0])], R3),
     f"P[2, 1, 2] is -1: {NEGATIVE}"),
    ("list with a dense one", lambda: model([sp.eye_array(3), np.eye(3)], R3),
     "P[1] is a ndarray among sparse matrices: pass A sparse (S, S), or one dense array"),
    ("list of R too long", lambda: model([sp.eye_array(3)] * 2, [sp.eye_array(3)] * 3),
     "R is a list of 3 sparse (3, 3): P asks for 2 of (3, 3)"),
    ("list of R with NaN", lambda: model([sp.eye_array(3)] * 2, [sp.eye_array(3), sp.diags_array([1.0, np.nan, 1.0])]),
     f"R[1, 1, 1] is nan: {FINITE}"),
]

MIXED = [
    ("float among Fractions", lambda: model([[[F(1, 2), 0.5]], [[0, 1]]], [1, 0]),
     "P[0, 0, 1] is the float 0.5 among exact numbers: floats are never silently rounded; write it as a Fraction"),
    ("float R, exact P", lambda: model(EXACT, [1.0, 0.0], F(1, 2)),
     "floats met exact numbers in one model (P is Fraction, R is float64, gamma is Fraction): floats are never "
     "silently rounded"),
    ("float gamma, exact P", lambda: model(EXACT, [1, 0], 0.9), "for instance Fraction(9, 10) for 0.9"),
    ("float rho, exact P", lambda: model(EXACT, [1, 0], F(1, 2), [0.5, 0.5]), "rho is float64"),
    ("Fraction gamma, sparse P", lambda: model(SPARSE, R3, F(1, 2)), "P is float64, R is float64, gamma is Fraction"),
    ("sympy Float", lambda: model([[[1]]], [[sympy.Float(0.5)]], 0), "floats are never silently rounded; write a Rational"),
    ("sympy Float in a term", lambda: model([[[1]]], [[0.5 * p]], 0), "R[0, 0] is 0.5*p: floats are never silently rounded"),
    ("two fields", lambda: model([[[x, 1 - x]], [[y, 1 - y]]], [1, 0], 0),
     "P mixes elements of 2 fields: take all generators from one sympy field"),
    ("exact model, float pi", lambda: pg.solve(exact, [[1.0], [1.0]]), "float64 numbers met Fraction numbers"),
    ("float model, exact pi", lambda: pg.solve(mdp, [[F(1, 2), F(1, 2)]] * 2),
     "give the model, the policy and theta in one"),
    ("mixed pi", lambda: pg.solve(mdp, [[F(1, 2), 0.5]] * 2), "pi[0, 1] is the float 0.5 among exact numbers"),
    ("exact pi, sparse model", lambda: pg.solve(pg.MDP([sp.eye_array(2, dtype=int)], [0, 0], 0, 0), [[F(1)]] * 2),
     "the policy is exact and P is sparse: sparse arrays hold floats; pass P and R dense to stay exact"),
    ("exact logits", lambda: pg.SoftmaxPolicy(1, 2).probabilities([[F(1), F(2)]]),
     "a softmax of exact logits is not rational: use SoftmaxPolicy(S, A, weights=True), whose theta holds the weights "
     "w = e^logit"),
    ("symbolic logits", lambda: pg.SoftmaxPolicy(1, 2).probabilities([[p, 0]]), "a softmax of exact logits is not rational"),
    ("exact features", lambda: pg.SoftmaxPolicy(features=[[[F(1)]]]),
     "a softmax of exact features is not rational: pass float features, or weights=True in tables"),
    ("exact escort, power 1.5", lambda: pg.EscortPolicy(1, 2, 1.5).probabilities([[F(1), F(2)]]),
     "power 1.5 of exact parameters is not rational: use an integer power"),
    ("symbolic escort, power 3", lambda: pg.EscortPolicy(1, 2, 3).probabilities([[x, 1]]),
     "|theta|^3 of symbols is not rational: use an even power"),
    ("exact model, float theta", lambda: pg.policy_gradient(exact, pg.DirectPolicy(2, 1), [[1.0], [1.0]]),
     "float64 numbers met"),
    ("exact B, float solution", lambda: pg.solve(mdp, HALF[:2]).resolvent([F(1), F(2)]),
     "float64 numbers met Fraction numbers"),
]

POLICY = [
    ("pi (A, S)", lambda: pg.solve(mdp3, HALF.T),
     "pi has shape (2, 3): it must be (3, 2); looks like (A, S): did you mean pi.T?"),
    ("pi one row", lambda: pg.solve(mdp3, [0.5, 0.5]), "pi has shape (2,): it must be (3, 2)"),
    ("pi action numbers", lambda: pg.solve(mdp3, [0, 1, 1]),
     "pi has shape (3,): it must be (3, 2); a deterministic policy of action numbers is numpy.eye(A)[actions]"),
    ("pi too wide", lambda: pg.solve(mdp3, np.eye(3)), "pi has shape (3, 3): it must be (3, 2)"),
    ("pi sum", lambda: pg.solve(mdp3, put(HALF, (1, 1), 1.0)),
     "pi[1] sums to 1.5, not 1: each row must be a distribution over the actions"),
    ("pi rounded", lambda: pg.solve(mdp3, np.array([[0.1, 0.9]] * 3, dtype=np.float32)),
     "pi[0] sums to 0.999999977648, not 1: off by rounding (float32 or printed decimals?): divide each row by its sum"),
    ("pi negative", lambda: pg.solve(mdp3, put(HALF, 2, [-0.5, 1.5])), f"pi[2, 0] is -0.5: {NEGATIVE}"),
    ("pi NaN", lambda: pg.solve(mdp3, put(HALF, (2, 1), np.nan)), f"pi[2, 1] is nan: {FINITE}"),
    ("pi inf", lambda: pg.solve(mdp3, put(HALF, (0, 1), np.inf)), f"pi[0, 1] is inf: {FINITE}"),
    ("pi ragged", lambda: pg.solve(mdp3, [[0.5, 0.5], [0.5, 0.5], [1.0]]), "pi is ragged: pi[2] has shape (1,) beside (2,)"),
    ("pi text", lambda: pg.solve(mdp3, "uniform"), f"pi is 'uniform' (str): {ENTRIES}"),
    ("pi None", lambda: pg.solve(mdp3, None), f"pi is None (NoneType): {ENTRIES}"),
    ("pi a policy", lambda: pg.solve(mdp3, softmax),
     "pi is the policy SoftmaxPolicy(3, 2): pass its probabilities, policy.probabilities(theta)"),
    ("pi sparse", lambda: pg.solve(mdp3, sp.csr_array(HALF)), "pi is sparse: pass a dense (S, A) array"),
    ("pi integers", lambda: pg.solve(mdp3, [[0, 0], [1, 0], [1, 0]]),
     "pi[0] sums to 0, not 1: each row must be a distribution"),
    ("pi exact", lambda: pg.solve(exact, [[F(1)], [F(2)]]), "pi[1] sums to 2, not 1: each row must be a distribution"),
    ("batch, second wrong", lambda: pg.solve(mdp3, np.stack([HALF, 1.5 * HALF])), "pi[1, 0] sums to 1.5, not 1"),
    ("batch, NaN", lambda: pg.solve(mdp3, np.stack([HALF, put(HALF, (2, 0), np.nan)])), f"pi[1, 2, 0] is nan: {FINITE}"),
]

PARAMETERS = [
    ("one size", lambda: pg.SoftmaxPolicy(2), "a tabular policy needs n_states and n_actions, as in SoftmaxPolicy(3, 2)"),
    ("size 2.0", lambda: pg.DirectPolicy(2.0, 2), "n_states is 2.0: it must be an integer"),
    ("size True", lambda: pg.SoftmaxPolicy(True, 2), "n_states is True: it must be an integer"),
    ("size 0", lambda: pg.EscortPolicy(2, 0), "n_actions is 0: it must be at least 1"),
    ("sizes and features", lambda: pg.SoftmaxPolicy(2, 2, features=np.ones((2, 2, 1))), "pass features alone"),
    ("features and weights", lambda: pg.SoftmaxPolicy(features=np.ones((2, 2, 1)), weights=True), "pass features alone"),
    ("features (S, A)", lambda: pg.SoftmaxPolicy(features=np.ones((2, 2))),
     "features have shape (2, 2): they must be (S, A, k), without empty axes"),
    ("no features", lambda: pg.SoftmaxPolicy(features=np.ones((2, 2, 0))), "features have shape (2, 2, 0)"),
    ("features NaN", lambda: pg.SoftmaxPolicy(features=[[[1.0, np.nan]]]), f"features[0, 0, 1] is nan: {FINITE}"),
    ("features text", lambda: pg.SoftmaxPolicy(features=[[["a"]]]), f"features[0, 0, 0] is 'a' (str): {ENTRIES}"),
    ("features ragged", lambda: pg.SoftmaxPolicy(features=[[[1], [2, 3]]]),
     "features is ragged: features[0, 1] has shape (2,)"),
    ("features complex", lambda: pg.SoftmaxPolicy(features=[[[1j]]]), "features are complex: they must be real"),
    ("power 0.5", lambda: pg.EscortPolicy(1, 2, 0.5), "power is 0.5: it must be a finite number of at least 1"),
    ("power NaN", lambda: pg.EscortPolicy(1, 2, math.nan), "power is nan: it must be a finite number of at least 1"),
    ("power True", lambda: pg.EscortPolicy(1, 2, True), "power is True: it must be a finite number of at least 1"),
    ("power text", lambda: pg.EscortPolicy(1, 2, "2"), "power is '2': it must be a finite number of at least 1"),
    ("theta transposed", lambda: softmax.probabilities(np.zeros((2, 3))),
     "theta has shape (2, 3): this policy's is (3, 2): did you mean theta.T?"),
    ("theta flat", lambda: softmax.probabilities(np.zeros(6)), "theta has shape (6,): this policy's is (3, 2)"),
    ("theta NaN", lambda: softmax.probabilities(put(np.zeros((3, 2)), (1, 1), np.nan)),
     "theta[1, 1] is nan: parameters must be finite"),
    ("theta inf", lambda: softmax.score(put(np.zeros((3, 2)), (2, 0), -np.inf)),
     "theta[2, 0] is -inf: parameters must be finite"),
    ("theta None", lambda: softmax.probabilities(None), f"theta is None (NoneType): {ENTRIES}"),
    ("logits overflow", lambda: pg.SoftmaxPolicy(features=np.full((2, 2, 1), 1e200)).probabilities([1e200]),
     "the logit [0, 0] is inf: features . theta overflows; scale the features or theta"),
    ("theta ragged", lambda: softmax.probabilities([[0, 1], [0], [0, 0]]), "theta is ragged: theta[1] has shape (1,)"),
    ("theta text", lambda: softmax.probabilities([["a", "b"]] * 3), f"theta[0, 0] is 'a' (str): {ENTRIES}"),
    ("weight 0", lambda: weights.probabilities([[1, 1], [0, 1]]),
     "theta[1, 0] is 0: weights must be positive; logits need SoftmaxPolicy(S, A) without weights=True"),
    ("weight -1", lambda: weights.probabilities([[1, 1], [1, -1]]), "theta[1, 1] is -1: weights must be positive"),
    ("exact weight -1", lambda: weights.probabilities([[F(1), F(-1)], [F(1), F(1)]]),
     "theta[0, 1] is -1: weights must be positive"),
    ("field weight -1/2", lambda: weights.probabilities([[x, -K(1) / 2], [x, x]]),
     "theta[0, 1] is -1/2: weights must be positive"),
    ("escort row 0", lambda: pg.EscortPolicy(2, 2).probabilities([[1, 1], [0, 0]]),
     "theta[1] is a row of zeros: |theta|^p cannot be normalised there"),
    ("score at 0", lambda: pg.DirectPolicy(1, 2).score([[0.0, 1.0]]),
     "pi[0, 0] is 0: log pi has no derivative there; the log form needs pi > 0"),
    ("pullback of (S+1, A)", lambda: softmax.pullback(np.zeros((3, 2)), np.zeros((4, 2))),
     "weights have shape (4, 2): they must be (3, 2), one a probability"),
    ("pullback of (A,)", lambda: pg.DirectPolicy(3, 2).pullback(HALF, np.zeros(2)),
     "weights have shape (2,): they must be (3, 2)"),
    ("state pullback", lambda: pg.EscortPolicy(3, 2).state_pullback(HALF, np.zeros((2, 3))), "weights have shape (2, 3)"),
]

GRADIENT = [
    ("sizes of model and policy", lambda: pg.policy_gradient(mdp3, pg.SoftmaxPolicy(2, 3), np.zeros((2, 3))),
     "SoftmaxPolicy(2, 3) gives probabilities of shape (2, 3): the model has 3 states and 2 actions"),
    ("policy class", lambda: pg.policy_gradient(mdp, pg.SoftmaxPolicy, np.zeros((2, 2))),
     "policy is SoftmaxPolicy: it must be a policy object, such as SoftmaxPolicy(S, A); probabilities alone "
     "go to solve(mdp, pi)"),
    ("policy array", lambda: pg.policy_gradient(mdp, HALF[:2], np.zeros((2, 2))),
     "policy is ndarray: it must be a policy object"),
    ("policy None", lambda: pg.value_gradient(mdp, None, np.zeros((2, 2))),
     "policy is NoneType: it must be a policy object"),
    ("swapped", lambda: pg.policy_gradient(softmax, mdp3, np.zeros((3, 2))), "policy is MDP: it must be a policy object"),
    ("theta too wide", lambda: pg.value_gradient(mdp3, softmax, np.zeros((3, 3))),
     "theta has shape (3, 3): this policy's is (3, 2)"),
    ("theta a stack", lambda: pg.value_gradient(mdp3, softmax, np.zeros((5, 3, 2))),
     "theta has shape (5, 3, 2): this policy's is (3, 2); take the gradients of a stack one by one"),
    ("theta NaN in a gradient", lambda: pg.policy_gradient(mdp3, softmax, put(np.zeros((3, 2)), (0, 1), np.nan)),
     "theta[0, 1] is nan: parameters must be finite"),
    ("direct off the simplex", lambda: pg.policy_gradient(mdp3, pg.DirectPolicy(3, 2), put(HALF, (2, 1), 0.6)),
     "pi[2] sums to 1.1, not 1: each row must be a distribution over the actions"),
    ("direct negative", lambda: pg.value_gradient(mdp3, pg.DirectPolicy(3, 2), put(HALF, 1, [-0.5, 1.5])),
     f"pi[1, 0] is -0.5: {NEGATIVE}"),
    ("user rows off", lambda: pg.policy_gradient(mdp3, Uniform((1,), 1.2 * HALF), [0.0]), "pi[0] sums to 1.2, not 1"),
    ("user shape off", lambda: pg.policy_gradient(mdp3, Uniform((1,), HALF[:2]), [0.0]),
     "Uniform(shape=(1,)) gives probabilities of shape (2, 2): the model has 3 states and 2 actions"),
    ("user shape no tuple", lambda: pg.policy_gradient(mdp3, Uniform(1, HALF), [0.0]),
     "Uniform.shape must be a tuple, the shape of theta, such as (3,)"),
    ("user without a shape", lambda: pg.value_gradient(mdp3, Shapeless(), [0.0]), "Shapeless.shape must be a tuple"),
]

GENERAL = [
    ("solve an array", lambda: pg.solve(P, HALF[:2]), "solve needs an MDP, not ndarray"),
    ("gradient of an array", lambda: pg.policy_gradient(P, pg.SoftmaxPolicy(2, 2), np.zeros((2, 2))), "solve needs an MDP"),
    ("B of S+1", lambda: pg.solve(mdp, HALF[:2]).resolvent([1, 2, 3]),
     "B has shape (3,): its first axis must be the 2 states"),
    ("B scalar", lambda: pg.solve(mdp, HALF[:2]).resolvent(1.0), "B has shape (): its first axis must be the 2 states"),
    ("B NaN", lambda: pg.solve(mdp, HALF[:2]).resolvent([0.0, np.nan]), f"B[1] is nan: {FINITE}"),
    ("B text", lambda: pg.solve(mdp, HALF[:2]).resolvent("ab"), f"B is 'ab' (str): {ENTRIES}"),
    ("resolvent of a batch", lambda: pg.solve(mdp3, np.stack([HALF] * 2)).resolvent(np.ones(3)),
     "resolvent needs one policy, not a batch: solve each member of the batch by itself"),
    ("batch on a sparse model", lambda: pg.solve(pg.MDP(SPARSE, R3, 0.9, 0), np.stack([HALF] * 2)),
     "a batch of policies needs a dense model: solve them one by one on a sparse one"),
]

UNDEFINED = [
    ("gamma 1, never ends", lambda: pg.solve(model(gamma=1, R=np.ones((2, 2))), HALF[:2]),
     "gamma = 1, and state 0 reaches no terminal state under this policy: the undiscounted value does not exist; use "
     "gamma < 1, or a policy under which every state terminates"),
    ("gamma 1, stuck under this policy", lambda: pg.solve(model(gamma=1), [[0.0, 1.0]] * 2),
     "gamma = 1, and state 0 reaches no"),
    ("gamma 1, exact", lambda: pg.solve(model(EXACT[..., ::-1], [1, 1], 1), [[1], [1]]),
     "gamma = 1, and state 0 reaches no"),
    ("gamma 1, sparse", lambda: pg.solve(pg.MDP(SPARSE, R3, 1, 0), HALF),
     "gamma = 1, and state 0 reaches no terminal state"),
    ("gamma 1, gradient", lambda: pg.policy_gradient(pg.MDP(P3, R3, 1.0, 0), softmax, np.zeros((3, 2))),
     "gamma = 1, and state 0"),
    ("gamma 1, one of a batch", lambda: pg.solve(model(gamma=1), [[[1.0, 0.0]] * 2, [[0.0, 1.0]] * 2]),
     "gamma = 1, and state 0"),
    ("D at gamma 1", lambda: pg.solve(model(gamma=1), HALF[:2]).D,
     "D = (1 - gamma) d does not exist at gamma = 1: use d, whose sum is the mean episode length"),
    ("gamma 1, ends after 1e300 steps", lambda: pg.solve(model(put(P, (0, 0), [1, 1e-300]), gamma=1), [[1.0, 0.0]] * 2),
     "I - gamma P_pi is singular to working precision: episodes last longer than floating point can tell from for ever"),
]

GROUPS = [(LAYOUT, InvalidMDPError), (ENTRY, InvalidMDPError), (ROWS, InvalidMDPError), (DISCOUNT, InvalidMDPError),
          (START, InvalidMDPError), (SPARSE_MODEL, InvalidMDPError), (MIXED, NotExactError), (POLICY, InvalidPolicyError),
          (PARAMETERS, InvalidPolicyError), (GRADIENT, InvalidPolicyError), (GENERAL, PGTheoryError),
          (UNDEFINED, UndefinedError)]
CASES = [pytest.param(call, error, message, id=name) for table, error in GROUPS for name, call, message in table]


@pytest.mark.parametrize("call, error, message", CASES)
def test_bad_input_is_refused_by_name(call, error, message):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PGTheoryError, match=re.escape(message)) as caught:
            call()
    assert caught.type is error
    assert "\n" not in str(caught.value)
    assert not str(caught.value).endswith(".")


def test_there_are_at_least_sixty_cases_with_names_of_their_own():
    names = [name for table, _ in GROUPS for name, *_ in table]
    assert len(names) == len(set(names)) >= 60


# ------------------------------------------------------------------------------------------ the neighbours are accepted


@pytest.mark.parametrize("accepted", [
    lambda: model(P3.transpose(1, 0, 2).transpose(1, 0, 2), R3),
    lambda: model(put(P, (1, 0), [0.5, 0.6]), normalize=True),
    lambda: model(np.full((3, 1, 3), 1 / 3, dtype=np.float32), np.zeros(3), normalize=True),
    lambda: model(np.full((3, 1, 3), 1 / 3), np.zeros(3)),
    lambda: model(put(P, (0, 0), [0.5, 0.5 + 4e-16])),
    lambda: model(put(P, (0, 0), [1.0, 0.0]), gamma=1),
    lambda: model(gamma=0), lambda: model(gamma=F(1), R=[1, 0], P=EXACT), lambda: model(gamma=np.float32(0.5)),
    lambda: model(rho=np.int64(1)), lambda: model(rho=[1, 0]), lambda: model(rho=[1, 3], normalize=True),
    lambda: model(SPARSE, R3), lambda: model(SPARSE, SPARSE), lambda: model([sp.eye_array(3)] * 2, R3),
    lambda: model([[[p, 1 - p]], [[0, 1]]], [1, 0], p), lambda: model([[[x, 1 - x]], [[0, 1]]], [1, 0], 0),
    lambda: model(R=put(R, (0, 0), -1e289)), lambda: model(np.ma.masked_array(P, P > 2)),
    lambda: pg.solve(mdp, [[1, 0], [0, 1]]).V, lambda: pg.solve(mdp3, np.zeros((0, 3, 2))).V,
    lambda: pg.EscortPolicy(1, 2, np.int64(3)), lambda: pg.EscortPolicy(1, 2, F(3, 2)),
    lambda: pg.SoftmaxPolicy(1, 2).probabilities([[1e308, -1e308]]),
])
def test_what_is_right_or_mended_is_accepted_without_a_warning(accepted):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        accepted()


def test_rows_within_four_S_eps_are_kept_and_rows_beyond_are_refused():
    eps = np.finfo(float).eps
    inside, outside = put(P, (0, 0, 1), 0.5 + 7 * eps), put(P, (0, 0, 1), 0.5 + 9 * eps)
    assert np.array_equal(model(inside).P, inside)              # kept as it is, not divided by its sum
    with pytest.raises(InvalidMDPError, match=re.escape("P[0, 0] sums to 1.000000000000002, not 1: off by rounding")):
        model(outside)


def test_normalize_divides_each_row_by_its_sum_and_says_nothing_else():
    counts = pg.MDP([[[3, 1]], [[0, 2]]], [1.0, 0.0], 0.5, [1, 3], normalize=True)
    assert counts.P.tolist() == [[[0.75, 0.25]], [[0.0, 1.0]]] and counts.rho.tolist() == [0.25, 0.75]
    thirds = pg.MDP([[[F(2), F(4)]], [[0, 1]]], [1, 0], F(1, 2), 0, normalize=True)
    assert thirds.P[0, 0].tolist() == [F(1, 3), F(2, 3)]


def test_an_exact_reward_beyond_two_to_the_53_is_not_rounded():
    assert pg.solve(pg.MDP([[[1]]], [[2**53 + 1]], 0, 0), [[F(1)]]).V[0] == 2**53 + 1


# ------------------------------------------------------------------------------------------------ nothing is mutated


@pytest.mark.parametrize("name", ["P", "R", "gamma", "rho", "n_states", "r", "anything"])
def test_an_mdp_is_frozen(name):
    with pytest.raises(AttributeError, match=f"an MDP is frozen: build a new one instead of setting {name}"):
        setattr(mdp, name, 1)
    if hasattr(mdp, name):
        with pytest.raises(AttributeError, match=f"an MDP is frozen: {name} cannot be deleted"):
            delattr(mdp, name)


@pytest.mark.parametrize("owner, name", [(mdp, "P"), (mdp, "R"), (mdp, "rho"), (mdp, "r"), (mdp, "terminal"),
                                         (exact, "P"), (exact, "R"), (exact, "rho"), (exact, "r")])
def test_arrays_of_a_model_are_read_only(owner, name):
    with pytest.raises(ValueError, match="read-only"):
        getattr(owner, name)[(0,) * getattr(owner, name).ndim] = 0


@pytest.mark.parametrize("name", ["V", "Q", "A", "d", "D", "P_pi", "r_pi", "pi"])
@pytest.mark.parametrize("solution", [pg.solve(mdp, HALF[:2]), pg.solve(exact, [[F(1)]] * 2),
                                      pg.solve(mdp, np.stack([HALF[:2]] * 2))], ids=["float", "exact", "batch"])
def test_arrays_of_a_solution_are_read_only(solution, name):
    array = getattr(solution, name)
    with pytest.raises(ValueError, match="read-only"):
        array[(0,) * array.ndim] = 0


def test_stored_entries_of_a_sparse_model_are_read_only():
    sparse = pg.MDP(SPARSE, SPARSE, 0.9, 0)
    for array in (sparse.P, sparse.R, pg.solve(sparse, HALF).P_pi):
        with pytest.raises(ValueError, match="read-only"):
            array.data[0] = 0.0


def test_a_model_owns_copies_of_what_it_was_given():
    arrays = np.array(P), np.array(R), np.array([1.0, 0.0])
    own = pg.MDP(arrays[0], arrays[1], 0.9, arrays[2])
    for array in arrays:
        array[...] = -1.0
    assert np.array_equal(own.P, P) and np.array_equal(own.R, R) and own.rho.tolist() == [1.0, 0.0]


def test_a_sparse_model_owns_copies_of_what_it_was_given():
    given = sp.csr_array(SPARSE)
    own = pg.MDP(given, R3, 0.9, 0)
    given.data[:] = -1.0
    assert np.array_equal(own.P.toarray(), P3.reshape(6, 3))


def test_solving_does_not_touch_pi_or_theta_or_the_right_hand_side():
    pi, theta, B = np.array(HALF), np.arange(6.0).reshape(3, 2), np.arange(9.0).reshape(3, 3)
    before = [np.array(x) for x in (pi, theta, B)]
    solution = pg.solve(mdp3, pi)
    solution.resolvent(B), solution.resolvent(B, transpose=True)
    pg.policy_gradient(mdp3, softmax, theta), pg.value_gradient(mdp3, softmax, theta)
    for policy in (pg.DirectPolicy(3, 2), pg.EscortPolicy(3, 2)):
        policy.probabilities(pi)[...] = 7.0
        policy.pullback(pi, HALF)[...] = 7.0
    assert all(np.array_equal(x, y) for x, y in zip(before, (pi, theta, B), strict=True)) and pi.flags.writeable
    pi[...] = -1.0
    assert np.array_equal(solution.pi, HALF)


def test_refused_models_survive_pickling_as_errors():
    with pytest.raises(InvalidMDPError) as caught:
        model(gamma=2)
    assert str(pickle.loads(pickle.dumps(caught.value))) == "gamma is 2: it must lie in [0, 1]"
