"""Settings of the executors, with units and bounds. Knows no process."""

from __future__ import annotations

import os

from pydantic import BaseModel, ConfigDict, Field

from actors.sandbox.limits import Limits, Tier

STEPS_A_CORE = 2  # one computes while the other is forked, answered or waits
LIGHT = (
    "math",
    "cmath",
    "fractions",
    "decimal",
    "itertools",
    "functools",
    "collections",
    "statistics",
    "random",
    "re",
    "string",
    "datetime",
    "operator",
    "heapq",
    "bisect",
    "json",
    "copy",
    "typing",
    "dataclasses",
)


class ExecutorConfig(BaseModel):
    """How model-written code is run, and what it may use."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    replicas: int = Field(1, ge=1, le=4096, description="executor actors in the cluster, one a node (count)")
    num_cpus: float = Field(1, ge=0, description="CPUs one executor asks Ray for, for placement (count)")
    concurrency: int = Field(
        0, ge=0, le=1024, description="steps that run at once in one executor; 0: two a core of its machine (count)"
    )
    cpu_seconds: float = Field(2.0, gt=0, le=3600, description="processor time of a step (s)")
    wall_seconds: float = Field(6.0, gt=0, le=7200, description="time of a step, waiting included (s)")
    memory_mib: int = Field(512, ge=32, le=1 << 20, description="memory of a program beyond the loaded modules (MiB)")
    output_bytes: int = Field(16_384, ge=64, le=1 << 22, description="what a step may print (bytes)")
    code_bytes: int = Field(65_536, ge=64, le=1 << 22, description="length of a step's code (bytes)")
    processes: int = Field(1, ge=1, le=64, description="threads of a step, its first included (count)")
    open_files: int = Field(32, ge=8, le=1024, description="descriptors of a step (count)")
    scratch_files: int = Field(16, ge=0, le=1024, description="files that a step may create in its scratch (count)")
    scratch_mib: int = Field(1, ge=1, le=1024, description="size of one such file (MiB)")
    preload: tuple[str, ...] = Field(LIGHT, description="modules loaded before the first step (module names)")
    heavy: tuple[str, ...] = Field(
        ("sympy", "numpy", "scipy"),
        description="modules loaded, where installed, in a second interpreter for programs that name one (names)",
    )
    cache_entries: int = Field(50_000, ge=0, description="remembered results of (prefix, code) (count)")
    live_states: int = Field(64, ge=0, le=4096, description="interpreters kept after a step, for its children (count)")
    live_mib: int = Field(1024, ge=0, description="memory that kept interpreters may hold in all (MiB)")
    replay_forks: float = Field(
        2.0, ge=0, description="a program that runs again in the time of so many forks is not kept; 0 keeps all (count)"
    )
    sums: bool = Field(
        True, description="programs of nothing but sums are worked out by the service, which never runs them as Python"
    )
    require: Tier = Field(Tier.STRICT, description="isolation below which nothing is run: strict, basic or none")
    at_most: Tier = Field(Tier.STRICT, description="isolation above which nothing is used, for measurements")
    patience_seconds: float = Field(120.0, gt=0, description="how long a pool waits for an executor to answer (s)")

    def limits(self) -> Limits:
        """The plain data that the service processes get."""
        return Limits(
            cpu_seconds=self.cpu_seconds,
            wall_seconds=self.wall_seconds,
            memory_mib=self.memory_mib,
            output_bytes=self.output_bytes,
            code_bytes=self.code_bytes,
            processes=self.processes,
            open_files=self.open_files,
            scratch_files=self.scratch_files,
            scratch_mib=self.scratch_mib,
            concurrency=self.concurrency or STEPS_A_CORE * len(os.sched_getaffinity(0)),
            live_states=self.live_states,
            live_mib=self.live_mib,
            replay_forks=self.replay_forks,
            sums=self.sums,
            preload=self.preload,
            at_most=self.at_most,
        )
