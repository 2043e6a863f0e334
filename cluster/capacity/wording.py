"""Say needs and supply in words."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable

from cluster.capacity.bundles import EXECUTOR, POLICY, SEARCH_WORKER, TRAINING, Bundle, GroupNeed, Supply

STAGE = re.compile(r"r(\d+)/(\w+)")
FIELDS = {EXECUTOR: "executor", SEARCH_WORKER: "workers", "second_policy": "policy.engine"}  # config sections by role


def stage_title(stage: str) -> str:
    """Return "round 3 (search)" for the stage r3/search, and other names as they are."""
    match = STAGE.fullmatch(stage)
    return f"round {match[1]} ({match[2].replace('_', ' ')})" if match else stage


def role_title(role: str) -> str:
    """Return "reward model" for reward_model."""
    return role.replace("_", " ")


def field_of(group: GroupNeed, stage: str) -> str:
    """Return the config section that says how many there are of a group, and how large they are."""
    if group.role in FIELDS:
        return FIELDS[group.role]
    if group.is_engine:
        place = re.fullmatch(rf"{POLICY}_(\d+)", group.role)
        return f"policies.{int(place[1]) - 2}.engine" if place else f"{group.role}.engine"
    match = re.search(r"train_(\w+)$", stage)
    return f"train.{match[1]}" if match else ("policy.recipe.train" if stage.endswith("base") else "train")


def amounts(groups: Iterable[GroupNeed], resource: str) -> str:
    """Return what each role takes of a resource, largest first: "4 policy, 2 reward model". ``resource``: as in Bundle."""
    sums = defaultdict[str, float](float)
    for group in groups:
        sums[group.role] += group.replicas * getattr(group.bundle, resource)
    largest = sorted(sums.items(), key=lambda entry: entry[1], reverse=True)
    return ", ".join(f"{number(amount)} {role_title(role)}" for role, amount in largest if amount)


def bundle_text(bundle: Bundle) -> str:
    """Return "2 GPUs with 31.5 GiB or more, 0.5 CPUs, 8.2 GiB of memory"; "no reserved CPU" for a bundle that takes nothing."""
    parts = []
    if bundle.gpus:
        each = f" with {number(bundle.gpu_memory_gib)} GiB or more" if bundle.gpu_memory_gib else ""
        parts.append(count(bundle.gpus, "GPU") + each)
    parts.append(count(bundle.cpus, "CPU") if bundle.cpus else "no reserved CPU")
    if bundle.memory_gib:
        parts.append(f"{number(bundle.memory_gib)} GiB of memory")
    if bundle.disk_gib >= 0.1:
        parts.append(f"{number(bundle.disk_gib)} GiB of disk")
    return ", ".join(parts)


def replica_title(group: GroupNeed) -> str:
    """Return "policy engine", "training worker", "executor" or "search worker"."""
    kind = " engine" if group.is_engine else (" worker" if group.role == TRAINING else "")
    return role_title(group.role) + kind


def describe_supply(supply: Supply) -> str:
    """Return what there is in one line: "3 nodes: 2 x (8 CPUs, 4 GPUs), 1 x (8 CPUs, no GPU)", and what can be added."""
    text = f"{count(len(supply.nodes), 'node')}: {nodes_text(supply)}"
    if not supply.can_add:
        return text
    limit = supply.add_at_most
    most = f", {limit} more nodes at most" if limit is not None and limit < len(supply.can_add) else ""
    return f"{text}; can grow to {count(supply.most_gpus, 'GPU')} and {count(supply.most_cpus, 'CPU')}{most}"


def nodes_text(supply: Supply) -> str:
    """Return the nodes of each kind that are there: "2 x (8 CPUs, 4 GPUs)"."""
    kinds = Counter((node.cpus, node.gpus) for node in supply.nodes)
    return ", ".join(
        f"{nodes} x ({count(cpus, 'CPU')}, {count(gpus, 'GPU') if gpus else 'no GPU'})"
        for (cpus, gpus), nodes in kinds.items()
    )


def count(amount: float, unit: str) -> str:
    """Return "1 GPU", "0.5 GPUs", "4 GPUs"."""
    return f"{number(amount)} {unit}{'' if amount == 1 else 's'}"


def number(amount: float) -> str:
    """Return a number with at most one decimal, below 1 with two."""
    if math.isinf(amount):
        return "unlimited"
    return f"{round(amount, 1 if amount >= 1 else 2):g}"
