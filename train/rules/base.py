"""Data types of harvest rules: options, inputs, training sets, and the registry entry of a rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from search.config import PresetConfig
from search.data import PreferencePair, StepLabels, Trajectory
from search.tree import Tree
from train.objectives import OBJECTIVES, POLICY_OBJECTIVES, REWARD_MODEL_OBJECTIVES
from train.record_files import OUTCOMES, PAIRS, STEP_LABELS, TRAJECTORIES

Record = Trajectory | PreferencePair

POLICY, REWARD_MODEL = "policy", "reward_model"  # roles of the models that learn
ROLE_OBJECTIVES = {POLICY: POLICY_OBJECTIVES, REWARD_MODEL: REWARD_MODEL_OBJECTIVES}
MIN_MARK, MAX_MARK = 0.0, 5.0


class RuleOptions(PresetConfig):
    """Base of the options of a rule: unknown keys are refused, values never change."""


class NoOptions(RuleOptions):
    """Options of a rule that has none."""


class RuleInput(StrEnum):
    """An input that a rule may need beside the trees. Each value is the name of a field of ``RuleInputs``."""

    REFERENCES = "references"
    HINTED_TREES = "hinted_trees"
    MARKS = "marks"
    CHECKED_LABELS = "checked_labels"


@dataclass(frozen=True, slots=True, kw_only=True)
class SolutionMarks:
    """Marks in [0, 5] that a judge gave one solution of a problem.

    ``text``: the texts of all steps, joined. ``marks`` leaves out judgements whose mark could not be read. Raises
    ValueError for a mark off the scale.
    """

    problem_id: str
    text: str
    marks: tuple[float, ...]

    def __post_init__(self) -> None:
        if any(not MIN_MARK <= mark <= MAX_MARK for mark in self.marks):
            raise ValueError(f"marks {self.marks} of {self.problem_id}: a judge gives {MIN_MARK:g} to {MAX_MARK:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTrees:
    """Trees that one round grew. ``number`` counts from 1; ``has_reward_model``: its values came from a reward model."""

    number: int
    trees: Iterable[Tree]
    has_reward_model: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleInputs:
    """Inputs of a harvest.

    Attributes:
        trees: graded or scored, as the rule needs them.
        rounds: the same trees by round, oldest first; empty where it is not known which round grew them.
        references: reference solutions by problem id.
        hinted_trees: trees of problems with the answer as a hint (``train.rules.star.add_hint``).
        marks: a judge's marks of solutions in ``trees``.
        checked_labels: exact step labels of solutions in ``trees``.
    """

    trees: Iterable[Tree]
    rounds: Sequence[RoundTrees] = ()
    references: Mapping[str, Trajectory] = field(default_factory=dict)
    hinted_trees: Iterable[Tree] = ()
    marks: Iterable[SolutionMarks] = ()
    checked_labels: Iterable[StepLabels] = ()

    def by_round(self) -> Sequence[RoundTrees]:
        """Return the trees by round, oldest first; all as those of round 1 where the rounds are not known."""
        return self.rounds or (RoundTrees(number=1, trees=self.trees),)


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Records that one model learns from. ``nothing_to_learn``: the reason why there are none, else empty."""

    records: tuple[Record, ...]
    nothing_to_learn: str = ""


@dataclass(frozen=True, slots=True)
class Harvest:
    """Training sets by the name of the record file that they belong in, and counts of what the rule read and made."""

    training_sets: Mapping[str, TrainingSet]
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class HarvestResult:
    """What a harvest wrote.

    Attributes:
        counts: counts of what the rule read and made.
        summary: one line for the log.
        nothing_to_learn: the reason, for each file that no model can learn from.
    """

    counts: Mapping[str, Any]
    summary: str
    nothing_to_learn: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TreeSize:
    """How large a tree can become: nodes that are expanded, solutions that it ends in, those that a search labels itself."""

    expansions: int
    solutions: int
    labelled: int | None = None


RecordBound = Callable[[Any, Sequence[TreeSize]], Mapping[str, int]]


def bound_by_solutions(options: RuleOptions, trees: Sequence[TreeSize]) -> dict[str, int]:
    """Return the most records, by file, that one problem yields to a rule without limits.

    Every solution is a record of its own, and of n solutions n^2 / 4 pairs set a correct one over an incorrect one: 4
    solutions make 4 pairs, 2 x 2.
    """
    solutions = sum(tree.solutions for tree in trees)
    return {TRAJECTORIES: solutions, STEP_LABELS: solutions, OUTCOMES: solutions, PAIRS: solutions * solutions // 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class HarvestRule:
    """Registry entry of a harvest rule.

    Attributes:
        write: writes the record files into a folder, from the inputs and an instance of ``options``.
        files: names of the files that it writes, by the role of the model that learns from them.
        options: class of its options.
        needs: inputs that it makes nothing without.
        reads_history: reads the trees of all rounds so far; otherwise those of the current round.
        needs_scores: the trees must hold scores of a reward model.
        strategy: the only search strategy whose trees it reads; None for any.
        bound: most records by file that one problem yields, from the options and the sizes of its trees that are read.
    """

    name: str
    write: Callable[[RuleInputs, Any, Path], HarvestResult]
    files: Mapping[str, tuple[str, ...]]
    options: type[RuleOptions] = NoOptions
    needs: frozenset[RuleInput] = frozenset()
    reads_history: bool = False
    needs_scores: bool = False
    strategy: str | None = None
    bound: RecordBound = bound_by_solutions

    def objectives(self, role: str) -> tuple[str, ...]:
        """Return the names of the objectives that can train a model of this role on what the rule writes."""
        files = self.files.get(role, ())
        return tuple(name for name in ROLE_OBJECTIVES[role] if OBJECTIVES[name].records in files)


def training_set(records: Iterable[Record], reason: str) -> TrainingSet:
    """Return a training set of ``records``, or one with the ``reason`` if there are none."""
    kept = tuple(records)
    return TrainingSet(kept) if kept else TrainingSet((), reason)
