"""vLLM engines on one GPU: reloading under CUDA graphs, two engines on one card, halves, fp8, sleeping.

    python -m pytest tests/gpu/test_engines.py

The imported tests are those of the CPU. Here policy and reward model share one card, with compilation and CUDA graphs.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.actors.engines.test_engines import (
    test_candidates_end_at_the_stops_of_the_format,
    test_requests_survive_a_killed_engine,
    test_same_seed_gives_the_same_text,
    test_scores_equal_those_of_transformers,
)
from tests.actors.engines.test_weight_reload import (
    test_engine_serves_reloaded_weights,
    test_request_in_flight_ends_with_the_old_weights,
)
from tests.actors.engines.test_weight_types import torch_logprobs
from tests.fakes.tiny_model import make_policy
from tests.gpu.device import needs_gpu

__all__ = [
    "test_candidates_end_at_the_stops_of_the_format",
    "test_engine_serves_reloaded_weights",
    "test_request_in_flight_ends_with_the_old_weights",
    "test_requests_survive_a_killed_engine",
    "test_same_seed_gives_the_same_text",
    "test_scores_equal_those_of_transformers",
]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500), needs_gpu]
HALVES, FP8 = 2e-2, 0.5  # largest errors of log-probabilities


def run_script(module: str, *arguments: Path | str) -> list[list[float]]:
    """Return what a script of the tests prints as JSON in its last line."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600).stdout
    values: list[list[float]] = json.loads(output.splitlines()[-1])
    return values


def test_halves_and_fp8_are_computed_on_a_gpu(tmp_path: Path) -> None:
    full = make_policy(tmp_path / "full", gain=3.0)
    engines = [{"gpus": 1, "dtype": "float16"}, {"gpus": 1, "dtype": "bfloat16"}, {"gpus": 1, "quantization": "fp8"}]
    cases = [{"directory": str(full), "engine": engine} for engine in engines]
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    measured = run_script("tests.actors.engines.token_logprobs", tmp_path / "cases.json")
    for values, tolerance in zip(measured, (HALVES, 8 * HALVES, FP8), strict=True):
        assert values == pytest.approx(torch_logprobs(full), abs=tolerance)


def test_sleeping_engine_frees_its_card_and_wakes_again(tmp_path: Path) -> None:
    first, second = make_policy(tmp_path / "first", gain=3.0), make_policy(tmp_path / "second", seed=2, gain=3.0)
    before, after, memory = run_script("tests.gpu.sleep_and_wake", first, second)
    assert before == pytest.approx(torch_logprobs(first), abs=HALVES)
    assert after == pytest.approx(torch_logprobs(second), abs=HALVES)
    free_awake, free_asleep = memory
    assert free_asleep > free_awake + 1.0  # GiB
