"""Admit a command before anything is written: what it needs is there, and what it would run on was built for it.

    without an address   this machine's cores, cards and packages are read; Ray is not started
    joined cluster       its nodes, its autoscaler and one node of each kind are asked

Both end with the same steps: choose the numbers that the config leaves open, compare needs with supply, check builds.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from actors.pools.executor_nodes import ExecutorPlan
from cluster.capacity.bundles import TRAINING, StageNeed, Supply
from cluster.capacity.choose import choose
from cluster.capacity.compare import CLUSTER, MACHINE, shortages
from cluster.capacity.memory.check import memory_findings
from cluster.capacity.memory.estimate import ModelShape
from cluster.capacity.memory.use import gib
from cluster.capacity.needs import Work, needs
from cluster.capacity.needs_table import needs_table
from cluster.capacity.placement import executor_plan
from cluster.capacity.supply import kind_of, machine_supply
from cluster.capacity.survey.build_probe import BuildReport, check_builds, read_build, unknown_builds
from cluster.capacity.wording import describe_supply, number, stage_title
from cluster.config.run_config import RunConfig
from cluster.host import machine
from cluster.host.ray_session import RayConfig
from search.errors import UserError


@dataclass(frozen=True, slots=True)
class Ground:
    """What a command would run on. ``place``: its name; ``warnings``: what could not be found out about it."""

    place: str
    supply: Supply
    builds: tuple[BuildReport, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """A command that fits its ground: the config with all numbers chosen, why they were, and what its stages need.

    ``refusal``: what the memory does not hold, with a remedy; ``warnings``: what it may not hold.
    """

    config: RunConfig
    ground: Ground
    stages: tuple[StageNeed, ...] = ()
    reasons: tuple[str, ...] = ()
    refusal: str | None = None
    warnings: tuple[str, ...] = ()

    def describe(self) -> Iterator[str]:
        """Yield the lines of a plan: what there is, what was chosen and why, what each stage needs."""
        yield f"{self.ground.place}: {describe_supply(self.ground.supply)}"
        yield from self.reasons
        yield from self.warnings
        yield from needs_table(self.stages)
        if executors := self.executors():
            yield executors.describe()

    def executors(self) -> ExecutorPlan | None:
        """Return where executors will go on a cluster, None on this machine. Raises UserError if one may go nowhere."""
        if self.ground.place != CLUSTER:
            return None
        return executor_plan(self.config, self.stages, self.ground.supply)

    def shortage(self) -> str | None:
        """Return in a line why the command would not fit, None if it does."""
        return next(shortages(self.stages, self.ground.supply, self.ground.place), None) or self.refusal


def machine_ground(config: RayConfig) -> Ground:
    """Return this machine as Ray would find it. Starts nothing."""
    supply = machine_supply(config)
    node = supply.nodes[0]
    return Ground(MACHINE, supply, (read_build(node.name, kind_of(node)),))


def cluster_ground(config: RayConfig) -> Ground:
    """Return the cluster that Ray has joined. Raises UserError if a node cannot run RayStar."""
    # Heavy: Ray, which a start on this machine loads later.
    from cluster.capacity.survey.ask_nodes import survey_cluster

    survey = survey_cluster(config.max_gpus)
    return Ground(CLUSTER, survey.supply, survey.builds, survey.warnings)


def plan(config: RunConfig, work: Work, shapes: Mapping[str, ModelShape], ground: Ground) -> Admission:
    """Return what a command would choose and need on some ground. Refuses nothing."""
    choices = choose(config, ground.supply, shapes, work)

    def list_stages(changed: RunConfig) -> tuple[StageNeed, ...]:
        return needs(changed, work, shapes)

    free = machine.memory()[1] if ground.place == MACHINE else math.inf
    memory = memory_findings(choices.config, list_stages, ground.supply, ground.place, shapes, free)
    return Admission(
        config=choices.config,
        ground=ground,
        stages=list_stages(choices.config),
        reasons=choices.reasons,
        refusal=memory.refusal,
        warnings=memory.warnings,
    )


def admit(
    config: RunConfig, work: Work, shapes: Mapping[str, ModelShape], ground: Ground, root: Path | None = None
) -> Admission:
    """Return the admission of a command. Raises UserError, one line, if it does not fit. ``root``: run directory."""
    admission = plan(config, work, shapes, ground)
    if (fault := admission.shortage()) is not None:
        raise UserError(fault)
    admission.executors()
    if root is not None:
        check_disk(admission.stages, root)
    check_builds(admission.stages, ground.supply, ground.builds)
    unknown = unknown_builds(admission.stages, ground.supply, ground.builds)
    return replace(admission, warnings=(*admission.warnings, *unknown))


def check_disk(stages: Sequence[StageNeed], root: Path) -> None:
    """Raise UserError if the file system of the run directory has less room than a training writes there."""
    folder = next(parent for parent in (root, *root.parents) if parent.exists())
    free = gib(shutil.disk_usage(folder).free)
    for stage in stages:
        wanted = sum(group.replicas * group.bundle.disk_gib for group in stage.groups if group.role == TRAINING)
        if wanted > free:
            raise UserError(
                f"{stage_title(stage.stage)} writes up to {number(wanted)} GiB of checkpoints to {root}, where "
                f"{number(free)} GiB are free: make room, or give another --run-dir"
            )
