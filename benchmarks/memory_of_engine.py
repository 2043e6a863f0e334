"""Fill an engine's KV cache and print the peak of its processes: a case of benchmarks/memory_estimate.py (JSON)."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import psutil
import ray

from actors.config import EngineConfig
from actors.engines.manager import EngineManager
from benchmarks.process_usage import peak_mib
from search.data import ModelRef, Sampling

DEADLINE_S = 600.0
PROMPT_TOKENS = 400


def main(case: dict[str, Any]) -> None:
    config = EngineConfig(num_cpus=0, start_deadline_s=DEADLINE_S, **case["settings"])
    model = ModelRef(role="policy", path=case["model"], round=0, version=0)
    ray.init(include_dashboard=False, log_to_driver=False)
    with EngineManager(config, config) as engines:
        (engine,) = engines.handles(model)
        requests = [
            engine.propose.remote(
                [f"{number} " + "apples " * (PROMPT_TOKENS // 2)],
                (),
                1,
                Sampling(max_tokens=64),
                number,
                f"r{number}",
            )
            for number in range(2 * config.max_num_seqs)
        ]
        ray.get(requests, timeout=DEADLINE_S)
        pid = ray.get(engine.pid.remote())
        pids = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
        print(json.dumps({"peak_gib": sum(map(peak_mib, pids)) / 1024, "processes": len(pids)}))
        sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
