"""Log-probabilities of a prompt's tokens by vLLM, started with the arguments of an engine.

``python -m tests.actors.engines.token_logprobs CASES.json``: a list of {"directory", "engine"}. Prints one line of JSON: a list
of log-probabilities for each case, of IDS[1:] each given the ids before it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from actors.config import EngineConfig
from actors.engines.base import engine_arguments, engine_environment
from actors.engines.likelihood import log_likelihood
from search.data import ModelRef

IDS = list(range(5, 60, 3))
SETTINGS = {"max_model_len": 256, "kv_cache_gib": 0.1, "max_num_seqs": 8, "reserve_cores": False}


async def measure(directory: str, engine: dict[str, Any]) -> list[float]:
    """Return the log-probabilities of one case."""
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.v1.engine.async_llm import AsyncLLM

    arguments = engine_arguments(ModelRef("policy", directory), EngineConfig(**SETTINGS, **engine), "generate")
    llm = AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments))
    positions = range(1, len(IDS))
    scored = ([index == position for index in range(len(IDS))] for position in positions)
    values = [await log_likelihood(llm, IDS, is_scored, str(key)) for key, is_scored in enumerate(scored)]
    llm.shutdown(timeout=0)
    return values


async def main(cases: list[dict[str, Any]]) -> list[list[float]]:
    """Return the log-probabilities of all cases, one engine after the other."""
    return [await measure(case["directory"], case["engine"]) for case in cases]


if __name__ == "__main__":
    cases = json.loads(Path(sys.argv[1]).read_text())
    os.environ.update(engine_environment(ModelRef("policy", cases[0]["directory"]), EngineConfig(**SETTINGS)))
    print(json.dumps(asyncio.run(main(cases))))
