"""Reports: text, JSON, HTML and figures say what the checks say, and no more."""

import dataclasses
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from fractions import Fraction
from html.parser import HTMLParser

import numpy as np
import pytest
import sympy

import pgtheory as pg
from pgtheory.checks.record import OF_SCORES
from pgtheory.report.figures import error_figure, guides
from pgtheory.report.html import as_html
from pgtheory.report.style import SCOPED
from pgtheory.report.typeset import mathml, statement
from pgtheory.report.words import bound, established, size, small, verdict

ONE = np.array([1.0, -2.5])
STEPS = tuple(2.0**-k for k in range(1, 40))
SWEEP = (STEPS, tuple(3 * h**2 + 2e-16 / h for h in STEPS))
VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "wbr"}


def check(verdict="PASS", kind="bounded", **changes):
    made = pg.Check("stochastic", "log form", "complex-step", kind, ONE, ONE, 1e-16, 1e-12, verdict)
    return dataclasses.replace(made, **changes)


@pytest.fixture(scope="module")
def floating():
    mdp = pg.models.load("start-matters")
    return pg.verify(mdp, pg.SoftmaxPolicy(2, 2), [[0.3, -0.2], [0.1, 0.5]], samples=2000)


@pytest.fixture(scope="module")
def exact():
    mdp = pg.models.load("start-matters", exact=True)
    weights = [[Fraction(1), Fraction(2)], [Fraction(3), Fraction(1)]]
    return pg.verify(mdp, pg.SoftmaxPolicy(2, 2, weights=True), weights, samples=0)


@pytest.fixture(scope="module")
def hostile():
    """Names, notes and reasons that are long, not ASCII, and full of markup."""
    evil = '<script>alert("1")</script> & é ' + "x" * 120
    one = check(theorem=evil, part=evil, route=evil, note=evil, verdict="FAIL", lhs=np.array([1e-300, np.inf]), curve=SWEEP)
    return pg.Report((one, check("INCONCLUSIVE", "statistical", note=evil)), ((evil, evil),), evil, evil, {evil: evil})


# ---------------------------------------------------------------------------------------------------- verdicts


def test_a_claim_is_established_by_an_exact_or_bounded_pass_and_no_fail():
    for checks, expected in (
        ([check()], True),
        ([check(kind="exact")], True),
        ([check(), check("INCONCLUSIVE")], True),
        ([check(), check("FAIL")], False),
        ([check(kind="statistical")], False),
        ([check("INCONCLUSIVE")], False),
        ([check(), check(theorem="bellman", verdict="INCONCLUSIVE")], False),
        ([], False),
    ):
        report = pg.Report(tuple(checks))
        assert report.passed is expected
        assert (verdict(report) == "PASSED") is expected


def test_the_sentence_counts_every_check_once():
    checks = ([check(kind="exact")] * 3 + [check()] * 4 + [check(kind="statistical")] * 2 + [check("INCONCLUSIVE")] * 5
              + [check("FAIL", theorem="bellman")] * 6)
    sentence = established([pg.Report(tuple(checks), (("occupancy", "why"), ("stochastic", "one route only")))])
    assert sentence.startswith("FAILED: 1 of 3 claims established")
    for words in ("3 exact equalities", "4 agreements within bounds", "2 statistical PASS", "6 of 20 checks FAIL (bellman)",
                  "5 INCONCLUSIVE, which show nothing", "1 claim skipped, which shows nothing"):
        assert words in sentence


def test_the_sentence_never_says_passed_where_something_is_open():
    only_statistical = established([pg.Report((check(kind="statistical"),))])
    assert only_statistical.startswith("NOT ESTABLISHED") and "no exact or bounded PASS for stochastic" in only_statistical
    assert established([pg.Report((check(),)), pg.Report((check("FAIL"),))]).startswith("FAILED")
    assert established([pg.Report((check(),)), pg.Report(())]).startswith("NOT ESTABLISHED")
    assert established([]).startswith("NOT ESTABLISHED: no claim was checked")


def test_the_sentence_says_what_the_tolerance_is_a_part_of():
    """An entry of the gradient; but 5 % of a right side of 0 would be 0, and what is excluded there is a part of the scores."""
    entry, scores = check(kind="statistical"), check(kind="statistical", note=f"5 % of {OF_SCORES}")
    context = {"tolerance": 0.05, "alpha": 1e-6}

    def sentence(*checks):
        return established([pg.Report((check(), *checks), context=context)])

    assert "(0.05 of the largest entry; error" in sentence(entry)
    assert f"(0.05 of {OF_SCORES}; error" in sentence(scores)
    assert f"(0.05 of the largest entry, or, where that is 0, of {OF_SCORES}; error" in sentence(entry, scores)


