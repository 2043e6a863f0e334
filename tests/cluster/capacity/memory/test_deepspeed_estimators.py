"""The estimators that are run from DeepSpeed's source say what the imported ones say."""

from __future__ import annotations

import pytest

from cluster.capacity.memory.deepspeed_estimators import zero2_states, zero3_states
from tests.cluster.capacity.memory.public_models import qwen_7b

GIB = 2**30


def test_zero_2_takes_the_bytes_of_the_published_rule() -> None:
    weights = qwen_7b().parameters
    states = zero2_states(weights, 8, offload=False)
    assert states.gpu == 2 * weights + 18 * weights // 8
    assert states.gpu / GIB == pytest.approx(30.1, abs=0.1)
    assert zero2_states(weights, 1, offload=False).gpu / GIB == pytest.approx(141.9, abs=0.1)


def test_zero_3_with_offload_fills_the_host() -> None:
    states = zero3_states(qwen_7b().parameters, qwen_7b().embedding, 8, offload=True, offload_weights=False)
    assert states.host == int(qwen_7b().parameters * 16 * 1.5)


@pytest.mark.slow
@pytest.mark.parametrize("gpus", [1, 8])
@pytest.mark.parametrize("offload", [False, True])
def test_estimates_are_those_of_deepspeed(gpus: int, offload: bool) -> None:
    from deepspeed.runtime.zero.stage3 import estimate_zero3_model_states_mem_needs
    from deepspeed.runtime.zero.stage_1_and_2 import estimate_zero2_model_states_mem_needs

    weights, largest = qwen_7b().parameters, qwen_7b().embedding
    host, gpu = estimate_zero2_model_states_mem_needs(weights, gpus, 1, offload)
    two = zero2_states(weights, gpus, offload=offload)
    assert (two.host, two.gpu) == (host, gpu)
    host, gpu, _ = estimate_zero3_model_states_mem_needs(weights, largest, gpus, 1, offload, offload)
    three = zero3_states(weights, largest, gpus, offload=offload, offload_weights=offload)
    assert (three.host, three.gpu) == (host, gpu)
