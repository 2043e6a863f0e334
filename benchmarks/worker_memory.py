"""Measure the memory of a search worker with few and with many waiting problems.

    python benchmarks/worker_memory.py                  100 and 10,000 problems, three times each

A fresh worker process searches all of them on a simulated engine, 64 trees at a time. Its peak of resident memory (VmHWM)
is read before it ends. The problems are those of a real run, questions of several sentences.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ray

from actors.config import EngineConfig, WorkerConfig
from actors.engines.manager import MAX_CONCURRENCY
from actors.sandbox.config import ExecutorConfig
from actors.workers.messages import Engines, SearchSpec
from actors.workers.worker_pool import SearchWorkerPool
from benchmarks.process_usage import peak_mib
from benchmarks.simulated import Latency, SimulatedEngine, SimulatedExecutor
from search.data import Problem
from search.formats.code_format import CodeFormat
from search.problems import curriculum
from search.strategies.registry import search_config

LATENCY = Latency(1e-3, 1e-6, 1e-6)
SEARCH = search_config(rollouts=2, candidates=2, max_depth=4, max_step_tokens=40)
TREES_IN_FLIGHT = 64


def measure_peak(engines: Engines, problems: list[Problem], directory: Path) -> float:
    """Return the peak memory (MiB) of a new worker that searches all ``problems``."""
    config = WorkerConfig(workers=1, trees_in_flight=TREES_IN_FLIGHT, num_cpus=0)
    directory.mkdir()
    spec = SearchSpec(search=SEARCH, format=CodeFormat(), directory=directory, seed=0, worker=config)
    with SearchWorkerPool(config) as worker_pool:
        summaries = worker_pool.run(spec, engines, problems)
        if len(summaries) != len(problems) or any(summary.quarantine_reason for summary in summaries):
            raise RuntimeError(f"{directory}: not all of {len(problems)} problems were searched")
        (pid,) = worker_pool.pids()
        return peak_mib(pid)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--few", type=int, default=100, help="problems (count)")
    parser.add_argument("--most", type=int, default=10_000, help="problems (count)")
    parser.add_argument("--repeats", type=int, default=3, help="turns of each (count)")
    args = parser.parse_args()
    problems = curriculum.make_problems("train", args.most, 0, (4, 7))
    ray.init(include_dashboard=False, log_to_driver=False)
    light = {"num_cpus": 0, "max_concurrency": MAX_CONCURRENCY}
    engine = ray.remote(SimulatedEngine).options(**light).remote(LATENCY)
    executor = ray.remote(SimulatedExecutor).options(**light).remote(0.0)
    engines = Engines(
        policy=(engine,),
        policy_config=EngineConfig(max_num_seqs=TREES_IN_FLIGHT, reserve_cores=False),
        executors=(executor,),
        executor_config=ExecutorConfig(),
    )
    peaks: dict[int, list[float]] = {args.few: [], args.most: []}
    with tempfile.TemporaryDirectory(prefix="raystar-benchmark-") as work:
        for repeat in range(args.repeats):
            for count, measured in peaks.items():
                measured.append(measure_peak(engines, problems[:count], Path(work) / f"{count}-{repeat}"))
                print(f"{count:6d} problems, turn {repeat}: {measured[-1]:.1f} MiB", flush=True)
    few, most = (statistics.median(measured) for measured in peaks.values())
    print(f"medians: {few:.1f} MiB and {most:.1f} MiB, ratio {most / few:.3f}")
    print(json.dumps({"few_mib": round(few, 1), "most_mib": round(most, 1), "ratio": round(most / few, 3)}))


if __name__ == "__main__":
    main()
