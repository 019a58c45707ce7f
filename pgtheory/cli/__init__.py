"""The command line, `pgtheory`: one module per command, assembled in `app`."""

from .app import main

__all__ = ["main"]
