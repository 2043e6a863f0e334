"""CPU cores that engines have for themselves. Knows Linux's affinities, and no engine.

On two cores a search keeps five processes busy beside the policy's engine. Each of them that wakes up takes the
engine's core for a moment, and its caches; with places of their own the same search is an eighth faster (docs/LOG.md).
Where there are cores enough, or none to spare, the kernel knows better.
"""

from __future__ import annotations

import os
from collections.abc import Set

OWN, OFF = "RAYSTAR_OWN_CORES", "RAYSTAR_OTHERS_CORES"  # environment of an actor: on how many cores policies compute
TASKS = "/proc/self/task"


def affinity_env(role: str, engines: int) -> dict[str, str]:
    """What an engine's environment says of its place. A second policy has none: it takes what it gets."""
    names = {"policy": OWN, "reward_model": OFF}
    return {names[role]: str(engines)} if role in names else {}


def apply_affinity() -> None:
    """Keep this process where its environment says."""
    for name in (OWN, OFF):
        if name in os.environ:
            pin(int(os.environ[name]), as_engine=name == OWN)


def split_cores(engines: int, cores: Set[int]) -> tuple[frozenset[int], frozenset[int]] | None:
    """The cores of policy engines that compute on so many, and those of everybody else; None: nobody has a place.

    Engines that would take all cores leave nothing to give, and beside engines that take less than half there is room.

    >>> apart(1, {0, 1})
    (frozenset({0}), frozenset({1}))
    >>> apart(1, {0, 1, 2}) is None and apart(2, {0, 1}) is None
    True
    """
    if not engines < len(cores) <= 2 * engines:
        return None
    ordered = sorted(cores)
    return frozenset(ordered[:engines]), frozenset(ordered[engines:])


def pin(engines: int, as_engine: bool) -> None:
    """Keep this process, and what it starts from now on, to its cores. Once done, doing it again changes nothing."""
    if not hasattr(os, "sched_setaffinity"):
        return
    places = split_cores(engines, os.sched_getaffinity(0))
    if places is None:
        return
    for task in os.listdir(TASKS):
        try:
            os.sched_setaffinity(int(task), places[0] if as_engine else places[1])
        except ProcessLookupError:
            continue  # a thread that ended meanwhile
