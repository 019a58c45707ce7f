"""``pgtheory demo``: the demonstrations listed, or the figure of one written to a file."""

from __future__ import annotations

from pathlib import Path

from ..demos import demo, names, title
from ..errors import PGTheoryError
from ..files import require_writable, write_whole
from ..report.text import paragraph


def run(name: str | None, output: Path | None) -> int:
    """Write the figure of ``name`` to ``output`` (NAME.svg here, if None); without a name, list what there is.

    >>> from pgtheory.cli.showing import run
    >>> run(None, None)   # doctest: +ELLIPSIS
    why-policies
        Why learn the policy itself
    ...
    """
    if name is None:
        if output is not None:
            raise PGTheoryError(f"no demonstration is named for {output}: there are {', '.join(names())}")
        for each in names():
            print("\n".join([each, *paragraph(title(each), "    ")]))
        return 0
    from ..demos.style import FORMATS, as_bytes

    title(name)      # an unknown name is told before the file
    target = Path(f"{name}.svg") if output is None else output
    format = target.suffix.lower().lstrip(".")
    if format not in FORMATS:
        raise PGTheoryError(f"{target} has no suffix of a figure: write .{', .'.join(FORMATS)}")
    require_writable(target)
    write_whole(target, as_bytes(demo(name), format))
    print("\n".join(paragraph(title(name))), f"written to {target}", sep="\n")
    return 0
