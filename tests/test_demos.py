"""Demonstrations: their numbers against closed forms and printed ones, and figures that a lecturer can project."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

import pgtheory as pg
from pgtheory.cli import main
from pgtheory.demos.style import FORMATS, as_bytes

F = Fraction
figure = cache(pg.demo)
every_demo = pytest.mark.parametrize("name", pg.demo.names())


def numbers(name):
    return figure(name).numbers


# -------------------------------------------------------------------------------------------------- the numbers


def test_aliased_states_have_their_best_policy_inside_the_simplex():
    """J(p) = -2(2-p) / (p(1-p)), greatest at 2 - sqrt 2; -82 and -44 are printed by Sutton & Barto 2018, example 13.1."""
    found, p = numbers("why-policies"), numbers("why-policies")["p"]
    np.testing.assert_allclose(found["J"], -2 * (2 - p) / (p * (1 - p)), rtol=1e-11)
    assert round(found["J left, 1 in 20 right"]) == -82 and round(found["J right, 1 in 20 left"]) == -44
    assert found["best J"] == pytest.approx(-6 - 4 * np.sqrt(2), abs=1e-12)
    assert found["J"].max() <= found["best J"] and found["J"][0] < -90 and found["J"][-1] < -90


def test_an_error_beyond_the_gap_turns_the_greedy_policy_round_and_moves_the_softmax_by_its_slope():
    """A logistic function of error / tau has slopes of at most 1 / (4 tau)."""
    found = numbers("why-policies")
    errors = found["errors"]
    assert set(found["greedy"][errors < 0.01 - 1e-9]) == {0.0} and set(found["greedy"][errors > 0.01 + 1e-9]) == {1.0}
    assert 0 < np.diff(found["softmax"]).max() <= np.diff(errors).max() / (4 * 0.1) * (1 + 1e-9)
    np.testing.assert_allclose(found["greedy value"], 1 - 0.01 * found["greedy"], rtol=1e-14)
    np.testing.assert_allclose(found["softmax value"], 1 - 0.01 * found["softmax"], rtol=1e-14)


def test_a_continuous_action_is_found_by_its_gradient_and_not_by_a_grid():
    found = numbers("why-policies")
    assert found["best of five"] == pytest.approx(np.exp(-8 * (0.5 - 0.37) ** 2), abs=1e-14)
    assert found["path"][-1] == pytest.approx(0.37, abs=1e-6) and found["path J"][-1] == pytest.approx(1, abs=1e-9)
    assert (np.diff(found["path J"]) >= -1e-15).all()


def test_the_layers_fill_the_bars_of_D():
    """What is missing after k steps is gamma^k of all probability, no more in any state."""
    found = numbers("occupancy")
    layers, k = found["layers"], np.arange(len(found["filled"]))
    np.testing.assert_allclose(found["filled"], 1 - 0.8**k, rtol=1e-13)
    missing = found["D"] - layers.sum(axis=0)
    assert (missing >= 0).all() and missing.sum() == pytest.approx(0.8 ** len(layers), rel=1e-10)
    assert layers[0].tolist() == pytest.approx([0.2, 0, 0, 0, 0]) and found["D"].sum() == pytest.approx(1)


def test_the_baseline_moves_the_variance_and_not_the_mean():
    """p = 9/10, r = (1, 0): mean p(1-p); the second moment is p(1-p)^2 (1-b)^2 + (1-p)(1-p)^2 b^2, p the taken action's."""
    found = numbers("baseline")
    p, q = F(9, 10), F(1, 10)
    assert set(found["means"]) == {F(9, 100)}
    assert found["variances"] == [p * (q * (1 - b)) ** 2 + q * (p * b) ** 2 - (p * q) ** 2 for b in found["baselines"]]
    assert (found["variance without"], found["variance with the value"], found["variance with the best"]) == (
        F(9, 10_000), F(576, 10_000), 0)
    assert found["value"] == p


def test_what_depends_on_theta_may_be_added_and_what_depends_on_the_action_not():
    found = numbers("baseline")
    assert found["gradient"] == found["mean with a baseline that depends on theta"] == F(1, 4)
    assert found["mean with a term that depends on the action"] == F(-1, 2)
    assert (found["variance of full return"], found["variance of reward-to-go"]) == (0, F(1, 4))


def test_the_field_without_gamma_t_has_an_asymmetric_jacobian():
    slopes = numbers("gamma-t")["cross derivatives"]
    assert slopes["with gamma^t"] == (F(1, 32), F(1, 32))
    assert slopes["without gamma^t"] == (F(1, 32), F(1, 16))
    assert [float(x) for x in slopes["without gamma^t"]] == [0.03125, 0.0625]


def test_the_fields_are_those_of_the_closed_form():
    """gamma (p(1-p) q, p q(1-q)), and the same with the second component undiscounted."""
    found = numbers("gamma-t")
    x, y = np.meshgrid(found["logits"], found["logits"])
    p, q = 1 / (1 + np.exp(-x)), 1 / (1 + np.exp(-y))
    np.testing.assert_allclose(found["J"], p * q / 2, atol=1e-15)
    np.testing.assert_allclose(found["with gamma^t"], np.stack([p * (1 - p) * q, p * q * (1 - q)], axis=-1) / 2, atol=1e-15)
    np.testing.assert_allclose(found["without gamma^t"], np.stack([p * (1 - p) * q / 2, p * q * (1 - q)], axis=-1), atol=1e-15)


