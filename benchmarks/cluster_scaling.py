"""Drive the real dispatcher, workers and routers against simulated GPU engines of a stated speed, up to hundreds of them.

    python benchmarks/cluster_scaling.py                        8, 64 and 512 engines
    python benchmarks/cluster_scaling.py --engines 64 --workers 4 --window 60
    python benchmarks/cluster_scaling.py --engines 512 --problems 100000 --trees 16384

An engine decodes 128 sequences in 25 ms a token, whatever their number; a step has 60 tokens; an expansion asks for 8
candidates. So an engine gives 5,120 tokens a second at most and finishes 10.7 expansions a second. Engines live in a few
host processes, executors answer in 5 ms, and all of it shares this machine's cores with workers and driver.

More problems are queued than are searched: a measurement ends after its window, in the middle of the search. Efficiency is
the tokens of the window over what the engines could have given. The window opens once the searches are spread over all
depths. Processor time an expansion is that of the workers, of the driver and of the simulated side, which no real cluster
pays here. What one core of each could hold follows from it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ray

from actors.config import EngineConfig, WorkerConfig
from actors.engines.manager import MAX_CONCURRENCY
from actors.sandbox.config import ExecutorConfig
from actors.stats import WorkerStats
from actors.workers.messages import Engines, SearchSpec
from actors.workers.worker_pool import SearchWorkerPool
from benchmarks.engine_actor import CALL_S
from benchmarks.engine_host import EngineHost, HostedEngine
from benchmarks.process_usage import peak_mib, process_cpu_seconds
from benchmarks.simulated import Latency, SimulatedExecutor
from search.data import Problem
from search.formats.code_format import CodeFormat
from search.strategies.registry import search_config

STEP_S = 0.025
SEQUENCES = 128
STEP_TOKENS = 60
CANDIDATES = 8
LATENCY = Latency(STEP_S, 1e-9, 1e-9, SEQUENCES)
SEARCH = search_config(rollouts=16, candidates=CANDIDATES, max_depth=16, max_step_tokens=STEP_TOKENS + 4)
EXECUTOR_S = 0.005
ENGINES_PER_HOST = 64
TREES_PER_ENGINE = 32  # twice what fills an engine, since one expansion of a tree is in flight at a time
LIGHT = {"num_cpus": 0, "max_concurrency": MAX_CONCURRENCY}


class WindowClosed(Exception):
    """The measurement is over. Ends the search in the middle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What one number of engines gave in its window. Times in s, memory in MiB, costs in processor microseconds."""

    engines: int
    workers: int
    queued: int
    trees_in_flight: int
    tokens_per_s: float
    efficiency: float
    worker_us: float
    driver_us: float
    simulation_us: float
    cores_busy: float
    driver_mib: float
    worker_mib: float

    @property
    def engines_per_core(self) -> float:
        """Engines whose expansions one core of workers holds, at full use of the core."""
        return 1e6 / self.worker_us / (SEQUENCES / CANDIDATES / (STEP_S * STEP_TOKENS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """The processes of a measurement, by what they do."""

    workers: tuple[int, ...]
    driver: tuple[int, ...]
    simulation: tuple[int, ...]

    def cpu_seconds(self) -> tuple[float, float, float]:
        """Return the processor seconds so far of workers, driver and simulation."""
        return (
            process_cpu_seconds(self.workers),
            process_cpu_seconds(self.driver),
            process_cpu_seconds(self.simulation),
        )


@dataclass(slots=True, kw_only=True)
class Window:
    """The heartbeats between two moments after the start, and what the processes used between them (s, MiB)."""

    opens_s: float
    lasts_s: float
    processes: Processes
    start: float = field(default_factory=time.monotonic)
    first: dict[int, tuple[float, WorkerStats]] = field(default_factory=dict)
    last: dict[int, tuple[float, WorkerStats]] = field(default_factory=dict)
    opened: tuple[float, tuple[float, float, float]] | None = None
    cpu_share: tuple[float, ...] = ()
    driver_mib: float = 0.0
    worker_mib: float = 0.0

    def on_stats(self, worker: int, stats: WorkerStats) -> None:
        """Note a worker's heartbeat. Raises WindowClosed at the end."""
        now = time.monotonic() - self.start
        if now < self.opens_s:
            return
        if self.opened is None:
            self.opened = now, self.processes.cpu_seconds()
        self.first.setdefault(worker, (now, stats))
        self.last[worker] = now, stats
        begin, used = self.opened
        if now >= begin + self.lasts_s:
            now_used = self.processes.cpu_seconds()
            self.cpu_share = tuple((b - a) / (now - begin) for a, b in zip(used, now_used, strict=True))
            self.driver_mib = max(map(peak_mib, self.processes.driver))
            self.worker_mib = max(map(peak_mib, self.processes.workers))
            raise WindowClosed

    def per_second(self, counter: str) -> float:
        """Return the sum over workers of a counter's growth a second."""
        total = 0.0
        for worker, (begin, first) in self.first.items():
            end, last = self.last[worker]
            total += (getattr(last, counter) - getattr(first, counter)) / max(end - begin, 1e-9)
        return total


