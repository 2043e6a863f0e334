"""Measure how many engines one machine's coordination keeps busy, and what coordination costs.

    python benchmarks/search_scaling.py                     latency fitted to the real engine first
    python benchmarks/search_scaling.py --latency 6e-3,6e-5,2e-5   step, sequence and prefill (s), without a fit

1, 2, 4 … simulated engines (benchmarks/simulated.py) as Ray actors, real search workers as real processes, a fixed number
of problems per engine, a worker for up to eight engines. The searches have no reward model. Efficiency is tokens per second
and engine over that of one engine. Each number of engines is measured ``--repeats`` times; medians. The cost of an
expansion is the workers' processor time over all expansions.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import ray

from actors.config import EngineConfig, WorkerConfig
from actors.engines.manager import MAX_CONCURRENCY
from actors.engines.policy import PolicyEngine
from actors.sandbox.config import ExecutorConfig
from actors.workers.messages import Engines, SearchSpec
from actors.workers.worker_pool import SearchWorkerPool
from benchmarks.engine_actor import CALL_S, start_engine
from benchmarks.invocations import benchmark_context
from benchmarks.process_usage import machine_cpu_seconds, process_cpu_seconds
from benchmarks.simulated import Latency, SimulatedEngine, SimulatedExecutor
from cluster.commands.ray_commands import resolve_models
from cluster.config import overrides
from cluster.config import run_config as configs
from cluster.run import preflight
from cluster.run.context import Context
from search.data import ModelRef, Problem
from search.formats.code_format import CodeFormat
from search.strategies.registry import search_config

DEFAULT = Path(__file__).resolve().parents[1] / "configs" / "arithmetic.yaml"
EXECUTOR_S = 0.005
GOOD_EFFICIENCY = 0.9
ENGINES_PER_WORKER = 8  # they keep half a core of a worker busy
SEARCH = search_config(rollouts=4, candidates=4, max_depth=16, max_step_tokens=40)


class FittedEngine(PolicyEngine):
    """A real engine that measures how long tokens take."""

    async def seconds(self, sequences: int, prompt: int, tokens: int) -> float:
        """Return the seconds of ``tokens`` tokens in each of ``sequences`` sequences after different prompts of ``prompt`` tokens."""
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        parameters = SamplingParams(
            n=1, max_tokens=tokens, min_tokens=tokens, ignore_eos=True, detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )  # fmt: skip
        await self._llm.reset_prefix_cache()

        async def generate(number: int) -> None:
            ids = [10 + (number * 7 + place) % 100 for place in range(prompt)]
            name = f"fit-{sequences}-{prompt}-{tokens}-{number}-{time.monotonic_ns()}"
            async for _ in self._llm.generate({"type": "token", "prompt_token_ids": ids}, parameters, name):
                pass

        start = time.perf_counter()
        await asyncio.gather(*(generate(number) for number in range(sequences)))
        return time.perf_counter() - start


def fit_latency(context: Context, model: ModelRef) -> Latency:
    """Fit step, sequence and prefill seconds of a real engine by least squares over batches of several sizes."""
    config = context.config.policy.engine
    rows, seconds = [], []
    shapes = [(1, 16, 128), (16, 16, 128), (64, 16, 128), (192, 16, 128), (32, 256, 1), (64, 384, 1)]
    with start_engine(FittedEngine, model, config) as engine:
        ray.get(engine.seconds.remote(*shapes[0]), timeout=CALL_S)
        for sequences, prompt, tokens in shapes:
            times = [ray.get(engine.seconds.remote(sequences, prompt, tokens), timeout=CALL_S) for _ in range(3)]
            rows.append([tokens, tokens * sequences, sequences * prompt])
            seconds.append(statistics.median(times))
    solution, *_ = np.linalg.lstsq(np.array(rows, dtype=float), np.array(seconds), rcond=None)
    step, sequence, prefill = (max(float(value), 1e-7) for value in solution)
    return Latency(step, sequence, prefill, config.max_num_seqs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One measured search, and the processor seconds of workers, engines and the rest of the machine meanwhile."""

    engines: int
    seconds: float
    tokens: int
    expansions: int
    workers_cpu: float
    engines_cpu: float
    rest_cpu: float

    @property
    def rate(self) -> float:
        """Return the generated tokens a second and engine."""
        return self.tokens / self.seconds / self.engines


