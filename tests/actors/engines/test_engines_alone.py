"""The policy's engines before and after another model is first served beside it."""

from __future__ import annotations

import pytest

from actors.config import EngineConfig
from actors.engines.manager import EngineManager
from search.data import ModelRef
from tests.fakes.placed_engine import PlacedEngine

POLICY, REWARD_MODEL = ModelRef("policy", "/p"), ModelRef("reward_model", "/r", kind="ppm")
LIGHT = {"num_cpus": 0.1, "gpus": 0, "start_deadline_s": 60}


@pytest.mark.slow
def test_policy_gives_its_spare_engines_to_a_reward_model(local_ray: None) -> None:
    policy, reward_model = EngineConfig(replicas=1, replicas_alone=2, **LIGHT), EngineConfig(replicas=1, **LIGHT)
    classes = {"policy": PlacedEngine, "reward_model": PlacedEngine}
    with EngineManager(policy, reward_model, classes) as manager:  # type: ignore[arg-type]
        assert manager.counts(POLICY) == {"policy": 2}
        assert len(manager.handles(POLICY)) == 2
        assert manager.counts(POLICY, REWARD_MODEL) == {"policy": 1, "reward_model": 1}
        manager.start(POLICY, REWARD_MODEL)
        assert [len(manager.handles(model)) for model in (POLICY, REWARD_MODEL)] == [1, 1]
        assert manager.counts(POLICY) == {"policy": 1}  # and no more are started again
        manager.stop("reward_model")
        assert len(manager.handles(POLICY)) == 1


def test_engines_alone_are_those_of_the_config_unless_more() -> None:
    assert EngineConfig(replicas=2, replicas_alone=3).alone().replicas == 3
    assert EngineConfig(replicas=2).alone().replicas == 2
    assert EngineConfig(replicas=2, replicas_alone=1).alone().replicas == 2
