"""Print what a run would do: where things run, its stages, and upper bounds of their requests and tokens.

Bounds are worst cases: every rollout reaches the depth limit and every candidate is as long as allowed. A search that
finds answers early, or merges equal candidates, stays far below them.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from textwrap import wrap

from actors.config import EngineConfig
from cluster.commands.planned_stages import PlannedStage
from cluster.config.run_config import RunConfig
from cluster.formatting import format_count
from cluster.run.context import Invocation
from cluster.run.endpoints import describe_endpoints
from cluster.run.model_fields import describe_models
from cluster.run.prompting import describe_prompts

LINE_WIDTH = 100


def format_plan(invocation: Invocation, stages: tuple[PlannedStage, ...]) -> str:
    """Return the plan as lines of at most 100 characters."""
    config = invocation.config
    lines = [f"run {config.name}, seed {config.seed}, directory {invocation.root}"]
    models = chain(
        describe_models(config, invocation.models),
        describe_endpoints(config),
        describe_prompts(config, invocation.prompting.settings, invocation.models),
    )
    if described := list(chain.from_iterable(map(_wrap, models))):
        lines += ["", "Models", *(f"  {line}" for line in described)]
    lines += ["", "Placement", *(f"  {line}" for line in placement(config, invocation.address))]
    lines += ["", "Stages (requests and generated tokens: upper bounds)"]
    width = max(len(stage.name) for stage in stages)
    lines += [f"  {stage.name:<{width}}  {stage.description}{_bounds(stage)}" for stage in stages]
    requests, tokens = sum(stage.requests for stage in stages), sum(stage.tokens for stage in stages)
    lines += [
        "",
        f"In all at most {format_count(requests)} policy requests and {format_count(tokens)} generated tokens.",
    ]
    return "\n".join(lines)


def _wrap(line: str) -> list[str]:
    return wrap(line, LINE_WIDTH - 2, subsequent_indent="  ", break_on_hyphens=False)


def _bounds(stage: PlannedStage) -> str:
    if not stage.requests:
        return ""
    return f"  <= {format_count(stage.requests)} requests, {format_count(stage.tokens)} tokens"


def placement(config: RunConfig, address: str | None) -> Iterator[str]:
    """Yield lines that say where things run."""
    where = f"joins the cluster at {address}" if address else "starts on this machine"
    store = "" if address else f", object store {config.ray.object_store_mib} MiB"
    yield f"Ray {where}{store}"
    yield f"policy engines: {_engine(config.policy.engine)}"
    yield f"reward model engines: {_engine(config.reward_model.engine)}"
    yield (
        f"search workers: {config.workers.workers}, {config.workers.trees_in_flight} trees at once in each, "
        f"{config.workers.num_cpus:g} CPU each"
    )
    for role, train in (("policy", config.train.policy), ("reward model", config.train.reward_model)):
        yield f"{role} training: {train.workers} workers, ZeRO stage {train.zero_stage}, {train.precision}"
    kept = "stay while models are trained" if config.placement.keep_engines else "stop before models are trained"
    yield f"engines {kept}"
    if config.placement.train_together:
        yield "policy and reward model of a round are trained side by side"


def _engine(engine: EngineConfig) -> str:
    gpu = f"{engine.num_gpus:g} GPU" if engine.num_gpus else "no GPU"
    return (
        f"{engine.replicas} x (tensor parallel {engine.tensor_parallel}, {engine.num_cpus:g} CPU, {gpu}), "
        f"up to {engine.max_inflight} sequences of {engine.max_model_len} tokens in each"
    )
