"""``raystar solve``: what it refuses, what it searches with, and a question that a scripted server answers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.cli import main, parse_arguments
from cluster.commands.run.solve import make_config
from tests.fakes.openai_server import Body, ScriptedServer, serving

QUESTION = "What is 3 + 4?"


@pytest.mark.parametrize(
    ("arguments", "strategy", "options"),
    [
        ([], "best_of_n", {"candidates": 8, "answer_rule": "weighted"}),
        (["--reward-model", "prm"], "mcts", {"rollouts": 8, "candidates": 4}),
        (["--search.strategy=beam"], None, {}),
    ],
)
def test_search_depends_on_the_reward_model(
    arguments: list[str], strategy: str | None, options: dict[str, object]
) -> None:
    args = parse_arguments(["solve", "owner/name", QUESTION, "--format", "plain", *arguments])
    config = make_config(args, Path("question.jsonl"))
    assert config["search"].get("strategy") == strategy
    assert options.items() <= config["search"].items()
    assert (config["policy"]["path"], config["policy"]["format"]) == ("owner/name", "plain")


def test_model_behind_a_server_is_named_by_address_and_name() -> None:
    args = parse_arguments(["solve", "http://h:8000/v1#mine", QUESTION])
    policy = make_config(args, Path("question.jsonl"))["policy"]
    assert (policy["path"], policy["endpoint"]) == (None, {"url": "http://h:8000/v1", "model": "mine"})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["./nowhere", QUESTION], "policy.path: no model directory ./nowhere"),
        (["http://h/v1", QUESTION], "MODEL: http://h/v1 names no model of the server: URL#NAME is needed"),
        (["./nowhere", "  "], "QUESTION is empty"),
        (["./nowhere"], "the following arguments are required: QUESTION"),
        (["./nowhere", QUESTION, "--search.rolouts=3"], "did you mean search.rollouts"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert main(["solve", *arguments]) == 2
    captured = capsys.readouterr()
    assert message in captured.err and captured.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def write(body: Body) -> list[str]:
    """Write five correct and three incorrect solutions of two steps."""
    answers = (7, 8, 7, 7, 9, 7, 8, 7)[: body.get("n", 1)]
    return [f"3 and 4 are {answer}.\n\nSo it is \\boxed{{{answer}}}." for answer in answers]


@pytest.mark.slow
def test_question_is_answered_by_the_majority() -> None:
    with serving(ScriptedServer(write=write, key="sk-secret")) as server:
        result = subprocess.run(
            [sys.executable, "-m", "cluster.cli", "solve", f"{server.url}#mine", QUESTION]
            + ["--policy.endpoint.api_key_env=SOLVE_KEY", "--ray.dashboard=false", "--ray.num_cpus=2"],
            env={
                **os.environ,
                "SOLVE_KEY": "sk-secret",
                "COLUMNS": "80",
                "RAY_ADDRESS": "local",
            },
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[-5:] == [
        "Step 1",
        "    3 and 4 are 7.",
        "Step 2",
        "    So it is \\boxed{7}.",
        "answer: 7 (5 of 8 finished solutions)",
    ]
    assert "     0         │ So it is \\boxed{7}. → 7 ×5" in result.stdout
    assert "sk-secret" not in result.stdout + result.stderr
