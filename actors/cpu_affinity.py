"""Reserve CPU cores for policy engines by Linux CPU affinity.

On two cores a search keeps five processes busy beside the policy engine. Each of them that wakes up preempts the engine
and evicts its caches. With reserved cores the same search is an eighth faster (docs/LOG.md). On machines with more
cores, or with none to spare, the kernel's scheduler does better.
"""

from __future__ import annotations

import os
from collections.abc import Set

# Environment variables of an actor. Both hold the number of cores reserved for policy engines; which of them is set
# says on which side the actor runs.
ENGINE_CORES_ENV, OTHER_CORES_ENV = "RAYSTAR_ENGINE_CORES", "RAYSTAR_OTHER_CORES"
TASKS = "/proc/self/task"


def affinity_env(role: str, engine_cores: int) -> dict[str, str]:
    """Return the environment variables that pin an engine of ``role``; none for a further policy: it is not pinned."""
    names = {"policy": ENGINE_CORES_ENV, "reward_model": OTHER_CORES_ENV}
    return {names[role]: str(engine_cores)} if role in names else {}


def apply_affinity() -> None:
    """Pin this process as its environment says."""
    for name in (ENGINE_CORES_ENV, OTHER_CORES_ENV):
        if name in os.environ:
            pin(int(os.environ[name]), as_engine=name == ENGINE_CORES_ENV)


def split_cores(engine_cores: int, cores: Set[int]) -> tuple[frozenset[int], frozenset[int]] | None:
    """Split ``cores`` into those of the policy engines and those of all other actors; None where nothing is reserved.

    Nothing is reserved for engines that would take all cores, nor for engines that take less than half of them.

    >>> split_cores(1, {0, 1})
    (frozenset({0}), frozenset({1}))
    >>> split_cores(1, {0, 1, 2}) is None and split_cores(2, {0, 1}) is None
    True
    """
    if not engine_cores < len(cores) <= 2 * engine_cores:
        return None
    ordered = sorted(cores)
    return frozenset(ordered[:engine_cores]), frozenset(ordered[engine_cores:])


def pin(engine_cores: int, as_engine: bool) -> None:
    """Pin this process and its future children. Idempotent: a pinned process sees too few cores to split again."""
    if not hasattr(os, "sched_setaffinity"):
        return
    split = split_cores(engine_cores, os.sched_getaffinity(0))
    if split is None:
        return
    for thread in os.listdir(TASKS):
        try:
            os.sched_setaffinity(int(thread), split[0] if as_engine else split[1])
        except ProcessLookupError:
            continue  # a thread that ended meanwhile
