"""The adapters that the documentation shows: they run, where their library is installed, and so does the page itself."""

import doctest
import importlib.util
from pathlib import Path

import pytest

CHECKS = Path(__file__).resolve().parents[1] / "examples" / "checks"
NEEDS = {"test_numpy": "numpy", "test_pytorch": "torch", "test_jax": "jax", "test_agent": "gymnasium"}
FILES = sorted(CHECKS.glob("test_*.py"))


def load(path):
    spec = importlib.util.spec_from_file_location(f"checks_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cases():
    """One parameter for each test function of each file; one that is skipped where the library is missing."""
    for path in FILES:
        if importlib.util.find_spec(NEEDS[path.stem]) is None:
            yield pytest.param(None, marks=pytest.mark.skip(reason=f"{NEEDS[path.stem]} is not installed"), id=path.stem)
            continue
        module = load(path)
        yield from (pytest.param(fn, id=f"{path.stem}: {name}") for name, fn in vars(module).items() if name.startswith("test_"))


@pytest.mark.parametrize("example", list(cases()))
def test_an_adapter_of_the_documentation_runs(example):
    example()


def test_every_file_is_shown_on_the_page_and_the_page_runs():
    page = CHECKS / "README.md"
    assert {path.stem for path in FILES} == set(NEEDS)
    assert all(f"({path.name})" in page.read_text() for path in FILES)
    found = doctest.testfile(str(page), module_relative=False)
    assert found.attempted > 5 and not found.failed
