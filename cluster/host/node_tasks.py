"""Run functions on chosen nodes of the joined cluster. Imports Ray, which a start on this machine loads later."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy


@dataclass(frozen=True, slots=True)
class NodeTask:
    """A function to be called on the node with the id ``node``."""

    node: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()


def run_on_nodes(tasks: Mapping[str, NodeTask], timeout_s: float) -> Iterator[tuple[str, Any]]:
    """Run tasks side by side; yield the name and the result of each as it ends, a RayError in place of what failed.

    Tasks that have not ended after ``timeout_s`` are cancelled, and nothing is yielded for them.
    """
    pending = {
        ray.remote(num_cpus=0, max_retries=0)(task.function)
        .options(scheduling_strategy=NodeAffinitySchedulingStrategy(task.node, soft=False))
        .remote(*task.arguments): name
        for name, task in tasks.items()
    }
    waiting, end = list(pending), time.monotonic() + timeout_s
    while waiting:
        done, waiting = ray.wait(waiting, num_returns=1, timeout=max(0.0, end - time.monotonic()))
        if not done:
            break
        for item in done:
            try:
                result = ray.get(item)
            except RayError as error:
                result = error
            yield pending[item], result
    for item in waiting:
        ray.cancel(item, force=True)
