"""How many engines one machine's coordination can keep busy, and what coordination costs.

    python benchmarks/search_scaling.py                     latency fitted to the real engine first
    python benchmarks/search_scaling.py --latency 6e-3,6e-5,2e-5   step, sequence and prefill (s), without a fit

1, 2, 4 … simulated engines (benchmarks/simulated.py) as Ray actors, real search workers as real processes, so many
problems per engine, a worker for up to eight engines; searches ask no reward_model. Efficiency is tokens per second and
engine over that of one engine. A round of engines is measured ``--repeats`` times; medians. The cost of an expansion is
the workers' processor time over all expansions.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
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
from actors.engines.manager import CALLS_AT_ONCE
from actors.engines.policy import PolicyEngine
from actors.sandbox.config import ExecutorConfig
from actors.workers.messages import Engines, SearchSpec
from actors.workers.worker_pool import SearchWorkerPool
from benchmarks.own_engine import CALL_S, started
from benchmarks.simulated import Latency, SimulatedEngine, SimulatedExecutor
from cluster.commands.jobs import given
from cluster.config import overrides
from cluster.config import run_config as configs
from cluster.run import preflight
from cluster.run.context import Context, Invocation, running
from search.config import SearchConfig
from search.data import ModelRef, Problem
from search.formats.registry import CodeFormat

DEFAULT = Path(__file__).resolve().parents[1] / "configs" / "arithmetic.yaml"
TICKS = os.sysconf("SC_CLK_TCK")
EXECUTOR_S = 0.005
GOOD = 0.9
ENGINES_A_WORKER = 8  # they keep half a core of a worker busy
SEARCH = SearchConfig(rollouts=4, candidates=4, max_depth=16, max_step_tokens=40)


class FittedEngine(PolicyEngine):
    """A real engine that says how long tokens take."""

    async def seconds(self, sequences: int, prompt: int, tokens: int) -> float:
        """Of ``tokens`` tokens in each of ``sequences`` sequences after different prompts of ``prompt`` tokens."""
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        parameters = SamplingParams(
            n=1, max_tokens=tokens, min_tokens=tokens, ignore_eos=True, detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )  # fmt: skip
        await self._llm.reset_prefix_cache()

        async def one(number: int) -> None:
            ids = [10 + (number * 7 + place) % 100 for place in range(prompt)]
            name = f"fit-{sequences}-{prompt}-{tokens}-{number}-{time.monotonic_ns()}"
            async for _ in self._llm.generate({"type": "token", "prompt_token_ids": ids}, parameters, name):
                pass

        began = time.perf_counter()
        await asyncio.gather(*(one(number) for number in range(sequences)))
        return time.perf_counter() - began


def fit(context: Context, model: ModelRef) -> Latency:
    """Step, sequence and prefill seconds of a real engine: least squares over batches of several sizes."""
    config = context.config.policy.engine
    rows, seconds = [], []
    shapes = [(1, 16, 128), (16, 16, 128), (64, 16, 128), (192, 16, 128), (32, 256, 1), (64, 384, 1)]
    with started(FittedEngine, model, config) as engine:
        ray.get(engine.seconds.remote(*shapes[0]), timeout=CALL_S)
        for sequences, prompt, tokens in shapes:
            took = [ray.get(engine.seconds.remote(sequences, prompt, tokens), timeout=CALL_S) for _ in range(3)]
            rows.append([tokens, tokens * sequences, sequences * prompt])
            seconds.append(statistics.median(took))
    found, *_ = np.linalg.lstsq(np.array(rows, dtype=float), np.array(seconds), rcond=None)
    step, sequence, prefill = (max(float(value), 1e-7) for value in found)
    return Latency(step, sequence, prefill, config.max_num_seqs)


@dataclass(frozen=True, slots=True)
class Turn:
    """One measured search: what it did, and who used the processor meanwhile (seconds)."""

    engines: int
    seconds: float
    tokens: int
    expansions: int
    workers_cpu: float
    engines_cpu: float
    rest_cpu: float

    @property
    def rate(self) -> float:
        """Generated tokens a second and engine."""
        return self.tokens / self.seconds / self.engines


def cpu(pids: list[int]) -> float:
    """Processor seconds that these processes have used so far."""
    fields = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids)
    return sum(int(one[11]) + int(one[12]) for one in fields) / TICKS


def busy() -> float:
    """Processor seconds that this machine has used so far."""
    user, nice, system, _, _, irq, soft, *_ = Path("/proc/stat").read_text().split("\n")[0].split()[1:]
    return sum(map(int, (user, nice, system, irq, soft))) / TICKS


@dataclass(frozen=True, slots=True)
class Rig:
    """Simulated engines, an executor, and real workers: for each turn those that it needs, since an actor that has nothing
    to do wakes up all the same."""

    latency: Latency
    workers: int

    @contextmanager
    def actors(self, engines: int) -> Iterator[tuple[list[Any], Any]]:
        """So many engines, and the executor; gone at the end of the block."""
        light = {"num_cpus": 0, "max_concurrency": CALLS_AT_ONCE}
        started = [ray.remote(SimulatedEngine).options(**light).remote(self.latency) for _ in range(engines)]
        executor = ray.remote(SimulatedExecutor).options(**light).remote(EXECUTOR_S)
        try:
            yield started, executor
        finally:
            for actor in (*started, executor):
                ray.kill(actor)

    def turn(self, engines: int, per_engine: int, directory: Path) -> Turn:
        """One search of ``per_engine`` problems for each of so many engines."""
        with self.actors(engines) as (simulated, executor):
            return self._search(simulated, executor, per_engine * engines, directory)

    def _search(self, simulated: list[Any], executor: Any, many: int, directory: Path) -> Turn:
        engines = len(simulated)
        workers = min(self.workers, -(-engines // ENGINES_A_WORKER))
        config = WorkerConfig(workers=workers, trees_in_flight=-(-many // workers), num_cpus=0)
        own = EngineConfig(max_num_seqs=self.latency.most, own_cores=False)
        handles = Engines(tuple(simulated), own, (executor,), ExecutorConfig())
        theirs = ray.get([actor.pid.remote() for actor in (*simulated, executor)], timeout=CALL_S)
        problems = [Problem(f"p{i}", f"{i} apples", "1", "benchmark") for i in range(many)]
        assignment = SearchSpec(SEARCH, CodeFormat(), directory, 0, worker=config)
        warm_up = replace(assignment, directory=directory.with_name(f"{directory.name}-warm-up"), seed=1)
        for one in (assignment, warm_up):
            one.directory.mkdir()
        with SearchWorkerPool(config) as crowd:
            crowd.run(warm_up, handles, problems[:workers])  # workers start, and import what they need
            pids = crowd.pids()
            before = (time.perf_counter(), cpu(pids), cpu(theirs), busy())
            summaries = crowd.run(assignment, handles, problems)
            after = (time.perf_counter(), cpu(pids), cpu(theirs), busy())
        seconds, mine, engines_cpu, everything = (b - a for a, b in zip(before, after, strict=True))
        tokens = sum(summary.cost.generated_tokens for summary in summaries)
        expansions = sum(summary.cost.requests for summary in summaries)
        return Turn(engines, seconds, tokens, expansions, mine, engines_cpu, everything - mine - engines_cpu)


def measure(rig: Rig, counts: list[int], per_engine: int, repeats: int, work: Path) -> dict[int, list[Turn]]:
    """Turns by number of engines; one engine and all others in turn, so that a slow minute hits all alike."""
    found: dict[int, list[Turn]] = {count: [] for count in counts}
    for repeat in range(repeats):
        for count in counts:
            turn = rig.turn(count, per_engine, work / f"{count}-{repeat}")
            print(f"turn {repeat + 1} of {repeats}, {count} engines: {turn.seconds:.1f} s", file=sys.stderr, flush=True)
            found[count].append(turn)
    return found


NAMES = ("seconds", "tokens", "expansions", "workers_cpu", "engines_cpu", "rest_cpu", "rate")


def rows(found: dict[int, list[Turn]]) -> list[dict[str, float]]:
    """Medians by number of engines; shares of the processor are in % of all cores."""
    made, cores = [], os.cpu_count() or 1
    middle = {n: {name: statistics.median(getattr(turn, name) for turn in found[n]) for name in NAMES} for n in found}
    for count, row in middle.items():
        share = {name: 100 * row[f"{name}_cpu"] / row["seconds"] / cores for name in ("workers", "engines", "rest")}
        made.append(
            {
                "engines": count,
                "tokens_per_s": round(row["rate"] * count),
                "efficiency": round(row["rate"] / middle[1]["rate"], 3),
                "cpu_us_per_expansion": round(1e6 * row["workers_cpu"] / row["expansions"]),
                **{f"cpu_{name}": round(value, 1) for name, value in share.items()},
                "cpu": round(sum(share.values()), 1),
            }
        )
    return made


def show(table: list[dict[str, float]], latency: Latency) -> None:
    """A table, what limits, and as the last line the same as JSON."""
    print(
        f"an engine: {1e3 * latency.step:.2f} ms a step, {1e6 * latency.sequence:.0f} us a sequence and step, "
        f"{1e6 * latency.prefill:.0f} us a prompt token, {latency.most} sequences at most"
    )
    names = ("engines", "tokens_per_s", "efficiency", "cpu_us_per_expansion", "cpu_workers", "cpu_engines", "cpu_rest")
    titles = ("engines", "tokens/s", "of one", "us/expansion", "workers %", "engines %", "rest %")
    print("".join(f"{title:>13}" for title in titles))
    for row in table:
        print("".join(f"{row[name]:13g}" for name in names))
    within = list(takewhile(lambda row: row["efficiency"] >= GOOD, table))
    held, beyond = int(within[-1]["engines"]), table[len(within) :]
    limit = f"with {beyond[0]['engines']:g} the cores are {beyond[0]['cpu']:.0f} % busy" if beyond else "not reached"
    print(f"{GOOD} of linear up to {held} engines; the limit: {limit}")
    print(json.dumps({"held": held, "limit": limit, "rows": table}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=DEFAULT, help="whose policy and engine are fitted")
    parser.add_argument("--latency", help="STEP,SEQUENCE,PREFILL in seconds instead of a fit")
    parser.add_argument("--most", type=int, default=64, help="engines, doubled from 1 up to this (count)")
    parser.add_argument("--per-engine", type=int, default=32, help="problems for each engine (count)")
    parser.add_argument("--workers", type=int, default=2, help="search workers at most (actors)")
    parser.add_argument("--repeats", type=int, default=3, help="turns of each (count)")
    args, rest = parser.parse_known_args()
    config = configs.load(args.config, overrides.parse(rest))
    counts = [1 << power for power in range(args.most.bit_length()) if 1 << power <= args.most]
    with tempfile.TemporaryDirectory(prefix="raystar-benchmark-") as work:
        job = Invocation("benchmark", config, Path(work) / "run", None, preflight.inputs(config), ())
        with running(job) as context:
            if args.latency:
                latency = Latency.read(args.latency)
            else:
                latency = fit(context, given(context, None, None).policy)
            found = measure(Rig(latency, args.workers), counts, args.per_engine, args.repeats, Path(work))
    show(rows(found), latency)


if __name__ == "__main__":
    main()
