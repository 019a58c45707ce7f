"""Estimators of well-known libraries: what each check says of them. Those that need a library that is missing are skipped."""

import importlib.util
import sys
from pathlib import Path

import pytest

PATH = Path(__file__).parents[1] / "examples" / "clients.py"


def _loaded():
    """examples/clients.py as a module; dataclasses look it up by name."""
    spec = importlib.util.spec_from_file_location("clients", PATH)
    module = sys.modules["clients"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


clients = _loaded()


@pytest.mark.parametrize("client", clients.CLIENTS, ids=lambda client: f"{client.library.strip()}: {client.target}")
def test_a_client_gets_its_verdict(client):
    if client.missing:
        pytest.skip(f"{client.missing} is not installed")
    result = client.check()
    assert result.verdict == client.expected
    if client.expected == "PASS":
        assert result.relative_bias < 1e-6 and result.precision


def test_the_bugs_that_the_descriptions_have_are_named():
    named = {client.target + client.library.strip(): {finding.bug for finding in client.check().diagnosis}
             for client in clients.CLIENTS if not client.needs and client.expected == "FAIL"}
    assert named["GAE, limits bootstrappedPPO loop in CleanRL's manner"] == {"B6/B7"}
    assert named["gradientGRPO"] == {"grpo-sample-std"} and named["gradientGRPO without standard deviation"] == {"own-sample-in-baseline"}
    assert all(named.values())
