"""Betting on the mean of bounded draws: the wealth processes behind the sequential test.

A bet that the mean of X lies above m multiplies the wealth by 1 + stake (X - m). While the mean is at most m the wealth is a
non-negative supermartingale from 1, and by Ville's inequality it ever reaches 1/alpha with probability at most alpha. An
average of wealths over a grid of stakes is such a wealth too, so that no stake needs to be tuned.

Sources: Ville 1939, *Etude critique de la notion de collectif*; Waudby-Smith & Ramdas 2024, *Estimating means of bounded
random variables by betting*, JRSS B 86.
"""

from __future__ import annotations

import numpy as np

N_STAKES = 12
BOLDEST = 0.95          # of the stake that could lose everything at one draw
NARROW = 1e-3           # a mean this close to an end of the box is bet on as if it were this far (in widths of the box)
POINT = 1e-290          # boxes no wider are points: their stakes would overflow
PRODUCT = 64            # factors in [0.05, 951] multiplied before a logarithm: 951^64 = 4e190 does not overflow
SIDE_BY_SIDE = 256      # processes bet on at once: 256 * 64 * 12 factors are 1.6 MB


class Bets:
    """Wealth of one-sided bets: p processes, each on a grid of stakes.

    Parameters
    ----------
    column : (p,) int, the coordinate of X that each process bets on
    sign : (p,) +1 bets that the mean is above ``centre``, -1 that it is below
    centre : (p,) the mean that is bet against
    low, high : (p,) the box of that coordinate
    budget : int, number of draws at most

    Attributes
    ----------
    loss : (p,) the most that one draw can cost per unit of stake
    stakes, log_wealth : (p, N_STAKES)

    >>> import numpy as np
    >>> bets = Bets(*np.array([[0], [1.0], [0.5], [0.0], [1.0]]), budget=100)
    >>> bets.update(np.ones((10, 1)))
    >>> bool(np.allclose(bets.log_wealth, 10 * np.log1p(0.5 * bets.stakes)))
    True
    """

    def __init__(self, column, sign, centre, low, high, budget):
        self.column, self.sign, self.centre = np.asarray(column, dtype=np.intp), sign, centre
        self.loss = np.where(sign > 0, centre - low, high - centre)
        self.stakes = stakes(self.loss, high - low, budget)
        self.log_wealth = np.zeros(self.stakes.shape)

    def update(self, X, which=None):
        """Bet on the draws X (n, coordinates), in the processes ``which`` (all, by default)."""
        which = np.arange(len(self.column)) if which is None else which
        for part in np.split(which, range(SIDE_BY_SIDE, len(which), SIDE_BY_SIDE)):
            self.log_wealth[part] += self._earned(X, part)

    def _earned(self, X, part):
        """(processes, N_STAKES) log of what the draws multiply the wealths by."""
        column, sign, centre, stake = (x[part] for x in (self.column, self.sign, self.centre, self.stakes))
        earned = np.zeros(stake.shape)
        for start in range(0, len(X), PRODUCT):
            gain = (X[start:start + PRODUCT, column] - centre) * sign
            factors = gain[:, :, None] * stake
            factors += 1.0
            earned += np.log(np.multiply.reduce(factors, axis=0))
        return earned


def unit(width):
    """(p,) the widths as units of measure: 1 where there is no width."""
    return np.where(width > POINT, width, 1.0)


def stakes(loss, width, budget):
    """(p, N_STAKES) geometric grids from the boldest safe stake down to one too small to pay within ``budget`` draws.

    A bias that shows in n draws exceeds 2 sd / sqrt(n), and its best stake is about bias / sd^2, with sd <= width / 2.
    Nothing is staked where the box is a point.
    """
    top = BOLDEST / np.maximum(loss / unit(width), NARROW)
    bottom = np.minimum(top / 4, 4 / np.sqrt(budget))
    grid = top[:, None] * (bottom / top)[:, None] ** np.linspace(0, 1, N_STAKES) / unit(width)[:, None]
    return np.where(width[:, None] > POINT, grid, 0.0)


def log_mean_exp(x, axes):
    """log of the mean of exp(x) over ``axes``, without overflow."""
    largest = x.max(axis=axes, keepdims=True)
    return np.squeeze(largest, axis=axes) + np.log(np.exp(x - largest).mean(axis=axes))


def quadratic_loss(c):
    """The least psi with log(1 + x) >= x - psi x^2 for all x >= -c, from 1/2 at c = 0 upward; c < 1.

    It is (-log(1 - c) - c) / c^2 (Fan, Grama, Liu 2015), taken at 1e-4 for smaller c, where that would cancel.

    >>> quadratic_loss(0.5).round(6)
    np.float64(0.772589)
    """
    c = np.maximum(c, 1e-4)
    return (-np.log1p(-c) - c) / c**2
