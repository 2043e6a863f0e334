"""Choose executors, search workers and trees in flight, where the config says auto."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from actors.config import EngineConfig, WorkerConfig
from cluster.capacity.bundles import Supply
from cluster.capacity.choices.cards import card_count, cpu_nodes, usable_nodes
from cluster.config.run_config import RunConfig
from search.config import SearchConfig, is_auto

ENGINES_OF_A_WORKER = 8  # they keep half a core of a search worker busy (benchmarks/search_scaling.py)
# Trees in flight for each that the policy engines can decode at once: the others wait for programs and rewards meanwhile.
TREES_TO_SPARE = 1.5
MOST_TREES_OF_A_WORKER = 1024


@dataclass(frozen=True, slots=True)
class Actors:
    """Numbers of executors and search workers."""

    executors: int
    workers: int


def actor_counts(config: RunConfig, supply: Supply) -> list[Actors]:
    """Return how many executors and search workers to try: one a node, and no more than one where CPUs are short.

    A search worker keeps ENGINES_OF_A_WORKER busy, so there is one for so many cards at least.
    """
    workers = max(_worker_nodes(supply), math.ceil(card_count(supply) / ENGINES_OF_A_WORKER))
    counts = Actors(_executor_nodes(config, supply), workers)
    return [counts] if counts == Actors(1, 1) else [counts, Actors(1, 1)]


def _executor_nodes(config: RunConfig, supply: Supply) -> int:
    """Return the number of nodes with a CPU to spare for an executor, as ``actors/pools/executor_nodes.py`` chooses them.

    Nodes without GPUs are added for executors only where there is no other, one for ENGINES_OF_A_WORKER.
    """
    wanted, settings = config.executor.num_cpus, config.placement
    nodes = [
        node
        for node in usable_nodes(supply)
        if node.cpus >= 1 and node.cpus - settings.reserved_cpus * node.gpus >= wanted
    ]
    there = [node for node in nodes if node.gpus or node in supply.nodes]
    if settings.executors == "cpu_only":
        there = [node for node in there if not node.gpus and not node.is_head]
    elif card_count(supply):
        there = [node for node in there if not node.is_head] or there
    to_add = [node for node in nodes if not node.gpus and node not in supply.nodes]
    return len(there) or max(1, min(len(to_add), math.ceil(card_count(supply) / ENGINES_OF_A_WORKER)))


def with_actors(config: RunConfig, actors: Actors) -> RunConfig:
    """Return the config with numbers of executors and search workers."""
    executor, workers = config.executor, config.workers
    if is_auto(executor.replicas):
        executor = executor.model_copy(update={"replicas": actors.executors})
    if is_auto(workers.workers):
        workers = workers.model_copy(update={"workers": actors.workers})
    return config.model_copy(update={"executor": executor, "workers": workers})


def _worker_nodes(supply: Supply) -> int:
    """Return the number of nodes with a CPU for executors and search workers: there, or to be added for their GPUs.

    The head is one of them where there is no GPU, or no other node.
    """
    if not card_count(supply):
        return max(1, len(cpu_nodes(supply)))
    nodes = [node for node in usable_nodes(supply) if node.gpus or node in supply.nodes]
    return max(1, len([node for node in nodes if node.cpus >= 1 and not node.is_head]))


def with_trees(config: RunConfig, policies: Sequence[EngineConfig]) -> WorkerConfig:
    """Return the search workers with a number of trees: on GPUs as many as fill the policy engines."""
    workers, trees = config.workers, int(config.workers.trees_in_flight)
    sequences = sum(engine.replicas * engine.max_num_seqs for engine in policies if engine.gpus)
    if not is_auto(workers.trees_in_flight):
        return workers
    if sequences:
        drawn = min(_sequences_of_a_tree(search) for entry in config.rounds for search in config.round_searches(entry))
        wanted = math.ceil(TREES_TO_SPARE * sequences / drawn / workers.workers)
        trees = min(MOST_TREES_OF_A_WORKER, max(trees, wanted))
    return workers.model_copy(update={"trees_in_flight": trees})


def _sequences_of_a_tree(search: SearchConfig) -> int:
    """Return how many sequences a tree has drawn at once."""
    return int(getattr(search, "candidates", 1)) * int(getattr(search, "parallel_rollouts", 1))
