"""Define the settings of the executors, with units and bounds."""

from __future__ import annotations

from pydantic import Field

from actors.sandbox.limits import Limits, Tier
from actors.usable_cores import usable_cores
from search.config import AutoConfig, AutoInt

STEPS_PER_CORE = 2  # one computes while the other is forked, answered or waits
LIGHT_MODULES = (
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


class ExecutorConfig(AutoConfig):
    """How model-written code is run, and what it may use."""

    replicas: int = Field(
        AutoInt(1), ge=1, le=4096, description="executor actors in the cluster (count); auto: one a node"
    )
    num_cpus: float = Field(1, ge=0, description="CPUs one executor asks Ray for, for placement (count)")
    concurrency: int = Field(
        0, ge=0, le=1024, description="steps that run at once in one executor; 0: two per core of its machine (count)"
    )
    cpu_seconds: float = Field(2.0, gt=0, le=3600, description="processor time of a step (s)")
    wall_seconds: float = Field(6.0, gt=0, le=7200, description="time of a step, waiting included (s)")
    memory_mib: int = Field(512, ge=32, le=1 << 20, description="memory of a program beyond the loaded modules (MiB)")
    output_bytes: int = Field(16_384, ge=64, le=1 << 22, description="longest output of a step (bytes)")
    code_bytes: int = Field(65_536, ge=64, le=1 << 22, description="longest code of a step (bytes)")
    threads: int = Field(1, ge=1, le=64, description="threads of a step, its first included (count)")
    open_files: int = Field(32, ge=8, le=1024, description="open descriptors of a step (count)")
    scratch_files: int = Field(16, ge=0, le=1024, description="files that a step may create in its scratch (count)")
    scratch_file_mib: int = Field(1, ge=1, le=1024, description="largest scratch file (MiB)")
    preload: tuple[str, ...] = Field(LIGHT_MODULES, description="modules loaded before the first step (module names)")
    heavy_modules: tuple[str, ...] = Field(
        ("sympy", "numpy", "scipy"),
        description="modules loaded, where installed, in a second interpreter for programs that name one (names)",
    )
    cache_entries: int = Field(50_000, ge=0, description="cached results of (prefix, code) (count)")
    live_states: int = Field(64, ge=0, le=4096, description="processes kept after a step, to fork its children (count)")
    live_states_mib: int = Field(1024, ge=0, description="memory of all kept processes together (MiB)")
    replay_forks: float = Field(
        2.0, ge=0, description="a program that replays in the time of this many forks is not kept; 0 keeps all (count)"
    )
    evaluate_arithmetic: bool = Field(
        True, description="evaluate programs of pure arithmetic in the fork server, without running them as Python"
    )
    required_tier: Tier = Field(Tier.STRICT, description="isolation below which nothing is run: strict, basic or none")
    max_tier: Tier = Field(Tier.STRICT, description="isolation above which nothing is used, for measurements")
    request_deadline_s: float = Field(
        120.0, gt=0, description="how long a pool waits for an executor to answer, beyond the time of its steps (s)"
    )

    def limits(self) -> Limits:
        """Return the settings that the fork server and its steps get, as plain data."""
        return Limits(
            cpu_seconds=self.cpu_seconds,
            wall_seconds=self.wall_seconds,
            memory_mib=self.memory_mib,
            output_bytes=self.output_bytes,
            code_bytes=self.code_bytes,
            threads=self.threads,
            open_files=self.open_files,
            scratch_files=self.scratch_files,
            scratch_file_mib=self.scratch_file_mib,
            concurrency=self.concurrency or STEPS_PER_CORE * usable_cores(),
            live_states=self.live_states,
            live_states_mib=self.live_states_mib,
            replay_forks=self.replay_forks,
            evaluate_arithmetic=self.evaluate_arithmetic,
            preload=self.preload,
            max_tier=self.max_tier,
        )
