"""Reserved CPU cores on a small machine."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from actors.config import EngineConfig
from actors.cpu_affinity import ENGINE_CORES_ENV, OTHER_CORES_ENV, affinity_env, split_cores

PRINT_AFFINITY = (
    "import os; os.sched_setaffinity(0, {cores}); from actors.cpu_affinity import apply_affinity; apply_affinity(); apply_affinity();"
    "print(sorted(os.sched_getaffinity(0)))"
)


def test_engines_and_other_actors_share_no_core() -> None:
    assert split_cores(2, {3, 4, 8, 9}) == (frozenset({3, 4}), frozenset({8, 9}))
    assert split_cores(2, {0, 1, 2}) == (frozenset({0, 1}), frozenset({2}))


@pytest.mark.parametrize(("engines", "cores"), [(0, 2), (1, 1), (2, 2), (1, 3), (4, 16)])
def test_no_core_is_reserved_when_room_is_ample_or_none_is_left(engines: int, cores: int) -> None:
    assert split_cores(engines, set(range(cores))) is None


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core cannot be split")
@pytest.mark.parametrize(("name", "expected"), [(ENGINE_CORES_ENV, 0), (OTHER_CORES_ENV, 1)])
def test_affinity_is_unchanged_when_applied_twice(name: str, expected: int) -> None:
    cores = sorted(os.sched_getaffinity(0))[:2]
    code = PRINT_AFFINITY.format(cores=set(cores))
    process = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, name: "1"}, capture_output=True, text=True, timeout=60
    )
    assert process.stdout.strip() == str([cores[expected]]), process.stderr


def test_no_core_is_reserved_on_gpus_or_when_switched_off() -> None:
    assert EngineConfig(replicas=2, cpu_threads=3).reserved_cores == 6
    assert (
        EngineConfig(gpus=1).reserved_cores
        == EngineConfig(reserve_cores=False).reserved_cores
        == EngineConfig(cpu_threads=0).reserved_cores
        == 0
    )


def test_second_policy_is_not_pinned() -> None:
    assert affinity_env("policy", 1) == {ENGINE_CORES_ENV: "1"}
    assert affinity_env("reward_model", 1) == {OTHER_CORES_ENV: "1"}
    assert affinity_env("second_policy", 1) == {}
