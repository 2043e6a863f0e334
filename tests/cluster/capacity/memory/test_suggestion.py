from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.config import EngineConfig
from cluster.capacity.memory.suggestion import engine_ladders, smallest_change, training_ladders
from train.config import TrainConfig

LADDERS = [[(1.0, "a", 8), (2.0, "a", 4)], [(3.0, "b", True)], [(9.0, "c", 1)]]


def test_change_is_the_cheapest_of_one_field_that_fits() -> None:
    change = smallest_change(LADDERS, lambda fields: fields.get("a") == 4 or "c" in fields)
    assert change is not None
    assert change.fields == {"a": 4}


def test_change_has_two_fields_when_no_single_one_fits() -> None:
    def fits(fields: Mapping[str, Any]) -> bool:
        return fields.get("b") is True and ("a" in fields or "c" in fields)

    change = smallest_change(LADDERS, fits)
    assert change is not None
    assert str(change) == "a=8 and b=true"


def test_no_change_is_found_when_none_fits() -> None:
    assert smallest_change(LADDERS, lambda fields: False) is None


def test_training_on_cpus_shrinks_batch_or_recomputes() -> None:
    ladders = training_ladders("train.policy", TrainConfig(micro_batch_tokens=256), on_gpus=False, is_half=True)
    assert [[(field, value) for _, field, value in ladder] for ladder in ladders] == [
        [("train.policy.micro_batch_tokens", 128), ("train.policy.micro_batch_tokens", 64)],
        [("train.policy.gradient_checkpointing", True)],
    ]


def test_training_on_gpus_splits_and_offloads_too() -> None:
    train = TrainConfig(workers=8, zero_stage=2, gradient_checkpointing=True)
    ladders = training_ladders("train.policy", train, on_gpus=True, is_half=True)
    fields = [[(field.rpartition(".")[2], value) for _, field, value in ladder] for ladder in ladders[1:]]
    assert fields == [[("zero_stage", 3)], [("offload", "optimizer"), ("offload", "optimizer_and_weights")]]


def test_engine_is_spread_over_no_more_gpus_than_a_node_has() -> None:
    ladders = engine_ladders("policy.engine", EngineConfig(gpus=1), most_gpus=4, is_half=True)
    assert [value for ladder in ladders for _, field, value in ladder if field == "policy.engine.gpus"] == [2, 4]


def test_engine_on_a_cpu_gets_a_smaller_cache_or_fewer_replicas() -> None:
    ladders = engine_ladders("policy.engine", EngineConfig(replicas=3, kv_cache_gib=2), most_gpus=0, is_half=True)
    values = {field: [value for _, _, value in ladder] for ladder in ladders for _, field, _ in ladder}
    assert values["policy.engine.kv_cache_gib"] == [1, 0.5, 0.25]
    assert values["policy.engine.replicas"] == [2, 1]
