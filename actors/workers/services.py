"""Make what a job's trees call: policies, a reward model, in pools of engines or behind a server; and what traces them."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, Union

from actors.pools.engine_pool import PolicyPool, RewardModelPool
from actors.workers.messages import Engines, SearchJob
from search.errors import UserError
from search.reward_models.judge import Judge
from search.storage.object_store import ObjectStore, fetch_if_stored
from search.tokens import Vocabulary, read_vocabulary

if TYPE_CHECKING:
    from actors.endpoints.judge import EndpointJudge
    from actors.endpoints.policy import EndpointPolicy
    from actors.tracing.tree_tracer import TreeTracer

logger = logging.getLogger(__name__)
AnyPolicy: TypeAlias = Union[PolicyPool, "EndpointPolicy"]
AnyRewardModel: TypeAlias = Union[RewardModelPool, "EndpointJudge"]


def make_policy(job: SearchJob) -> AnyPolicy:
    """Return the policy of a job."""
    engines, spec = job.engines, job.spec
    if engines.endpoint is None:
        return PolicyPool(engines.policy, spec.format, engines.policy_config, engines.policy_ref)
    # The client of OpenAI takes a second to import, and most searches have no server.
    from actors.endpoints.formats import read_encoder
    from actors.endpoints.policy import EndpointPolicy

    encode = read_encoder(engines.endpoint.tokenizer)
    return EndpointPolicy(engines.endpoint, spec.format, share=1 / spec.worker.workers, encode=encode)


def make_further_policies(job: SearchJob, policy: AnyPolicy) -> dict[str, AnyPolicy]:
    """Return the policies of a job beside the first, by role. One of them may be the first behind its server."""
    engines, spec = job.engines, job.spec
    policies: dict[str, AnyPolicy] = {}
    for role, further in engines.further.items():
        if further.handles:
            step_format = spec.further_formats.get(role, spec.format)
            policies[role] = PolicyPool(further.handles, step_format, further.config, further.model, role)
        elif engines.endpoint is not None and further.model is not None and further.model == engines.policy_ref:
            policies[role] = policy
    return policies


def policy_vocabularies(engines: Engines) -> dict[str, Vocabulary]:
    """Return the vocabularies of the policies on engines, by their digests. A model of an unknown layout has none."""
    models = (engines.policy_ref, *(further.model for further in engines.further.values()))
    for model in filter(None, models):
        fetch_if_stored(Path(model.path), "tokenizer.json")
    vocabularies = [read_vocabulary(Path(model.path)) for model in models if model is not None]
    return {vocabulary.digest: vocabulary for vocabulary in vocabularies if vocabulary is not None}


def make_reward_model(job: SearchJob) -> AnyRewardModel | None:
    """Return the reward model of a job, None without one."""
    engines, spec = job.engines, job.spec
    if engines.reward_model:
        if spec.reward_adapter is None:
            raise ValueError("a search with a reward model needs an adapter for it (SearchSpec.reward_adapter)")
        return RewardModelPool(
            engines.reward_model, spec.reward_adapter, engines.reward_model_config, engines.reward_model_ref
        )
    if engines.judge_endpoint is None or not isinstance(spec.reward_adapter, Judge):
        return None
    # The client of OpenAI takes a second to import, and most searches have no server.
    from actors.endpoints.judge import EndpointJudge

    return EndpointJudge(engines.judge_endpoint, spec.reward_adapter, share=1 / spec.worker.workers)


def make_tracer(job: SearchJob, worker: int) -> TreeTracer | None:
    """Return what records the spans of a job's trees in a worker; None where ``workers.trace`` is 0."""
    share = job.spec.worker.trace
    if not share:
        return None
    # OpenTelemetry takes a tenth of a second to import, and most searches record nothing.
    from actors.tracing.tree_tracer import TreeTracer

    return TreeTracer(job.spec.directory, worker, share=share, places=job.engines.capacity)


async def close_tracer(tracer: TreeTracer, store: ObjectStore | None) -> None:
    """Close the file of the spans and upload it if the run is in a store. A search does not fail for want of its spans."""
    tracer.close()
    try:
        if store is not None:
            await asyncio.to_thread(store.upload, tracer.path)
    except UserError as error:
        logger.warning("the spans of this worker stay in %s: %s", tracer.path, error)
