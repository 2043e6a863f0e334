"""The driver's side without Ray: placement, fingerprints, checks of the input, following reports."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from search.errors import UserError
from search.formats.registry import CodeFormat
from train.config import TrainConfig
from train.data.loading import NothingToLearn
from train.data.tokenized import TokenizedSet
from train.objectives import Kind
from train.trainer.job import TrainReport
from train.trainer.launch import TrainTask, fingerprint, fit, following, placement
from train.trainer.loop import learning_rate


def node(cpu: float, gpu: float = 0.0, alive: bool = True) -> dict[str, Any]:
    return {"Alive": alive, "Resources": {"CPU": cpu, "GPU": gpu}}


def task(tmp_path: Path, **fields: Any) -> TrainTask:
    made = TrainTask("sft", tmp_path / "m", (), CodeFormat(), tmp_path / "out", tmp_path / "work", 0, "t")
    return replace(made, **fields)


@pytest.mark.parametrize(
    ("workers", "nodes", "expected"),
    [
        (1, [node(2)], (2, False)),
        (2, [node(2)], (1, False)),
        (3, [node(8), node(8)], (4, False)),
        (2, [node(8), node(8), node(64, alive=False)], (8, False)),
        (2, [node(16, 2), node(32)], (8, True)),
        (2, [node(16, 1)], (8, False)),
    ],
)
def test_workers_share_the_cores(workers: int, nodes: list[dict[str, Any]], expected: tuple[int, bool]) -> None:
    assert placement(TrainConfig(workers=workers), nodes) == expected


def test_workers_that_find_no_room_are_refused() -> None:
    with pytest.raises(UserError, match=r"no room for 3 training workers of 1 CPU core\(s\) each"):
        placement(TrainConfig(workers=3), [node(2)])
    with pytest.raises(UserError, match="and a GPU"):
        placement(TrainConfig(use_gpu=True), [node(2)])
    assert placement(TrainConfig(workers=2, cpus_per_worker=1), [node(8)]) == (1, False)


def test_learning_rate_warms_up_and_falls() -> None:
    config = TrainConfig(learning_rate=1.0, warmup_ratio=0.2)
    assert [learning_rate(step, 10, config) for step in (0, 1, 2, 6, 9)] == pytest.approx([0.5, 1.0, 1.0, 0.5, 0.125])
    cosine = TrainConfig(learning_rate=1.0, warmup_ratio=0.0, schedule="cosine")
    assert [learning_rate(step, 4, cosine) for step in (0, 2)] == pytest.approx([1.0, 0.5])
    flat = TrainConfig(learning_rate=0.5, warmup_ratio=0.0, schedule="constant")
    assert [learning_rate(step, 4, flat) for step in (0, 3)] == [0.5, 0.5]


def test_fingerprint_tells_what_is_learnt_but_not_how_it_is_run(tmp_path: Path) -> None:
    tokens = np.arange(4, dtype=np.int32)
    samples = TokenizedSet(Kind.TOKENS, tokens, np.ones(4, dtype=np.bool_), np.array([0, 4]), 0)
    base = fingerprint(TrainConfig(), task(tmp_path), samples)
    assert fingerprint(TrainConfig(max_failures=0, log_every=1), task(tmp_path), samples) == base
    assert fingerprint(TrainConfig(epochs=7), task(tmp_path), samples) != base
    assert fingerprint(TrainConfig(), task(tmp_path, seed=1), samples) != base
    other = TokenizedSet(Kind.TOKENS, tokens + 1, samples.targets, samples.starts, 0)
    assert fingerprint(TrainConfig(), task(tmp_path), other) != base
    labelled = replace(samples, kind=Kind.OUTCOMES, labels=np.ones((4, 1), dtype=np.float32))
    relabelled = replace(labelled, labels=np.zeros((4, 1), dtype=np.float32))
    prints = {fingerprint(TrainConfig(), task(tmp_path), each) for each in (samples, labelled, relabelled)}
    assert len(prints) == 3
    assert fingerprint(TrainConfig(), task(tmp_path), replace(samples, reference=np.ones(1, dtype=np.float32))) == base


def test_reports_reach_the_callback_in_order(tmp_path: Path) -> None:
    reports = [TrainReport(i, 3, 1.0 / (i + 1), 1e-3, 0.5, 100.0, 2.0, {"token_accuracy": 0.5}) for i in range(3)]
    file, seen = tmp_path / "progress.jsonl", []
    with following(file, seen.append):
        file.write_text("".join(json.dumps(asdict(report)) + "\n" for report in reports) + '{"step": 9')
    assert seen == reports


def test_bad_input_is_one_clear_line(tmp_path: Path, tiny_model: Path, sft_file: Path) -> None:
    config = TrainConfig()
    with pytest.raises(
        UserError, match="unknown objective 'sfx': one of dpo, dpo_nll, orm, ppm, prm, q_regression, sft"
    ):
        fit(config, task(tmp_path, objective="sfx"))
    with pytest.raises(UserError, match=r"no model at .*a Hugging Face directory with config.json is needed"):
        fit(config, task(tmp_path, data=(sft_file,)))
    with pytest.raises(UserError, match=r"no data file .*none.jsonl"):
        fit(config, task(tmp_path, init=tiny_model, data=(tmp_path / "none.jsonl",)))
    broken = tmp_path / "broken.jsonl"
    broken.write_text(sft_file.read_text().splitlines()[0] + '\n{"problem": 3}\n')
    with pytest.raises(UserError, match=r"broken.jsonl, line 2: no Trajectory, problem: "):
        fit(config, task(tmp_path, init=tiny_model, data=(broken,)))


def test_nothing_to_learn_is_said_before_anything_starts(tmp_path: Path, tiny_model: Path, sft_file: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    with pytest.raises(NothingToLearn, match=r"no sample to learn from in .*empty.jsonl"):
        fit(TrainConfig(), task(tmp_path, init=tiny_model, data=(empty,)))
    with pytest.raises(NothingToLearn, match="'too_long': 22"):
        fit(TrainConfig(max_length=8), task(tmp_path, init=tiny_model, data=(sft_file,)))
    assert not (tmp_path / "work").exists()


def test_labels_that_are_all_the_same_teach_nothing(tmp_path: Path, tiny_model: Path, data: dict[str, Path]) -> None:
    one_sort = tmp_path / "one_sort.jsonl"
    one_sort.write_text(data["sft"].read_text())  # right solutions only
    with pytest.raises(NothingToLearn, match=r"every label in .*one_sort.jsonl is {'right': 1.0}: there is nothing to"):
        fit(TrainConfig(), task(tmp_path, objective="orm", init=tiny_model, data=(one_sort,)))
    one_sort.write_text(data["prm"].read_text().splitlines()[0].replace('"labels":[1.0,0.0,1.0,1.0]', '"labels":[0.0]'))
    with pytest.raises(NothingToLearn, match=r"is {'right': 0.0, 'neutral': 1.0, 'wrong': 0.0}: there is nothing"):
        fit(TrainConfig(), task(tmp_path, objective="prm", init=tiny_model, data=(one_sort,)))
    one_sort.write_text("")
    with pytest.raises(NothingToLearn, match=r"'cut': 0"):
        fit(TrainConfig(), task(tmp_path, objective="q_regression", init=tiny_model, data=(one_sort,)))


def test_labels_off_their_scale_are_refused_by_line(tmp_path: Path, tiny_model: Path, data: dict[str, Path]) -> None:
    off = tmp_path / "off.jsonl"
    off.write_text(data["prm"].read_text().splitlines()[0].replace('"labels":[1.0,', '"labels":[2.0,'))
    with pytest.raises(UserError, match=r"off.jsonl, line 1: no StepLabels, .*label 2.0 is not on the scale 'sign'"):
        fit(TrainConfig(), task(tmp_path, objective="prm", init=tiny_model, data=(off,)))


def test_config_is_strict() -> None:
    with pytest.raises(ValidationError, match="zero_stage"):
        TrainConfig(zero_stage=4)
    with pytest.raises(ValidationError, match="lerning_rate"):
        TrainConfig.model_validate({"lerning_rate": 1e-3})
