"""Who computes where on a small machine."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from actors.config import EngineConfig
from actors.cpu_affinity import OFF, OWN, affinity_env, split_cores

SAY = (
    "import os; os.sched_setaffinity(0, {cores}); from actors.cpu_affinity import apply_affinity; apply_affinity(); apply_affinity();"
    "print(sorted(os.sched_getaffinity(0)))"
)


def test_engines_and_the_others_share_no_core() -> None:
    assert split_cores(2, {3, 4, 8, 9}) == (frozenset({3, 4}), frozenset({8, 9}))
    assert split_cores(2, {0, 1, 2}) == (frozenset({0, 1}), frozenset({2}))


@pytest.mark.parametrize(("engines", "cores"), [(0, 2), (1, 1), (2, 2), (1, 3), (4, 16)])
def test_nobody_has_a_place_where_there_is_room_for_all_or_none_to_give(engines: int, cores: int) -> None:
    assert split_cores(engines, set(range(cores))) is None


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core is nothing to share")
@pytest.mark.parametrize(("name", "expected"), [(OWN, 0), (OFF, 1)])
def test_a_process_keeps_to_its_place_however_often_it_is_told(name: str, expected: int) -> None:
    two = sorted(os.sched_getaffinity(0))[:2]
    code = SAY.format(cores=set(two))
    said = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, name: "1"}, capture_output=True, text=True, timeout=60
    )
    assert said.stdout.strip() == str([two[expected]]), said.stderr


def test_engines_on_gpus_and_those_that_should_not_have_no_cores_of_their_own() -> None:
    assert EngineConfig(replicas=2, cpu_threads=3).cores == 6
    assert (
        EngineConfig(num_gpus=1).cores == EngineConfig(own_cores=False).cores == EngineConfig(cpu_threads=0).cores == 0
    )


def test_a_reward_model_stays_off_the_policys_cores_and_a_second_policy_goes_anywhere() -> None:
    assert affinity_env("policy", 1) == {OWN: "1"}
    assert affinity_env("reward_model", 1) == {OFF: "1"}
    assert affinity_env("second", 1) == {}
