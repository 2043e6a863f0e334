"""Read where a model comes from: its own facts, and those of the run that its directory lies in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cluster.evaluation.records import Measure
from cluster.report.data import RunData, decisions, read_run
from cluster.run.directory import MANIFEST
from cluster.run.manifest import SOURCE_ROOT
from cluster.run.model_fields import POLICY_PATH
from cluster.run.models import POLICY, REWARD_MODEL
from cluster.run.source_state import source_state
from search.errors import UserError
from search.problems.config import CURRICULUM
from search.problems.sources.named_sets import find_named_set
from search.reward_models import RewardModelKind, read_kind
from search.serialization import read_json_object
from train.data.trainable import reward_outputs
from train.trainer.job import SUMMARY

STAGE = re.compile(r"rounds/r(?P<round>\d+)/(?P<stage>\w+)/model")
NOT_STATED = "not stated"
# Licences on the data sets' pages. A set that is not named here is "not stated": whoever publishes a model looks it up.
LICENCES = {
    CURRICULUM: "Apache-2.0",
    "openai/gsm8k": "MIT",
    "AI-MO/NuminaMath-1.5": "Apache-2.0",
    "AI-MO/NuminaMath-CoT": "Apache-2.0",
    "zwhe99/DeepMath-103K": "MIT",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """A problem set: how the config names it, on which split of the config, its name on the Hub ("" if none), its licence."""

    name: str
    split: str
    hub: str
    licence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """An accuracy: the evaluation split, the method, and the measure."""

    split: str
    method: str
    measure: Measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a model comes from. What is not known is empty.

    Attributes:
        role: "policy" or "reward_model".
        kind: of a reward model.
        run, round: name of the run and number of the round that made it; without a run None.
        base, revision: the run's base model, by its Hub name or the name of its directory, and its commit.
        start: the model that training started from: the base, a stage of the run, or the name of a directory.
        rule, objective: harvest rule and training objective.
        data: problem sets that were learnt from.
        measured: accuracies by the evaluation of the round; empty if the model was not promoted.
        samples: of majority and best-of.
        decision: outcome of the round's promotion, in words.
        training: facts of train.json.
        commit, dirty: of RayStar when the run began, or now for a model without a run.
    """

    role: str
    kind: RewardModelKind | None = None
    run: str = ""
    round: int | None = None
    base: str = ""
    revision: str = ""
    start: str = ""
    rule: str = ""
    objective: str = ""
    data: tuple[DataSet, ...] = ()
    measured: tuple[Measured, ...] = ()
    samples: int = 0
    decision: str = ""
    training: Mapping[str, Any]
    commit: str | None
    dirty: bool | None

    @property
    def is_trained(self) -> bool:
        """Whether this project trained the model."""
        return bool(self.training or self.run)


def read_provenance(directory: Path) -> Provenance:
    """Return where the model in ``directory`` comes from.

    Raises UserError if its run's records are damaged, or if it is a reward model of another project.
    """
    kind = read_kind(directory)
    if reward_outputs(directory) and kind is None:
        raise UserError(f"{directory} is a reward model that RayStar did not train: publish it as its authors do")
    facts: dict[str, Any] = {
        "role": POLICY if kind is None else REWARD_MODEL,
        "kind": kind,
        "training": read_json_object(directory / SUMMARY),
    }
    root = _run_of(directory)
    if root is None:
        commit, dirty = source_state(SOURCE_ROOT)
        return Provenance(**facts, commit=commit, dirty=dirty)
    match = STAGE.fullmatch(directory.relative_to(root).as_posix())
    number = int(match["round"]) if match else None
    data = read_run(root)
    return Provenance(**facts, run=data.name, round=number, **_run_facts(data, facts["role"], number))


def _run_of(directory: Path) -> Path | None:
    """Return the run directory that a model directory lies in, None if it lies in none."""
    return next((parent for parent in directory.parents if (parent / MANIFEST).is_file()), None)


def _run_facts(data: RunData, role: str, number: int | None) -> dict[str, Any]:
    config = yaml.safe_load(data.config) or {}
    entry = next((e for e in data.manifest.lineage if e.get("role") == role and e.get("round") == number), {})
    facts: dict[str, Any] = {
        "objective": str(entry.get("objective") or ""),
        "rule": _rule(config, number),
        "data": tuple(_data_sets(config)),
        "commit": data.manifest.commit,
        "dirty": data.manifest.dirty,
        **_base(config, data),
    }
    facts["start"] = _start(str(entry.get("start") or ""), facts["base"], data)
    decision = next((d for n, d in decisions(data) if n == number and d["role"] == role), None)
    if decision is not None:
        verdict = "promoted" if decision["promoted"] else "not promoted"
        facts["decision"] = f"{verdict} in round {number}: {decision['reason']}"
    evaluation = next((r.evaluation for r in data.rounds if r.round == number), None)
    if evaluation is not None and (number == 0 or (decision is not None and decision["promoted"])):
        facts["samples"] = evaluation.k
        facts["measured"] = tuple(
            Measured(split=split, method=method, measure=measure)
            for split, methods in evaluation.splits.items()
            for method, measure in methods.items()
            if measure is not None
        )
    return facts


def _rule(config: Mapping[str, Any], number: int | None) -> str:
    """Return the harvest rule of a round; "" for round 0, which harvests nothing."""
    rounds = config.get("rounds") or []
    if not number:
        return ""
    of_round = rounds[number - 1].get("method") if number <= len(rounds) else None
    return str((of_round or config.get("method") or {}).get("rule") or "")


def _base(config: Mapping[str, Any], data: RunData) -> dict[str, str]:
    """Return the run's base model, by its Hub name or the name of its directory, and its commit."""
    if (config.get("policy") or {}).get("path") is None:
        return {"base": "built-in recipe"}
    recorded = data.manifest.models.get(POLICY_PATH, {})
    reference, commit = recorded.get("reference") or str(config["policy"]["path"]), recorded.get("commit")
    name = reference.partition("@")[0] if commit else Path(reference).name
    return {"base": name, "revision": commit or ""}


def _start(start: str, base: str, data: RunData) -> str:
    """Return the model that training started from as others can read it: the run's base, a stage of the run, or a name."""
    if start == data.manifest.models.get(POLICY_PATH, {}).get("directory"):
        return base
    root, path = data.root.absolute(), Path(start)
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def _data_sets(config: Mapping[str, Any]) -> Iterator[DataSet]:
    """Yield the problem sets whose problems are learnt from."""
    source = (config.get("problems") or {}).get("train") or {}
    if name := source.get("name"):
        named = find_named_set(name)
        hub = named.hub if named else ""
        yield DataSet(name=name, split="train", hub=hub, licence=LICENCES.get(hub or name, NOT_STATED))
