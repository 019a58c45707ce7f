"""The exception tree.

Every error of pgtheory derives from :class:`PGTheoryError`, which is a ``ValueError``. A message names the condition, the
first offending index, the value found, the likely cause and the mend.
"""


class PGTheoryError(ValueError):
    """Base of all errors that pgtheory raises on purpose.

    >>> import pgtheory as pg
    >>> issubclass(pg.InvalidMDPError, pg.PGTheoryError), issubclass(pg.PGTheoryError, ValueError)
    (True, True)
    """


class InvalidMDPError(PGTheoryError):
    """A model that is not a Markov decision process: wrong shapes, rows that do not sum to 1, NaN, gamma outside [0, 1].

    >>> import pgtheory as pg
    >>> pg.MDP([[[0.5, 0.4], [1, 0]], [[0, 1], [0, 1]]], [[0, 1], [1, 0]], 0.9, 0)
    Traceback (most recent call last):
        ...
    pgtheory.errors.InvalidMDPError: P[0, 0] sums to 0.9, not 1: a successor is missing or wrong; correct the row, or pass \
normalize=True to divide every row by its sum
    """


class InvalidPolicyError(PGTheoryError):
    """A policy, or parameters of one, that do not fit the model: wrong shape, rows that are no probabilities, NaN.

    >>> import pgtheory as pg
    >>> pg.SoftmaxPolicy(2, 2).probabilities([[0.0, float("nan")], [0.0, 0.0]])
    Traceback (most recent call last):
        ...
    pgtheory.errors.InvalidPolicyError: theta[0, 1] is nan: parameters must be finite
    """


class NotExactError(PGTheoryError):
    """Floats met exact numbers, or an exact answer was asked of a formula that has none.

    >>> import pgtheory as pg
    >>> from fractions import Fraction
    >>> pg.SoftmaxPolicy(1, 2).probabilities([[Fraction(1), Fraction(2)]])
    Traceback (most recent call last):
        ...
    pgtheory.errors.NotExactError: a softmax of exact logits is not rational: use SoftmaxPolicy(S, A, weights=True), whose \
theta holds the weights w = e^logit
    """


class UndefinedError(PGTheoryError):
    """A quantity that does not exist here, such as D at gamma = 1, or V where an undiscounted episode never ends.

    >>> import pgtheory as pg
    >>> loop = pg.MDP([[[1.0]]], [[1.0]], 1.0, 0)
    >>> pg.solve(loop, [[1.0]])
    Traceback (most recent call last):
        ...
    pgtheory.errors.UndefinedError: gamma = 1, and state 0 reaches no terminal state under this policy: the undiscounted \
value does not exist; use gamma < 1, or a policy under which every state terminates
    """


class EstimatorError(PGTheoryError):
    """A user's function that cannot be judged: it raised, returned NaN or another shape, gives two answers to one question.

    >>> import pgtheory as pg
    >>> pg.check_estimator(lambda batch, policy, theta, gamma: None)
    Traceback (most recent call last):
        ...
    pgtheory.errors.EstimatorError: your function returned None: return one estimate per trajectory, (N,) + theta's shape \
(4, 2) (is the return statement missing?)
    """


class MissingExtraError(PGTheoryError, ImportError):
    """An optional package is needed and not installed; the message names the extra that brings it.

    >>> import pgtheory as pg
    >>> issubclass(pg.MissingExtraError, ImportError)
    True
    """


class SlowWarning(UserWarning):
    """The answer will be right, and an optional package would give it much sooner; the message names the extra.

    >>> import pgtheory as pg
    >>> issubclass(pg.SlowWarning, UserWarning)
    True
    """
