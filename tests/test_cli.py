"""The command line: exit codes, one-line complaints, whole files, Ctrl-C and closed pipes."""

import json
import os
import re
import signal
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

import pgtheory as pg
from pgtheory.checks.catalogue import theorems
from pgtheory.cli import campaign, main
from pgtheory.files import require_writable, write_whole

QUICK = ["verify", "start-matters", "--theorem", "bellman", "--samples", "0"]


@pytest.fixture
def wrong_claim():
    """A claim that is false: V = 2 V."""
    slug = "cli-test-wrong"

    @pg.theorem(slug)
    def wrong(mdp, policy, theta):
        V = pg.solve(mdp, policy.probabilities(theta)).V
        return V, 2 * V

    yield slug
    del theorems._known[slug]


@pytest.fixture
def interrupted(monkeypatch):
    """Ctrl-C while the second model is being verified."""
    real, calls = campaign.verify, []

    def verify(*args, **kwargs):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    monkeypatch.setattr(campaign, "verify", verify)
    monkeypatch.setattr(campaign, "BUILT_IN", (("start-matters", False), ("dadashi-2a", False), ("two-rooms", False)))


def pgtheory(*arguments, **options):
    options = {"timeout": 60, "capture_output": True} | options
    return subprocess.run([sys.executable, "-m", "pgtheory", *arguments], text=True, check=False, **options)


def unwrapped(text):
    return " ".join(text.split())


# -------------------------------------------------------------------------------------------------- exit codes


def test_exit_0_where_everything_passed(capsys):
    assert main(QUICK) == 0
    out, err = capsys.readouterr()
    assert out.startswith("start-matters: MDP(n_states=2") and "\nPASSED: 1 of 1 claims established" in out and err == ""


def test_exit_1_where_a_check_failed(capsys, wrong_claim):
    assert main([*QUICK, "--theorem", wrong_claim]) == 1
    out = unwrapped(capsys.readouterr().out)
    assert "FAILED: 1 of 2 claims established; 3 agreements within bounds" in out
    assert f"1 of 4 checks FAIL ({wrong_claim})" in out


def test_strict_makes_inconclusive_a_failure(capsys):
    few = ["verify", "start-matters", "--theorem", "stochastic", "--samples", "10"]
    assert main(few) == 0
    assert "1 INCONCLUSIVE" in unwrapped(capsys.readouterr().out)
    assert main([*few, "--strict"]) == 1
    assert main([*QUICK, "--strict"]) == 0


