"""Methods as the rounds see them: what each harvest rule writes for which model, and what each objective learns from.

    rule ──> files of records, by the role of the model they are for ──> objective

Knows names, records and files; no tokens, no training. What a rule takes is the business of train.rules.rstar_math,
train.rules and train.labels.harvest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from search import serialization
from search.data import LabelScale, Trajectory
from search.storage.files import complete
from train import rules
from train.config import HarvestConfig
from train.labels.files import OUTCOMES, STEP_LABELS, LabelHarvest
from train.labels.harvest import harvest_checked, harvest_consensus, harvest_trees
from train.rules import RuleInputs, RulesConfig
from train.rules.rstar_math import COUNTS, PAIRS, TRAJECTORIES
from train.rules.rstar_math import harvest as rstar_math

POLICY, REWARD = "policy", "reward"
ROLES = {rules.POLICY: POLICY, rules.VERIFIER: REWARD}  # those of train.rules

# What each objective learns from (train.data.loading.READERS, by file).
LEARNS_FROM: Mapping[str, str] = {
    "sft": TRAJECTORIES,
    "dpo": PAIRS,
    "dpo_nll": PAIRS,
    "ppm": PAIRS,
    "prm": STEP_LABELS,
    "q_regression": STEP_LABELS,
    "orm": OUTCOMES,
}


@dataclass(frozen=True, slots=True)
class HarvestConfigs:
    """How much a rule takes: ``trees`` for rule "rstar_math", ``samples`` for those of train.rules."""

    trees: HarvestConfig = field(default_factory=HarvestConfig)
    samples: RulesConfig = field(default_factory=RulesConfig)


@dataclass(frozen=True, slots=True)
class HarvestResult:
    """What a harvest wrote: ``counts`` of the rule, in short ``told``, and for each file that teaches nothing the reason."""

    counts: Mapping[str, Any]
    told: str
    nothing: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Source:
    """A rule. ``files``: what it writes, by the role of the model that may learn from them.

    ``history``: it reads the trees of all rounds so far, else of this round. ``needs``: fields of Material beside the
    trees. ``scored``: the trees must hold scores of a reward model. ``strategy``: the only one whose trees it can read.
    """

    write: Callable[[RuleInputs, HarvestConfigs, Path], HarvestResult]
    files: Mapping[str, tuple[str, ...]]
    history: bool = False
    needs: tuple[str, ...] = ()
    scored: bool = False
    strategy: str | None = None

    def fitting(self, role: str, objectives: Iterable[str]) -> list[str]:
        """Those of the objectives that can learn from what the rule writes for a role."""
        return [name for name in objectives if LEARNS_FROM[name] in self.files.get(role, ())]


def _rstar_math(material: RuleInputs, taken: HarvestConfigs, out_dir: Path) -> HarvestResult:
    counts = rstar_math(material.trees, taken.trees, out_dir)
    pairs = counts.step_pairs + counts.answer_pairs
    told = f"{counts.trajectories} trajectories and {pairs} preference pairs from {counts.trees} trees"
    return HarvestResult(asdict(counts), told)


def result_of(found: LabelHarvest) -> HarvestResult:
    """What a harvest of step labels wrote, whatever its source."""
    labels, ends = found.labels, found.outcomes
    reasons = {STEP_LABELS: labels.nothing_to_learn, OUTCOMES: ends.nothing_to_learn}
    return HarvestResult(
        {**found.source, "labels": labels.labels, "right": ends.right, "wrong": ends.wrong},
        f"{labels.labels} step labels in {labels.records} solutions, {ends.right} right and {ends.wrong} wrong outcomes",
        {file: reason for file, reason in reasons.items() if reason},
    )


def _labels(scale: LabelScale, material: RuleInputs, taken: HarvestConfigs, out_dir: Path) -> HarvestResult:
    return result_of(harvest_trees(material.trees, out_dir, scale))


def _consensus(material: RuleInputs, taken: HarvestConfigs, out_dir: Path) -> HarvestResult:
    return result_of(harvest_consensus(material.trees, out_dir))


def _checked(material: RuleInputs, taken: HarvestConfigs, out_dir: Path) -> HarvestResult:
    return result_of(harvest_checked(material.trees, material.checked, out_dir))


def _by_rule(name: str, material: RuleInputs, taken: HarvestConfigs, out_dir: Path) -> HarvestResult:
    """The records of a rule of train.rules, a file a role; ``counts.json`` is written last."""
    made = rules.harvest(name, material, taken.samples)
    out_dir.mkdir(parents=True, exist_ok=True)
    nothing = {}
    for role, lesson in made.lessons.items():
        file = _file(rules.RULES[name].makes[role])
        with complete(out_dir / file) as lines:
            lines.writelines(f"{serialization.dump(record)}\n" for record in lesson.records)
        if lesson.nothing:
            nothing[file] = lesson.nothing
    with complete(out_dir / COUNTS) as lines:
        lines.write(json.dumps(dict(made.counts), indent=2) + "\n")
    return HarvestResult(made.counts, ", ".join(f"{count} {what}" for what, count in made.counts.items()), nothing)


def _file(record: type) -> str:
    return TRAJECTORIES if record is Trajectory else PAIRS


def _rule(name: str, **more: Any) -> Source:
    rule = rules.RULES[name]
    files = {ROLES[role]: (_file(record),) for role, record in rule.makes.items()}
    return Source(partial(_by_rule, name), files, needs=rule.needs, **more)


def _labelled(write: Callable[[RuleInputs, HarvestConfigs, Path], HarvestResult], **more: Any) -> Source:
    return Source(write, {REWARD: (STEP_LABELS, OUTCOMES)}, history=True, **more)


SOURCES: Mapping[str, Source] = {
    "rstar_math": Source(_rstar_math, {POLICY: (TRAJECTORIES,), REWARD: (PAIRS,)}, history=True),
    "hard_labels": _labelled(partial(_labels, LabelScale.SIGN)),
    "soft_labels": _labelled(partial(_labels, LabelScale.SHARE)),
    "q_labels": _labelled(partial(_labels, LabelScale.VALUE)),
    "consensus_labels": _labelled(_consensus, scored=True),
    "checked_labels": _labelled(_checked, needs=("checked",)),
    "expert_iteration": _rule("expert_iteration"),
    "star": _rule("star"),
    "vstar": _rule("vstar", history=True),
    "irpo": _rule("irpo"),
    "iterative_dpo": _rule("iterative_dpo", scored=True),
    "self_rewarding": _rule("self_rewarding"),
    "spin": _rule("spin"),
    "sphere": _rule("sphere", scored=True, strategy="sphere"),
}
