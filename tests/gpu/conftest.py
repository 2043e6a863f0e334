"""Fixtures: those of engines and of training, with engines that share one card."""

from __future__ import annotations

import pytest

from actors.config import EngineConfig
from tests.actors.conftest import engine_manager, models, others, policy_dir, reward_model_dir, words
from tests.train.conftest import data, sft_file, tiny_model

__all__ = [
    "data",
    "engine_manager",
    "models",
    "others",
    "policy_dir",
    "reward_model_dir",
    "sft_file",
    "tiny_model",
    "words",
]


@pytest.fixture(scope="session")
def engine_config() -> EngineConfig:
    """Two of these fit one card. A pass takes less than the tests ask for at once, so requests wait for the next one."""
    return EngineConfig.model_validate(
        {
            "gpus": 0.4,
            "dtype": "float32",
            "max_model_len": 512,
            "max_batched_tokens": 512,
            "num_cpus": 0.1,
            "start_deadline_s": 600,
        }
    )