@pytest.mark.parametrize(("arguments", "words"), [
    (["verify", "start-matter"], "did you mean start-matters"),
    (["verify", "qqqq"], "'pgtheory models'"),
    (["verify", ""], "no model ''"),
    (["verify", "missing.json"], "missing.json does not exist"),
    (["verify", "missing.npz"], "missing.npz does not exist"),
    (["verify", "some/where"], "ends in .json or .npz"),
    ([*QUICK, "--theorem", "stochastik"], "did you mean stochastic"),
    ([*QUICK, "--gamma", "1.5"], "'1.5' is no discount"),
    ([*QUICK, "--gamma", "nan"], "'nan' is no discount"),
    ([*QUICK, "--gamma", "9/0"], "'9/0' is no discount"),
    ([*QUICK, "--gamma", "high"], "such as 0.9 or 9/10"),
    ([*QUICK, "--gamma", "1"], "start-matters: gamma = 1"),
    ([*QUICK, "--samples", "many"], "--samples"),
    ([*QUICK, "--samples", "-1"], "--samples"),
    ([*QUICK, "--seed", "-1"], "--seed"),
    ([*QUICK, "--format", "pdf"], "pdf"),
    ([*QUICK, "--output", "no/such/directory/x.html"], "x.html cannot be written"),
    ([*QUICK, "--output", "."], "cannot be written"),
    ([*QUICK, "--unknown"], "--unknown"),
    (["verify", "a", "b"], "extra argument"),
    (["modles"], "modles"),
    (["models", "--format", "html"], "html"),
])
def test_bad_input_is_one_line_and_exit_2(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("pgtheory: ") and words in err
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_one_line_and_exit_2(capsys, tmp_path):
    (tmp_path / "m.json").write_text('{"P": [[[0.5, 0.4], [1, 0]]]')
    assert main(["verify", str(tmp_path / "m.json")]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "m.json" in err


def test_gymnasium_missing_is_one_line_and_exit_2(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    assert main(["verify", "gym:FrozenLake-v1"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "pgtheory[gym]" in err


@pytest.mark.parametrize("environment", ["NoSuchThing-v0", "CartPole-v1"])
def test_an_environment_that_cannot_be_read_is_one_line_and_exit_2(environment, capsys):
    pytest.importorskip("gymnasium")
    assert main(["verify", f"gym:{environment}"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and environment.split("-")[0] in err


def test_the_process_prints_no_traceback():
    run = pgtheory("verify", "qqqq")
    assert run.returncode == 2 and run.stdout == "" and run.stderr.count("\n") == 1 and "Traceback" not in run.stderr


# ------------------------------------------------------------------------------------------------------ models


def test_an_exact_file_is_verified_exactly(capsys, tmp_path):
    path = tmp_path / "m.json"
    pg.models.load("start-matters", exact=True).save(path)
    assert main(["verify", str(path), "--gamma", "1/3", "--samples", "0", "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)["reports"][0]
    assert report["context"]["gamma"] == "1/3" and report["context"]["arithmetic"] == "Fraction"
    assert {check["kind"] for check in report["checks"] if check["theorem"] == "stochastic"} == {"exact"}


def test_a_decimal_gamma_is_exact_where_the_model_is(capsys, tmp_path):
    path = tmp_path / "m.json"
    pg.models.load("start-matters", exact=True).save(path)
    assert campaign.load(str(path), Fraction("0.9")).gamma == Fraction(9, 10)
    assert campaign.load("start-matters", Fraction("0.9")).gamma == 0.9


def test_gym_models_discount_by_099_unless_told(capsys):
    pytest.importorskip("gymnasium")
    arguments = ["verify", "gym:FrozenLake-v1", "--theorem", "bellman", "--format", "json"]
    for more, gamma in (([], 0.99), (["--gamma", "1/2"], 0.5)):
        assert main([*arguments, *more]) == 0
        assert json.loads(capsys.readouterr().out)["reports"][0]["context"]["gamma"] == gamma


@pytest.mark.parametrize(("environment", "added"), [("FrozenLake-v1", True), ("NoEnd", False)])
def test_a_state_that_gymnasium_does_not_have_is_said(environment, added, monkeypatch):
    gymnasium = pytest.importorskip("gymnasium")
    if not added:
        env = gymnasium.make("FrozenLake-v1").unwrapped
        env.P = {s: {a: [(p, t, r, False) for p, t, r, _ in env.P[s][a]] for a in env.P[s]} for s in env.P}
        monkeypatch.setattr(gymnasium, "make", lambda name: env)
    settings = {"rng": 0, "samples": 0, "theorems": ["bellman"]}
    report = campaign._verified(f"gym:{environment}", campaign.load(f"gym:{environment}"), settings, "")
    assert ("its last state is added" in report.model) is added


def test_the_seed_decides_the_policy(capsys):
    mdp = pg.models.load("start-matters")
    (_, a), (_, b), (_, c) = (campaign.parameters(mdp, seed) for seed in (0, 0, 1))
    assert np.array_equal(a, b) and not np.array_equal(a, c)
    outputs = []
    for seed in ("3", "3", "4"):
        assert main([*QUICK, "--seed", seed]) == 0
        outputs.append(capsys.readouterr().out.replace(f"seed {seed}", ""))
    assert outputs[0] == outputs[1] != outputs[2]


def test_the_built_in_set_holds_exact_and_floating_models():
    assert {exact for _, exact in campaign.BUILT_IN} == {True, False}
    assert {name for name, _ in campaign.BUILT_IN} <= set(pg.models.names())


@pytest.mark.long
def test_without_a_model_the_built_in_set_passes():
    run = pgtheory("verify", timeout=300)
    assert run.returncode == 0 and run.stderr == ""
    assert all(re.search(rf"^{name}: (ContinuousAction)?MDP\(", run.stdout, re.MULTILINE) for name, _ in campaign.BUILT_IN)
    assert f"on {len(campaign.BUILT_IN)} models" in unwrapped(run.stdout.split(campaign.RULE)[-1])


# ----------------------------------------------------------------------------------------------------- formats


def test_text_for_several_models_ends_with_one_sentence_over_all(capsys, monkeypatch):
    monkeypatch.setattr(campaign, "BUILT_IN", (("start-matters", False), ("dadashi-2a", True)))
    assert main(["verify", "--theorem", "bellman"]) == 0
    out = capsys.readouterr().out
    assert out.count(campaign.RULE) == 2 and "PASSED: 2 of 2 claims established on 2 models" in out.split(campaign.RULE)[-1]
    assert max(map(len, out.splitlines())) <= 80 and out.isascii()


def test_json_on_standard_output_is_one_document(capsys):
    assert main([*QUICK, "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["passed"] is True and document["unfinished"] == [] and document["version"] == pg.__version__
    assert [check["theorem"] for check in document["reports"][0]["checks"]] == ["bellman"] * 3


def test_the_suffix_of_the_file_says_the_format_unless_told(capsys, tmp_path):
    for name, more, start in (("a.html", [], "<!DOCTYPE html>"), ("a.json", [], "{"), ("a.txt", [], "start-matters: "),
                              ("b.html", ["--format", "json"], "{")):
        assert main([*QUICK, "--output", str(tmp_path / name), *more]) == 0
        assert (tmp_path / name).read_text().startswith(start)
        out = capsys.readouterr().out
        assert out.startswith("PASSED: 1 of 1") and out.endswith(f"written to {tmp_path / name}\n")


def test_a_format_that_is_not_written_is_refused(capsys, tmp_path):
    assert main([*QUICK, "--output", str(tmp_path / "a.pdf")]) == 2
    assert "no report is written as .pdf; end the name in .txt, .json or .html" in capsys.readouterr().err
    assert main([*QUICK, "--output", str(tmp_path / "a.pdf"), "--format", "html"]) == 0


def test_lists_are_readable_at_80_columns_and_complete_in_json(capsys):
    for command, key, names in (("models", "name", pg.models.names()), ("theorems", "slug", tuple(theorems))):
        assert main([command]) == 0
        text = capsys.readouterr().out
        assert max(map(len, text.splitlines())) <= 80 and text.isascii()
        assert main([command, "--format", "json"]) == 0
        entries = json.loads(capsys.readouterr().out)
        assert tuple(entry[key] for entry in entries) == names
        for entry in entries:
            assert re.search(rf"^{re.escape(entry[key])}\b", text, flags=re.MULTILINE) and entry["title"] and entry["source"]


def test_version_and_help(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"pgtheory {pg.__version__}\n"
    for arguments in ([], ["--help"], ["verify", "--help"]):
        assert main(arguments) == 0
        out = capsys.readouterr().out
        assert "Usage: pgtheory" in out and max(map(len, out.splitlines())) <= 80


def test_help_loads_nothing_heavy():
    code = ("import sys\nfrom pgtheory.cli import main\nmain(['--help'])\n"
            "heavy = {'sympy', 'matplotlib', 'gymnasium', 'hypothesis', 'latex2mathml', 'rich'} & set(sys.modules)\n"
            "sys.exit(f'loaded: {heavy}' if heavy else 0)")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stderr == ""


# ------------------------------------------------------------------------------------------------- whole files


def test_a_write_that_breaks_leaves_the_old_file(tmp_path, monkeypatch, capsys):
    target = tmp_path / "r.html"
    target.write_text("old")

    def broken(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", broken)
    assert main([*QUICK, "--output", str(target)]) == 2
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "No space left" in err


def test_writing_keeps_links_and_modes(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    require_writable(link)
    write_whole(link, b"new")
    assert link.is_symlink() and target.read_bytes() == b"new" and target.stat().st_mode & 0o777 == 0o640
    assert sorted(tmp_path.iterdir()) == [link, target]


def test_a_device_is_written_into_not_replaced():
    require_writable(os.devnull)
    write_whole(os.devnull, b"gone")
    assert not os.path.isfile(os.devnull)


def test_a_file_in_the_place_of_a_directory_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for refuse in (require_writable, lambda path: write_whole(path, b"")):
        with pytest.raises(pg.PGTheoryError, match="cannot be written"):
            refuse(tmp_path / "file" / "x")


# ------------------------------------------------------------------------------------- Ctrl-C and closed pipes


def test_ctrl_c_keeps_what_was_finished(interrupted, capsys):
    assert main(["verify", "--theorem", "bellman"]) == 130
    out, err = capsys.readouterr()
    assert out.startswith("start-matters: ") and "PASSED: 1 of 1 claims established" in out
    assert err.count("\n") == 1 and "1 of 3 models finished" in err and "not finished: dadashi-2a, two-rooms" in err


def test_ctrl_c_writes_a_whole_file_that_says_so(interrupted, capsys, tmp_path):
    assert main(["verify", "--theorem", "bellman", "--output", str(tmp_path / "r.json")]) == 130
    document = json.loads((tmp_path / "r.json").read_text())
    assert document["established"].startswith("INTERRUPTED after 1 of 3 models; of these: PASSED")
    assert len(document["reports"]) == 1 and document["unfinished"] == ["dadashi-2a", "two-rooms"] and not document["passed"]
    assert "r.json" in capsys.readouterr().err


def test_ctrl_c_before_anything_was_finished_writes_nothing(monkeypatch, capsys, tmp_path):
    def verify(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(campaign, "verify", verify)
    assert main([*QUICK, "--output", str(tmp_path / "r.html")]) == 130
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "nothing was written" in err and list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_real_interrupt_ends_with_130():
    code = ("import os, signal\nfrom pgtheory.cli import campaign\nfrom pgtheory.cli import main\n"
            "campaign.verify = lambda *args, **kwargs: os.kill(os.getpid(), signal.SIGINT)\n"
            "raise SystemExit(main(['verify']))")
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False,
                         preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    assert run.returncode == 130 and run.stderr.count("\n") == 1 and "Traceback" not in run.stderr


@pytest.mark.skipif(os.name == "nt", reason="POSIX pipes")
def test_a_closed_pipe_is_quiet():
    read, write = os.pipe()
    os.close(read)
    run = pgtheory("models", capture_output=False, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert run.stderr == "" and run.returncode == 141


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_under_standard_output_is_one_line():
    with open("/dev/full", "w") as full:
        run = pgtheory("models", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert run.returncode == 2 and run.stderr.count("\n") == 1 and "standard output cannot be written" in run.stderr


def test_a_terminal_gets_colour_and_progress_and_a_file_neither():
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    plain = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE")}
    environment = plain | {"TERM": "xterm-256color", "COLUMNS": "100"}
    arguments = [sys.executable, "-m", "pgtheory", *QUICK]
    with subprocess.Popen(arguments, stdout=slave, stderr=slave, env=environment) as process:
        os.close(slave)
        shown = b""
        while True:
            try:
                chunk = os.read(master, 65536)
            except OSError:   # Linux: the other end is closed
                break
            if not chunk:
                break
            shown += chunk
    os.close(master)
    assert process.returncode == 0 and b"\x1b[32mPASS\x1b[0m" in shown and b"[1/1] start-matters" in shown
    assert "\x1b" not in pgtheory(*QUICK, env=environment).stdout


def test_the_report_never_replaces_the_model(tmp_path, capsys):
    path = tmp_path / "m.json"
    pg.models.load("start-matters").save(path)
    before = path.read_bytes()
    assert main(["verify", str(path), "--output", str(path)]) == 2
    assert "is the model itself" in capsys.readouterr().err and path.read_bytes() == before


def test_a_discount_of_absurd_length_is_refused_at_once(capsys):
    assert main(["verify", "start-matters", "--gamma", "1e-99999999"]) == 2
    assert "is no discount" in capsys.readouterr().err


def test_an_advantage_function_on_rollouts_is_checked_from_the_command_line(tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text("""import numpy as np

def mine(r):
    A, carry = np.zeros_like(r.rewards), 0.0
    for t in reversed(range(r.rewards.shape[1])):
        delta = r.rewards[:, t] + 0.8 * r.next_values[:, t] * ~r.done[:, t] - r.values[:, t]
        A[:, t] = carry = delta + 0.72 * ~r.done[:, t] * carry
    return A
""")
    arguments = ["check", f"{path}:mine", "--as", "advantages", "--gamma", "0.8", "--lam", "0.9", "--form", "rollout"]
    assert main(arguments) == 1                                       # time limits are to be bootstrapped
    assert main([*arguments, "--truncation", "as_termination"]) == 0
    capsys.readouterr()
    assert main(["check", f"{path}:mine", "--as", "gradient", "--form", "rollout"]) == 2
    assert "--form does not go with --as gradient" in capsys.readouterr().err

