"""Is the function right but for something that is added, or for another temperature of the policy?

Both are numbers to be found: the coefficient of a term, by least squares over all problems, and the temperature by a search.
A name is given only where the number explains the whole deviation.
"""

from __future__ import annotations

import numpy as np

from .result import Finding

FITS = 1e-6             # share of the deviation that may be left
SEEN = 1e-9             # terms below this size, relative to the target, are none
TEMPERATURES = np.geomspace(0.05, 8.0, 40)


def added(found, truth, terms, free=False, limit=FITS) -> tuple[Finding, ...]:
    """The terms of which a multiple is added; terms : (mutant, vector) pairs; with ``free`` the target may be scaled too."""
    deviation = float(np.linalg.norm(found - truth))
    fits = []
    for mutant, term in terms:
        if float(np.linalg.norm(term)) <= SEEN * float(np.linalg.norm(truth)):
            continue
        coefficient, left = _fitted(found, truth, term, free)
        if left <= limit * deviation:
            fits.append(Finding(mutant.bug, f"{mutant.words}, with coefficient {coefficient:.6g}", left / deviation, look=mutant.look))
    return tuple(fits)


def _fitted(found, truth, term, free):
    """(coefficient, what is left) of found = truth + coefficient term, or of a multiple of that."""
    if not free:
        coefficient = float((found - truth) @ term) / float(term @ term)
        return coefficient, float(np.linalg.norm(found - truth - coefficient * term))
    columns = np.stack([truth, term], axis=1)
    (scale, weight), _, rank, _ = np.linalg.lstsq(columns, found, rcond=1e-9)
    if rank < 2 or scale <= 0:
        return 0.0, float("inf")
    return float(weight / scale), float(np.linalg.norm(found - columns @ [scale, weight]))


def other_temperature(found, truth, mean_at, limit=FITS) -> tuple[Finding, ...]:
    """The score of the policy at x theta for some x; mean_at : x -> vector. The chain rule's factor x may be there or not."""
    from scipy.optimize import minimize_scalar

    deviation = float(np.linalg.norm(found - truth))
    for power, words in ((0, ""), (1, ", differentiated through it")):
        def off(x, power=power):
            return float(np.linalg.norm(found - x**power * mean_at(x))) / deviation
        near = int(np.argmin([off(x) for x in TEMPERATURES]))
        low, high = TEMPERATURES[max(near - 1, 0)], TEMPERATURES[min(near + 1, len(TEMPERATURES) - 1)]
        best = minimize_scalar(off, bounds=(float(low), float(high)), method="bounded", options={"xatol": 1e-12})
        if best.fun <= limit:
            return (Finding("other-temperature", f"the score is that of the policy at {best.x:.6g} theta, another temperature than the one "
                            f"that acts{words}", float(best.fun), look="the temperature: in the sampling, and in the log-probabilities"),)
    return ()