def test_the_variances_on_the_corridor_are_1959_and_733():
    """p = 1/2; the mean is dJ/dlogit = p(1-p) J'(p), which is 2 there and 0 at 2 - sqrt 2."""
    found = numbers("variance")
    at = list(found["at 1/2"].values())
    assert at[:2] == pytest.approx([1959, 733], rel=1e-12) and at == sorted(at, reverse=True)
    p = found["p"]
    slope = 2 / (p * (1 - p)) + 2 * (2 - p) * (1 - 2 * p) / (p * (1 - p)) ** 2
    np.testing.assert_allclose(found["mean"], p * (1 - p) * slope, atol=1e-9)
    assert all((np.array(v) > 0).all() for v in found["variances"].values())


def test_the_ascent_ends_at_2_minus_sqrt_2_from_both_sides():
    found = numbers("ascent")
    for p, J in found["paths"]:
        assert p[-1] == pytest.approx(2 - np.sqrt(2), abs=1e-6) and (np.diff(J) >= -1e-12).all()
    assert all(curve[0] == pytest.approx(-2 * 1.8 / 0.16) for curve in found["curves"].values())
    assert all(curve[-1] > -14 for curve in found["curves"].values())


def test_the_limit_of_small_sigma_has_its_two_exponents():
    """Theorem 2 of Silver et al. 2014: the error falls like sigma^2; a score of size 1/sigma: its square grows like 1/sigma^2."""
    found = numbers("sigma-limit")
    assert found["orders"][-1] == pytest.approx(2, abs=1e-3)
    growth = found["score moments"][1:] / found["score moments"][:-1]
    assert growth[-1] == pytest.approx(4, abs=0.01) and found["deterministic moment"] < found["score moments"].min()


# -------------------------------------------------------------------------------------------------- the figures


@every_demo
def test_every_axis_is_labelled_with_its_unit_and_every_panel_has_a_legend(name):
    shown = figure(name)
    assert shown.get_suptitle()
    panels = [axes for axes in shown.axes if axes.get_label() != "<colorbar>"]
    for axes in panels:
        assert axes.get_ylabel() or axes.get_xlabel()
        assert len(axes.get_xlabel()) + len(axes.get_ylabel()) > 5
    legends = [axes.get_legend() for axes in panels]
    assert sum(legend is not None for legend in legends) >= max(1, len(panels) - 1)


@every_demo
def test_a_figure_is_written_in_every_format(name):
    svg = as_bytes(figure(name), "svg")
    assert ET.fromstring(svg).tag.endswith("svg")
    assert figure(name)._repr_png_()[:4] == b"\x89PNG"


@every_demo
def test_no_text_lies_outside_the_figure(name):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    shown = figure(name)
    canvas = FigureCanvasAgg(shown)
    canvas.draw()
    box = shown.get_tightbbox(canvas.get_renderer())
    width, height = shown.get_size_inches()
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height


def test_the_same_demonstration_gives_the_same_file():
    first, second = (as_bytes(pg.demo("occupancy"), "svg") for _ in range(2))
    assert first == second and as_bytes(figure("occupancy"), "pdf")[:4] == b"%PDF"


def test_no_display_and_no_pyplot():
    code = "import sys, pgtheory as pg\npg.demo('baseline')\nsys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_unknown_name_names_what_is_close():
    with pytest.raises(pg.PGTheoryError, match="no demonstration 'gamma': did you mean gamma-t"):
        pg.demo("gamma")
    with pytest.raises(pg.PGTheoryError, match="there are why-policies"):
        pg.demo("zzz")


# ---------------------------------------------------------------------------------------------- the command line


def test_without_a_name_they_are_listed(capsys):
    assert main(["demo"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert tuple(line for line in lines if not line.startswith(" ")) == pg.demo.names()
    assert max(map(len, lines)) <= 80


def test_a_figure_is_written_where_it_is_asked_for(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "baseline"]) == 0
    assert main(["demo", "baseline", "--output", "b.png"]) == 0
    assert (tmp_path / "baseline.svg").read_bytes().startswith(b"<?xml") and (tmp_path / "b.png").read_bytes()[:4] == b"\x89PNG"
    assert capsys.readouterr().out.splitlines()[1] == "written to baseline.svg"


@pytest.mark.parametrize("arguments, complaint", [
    (["gamm-t"], "did you mean gamma-t"),
    (["gamma-t", "--output", "a.txt"], f"write .{', .'.join(FORMATS)}"),
    (["--output", "a.svg"], "no demonstration is named for a.svg"),
    (["gamma-t", "--output", "nowhere/a.svg"], "cannot be written"),
])
def test_bad_input_is_told_in_one_line(arguments, complaint, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["demo", *arguments]) == 2
    error = capsys.readouterr().err
    assert complaint in error and error.count("\n") == 1 and not list(tmp_path.iterdir())


@every_demo
def test_the_letters_are_large_and_none_is_cut_off(name):
    """On a page as wide as a screen: 11 points and more, and every title and label inside the figure, in its own room."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    shown = figure(name)
    renderer = FigureCanvasAgg(shown).get_renderer()
    shown.draw(renderer)
    page = shown.bbox
    for axes in shown.axes:
        texts = [t for t in (axes.title, axes.xaxis.label, axes.yaxis.label) if t.get_text()]
        legend = axes.get_legend()
        inside = legend.get_texts() if legend else []
        assert all(t.get_fontsize() >= 11 for t in [*texts, *inside]), [t.get_text() for t in texts]
        for box in [t.get_window_extent(renderer) for t in texts] + ([legend.get_window_extent(renderer)] if legend else []):
            assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1
    titles = [axes.title.get_window_extent(renderer) for axes in shown.axes if axes.get_title()]
    assert not any(a.overlaps(b) for i, a in enumerate(titles) for b in titles[i + 1:])