def test_the_sentence_of_eglp_speaks_of_scores():
    report = pg.verify(pg.models.load("start-matters"), pg.SoftmaxPolicy(2, 2), [[0.0, 0.0]] * 2, theorems=["eglp"])
    assert any(c.kind == "statistical" and c.verdict == "PASS" for c in report.checks)
    assert "of the largest entry" not in established([report]) and OF_SCORES in established([report])


def test_the_sentence_names_scale_and_conditioning(floating):
    context = floating.context
    assert f"value scale {context['value_scale']:.4g}" in established([floating])
    assert f"conditioning {context['conditioning']:.4g} (1/(1-gamma))" in established([floating])
    undiscounted = dataclasses.replace(floating, context=context | {"gamma": 1.0})
    assert "(the mean episode length)" in established([undiscounted])


def test_numbers_in_few_digits():
    assert size(np.array([[Fraction(-2, 3)]], dtype=object)) == "0.6667"
    assert size(np.array([np.nan])) == "nan" and size(np.zeros((0, 2))) == "0"
    assert size(np.array([sympy.Symbol("x")])) == "symbolic"
    assert size(np.array([1 + 1j])) == "1.414"
    assert small(0) == small(Fraction(0)) == "0" and small(1e-320) != "0"
    assert bound(check(kind="exact", bound=0.0)) == "exact"


# -------------------------------------------------------------------------------------------------------- text


def test_text_is_ascii_and_80_columns(floating, exact, hostile):
    wide = check("INCONCLUSIVE", error=1e-123, bound=1e-123, lhs=np.array([1e-123]), rhs=np.array([1e-123]), route="r" * 40)
    for report in (floating, exact, hostile, pg.Report(()), pg.Report((wide,))):
        text = str(report)
        assert text.isascii() and not re.search(r"[\x00-\x09\x0b-\x1f]", text)
        assert max(map(len, text.splitlines())) <= 80


def test_text_shows_every_check_with_its_numbers(floating):
    text = str(floating)
    rows = [line for line in text.splitlines() if re.search(r"(PASS|FAIL|INCONCLUSIVE)$", line)]
    assert len(rows) == len(floating.checks)
    for row, made in zip(rows, floating.checks, strict=True):
        assert row.split()[-5:] == [size(made.lhs), size(made.rhs), small(made.error), bound(made), made.verdict]
        assert row.split()[0] == made.route
    for slug in floating.claims:
        assert f"\n{slug}\n" in text


def test_text_gives_reasons_and_what_was_drawn():
    report = pg.Report((check("INCONCLUSIVE", "statistical", note="too few draws"), check(note="not shown in text")),
                       (("bellman", "no time"), ("recursion", "no time")))
    text = str(report)
    assert "too few draws" in text and "bellman, recursion: no time" in text and "not shown" not in text


def test_text_marks_equality_as_exact(exact):
    assert exact.passed
    assert all(made.error == 0 for made in exact.checks if made.kind == "exact")
    assert str(exact).count(" exact  PASS") == sum(made.kind == "exact" for made in exact.checks) > 0


# -------------------------------------------------------------------------------------------------------- JSON


def test_json_round_trip_loses_nothing(floating, exact):
    for report in (floating, exact):
        data = report.to_dict()
        back = json.loads(json.dumps(data, allow_nan=False))
        assert back == data
        assert back["version"] == pg.__version__ and back["passed"] is report.passed
        for entry, made in zip(back["checks"], report.checks, strict=True):
            assert np.array_equal(_numbers(entry["lhs"], made.lhs), made.lhs)
            assert np.array_equal(_numbers(entry["rhs"], made.rhs), made.rhs)
            assert (float(entry["error"]), float(entry["bound"])) == (made.error, made.bound)


def _numbers(nested, like):
    like = np.asarray(like)
    if like.dtype != object:
        return np.array(nested, dtype=float)
    return np.array([Fraction(x) for x in np.array(nested, dtype=object).flat], dtype=object).reshape(like.shape)


