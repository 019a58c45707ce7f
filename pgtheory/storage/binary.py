"""The .npz layout: float64 and integers, compact, never pickled."""

from __future__ import annotations

import io
import zipfile
import zlib

import numpy as np
import scipy.sparse

from ..arithmetic import INTEGER
from ..errors import InvalidMDPError, NotExactError, PGTheoryError
from .keys import FORMAT, VERSION, normalize, require_keys

NORMALIZE = "normalize=True"
SCALARS = ("format", "version", "normalize", "gamma", "rho")   # kept as arrays of no dimension; rho only where it is a state
DAMAGE = (OSError, ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile, zlib.error, RuntimeError)


def encode(mdp) -> bytes:
    """The bytes of an .npz file; exact models are refused."""
    if mdp.arithmetic.exact:
        raise NotExactError("an .npz file holds floats and this model is exact: save it as .json, which keeps fractions")
    arrays = {"format": np.array(FORMAT), "version": np.array(VERSION), "gamma": _stored(np.array(mdp.gamma), mdp),
              "rho": _stored(mdp.rho, mdp)}
    for name, array in (("P", mdp.P), ("R", mdp.R)):
        if scipy.sparse.issparse(array):
            coordinates = array.tocoo()
            arrays |= {"P_shape": np.array(array.shape), f"{name}_row": coordinates.row, f"{name}_col": coordinates.col,
                       f"{name}_data": _stored(coordinates.data, mdp)}
        else:
            arrays[name] = _stored(array, mdp)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _stored(array, mdp):
    """Integers of an integer model, so that it loads as one; floats otherwise."""
    if mdp.arithmetic != INTEGER:
        return array
    if np.abs(array).max(initial=0) >= 2**63:
        raise NotExactError("an integer entry does not fit into 64 bits: save the model as .json")
    return array.astype(np.int64)


def decode(content: bytes, build):
    """The model in the bytes of an .npz file."""
    data = _unpack(content)
    require_keys(data, (*_names("P", data), *_names("R", data), "gamma", "rho"))
    return build(P=_gathered("P", data), R=_gathered("R", data), gamma=data["gamma"], rho=data["rho"], normalize=normalize(data))


def _unpack(content) -> dict:
    try:
        archive = np.load(io.BytesIO(content), allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise InvalidMDPError("it is a single array: write numpy.savez(path, P=P, R=R, gamma=gamma, rho=rho)")
        data = {name: archive[name] for name in archive.files}
    except PGTheoryError:
        raise
    except DAMAGE as error:
        raise InvalidMDPError(f"it is damaged, or no .npz file of plain numbers ({_first_line(error)}): "
                              "write it again") from None
    return {name: x.item() if name in SCALARS and x.ndim == 0 else x for name, x in data.items()}


def _names(name, data):
    """The keys that hold the array ``name``; R has the shape of P."""
    return ("P_shape", f"{name}_row", f"{name}_col", f"{name}_data") if f"{name}_data" in data else (name,)


def _gathered(name, data):
    """The array ``name``, or the csr array of its coordinates."""
    names = _names(name, data)
    if len(names) == 1:
        return data[name]
    shape, row, col, values = (data[key] for key in names)
    for key in names[:3]:
        if data[key].ndim != 1 or data[key].dtype.kind not in "iu":
            raise InvalidMDPError(f"{key} must be a vector of integers")
    if shape.size != 2 or not 0 < shape[0] <= data.get("P_data", values).size:
        raise InvalidMDPError(f"P_shape is {shape.tolist()}: it must be [S*A, S], with an entry of P in every row")
    try:
        array = scipy.sparse.coo_array((values, (row, col)), shape=tuple(shape.tolist())).tocsr()
    except (ValueError, TypeError) as error:
        raise InvalidMDPError(f"the coordinates of {name} do not make a sparse array: {_first_line(error)}") from None
    if array.nnz != values.size:
        raise InvalidMDPError(f"the coordinates of {name} repeat a place: give every place once")
    return array


def _first_line(error) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
