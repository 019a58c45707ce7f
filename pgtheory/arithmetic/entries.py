"""Object arrays: how they are filled, and how a large one is looked at without asking each of its entries in Python."""

from __future__ import annotations

import numpy as np


def objects(values, shape) -> np.ndarray:
    """An object array of this shape with these entries, in C order; numpy does not look inside them."""
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out.reshape(shape)


def distinct(entries: list) -> dict:
    """{id: object} of the objects in a list: the one zero that fills most of a large table is looked at once."""
    return dict(zip(map(id, entries), entries, strict=True))


def nonzero(array) -> np.ndarray:
    """bool array: where an object array is not 0."""
    entries = array.ravel().tolist()
    filled = {key: x != 0 for key, x in distinct(entries).items()}
    return np.fromiter((filled[key] for key in map(id, entries)), dtype=bool, count=len(entries)).reshape(array.shape)
