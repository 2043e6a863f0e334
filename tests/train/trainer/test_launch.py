"""The driver's side without Ray: resources of a worker, fingerprints, checks of the input, following reports."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from search.errors import UserError
from search.formats.model_prompt import BUILT_IN_PROMPT
from train.config import TrainConfig
from train.data.loading import NothingToLearn
from train.data.tokenized import TokenizedSet
from train.objectives import SampleKind
from train.trainer.job import TrainReport
from train.trainer.launch import TrainTask, fingerprint, fit, follow_reports, worker_resources
from train.trainer.loop import learning_rate


def node(cpu: float, gpu: float = 0.0, alive: bool = True) -> dict[str, Any]:
    return {"Alive": alive, "Resources": {"CPU": cpu, "GPU": gpu}}


def task(tmp_path: Path, **fields: Any) -> TrainTask:
    default = TrainTask(
        objective="sft",
        initial_model=tmp_path / "m",
        data=(),
        prompt=BUILT_IN_PROMPT,
        output=tmp_path / "out",
        work_directory=tmp_path / "work",
        seed=0,
        name="t",
    )
    return replace(default, **fields)


@pytest.mark.parametrize(
    ("workers", "nodes", "expected"),
    [
        (1, [node(2)], (2, False)),
        (2, [node(2)], (1, False)),
        (3, [node(8), node(8)], (4, False)),
        (2, [node(8), node(8), node(64, alive=False)], (8, False)),
        (2, [node(16, 2), node(32)], (8, True)),
        (1, [node(64), node(16, 1)], (16, True)),
    ],
)
def test_workers_share_the_cores_of_the_nodes(
    workers: int, nodes: list[dict[str, Any]], expected: tuple[int, bool]
) -> None:
    assert worker_resources(TrainConfig(workers=workers), nodes) == expected


def test_workers_are_refused_when_they_do_not_fit() -> None:
    with pytest.raises(UserError, match=r"no room for 3 training workers of 1 CPU core\(s\) each"):
        worker_resources(TrainConfig(workers=3), [node(2)])
    with pytest.raises(UserError, match="and a GPU"):
        worker_resources(TrainConfig(use_gpu=True), [node(2)])
    with pytest.raises(UserError, match=r"no room for 2 training workers of 1 CPU core\(s\) and a GPU each"):
        worker_resources(TrainConfig(workers=2), [node(16, 1)])  # never 2 workers on CPUs beside a GPU
    assert worker_resources(TrainConfig(use_gpu=True, cpus_per_worker=4), [node(2)]) == (4, True)  # a node is awaited
    assert worker_resources(TrainConfig(workers=2, cpus_per_worker=1), [node(8)]) == (1, False)


def test_learning_rate_rises_and_then_decays() -> None:
    config = TrainConfig(learning_rate=1.0, warmup_ratio=0.2)
    assert [learning_rate(step, 10, config) for step in (0, 1, 2, 6, 9)] == pytest.approx([0.5, 1.0, 1.0, 0.5, 0.125])
    cosine = TrainConfig(learning_rate=1.0, warmup_ratio=0.0, schedule="cosine")
    assert [learning_rate(step, 4, cosine) for step in (0, 2)] == pytest.approx([1.0, 0.5])
    flat = TrainConfig(learning_rate=0.5, warmup_ratio=0.0, schedule="constant")
    assert [learning_rate(step, 4, flat) for step in (0, 3)] == [0.5, 0.5]


def test_fingerprint_depends_on_what_is_learnt_only(tmp_path: Path) -> None:
    tokens = np.arange(4, dtype=np.int32)
    samples = TokenizedSet(
        kind=SampleKind.TOKENS, tokens=tokens, targets=np.ones(4, dtype=np.bool_), starts=np.array([0, 4]), pad_id=0
    )
    default = fingerprint(TrainConfig(), task(tmp_path), samples)
    assert fingerprint(TrainConfig(max_failures=0, log_every=1), task(tmp_path), samples) == default
    layout = {"workers": 8, "micro_batch_tokens": 64, "zero_stage": 3, "offload": "optimizer", "use_gpu": True}
    assert fingerprint(TrainConfig(**layout, gradient_checkpointing=True), task(tmp_path), samples) == default
    assert fingerprint(TrainConfig(epochs=7), task(tmp_path), samples) != default
    assert fingerprint(TrainConfig(), task(tmp_path, seed=1), samples) != default
    other = TokenizedSet(
        kind=SampleKind.TOKENS, tokens=tokens + 1, targets=samples.targets, starts=samples.starts, pad_id=0
    )
    assert fingerprint(TrainConfig(), task(tmp_path), other) != default
    labelled = replace(samples, kind=SampleKind.OUTCOMES, labels=np.ones((4, 1), dtype=np.float32))
    relabelled = replace(labelled, labels=np.zeros((4, 1), dtype=np.float32))
    prints = {fingerprint(TrainConfig(), task(tmp_path), each) for each in (samples, labelled, relabelled)}
    assert len(prints) == 3
    assert (
        fingerprint(TrainConfig(), task(tmp_path), replace(samples, reference=np.ones(1, dtype=np.float32))) == default
    )


def test_reports_reach_the_callback_in_order(tmp_path: Path) -> None:
    reports = [
        TrainReport(
            step=i,
            steps=3,
            loss=1.0 / (i + 1),
            learning_rate=1e-3,
            gradient_norm=0.5,
            tokens_per_second=100.0,
            seconds=2.0,
            metrics={"token_accuracy": 0.5},
        )
        for i in range(3)
    ]
    file, received = tmp_path / "progress.jsonl", []
    with follow_reports(file, received.append):
        file.write_text("".join(json.dumps(asdict(report)) + "\n" for report in reports) + '{"step": 9')
    assert received == reports


def test_bad_input_raises_an_error_of_one_line(tmp_path: Path, tiny_model: Path, sft_file: Path) -> None:
    config = TrainConfig()
    with pytest.raises(
        UserError, match="unknown objective 'sfx': one of dpo, dpo_nll, orm, ppm, prm, q_regression, sft"
    ):
        fit(config, task(tmp_path, objective="sfx"))
    with pytest.raises(UserError, match=r"no model at .*a Hugging Face directory with config.json is needed"):
        fit(config, task(tmp_path, data=(sft_file,)))
    with pytest.raises(UserError, match=r"no data file .*none.jsonl"):
        fit(config, task(tmp_path, initial_model=tiny_model, data=(tmp_path / "none.jsonl",)))
    broken = tmp_path / "broken.jsonl"
    broken.write_text(sft_file.read_text().splitlines()[0] + '\n{"problem": 3}\n')
    with pytest.raises(UserError, match=r"broken.jsonl, line 2: no Trajectory, problem: "):
        fit(config, task(tmp_path, initial_model=tiny_model, data=(broken,)))


@pytest.mark.parametrize(("facts", "version", "age"), [({}, 1, "older"), ({"schema": 4}, 4, "newer")])
def test_finished_model_of_another_schema_version_is_refused(
    tmp_path: Path, tiny_model: Path, sft_file: Path, facts: dict[str, int], version: int, age: str
) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / "train.json").write_text(json.dumps({**facts, "fingerprint": "f"}))
    message = rf"out has schema version {version}, .* version 3: remove it, or use the {age} RayStar"
    with pytest.raises(UserError, match=message):
        fit(TrainConfig(), task(tmp_path, initial_model=tiny_model, data=(sft_file,), output=output))


def test_fit_raises_before_it_starts_without_samples(tmp_path: Path, tiny_model: Path, sft_file: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    with pytest.raises(NothingToLearn, match=r"no sample to learn from in .*empty.jsonl"):
        fit(TrainConfig(), task(tmp_path, initial_model=tiny_model, data=(empty,)))
    with pytest.raises(NothingToLearn, match="'too_long': 22"):
        fit(TrainConfig(max_length=8), task(tmp_path, initial_model=tiny_model, data=(sft_file,)))
    assert not (tmp_path / "work").exists()


def test_fit_raises_when_all_labels_are_equal(tmp_path: Path, tiny_model: Path, data: dict[str, Path]) -> None:
    one_label = tmp_path / "one_label.jsonl"
    one_label.write_text(data["sft"].read_text())  # correct solutions only
    with pytest.raises(
        NothingToLearn, match=r"every label in .*one_label.jsonl is {'correct': 1.0}: there is nothing to"
    ):
        fit(TrainConfig(), task(tmp_path, objective="orm", initial_model=tiny_model, data=(one_label,)))
    one_label.write_text(
        data["prm"].read_text().splitlines()[0].replace('"labels":[1.0,0.0,1.0,1.0]', '"labels":[0.0]')
    )
    with pytest.raises(
        NothingToLearn, match=r"is {'correct': 0.0, 'neutral': 1.0, 'incorrect': 0.0}: there is nothing"
    ):
        fit(TrainConfig(), task(tmp_path, objective="prm", initial_model=tiny_model, data=(one_label,)))
    one_label.write_text("")
    with pytest.raises(NothingToLearn, match=r"'cut': 0"):
        fit(TrainConfig(), task(tmp_path, objective="q_regression", initial_model=tiny_model, data=(one_label,)))


def test_label_off_its_scale_raises_with_its_line(tmp_path: Path, tiny_model: Path, data: dict[str, Path]) -> None:
    off = tmp_path / "off.jsonl"
    off.write_text(data["prm"].read_text().splitlines()[0].replace('"labels":[1.0,', '"labels":[2.0,'))
    with pytest.raises(UserError, match=r"off.jsonl, line 1: no StepLabels, .*label 2.0 is not on the scale 'sign'"):
        fit(TrainConfig(), task(tmp_path, objective="prm", initial_model=tiny_model, data=(off,)))


def test_config_refuses_bad_values_and_unknown_keys() -> None:
    with pytest.raises(ValidationError, match="zero_stage"):
        TrainConfig(zero_stage=4)
    with pytest.raises(ValidationError, match="lerning_rate"):
        TrainConfig.model_validate({"lerning_rate": 1e-3})
