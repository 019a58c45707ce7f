"""The formal proofs and pgtheory agree on small models; the gate of proofs/formal reads scripts rightly.

What needs Coq is skipped where Coq is missing. That the proofs hold is checked by ``proofs/formal/check``, not here.
"""

import importlib.machinery
import importlib.util
import re
import shutil
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from episodic import exact_mdp, weights_policy

import pgtheory as pg

FORMAL = Path(__file__).resolve().parent.parent / "proofs" / "formal"


def _loaded(file):
    """A script of proofs/formal as a module."""
    name = "formal_" + file.partition(".")[0]
    sys.path.insert(0, str(FORMAL))
    try:
        loader = importlib.machinery.SourceFileLoader(name, str(FORMAL / file))
        module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
        loader.exec_module(module)
    finally:
        sys.path.remove(str(FORMAL))
    return module


check, link = _loaded("check"), _loaded("link.py")
STATEMENTS = (FORMAL / "Statements.v").read_text()
MISSING = check.missing()
needs_coq = pytest.mark.skipif(MISSING is not None, reason=f"formal proofs: {MISSING}")


# ---------------------------------------------------------------------------------- the link


def _compiled(directory, file):
    for script in [*FORMAL.glob("*.v"), FORMAL / "_CoqProject"]:
        shutil.copy(script, directory)
    runs = check.build(directory, [file])
    assert all(run.code == 0 for run in runs.values()), {script: run.err for script, run in runs.items()}
    return directory


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """A directory in which the link for finitely many steps is compiled, and what it requires."""
    return _compiled(tmp_path_factory.mktemp("formal"), "Link.v")


@pytest.fixture(scope="module")
def compiled_limits(tmp_path_factory):
    """The same for the limits, which require a quarter of the proofs."""
    return _compiled(tmp_path_factory.mktemp("formal"), "LinkLimits.v")


def disagreement(directory, mdp, found, **policy):
    """The lemma that Coq refuses, as (quantity, number of steps, or -1 for no end); None if it proves them all."""
    text, names = link.coq_file(mdp, found, **policy)
    (directory / "Model.v").write_text(text)
    run = check.coqc(directory, "Model.v")
    if run.code == 0:
        return None
    line, message = check.refused_at(run)
    assert "No applicable tactic" in message, message      # a false comparison, not a file that makes no sense
    named = re.match(r"Lemma (\w+)_(\d*)_\d+ ", text.splitlines()[line - 2])
    return named.group(1), int(named.group(2) or -1)


def running_example():
    """The model and policy of proofs/README.md."""
    F = Fraction
    P = np.array([[[F(1, 2), F(1, 2)], [F(1, 4), F(3, 4)]], [[F(1, 3), F(2, 3)], [F(1), F(0)]]])
    R = np.array([[[F(1), F(0)], [F(2), F(1)]], [[F(0), F(3)], [F(1), F(0)]]])
    return pg.MDP(P, R, F(1, 2), [F(3, 4), F(1, 4)]), [[F(1, 3), F(2, 3)], [F(2, 3), F(1, 3)]]


def random_example(seed, S, A, terminal):
    mdp = exact_mdp(np.random.default_rng(seed), S, A, terminal=terminal)
    policy, theta = weights_policy(np.random.default_rng(seed + 1), mdp)
    return mdp, policy.probabilities(theta)


MODELS = {"running example": (running_example(), 4), "three states": (random_example(1, 3, 2, False), 3),
          "three actions, terminal": (random_example(2, 2, 3, True), 3), "undiscounted": ((pg.models.load("short-corridor", exact=True),
                                                                                [[Fraction(1, 3), Fraction(2, 3)]] * 4), 2)}


@needs_coq
@pytest.mark.parametrize("name", ["running example", *(pytest.param(name, marks=pytest.mark.long) for name in list(MODELS)[1:])])
def test_coq_proves_what_pgtheory_computes(compiled, name):
    """J and Q for every number of steps, by passes and by enumeration, and the laws of the state."""
    (mdp, pi), steps = MODELS[name]
    assert disagreement(compiled, mdp, link.answers(mdp, pi, steps), pi=pi) is None


@needs_coq
@pytest.mark.parametrize("name", ["running example", pytest.param("three states", marks=pytest.mark.long)])
def test_coq_proves_what_pgtheory_computes_for_deterministic_policies(compiled, name):
    (mdp, _), steps = MODELS[name]
    actions = [s % mdp.n_actions for s in range(mdp.n_states)]
    assert disagreement(compiled, mdp, link.deterministic_answers(mdp, actions, steps), actions=actions) is None


