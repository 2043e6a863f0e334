"""Servers in a config: what is refused before anything starts, how they are described, what is kept of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.cli import main
from tests.fakes.openai_server import ScriptedServer, serving

CONFIG = """\
version: 1
name: served
problems:
  train: {name: train.jsonl}
  validation: {name: curriculum, split: validation, count: 2}
  evaluation:
    heldout: {name: curriculum, split: heldout, count: 2}
policy:
  endpoint: {url: URL, model: m, backoff_s: 0.01, max_attempts: 2}
"""
SECRET = "sk-very-secret"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """A server that runs, in a working directory with a config that names it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    Path("train.jsonl").write_text(json.dumps({"question": "1 + 1?", "answer": "2"}) + "\n")
    with serving(ScriptedServer()) as script:
        Path("served.yaml").write_text(CONFIG.replace("URL", script.url))
        yield script


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the line on stderr of a refused command; assert exit code 2 and that nothing was written."""
    assert main([*arguments]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert sorted(path.name for path in Path().iterdir()) == ["served.yaml", "train.jsonl"]
    return captured.err


def test_step_strategies_are_refused_by_name_on_a_plain_chat(
    server: ScriptedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.apis = frozenset({"chat"})
    message = refusal(capsys, "search", "served.yaml")
    assert f"search.strategy = 'mcts' continues solutions step by step, which m at {server.url} does not do" in message
    assert "choose one of sampling, best_of_n" in message
    assert "compare.strategies.beam" in refusal(
        capsys, "compare", "served.yaml", "--compare.strategies={beam: {settings: {strategy: beam}}}",
        "--compare.against=beam", "--reward_model.endpoint={url: " + server.url + ", model: judge}",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evolve", "served.yaml"], "policy.endpoint: raystar evolve trains models"),
        (["train", "policy", "served.yaml", "--data", "train.jsonl"], "policy.endpoint: raystar train trains models"),
        (["search", "served.yaml", "--policy.endpoint.api_key_env=NO_SUCH_KEY"], "variable NO_SUCH_KEY is not set"),
        (["search", "served.yaml", "--policy.endpoint.url=ftp://h"], "an address such as https://HOST/v1"),
        (
            ["search", "served.yaml", "--policy.format=code"],
            "policy.format code: policy.endpoint.api continue is a chat",
        ),
        (["search", "served.yaml", "--policy.endpoint.url=http://127.0.0.1:1/v1"], "Connection error"),
        (["search", "served.yaml", "--policy.endpoint.api_kee=x"], "did you mean policy.endpoint.api"),
    ],
)
def test_bad_server_is_one_line_and_exit_code_2(
    server: ScriptedServer, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if "--policy.format=code" in arguments:
        arguments = [*arguments, "--policy.endpoint.api=continue"]
    assert message in refusal(capsys, *arguments)


def test_key_given_in_place_of_its_variable_is_not_repeated(
    server: ScriptedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    for field, fault in (("api_key_env", "not the key itself"), ("url", "without user, key or query")):
        value = SECRET if field == "api_key_env" else f"https://me:{SECRET}@host/v1"
        message = refusal(capsys, "search", "served.yaml", f"--policy.endpoint.{field}={value}")
        assert fault in message
        assert SECRET not in message


def test_bad_key_is_refused_and_not_repeated(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.key = "sk-other"
    monkeypatch.setenv("MY_KEY", SECRET)
    message = refusal(capsys, "search", "served.yaml", "--policy.endpoint.api_key_env=MY_KEY")
    assert "is the key in MY_KEY valid there?" in message
    assert SECRET not in message


def test_dry_run_asks_no_server(server: ScriptedServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "served.yaml", "--dry-run"]) == 0
    assert f"policy.endpoint: m at {server.url}, not asked yet" in capsys.readouterr().out
    assert server.requests == []


@pytest.mark.slow
def test_search_over_a_server_keeps_no_key(server: ScriptedServer, tmp_path: Path) -> None:
    """Prices of 1 and 2 a million: what the tokens of the tree cost is a fact of the search."""
    server.key, server.apis = SECRET, frozenset({"chat"})
    server.write = lambda body: ["It is \\boxed{2}.", "It is \\boxed{3}."][: body.get("n", 1)]
    options = ["--search.strategy=best_of_n", "--search.candidates=2", "--ray.dashboard=false", "--ray.num_cpus=2"]
    prices = ["--policy.endpoint.price_prompt=1", "--policy.endpoint.price_generated=2"]
    result = subprocess.run(
        [sys.executable, "-m", "cluster.cli", "search", "served.yaml", "--policy.endpoint.api_key_env=MY_KEY"]
        + options
        + prices,
        env={**os.environ, "MY_KEY": SECRET, "RAY_ADDRESS": "local", "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "r1/search" in result.stdout and "1 (100 %)" in result.stdout
    files = [file for file in (tmp_path / "runs").rglob("*") if file.is_file()]
    assert any(file.name == "manifest.json" for file in files)
    kept = [str(file) for file in files if SECRET.encode() in file.read_bytes()]
    assert kept == [] and SECRET not in result.stdout + result.stderr
    facts = json.loads((tmp_path / "runs/served-search/rounds/r1/search/done.json").read_text())
    assert facts["price"] == pytest.approx((facts["prompt_tokens"] + 2 * facts["tokens"]) / 1e6)
