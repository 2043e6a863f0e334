"""Ray on the hosts of a room, and what the tests read from them."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from search.storage.tree_store import format_line, read_trees
from tests.hosts.room import Room

PROJECT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
RAY = (sys.executable, "-m", "ray.scripts.scripts")
PORT, START_S = 6379, 120
NO_TOKENS = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
# What differs between equal trees: time, and what the engines' prefix caches held.
UNEQUAL = frozenset({"seconds", "cached_tokens", "scored_cached_tokens"})


def head_address(room: Room) -> str:
    """Return HOST:PORT of the head, which is host 1."""
    return f"{room.address(1)}:{PORT}"


def start_ray(room: Room, cpus: Sequence[int], env: Mapping[str, str], *, dashboard: bool = False) -> None:
    """Start Ray's head in host 1, then a node in each further host, with ``cpus[k - 1]`` CPUs in host k."""
    start = (*RAY, "start", "--object-store-memory=100000000", "--disable-usage-stats")
    head = [f"--port={PORT}", f"--include-dashboard={str(dashboard).lower()}", f"--dashboard-host={room.address(1)}"]

    def start_node(host: int) -> None:
        where = ["--head", *head] if host == 1 else [f"--address={head_address(room)}"]
        options = [f"--node-ip-address={room.address(host)}", f"--num-cpus={cpus[host - 1]}"]
        room.run(host, *start, *where, *options, env=env, timeout=START_S)

    start_node(1)
    with ThreadPoolExecutor() as pool:
        list(pool.map(start_node, range(2, len(cpus) + 1)))


def hosts_by_role(run: Path) -> dict[str, set[str]]:
    """Return where the actors of each role ran in any search of a run, and the workers of its trainings, by its records."""
    hosts: defaultdict[str, set[str]] = defaultdict(set)
    for file in run.glob("rounds/*/*/done.json"):
        for name, host in json.loads(file.read_text()).get("hosts", {}).items():
            hosts[name.rpartition("-")[0]].add(host)
    for file in run.glob("rounds/**/train.json"):
        hosts["training"].update(json.loads(file.read_text())["hosts"])
    return dict(hosts)


def describe_hosts(hosts: Mapping[str, set[str]]) -> str:
    """Return a table of who ran where, a line for each role."""
    return "\n".join(f"{role:14} {' '.join(sorted(addresses))}" for role, addresses in sorted(hosts.items()))


def trees_of(stage: Path) -> dict[str, Any]:
    """Return the trees of a stage by problem and number, without what differs between two equal searches."""
    return {
        f"{tree.problem.id} {tree.number}": _without(json.loads(format_line(tree)), UNEQUAL)
        for tree in read_trees(stage)
    }


def _without(value: Any, names: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {key: _without(item, names) for key, item in value.items() if key not in names}
    return [_without(item, names) for item in value] if isinstance(value, list) else value
