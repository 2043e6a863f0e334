"""vLLM with the types and quantizations that an engine asks for, against the same weights in plain torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.actors.engines.token_logprobs import IDS
from tests.fakes.quantized_model import quantize_model
from tests.fakes.tiny_model import make_policy

TOLERANCE = 2e-3  # of float16; another rounding of the weights differs by a hundred times as much


def torch_logprobs(directory: Path) -> list[float]:
    """Return the log-probabilities of IDS[1:] by a float32 forward."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.no_grad():
        model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)
        logits = model(torch.tensor([IDS])).logits[0].log_softmax(-1)
    return [float(logits[index, token]) for index, token in enumerate(IDS[1:])]


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.timeout(600)
def test_halves_and_4_bit_weights_are_computed_exactly(tmp_path: Path) -> None:
    full = make_policy(tmp_path / "full", gain=3.0)
    gptq, gptq_in_full = quantize_model(full, tmp_path, "gptq")
    awq, awq_in_full = quantize_model(full, tmp_path, "awq")
    cases = [
        {"directory": str(full), "engine": {"dtype": "float16"}},
        {"directory": str(gptq), "engine": {"quantization": "gptq", "extra": {"max_logprobs": 5}}},
        {"directory": str(awq), "engine": {}},  # as the model was saved
    ]
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    command = [sys.executable, "-m", "tests.actors.engines.token_logprobs", str(tmp_path / "cases.json")]
    output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=500).stdout
    measured = json.loads(output.splitlines()[-1])
    in_full = torch_logprobs(full)
    for values, directory in zip(measured, (full, gptq_in_full, awq_in_full), strict=True):
        assert values == pytest.approx(torch_logprobs(directory), abs=TOLERANCE)
    for values in measured[1:]:
        assert max(abs(left - right) for left, right in zip(values, in_full, strict=True)) > 10 * TOLERANCE