@needs_coq
@pytest.mark.long
def test_coq_proves_what_pgtheory_computes_without_an_end(compiled_limits):
    """V, Q and d are limits of sums over trajectories, of which Coq has proved that they are what linear algebra says."""
    for (mdp, pi), _ in list(MODELS.values())[:3]:
        assert disagreement(compiled_limits, mdp, link.endless_answers(mdp, pi), pi=pi) is None


@needs_coq
@pytest.mark.long
@pytest.mark.parametrize("i, quantity", list(enumerate(["value", "qvalue", "occupancy"])))
def test_coq_refuses_an_altered_limit(compiled_limits, i, quantity):
    mdp, pi = running_example()
    found = link.endless_answers(mdp, pi)
    assert disagreement(compiled_limits, mdp, changed(found[i:] if i != 1 else found, quantity, ""), pi=pi) == (quantity, -1)


@needs_coq
@pytest.mark.long
def test_coq_refuses_d_normalised_and_values_of_another_discount(compiled_limits):
    mdp, pi = running_example()
    d = link.endless_answers(mdp, pi)[2][2]
    assert disagreement(compiled_limits, mdp, [("occupancy", "", np.array(d) * (1 - mdp.gamma))], pi=pi) == ("occupancy", -1)
    other = pg.MDP(mdp.P, mdp.R, mdp.gamma**2, mdp.rho)
    assert disagreement(compiled_limits, mdp, link.endless_answers(other, pi), pi=pi) == ("value", -1)


def changed(found, quantity, n):
    """The answers with 1/1000 added to the last entry of one of them."""
    out = []
    for q, m, table in found:
        table = np.array(table, dtype=object)
        if (q, m) == (quantity, n):
            table.flat[-1] += Fraction(1, 1000)
        out.append((q, m, table))
    return out


@needs_coq
@pytest.mark.parametrize("quantity, n", [("J", 0), ("J", 3), ("prob_at", 2), ("JQ", 1)])
def test_coq_refuses_an_altered_fraction(compiled, quantity, n):
    mdp, pi = running_example()
    assert disagreement(compiled, mdp, changed(link.answers(mdp, pi, 3), quantity, n), pi=pi) == (quantity, n)


@needs_coq
@pytest.mark.parametrize("alter, first", [
    (lambda mdp: pg.MDP(mdp.P, mdp.R, 1, mdp.rho), ("J", 2)),
    (lambda mdp: pg.MDP(mdp.P, mdp.R, mdp.gamma**2, mdp.rho), ("J", 2)),
    (lambda mdp: pg.MDP(mdp.P[::-1], mdp.r, mdp.gamma, mdp.rho), ("J", 2)),
    (lambda mdp: pg.MDP(mdp.P[:, :, ::-1], mdp.r, mdp.gamma, mdp.rho), ("J", 2)),
    (lambda mdp: pg.MDP(mdp.P[:, ::-1], mdp.r[:, ::-1], mdp.gamma, mdp.rho), ("J", 1)),
], ids=["gamma dropped", "gamma squared", "P of the other state", "P of the other next state", "actions swapped"])
def test_coq_refuses_the_numbers_of_another_model(compiled, alter, first):
    """The tables are those of the model, the fractions those of a model with an error; the first that differs is named."""
    mdp, pi = running_example()
    assert disagreement(compiled, mdp, link.answers(alter(mdp), pi, 3), pi=pi) == first


@needs_coq
def test_coq_refuses_the_numbers_of_another_deterministic_policy(compiled):
    mdp, _ = running_example()
    found = link.deterministic_answers(mdp, [1, 0], 2)
    assert disagreement(compiled, mdp, found, actions=[1, 0]) is None
    assert disagreement(compiled, mdp, found, actions=[0, 0]) == ("dJ", 1)


