"""Put an engine to sleep, wake it on the weights of another model, and compare.

``python -m tests.gpu.sleep_and_wake FIRST SECOND``: model directories of one architecture. Prints one line of JSON: the
log-probabilities of IDS[1:] by FIRST before sleep, those by SECOND after it, and free memory awake and asleep (GiB).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

import torch

from actors.config import EngineConfig
from actors.engines.base import engine_arguments, engine_environment
from actors.engines.likelihood import log_likelihood
from search.data import ModelRef
from tests.actors.engines.token_logprobs import IDS

CONFIG = EngineConfig.model_validate(
    {"gpus": 1, "dtype": "float16", "max_model_len": 256, "gpu_memory_utilization": 0.3}
)
GIB = 1 << 30
LEVEL = 2  # weights and KV cache are dropped


def free_gib() -> float:
    """Return the free memory of the card (GiB)."""
    return torch.cuda.mem_get_info()[0] / GIB


async def main(first: str, second: str) -> list[list[float]]:
    """Return log-probabilities before and after sleep, and free memory awake and asleep."""
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.v1.engine.async_llm import AsyncLLM

    arguments = engine_arguments(ModelRef("policy", first), CONFIG, "generate") | {"enable_sleep_mode": True}
    llm = AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments))

    async def logprobs(name: str) -> list[float]:
        scored = ([index == position for index in range(len(IDS))] for position in range(1, len(IDS)))
        return [await log_likelihood(llm, IDS, is_scored, f"{name}-{key}") for key, is_scored in enumerate(scored)]

    before, awake = await logprobs("before"), free_gib()
    await llm.sleep(level=LEVEL, mode="wait")
    asleep = free_gib()
    await llm.wake_up(tags=["weights"])
    await llm.collective_rpc("load_directory", args=(second,))
    await llm.wake_up(tags=["kv_cache"])
    after = await logprobs("after")
    llm.shutdown(timeout=0)
    return [before, after, [awake, asleep]]


if __name__ == "__main__":
    os.environ.update(engine_environment(ModelRef("policy", sys.argv[1]), CONFIG))
    print(json.dumps(asyncio.run(main(*sys.argv[1:]))))
