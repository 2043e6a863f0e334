"""Ask the actors of a search on which machines they run, for the search's record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ray
from ray.exceptions import RayActorError

from actors.workers.messages import Engines

ASK_S = 10.0  # all actors together have this long to answer


def read_hosts(engines: Engines, workers: Sequence[Any]) -> dict[str, str]:
    """Return the address of the machine of each actor, by names such as "policy-0", "executor-1" and "search-2".

    Actors that do not answer within ASK_S are left out.
    """
    calls = {handle.__ray_call__.remote(_address): name for name, handle in _by_name(engines, workers).items()}
    hosts = {}
    for call in ray.wait(list(calls), num_returns=len(calls), timeout=ASK_S)[0] if calls else []:
        try:
            hosts[calls[call]] = ray.get(call)
        except RayActorError:
            continue
    return dict(sorted(hosts.items()))


def _by_name(engines: Engines, workers: Sequence[Any]) -> dict[str, Any]:
    groups: Mapping[str, Sequence[Any]] = {
        "policy": engines.policy,
        **{role: further.handles for role, further in engines.further.items()},
        "reward_model": engines.reward_model,
        "executor": engines.executors,
        "search": workers,
    }
    return {f"{role}-{number}": handle for role, handles in groups.items() for number, handle in enumerate(handles)}


def _address(_actor: object) -> str:
    """Return the address of the node on which this runs."""
    return str(ray.util.get_node_ip_address())
