"""``raystar harvest``: records from stored trees and from labels by people, and one line for bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster.annotation.file import solutions_file
from cluster.cli import main
from search import serialization
from search.data import StepLabels, Trajectory
from tests.cluster.reward_eval.stored_samples import CONFIG, PROBLEMS, first_incorrect_step, sample_tree, store_trees
from tests.fakes.tiny_model import make_empty_model
from tests.train.labels.prm800k_rows import FIRST_PHASE, SECOND_PHASE, candidate, row, step, write
from train.data.records import read_records
from train.labels.annotation_files import write_annotation_file

METHOD = "method: {rule: hard_labels, reward_model: {objective: prm}}\n"
HARVEST = Path("runs/mini-harvest/rounds/r1/harvest")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mini.yaml").write_text(CONFIG + METHOD)
    store_trees(Path("trees"), [sample_tree(problem, 1, 1, 0) for problem in PROBLEMS[:2]])


def labels() -> list[StepLabels]:
    return list(read_records(StepLabels, [HARVEST / "step_labels.jsonl"]))


def test_trees_are_harvested_by_the_rule_of_the_config(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["harvest", "mini.yaml", "--trees", "trees"]) == 0
    assert f"records: {HARVEST.absolute()}" in capsys.readouterr().out
    assert {labelled.problem.id for labelled in labels()} == {problem.id for problem in PROBLEMS[:2]}
    done = json.loads((HARVEST / "done.json").read_text())
    assert done["counts"]["trees"] == 2
    before = (HARVEST / "step_labels.jsonl").stat().st_mtime_ns
    assert main(["harvest", "mini.yaml", "--trees", "trees"]) == 0  # done: nothing is written again
    assert (HARVEST / "step_labels.jsonl").stat().st_mtime_ns == before


def test_curriculum_solutions_get_exact_labels() -> None:
    assert main(["harvest", "mini.yaml", "--trees", "trees", "--method.rule=checked_labels"]) == 0
    incorrect = {labelled.problem.id: labelled for labelled in labels() if -1.0 in labelled.labels}
    assert {name: labelled.labels.index(-1.0) for name, labelled in incorrect.items()} == {
        problem.id: first_incorrect_step(problem) for problem in PROBLEMS[:2]
    }
    assert len(labels()) == 4 and all(set(labelled.labels[:-1]) <= {1.0} for labelled in labels())


def test_labels_by_people_are_harvested(capsys: pytest.CaptureFixture[str]) -> None:
    file = write(Path("phase.jsonl"), FIRST_PHASE, SECOND_PHASE)
    assert main(["harvest", "mini.yaml", "--labels", str(file)]) == 0
    assert "step labels in" in capsys.readouterr().out
    assert len(labels()) == 7


def test_labels_of_selected_solutions_belong_to_them() -> None:
    solution = Trajectory(PROBLEMS[0], sample_tree(PROBLEMS[0], 1, 0, 0).steps(2), correct=True, q=1.0)
    file = Path("labelling.jsonl")
    write_annotation_file([solution], file)
    solutions_file(file).write_text(serialization.dump(solution) + "\n")
    lines = json.loads(file.read_text())
    for rated in lines["label"]["steps"]:
        rated["completions"][0]["rating"] = 1
    file.write_text(json.dumps(lines) + "\n")
    assert main(["harvest", "mini.yaml", "--labels", str(file)]) == 0
    assert [(labelled.problem, labelled.steps) for labelled in labels()] == [(solution.problem, solution.steps)]
    assert set(labels()[0].labels) == {1.0}


def test_file_that_teaches_nothing_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    write(Path("phase.jsonl"), row(step(candidate("It is 7.\n\n# Answer\n\n7", 1))))
    assert main(["harvest", "mini.yaml", "--labels", "phase.jsonl"]) == 0
    out = capsys.readouterr().out
    assert "step_labels.jsonl teaches nothing: all 1 labels say the same" in out
    assert "outcomes.jsonl teaches nothing: all 1 solutions are correct" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--trees", "none"), "/none: a directory with trees-*.jsonl is needed"),
        (("--labels", "none.jsonl"), "--labels: no file none.jsonl"),
        (("--labels", "mini.yaml"), "mini.yaml:1: "),
        ((), "one of the arguments --trees --labels is required"),
        (("--trees", "trees", "--method.labels=a.jsonl"), "labels are for rule 'checked_labels', not for 'hard_labels'"),
        (
            ("--trees", "trees", "--method.rule=checked_labels", "--policy.format=plain"),
            "rule 'checked_labels' checks solutions of the curriculum's problems in code",
        ),
        (
            ("--trees", "trees", "--method={rule: star}", "--rounds=[{}]"),
            "rule 'star' needs more than trees (hinted_trees)",
        ),
        (
            ("--trees", "trees", "--method={rule: sphere, policy: {objective: dpo}}", "--search.strategy=sphere",
             "--rounds=[{values: reward_model}]", "--reward_model.path=reward_model"),
            "rule 'sphere' reads trees of strategy 'sphere'; those in",
        ),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    make_empty_model(Path("reward_model"), labels=["reward"])
    assert main(["harvest", "mini.yaml", *arguments]) == 2
    captured = capsys.readouterr()
    assert message in captured.err and captured.err.count("\n") == 1
    assert not Path("runs").exists()


def test_second_source_in_a_run_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["harvest", "mini.yaml", "--trees", "trees"]) == 0
    file = write(Path("phase.jsonl"), FIRST_PHASE)
    assert main(["harvest", "mini.yaml", "--labels", str(file)]) == 2
    assert "was made from something else" in capsys.readouterr().err