@pytest.mark.parametrize(("quantity", "entries"), [("J", (0,)), ("J", (0, 1, 2)), ("prob_at", (0,)), ("JQ", (0,)), ("occupancy", (0,))])
def test_an_answer_of_another_shape_is_no_answer(quantity, entries):
    """Coq reads a missing entry as 0 and passes over one too many, so the shape is settled before."""
    mdp, pi = running_example()
    found = [(what, n, table) for what, n, table in [*link.answers(mdp, pi, 1), *link.endless_answers(mdp, pi)] if what == quantity][:1]
    link.coq_file(mdp, found, pi=pi)
    what, n, table = found[0]
    with pytest.raises(ValueError, match=f"{quantity} has the shape"):
        link.coq_file(mdp, [(what, n, np.array([table[min(i, 1)] for i in entries], dtype=object))], pi=pi)
    with pytest.raises(ValueError, match="no answers"):
        link.coq_file(mdp, [], pi=pi)


def test_tables_are_written_exactly():
    assert link.coq([[Fraction(-1, 2), 3], [0]]) == "[:: [:: Qmake (-1) 2; Qmake (3) 1]; [:: Qmake (0) 1]]"


# ---------------------------------------------------------------------------------- the gate


@pytest.mark.parametrize("path", sorted(FORMAL.glob("*.v")), ids=lambda path: path.stem)
def test_no_script_smuggles_in_an_assumption(path):
    assert check.faults(path.name, path.read_text()) == []


@pytest.mark.parametrize("line", [
    "Admitted.", "Axiom a : False.", "(* Admitted *)", "Parameter p : nat.", "Conjecture c : False.", "Variable x : nat.",
    "Hypotheses (a : False).", "Unset Guard Checking.", "#[bypass_check(guard)]", "Unset Universe Checking.", "admit.",
    "#[global] Opaque x.", "Section A. End A. Variable x : nat.", "Module A. Variable x : nat. End A.", "Context (a : False).",
])
def test_planted_words_are_found(line):
    assert check.faults("Planted.v", "Section A.\nVariable x : nat.\nEnd A.\n") == []
    assert check.faults("Planted.v", f"Section A.\nVariable x : nat.\nEnd A.\n{line}\n")


def test_the_statements_define_no_notation():
    for line in ("Notation \"a + b\" := (a - b).", "Local Notation J := 0.", "Canonical x.", "Lemma a : True."):
        assert check.faults("Statements.v", line) and not check.faults("Other.v", line)


@pytest.mark.parametrize("i", range(len(check.MUTANTS)))
def test_every_mutant_edits_the_statements(i):
    mutant = check.MUTANTS[i]
    assert check.mutate(STATEMENTS, mutant) != STATEMENTS
    assert mutant.why and len(check.closing_lines(STATEMENTS, mutant.fails)) <= 5


def test_every_theorem_has_a_mutant_and_is_asked_for_its_assumptions():
    theorems = check.theorems(STATEMENTS)
    assert set(theorems) == {mutant.fails for mutant in check.MUTANTS}
    assert theorems == re.findall(r"^Print Assumptions (\w+)\.$", STATEMENTS, re.M)


def test_edits_that_miss_are_errors():
    mutant = check.MUTANTS[0]
    for edits in ((("no such text", ""),), (("s", "x"),), ((mutant.edits[0][0], mutant.edits[0][0]),)):
        with pytest.raises(ValueError, match="occurs"):
            check.mutate(STATEMENTS, mutant._replace(edits=edits))


def test_assumptions_are_read_as_coq_prints_them():
    printed = ("Closed under the global context\nAxioms:\npropositional_extensionality : forall P Q : Prop, P <-> Q -> P = Q\n"
               "functional_extensionality_dep\n  : forall (A : Type) (B : A -> Type) (f g : forall x : A, B x),\n"
               "    (forall x : A, f x = g x) -> f = g\nAxioms:\ncheat : False\nloop is assumed to be guarded.\n")
    none, both, wrong = check.assumptions(printed)
    assert none == {} and list(both) == ["propositional_extensionality", "functional_extensionality_dep"]
    assert check.not_allowed("S1_x", both) == [] and check.not_allowed("S5_x", both) == list(both)
    assert check.not_allowed("S1_x", wrong) == ["cheat", "loop is assumed to be guarded."]
    assert check.not_allowed("S1_x", {"boolp.propositional_extensionality": "False"})


def test_every_formal_counterpart_of_the_index_is_a_theorem():
    index = (FORMAL.parent / "README.md").read_text()
    named = set(re.findall(r"\[(S\d+)\]\(formal/Statements\.v\)", index))
    assert {"S1", "S2", "S3", "S4"} <= named <= {name.partition("_")[0] for name in check.theorems(STATEMENTS)}