@dataclass(frozen=True, slots=True)
class Bench:
    """Simulated engines, an executor and real workers. Each turn starts only those it needs, since idle actors wake up too."""

    latency: Latency
    workers: int

    @contextmanager
    def actors(self, engines: int) -> Iterator[tuple[list[Any], Any]]:
        """Yield ``engines`` engines and the executor. They are killed at the end of the block."""
        light = {"num_cpus": 0, "max_concurrency": MAX_CONCURRENCY}
        start_engine = [ray.remote(SimulatedEngine).options(**light).remote(self.latency) for _ in range(engines)]
        executor = ray.remote(SimulatedExecutor).options(**light).remote(EXECUTOR_S)
        try:
            yield start_engine, executor
        finally:
            for actor in (*start_engine, executor):
                ray.kill(actor)

    def turn(self, engines: int, per_engine: int, directory: Path) -> Turn:
        """Search ``per_engine`` problems for each of ``engines`` engines."""
        with self.actors(engines) as (simulated, executor):
            return self._search(simulated, executor, per_engine * engines, directory)

    def _search(self, simulated: list[Any], executor: Any, count: int, directory: Path) -> Turn:
        engines = len(simulated)
        workers = min(self.workers, -(-engines // ENGINES_PER_WORKER))
        config = WorkerConfig(workers=workers, trees_in_flight=-(-count // workers), num_cpus=0)
        engine_config = EngineConfig(max_num_seqs=self.latency.most, reserve_cores=False)
        handles = Engines(
            policy=tuple(simulated),
            policy_config=engine_config,
            executors=(executor,),
            executor_config=ExecutorConfig(),
        )
        engine_pids = ray.get([actor.pid.remote() for actor in (*simulated, executor)], timeout=CALL_S)
        problems = [Problem(id=f"p{i}", question=f"{i} apples", answer="1", source="benchmark") for i in range(count)]
        spec = SearchSpec(search=SEARCH, format=CodeFormat(), directory=directory, seed=0, worker=config)
        warm_up = replace(spec, directory=directory.with_name(f"{directory.name}-warm-up"), seed=1)
        for directory in (spec.directory, warm_up.directory):
            directory.mkdir()
        with SearchWorkerPool(config) as worker_pool:
            worker_pool.run(warm_up, handles, problems[:workers])  # workers start, and import what they need
            worker_pids = worker_pool.pids()
            before = (
                time.perf_counter(),
                process_cpu_seconds(worker_pids),
                process_cpu_seconds(engine_pids),
                machine_cpu_seconds(),
            )
            summaries = worker_pool.run(spec, handles, problems)
            after = (
                time.perf_counter(),
                process_cpu_seconds(worker_pids),
                process_cpu_seconds(engine_pids),
                machine_cpu_seconds(),
            )
        seconds, workers_cpu, engines_cpu, machine_cpu = (b - a for a, b in zip(before, after, strict=True))
        tokens = sum(summary.cost.generated_tokens for summary in summaries)
        expansions = sum(summary.cost.requests for summary in summaries)
        return Turn(
            engines=engines,
            seconds=seconds,
            tokens=tokens,
            expansions=expansions,
            workers_cpu=workers_cpu,
            engines_cpu=engines_cpu,
            rest_cpu=machine_cpu - workers_cpu - engines_cpu,
        )


def measure(bench: Bench, counts: list[int], per_engine: int, repeats: int, work: Path) -> dict[int, list[Turn]]:
    """Return the turns by number of engines. They alternate, so that a slow minute hits all alike."""
    turns: dict[int, list[Turn]] = {count: [] for count in counts}
    for repeat in range(repeats):
        for count in counts:
            turn = bench.turn(count, per_engine, work / f"{count}-{repeat}")
            print(f"turn {repeat + 1} of {repeats}, {count} engines: {turn.seconds:.1f} s", file=sys.stderr, flush=True)
            turns[count].append(turn)
    return turns


NAMES = ("seconds", "tokens", "expansions", "workers_cpu", "engines_cpu", "rest_cpu", "rate")


def rows(turns: dict[int, list[Turn]]) -> list[dict[str, float]]:
    """Return medians by number of engines. Shares of the processor are in % of all cores."""
    table, cores = [], os.cpu_count() or 1
    medians = {
        count: {name: statistics.median(getattr(turn, name) for turn in turns[count]) for name in NAMES}
        for count in turns
    }
    for count, row in medians.items():
        share = {name: 100 * row[f"{name}_cpu"] / row["seconds"] / cores for name in ("workers", "engines", "rest")}
        table.append(
            {
                "engines": count,
                "tokens_per_s": round(row["rate"] * count),
                "efficiency": round(row["rate"] / medians[1]["rate"], 3),
                "cpu_us_per_expansion": round(1e6 * row["workers_cpu"] / row["expansions"]),
                **{f"cpu_{name}": round(value, 1) for name, value in share.items()},
                "cpu": round(sum(share.values()), 1),
            }
        )
    return table


def show(table: list[dict[str, float]], latency: Latency) -> None:
    """Print a table and the limit, then JSON."""
    print(
        f"an engine: {1e3 * latency.step:.2f} ms a step, {1e6 * latency.sequence:.0f} us a sequence and step, "
        f"{1e6 * latency.prefill:.0f} us a prompt token, {latency.most} sequences at most"
    )
    names = ("engines", "tokens_per_s", "efficiency", "cpu_us_per_expansion", "cpu_workers", "cpu_engines", "cpu_rest")
    titles = ("engines", "tokens/s", "of one", "us/expansion", "workers %", "engines %", "rest %")
    print("".join(f"{title:>13}" for title in titles))
    for row in table:
        print("".join(f"{row[name]:13g}" for name in names))
    efficient = list(takewhile(lambda row: row["efficiency"] >= GOOD_EFFICIENCY, table))
    held, beyond = int(efficient[-1]["engines"]), table[len(efficient) :]
    limit = f"with {beyond[0]['engines']:g} the cores are {beyond[0]['cpu']:.0f} % busy" if beyond else "not reached"
    print(f"{GOOD_EFFICIENCY} of linear up to {held} engines; the limit: {limit}")
    print(json.dumps({"held": held, "limit": limit, "rows": table}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=DEFAULT, help="whose policy and engine are fitted")
    parser.add_argument("--latency", help="STEP,SEQUENCE,PREFILL in seconds instead of a fit")
    parser.add_argument("--most", type=int, default=64, help="engines, doubled from 1 up to this (count)")
    parser.add_argument("--per-engine", type=int, default=32, help="problems for each engine (count)")
    parser.add_argument("--workers", type=int, default=2, help="search workers at most (actors)")
    parser.add_argument("--repeats", type=int, default=3, help="turns of each (count)")
    args, fields = parser.parse_known_args()
    config, sets = preflight.check_config(configs.load(args.config, overrides.parse(fields)))
    counts = [1 << power for power in range(args.most.bit_length()) if 1 << power <= args.most]
    with benchmark_context(config, sets) as context:
        work = context.run.root.parent
        if args.latency:
            latency = Latency.read(args.latency)
        else:
            latency = fit_latency(context, resolve_models(context, None, None).policy)
        turns = measure(Bench(latency, args.workers), counts, args.per_engine, args.repeats, work)
    show(rows(turns), latency)


if __name__ == "__main__":
    main()