@contextmanager
def simulated_cluster(engines: int) -> Iterator[tuple[Engines, list[int]]]:
    """Yield the handles of simulated engines and executors, and the processes that they live in."""
    hosts, handles = [], []
    for begin in range(0, engines, ENGINES_PER_HOST):
        count = min(ENGINES_PER_HOST, engines - begin)
        hosts.append(ray.remote(EngineHost).options(**LIGHT).remote(count, LATENCY, (STEP_TOKENS,)))
        handles += [HostedEngine(hosts[-1], index) for index in range(count)]
    runners = [ray.remote(SimulatedExecutor).options(**LIGHT).remote(EXECUTOR_S) for _ in hosts]
    try:
        pids = ray.get([actor.pid.remote() for actor in (*hosts, *runners)], timeout=CALL_S)
        engine_config = EngineConfig(max_num_seqs=SEQUENCES, reserve_cores=False)
        yield (
            Engines(
                policy=tuple(handles),
                policy_config=engine_config,
                executors=tuple(runners),
                executor_config=ExecutorConfig(),
            ),
            pids,
        )
    finally:
        for actor in (*hosts, *runners):
            ray.kill(actor)


def make_problems(count: int) -> list[Problem]:
    """Return problems of a usual length; the simulated engines do not read them."""
    text = "A farmer sells {} apples in the morning and half as many in the afternoon. How many does he sell in all?"
    return [Problem(id=f"p{i}", question=text.format(i), answer="1", source="benchmark") for i in range(count)]


def measure(engines: int, args: argparse.Namespace, work: Path) -> Measurement:
    """Search until the window closes, and return what was measured in it."""
    in_flight = args.trees or engines * TREES_PER_ENGINE
    problems = make_problems(max(args.problems, 2 * in_flight))
    config = WorkerConfig(workers=args.workers, trees_in_flight=-(-in_flight // args.workers), num_cpus=0)
    directory, warm_up = work / str(engines), work / f"{engines}-warm-up"
    for path in (directory, warm_up):
        path.mkdir()
    spec = SearchSpec(search=SEARCH, format=CodeFormat(), directory=directory, seed=0, worker=config)
    with simulated_cluster(engines) as (handles, pids), SearchWorkerPool(config) as pool:
        pool.run(replace(spec, directory=warm_up), handles, problems[: args.workers])  # workers import what they need
        processes = Processes(workers=tuple(pool.pids()), driver=(os.getpid(),), simulation=tuple(pids))
        window = Window(opens_s=args.opens, lasts_s=args.window, processes=processes)
        try:
            pool.run(spec, handles, problems, on_stats=window.on_stats)
        except WindowClosed:
            return read_window(window, engines=engines, workers=args.workers, queued=len(problems))
    raise SystemExit(f"{len(problems)} problems ended before the window did: raise --problems")


def read_window(window: Window, *, engines: int, workers: int, queued: int) -> Measurement:
    """Return the measurement of a window that has closed."""
    expansions, tokens = window.per_second("expansions"), window.per_second("generated_tokens")
    worker_us, driver_us, simulation_us = (round(1e6 * share / expansions) for share in window.cpu_share)
    return Measurement(
        engines=engines,
        workers=workers,
        queued=queued,
        trees_in_flight=sum(stats.active_trees for _, stats in window.last.values()),
        tokens_per_s=round(tokens),
        efficiency=round(tokens / (engines * SEQUENCES / STEP_S), 3),
        worker_us=worker_us,
        driver_us=driver_us,
        simulation_us=simulation_us,
        cores_busy=round(sum(window.cpu_share), 2),
        driver_mib=round(window.driver_mib),
        worker_mib=round(window.worker_mib),
    )


COLUMNS = {
    "engines": "engines",
    "workers": "workers",
    "queued": "queued",
    "trees_in_flight": "trees",
    "tokens_per_s": "tokens/s",
    "efficiency": "of ideal",
    "worker_us": "worker us",
    "driver_us": "driver us",
    "cores_busy": "cores",
    "driver_mib": "driver MiB",
}


def show(measurements: Sequence[Measurement]) -> None:
    """Print a table, what follows for one core, then JSON."""
    print("".join(f"{title:>11}" for title in COLUMNS.values()))
    for row in measurements:
        print("".join(f"{getattr(row, name):11,g}" for name in COLUMNS))
    for row in measurements:
        print(
            f"{row.engines} engines: one core of workers holds {row.engines_per_core:.0f} engines, the simulation took "
            f"{row.simulation_us} us an expansion beside them; this machine has {os.cpu_count()} cores"
        )
    print(json.dumps([asdict(row) for row in measurements]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", type=int, nargs="+", default=[8, 64, 512], help="simulated engines (counts)")
    parser.add_argument("--workers", type=int, default=2, help="search workers (actors)")
    parser.add_argument("--trees", type=int, help="trees in flight (count); default: 32 an engine")
    parser.add_argument("--problems", type=int, default=0, help="problems queued at least (count)")
    parser.add_argument("--opens", type=float, default=60, help="time before the window (s)")
    parser.add_argument("--window", type=float, default=60, help="time that is measured (s)")
    args = parser.parse_args()
    ray.init(include_dashboard=False, log_to_driver=False)
    measurements = []
    with tempfile.TemporaryDirectory(prefix="raystar-benchmark-") as work:
        for engines in args.engines:
            measurements.append(measure(engines, args, Path(work)))
            print(f"{engines} engines: {measurements[-1].efficiency:.3f} of ideal", file=sys.stderr, flush=True)
    show(measurements)


if __name__ == "__main__":
    main()
