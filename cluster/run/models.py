"""The models a run works with at one moment, and how they follow from the decisions of finished rounds."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from search.config import SearchConfig
from search.data import ModelRef
from search.reward_models import HEADS, RewardModelKind, kind_of, logit_unit
from search.storage.files import write_atomic

POLICY, REWARD_MODEL, SECOND = "policy", "reward_model", "second"
ASK_A_SECOND = ("rstar", "sphere")  # strategies


@dataclass(frozen=True, slots=True)
class Models:
    """The promoted models: ``base`` never changes, ``policy`` searches, ``reward_model`` scores once there is one."""

    base: ModelRef
    policy: ModelRef
    reward_model: ModelRef | None = None

    def promote(self, model: ModelRef) -> Models:
        """The same with ``model`` in its role."""
        return replace(self, reward_model=model) if model.role == REWARD_MODEL else replace(self, policy=model)


def second(models: Models, wanted: str | None, strategy: str) -> ModelRef | None:
    """The second policy of a search: "policy", "base" or a directory; None for a strategy that asks none."""
    if wanted is None or strategy not in ASK_A_SECOND:
        return None
    path = {"policy": models.policy.path, "base": models.base.path}.get(wanted, wanted)
    return models.policy if path == models.policy.path else model_ref(SECOND, path, 0)


def model_ref(role: str, path: object, round_number: int) -> ModelRef:
    """A model made in a round; its weight version is the round, since a round makes one model a role."""
    return ModelRef(role=role, path=str(path), round=round_number, version=round_number)


def call_verifier(directory: Path) -> None:
    """Have a language model that was trained to judge say so in its directory: by the name of its one label."""
    file = directory / "config.json"
    name = next(names for names, kind in HEADS.items() if kind is RewardModelKind.DPO)[0]
    described = json.loads(file.read_text(encoding="utf-8"))
    write_atomic(file, json.dumps({**described, "id2label": {"0": name}, "label2id": {name: 0}}, indent=2) + "\n")


def in_units(search: SearchConfig, reward_model: ModelRef | None) -> SearchConfig:
    """The search with ``squash_scale`` in the units of the reward model's kind (search.reward_models.unit)."""
    factor = logit_unit(kind_of(Path(reward_model.path))) if reward_model is not None else 1.0
    return search.model_copy(update={"squash_scale": factor * search.squash_scale})
