"""How near a search comes to what its engine can do, and how far it is from a search with a barrier at every step.

    python benchmarks/search_throughput.py                                       the built-in policy, in five minutes
    python benchmarks/search_throughput.py --config configs/gsm8k_qwen.yaml      any config, any override

Sides in one run, in turn, on the same problems, model and seeds; no scorer is asked:

    search    raystar's own, as `raystar search` runs it, from the first problem handed out to the last tree stored
    raw       the requests of that search, with their prompts, candidates and lengths, given to the same kind of
              engine all at once: no tree, no code to run, nothing to wait for; its prefix cache is as cold at the
              first turn, and as warm at later ones, as the search's
    barrier   the same strategy and the same tools, all trees in step: one generation for all, then all code, then one
              selection in each tree, and on; a tree has one rollout under way, as in rStar-Math's released code
    parallel  the same barrier with as many rollouts of a tree under way as the search has, where it has several

of_raw_engine is tokens a second of the search over those of raw, over_barrier and over_parallel_barrier the same over
those of the two barriers; medians.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ray

from actors.config import EngineConfig
from actors.executor import ExecutorPool
from actors.policy import PolicyEngine
from actors.pool import PolicyPool
from actors.worker import Engines
from benchmarks.own_engine import CALL_S, started
from cluster import config as configs
from cluster import overrides, preflight
from cluster.context import Context, Job, running
from cluster.evolution import given
from cluster.searching import Searchers, SearchPlan
from search.config import SearchConfig
from search.formats import StepFormat
from search.grading import grader
from search.growth import node_seed
from search.protocols import Tools
from search.seeds import derive
from search.store import read_trees
from search.strategies import build
from search.tree import Tree
from search.types import ModelRef, Problem, Proposal, Sampling, State, Step

DEFAULT = Path(__file__).resolve().parents[1] / "configs" / "arithmetic.yaml"
# The demo's search with half its rollouts, two of a tree at a time because problems are few: three turns in four minutes.
QUICK = ("--search.rollouts=4", "--search.parallel_rollouts=2")
WARM_UP = 8  # problems searched before the clock starts
SETTLED = 50  # turns of the event loop after which every tree waits for its tools


@dataclass(frozen=True, slots=True)
class Request:
    """A generation request of a search: its prompt, its seed, and how long each candidate became (tokens)."""

    segments: tuple[str, ...]
    seed: int
    lengths: tuple[int, ...]


def requests(tree: Tree, form: StepFormat) -> list[Request]:
    """What the tree asked of the policy, as far as it got an answer."""
    found = []
    for index, node in enumerate(tree.nodes):
        children = [tree.nodes[child] for child in node.children]
        if children:
            lengths = tuple(child.tokens for child in children for _ in range(child.multiplicity))
            segments = tuple(segment.text for segment in form.segments(tree.state(index)))
            found.append(Request(segments, node_seed(tree, index), lengths))
    return found


class RawEngine(PolicyEngine):
    """A policy engine that takes all requests of a search at once."""

    async def replay(self, batch: list[Request], temperature: float) -> float:
        """Seconds from the first request to the last answer, tokenisation included."""
        began = time.perf_counter()
        await asyncio.gather(*(self._one(request, temperature) for request in batch))
        return time.perf_counter() - began

    async def _one(self, request: Request, temperature: float) -> None:
        ids = self._tokens.ids(request.segments)
        lengths = Counter(request.lengths).items()
        await asyncio.gather(*(self._candidates(ids, request.seed, *group, temperature) for group in lengths))

    async def _candidates(self, ids: list[int], seed: int, length: int, many: int, temperature: float) -> None:
        """So many candidates of one length."""
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        parameters = SamplingParams(
            n=many,
            temperature=temperature,
            max_tokens=max(length, 1),
            ignore_eos=True,
            detokenize=False,
            seed=seed,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        prompt = {"type": "token", "prompt_token_ids": ids}
        async for _ in self._llm.generate(prompt, parameters, uuid4().hex):
            pass


@dataclass(eq=False)
class InStep:
    """Policy and executor that answer nobody before everybody waits."""

    policy: PolicyPool
    executor: ExecutorPool
    asked: list[tuple[Callable[[], Awaitable[Any]], asyncio.Future[Any]]] = field(default_factory=list)

    async def propose(self, state: State, n: int, sampling: Sampling, seed: int) -> Proposal:
        return await self._ask(lambda: self.policy.propose(state, n, sampling, seed))  # type: ignore[no-any-return]

    async def run(self, state: State, steps: Sequence[Step]) -> list[Step]:
        return await self._ask(lambda: self.executor.run(state, steps))  # type: ignore[no-any-return]

    async def _ask(self, call: Callable[[], Awaitable[Any]]) -> Any:
        answer = asyncio.get_running_loop().create_future()
        self.asked.append((call, answer))
        return await answer

    async def drive(self, growing: list[asyncio.Task[Tree]]) -> list[Tree]:
        """Answer in turns until all trees are grown."""
        while not all(task.done() for task in growing):
            for _ in range(SETTLED):
                await asyncio.sleep(0)
            turn, self.asked = self.asked, []
            results = await asyncio.gather(*(call() for call, _ in turn))
            for (_, answer), result in zip(turn, results, strict=True):
                if not answer.done():  # its rollout may be cancelled: another one of the tree found enough
                    answer.set_result(result)
        return [task.result() for task in growing]


async def with_barrier(
    config: SearchConfig, engines: Engines, form: StepFormat, problems: tuple[Problem, ...], seed: int
) -> tuple[float, int]:
    """Seconds and generated tokens of the same search with all trees in step."""
    unbounded = engines.policy_config.model_copy(update={"queue": 1e6})
    policy = PolicyPool(engines.policy, form, unbounded, engines.policy_model)
    steps = InStep(policy, ExecutorPool(engines.executors, engines.executor_config))
    tools, strategy = Tools(steps, steps, form, None, grader()), build(config)
    began = time.perf_counter()
    growing = [asyncio.ensure_future(strategy.search(problem, tools, derive(seed, problem.id))) for problem in problems]
    trees = await steps.drive(growing)
    return time.perf_counter() - began, sum(tree.cost.generated_tokens for tree in trees)


@dataclass(frozen=True, slots=True)
class Bench:
    """What all sides share."""

    context: Context
    searchers: Searchers
    model: ModelRef
    problems: tuple[Problem, ...]
    work: Path

    @property
    def form(self) -> StepFormat:
        return self.context.config.policy.step_format(self.context.shots)

    def search(self, name: str, problems: tuple[Problem, ...]) -> tuple[float, int, list[Request]]:
        """Seconds, generated tokens, and the requests."""
        plan = SearchPlan(self.context.config.search, self.model, None, problems, ("benchmark", name), "search")
        self.searchers.engines(self.model, None)
        began = time.perf_counter()
        report = self.searchers.run(plan, self.work / name)
        seconds = time.perf_counter() - began
        found = [request for tree in read_trees(self.work / name) for request in requests(tree, self.form)]
        return seconds, report.cost.generated_tokens, found

    def barrier(self, name: str, at_once: int) -> tuple[float, int]:
        """Seconds and generated tokens with ``at_once`` rollouts of each tree under way."""
        config, engines = self.context.config, self.searchers.engines(self.model, None)
        search = config.search.model_copy(update={"parallel_rollouts": at_once})
        seed = derive(config.seed, "benchmark", name)
        return asyncio.run(with_barrier(search, engines, self.form, self.problems, seed))


def told(turn: int, side: str, seconds: float) -> None:
    print(f"turn {turn + 1}, {side}: {seconds:.1f} s", file=sys.stderr, flush=True)


def raw_seconds(batches: list[list[Request]], model: ModelRef, config: EngineConfig, temperature: float) -> list[float]:
    """Seconds of each batch on a fresh engine of the same kind, after a warm-up."""
    with started(RawEngine, model, config) as engine:
        ray.get(engine.replay.remote(batches[0][: WARM_UP * 4], temperature), timeout=CALL_S)
        taken = []
        for turn, batch in enumerate(batches):
            taken.append(ray.get(engine.replay.remote(batch, temperature), timeout=CALL_S))
            told(turn, "raw", taken[-1])
        return taken


def barriers_of(search: SearchConfig) -> dict[str, int]:
    """Sides with a barrier, and how many rollouts of a tree each has under way."""
    return {"barrier": 1} | ({"parallel": search.parallel_rollouts} if search.parallel_rollouts > 1 else {})


def measure(bench: Bench, repeats: int) -> dict[str, list[dict[str, float]]]:
    """Seconds, tokens and requests by side, one entry a repeat."""
    bench.search("warm-up", bench.problems[:WARM_UP])
    barriers = barriers_of(bench.context.config.search)
    sides: dict[str, list[dict[str, float]]] = {side: [] for side in ("search", "raw", *barriers)}
    batches = []
    for turn in range(repeats):
        seconds, tokens, found = bench.search(f"turn-{turn}", bench.problems)
        batches.append(found)
        sides["search"].append({"seconds": seconds, "tokens": tokens, "requests": len(found)})
        told(turn, "search", seconds)
        for side, rollouts in barriers.items():
            seconds, tokens = bench.barrier(f"turn-{turn}", rollouts)
            sides[side].append({"seconds": seconds, "tokens": tokens, "requests": len(found)})
            told(turn, side, seconds)
    config = bench.context.config
    bench.searchers.fleet.stop()
    for batch, seconds in zip(
        batches, raw_seconds(batches, bench.model, config.policy.engine, config.search.temperature), strict=True
    ):
        tokens = sum(sum(request.lengths) for request in batch)
        sides["raw"].append({"seconds": seconds, "tokens": tokens, "requests": len(batch)})
    return sides


def show(sides: dict[str, list[dict[str, float]]]) -> None:
    """A table, and as the last line the same as JSON."""
    median = {
        side: {key: statistics.median(run[key] for run in runs) for key in runs[0]} for side, runs in sides.items()
    }
    print(f"{'':8}{'seconds':>10}{'tokens':>10}{'requests':>10}{'tokens/s':>10}   seconds of each turn")
    for side, row in median.items():
        turns = " ".join(f"{run['seconds']:.1f}" for run in sides[side])
        rate = row["tokens"] / row["seconds"]
        print(f"{side:8}{row['seconds']:10.1f}{row['tokens']:10.0f}{row['requests']:10.0f}{rate:10.0f}   {turns}")
    rates = {side: statistics.median(run["tokens"] / run["seconds"] for run in runs) for side, runs in sides.items()}
    names = {"of_raw_engine": "raw", "over_barrier": "barrier", "over_parallel_barrier": "parallel"}
    over = {name: round(rates["search"] / rates[side], 3) for name, side in names.items() if side in rates}
    print(json.dumps({**over, "sides": sides}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--config", type=Path, help="config of the search (default: the demo's with 4 rollouts, two at once)"
    )
    parser.add_argument("--policy", type=Path, help="model directory (default: the config's base policy)")
    parser.add_argument("--problems", type=int, default=64, help="training problems searched (count)")
    parser.add_argument("--repeats", type=int, default=3, help="turns of each side (count)")
    args, rest = parser.parse_known_args()
    fields = rest if args.config else [*QUICK, *rest]
    config = configs.load(args.config or DEFAULT, overrides.parse(fields))
    sets = preflight.inputs(config)
    with tempfile.TemporaryDirectory(prefix="raystar-benchmark-") as work:
        job = Job("benchmark", config, Path(work) / "run", None, sets, preflight.shots(config.policy))
        with running(job) as context, Searchers(context) as searchers:
            model = given(context, args.policy, None).policy
            problems = sets.train[: args.problems]
            bench = Bench(context, searchers, model, problems, Path(work))
            sides = measure(bench, args.repeats)
        show(sides)


if __name__ == "__main__":
    main()
