"""Score states with many reward models in one process, each by its real engine without Ray.

``python -m tests.actors.engines.score_models CASES.json``: a list of {"directory", "kind", "options"}. Prints one line of JSON:
for each case the logits of the states of ``solution_states``, scored one after the other and then all at once.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from actors.config import EngineConfig
from actors.engines.base import engine_environment
from actors.engines.manager import REWARD_ENGINE_CLASSES
from search.data import ModelRef
from search.reward_models import RewardModelKind
from tests.fakes.public_models import adapter_for, solution_states

CONFIG = EngineConfig(dtype="float32", max_model_len=1024, kv_cache_gib=0.1, reserve_cores=False, cpu_threads=2)
started: dict[str, Any] = {}  # vLLM's engines by the directory of their model, which cases may share


class SharedEngine:
    """Mixed into an engine: it takes a vLLM engine that another one has started on the same model."""

    def _launch(self, arguments: dict[str, Any]) -> Any:
        if arguments["model"] not in started:
            started[arguments["model"]] = super()._launch(arguments)  # type: ignore[misc]
        return started[arguments["model"]]


async def score(case: dict[str, Any]) -> dict[str, Any]:
    """Return the scores of one case."""
    adapter = adapter_for(Path(case["directory"]), RewardModelKind(case["kind"]), **case.get("options", {}))
    model = ModelRef("reward_model", case["directory"], kind=case["kind"])
    engine_class = type("Shared", (SharedEngine, REWARD_ENGINE_CLASSES[adapter.reading]), {})
    engine = engine_class(model, CONFIG, "reward_model-0", adapter)
    states = [adapter.render(state) for state in solution_states()]
    singly = [await engine.score([state], f"{case['kind']}-{index}", model) for index, state in enumerate(states)]
    together = await engine.score(states, f"{case['kind']}-all", model)
    return {
        "singly": [scores.logits[0] for scores in singly],
        "together": list(together.logits),
        "tokens": together.prompt_tokens,
        "cached": together.cached_tokens,
    }


def models(case: dict[str, Any]) -> set[str]:
    """Return the directories of the models that a case needs."""
    return {case["directory"], case.get("options", {}).get("reference")} - {None}


async def main(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the scores of all cases. An engine is stopped once no later case needs it."""
    results = []
    for index, case in enumerate(cases):
        results.append(await score(case))
        needed = set[str]().union(*map(models, cases[index + 1 :]))
        for directory in set(started) - needed:
            started.pop(directory).shutdown(timeout=0)
    return results


if __name__ == "__main__":
    cases = json.loads(Path(sys.argv[1]).read_text())
    os.environ.update(engine_environment(ModelRef("reward_model", cases[0]["directory"]), CONFIG))
    print(json.dumps(asyncio.run(main(cases))))
