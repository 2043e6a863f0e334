"""The models that a run works with, and the changes to configs and model directories that depend on them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from actors.config import EngineConfig
from cluster.config.run_config import RunConfig
from search.config import SearchConfig
from search.data import ModelRef
from search.protocols import SECOND_POLICY, policy_role
from search.reward_models import (
    KINDS,
    ReadingConfig,
    RewardModelKind,
    default_aggregation,
    logit_unit,
    read_kind,
    recognise_directory,
)
from search.storage.files import write_text
from search.strategies.registry import entry_of

POLICY, REWARD_MODEL = "policy", "reward_model"


@dataclass(frozen=True, slots=True)
class Models:
    """The promoted models. ``base`` never changes, ``policy`` searches, ``reward_model`` is None until one is trained."""

    base: ModelRef
    policy: ModelRef
    reward_model: ModelRef | None = None

    def promote(self, model: ModelRef) -> Models:
        """Return a copy with ``model`` in its role."""
        return replace(self, reward_model=model) if model.role == REWARD_MODEL else replace(self, policy=model)


def further_policies(models: Models, config: RunConfig, search: SearchConfig) -> dict[str, ModelRef]:
    """Return the policies of a search beside the first, by role; none for a strategy that uses none.

    The config names each by "policy", "base" or a model directory.
    """
    entry, names = entry_of(search), dict[str, str]()
    if entry.second_policy and config.second_policy is not None:
        names[SECOND_POLICY] = config.second_policy
    if entry.several_policies:
        names |= {policy_role(place): policy.path for place, policy in enumerate(config.policies, start=1)}
    of_the_run = {"policy": models.policy.path, "base": models.base.path}
    paths = {role: of_the_run.get(name, name) for role, name in names.items()}
    return {
        role: models.policy if path == models.policy.path else model_ref(role, path, 0) for role, path in paths.items()
    }


def further_engines(config: RunConfig) -> dict[str, EngineConfig]:
    """Return the settings of the engines of the policies that draw beside the first, by role."""
    return {
        policy_role(place): policy.engine or config.policy.engine
        for place, policy in enumerate(config.policies, start=1)
    }


def policy_engine(config: RunConfig, role: str) -> EngineConfig:
    """Return the settings of the engines of the policy in a role; the second policy has the first one's."""
    return further_engines(config).get(role, config.policy.engine)


def model_ref(role: str, path: object, round_number: int, kind: str = "") -> ModelRef:
    """Return the reference of a model made in a round.

    Its weight version is the round's number, since a round makes at most one model for each role. ``kind``: how a reward
    model is read; empty: as its directory says.
    """
    return ModelRef(role=role, path=str(path), round=round_number, version=round_number, kind=kind)


def write_kind(directory: Path, kind: RewardModelKind) -> None:
    """Write the labels of a reward model's kind into its config.json, unless they are there already.

    A classifier is exported with them. A language model as a reward model (kind DPO) is not.
    """
    if read_kind(directory) is kind:
        return
    file = directory / "config.json"
    labels = KINDS[kind].labels
    config = json.loads(file.read_text(encoding="utf-8"))
    config["id2label"] = {str(index): label for index, label in enumerate(labels)}
    config["label2id"] = {label: index for index, label in enumerate(labels)}
    write_text(file, json.dumps(config, indent=2) + "\n")


def fit_search(
    search: SearchConfig, reward_model: ModelRef | None, config: ReadingConfig | None = None
) -> SearchConfig:
    """Return the search config as the kind of the reward model wants it.

    ``squash_scale`` is multiplied by the kind's logit unit, and ``step_aggregation`` is the kind's own where none is set.
    """
    if reward_model is None:
        return search
    directory = Path(reward_model.path)
    kind = RewardModelKind(reward_model.kind) if reward_model.kind else recognise_directory(directory)
    return search.model_copy(
        update={
            "squash_scale": logit_unit(kind) * search.squash_scale,
            "step_aggregation": search.step_aggregation or default_aggregation(kind, config),
        }
    )
