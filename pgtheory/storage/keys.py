"""The keys that both kinds of model file share."""

from __future__ import annotations

from ..errors import InvalidMDPError

FORMAT, VERSION = "pgtheory.mdp", 1
PARTS = ("P", "R", "gamma", "rho")


def require_keys(document: dict, keys) -> None:
    """Raise :class:`InvalidMDPError` at the first key that is missing, or at another format or version."""
    for name in keys:
        if name not in document:
            near = next((key for key in document if key.lower() == name.lower()), None)
            raise InvalidMDPError(f"the key {name!r} is missing" + (f": is {near!r} meant for it?" if near else
                                  f": a model has the keys {', '.join(keys)}"))
    found, version = document.get("format", FORMAT), document.get("version", VERSION)
    if found != FORMAT:
        raise InvalidMDPError(f"its format is {found!r}, not {FORMAT!r}: this is no model file of pgtheory")
    if version != VERSION:
        raise InvalidMDPError(f"its version is {version!r}, this pgtheory reads version {VERSION}: update pgtheory, or "
                              "correct the key")


def normalize(document: dict) -> bool:
    """The key "normalize", False where it is missing."""
    value = document.get("normalize", False)
    if not isinstance(value, bool):
        raise InvalidMDPError(f"the key 'normalize' is {value!r}: it must be true or false")
    return value
