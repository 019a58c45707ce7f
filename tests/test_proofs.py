"""The files of ``proofs/``: every example runs, every formula can be typeset, the index points at things that exist."""

from __future__ import annotations

import doctest
import re
from importlib import import_module
from pathlib import Path

import pytest

import pgtheory as pg
from pgtheory.derivations import DERIVATIONS, ON_ACTIONS, ON_TRAJECTORIES
from pgtheory.derivations.instance import action_instance, episode_instance, instance
from pgtheory.report.typeset import mathml

ROOT = Path(__file__).resolve().parent.parent
PROOFS = sorted((ROOT / "proofs").glob("*.md"))
DERIVED = DERIVATIONS | ON_ACTIONS | ON_TRAJECTORIES
CLAIMS = [ROOT / "proofs" / f"{slug}.md" for slug in DERIVED]
CODE = re.compile(r"```.*?```", re.S)
DISPLAY = re.compile(r"^\$\$\n(.*?)\n\$\$$", re.S | re.M)
UNKNOWN_TO_THE_CONVERTER = {r"\blacksquare": "x"}   # which GitHub's MathJax knows


def name(path):
    return path.stem


def failures(text):
    """(failed, attempted) of the examples in a text."""
    runner = doctest.DocTestRunner(verbose=False)
    test = doctest.DocTestParser().get_doctest(text, {}, "proof", None, 0)
    return runner.run(test, out=lambda line: None)


@pytest.mark.parametrize("path", PROOFS, ids=name)
def test_every_example_runs_and_gives_what_is_printed(path):
    failed, attempted = doctest.testfile(str(path), module_relative=False)
    assert attempted >= 10 and failed == 0


def test_a_wrong_number_in_a_proof_is_reported():
    text = (ROOT / "proofs" / "recursion.md").read_text()
    assert failures(text).failed == 0
    for right, wrong in (("(Fraction(5, 9), True)", "(Fraction(4, 9), True)"),
                         ("first + gamma * (P_pi @ grad_V)", "first + (P_pi @ grad_V)"),
                         ("M[:, -1]", "M[:, 0]")):
        assert right in text
        assert failures(text.replace(right, wrong)).failed > 0, right


# ---------------------------------------------------------------------------------- proofs and derivations


@pytest.mark.parametrize("slug", list(pg.theorems.builtin))
def test_every_claim_has_its_file_of_proof_and_its_derivation(slug):
    assert (ROOT / pg.theorems[slug].proof).is_file() and slug in DERIVED


@pytest.mark.parametrize("slug", list(DERIVED))
def test_every_line_that_runs_is_a_section_of_the_proof_with_an_example(slug):
    text = (ROOT / pg.theorems[slug].proof).read_text()
    sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", text, re.S | re.M))
    made = action_instance if slug in ON_ACTIONS else episode_instance if slug in ON_TRAJECTORIES else instance
    for line in DERIVED[slug].lines(made(k=3)):
        assert ">>>" in sections[line.title], line.title
    assert {"Hypotheses"} <= set(sections)


@pytest.mark.parametrize("path", CLAIMS, ids=name)
def test_every_proof_ends_and_names_its_source_function_and_call(path):
    text = path.read_text()
    for part in ("**Claim** (`" + path.stem, "**Source.**", "**Function.**", f'pg.prove("{path.stem}"', "\\blacksquare"):
        assert part in text, part


# ---------------------------------------------------------------------------------- formulas


def formulas(path):
    """(displays, inlines) of a file, code left out."""
    text = CODE.sub("", path.read_text())
    displays = DISPLAY.findall(text)
    rest = re.sub(r"`[^`]*`", "", DISPLAY.sub("", text))
    assert "$$" not in rest, "a display formula needs lines of its own"
    paragraphs = re.split(r"\n\s*\n|\n(?=[|#])", rest)
    inlines = []
    for paragraph in paragraphs:
        assert paragraph.count("$") % 2 == 0, paragraph
        inlines += re.findall(r"\$([^$]+)\$", paragraph)
    return displays, inlines


@pytest.mark.parametrize("path", PROOFS, ids=name)
def test_every_formula_can_be_typeset(path):
    displays, inlines = formulas(path)
    assert displays or inlines
    for formula in displays + inlines:
        for command, known in UNKNOWN_TO_THE_CONVERTER.items():
            formula = formula.replace(command, known)
        shown = mathml(" ".join(formula.split()))
        assert not shown.startswith("<code>"), formula


@pytest.mark.parametrize("path", PROOFS, ids=name)
def test_no_formula_holds_what_markdown_would_take_for_its_own(path):
    """Escaped punctuation loses its backslash, "*" is emphasis, "<k" opens a tag, a line that starts with "+" is a list."""
    displays, inlines = formulas(path)
    for formula in displays + inlines:
        assert not re.search(r"\\[^a-zA-Z\s]", formula), formula
        assert "*" not in formula and not re.search(r"<\S", formula), formula
        assert not re.search(r"^\s*([-+#>]|\d+\.)\s", formula, re.M), formula
        assert formula.count("{") == formula.count("}"), formula
    for formula in inlines:
        assert "\n" not in formula and formula == formula.strip(), formula


@pytest.mark.parametrize("path", PROOFS, ids=name)
def test_display_formulas_stand_between_blank_lines(path):
    lines = CODE.sub("", path.read_text()).splitlines()
    marks = [i for i, line in enumerate(lines) if line == "$$"]
    assert len(marks) % 2 == 0
    for first, last in zip(marks[::2], marks[1::2], strict=True):
        assert not lines[first - 1].strip() and not lines[last + 1].strip()
        assert all(line.strip() for line in lines[first:last])


# ---------------------------------------------------------------------------------- the index


def rows():
    text = (ROOT / "proofs" / "README.md").read_text()
    index = text[text.index("## Index"):]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in re.findall(r"^\|.*\|$", index, re.M)[2:]]


def test_the_index_lists_every_file_and_every_derivation_once():
    files = [re.search(r"\]\((.+?)\)", row[2]).group(1) for row in rows()]
    assert sorted(files) == sorted(path.name for path in PROOFS if path.stem != "README")
    assert set(DERIVED) <= {re.match(r"`(.+?)`", row[0]).group(1) for row in rows() if row[0].startswith("`")}


def test_the_functions_and_tests_of_the_index_exist():
    for row in rows():
        assert len(row) == 5
        for dotted in re.findall(r"`(pgtheory[.\w]+)`", row[3]):
            module, _, last = dotted.rpartition(".")
            try:
                import_module(dotted)
            except ImportError:
                assert hasattr(import_module(module), last), dotted
        for test in re.findall(r"`(tests/.+?)`", row[4]):
            assert (ROOT / test).is_file(), test


@pytest.mark.parametrize("path", PROOFS, ids=name)
def test_links_between_the_files_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
        assert (path.parent / target).exists(), target