def test_json_spells_what_json_has_not():
    x = sympy.Symbol("x")
    made = check(lhs=np.array([np.nan, np.inf, -np.inf]), rhs=np.array([x**2 / 3, Fraction(1, 3), 2], dtype=object),
                 error=float("nan"), curve=((0.5,), (np.float64("inf"),)))
    report = pg.Report((made,), context={"gamma": Fraction(9, 10), "n": np.int64(3), "none": None, "flag": np.bool_(True)})
    data = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert data["context"] == {"gamma": "9/10", "n": 3, "none": None, "flag": True}
    entry = data["checks"][0]
    assert entry["lhs"] == ["nan", "inf", "-inf"] and entry["rhs"] == ["x**2/3", "1/3", 2] and entry["error"] == "nan"
    assert entry["curve"] == {"steps": [0.5], "errors": ["inf"]}


def test_json_counts_inconclusive_and_lists_skipped():
    data = pg.Report((check(), check("INCONCLUSIVE")), (("bellman", "no time"),)).to_dict()
    assert data["counts"] == {"PASS": 1, "FAIL": 0, "INCONCLUSIVE": 1}
    assert data["skipped"] == [{"theorem": "bellman", "reason": "no time"}]


# -------------------------------------------------------------------------------------------------------- HTML


class Page(HTMLParser):
    """Tags that close what they open; every attribute and every text on the way."""

    def __init__(self, page):
        super().__init__()
        self.stack, self.tags, self.attributes, self.text = [], [], [], []
        self.feed(page)
        self.close()
        assert not self.stack

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        if "style" not in self.stack:
            self.text.append(data)

    def values(self, name):
        return [value for _, key, value in self.attributes if key == name]


def test_html_is_well_formed_and_self_contained(floating, exact, hostile):
    for page in (floating.to_html(), as_html([floating, exact, hostile]), as_html([]), hostile.to_html()):
        parsed = Page(page)
        assert not {"script", "link", "img", "iframe", "object", "embed"} & set(parsed.tags)
        references = [v for name in ("href", "src", "xlink:href", "srcset", "action") for v in parsed.values(name)]
        assert all(reference.startswith("#") for reference in references)
        assert {reference[1:] for reference in references} <= set(parsed.values("id"))
        assert not re.search(r"@import|url\((?!#)", page)
        assert not [name for _, name, _ in parsed.attributes if name.startswith("on")]


def test_html_ids_are_unique(floating, hostile):
    ids = Page(as_html([floating, floating, hostile])).values("id")
    assert len(ids) == len(set(ids)) > 10


def test_html_escapes_every_text(hostile):
    page = hostile.to_html()
    assert "<script" not in page and "&lt;script&gt;" in page
    shown = "".join(Page(page).text)
    for text in (hostile.model, hostile.policy, hostile.checks[0].note, hostile.skipped[0][1]):
        assert shown.count(text) >= 1


def test_html_says_what_the_checks_say(floating):
    page = floating.to_html()
    shown = "".join(Page(page).text)
    assert established([floating]) in shown
    for text in ("PASS", "INCONCLUSIVE"):
        assert page.count(f">{text}</span>") == floating.count(text) > 0
    for slug in floating.claims:
        theorem = pg.theorems[slug]
        assert theorem.title in shown and theorem.source in shown
        assert all(hypothesis in shown for hypothesis in theorem.hypotheses)


def test_html_of_several_reports_lists_them_and_states_each_claim_once(floating, exact):
    one, many = floating.to_html(), as_html([floating, exact], note="Interrupted")
    assert Page(many).values("href")[:2] == ["#report-1", "#report-2"] and "Interrupted" in many
    assert many.count("<math") == one.count("<math") > 0


def test_math_and_figures_are_valid_xml(floating):
    page = floating.to_html()
    for tag in ("math", "svg"):
        found = re.findall(rf"<{tag}\b.*?</{tag}>", page, flags=re.DOTALL)
        assert found and all(ET.fromstring(one).tag.endswith(tag) for one in found)


def test_fragment_styles_only_itself(floating):
    fragment = floating._repr_html_()
    Page(fragment)
    assert fragment.startswith('<div class="pgtheory">') and "<body" not in fragment
    rules = re.sub(r"@media[^{]*\{", "", SCOPED)
    selectors = [s.strip() for rule in re.findall(r"([^{}]+)\{[^}]*\}", rules) for s in rule.split(",")]
    assert selectors and all(s.startswith(".pgtheory") for s in selectors)


def test_every_built_in_statement_is_typeset():
    for theorem in map(pg.theorems.__getitem__, pg.theorems.builtin):
        assert "<code>" not in statement(theorem.statement), theorem.slug


