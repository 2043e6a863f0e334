"""Decide which values of a config may change when a run is resumed, and name the others with old and new value."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from actors.placement.config import PlacementSettings
from train.config import NOT_IN_FINGERPRINT

ENGINE_PATHS = (
    "replicas",
    "replicas_alone",
    "gpus",
    "max_num_seqs",
    "max_batched_tokens",
    "kv_cache_gib",
    "gpu_memory_utilization",
    "num_cpus",
    "reserve_cores",
    "queue",
    "start_deadline_s",
    "request_deadline_s",
    "max_attempts",
    "backoff_s",
    "reload",
    "metrics",
)
ENDPOINT_PATHS = (
    "url",
    "api_key_env",
    "max_inflight",
    "request_deadline_s",
    "max_attempts",
    "backoff_s",
    "price_prompt",
    "price_cached",
    "price_generated",
)
INDEX = re.compile(r"\.\d+(?=\.|$)")  # of a list's entry in a path
# Where and how densely a run works, how long it waits, and what it logs. All else decides results: a step's own time
# limits and ``parallel_rollouts`` too, and what changes the arithmetic of a model (dtype, threads). Over how many GPUs a
# model is spread changes the order of its sums alone, as the GPU itself does, and a run may go on on other machines.
MAY_CHANGE = frozenset(
    [
        *(f"{role}.engine.{name}" for role in ("policy", "policies.N", "reward_model") for name in ENGINE_PATHS),
        *(f"{role}.endpoint.{name}" for role in ("policy", "reward_model") for name in ENDPOINT_PATHS),
        *(
            f"executor.{name}"
            for name in (
                "replicas",
                "num_cpus",
                "concurrency",
                "cache_entries",
                "live_states",
                "live_states_mib",
                "replay_forks",
                "request_deadline_s",
            )
        ),
        *(
            f"workers.{name}"
            for name in (
                "workers",
                "trees_in_flight",
                "chunk_size",
                "max_attempts",
                "num_cpus",
                "max_deaths",
                "stall_s",
                "trace",
            )
        ),
        *(
            f"{where}.{name}"
            for where in ("policy.recipe.train", "train.policy", "train.reward_model")
            for name in sorted(NOT_IN_FINGERPRINT)
        ),
        "placement.keep_engines",
        *(f"placement.{name}" for name in PlacementSettings.model_fields),
        "policy.size",
        "policies.N.size",
        "reward_model.size",
        *(
            f"ray.{name}"
            for name in (
                "num_cpus",
                "num_gpus",
                "object_store_mib",
                "dashboard",
                "dashboard_port",
                "join_deadline_s",
                "max_gpus",
            )
        ),
    ]
)


def changes(old: Any, new: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """Yield every field in which two trees of plain data differ: its path, and "search.rollouts 16 -> 32"."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from changes(old.get(key), new.get(key), f"{at}.{key}" if at else str(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new) and _holds_mappings(old + new):
        for index, (left, right) in enumerate(zip(old, new, strict=True)):
            yield from changes(left, right, f"{at}.{index}")
    elif isinstance(old, list) and isinstance(new, list) and _holds_mappings(old + new):
        yield at, f"{at} has {len(old)} -> {len(new)} entries"
    elif old != new:
        yield at, f"{at} {_format_value(old)} -> {_format_value(new)}"


def differences(old: Any, new: Any) -> Iterator[str]:
    """Yield every field in which two trees of plain data differ, as "search.rollouts 16 -> 32"."""
    return (text for _, text in changes(old, new))


def may_change(path: str) -> bool:
    """Return whether the value at a path may differ when a run is resumed; "policies.N.size" stands for all N."""
    return INDEX.sub(".N", path) in MAY_CHANGE


def config_digest(config: Mapping[str, Any]) -> str:
    """Return a digest of all values that may not change."""
    text = json.dumps(_fixed_part(config), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _fixed_part(tree: Any, at: str = "") -> Any:
    if isinstance(tree, list | tuple):
        return [_fixed_part(entry, f"{at}.{place}") for place, entry in enumerate(tree)]
    if not isinstance(tree, Mapping):
        return tree
    return {
        key: _fixed_part(value, path)
        for key, value in tree.items()
        if not may_change(path := f"{at}.{key}" if at else str(key))
    }


def _holds_mappings(entries: list[Any]) -> bool:
    return any(isinstance(entry, dict) for entry in entries)


def _format_value(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."
