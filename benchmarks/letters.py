"""What a request to an actor costs: a call of Ray's against a letter (actors/rpc/server.py).

    python benchmarks/letters.py

A caller sends the same small request again and again, eight at a time, to an actor that sends it back. Processor time of
each end and wall time a round trip, medians of the repeats, both sides in turn; the last line is the same as JSON.
"""

from __future__ import annotations

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

TRIPS, AT_ONCE, REPEATS = 2000, 8, 3
REQUEST = (("a segment of a prompt, " * 8,) * 6, ("</code>", "<end_of_step>"), 4, 17, "problem/3/1f")
CALL_S = 120.0


class Echo(RpcServer):
    """Sends back what it gets, asked by a call or by a letter."""

    async def echo(self, request: object) -> object:
        return request

    async def cpu(self) -> float:
        return time.process_time()


class Caller:
    async def calls(self, echo: Any) -> tuple[float, float]:
        """Processor and wall seconds of all trips."""
        return await measured(lambda: echo.echo.remote(REQUEST))

    async def letters(self, echo: Any) -> tuple[float, float]:
        """The same by letter."""
        mail = RpcClient(echo)
        try:
            return await measured(lambda: mail.ask("echo", REQUEST))
        finally:
            mail.close()


async def measured(ask: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    await ask()
    began = time.process_time(), time.perf_counter()
    for _ in range(TRIPS // AT_ONCE):
        await asyncio.gather(*(ask() for _ in range(AT_ONCE)))
    return time.process_time() - began[0], time.perf_counter() - began[1]


def main() -> None:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    echo = ray.remote(Echo).options(num_cpus=0, max_concurrency=1000).remote()
    caller = ray.remote(Caller).options(num_cpus=0).remote()
    sides = {
        "call": lambda: caller.calls.remote(echo),
        "letter": lambda: caller.letters.remote(echo),
    }
    found: dict[str, list[tuple[float, ...]]] = {side: [] for side in sides}
    for _ in range(REPEATS):
        for side, start in sides.items():
            before = ray.get(echo.cpu.remote(), timeout=CALL_S)
            own, wall = ray.get(start(), timeout=CALL_S)
            found[side].append((own, ray.get(echo.cpu.remote(), timeout=CALL_S) - before, wall))
    names = ("caller", "actor", "wall")
    medians = {
        side: {
            name: round(1e6 * statistics.median(turn[place] for turn in turns) / TRIPS)
            for place, name in enumerate(names)
        }
        for side, turns in found.items()
    }
    print(f"{'us a round trip':16}{'caller':>8}{'actor':>8}{'wall':>8}")
    for side, row in medians.items():
        print(f"{side:16}{row['caller']:8}{row['actor']:8}{row['wall']:8}")
    print(json.dumps(medians))


if __name__ == "__main__":
    main()
