"""Command lines of eval-reward-model, select and label: plans, and one line for bad input with nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.cli import main
from search.evaluation import process_bench
from search.evaluation.process_bench import ProcessRow
from tests.cluster.reward_eval.stored_samples import CONFIG, PROBLEMS, sample_tree, store_trees
from tests.fakes.tiny_model import make_empty_model


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a config, a PPM, a model without labels, samples, and files of steps."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    Path("mini.yaml").write_text(CONFIG)
    for name, label in (("reward_model", "reward"), ("unlabelled", "LABEL_0")):
        (make_empty_model(Path(name), labels=[label]) / "tokenizer.json").rename(Path(name) / "vocab.json")
    policy = make_empty_model(Path("policy"), architecture="Qwen2ForCausalLM")
    (policy / "tokenizer.json").rename(policy / "vocab.json")
    store_trees(Path("trees"), [sample_tree(problem, 1, 1, 0) for problem in PROBLEMS[:2]])
    rows = [
        ProcessRow(
            id=f"{n}",
            generator="m",
            problem=f"problem {n}",
            steps=("A", "B"),
            final_answer_correct=n % 2 > 0,
            label=n % 2 - 1,
        )
        for n in range(40)
    ]
    Path("steps.jsonl").write_text(process_bench.dump_rows(row for row in rows if row.label < 1))
    Path("correct.jsonl").write_text(process_bench.dump_rows(row for row in rows if row.label == -1))
    return tmp_path


EVAL = ("eval-reward-model", "mini.yaml", "--model", "reward_model")
SELECT = ("select", "mini.yaml", "--model", "reward_model")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            EVAL,
            [
                "reward_eval/samples",
                "5 problems, 8 samples each",
                "reward_eval/scores",
                "every step of the solutions in the samples",
            ],
        ),
        ((*EVAL, "--split", "heldout", "--limit", "3", "--evaluation.samples=64"), ["3 problems, 64 samples each"]),
        (
            (*EVAL, "--trees", "trees"),
            ["reward_eval/scores", "every step of the solutions in"],
        ),
        ((*EVAL, "--steps", "steps.jsonl"), ["reward_eval/steps", "every step of 40 solutions in"]),
        ((*EVAL, "--steps", "steps.jsonl", "--threshold", "0.5"), ["reward_eval/steps"]),
        (("eval-reward-model", "mini.yaml", "--model", "unlabelled", "--kind", "orm"), ["reward_eval/samples"]),
        (SELECT, ["select/samples", "6 problems, 8 samples each", "select/scores"]),
        ((*SELECT, "--trees", "trees", "--together", "--count", "50"), ["select/scores"]),
    ],
)
def test_dry_run_prints_the_stages(
    here: Path, arguments: tuple[str, ...], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--dry-run"]) == 0
    text = capsys.readouterr().out
    assert all(word in text for word in words)
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("eval-reward-model", "mini.yaml"), "the following arguments are required: --model"),
        (("eval-reward-model", "mini.yaml", "--model", "none"), "--model: no model directory none"),
        (
            ("eval-reward-model", "mini.yaml", "--model", "unlabelled"),
            "what it is for is unclear; name its kind (reward_model.kind or --kind): ppm, q_regression, orm, classifier",
        ),
        ((*EVAL, "--kind", "prm"), "reward_model (reward) are those of the kind ppm"),
        ((*EVAL, "--step-aggregation", "sum"), "invalid choice: 'sum' (choose from '"),
        ((*EVAL, "--kind", "best"), "invalid choice: 'best' (choose from 'ppm', 'q_regression'"),
        ((*EVAL, "--split", "moon"), "--split 'moon' is unknown"),
        ((*EVAL, "--policy", "none"), "--policy: no model directory none"),
        ((*EVAL, "--trees", "reward_model"), "--trees: no trees in reward_model"),
        (
            (*EVAL, "--trees", "trees", "--policy", "policy"),
            "--policy: no samples are drawn if --trees is given",
        ),
        ((*EVAL, "--steps", "none.jsonl"), "none.jsonl: no such file; expected JSON lines with id, generator"),
        ((*EVAL, "--steps", "mini.yaml"), "mini.yaml:1: not JSON"),
        ((*EVAL, "--steps", "steps.jsonl", "--trees", "trees"), "--trees: no samples are drawn if --steps is given"),
        ((*EVAL, "--steps", "steps.jsonl", "--limit", "3"), "--limit: no samples are drawn if --steps is given"),
        ((*EVAL, "--steps", "correct.jsonl"), "0 solutions with an incorrect step"),
        (
            (*EVAL, "--steps", "steps.jsonl", "--threshold-from", "steps.jsonl"),
            "0 solutions with an incorrect step and 0 without",
        ),
        ((*EVAL, "--threshold", "2"), "2 is not possible: a number from 0 to 1"),
        ((*EVAL, "--threshold", "0.5", "--threshold-from", "steps.jsonl"), "exclude each other"),
        ((*SELECT, "--count", "0"), "0 is not possible: a whole number from 1"),
        ((*SELECT, "--output", "steps.jsonl"), "steps.jsonl exists and may hold labels"),
        ((*SELECT, "--output", "nowhere/a.jsonl"), "--output: no directory"),
        (("label", "none.jsonl"), "none.jsonl: no such file"),
        (("label", "steps.jsonl"), "steps.jsonl:1: "),
        (("label", "steps.jsonl", "--a.b=c"), "raystar label takes no config fields"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    here: Path, arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(Path().rglob("*"))
    assert main(list(arguments)) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    assert message in captured.err
    assert sorted(Path().rglob("*")) == before
