"""Measure how near a search comes to its engine's speed, and how far it is from a search with a barrier at every step.

    python benchmarks/search_throughput.py                                       the built-in policy, in five minutes
    python benchmarks/search_throughput.py --config configs/gsm8k_qwen.yaml      any config, any override

Sides in one run, in turn, on the same problems, models, seeds and engines. Each side finds the prefix caches empty:

    search    RayStar's own, as `raystar search` runs it, from the first problem dispatched to the last tree stored
    raw       the generation requests of that search, with their prompts, candidates and lengths, sent to the same engines
              all at once: no tree, no code to run, no score, nothing to wait for
    barrier   the same search, all trees in lockstep (benchmarks/lockstep.py): one generation for all, then all code, then
              all scores, then one selection in each tree, and so on. A tree has one rollout at a time, as in rStar-Math's
              released code
    parallel  the same barrier with as many concurrent rollouts of a tree as the search has, where it has several

of_raw_engine is tokens a second of the search over those of raw; over_barrier and over_parallel_barrier the same over
those of the two barriers; raw_over_barrier is the gain that is possible without any coordination. All are medians. "solved"
are problems with a correct solution: concurrent rollouts know less of each other and may find less. --reward-model or
--new-reward-model let all sides but raw score, which on few cores takes them from the policy's engine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ray

from actors.engines.manager import ENGINE_CLASSES, EngineManager
from actors.engines.policy import PolicyEngine
from actors.workers.messages import Engines
from benchmarks.engine_actor import CALL_S
from benchmarks.invocations import benchmark_context
from benchmarks.lockstep import run_with_barrier
from cluster.commands.ray_commands import resolve_models
from cluster.config import overrides
from cluster.config import run_config as configs
from cluster.run import preflight
from cluster.run.context import Context
from cluster.run.models import REWARD_MODEL, fit_search, model_ref
from cluster.run.prompting import load_shots
from cluster.searches.runner import SearchPlan, SearchRunner
from search.config import SearchConfig
from search.core.expansion import node_seed
from search.data import ModelRef, Problem
from search.formats.base import Piece, StepFormat
from search.reward_models import RewardModelKind
from search.seeds import derive
from search.storage.tree_store import read_trees
from search.tree import Tree
from train.config import TrainConfig
from train.data.model_tokenizer import load_tokenizer
from train.objectives import OBJECTIVES
from train.trainer.checkpoint import copy_tokenizer
from train.trainer.models import load_model

DEFAULT = Path(__file__).resolve().parents[1] / "configs" / "arithmetic.yaml"
# As the demo evaluates: two candidates, and more at nodes with many visits. It stops as the demo's training searches do.
DEFAULT_OVERRIDES = (
    "--search.rollouts=48",
    "--search.candidates=2",
    "--search.progressive_widening=0.4",
    "--search.parallel_rollouts=48",
)
WARM_UP = 8  # problems searched before the clock starts
RAW_DEADLINE_FACTOR = 4.0  # deadline of raw: CALL_S plus this many times the seconds of the search

SideResult = dict[str, float]  # seconds, tokens, and solved problems or requests of one turn of a side


@dataclass(frozen=True, slots=True)
class Request:
    """A generation request of a search: its prompt, its seed, and how long each candidate became (tokens)."""

    pieces: tuple[Piece, ...]
    seed: int
    lengths: tuple[int, ...]


def read_requests(tree: Tree, step_format: StepFormat) -> list[Request]:
    """Return the answered requests of a tree to the policy: at each node as many as it was drawn from."""
    requests = []
    for index, node in enumerate(tree.nodes):
        children = [tree.nodes[child] for child in node.children]
        if children:
            lengths = [child.tokens for child in children for _ in range(child.multiplicity)]
            candidates = math.ceil(len(lengths) / max(node.draws, 1))
            pieces = tuple(segment.piece for segment in step_format.segments(tree.state(index)))
            for draw, start in enumerate(range(0, len(lengths), candidates)):
                drawn = tuple(lengths[start : start + candidates])
                requests.append(Request(pieces, node_seed(tree, index, draw), drawn))
    return requests


class RawEngine(PolicyEngine):
    """A policy engine that also takes all requests of a search at once."""

    async def replay(self, batch: list[Request], temperature: float) -> float:
        """Return the seconds from the first request to the last answer, tokenisation included."""
        start = time.perf_counter()
        await asyncio.gather(*(self._send(request, temperature) for request in batch))
        return time.perf_counter() - start

    async def clear_prefix_cache(self) -> None:
        """Empty the prefix cache. No request may be in flight."""
        if not await self._llm.reset_prefix_cache():
            raise RuntimeError(f"{self._name}: the prefix cache cannot be emptied, a request is in flight")

    async def _send(self, request: Request, temperature: float) -> None:
        ids = self._tokens.ids(request.pieces)
        lengths = Counter(request.lengths).items()
        await asyncio.gather(*(self._generate(ids, request.seed, length, n, temperature) for length, n in lengths))

    async def _generate(self, ids: list[int], seed: int, length: int, n: int, temperature: float) -> None:
        """Generate ``n`` candidates of one length."""
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        parameters = SamplingParams(
            n=n,
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


class Sides(Protocol):
    """The sides on some engines: real ones here, simulated ones in barrier.py."""

    @property
    def problems(self) -> tuple[Problem, ...]: ...

    def search(self, name: str, problems: tuple[Problem, ...]) -> tuple[SideResult, list[Request]]: ...

    def raw(self, batch: list[Request], deadline_s: float) -> SideResult: ...

    def barrier(self, name: str, parallel_rollouts: int) -> SideResult: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The sides on real engines."""

    context: Context
    runner: SearchRunner
    model: ModelRef
    reward_model: ModelRef | None
    problems: tuple[Problem, ...]
    work: Path

    @property
    def step_format(self) -> StepFormat:
        return self.context.prompting.policy_format(self.model.path)

    def search(self, name: str, problems: tuple[Problem, ...]) -> tuple[SideResult, list[Request]]:
        """Run RayStar's own search and return its result and its requests."""
        plan = SearchPlan(
            config=self.context.config.search,
            policy=self.model,
            reward_model=self.reward_model,
            problems=problems,
            seed=("benchmark", name),
            label="search",
        )
        self._fresh_engines()
        start = time.perf_counter()
        report = self.runner.run(plan, self.work / name)
        seconds = time.perf_counter() - start
        batch = [request for tree in read_trees(self.work / name) for request in read_requests(tree, self.step_format)]
        return {"seconds": seconds, "tokens": report.cost.generated_tokens, "solved": report.solved}, batch

    def barrier(self, name: str, parallel_rollouts: int) -> SideResult:
        """Run the same search in lockstep, with ``parallel_rollouts`` of each tree."""
        config, engines = self.context.config, self._fresh_engines()
        search = fit_search(config.search, self.reward_model).model_copy(
            update={"parallel_rollouts": parallel_rollouts}
        )
        seed = derive(config.seed, "benchmark", name)
        return asyncio.run(run_with_barrier(search, engines, self.step_format, self.problems, seed))

    def raw(self, batch: list[Request], deadline_s: float) -> SideResult:
        """Send these requests to the engines all at once, each engine its share."""
        policies, temperature = self._fresh_engines().policy, self.context.config.search.temperature
        shares = [batch[index :: len(policies)] for index in range(len(policies))]
        calls = [engine.replay.remote(share, temperature) for engine, share in zip(policies, shares, strict=True)]
        tokens = sum(sum(request.lengths) for request in batch)
        return {"seconds": max(ray.get(calls, timeout=deadline_s)), "tokens": tokens, "requests": len(batch)}

    def _fresh_engines(self) -> Engines:
        """Return the engines, the policies' prefix caches empty."""
        engines = self.runner.engines(self.model, self.reward_model)
        ray.get([engine.clear_prefix_cache.remote() for engine in engines.policy], timeout=CALL_S)
        return engines


