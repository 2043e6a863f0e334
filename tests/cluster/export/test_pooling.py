"""vLLM pools with an exported reward model as transformers computes it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from cluster.export.write import plan_export, write_export
from search.formats.model_prompt import ModelPrompt, write_model_prompt
from tests.fakes.tiny_model import make_reward_model

pytestmark = [pytest.mark.slow, pytest.mark.thorough]
IDS = [5, 6, 7, 80, 91]
POOL = """
import json, sys
from vllm import LLM, PoolingParams
if __name__ == "__main__":
    llm = LLM(sys.argv[1], runner="pooling", dtype="float32", enforce_eager=True, max_model_len=256, max_num_seqs=2)
    parameters = PoolingParams(task="classify", use_activation=False)
    prompt = {"prompt_token_ids": json.loads(sys.argv[2])}
    print("LOGITS", llm.encode([prompt], parameters, pooling_task="classify")[0].outputs.data.tolist())
"""


def test_vllm_pools_with_an_exported_reward_model(tmp_path: Path) -> None:
    source = make_reward_model(tmp_path / "reward")
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps({**config, "id2label": {"0": "reward"}, "label2id": {"reward": 0}}))
    write_model_prompt(source, ModelPrompt(format="code", trained_on_format=True))
    directory = tmp_path / "model"
    write_export(plan_export(source, "model", None), directory)
    with torch.no_grad():
        model = AutoModelForSequenceClassification.from_pretrained(directory, dtype=torch.float32)
        logits = model(input_ids=torch.tensor([IDS])).logits[0].tolist()
    script = tmp_path / "pool.py"
    script.write_text(POOL)
    settings = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [sys.executable, str(script), str(directory), json.dumps(IDS)],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, **settings},
    )
    line = next((line for line in result.stdout.splitlines() if line.startswith("LOGITS ")), None)
    assert line is not None, result.stderr[-2000:]
    assert json.loads(line.removeprefix("LOGITS ")) == pytest.approx(logits, abs=1e-4)
