"""The tables of tests/README.md are true: every statistical test is listed, and false alarms add up to less than 1e-6."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent
README = (TESTS / "README.md").read_text()
ROW = re.compile(r"^\| `(\w+)`: `(\w+)` \|.*\| (\d+(?:\.\d+)?e-\d+) \| (\d+) \|$", re.MULTILINE)


def statistical():
    """{(file, test)} whose docstring states a null hypothesis."""
    found = set()
    for path in TESTS.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
                    and re.search(r"\bH0:|\bNull( hypothesis)?:", ast.get_docstring(node) or "")):
                found.add((path.stem, node.name.removeprefix("test_")))
    return found


def listed():
    return {(file, test): float(alpha) * int(cases) for file, test, alpha, cases in ROW.findall(README)}


def test_every_test_with_a_null_hypothesis_is_listed():
    assert statistical() <= set(listed())


def test_listed_tests_exist():
    for file, test in listed():
        assert f"def test_{test}(" in (TESTS / f"{file}.py").read_text(), (file, test)


def test_false_alarms_of_the_suite_add_up_to_less_than_one_in_a_million():
    assert 0 < sum(listed().values()) < 1e-6


def test_every_test_file_has_a_place():
    patterns = re.findall(r"`(test_[\w*]+)\.py`", README)
    for path in TESTS.glob("test_*.py"):
        assert any(re.fullmatch(pattern.replace("*", r"\w*"), path.stem) for pattern in patterns), path.name