@pytest.mark.parametrize("latex", [r"\undefined{x}", r"\frac{1}", r"\left( x", "a & b", "", "x^", r"\href{javascript:x}{y}",
                                   r"\style{color:red}{x}"])
def test_latex_that_cannot_be_typeset_is_shown_as_it_is(latex):
    shown = mathml(latex)
    assert shown.startswith("<code>") and "".join(Page(shown).text) == latex


def test_text_in_latex_cannot_inject_markup():
    shown = mathml(r"x \text{<script>alert(1)</script> \& more}")
    assert "<script" not in shown


def test_a_prime_stands_beside_its_letter():
    tree = ET.fromstring(mathml("s' + x^2"))
    assert [node.tag.split("}")[1] for node in tree.iter() if "msup" in node.tag] == ["msup"]
    assert "\u2032" in "".join(tree.itertext())


def test_a_users_claim_is_shown_with_its_statement():
    from pgtheory.checks.catalogue import theorems

    slug = "report-test-claim"
    pg.theorem(slug, statement=r"\sum_a \pi(a|s) = 1", source="Anybody 2020")(lambda mdp, policy, theta: ([1.0], [1.0]))
    try:
        page = pg.Report((check(theorem=slug),)).to_html()
    finally:
        del theorems._known[slug]
    assert "<math" in page and "Anybody 2020" in page


# ----------------------------------------------------------------------------------------------------- figures


def test_guides_recover_both_constants():
    """Truncation 3 h^2 and rounding 2e-16 / h cross at h = 4e-6; four steps away each is within 2^-12 of the sum alone."""
    h = np.sort(np.array(STEPS))
    e = 3 * h**2 + 2e-16 / h
    c2, c1 = guides(h, e, int(np.argmin(e)))
    assert abs(c2 / 3 - 1) < 2**-10 and abs(c1 / 2e-16 - 1) < 2**-10


def test_guides_need_steps_on_their_side():
    h = np.array([1e-3, 1e-2])
    assert guides(h, h**2, 0)[1] is None and guides(h, 1 / h, 1)[0] is None


def test_a_figure_names_its_axes_its_curves_and_the_best_step():
    shown = "".join(ET.fromstring(error_figure([("k = 1", *SWEEP)], "f")).itertext())
    best = STEPS[int(np.argmin(SWEEP[1]))]
    for text in ("step h", "largest error", "k = 1", "slope 2", "slope -1", f"least error, h = {best:.1e}"):
        assert text in shown


@pytest.mark.parametrize("errors", [(), (1.0,), (0.0, 0.0, 0.0), (np.nan, np.inf, 1e-3), (0.0, 1e-5, -1.0)])
def test_no_figure_where_there_is_nothing_to_draw(errors):
    assert error_figure([("none", STEPS[: len(errors)], errors)], "f") == ""


def test_any_name_of_a_curve_can_be_drawn():
    for name in ("$x_{", "_private", "a $ b $ c", "x" * 200, "", "<&>"):
        ET.fromstring(error_figure([(name, *SWEEP)], "f"))


def test_unusable_points_are_left_out():
    steps, errors = (1.0, 0.5, 0.25, 0.125), (np.nan, 0.25, 0.0, 0.015625)
    assert "least error, h = 1.2e-01" in error_figure([("some", steps, errors)], "f")


def test_figures_need_no_display_and_are_the_same_bytes_each_time(tmp_path):
    """Two processes without a display, one of them with a matplotlibrc of its own."""
    code = ("import sys\nfrom pgtheory.report.figures import error_figure\n"
            f"svg = error_figure([('a', {STEPS!r}, {SWEEP[1]!r})], 'f')\n"
            "assert 'matplotlib.pyplot' not in sys.modules\nprint(svg)")
    (tmp_path / "matplotlibrc").write_text("lines.linewidth: 9\nfont.size: 30\nsvg.fonttype: path\n")
    plain = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND", "MATPLOTLIBRC")}
    runs = [subprocess.run([sys.executable, "-c", code], env=plain | more, capture_output=True, text=True, check=True).stdout
            for more in ({}, {"MATPLOTLIBRC": str(tmp_path / "matplotlibrc")})]
    assert runs[0] == runs[1] and runs[0].startswith("<svg")
    assert "1e-" in runs[0] and not re.search(r"\b20[2-9]\d-\d\d", runs[0])


def test_drawing_leaves_the_users_settings_alone():
    import matplotlib

    before = dict(matplotlib.rcParams)
    error_figure([("a", *SWEEP)], "f")
    assert dict(matplotlib.rcParams) == before
