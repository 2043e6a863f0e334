"""Run one scenario after the other on a cluster of four nodes on this machine, and print what happened as JSON.

A process of its own, because the test process may have a Ray already. Nodes: the head (1 CPU), one with CPUs only (4), two
with GPUs (4 CPUs and 2 GPUs each, which Ray is told and the machine need not have).
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ray
from ray.cluster_utils import Cluster

from actors.config import EngineConfig, WorkerConfig
from actors.engines import manager as engine_manager
from actors.engines.manager import EngineManager
from actors.errors import EngineStartFailed
from actors.placement import placer as placer_module
from actors.placement.cluster_nodes import read_nodes
from actors.placement.config import PlacementSettings
from actors.placement.placer import Placer
from actors.pools.executor_pool import start_executors, stop_executors
from actors.sandbox.config import ExecutorConfig
from actors.sandbox.limits import Tier
from actors.workers.worker_pool import SearchWorkerPool
from search.data import ModelRef
from search.errors import UserError
from search.formats.code_format import CodeFormat
from search.reward_models import RewardModelKind, make_adapter
from tests.fakes.placed_engine import BROKEN, PlacedEngine

POLICY, REWARD_MODEL = ModelRef("policy", "p"), ModelRef("reward_model", "r")


class Scenarios:
    """What is placed on ``nodes`` (node id to name), and the lines that were said meanwhile."""

    def __init__(self, nodes: dict[str, str]) -> None:
        self.nodes = nodes
        self.lines: list[str] = []

    def placer(self, **settings: Any) -> Placer:
        return Placer(PlacementSettings(**settings), self.lines.append)

    def manager(self, policy: EngineConfig, reward_model: EngineConfig | None = None, **settings: Any) -> EngineManager:
        return EngineManager(
            policy,
            reward_model or policy,
            {"policy": PlacedEngine, "reward_model": PlacedEngine},  # type: ignore[dict-item]
            adapter_of=lambda _: make_adapter(Path("r"), RewardModelKind.PPM, CodeFormat()),
            placer=self.placer(**settings),
        )

    def where(self, handles: Sequence[Any]) -> list[str]:
        return [self.nodes[node] for node, _ in ray.get([handle.where.remote() for handle in handles])]

    def engines_are_spread(self) -> Any:
        with self.manager(EngineConfig(replicas=2, gpus=1)) as manager:
            return sorted(self.where(manager.handles(POLICY)))

    def engines_are_packed(self) -> Any:
        with self.manager(EngineConfig(replicas=2, gpus=1), strategy="pack") as manager:
            return len(set(self.where(manager.handles(POLICY))))

    def engines_without_cpus_are_spread(self) -> Any:
        with self.manager(EngineConfig(replicas=4, num_cpus=0)) as manager:
            return sorted(self.where(manager.handles(POLICY)))

    def engine_has_all_gpus_of_a_node(self) -> Any:
        with self.manager(EngineConfig(replicas=2, gpus=2)) as manager:
            placed = ray.get([handle.where.remote() for handle in manager.handles(POLICY)])
            return sorted([self.nodes[node], len(cards)] for node, cards in placed)

    def shares_fill_the_cards(self) -> Any:
        with self.manager(EngineConfig(replicas=8, gpus=0.5)) as manager:
            placed = ray.get([handle.where.remote() for handle in manager.handles(POLICY)])
            return sorted(Counter((self.nodes[node], *cards) for node, cards in placed).values())

    def small_engines_move_for_a_large_one(self) -> Any:
        with self.manager(EngineConfig(replicas=2, gpus=1), EngineConfig(gpus=2)) as manager:
            before = self.where(manager.handles(POLICY))
            manager.start(POLICY, REWARD_MODEL)
            after, large = self.where(manager.handles(POLICY)), self.where(manager.handles(REWARD_MODEL))
            return [len(set(before)), len(set(after)), set(after) & set(large) == set()]

    def engine_without_room_is_refused(self) -> Any:
        with self.manager(EngineConfig(replicas=3, gpus=2), deadline_s=3) as manager:
            return _error(lambda: manager.start(POLICY))

    def broken_engine_is_named(self) -> Any:
        with self.manager(EngineConfig(replicas=2, gpus=1)) as manager:
            try:
                manager.start(ModelRef("policy", BROKEN))
            except EngineStartFailed as error:
                return str(error)
        return None

    def executors_take_every_node(self) -> Any:
        """Two of the four CPUs of a node with two GPUs are kept free."""
        config = ExecutorConfig(replicas=4, num_cpus=0.5, required_tier=Tier.NONE)
        return self._executors(config, reserved_cpus=1)

    def executors_stay_on_cpu_nodes(self) -> Any:
        config = ExecutorConfig(replicas=2, num_cpus=1, required_tier=Tier.NONE)
        return self._executors(config, executors="cpu_only")

    def executors_are_refused_without_cpu_nodes(self) -> Any:
        config = ExecutorConfig(replicas=9, num_cpus=1, required_tier=Tier.NONE)
        return _error(lambda: self._executors(config, executors="cpu_only", deadline_s=1))

    def workers_take_every_node(self) -> Any:
        with SearchWorkerPool(WorkerConfig(workers=4, num_cpus=0.5), self.placer()) as pool:
            pool._start(0)
            calls = [worker.__ray_call__.remote(_node) for worker in pool.workers]
            return [self.nodes[node] for node in ray.get(calls)]

    def training_waits_for_free_cpus(self) -> Any:
        """Other actors hold one CPU of the node without GPUs, and a GPU: training is offered the rest."""
        held = ray.remote(num_cpus=1, num_gpus=1)(_Holder).remote()
        ray.get(held.ready.remote())
        placer = self.placer(deadline_s=3)
        nodes = placer.training_nodes()
        placer.await_room([{"CPU": 1, "GPU": 1}] * 3)
        refused = _error(lambda: placer.await_room([{"CPU": 1, "GPU": 1}] * 4))
        ray.kill(held)
        free = sorted((node["Resources"]["CPU"], node["Resources"]["GPU"]) for node in nodes)
        return [free, refused]

    def _executors(self, config: ExecutorConfig, **settings: Any) -> Any:
        before = len(self.lines)
        handles = start_executors(config, placer=self.placer(**settings))
        try:
            placed = ray.get([handle.__ray_call__.remote(_node_and_steps) for handle in handles])
        finally:
            stop_executors(handles)
        return [[self.nodes[node], steps] for node, steps in placed], self.lines[before:]

    def nothing_is_left(self) -> Any:
        """All scenarios together have given back what they held."""
        return all(node.free_gpus == node.gpus and node.free_cpus == node.cpus for node in _at_rest())


class _Holder:
    async def ready(self) -> None:
        pass


def _node(_: object) -> str:
    return str(ray.get_runtime_context().get_node_id())


def _node_and_steps(actor: Any) -> tuple[str, int]:
    return _node(actor), actor.executor.config.concurrency


def _error(call: Callable[[], object]) -> str | None:
    try:
        call()
    except UserError as error:
        return str(error)
    return None


def _at_rest() -> Any:
    from actors.placement.cluster_nodes import read_nodes_at_rest

    return read_nodes_at_rest()


def main() -> None:
    placer_module.RELEASE_S, placer_module.FIRST_LINE_S, engine_manager.STOP_S = 3.0, 0.5, 2.0
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=4)
    for _ in range(2):
        cluster.add_node(num_cpus=4, num_gpus=2)
    ray.init(address=cluster.address, log_to_driver=False, namespace="raystar")
    kinds = Counter[str]()
    names = {}
    for node in read_nodes():
        kind = "head" if node.is_head else ("gpu" if node.gpus else "cpu")
        kinds[kind] += 1
        names[node.id] = f"{kind}{kinds[kind]}" if kind == "gpu" else kind
    scenarios = Scenarios(names)
    results = {}
    for name in vars(Scenarios):
        if not name.startswith("_") and name not in ("placer", "manager", "where") and name in (sys.argv[1:] or [name]):
            print(name, file=sys.stderr, flush=True)
            results[name] = getattr(scenarios, name)()
    print(json.dumps({**results, "lines": scenarios.lines}))
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    main()
