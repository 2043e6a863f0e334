"""``raystar harvest``: records out of stored trees and of labels by people, and one line for bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster.annotation.file import solutions_file
from cluster.cli import main
from search import serialization
from search.data import StepLabels, Trajectory
from tests.cluster.reward_eval.judged_samples import CONFIG, PROBLEMS, first_mistake, store_trees, tree
from tests.train.labels.prm800k_rows import FIRST_PHASE, SECOND_PHASE, candidate, row, step, write
from train.data.loading import read_records
from train.labels.annotation_files import write_labelling

METHOD = "method: {rule: hard_labels, reward: {objective: prm}}\n"
HARVEST = Path("runs/mini-harvest/rounds/r1/harvest")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mini.yaml").write_text(CONFIG + METHOD)
    store_trees(Path("trees"), [tree(problem, 1, 1, 0) for problem in PROBLEMS[:2]])


def labels() -> list[StepLabels]:
    return list(read_records(StepLabels, [HARVEST / "step_labels.jsonl"]))


def test_trees_by_the_rule_of_the_config(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["harvest", "mini.yaml", "--trees", "trees"]) == 0
    assert f"records: {HARVEST.absolute()}" in capsys.readouterr().out
    assert {one.problem.id for one in labels()} == {problem.id for problem in PROBLEMS[:2]}
    done = json.loads((HARVEST / "done.json").read_text())
    assert done["counts"]["trees"] == 2
    before = (HARVEST / "step_labels.jsonl").stat().st_mtime_ns
    assert main(["harvest", "mini.yaml", "--trees", "trees"]) == 0  # done: nothing is written again
    assert (HARVEST / "step_labels.jsonl").stat().st_mtime_ns == before


def test_the_curriculums_solutions_are_checked_exactly() -> None:
    assert main(["harvest", "mini.yaml", "--trees", "trees", "--method.rule=checked_labels"]) == 0
    found = {one.problem.id: one for one in labels() if -1.0 in one.labels}
    assert {name: one.labels.index(-1.0) for name, one in found.items()} == {
        problem.id: first_mistake(problem) for problem in PROBLEMS[:2]
    }
    assert len(labels()) == 4 and all(set(one.labels[:-1]) <= {1.0} for one in labels())


def test_people(capsys: pytest.CaptureFixture[str]) -> None:
    file = write(Path("phase.jsonl"), FIRST_PHASE, SECOND_PHASE)
    assert main(["harvest", "mini.yaml", "--people", str(file)]) == 0
    assert "step labels in" in capsys.readouterr().out
    assert len(labels()) == 7


def test_labels_of_what_select_gave_out_belong_to_its_solutions() -> None:
    solution = Trajectory(PROBLEMS[0], tree(PROBLEMS[0], 1, 0, 0).steps(2), True, 1.0)
    file = Path("labelling.jsonl")
    write_labelling([solution], file)
    solutions_file(file).write_text(serialization.dump(solution) + "\n")
    lines = json.loads(file.read_text())
    for labelled in lines["label"]["steps"]:
        labelled["completions"][0]["rating"] = 1
    file.write_text(json.dumps(lines) + "\n")
    assert main(["harvest", "mini.yaml", "--people", str(file)]) == 0
    assert [(one.problem, one.steps) for one in labels()] == [(solution.problem, solution.steps)]
    assert set(labels()[0].labels) == {1.0}


def test_what_teaches_nothing_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    write(Path("phase.jsonl"), row(step(candidate("It is 7.\n\n# Answer\n\n7", 1))))
    assert main(["harvest", "mini.yaml", "--people", "phase.jsonl"]) == 0
    out = capsys.readouterr().out
    assert "step_labels.jsonl teaches nothing: all 1 labels say the same" in out
    assert "outcomes.jsonl teaches nothing: all 1 solutions are right" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--trees", "none"), "--trees: no trees in none"),
        (("--people", "none.jsonl"), "--people: no file none.jsonl"),
        (("--people", "mini.yaml"), "mini.yaml:1: "),
        ((), "one of the arguments --trees --people is required"),
        (("--trees", "trees", "--method.labels=a.jsonl"), "labels are for rule 'checked_labels', not for 'hard_labels'"),
        (
            ("--trees", "trees", "--method.rule=checked_labels", "--policy.format=plain"),
            "rule 'checked_labels' checks solutions of the curriculum's problems in code",
        ),
        (
            ("--trees", "trees", "--method={rule: star}", "--rounds=[{}]"),
            "rule 'star' needs more than trees (hinted)",
        ),
        (
            ("--trees", "trees", "--method={rule: sphere, policy: {objective: dpo}}", "--search.strategy=sphere",
             "--rounds=[{values: reward_model}]", "--reward_model.path=reward_model"),
            "rule 'sphere' reads trees of strategy 'sphere'; those in",
        ),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("reward_model").mkdir()
    Path("reward_model/config.json").write_text(
        json.dumps({"architectures": ["Qwen2ForSequenceClassification"], "id2label": {"0": "reward"}})
    )
    Path("reward_model/tokenizer.json").write_text("{}")
    Path("reward_model/model.safetensors").write_bytes(b"")
    assert main(["harvest", "mini.yaml", *arguments]) == 2
    captured = capsys.readouterr()
    assert message in captured.err and captured.err.count("\n") == 1
    assert not Path("runs").exists()


def test_another_source_in_the_same_run_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["harvest", "mini.yaml", "--trees", "trees"]) == 0
    file = write(Path("phase.jsonl"), FIRST_PHASE)
    assert main(["harvest", "mini.yaml", "--people", str(file)]) == 2
    assert "was made from something else" in capsys.readouterr().err
