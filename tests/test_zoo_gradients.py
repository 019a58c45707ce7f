"""The zoo of gradient estimators: every bug is caught on the built-in problems and named, every control passes."""

import itertools
import re
import subprocess
import sys

import numpy as np
import pytest

import pgtheory as pg
from pgtheory.checking.fixtures import generic_fixtures
from pgtheory.checking.zoo.gradients import GRADIENTS, NEGATIVE_CONTROLS
from pgtheory.checking.zoo.mutant import to_go
from pgtheory.checking.zoo.score import outcomes, run


@pytest.mark.parametrize("mutant", GRADIENTS, ids=lambda mutant: mutant.bug)
def test_every_bug_fails_and_is_named(mutant):
    one = next(outcomes((mutant,)))
    assert one.verdict == "FAIL" and one.named and one.ties <= 3
    assert one.relative_bias > 1e-3


@pytest.mark.parametrize("control", NEGATIVE_CONTROLS, ids=lambda control: control.bug)
def test_every_negative_control_passes(control):
    one = next(outcomes((control,)))
    assert one.verdict == "PASS" and not control.wrong


def test_ids_words_and_links_are_well_formed():
    mutants = GRADIENTS + NEGATIVE_CONTROLS
    assert len({mutant.bug for mutant in mutants}) == len(mutants)
    assert len(GRADIENTS) >= 45 and len(NEGATIVE_CONTROLS) >= 10
    for mutant in mutants:
        assert mutant.words and (mutant.weights is None) != (mutant.estimates is None)
        assert all(re.fullmatch(r"[\w.-]+/[\w.-]+#\d+", link) for link in mutant.links), mutant.bug
        assert mutant.look or not mutant.wrong
        assert mutant.row == "own" or re.fullmatch(r"[A-G]\d+(, [A-G]\d+)*", mutant.row)


@pytest.mark.parametrize("mutant", [m for m in GRADIENTS if m.batch_size > 1], ids=lambda mutant: mutant.bug)
def test_moments_of_groups_are_those_of_calls_on_every_group(mutant):
    """The vectorised enumeration against a loop over all groups."""
    fixture = generic_fixtures(5)[0]
    k, batch = 2, fixture.batch
    probability, mean, squares = batch.probability, 0.0, 0.0
    for rows in itertools.product(range(len(batch)), repeat=k):
        rows = np.array(rows)
        answer = mutant(batch.take(rows), fixture.policy, fixture.theta, fixture.gamma)
        weight = probability[rows].prod()
        mean, squares = mean + weight * answer, squares + weight * answer**2
    for ours, loop in zip(mutant.moments(fixture, k), (mean, squares), strict=True):
        assert np.allclose(ours, loop, rtol=1e-12, atol=1e-13)


def test_the_cosine_hides_large_biases():
    """Why the cosine is no test: it is above 0.999 for bugs of 10 % and more."""
    blind = [one for one in outcomes(GRADIENTS[:12]) if one.cosine > 0.999 and one.relative_bias > 0.1]
    assert len(blind) >= 3


def test_sums_to_go_take_a_factor_per_step():
    assert to_go(np.array([1.0, 2.0, 4.0]), np.array([0.5, 0.25, 9.0])).tolist() == [2.5, 3.0, 4.0]


def test_the_score_is_printed_by_one_command(capsys, monkeypatch):
    from pgtheory.checking.zoo import score

    monkeypatch.setattr(score, "outcomes", lambda: outcomes(GRADIENTS[:2] + NEGATIVE_CONTROLS[:1]))
    assert run() == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 of 2 bugs FAIL, 2 are named (2 alone); 1 of 1 right ones PASS."


@pytest.mark.long
def test_the_command_runs():
    done = subprocess.run([sys.executable, "-m", "pgtheory.checking.zoo"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "right ones PASS" in done.stdout


def test_a_diagnosis_links_the_thread():
    result = pg.check_estimator(next(m for m in GRADIENTS if m.bug == "rewards-early"))
    assert result.diagnosis[0].links[0] == "openai/spinningup#50"
