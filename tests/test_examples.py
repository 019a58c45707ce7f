"""The notebooks of ``examples/`` (percent format, for jupytext) run from first to last, one for each demonstration."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

import pgtheory as pg

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
NOTEBOOKS = sorted(path for path in EXAMPLES.glob("*.py") if "# %%" in path.read_text())


def test_every_demonstration_has_its_notebook():
    shown = {name for name in pg.demo.names() for path in NOTEBOOKS if f'pg.demo("{name}")' in path.read_text()}
    assert shown == set(pg.demo.names()) and len(NOTEBOOKS) == len(shown)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_runs(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(path))
    assert capsys.readouterr().out and not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_of_cells_that_jupytext_reads(path):
    text = path.read_text()
    assert "format_name: percent" in text and text.count("# %% [markdown]") >= 1
    for cell in text.split("# %%")[1:]:
        body = cell.splitlines()[1:]
        if cell.startswith(" [markdown]"):
            assert all(line.startswith("#") or not line for line in body), path.name


def test_the_figure_of_the_readme_is_drawn(tmp_path):
    main = runpy.run_path(str(EXAMPLES / "error_against_step.py"))["main"]
    main(str(tmp_path / "error.svg"))
    assert (tmp_path / "error.svg").read_text().count("<svg") == 1
