"""The keys that both kinds of model file share."""

from __future__ import annotations

from difflib import get_close_matches

from ..errors import InvalidMDPError

FORMAT, VERSION = "pgtheory.mdp", 1
PARTS = ("P", "R", "gamma", "rho")
OTHERS = ("format", "version", "normalize", "name", "title", "description", "source", "comment")
SYNONYMS = {"discount": "gamma", "start": "rho", "initial": "rho", "mu": "rho", "rewards": "R", "reward": "R", "transitions": "P"}


def require_keys(document: dict, keys) -> None:
    """Raise :class:`InvalidMDPError` at the first key that is missing or unknown, or at another format or version."""
    for name in keys:
        if name not in document:
            near = next((key for key in document if key.lower() == name.lower()), None)
            raise InvalidMDPError(f"the key {name!r} is missing" + (f": is {near!r} meant for it?" if near else
                                  f": a model has the keys {', '.join(keys)}"))
    unknown = next((key for key in document if key not in (*keys, *OTHERS)), None)
    if unknown is not None:
        raise InvalidMDPError(f"the key {unknown!r} is unknown{_meant(unknown)}: what is not read is refused; words about the "
                              "model go under 'description' or 'comment'")
    found, version = document.get("format", FORMAT), document.get("version", VERSION)
    if found != FORMAT:
        raise InvalidMDPError(f"its format is {found!r}, not {FORMAT!r}: this is no model file of pgtheory")
    if version != VERSION:
        raise InvalidMDPError(f"its version is {version!r}, this pgtheory reads version {VERSION}: update pgtheory, or "
                              "correct the key")


def _meant(key: str) -> str:
    near = SYNONYMS.get(key.lower()) or next(iter(get_close_matches(key, (*PARTS, *OTHERS), n=1)), None)
    return f" (is {near!r} meant?)" if near else ""


def normalize(document: dict) -> bool:
    """The key "normalize", False where it is missing."""
    value = document.get("normalize", False)
    if not isinstance(value, bool):
        raise InvalidMDPError(f"the key 'normalize' is {value!r}: it must be true or false")
    return value
