"""A search worker whose policy and judge are behind a server, in this process: no Ray, no engine."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from actors.config import EngineConfig, WorkerConfig
from actors.endpoints.capabilities import Capabilities, Endpoint
from actors.endpoints.config import EndpointConfig
from actors.endpoints.formats import SERVERS_TEMPLATE
from actors.endpoints.judge import EndpointJudge
from actors.endpoints.policy import EndpointPolicy
from actors.sandbox.config import ExecutorConfig
from actors.stats import WorkerStats
from actors.workers.messages import Engines, PolicyEngines, SearchJob, SearchSpec, TreeSummary, TreeTask
from actors.workers.search_worker import SearchWorker, guess_tokens_left
from actors.workers.services import make_further_policies, make_policy, make_reward_model
from search.data import Cost, ModelRef, Problem
from search.formats.chat_format import ChatFormat
from search.reward_models.config import JudgeConfig
from search.reward_models.judge import endpoint_judge
from search.storage.tree_store import read_trees
from search.strategies.registry import search_config
from search.tree import Tree
from tests.fakes.openai_server import Body, ScriptedServer, serving

PROBLEMS = tuple(
    Problem(id=f"p{number}", question=f"{number} + 1?", answer=str(number + 1), source="t") for number in range(3)
)
POLICY = ModelRef("policy", "m at there")
FORM = ChatFormat(SERVERS_TEMPLATE)


def write(body: Body) -> list[str]:
    """Write a first step, then the answer; for a judge the mark 9 of what says the right sum, else 2."""
    messages = body["messages"]
    text = messages[-1]["content"]
    if "Score:" in text:
        return ["Score: 9" if "+ 1 = " in text else "Score: 2"] * body["n"]
    number = int(messages[1]["content"].split()[0])
    if messages[-1]["role"] == "assistant":
        return [f"\\boxed{{{number + 1}}}"] * body["n"]
    return [f"{number} + 1 = {number + 1}\n\nMore", "Hm.\n\nMore"][: body["n"]]


def make_job(server: ScriptedServer, directory: Path, **search: Any) -> SearchJob:
    config = EndpointConfig(url=server.url, model="m", max_inflight=6)
    capabilities = Capabilities(api="continue", names_stop=True)
    endpoint = Endpoint(config=config, capabilities=capabilities, key=SecretStr("sk-secret"))
    spec = SearchSpec(
        search=search_config(**search),
        format=FORM,
        directory=directory,
        seed=1,
        reward_adapter=endpoint_judge(FORM, JudgeConfig(samples=1)),
        worker=WorkerConfig(workers=2),
    )
    engines = Engines(
        policy=(),
        policy_config=EngineConfig(),
        executors=("executor",),
        executor_config=ExecutorConfig(),
        policy_ref=POLICY,
        endpoint=endpoint,
        judge_endpoint=endpoint,
    )
    return SearchJob("job", spec, engines)


async def test_tree_search_runs_over_a_server(tmp_path: Path) -> None:
    with serving(ScriptedServer(write=write)) as server:
        job = make_job(server, tmp_path, rollouts=3, candidates=2)
        worker = SearchWorker(0)
        summaries: list[TreeSummary] = []
        heartbeats: list[WorkerStats] = []
        async for report in worker.run(job, tuple(map(TreeTask, PROBLEMS))):
            summaries += report.summaries
            heartbeats.append(report.stats)
        counts = await worker.counts()
        await worker.release()
    assert {summary.problem_id: summary.correct for summary in summaries} == {"p0": True, "p1": True, "p2": True}
    trees = list(read_trees(tmp_path))
    assert all(node.logit is not None for tree in trees for node in tree.nodes[1:] if node.correct is None)
    generated = sum(tree.cost.generated_tokens for tree in trees)
    assert heartbeats[-1].generated_tokens == counts["policy_generated_tokens"] == generated > 0
    assert (counts["policy_requests"], counts["reward_model_requests"]) == (6, 6)
    assert "sk-secret" not in f"{job!r}{counts}{trees}"


def test_job_with_a_server_is_pickled_with_its_key(tmp_path: Path) -> None:
    job = make_job(ScriptedServer(url="http://h/v1"), tmp_path)
    copy = pickle.loads(pickle.dumps(job))
    assert copy == job
    assert copy.engines.endpoint.key.get_secret_value() == "sk-secret"
    assert job.engines.capacity == (6, 6)


async def test_workers_share_the_sequences_of_a_server(tmp_path: Path) -> None:
    job = make_job(ScriptedServer(url="http://h/v1"), tmp_path)
    policy = make_policy(job)
    assert isinstance(policy, EndpointPolicy) and policy._limit == 3
    assert isinstance(make_reward_model(job), EndpointJudge)
    assert make_further_policies(job, policy) == {}
    behind_it = PolicyEngines(handles=(), config=EngineConfig(), model=POLICY)
    shared = replace(job, engines=replace(job.engines, further={"second_policy": behind_it}))
    assert make_further_policies(shared, policy) == {"second_policy": policy}


def test_tokens_left_of_a_tree_follow_from_its_rollouts() -> None:
    tree = Tree(PROBLEMS[0], cost=Cost(generated_tokens=100))
    assert guess_tokens_left(tree, 4) == 700  # half of the first rollout
    tree.nodes[0].visits = 2
    assert guess_tokens_left(tree, 4) == 60
    tree.nodes[0].visits = 4
    assert guess_tokens_left(tree, 4) == 0


@pytest.mark.parametrize("judge", [True, False])
def test_job_without_a_reward_model_makes_none(tmp_path: Path, judge: bool) -> None:
    job = make_job(ScriptedServer(url="http://h/v1"), tmp_path)
    engines = replace(job.engines, judge_endpoint=job.engines.judge_endpoint if judge else None)
    spec = replace(job.spec, reward_adapter=None)
    assert make_reward_model(replace(job, engines=engines, spec=spec)) is None
