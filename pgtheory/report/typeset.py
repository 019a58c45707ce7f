"""LaTeX -> MathML, which browsers typeset by themselves, without a script or a network."""

from __future__ import annotations

from html import escape, unescape
from xml.etree import ElementTree

TAGS = frozenset({
    "math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "msub", "msup", "msubsup", "munder", "mover", "munderover", "mfrac",
    "msqrt", "mroot", "mtable", "mtr", "mtd", "mstyle", "mpadded", "mphantom", "menclose",
})
ATTRIBUTES = frozenset({
    "xmlns", "display", "stretchy", "fence", "form", "separator", "accent", "minsize", "maxsize", "width", "height", "depth",
    "lspace", "rspace", "linethickness", "mathvariant", "mathsize", "displaystyle", "scriptlevel", "columnalign",
    "columnlines", "columnspacing", "rowspacing", "rowlines", "linebreak", "notation", "symmetric", "movablelimits",
})
PRIMES = set("\u2032\u2033\u2034")
CHILDREN = {"msub": 2, "msup": 2, "munder": 2, "mover": 2, "mfrac": 2, "mroot": 2, "msubsup": 3, "munderover": 3}
RENAMED = (("{aligned}", "{align*}"), ("{gathered}", "{align*}"))   # the converter knows the latter


def mathml(latex: str, display: str = "block") -> str:
    """``latex`` as a MathML element, or as escaped ``<code>`` where it cannot be typeset.

    What comes back from the converter is believed only as far as it is well-formed MathML: it passes text through
    unescaped, and turns unknown commands into identifiers.

    >>> mathml("x < 1", display="inline")
    '<math xmlns="http://www.w3.org/1998/Math/MathML" display="inline"><mrow><mi>x</mi><mo>&lt;</mo><mn>1</mn></mrow></math>'
    >>> mathml(r"\\unknown{x}")
    '<code>\\\\unknown{x}</code>'
    """
    tree = _tree(latex, display)
    return f"<code>{escape(latex)}</code>" if tree is None else ElementTree.tostring(tree, encoding="unicode")


def statement(latex: str) -> str:
    """A displayed statement: one element for each of the things that it says side by side (``\\qquad``), so that they wrap.

    >>> statement(r"a = b, \\qquad b = a").count("<math")
    2
    """
    parts = [mathml(part.strip()) for part in latex.split(r"\qquad")]
    return mathml(latex) if any(part.startswith("<code>") for part in parts) else "\n".join(parts)


def _tree(latex, display):
    from latex2mathml.converter import convert_to_element

    for ours, theirs in RENAMED:
        latex = latex.replace(ours, theirs)
    try:
        tree = convert_to_element(latex, display=display)
    except Exception:   # the converter's errors share no base class, and malformed input also raises IndexError
        return None
    for node in tree.iter():
        node.text = unescape(node.text) if node.text else node.text
    if not all(map(_sound, tree.iter())):
        return None
    for node in tree.iter("msup"):
        _lower_prime(node)
    return tree


def _sound(node) -> bool:
    return (node.tag in TAGS and ATTRIBUTES.issuperset(node.attrib)
            and len(node) == CHILDREN.get(node.tag, len(node))
            and "\\" not in (node.text or "") and node.text != "&")


def _lower_prime(node) -> None:
    """s' beside its letter, not above it: fonts raise the prime already, and below a sum it would be too small to see."""
    prime = node[1]
    if prime.text and set(prime.text) <= PRIMES:
        node.tag, prime.tag = "mrow", "mo"
        prime.attrib.update(lspace="0", rspace="0")
