"""Proofs as they are delivered: numbered like their files, whole in HTML and JSON, by the command as by the library."""

import json
import re
from fractions import Fraction
from itertools import permutations
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import pgtheory as pg
from pgtheory.derivations import DERIVATIONS, ON_TRAJECTORIES, prove
from pgtheory.derivations.execution import prove_in
from pgtheory.derivations.instance import running_example
from pgtheory.derivations.recursion import CRAMER, determinant
from pgtheory.identities import general_mdp

ROOT = Path(__file__).parents[1]
SLUGS = list(DERIVATIONS)


NO_STEPS = {"Hypotheses", "Definitions", "The loss without logarithms", "Where the careless version fails"}


def sections(slug):
    """The titles of the steps in a proof's file, in order."""
    text = (ROOT / pg.theorems[slug].proof).read_text()
    return [title for title in re.findall(r"^## (.+)$", text, re.M) if title not in NO_STEPS]


# --------------------------------------------------------------------------------------------------- numbers of steps


def symbolic(slug):
    import sympy

    w = np.array(sympy.symbols("w:4", positive=True)).reshape(2, 2)
    return prove(slug, running_example(), pg.SoftmaxPolicy(2, 2, weights=True), w)


@pytest.mark.parametrize("slug", [*DERIVATIONS, *ON_TRAJECTORIES])
def test_steps_are_numbered_as_the_sections_of_the_file(slug):
    for step in prove(slug).steps:
        assert sections(slug)[step.number - 1] == step.title


@pytest.mark.parametrize("slug", SLUGS)
def test_a_step_that_is_left_out_leaves_its_number_out(slug):
    floats = prove(slug, pg.models.load("start-matters"))
    for step in (*symbolic(slug).steps, *floats.steps):
        assert sections(slug)[step.number - 1] == step.title
    if slug == "recursion":
        assert [step.number for step in floats.steps] == [2, 3, 4, 5, 6]      # Cramer's rule is not compared in floats
    if slug == "stochastic":
        assert 5 not in [step.number for step in symbolic(slug).steps]        # symbols have no order


def test_steps_that_replace_others_without_discount_keep_the_order():
    for slug in SLUGS:
        numbers = [step.number for step in prove(slug, pg.models.load("short-corridor", exact=True)).steps]
        assert numbers == sorted(numbers) and len(set(numbers)) == len(numbers)


# ------------------------------------------------------------------------------------------------------- determinants


def expanded(M):
    """By the expansion over permutations, in Fractions."""
    n, total = len(M), Fraction(0)
    for order in permutations(range(n)):
        sign = (-1) ** sum(order[i] > order[j] for i in range(n) for j in range(i + 1, n))
        total += sign * np.prod([M[i, order[i]] for i in range(n)])
    return total


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_fraction_free_elimination_gives_the_expansion_over_permutations(n):
    rng = np.random.default_rng(n)
    for _ in range(10):
        M = np.array([[Fraction(int(p), int(q)) for p, q in zip(a, b, strict=True)] for a, b in
                      zip(rng.integers(-3, 4, (n, n)), rng.integers(1, 5, (n, n)), strict=True)])
        assert determinant(M) == expanded(M)
        if n > 1:
            assert determinant(M[::-1]) == expanded(M) * (-1) ** (n * (n - 1) // 2)
            assert determinant(np.concatenate([M[:1], M[:1], M[2:]])) == 0


def test_the_determinant_of_symbols_is_the_expansion():
    mdp, _ = general_mdp(3, 1)
    M = mdp.P[:, 0, :]
    a, b, c = M
    assert determinant(M) == (a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0])
                              + a[2] * (b[0] * c[1] - b[1] * c[0]))
    assert determinant(M) != determinant(M[[1, 0, 2]])                                       # negative control


def test_cramers_rule_is_compared_on_twenty_five_states_and_its_alteration_seen(monkeypatch):
    import pgtheory.derivations.recursion as recursion

    mdp = pg.models.load("gridworld-5x5", exact=True)
    assert mdp.n_states >= 25
    from pgtheory.derivations.instance import instance
    from pgtheory.derivations.line import check

    setting = instance(mdp)
    cramer = recursion.lines(setting)[0]
    assert cramer.title == CRAMER and check(cramer, setting).verdict == "PASS"
    monkeypatch.setattr(recursion, "_minus_chain", lambda it, right=recursion._minus_chain: right(it).T)
    assert check(cramer, setting).verdict == "FAIL"


