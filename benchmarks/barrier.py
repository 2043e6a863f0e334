"""What a barrier at every step costs, by how fast an engine is and how much steps differ in length. Simulated engines.

    python benchmarks/barrier.py --latency 7e-3,2e-5,2e-5 --steps runs/NAME/rounds/r1/search

The sides of search_throughput.py (search, raw, barrier, parallel), on the same problems and seeds, with a simulated
engine (benchmarks/simulated.py) and real coordination. --latency is seconds a decoding step, more for each sequence in it, and a
prompt token; --steps names stored trees of a real search, whose steps say how long steps are. Where a step costs the same
for few sequences and for many (a GPU), those that wait for the longest step of all waste the engine; where it costs by
the sequence (two CPU cores), they waste little. Medians; the last line is the same as JSON.
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
from actors.engines.manager import CALLS_AT_ONCE
from actors.sandbox.config import ExecutorConfig
from actors.workers.messages import Engines, SearchSpec
from actors.workers.worker_pool import SearchWorkerPool
from benchmarks.in_step import with_barrier
from benchmarks.search_throughput import Request, Side, measure, requests, show
from benchmarks.simulated import Latency, SimulatedEngine, SimulatedExecutor
from cluster.host.ray_session import RayConfig, ray_session
from search.config import SearchConfig
from search.data import Problem, Sampling
from search.formats.registry import CodeFormat
from search.storage.tree_store import read_trees

FORM = CodeFormat()


@dataclass(frozen=True, slots=True)
class Bench:
    """What all sides share."""

    crowd: SearchWorkerPool
    assignment: SearchSpec
    handles: Engines
    problems: tuple[Problem, ...]

    def search(self, name: str, problems: tuple[Problem, ...]) -> tuple[Side, list[Request]]:
        """raystar's own search, by a worker process, and what it asked for."""
        assignment = replace(self.assignment, directory=self.assignment.directory / name)
        assignment.directory.mkdir()
        began = time.perf_counter()
        summaries = self.crowd.run(assignment, self.handles, problems)
        seconds = time.perf_counter() - began
        asked = [request for tree in read_trees(assignment.directory) for request in requests(tree, FORM)]
        tokens = sum(summary.cost.generated_tokens for summary in summaries)
        return {"seconds": seconds, "tokens": tokens, "solved": sum(one.solved for one in summaries)}, asked

    def barrier(self, _: str, at_once: int) -> Side:
        """The same with all trees in step, in this process, with ``at_once`` rollouts of each tree under way."""
        search = self.assignment.search.model_copy(update={"parallel_rollouts": at_once})
        return asyncio.run(with_barrier(search, self.handles, FORM, self.problems, self.assignment.seed))

    def raw(self, asked: list[Request], deadline_s: float) -> Side:
        """What was asked, all at once."""
        sampling = Sampling(temperature=self.assignment.search.temperature)
        batch = [(one.segments, len(one.lengths), one.seed) for one in asked]
        seconds, tokens = ray.get(self.handles.policy[0].replay.remote(batch, sampling), timeout=deadline_s)
        return {"seconds": seconds, "tokens": tokens, "requests": len(asked)}


def lengths(trees: Path | None) -> tuple[int, ...]:
    """Generated tokens of each step of stored trees."""
    if trees is None:
        return ()
    return tuple(node.tokens for tree in read_trees(trees) for node in tree.nodes if node.tokens)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency", required=True, help="STEP,SEQUENCE,PREFILL of the engine (s)")
    parser.add_argument(
        "--steps", type=Path, help="stored trees whose steps say how long steps are (default: 8-24 tokens)"
    )
    parser.add_argument("--problems", type=int, default=64, help="problems searched at once (count)")
    parser.add_argument("--sequences", type=int, default=256, help="sequences decoded at once (count)")
    parser.add_argument("--rollouts", type=int, default=4)
    parser.add_argument("--candidates", type=int, default=4)
    parser.add_argument("--parallel", type=int, default=1, help="rollouts of a tree under way at once (count)")
    parser.add_argument("--executor", type=float, default=0.005, help="time of a program (s); any number runs at once")
    parser.add_argument("--repeats", type=int, default=3, help="turns of each side (count)")
    args = parser.parse_args()
    latency, steps = Latency.read(args.latency, args.sequences), lengths(args.steps)
    search = SearchConfig(
        rollouts=args.rollouts, candidates=args.candidates, parallel_rollouts=args.parallel, max_depth=16
    )
    problems = tuple(Problem(f"p{i}", f"{i} apples", "1", "benchmark") for i in range(args.problems))
    workers = WorkerConfig(workers=1, trees_in_flight=args.problems, num_cpus=0)
    light = {"num_cpus": 0, "max_concurrency": CALLS_AT_ONCE}
    with tempfile.TemporaryDirectory(prefix="raystar-benchmark-") as work, ray_session(RayConfig()):
        engine = ray.remote(SimulatedEngine).options(**light).remote(latency, steps)
        executor = ray.remote(SimulatedExecutor).options(**light).remote(args.executor)
        own = EngineConfig(max_num_seqs=args.sequences, own_cores=False)
        handles = Engines((engine,), own, (executor,), ExecutorConfig())
        with SearchWorkerPool(workers) as crowd:
            assignment = SearchSpec(search, FORM, Path(work), 0, worker=workers)
            sides = measure(Bench(crowd, assignment, handles, problems), search, args.repeats, warm_up=1)
    show(sides)


if __name__ == "__main__":
    main()
