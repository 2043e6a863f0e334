"""What a message between two actors costs: a call of Ray against a socket of ZeroMQ with CURVE (encrypted, both ends known).

    python benchmarks/letters.py

A caller sends the same small request again and again, eight at a time, to an actor that sends it back. Processor time of
each end and wall time a round trip, medians of the repeats, both sides in turn; the last line is the same as JSON.
"""

from __future__ import annotations

import asyncio
import json
import pickle
import statistics
import time

import ray
import zmq
import zmq.asyncio

TRIPS, AT_ONCE, REPEATS = 2000, 8, 3
REQUEST = (("a segment of a prompt, " * 8,) * 6, ("</code>", "<end_of_step>"), 4, 17, "problem/3/1f")
CALL_S = 120.0
LOOPBACK = "tcp://127.0.0.1"


class Echo:
    """Sends back what it gets, asked by a call or by a message."""

    async def call(self, request: object) -> object:
        return request

    async def open(self) -> tuple[str, bytes]:
        """Where messages go, and the key to know this end by."""
        public, secret = zmq.curve_keypair()
        self._socket = zmq.asyncio.Context.instance().socket(zmq.ROUTER)
        self._socket.curve_server, self._socket.curve_publickey, self._socket.curve_secretkey = True, public, secret
        port = self._socket.bind_to_random_port(LOOPBACK)
        self._task = asyncio.ensure_future(self._serve())
        return f"{LOOPBACK}:{port}", public

    async def _serve(self) -> None:
        while True:
            sender, body = await self._socket.recv_multipart()
            await self._socket.send_multipart([sender, pickle.dumps(pickle.loads(body))])

    async def cpu(self) -> float:
        return time.process_time()


class Caller:
    async def calls(self, echo: object) -> tuple[float, float]:
        """Processor and wall seconds of all trips."""
        await echo.call.remote(REQUEST)  # type: ignore[attr-defined]
        began = time.process_time(), time.perf_counter()
        for _ in range(TRIPS // AT_ONCE):
            await asyncio.gather(*(echo.call.remote(REQUEST) for _ in range(AT_ONCE)))  # type: ignore[attr-defined]
        return time.process_time() - began[0], time.perf_counter() - began[1]

    async def messages(self, address: str, key: bytes) -> tuple[float, float]:
        """The same by messages."""
        socket = zmq.asyncio.Context.instance().socket(zmq.DEALER)
        socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
        socket.curve_serverkey = key
        socket.connect(address)
        await socket.send(pickle.dumps(REQUEST))
        await socket.recv()
        began = time.process_time(), time.perf_counter()
        for _ in range(TRIPS // AT_ONCE):
            for _ in range(AT_ONCE):
                await socket.send(pickle.dumps(REQUEST))
            for _ in range(AT_ONCE):
                pickle.loads(await socket.recv())
        return time.process_time() - began[0], time.perf_counter() - began[1]


def main() -> None:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    echo = ray.remote(Echo).options(num_cpus=0, max_concurrency=1000).remote()
    caller = ray.remote(Caller).options(num_cpus=0).remote()
    address, key = ray.get(echo.open.remote(), timeout=CALL_S)
    sides = {
        "Ray": lambda: caller.calls.remote(echo),
        "ZeroMQ": lambda: caller.messages.remote(address, key),
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