# ------------------------------------------------------------------------------------------------- whole in HTML and JSON


@pytest.mark.parametrize("slug", SLUGS)
def test_the_record_holds_every_entry_of_both_sides(slug):
    proof = prove(slug, pg.models.load("short-corridor", exact=True))
    record = json.loads(json.dumps(proof.to_dict(), allow_nan=False))
    assert record["passed"] and len(record["steps"]) == len(proof.steps)
    for step, written in zip(proof.steps, record["steps"], strict=True):
        for side, kept in ((step.lhs, written["lhs"]), (step.rhs, written["rhs"])):
            assert np.array_equal(np.vectorize(Fraction, otypes=[object])(np.array(kept)), np.vectorize(Fraction, otypes=[object])(side))


@pytest.mark.parametrize("make", [lambda: prove("recursion", pg.models.load("dadashi-2a", exact=True)), lambda: symbolic("stochastic"),
                                  lambda: prove("occupancy", pg.models.load("short-corridor"))])
def test_the_page_is_whole_and_well_formed(make):
    proof = make()
    page = proof.to_html()
    root = ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>").replace('<meta charset="utf-8">', "").replace(
        '<meta name="viewport" content="width=device-width, initial-scale=1">', ""))
    assert len(root.findall(".//h3")) == len(proof.steps) and "..." not in page and "<script" not in page
    text = "".join(root.itertext())
    for step in proof.steps:
        if step.lhs.size > 36:                              # not typeset as an array: every entry stands in the table
            assert all(str(x) in text for x in (*step.lhs.flat, *step.rhs.flat))
    assert len(page) > len(proof._repr_html_())


def test_text_says_where_a_long_formula_is_whole():
    text = str(symbolic("stochastic"))
    assert "..." not in text and max(map(len, text.splitlines())) <= 80
    assert "whole in HTML and JSON" in " ".join(text.split())


# ------------------------------------------------------------------------------------------------------ the command


def command(capsys, *arguments):
    from pgtheory.cli import main

    code = main(list(arguments))
    return code, *capsys.readouterr()


def test_the_command_writes_json_and_html(capsys, tmp_path):
    code, out, err = command(capsys, "prove", "unrolling", "--format", "json")
    record = json.loads(out)
    assert code == 0 and not err and record["passed"] and record["proofs"] == [prove("unrolling").to_dict()]
    code, out, _ = command(capsys, "prove", "--output", str(tmp_path / "all.html"))
    n, page = len(pg.theorems.builtin), (tmp_path / "all.html").read_text()
    assert code == 0 and f"PASSED: {n} of {n} claims" in out and f"PASSED: {n} of {n} claims" in page
    assert page.startswith("<!DOCTYPE html>") and page.count("<h2>") == n
    code, _, _ = command(capsys, "prove", "occupancy", "--output", str(tmp_path / "one.txt"))
    assert code == 0 and (tmp_path / "one.txt").read_text().startswith("Discounted state distribution (occupancy)")


def test_the_command_refuses_a_file_that_it_cannot_write_before_it_works(capsys, tmp_path):
    code, out, err = command(capsys, "prove", "--output", str(tmp_path / "nowhere" / "a.json"))
    assert code == 2 and not out and len(err.splitlines()) == 1


def test_claims_that_are_not_proved_stand_in_the_document(capsys, tmp_path):
    pg.MDP(running_example().P, [[Fraction(0), Fraction(0)], [Fraction(0), Fraction(0)]], Fraction(1, 2), 0).save(tmp_path / "nothing.json")
    code, out, _ = command(capsys, "prove", "--model", str(tmp_path / "nothing.json"), "--format", "json")
    record = json.loads(out)
    assert code == 0 and len(record["proofs"]) == 8 and any("baseline: not proved here" in note for note in record["not_proved"])


def test_claims_about_one_instance_share_what_they_compute():
    from pgtheory.derivations.setting import Setting

    count, right = [], Setting._differentiated
    settings: dict = {}
    try:
        Setting._differentiated = lambda self, quantity: count.append(quantity) or right(self, quantity)
        for slug in ("recursion", "unrolling", "stochastic"):
            assert prove_in(slug, settings).passed
    finally:
        Setting._differentiated = right
    assert count.count("V") == 1


def test_progress_is_told_before_every_step():
    told = []
    proof = prove("unrolling", progress=lambda *step: told.append(step))
    assert [(done, total, text) for done, total, text in told] == [(i, len(proof.steps), s.title) for i, s in enumerate(proof.steps)]
