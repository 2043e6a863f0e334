"""What one engine takes, worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from actors.config import EngineConfig
from cluster.capacity.memory.serving import (
    CUDA_GIB,
    PROCESSES_GIB,
    cache_gib,
    held_sequences,
    serving_memory,
)
from tests.cluster.capacity.memory.public_models import llama_8b, qwen_7b

GIB, KIB = 2**30, 2**10
ON_GPU = EngineConfig(gpus=1, max_num_seqs=256, max_model_len=4096)


def test_token_of_a_cache_takes_keys_and_values_of_every_layer() -> None:
    # Llama 3 8B: 2 * 32 layers * 8 heads * 128 wide * 2 bytes = 128 KiB; Qwen2.5-7B: 2 * 28 * 4 * 128 * 2 = 56 KiB.
    assert cache_gib(llama_8b(), ON_GPU, context=4096) == pytest.approx(4096 * 128 * KIB / GIB)
    assert cache_gib(qwen_7b(), ON_GPU, context=4096) == pytest.approx(4096 * 56 * KIB / GIB)


def test_cache_is_counted_in_whole_blocks() -> None:
    assert cache_gib(llama_8b(), ON_GPU, context=17) == cache_gib(llama_8b(), ON_GPU, context=32)


def test_gpus_of_an_engine_share_weights_and_heads() -> None:
    one, four = (serving_memory(llama_8b(), replace_gpus(gpus), sequences=256, context=4096) for gpus in (1, 4))
    assert one.parts["weights"] == pytest.approx(2 * 8_030_261_248 / GIB)
    assert four.parts["weights"] == pytest.approx(one.parts["weights"] / 4)
    assert four.parts["KV cache"] == pytest.approx(one.parts["KV cache"] / 4)


def replace_gpus(gpus: float, **changes: object) -> EngineConfig:
    return EngineConfig.model_validate({"gpus": gpus, "max_num_seqs": 256, "max_model_len": 4096} | changes)


def test_each_gpu_has_a_head_when_there_are_fewer_heads() -> None:
    assert cache_gib(qwen_7b(), replace_gpus(8), context=4096) == cache_gib(qwen_7b(), replace_gpus(4), context=4096)


def test_layer_with_a_window_keeps_the_window_and_one_pass() -> None:
    shape = replace(llama_8b(), window=1024, sliding_layers=32)
    engine = replace_gpus(1, max_batched_tokens=512)
    # 1023 tokens and 512 of the pass: 96 blocks of 16, and one where the window begins within a block.
    assert cache_gib(shape, engine, context=8192) == pytest.approx(97 * 16 * 128 * KIB / GIB)
    assert cache_gib(shape, engine, context=512) == pytest.approx(33 * 16 * 128 * KIB / GIB)


def test_card_of_80_gib_holds_as_many_sequences_as_fit() -> None:
    # 0.9 * 80 = 72 GiB; all but the cache takes weights 14.2, working memory and CUDA; a sequence takes 0.21875 GiB.
    empty = serving_memory(qwen_7b(), ON_GPU, sequences=0, context=4096).per_gpu_gib
    assert held_sequences(qwen_7b(), ON_GPU, 80, context=4096) == int((72 - empty) / 0.21875)
    assert held_sequences(qwen_7b(), ON_GPU, 16, context=4096) < 0


def test_share_of_a_card_has_its_share_of_the_memory() -> None:
    half = held_sequences(qwen_7b(), replace_gpus(0.5), 80, context=4096)
    empty = serving_memory(qwen_7b(), replace_gpus(0.5), sequences=0, context=4096).per_gpu_gib
    assert half == int((36 - empty) / 0.21875)


def test_cpu_engine_takes_its_cache_whatever_it_holds() -> None:
    engine = EngineConfig(kv_cache_gib=2, max_model_len=1024, dtype="bfloat16")
    use = serving_memory(qwen_7b(), engine, sequences=999, context=1024)
    assert use.parts["KV cache"] == 2
    assert use.per_gpu_gib == 0
    assert use.per_host_gib == pytest.approx(sum(use.parts.values()))
    assert use.parts["processes"] == PROCESSES_GIB
    assert held_sequences(qwen_7b(), engine, 0, context=1024) == int(2 / (1024 * 56 * KIB / GIB))


def test_cpu_engine_has_a_tied_embedding_twice() -> None:
    engine = EngineConfig(dtype="bfloat16")
    apart, tied = (
        serving_memory(replace(qwen_7b(), tied=tied), engine, sequences=1, context=512).parts["weights"]
        for tied in (False, True)
    )
    assert tied - apart == pytest.approx(2 * 152064 * 3584 / GIB)


def test_weights_double_when_a_cpu_lacks_bfloat16() -> None:
    engine = EngineConfig()
    with_it, without = (
        serving_memory(qwen_7b(), engine, sequences=1, context=512, has_bf16=has_bf16) for has_bf16 in (True, False)
    )
    assert without.parts["weights"] == pytest.approx(2 * with_it.parts["weights"])


def test_fp8_halves_all_but_embedding_and_output_layer() -> None:
    in_full = 2 * 128256 * 4096
    use = serving_memory(llama_8b(), replace_gpus(1, quantization="fp8"), sequences=1, context=512)
    assert use.parts["weights"] == pytest.approx((2 * in_full + 8_030_261_248 - in_full) / GIB)


def test_saved_quantization_takes_the_bytes_of_its_files() -> None:
    shape = replace(llama_8b(), packed_bytes=6_000_000_000)
    assert serving_memory(shape, ON_GPU, sequences=1, context=512).parts["weights"] == pytest.approx(6e9 / GIB)


def test_gpu_use_counts_the_context_of_cuda() -> None:
    assert serving_memory(llama_8b(), ON_GPU, sequences=1, context=512).parts["CUDA"] == CUDA_GIB


@pytest.mark.slow
@pytest.mark.parametrize("context", [100, 4096])
def test_cache_is_counted_as_vllm_counts_it(context: int) -> None:
    import torch
    from vllm.v1.kv_cache_interface import FullAttentionSpec

    spec = FullAttentionSpec(block_size=16, num_kv_heads=8, head_size=128, dtype=torch.bfloat16)
    blocks = -(-context // 16)
    assert cache_gib(llama_8b(), ON_GPU, context=context) == pytest.approx(32 * blocks * spec.page_size_bytes / GIB)
