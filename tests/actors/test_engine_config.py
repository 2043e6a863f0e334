"""GPUs of an engine: whole cards, a share of one, and the memory that it takes of each."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from actors.config import EngineConfig


@pytest.mark.parametrize(
    ("gpus", "tensor_parallel", "memory_share", "engines_per_card"),
    [(0, 1, 0.9, 1), (1, 1, 0.9, 1), (4, 4, 0.9, 1), (0.5, 1, 0.45, 2), (0.25, 1, 0.225, 4), (0.7, 1, 0.63, 2)],
)
def test_gpus_are_tensor_parallel_or_a_share_of_a_card(
    gpus: float, tensor_parallel: int, memory_share: float, engines_per_card: int
) -> None:
    engine = EngineConfig(gpus=gpus)
    assert (engine.num_gpus, engine.tensor_parallel, engine.engines_per_card) == (
        gpus,
        tensor_parallel,
        engines_per_card,
    )
    assert engine.memory_share == pytest.approx(memory_share)
    assert EngineConfig(gpus=gpus, gpu_memory_utilization=0.2).memory_share == 0.2


def test_three_engines_of_a_third_fit_one_card() -> None:
    engine = EngineConfig(gpus=0.3333)
    assert engine.engines_per_card == 3 and 3 * engine.memory_share < 0.9


def test_part_of_a_second_card_is_refused() -> None:
    with pytest.raises(ValidationError, match="above 1 only whole GPUs are possible"):
        EngineConfig(gpus=1.5)


def test_memory_beyond_the_share_of_a_card_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"gpus 0\.5 shares it: leave it out, or take 0\.475 at most"):
        EngineConfig(gpus=0.5, gpu_memory_utilization=0.9)
    assert EngineConfig(gpus=0.5, gpu_memory_utilization=0.475).memory_share == 0.475
