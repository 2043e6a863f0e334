"""Arguments of vLLM that RayStar sets itself, and the type that a model computes in.

Imports neither vLLM nor torch: configs are checked against them before anything starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from search.serialization import read_json_object
from search.storage.safetensors_headers import count_elements

# Names of AsyncEngineArgs' fields that an engine's ``extra`` may not hold, with the field that is for them.
RAYSTAR_ARGUMENTS: Mapping[str, str] = {
    "model": "give the model's path",
    "tokenizer": "it is the model's own",
    "revision": "write OWNER/NAME@REVISION for the model",
    "tokenizer_revision": "write OWNER/NAME@REVISION for the model",
    "code_revision": "write OWNER/NAME@REVISION for the model",
    "runner": "it follows from the model's role",
    "dtype": "use dtype",
    "quantization": "use quantization",
    "trust_remote_code": "use trust_remote_code",
    "max_model_len": "use max_model_len",
    "max_num_seqs": "use max_num_seqs",
    "max_num_batched_tokens": "use max_batched_tokens",
    "enable_chunked_prefill": "it is off on a CPU, where vLLM cannot rewind a seeded generator",
    "enforce_eager": "use enforce_eager",
    "tensor_parallel_size": "use gpus",
    "enable_prefix_caching": "it is always on",
    "disable_log_stats": "use metrics",
    "distributed_executor_backend": "RayStar starts its engines itself",
    "worker_extension_cls": "it loads new weights into running engines",
    "kv_cache_memory_bytes": "use kv_cache_gib",
    "block_size": "use block_size",
    "gpu_memory_utilization": "use gpu_memory_utilization",
    "pooler_config": "it follows from the reward model's kind",
}
BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16")
TEXT_CLASSIFIER = "TextForSequenceClassification"
FLOATS = ("float32", "bfloat16", "float16")


def saved_dtype(model: Path) -> str:
    """Return the type in a model directory's config.json, else that of most weights; "auto" where neither says it.

    Under "auto" vLLM halves float32.
    """
    config = read_json_object(model / "config.json")
    for section in (config, config.get("text_config")):
        if isinstance(section, dict) and (named := section.get("dtype") or section.get("torch_dtype")):
            return str(named).removeprefix("torch.")
    counts = count_elements(model.glob("*.safetensors"))
    floats = [name for name, _ in counts.most_common() if name in FLOATS]
    return floats[0] if floats else "auto"


def resolve_dtype(model: Path, on_cpu: bool, quantization: str | None = None) -> str:
    """Return the saved dtype, but float32 in place of bfloat16 on a CPU without instructions for it.

    Kernels for quantized weights (``quantization``) compute in halves only: float16 there.
    """
    import torch  # after the environment is set, as for vLLM

    saved, capabilities = saved_dtype(model), torch.cpu.get_capabilities()
    lacks_bf16 = on_cpu and not any(capabilities.get(name) for name in BF16_INSTRUCTIONS)
    if quantization is not None:
        return "float16" if saved == "float32" or (lacks_bf16 and saved != "float16") else saved
    return "float32" if lacks_bf16 and saved in ("auto", "bfloat16") else saved


def saved_quantization(model: Path) -> str | None:
    """Return how the weights in a model directory are quantized, by its config.json; None if they are not."""
    section = read_json_object(model / "config.json").get("quantization_config")
    return str(section.get("quant_method") or "unknown") if isinstance(section, dict) and section else None


def quantization_argument(model: Path, quantization: str | None) -> dict[str, Any]:
    """Return vLLM's argument for a quantization: fp8 of a model that was saved in full is done while it is loaded."""
    if quantization is None:
        return {}
    in_full = saved_quantization(model) is None
    return {"quantization": "fp8_per_tensor" if quantization == "fp8" and in_full else quantization}


def language_model_of(architecture: str) -> str | None:
    """Return the language model of a family by the name of its text part's classifier; None of any other name.

    Gemma3TextForSequenceClassification → Gemma3ForCausalLM. vLLM itself leads such a name to Gemma3TextModel.
    """
    family = architecture.removesuffix(TEXT_CLASSIFIER)
    return None if family == architecture else family + "ForCausalLM"