def make_untrained_reward_model(policy: ModelRef, directory: Path) -> ModelRef:
    """Write the policy with an untrained PPM head. It costs what a trained one does."""
    pad = load_tokenizer(Path(policy.path)).pad_id
    model = load_model(Path(policy.path), OBJECTIVES["ppm"].head, TrainConfig(precision="bf16"), pad)
    model.model.save_pretrained(directory)
    copy_tokenizer(Path(policy.path), directory)
    return model_ref(REWARD_MODEL, directory, 0, RewardModelKind.PPM)


def print_turn(turn: int, results: dict[str, SideResult]) -> None:
    seconds = ", ".join(f"{name} {side['seconds']:.1f} s" for name, side in results.items())
    print(f"turn {turn + 1}: {seconds}", file=sys.stderr, flush=True)


def barrier_concurrency(search: SearchConfig) -> dict[str, int]:
    """Return the sides with a barrier and the concurrent rollouts of a tree in each."""
    parallel_rollouts = getattr(search, "parallel_rollouts", 1)
    return {"barrier": 1} | ({"parallel": parallel_rollouts} if parallel_rollouts > 1 else {})


def measure(bench: Sides, search: SearchConfig, repeats: int, warm_up: int = WARM_UP) -> dict[str, list[SideResult]]:
    """Return the results of each side, one a turn, after a search of ``warm_up`` problems."""
    bench.search("warm-up", bench.problems[:warm_up])
    barriers = barrier_concurrency(search)
    sides: dict[str, list[SideResult]] = {side: [] for side in ("search", "raw", *barriers)}
    for turn in range(repeats):
        result, batch = bench.search(f"turn-{turn}", bench.problems)
        results = {"search": result, "raw": bench.raw(batch, CALL_S + RAW_DEADLINE_FACTOR * result["seconds"])}
        results |= {name: bench.barrier(f"turn-{turn}", rollouts) for name, rollouts in barriers.items()}
        for name, side in results.items():
            sides[name].append(side)
        print_turn(turn, results)
    return sides


