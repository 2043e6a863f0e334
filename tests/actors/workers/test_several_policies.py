"""Two policies on engines of their own draw in the same trees."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import ray

from actors.config import EngineConfig, WorkerConfig
from actors.engines.manager import EngineManager
from actors.pools.executor_pool import start_executors, stop_executors
from actors.sandbox.config import ExecutorConfig
from actors.workers.messages import Engines, PolicyEngines, SearchSpec
from actors.workers.worker_pool import SearchWorkerPool
from search.data import ModelRef, Problem
from search.formats.code_format import CodeFormat
from search.reward_models import RewardModelKind, make_adapter
from search.storage.tree_store import read_trees
from search.strategies.registry import search_config

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PROBLEMS = [Problem(id=f"p{n}", question=f"How much is {n} and {n}?", answer=str(2 * n), source="t") for n in range(6)]
SEARCH = search_config(strategy="ab_mcts", rollouts=6, max_depth=3, max_step_tokens=24, policy_choice="ucb")


def test_two_policies_draw_in_the_same_trees(
    engine_manager: EngineManager,
    models: tuple[ModelRef, ModelRef],
    others: tuple[ModelRef, ModelRef],
    engine_config: EngineConfig,
    tmp_path: Path,
) -> None:
    second = ModelRef("policy_2", others[0].path, version=7)
    executors = start_executors(ExecutorConfig(), {"num_cpus": 0})
    engine_manager.start(models[0], models[1], second)
    before = ray.get(engine_manager.handles(second)[0].stats.remote())
    assert (before.name, before.generated_tokens) == ("policy_2-0", 0)
    engines = Engines(
        policy=tuple(engine_manager.handles(models[0])),
        policy_config=engine_config,
        executors=tuple(executors),
        executor_config=ExecutorConfig(),
        reward_model=tuple(engine_manager.handles(models[1])),
        reward_model_config=engine_config,
        policy_ref=models[0],
        further={
            "policy_2": PolicyEngines(handles=tuple(engine_manager.handles(second)), config=engine_config, model=second)
        },
    )
    spec = SearchSpec(
        search=SEARCH,
        format=CodeFormat(),
        directory=tmp_path,
        seed=5,
        reward_adapter=make_adapter(tmp_path, RewardModelKind.PPM, CodeFormat()),
        worker=WorkerConfig(workers=1, num_cpus=0.1),
    )
    try:
        with SearchWorkerPool(spec.worker) as pool:
            summaries = pool.run(spec, engines, PROBLEMS)
            counts = pool.counts
        after = ray.get(engine_manager.handles(second)[0].stats.remote())
    finally:
        engine_manager.stop("policy_2")
        stop_executors(executors)
    assert {summary.quarantine_reason for summary in summaries} == {""}
    nodes = [node for tree in read_trees(tmp_path) for node in tree.nodes[1:]]
    versions = Counter((node.action, node.version) for node in nodes)
    assert set(versions) == {("policy", models[0].version), ("policy_2", second.version)}
    assert counts["policy_2_requests"] == after.requests - before.requests > 0 < counts["policy_requests"]
    generated = sum(summary.cost.generated_tokens for summary in summaries)
    assert 0 < after.generated_tokens < generated
