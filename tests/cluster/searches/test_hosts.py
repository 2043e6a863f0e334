"""The record of a search says where each of its actors ran."""

from __future__ import annotations

import pytest
import ray

from actors.config import EngineConfig
from actors.sandbox.config import ExecutorConfig
from actors.workers.messages import Engines, PolicyEngines
from cluster.searches.hosts import read_hosts
from cluster.searches.result import SearchResult


class Idle:
    """An actor without methods; an async one, like engines, has an event loop."""

    async def wait(self) -> None: ...


@pytest.mark.slow
def test_hosts_are_those_of_living_actors_by_name(local_ray: None) -> None:
    here = ray.util.get_node_ip_address()
    policy, second, executor, worker, dead = (ray.remote(Idle).options(num_cpus=0).remote() for _ in range(5))
    ray.kill(dead)
    engines = Engines(
        policy=(policy,),
        policy_config=EngineConfig(),
        executors=(dead, executor),
        executor_config=ExecutorConfig(),
        further={"second_policy": PolicyEngines(handles=(second,), config=EngineConfig())},
    )
    hosts = read_hosts(engines, [worker])
    assert hosts == {"executor-1": here, "policy-0": here, "search-0": here, "second_policy-0": here}


def test_record_names_hosts_only_when_there_are_any() -> None:
    assert "hosts" not in SearchResult().facts()
    assert SearchResult(hosts={"policy-0": "10.0.0.1"}).facts()["hosts"] == {"policy-0": "10.0.0.1"}
