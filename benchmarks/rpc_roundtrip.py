"""Measure what a request to an actor costs: a Ray call against a call of RpcClient (actors/rpc/server.py).

    python benchmarks/rpc_roundtrip.py

A caller sends the same small request again and again, eight at a time, to an actor that sends it back. Processor time of
each end and wall time a round trip, medians of the repeats, both sides in turn. The last line is the same as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ray

from actors.rpc.client import RpcClient
from actors.rpc.server import RpcServer

TRIPS, CONCURRENCY, REPEATS = 2000, 8, 3
REQUEST = (("a segment of a prompt, " * 8,) * 6, ("</code>", "<end_of_step>"), 4, 17, "problem/3/1f")
CALL_S = 120.0


class Echo(RpcServer):
    """Returns its argument, to a Ray call or to an RpcClient."""

    async def echo(self, request: object) -> object:
        return request

    async def cpu(self) -> float:
        return time.process_time()


class Caller:
    async def ray_calls(self, echo: Any) -> tuple[float, float]:
        """Return processor and wall seconds of all trips by Ray calls."""
        return await measure(lambda: echo.echo.remote(REQUEST))

    async def rpc_calls(self, echo: Any) -> tuple[float, float]:
        """Return processor and wall seconds of all trips with an RpcClient."""
        client = RpcClient(echo)
        try:
            return await measure(lambda: client.call("echo", REQUEST))
        finally:
            client.close()


async def measure(call: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    await call()
    cpu_start, start = time.process_time(), time.perf_counter()
    for _ in range(TRIPS // CONCURRENCY):
        await asyncio.gather(*(call() for _ in range(CONCURRENCY)))
    return time.process_time() - cpu_start, time.perf_counter() - start


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    echo = ray.remote(Echo).options(num_cpus=0, max_concurrency=1000).remote()
    caller = ray.remote(Caller).options(num_cpus=0).remote()
    sides = {
        "ray call": lambda: caller.ray_calls.remote(echo),
        "rpc call": lambda: caller.rpc_calls.remote(echo),
    }
    turns: dict[str, list[tuple[float, ...]]] = {side: [] for side in sides}
    for _ in range(REPEATS):
        for side, run in sides.items():
            before = ray.get(echo.cpu.remote(), timeout=CALL_S)
            caller_cpu, wall = ray.get(run(), timeout=CALL_S)
            actor_cpu = ray.get(echo.cpu.remote(), timeout=CALL_S) - before
            turns[side].append((caller_cpu, actor_cpu, wall))
    names = ("caller", "actor", "wall")
    medians = {
        side: {
            name: round(1e6 * statistics.median(turn[index] for turn in of_side) / TRIPS)
            for index, name in enumerate(names)
        }
        for side, of_side in turns.items()
    }
    print(f"{'us a round trip':16}{'caller':>8}{'actor':>8}{'wall':>8}")
    for side, row in medians.items():
        print(f"{side:16}{row['caller']:8}{row['actor']:8}{row['wall']:8}")
    print(json.dumps(medians))


if __name__ == "__main__":
    main()
