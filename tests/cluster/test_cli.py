"""Command line: help, dry runs, exit codes, and bad input, which is one line and writes nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cluster import cli
from cluster.cli import COMMANDS, main, split_overrides

CONFIG = """\
version: 1
name: mini
problems:
  train: {name: TRAIN, split: train}
  validation: {name: curriculum, split: validation, count: 5, levels: [3, 6]}
  evaluation:
    heldout: {name: curriculum, split: heldout, count: 7, levels: [3, 6]}
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A config and a valid data file in an otherwise empty working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    rows = [{"id": f"p{n}", "question": f"What is {n} plus {n * n}?", "answer": str(n + n * n)} for n in range(6)]
    Path("train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = Path("mini.yaml")
    path.write_text(CONFIG.replace("TRAIN", "train.jsonl"))
    return path


def error_line(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the line on stderr of a refused command; assert exit code 2 and no run directory."""
    assert main(list(arguments)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert not Path("runs").exists()
    return captured.err


@pytest.mark.parametrize("command", [[], *[[name] for name in COMMANDS]])
def test_help_fits_80_columns(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as caught:
        main([*command, "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert "usage: raystar" in text
    assert max(map(len, text.splitlines())) <= 80
    if command and command[0] in ("evolve", "search", "train", "evaluate"):
        assert "--ray.object_store_mib [256]  shared memory of the object store (MiB)" in text
        assert "--dry-run" in text
        names = " ".join(text.partition("--search.strategy [mcts]")[2].partition("--search.trees")[0].split())
        assert command == ["train"] or ("mcts, sampling, " in names and "paper, paper_bootstrap, " in names)


def test_import_of_the_command_line_loads_nothing_heavy() -> None:
    code = "import sys, cluster.cli; print([m for m in ('ray', 'torch', 'vllm', 'transformers') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_dry_run_prints_the_plan_and_writes_nothing(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evolve", str(config), "--dry-run", "--search.rollouts=3", "--name", "other"]) == 0
    text = capsys.readouterr().out
    assert "run other, seed 0, directory" in text
    assert "r1/search" in text and "6 problems, mcts: 3 rollouts x 4 candidates, terminal values" in text
    assert "r4/evaluate" in text and "7 problems in 1 splits" in text
    assert "r4 in all" in text and "  in all " in text
    assert sorted(path.name for path in Path().iterdir()) == ["mini.yaml", "train.jsonl"]


def test_dry_run_bounds_a_search_for_step_labels(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = ["--search.solutions=2", "--search.candidates=4", "--search.max_depth=10", "--limit=3"]
    for strategy, looks in (("math_shepherd", 10), ("first_error_search", 4)):
        assert main(["search", "mini.yaml", f"--search.strategy={strategy}", *labels, "--dry-run"]) == 0
        text = capsys.readouterr().out
        assert f"3 problems, {strategy}: 2 solutions, 4 completions of up to {looks} prefixes each" in text
        # 2 solutions by one request, 4 completions of each prefix by one, and an answer of each of all these
        assert f"search{3 * (1 + 2 + 2 * looks * (1 + 4)):>12}" in text


@pytest.mark.parametrize(
    "arguments",
    [
        ["search", "mini.yaml", "--split", "heldout", "--limit", "3"],
        ["evaluate", "mini.yaml"],
        ["train", "policy", "mini.yaml", "--data", "records.jsonl"],
        ["train", "reward_model", "mini.yaml", "--data", "records.jsonl"],
        ["doctor"],
    ],
)
def test_dry_run_of_other_commands_writes_nothing(
    config: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("records.jsonl").touch()
    assert main([*arguments, "--dry-run"]) == 0
    assert capsys.readouterr().out
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evolve", "none.yaml"], "no config file none.yaml"),
        (["evolve", "mini.yaml", "--search.rolouts=3"], "unknown key search.rolouts: did you mean search.rollouts?"),
        (["evolve", "mini.yaml", "--rollouts=3"], "unknown key rollouts: did you mean search.rollouts"),
        (["evolve", "mini.yaml", "--search.rollouts", "0"], "search.rollouts = 0 is not possible"),
        (["evolve", "mini.yaml", "--rollouts"], "unexpected argument '--rollouts'"),
        (["evolve", "mini.yaml", "extra"], "unexpected argument 'extra'"),
        (["evolve"], "the following arguments are required: CONFIG"),
        (["evlove", "mini.yaml"], "invalid choice: 'evlove'"),
        (["evolve", "mini.yaml", "--seed", "x"], "invalid int value: 'x'"),
        (["evolve", "mini.yaml", "--policy.path=./nowhere"], "policy.path: no model directory ./nowhere"),
        (["evolve", "mini.yaml", "--policy.shots=none.txt"], "policy.shots: cannot read none.txt"),
        (["evolve", "mini.yaml", "--problems.train.name=none.jsonl"], "none.jsonl"),
        (["search", "mini.yaml", "--split", "moon"], "--split 'moon' is unknown: one of train, validation, heldout"),
        (["search", "mini.yaml", "--limit", "0"], "0 is not possible: a whole number from 1"),
        (["search", "mini.yaml", "--reward-model", "nowhere"], "--reward-model: no model directory nowhere"),
        (["compare", "mini.yaml"], "--reward-model: best_of_n, beam"),
        (["evolve", "mini.yaml", "--evaluation.search.strategy=math_shepherd"], "'math_shepherd' needs the answers"),
        (
            ["compare", "mini.yaml", "--compare.strategies={best_of_n: {settings: {strategy: first_error_search}}}"],
            "compare.strategies.best_of_n: 'first_error_search' labels solutions and gives no answer",
        ),
        (
            [
                "evolve",
                "mini.yaml",
                "--method={rule: checked_labels, reward_model: {objective: prm}}",
                "--rounds=[{}]",
                "--policy.format=plain",
            ],
            "method.rule 'checked_labels' needs step labels by people",
        ),
        (
            [
                "evolve",
                "mini.yaml",
                "--method={rule: checked_labels, reward_model: {objective: prm}, labels: none.jsonl}",
                "--rounds=[{}]",
            ],
            "method.labels: no file none.jsonl",
        ),
        (
            [
                "evolve",
                "mini.yaml",
                "--method={rule: checked_labels, reward_model: {objective: prm}, labels: train.jsonl}",
                "--rounds=[{}]",
            ],
            "train.jsonl:1: ",
        ),
        (["train", "policy", "mini.yaml", "--data", "none"], "--data: no file none"),
        (
            ["train", "policy", "mini.yaml", "--data", "train.jsonl", "--dry-run"],
            "--data: sft learns from trajectories.jsonl of a harvest: train.jsonl, line 1: no Trajectory",
        ),
        (["evolve", "mini.yaml", "--reward_model.kind=judge"], "reward_model.kind: judge is the kind of no model"),
        (["evolve", "mini.yaml", "--like", "runs/other"], "--like is for a plan: give --dry-run too"),
        (["evolve", "mini.yaml", "--like", "none", "--dry-run"], "--like: none is no run directory"),
        (["train", "judge", "mini.yaml", "--data", "train.jsonl"], "invalid choice: 'judge'"),
        (["report", "."], "is not a RayStar run directory"),
        (["report", ".", "--search.rollouts=3"], "raystar report takes no config fields"),
        (["sandbox", "run", "none.py"], "cannot read none.py"),
        (["sandbox", "run", "none.py", "--executor.cpu_seconds=0"], "executor.cpu_seconds = 0 is not possible"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    config: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in error_line(capsys, *arguments)


def test_data_file_is_checked_before_anything_starts(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = Path("train.jsonl")
    good = data.read_text()
    data.write_text(good + "{not json\n")
    assert "train.jsonl:7:" in error_line(capsys, "evolve", "mini.yaml")
    assert main(["evolve", "mini.yaml", "--dry-run", "--skip-bad-lines"]) == 0
    assert "6 problems, mcts: 8 rollouts" in capsys.readouterr().out
    data.write_text(good + good.splitlines()[0] + "\n")
    assert "train.jsonl" in error_line(capsys, "evolve", "mini.yaml")
    data.write_text("")
    assert "train.jsonl" in error_line(capsys, "evolve", "mini.yaml")


def test_foreign_run_directory_is_refused(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine").mkdir()
    Path("mine/thesis.tex").write_text("")
    assert "not a RayStar run directory" in error_line(capsys, "evolve", "mini.yaml", "--run-dir", "mine")
    assert [path.name for path in Path("mine").iterdir()] == ["thesis.tex"]


def test_unreachable_cluster_is_refused_and_nothing_written(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no Ray at 127.0.0.1:1" in error_line(capsys, "evolve", "mini.yaml", "--address", "127.0.0.1:1")
    assert "is no address" in error_line(capsys, "evolve", "mini.yaml", "--address", "nonsense")
    assert "Ray Client is not supported" in error_line(capsys, "evolve", "mini.yaml", "--address", "ray://h:10001")


def test_interrupt_exits_with_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.doctor, "run", interrupt)
    assert main(["doctor"]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_overrides_are_split_from_arguments() -> None:
    plain, overrides = split_overrides(
        ["evolve", "--a.b", "3", "c.yaml", "--c.d=x y", "--seed", "4", "--run-dir", "a.b"]
    )
    assert plain == ["evolve", "c.yaml", "--seed", "4", "--run-dir", "a.b"]
    assert overrides == ["--a.b=3", "--c.d=x y"]


def test_levels_of_a_round_choose_its_problems(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mixed = ["--problems.train={name: curriculum, split: train, count: 6, levels: [3, 5]}"]
    rounds = "--rounds=[{levels: [3, 3], train_reward_model: false}, {levels: [4, 5]}]"
    assert main(["evolve", str(config), "--dry-run", "--search.rollouts=3", *mixed, rounds]) == 0
    text = capsys.readouterr().out
    assert "2 problems, mcts: 3 rollouts" in text and "4 problems, mcts: 3 rollouts" in text
    assert "rounds.0.levels is [6, 7], but training problems have levels 3 to 5" in error_line(
        capsys, "evolve", str(config), *mixed, "--rounds=[{levels: [6, 7]}]"
    )
    assert "rounds.0.levels is [3, 3], but training problems have no levels" in error_line(
        capsys, "evolve", str(config), "--rounds=[{levels: [3, 3]}]"
    )
    assert (
        main(["search", str(config), "--dry-run", "--rounds=[{levels: [3, 3]}]"]) == 0
    )  # raystar search has no rounds
