"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from uuid import uuid4

from .errors import PGTheoryError


def write_whole(path, content: bytes) -> None:
    """``content`` at ``path``: what stood there stays until all of it is on the disk; a pipe or device is written into.

    Raises :class:`PGTheoryError` where that is not possible.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.txt"
    >>> write_whole(path, b"whole")
    >>> path.read_bytes()
    b'whole'
    """
    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(content)
        else:
            _replace(target, content)
    except OSError as error:
        raise _unwritable(path, error) from error


def require_writable(path) -> None:
    """Raise :class:`PGTheoryError` now where :func:`write_whole` would later, after the work is done."""
    target = Path(os.path.realpath(path))
    try:
        if target.is_dir() or not target.parent.is_dir():
            open(target, "ab").close()   # raises, and says which of the two it is
        elif not target.exists() or target.is_file():
            probe = _beside(target)
            open(probe, "xb").close()
            probe.unlink()
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path, error) -> PGTheoryError:
    return PGTheoryError(f"{path} cannot be written ({error.strerror or error}): name a file in an existing directory where "
                         "you may write")


def _beside(target: Path) -> Path:
    return target.with_name(f".{uuid4().hex}.tmp")


def _replace(target: Path, content: bytes) -> None:
    beside = _beside(target)
    try:
        with open(beside, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, beside)
        os.replace(beside, target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
