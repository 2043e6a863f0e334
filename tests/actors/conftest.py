"""Fixtures: tiny models, and engines that serve them, started once for all slow tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.config import EngineConfig
from actors.engines.manager import EngineManager
from search.data import ModelRef
from tests.fakes.tiny_model import make_policy, make_reward_model, make_tokenizer


@pytest.fixture(scope="session")
def words() -> Any:
    return make_tokenizer()


@pytest.fixture(scope="session")
def policy_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_policy(tmp_path_factory.mktemp("models") / "policy")


@pytest.fixture(scope="session")
def reward_model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_reward_model(tmp_path_factory.mktemp("models") / "reward_model")


@pytest.fixture(scope="session")
def engine_config() -> EngineConfig:
    """A pass takes less than the tests ask for at once, so requests wait for the next one."""
    return EngineConfig(
        dtype="float32",
        max_model_len=512,
        max_batched_tokens=512,
        kv_cache_gib=0.25,
        num_cpus=0.1,
        start_deadline_s=600,
    )


@pytest.fixture(scope="session")
def models(policy_dir: Path, reward_model_dir: Path) -> tuple[ModelRef, ModelRef]:
    return ModelRef("policy", str(policy_dir), 0, 3), ModelRef("reward_model", str(reward_model_dir), 1, 4, "ppm")


@pytest.fixture(scope="session")
def others(tmp_path_factory: pytest.TempPathFactory) -> tuple[ModelRef, ModelRef]:
    """Models of the same shapes with other weights."""
    root = tmp_path_factory.mktemp("others")
    policy, reward_model = (
        make_policy(root / "policy", seed=2, gain=10),
        make_reward_model(root / "reward_model", seed=3),
    )
    return ModelRef("policy", str(policy), 1, 5), ModelRef("reward_model", str(reward_model), 2, 6, "ppm")


@pytest.fixture(scope="session")
def engine_manager(
    local_ray: None, models: tuple[ModelRef, ModelRef], engine_config: EngineConfig
) -> Iterator[EngineManager]:
    """One policy engine and one reward model, started once for all slow tests of this folder."""
    with EngineManager(engine_config, engine_config, further={"policy_2": engine_config}) as manager:
        manager.start(*models)
        yield manager