def show(sides: dict[str, list[SideResult]]) -> None:
    """Print a table, then JSON."""
    print(f"{'':8}{'seconds':>10}{'tokens':>10}{'solved':>10}{'tokens/s':>10}   seconds of each turn")
    rates = {side: statistics.median(run["tokens"] / run["seconds"] for run in runs) for side, runs in sides.items()}
    for side, runs in sides.items():
        seconds, tokens = (statistics.median(run[key] for run in runs) for key in ("seconds", "tokens"))
        solved = statistics.median(run.get("solved", math.nan) for run in runs)
        turns = " ".join(f"{run['seconds']:.1f}" for run in runs)
        print(f"{side:8}{seconds:10.1f}{tokens:10.0f}{solved:10.0f}{rates[side]:10.0f}   {turns}")
    names = {"of_raw_engine": "raw", "over_barrier": "barrier", "over_parallel_barrier": "parallel"}
    over = {name: round(rates["search"] / rates[side], 3) for name, side in names.items() if side in rates}
    limit = {"raw_over_barrier": round(rates["raw"] / rates["barrier"], 3)}
    print(json.dumps({**over, **limit, "sides": sides}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, help="config of the search (default: the demo's with other rollouts)")
    parser.add_argument("--policy", type=Path, help="model directory (default: the config's base policy)")
    reward_model = parser.add_mutually_exclusive_group()
    reward_model.add_argument(
        "--reward-model", type=Path, help="directory of a reward model (default: none, as in a first round)"
    )
    reward_model.add_argument(
        "--new-reward-model", action="store_true", help="score with the policy under an untrained head"
    )
    parser.add_argument("--problems", type=int, default=64, help="training problems searched (count)")
    parser.add_argument("--repeats", type=int, default=3, help="turns of each side (count)")
    args, given_overrides = parser.parse_known_args()
    changes = given_overrides if args.config else [*DEFAULT_OVERRIDES, *given_overrides]
    config = configs.load(args.config or DEFAULT, overrides.parse(changes))
    config, sets = preflight.check_config(config)
    with benchmark_context(config, sets, load_shots(config.policy)) as context, SearchRunner(context) as runner:
        work = context.run.root.parent
        runner.engine_manager = EngineManager(
            config.policy.engine, config.reward_model.engine, {**ENGINE_CLASSES, "policy": RawEngine}
        )
        models = resolve_models(context, args.policy, args.reward_model)
        reward_model = (
            make_untrained_reward_model(models.policy, work / "reward_model")
            if args.new_reward_model
            else models.reward_model
        )
        bench = Bench(
            context=context,
            runner=runner,
            model=models.policy,
            reward_model=reward_model,
            problems=sets.train[: args.problems],
            work=work,
        )
        sides = measure(bench, config.search, args.repeats)
        show(sides)


if __name__ == "__main__":
    main()
