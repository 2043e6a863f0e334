"""Measure what a barrier at every step costs, by the speed of the engine and the spread of step lengths. Simulated engines.

    python benchmarks/barrier.py --latency 7e-3,2e-5,2e-5 --steps runs/NAME/rounds/r1/search

The sides of search_throughput.py (search, raw, barrier, parallel), on the same problems and seeds, with a simulated engine
(benchmarks/simulated.py) and real coordination. --latency is seconds a decoding step, more for each sequence in it, and a
prompt token. --steps names stored trees of a real search, whose step lengths are used. Where a step costs the same for few
sequences and for many (a GPU), those that wait for the longest step of all waste the engine. Where it costs by the sequence
(two CPU cores), they waste little. Medians; the last line is the same as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ray

from actors.config import EngineConfig, WorkerConfig
from actors.engines.manager import MAX_CONCURRENCY
from actors.sandbox.config import ExecutorConfig
from actors.workers.messages import Engines, SearchSpec
from actors.workers.worker_pool import SearchWorkerPool
from benchmarks.lockstep import run_with_barrier
from benchmarks.search_throughput import Request, SideResult, measure, read_requests, show
from benchmarks.simulated import Latency, SimulatedEngine, SimulatedExecutor
from cluster.host.ray_session import RayConfig, ray_session
from search.data import Problem, Sampling
from search.formats.code_format import CodeFormat
from search.storage.tree_store import read_trees
from search.strategies.registry import search_config

STEP_FORMAT = CodeFormat()


@dataclass(frozen=True, slots=True)
class Bench:
    """The sides on simulated engines."""

    worker_pool: SearchWorkerPool
    spec: SearchSpec
    handles: Engines
    problems: tuple[Problem, ...]

    def search(self, name: str, problems: tuple[Problem, ...]) -> tuple[SideResult, list[Request]]:
        """Run RayStar's own search in a worker process and return its result and its requests."""
        spec = replace(self.spec, directory=self.spec.directory / name)
        spec.directory.mkdir()
        start = time.perf_counter()
        summaries = self.worker_pool.run(spec, self.handles, problems)
        seconds = time.perf_counter() - start
        batch = [request for tree in read_trees(spec.directory) for request in read_requests(tree, STEP_FORMAT)]
        tokens = sum(summary.cost.generated_tokens for summary in summaries)
        return {"seconds": seconds, "tokens": tokens, "solved": sum(summary.solved for summary in summaries)}, batch

    def barrier(self, _: str, parallel_rollouts: int) -> SideResult:
        """Run the same search in lockstep, in this process, with ``parallel_rollouts`` of each tree."""
        search = self.spec.search.model_copy(update={"parallel_rollouts": parallel_rollouts})
        return asyncio.run(run_with_barrier(search, self.handles, STEP_FORMAT, self.problems, self.spec.seed))

    def raw(self, batch: list[Request], deadline_s: float) -> SideResult:
        """Send these requests to the engine all at once."""
        sampling = Sampling(temperature=self.spec.search.temperature)
        calls = [(request.pieces, len(request.lengths), request.seed) for request in batch]
        seconds, tokens = ray.get(self.handles.policy[0].replay.remote(calls, sampling), timeout=deadline_s)
        return {"seconds": seconds, "tokens": tokens, "requests": len(batch)}


def lengths(trees: Path | None) -> tuple[int, ...]:
    """Return the generated tokens of each step of stored trees."""
    if trees is None:
        return ()
    return tuple(node.tokens for tree in read_trees(trees) for node in tree.nodes if node.tokens)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency", required=True, help="STEP,SEQUENCE,PREFILL of the engine (s)")
    parser.add_argument("--steps", type=Path, help="stored trees whose step lengths are used (default: 8-24 tokens)")
    parser.add_argument("--problems", type=int, default=64, help="problems searched at once (count)")
    parser.add_argument("--sequences", type=int, default=256, help="sequences decoded at once (count)")
    parser.add_argument("--rollouts", type=int, default=4)
    parser.add_argument("--candidates", type=int, default=4)
    parser.add_argument("--parallel", type=int, default=1, help="concurrent rollouts of a tree (count)")
    parser.add_argument("--executor", type=float, default=0.005, help="time of a program (s); any number runs at once")
    parser.add_argument("--repeats", type=int, default=3, help="turns of each side (count)")
    args = parser.parse_args()
    latency, steps = Latency.read(args.latency, args.sequences), lengths(args.steps)
    search = search_config(
        rollouts=args.rollouts, candidates=args.candidates, parallel_rollouts=args.parallel, max_depth=16
    )
    problems = tuple(
        Problem(id=f"p{i}", question=f"{i} apples", answer="1", source="benchmark") for i in range(args.problems)
    )
    workers = WorkerConfig(workers=1, trees_in_flight=args.problems, num_cpus=0)
    light = {"num_cpus": 0, "max_concurrency": MAX_CONCURRENCY}
    with tempfile.TemporaryDirectory(prefix="raystar-benchmark-") as work, ray_session(RayConfig()):
        engine = ray.remote(SimulatedEngine).options(**light).remote(latency, steps)
        executor = ray.remote(SimulatedExecutor).options(**light).remote(args.executor)
        engine_config = EngineConfig(max_num_seqs=args.sequences, reserve_cores=False)
        handles = Engines(
            policy=(engine,), policy_config=engine_config, executors=(executor,), executor_config=ExecutorConfig()
        )
        with SearchWorkerPool(workers) as worker_pool:
            spec = SearchSpec(search=search, format=STEP_FORMAT, directory=Path(work), seed=0, worker=workers)
            sides = measure(Bench(worker_pool, spec, handles, problems), search, args.repeats, warm_up=1)
    show(sides)


if __name__ == "__main__":
    main()
