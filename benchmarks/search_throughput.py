"""How near a search comes to what its engine can do, and how far it is from a search with a barrier at every step.

    python benchmarks/search_throughput.py                                       the built-in policy, in five minutes
    python benchmarks/search_throughput.py --config configs/gsm8k_qwen.yaml      any config, any override

Sides in one run, in turn, on the same problems, models, seeds and engines, whose prefix cache each side finds empty:

    search    raystar's own, as `raystar search` runs it, from the first problem handed out to the last tree stored
    raw       the requests for generation of that search, with their prompts, candidates and lengths, given to the same
              engines all at once: no tree, no code to run, no score, nothing to wait for
    barrier   the same search, all trees in step (benchmarks/in_step.py): one generation for all, then all code, then all
              scores, then one selection in each tree, and on; a tree has one rollout under way, as in rStar-Math's
              released code
    parallel  the same barrier with as many rollouts of a tree under way as the search has, where it has several

of_raw_engine is tokens a second of the search over those of raw, over_barrier and over_parallel_barrier the same over
those of the two barriers, raw_over_barrier what is to be had without any coordination; medians. "solved" are problems
with a right solution: rollouts side by side know less of each other, and may find less. --reward-model or --new-reward-model let all
sides but raw score, which on few cores takes them from the policy's engine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ray

from actors.engines.manager import KINDS, EngineManager
from actors.engines.policy import PolicyEngine
from actors.workers.messages import Engines
from benchmarks.in_step import with_barrier
from benchmarks.own_engine import CALL_S
from cluster.commands.jobs import given
from cluster.config import overrides
from cluster.config import run_config as configs
from cluster.run import preflight
from cluster.run.context import Context, Invocation, running
from cluster.run.models import REWARD_MODEL, in_units, model_ref
from cluster.searches.runner import SearchPlan, SearchRunner
from search.config import SearchConfig
from search.core.expansion import node_seed
from search.data import ModelRef, Problem
from search.formats.registry import StepFormat
from search.seeds import derive
from search.storage.tree_store import read_trees
from search.tree import Tree
from train.config import TrainConfig
from train.data.loading import load_tokenizer
from train.objectives import OBJECTIVES
from train.trainer.checkpoint import copy_tokenizer
from train.trainer.models import load

DEFAULT = Path(__file__).resolve().parents[1] / "configs" / "arithmetic.yaml"
# As the demo evaluates: two candidates, and again where many visits fall. Its training searches' rule when to stop.
QUICK = (
    "--search.rollouts=48",
    "--search.candidates=2",
    "--search.widen=0.4",
    "--search.parallel_rollouts=48",
)
WARM_UP = 8  # problems searched before the clock starts
SLOWER = 4.0  # raw may take so many times as long as the search, and CALL_S, before it is given up

Side = dict[str, float]  # what one turn of a side took and found


@dataclass(frozen=True, slots=True)
class Request:
    """A generation request of a search: its prompt, its seed, and how long each candidate became (tokens)."""

    segments: tuple[str, ...]
    seed: int
    lengths: tuple[int, ...]


def requests(tree: Tree, form: StepFormat) -> list[Request]:
    """What the tree asked of the policy, as far as it got an answer: at a node as many requests as it was drawn from."""
    found = []
    for index, node in enumerate(tree.nodes):
        children = [tree.nodes[child] for child in node.children]
        if children:
            lengths = [child.tokens for child in children for _ in range(child.multiplicity)]
            many = math.ceil(len(lengths) / max(node.draws, 1))
            segments = tuple(segment.text for segment in form.segments(tree.state(index)))
            for draw, begin in enumerate(range(0, len(lengths), many)):
                drawn = tuple(lengths[begin : begin + many])
                found.append(Request(segments, node_seed(tree, index, draw), drawn))
    return found


class RawEngine(PolicyEngine):
    """A policy engine that also takes all requests of a search at once."""

    async def replay(self, batch: list[Request], temperature: float) -> float:
        """Seconds from the first request to the last answer, tokenisation included."""
        began = time.perf_counter()
        await asyncio.gather(*(self._one(request, temperature) for request in batch))
        return time.perf_counter() - began

    async def forget(self) -> None:
        """Empty the prefix cache; nothing may be under way."""
        if not await self._llm.reset_prefix_cache():
            raise RuntimeError(f"{self._name}: the prefix cache cannot be emptied, something is under way")

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


class Sides(Protocol):
    """Where the sides are measured: on real engines here, on simulated ones in barrier.py."""

    @property
    def problems(self) -> tuple[Problem, ...]: ...

    def search(self, name: str, problems: tuple[Problem, ...]) -> tuple[Side, list[Request]]: ...

    def raw(self, batch: list[Request], deadline_s: float) -> Side: ...

    def barrier(self, name: str, at_once: int) -> Side: ...


@dataclass(frozen=True, slots=True)
class Bench:
    """What all sides share."""

    context: Context
    searchers: SearchRunner
    model: ModelRef
    reward_model: ModelRef | None
    problems: tuple[Problem, ...]
    work: Path

    @property
    def form(self) -> StepFormat:
        return self.context.config.policy.step_format(self.context.shots)

    def search(self, name: str, problems: tuple[Problem, ...]) -> tuple[Side, list[Request]]:
        """What raystar's own search took and found, and what it asked for."""
        plan = SearchPlan(
            self.context.config.search, self.model, self.reward_model, problems, ("benchmark", name), "search"
        )
        self._fresh()
        began = time.perf_counter()
        report = self.searchers.run(plan, self.work / name)
        seconds = time.perf_counter() - began
        found = [request for tree in read_trees(self.work / name) for request in requests(tree, self.form)]
        return {"seconds": seconds, "tokens": report.cost.generated_tokens, "solved": report.solved}, found

    def barrier(self, name: str, at_once: int) -> Side:
        """The same in step, with ``at_once`` rollouts of each tree under way."""
        config, engines = self.context.config, self._fresh()
        search = in_units(config.search, self.reward_model).model_copy(update={"parallel_rollouts": at_once})
        seed = derive(config.seed, "benchmark", name)
        return asyncio.run(with_barrier(search, engines, self.form, self.problems, seed))

    def raw(self, batch: list[Request], deadline_s: float) -> Side:
        """What the engines take for these requests, shared out among them, all at once."""
        policies, temperature = self._fresh().policy, self.context.config.search.temperature
        shares = [batch[index :: len(policies)] for index in range(len(policies))]
        asked = [engine.replay.remote(share, temperature) for engine, share in zip(policies, shares, strict=True)]
        tokens = sum(sum(request.lengths) for request in batch)
        return {"seconds": max(ray.get(asked, timeout=deadline_s)), "tokens": tokens, "requests": len(batch)}

    def _fresh(self) -> Engines:
        """The engines, with nothing in the policies' prefix caches."""
        engines = self.searchers.engines(self.model, self.reward_model)
        ray.get([engine.forget.remote() for engine in engines.policy], timeout=CALL_S)
        return engines


