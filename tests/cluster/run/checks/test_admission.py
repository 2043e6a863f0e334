"""A command is admitted where what it needs is there, and what it would run on was built for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cluster.capacity.compare import CLUSTER, MACHINE
from cluster.capacity.memory.estimate import ModelShape, shape_of_size
from cluster.capacity.needs import Work
from cluster.capacity.survey.build_probe import BuildReport
from cluster.config.run_config import RunConfig
from cluster.host.ray_session import RayConfig
from cluster.models.size import ModelSize
from cluster.run.checks import admission
from cluster.run.checks.admission import Ground, admit, machine_ground, plan
from search.errors import UserError
from tests.cluster.capacity.made_up_nodes import cluster, node

# Qwen2.5-7B.
SEVEN_BILLION = ModelSize(
    layers=28, hidden=3584, intermediate=18944, heads=28, kv_heads=4, vocabulary=152064, tied_embeddings=False
)
SEARCH, EVOLVE = Work(command="search"), Work(command="evolve")
GPU_BUILD = BuildReport(node="10.0.0.2", kind="4 x H100", vllm="cuda", torch="cuda", gpus=4, gpu_memory_gib=79.6)
CPU_BUILD = BuildReport(node="10.0.0.2", kind="4 x H100", vllm="cpu", torch="cpu", gpus=4)


def ground(gpus: float, *builds: BuildReport, card_gib: float | None = 79.6, memory_gib: float = 512) -> Ground:
    nodes = node("10.0.0.2", cpus=64, gpus=gpus, accelerator="H100", gpu_memory_gib=card_gib, memory_gib=memory_gib)
    return Ground(CLUSTER, cluster(nodes), builds)


def config(**fields: Any) -> RunConfig:
    problems = {"train": {"name": "curriculum", "count": 2}, "validation": {"name": "curriculum", "count": 1}}
    return RunConfig.model_validate({"name": "r", "problems": problems, **fields})


def seven_billion(**engine: Any) -> tuple[RunConfig, Mapping[str, ModelShape]]:
    shapes = {"policy": shape_of_size(SEVEN_BILLION, context=4096)}
    return config(policy={"path": "/m", "engine": {"max_model_len": 4096, **engine}}, rounds=[{}]), shapes


def refusal(written: RunConfig, work: Work, shapes: Mapping[str, ModelShape], on: Ground) -> str:
    with pytest.raises(UserError) as raised:
        admit(written, work, shapes, on)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_auto_takes_the_gpus_that_there_are() -> None:
    written, shapes = seven_billion()
    admitted = admit(written, SEARCH, shapes, ground(4, GPU_BUILD))
    engine = admitted.config.policy.engine
    assert engine.gpus * engine.replicas == 4 and admitted.reasons
    assert [stage.gpus for stage in admitted.stages] == [4]


def test_memory_of_seven_billion_weights_is_refused_on_cpus() -> None:
    written, shapes = seven_billion()
    text = refusal(written, SEARCH, shapes, ground(0, memory_gib=12))
    assert text.startswith("search: one policy engine needs ") and " GiB of memory (" in text


def test_training_of_7b_weights_needs_more_than_one_card() -> None:
    written, shapes = seven_billion()
    train = config(train={"policy": {"zero_stage": 1, "workers": 1, "offload": "none"}}).train
    alone = ground(1, replace(GPU_BUILD, kind="1 x H100"))
    text = refusal(written.model_copy(update={"train": train}), EVOLVE, shapes, alone)
    assert "round 1 (train" in text and " of a GPU (" in text


def test_cpu_build_is_refused_when_auto_means_gpus() -> None:
    written, shapes = seven_billion()
    text = refusal(written, SEARCH, shapes, ground(4, CPU_BUILD))
    assert "ask for GPUs, and node 10.0.0.2 has the CPU build of vLLM" in text


def test_cuda_build_is_refused_when_no_gpu_is_asked_for() -> None:
    written, shapes = seven_billion(gpus=0)
    text = refusal(written, SEARCH, shapes, ground(4, GPU_BUILD))
    assert "policy engines ask for no GPU, and node 10.0.0.2 has the CUDA build of vLLM" in text


def test_checkpoints_that_the_disk_does_not_hold_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage(NamedTuple):
        free: int

    written, shapes = seven_billion()
    monkeypatch.setattr(admission.shutil, "disk_usage", lambda folder: Usage(free=50 * 2**30))
    with pytest.raises(UserError, match=r"round 1 \(train policy\) writes up to 198.\d GiB .* where 50 GiB are free"):
        admit(written, EVOLVE, shapes, ground(8, GPU_BUILD), tmp_path / "runs" / "r")
    monkeypatch.setattr(admission.shutil, "disk_usage", lambda folder: Usage(free=500 * 2**30))
    assert admit(written, EVOLVE, shapes, ground(8), tmp_path / "runs" / "r").stages


def test_plan_refuses_nothing_and_says_what_is_short() -> None:
    written, shapes = seven_billion(gpus=1, replicas=2)
    planned = plan(written, SEARCH, shapes, Ground(MACHINE, cluster(node("this machine", cpus=2, memory_gib=24))))
    assert planned.shortage() == (
        "search needs 2 GPUs: 2 policy; this machine has 0: ask for less, or join a cluster by --address"
    )
    lines = list(planned.describe())
    assert lines[0] == "this machine: 1 node: 1 x (2 CPUs, no GPU)"
    assert any(line.startswith("  2 x policy engine") for line in lines)


def test_this_machine_is_read_without_ray() -> None:
    found = machine_ground(RayConfig(num_cpus=3, num_gpus=0))
    assert (found.place, found.supply.cpus, found.supply.gpus) == (MACHINE, 3, 0)
    assert [report.node for report in found.builds] == ["this machine"]


def test_command_without_actors_needs_nothing() -> None:
    assert admit(config(), Work(command="harvest"), {}, ground(0)).stages == ()