def untrained(policy: ModelRef, directory: Path) -> ModelRef:
    """The policy with a PPM's head that has learnt nothing: it costs what a trained one does."""
    _, _, pad = load_tokenizer(Path(policy.path))
    readout = load(Path(policy.path), OBJECTIVES["ppm"].kind, TrainConfig(precision="bf16"), pad)
    readout.model.save_pretrained(directory)
    copy_tokenizer(Path(policy.path), directory)
    return model_ref(REWARD_MODEL, directory, 0)


def told(turn: int, taken: dict[str, Side]) -> None:
    seconds = ", ".join(f"{name} {side['seconds']:.1f} s" for name, side in taken.items())
    print(f"turn {turn + 1}: {seconds}", file=sys.stderr, flush=True)


def barriers_of(search: SearchConfig) -> dict[str, int]:
    """Sides with a barrier, and how many rollouts of a tree each has under way."""
    return {"barrier": 1} | ({"parallel": search.parallel_rollouts} if search.parallel_rollouts > 1 else {})


def measure(bench: Sides, search: SearchConfig, repeats: int, warm_up: int = WARM_UP) -> dict[str, list[Side]]:
    """What each side took and found, one entry a turn, after a search of so many problems."""
    bench.search("warm-up", bench.problems[:warm_up])
    barriers = barriers_of(search)
    sides: dict[str, list[Side]] = {side: [] for side in ("search", "raw", *barriers)}
    for turn in range(repeats):
        side, batch = bench.search(f"turn-{turn}", bench.problems)
        taken = {"search": side, "raw": bench.raw(batch, CALL_S + SLOWER * side["seconds"])}
        taken |= {name: bench.barrier(f"turn-{turn}", at_once) for name, at_once in barriers.items()}
        for name, one in taken.items():
            sides[name].append(one)
        told(turn, taken)
    return sides


def show(sides: dict[str, list[Side]]) -> None:
    """A table, and as the last line the same as JSON."""
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
        "--new-reward-model", action="store_true", help="score with the policy under a head that has learnt nothing"
    )
    parser.add_argument("--problems", type=int, default=64, help="training problems searched (count)")
    parser.add_argument("--repeats", type=int, default=3, help="turns of each side (count)")
    args, rest = parser.parse_known_args()
    fields = rest if args.config else [*QUICK, *rest]
    config = configs.load(args.config or DEFAULT, overrides.parse(fields))
    sets = preflight.inputs(config)
    with tempfile.TemporaryDirectory(prefix="raystar-benchmark-") as work:
        job = Invocation("benchmark", config, Path(work) / "run", None, sets, preflight.shots(config.policy))
        with running(job) as context, SearchRunner(context) as searchers:
            searchers.fleet = EngineManager(
                config.policy.engine, config.reward_model.engine, {**KINDS, "policy": RawEngine}
            )
            models = given(context, args.policy, args.reward_model)
            reward_model = (
                untrained(models.policy, Path(work) / "reward_model") if args.new_reward_model else models.reward_model
            )
            bench = Bench(context, searchers, models.policy, reward_model, sets.train[: args.problems], Path(work))
            sides = measure(bench, config.search, args.repeats)
        show(sides)


if __name__ == "__main__":
    main()
