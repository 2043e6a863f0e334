"""Describe what ``raystar eval-reward-model`` and ``raystar select`` score: which reward model, whose solutions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from cluster.run.directory import RunDir, Stage, check_inputs
from search.data import Aggregation, Problem
from search.evaluation.process_bench import ProcessRow
from search.reward_models import RewardModelKind
from search.storage import tree_store
from search.tree import Tree

REWARD_EVAL, SELECT = "reward_eval", "select"  # folders of the stages
STEPS_STAGE, THRESHOLD_STAGE, EXACT_CHECK_STAGE = (
    "reward_eval/steps",
    "reward_eval/threshold",
    "reward_eval/exact_check",
)
# The names that sampling seeds derive from. They are identities: another name would draw other samples.
SEED_NAMES = {REWARD_EVAL: "judge", SELECT: "select"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardEvalRequest:
    """A reward model and the solutions to score: samples drawn for ``problems``, or those in stored ``trees``.

    ``folder`` holds the stages: REWARD_EVAL or SELECT. ``aggregation`` makes one score of a solution's step scores, for
    weighted votes and for the choice of solutions to label. ``limit``: only the first so many of the stored trees.
    """

    folder: str
    model: Path
    kind: RewardModelKind
    aggregation: Aggregation
    split: str
    problems: tuple[Problem, ...]
    policy: Path | None = None
    trees: Path | None = None
    limit: int | None = None

    @property
    def seed(self) -> tuple[object, ...]:
        """Return the key that the seed of the samples derives from."""
        return SEED_NAMES[self.folder], self.split

    @property
    def samples_inputs(self) -> dict[str, Any]:
        """Return what the samples depend on, beyond the config."""
        ids = "\n".join(problem.id for problem in self.problems)
        problems = f"{len(self.problems)} of {self.split}, {hashlib.blake2b(ids.encode(), digest_size=4).hexdigest()}"
        return {"policy": str(self.policy) if self.policy else None, "problems": problems}

    @property
    def scores_inputs(self) -> dict[str, Any]:
        """Return what the scores depend on, beyond the config and the samples drawn."""
        trees = {"trees": str(self.trees), "limit": self.limit} if self.trees else {"trees": None}
        return {"model": str(self.model), "kind": str(self.kind), **trees}

    def samples_stage(self, run: RunDir) -> Stage:
        """Return the stage that keeps drawn samples."""
        return run.stage(f"{self.folder}/samples")

    def scores_stage(self, run: RunDir) -> Stage:
        """Return the stage that keeps the logits of all solutions."""
        return run.stage(f"{self.folder}/scores")

    def trees_directory(self, run: RunDir) -> Path:
        """Return the directory of the stored trees, or of the drawn samples."""
        return self.trees or self.samples_stage(run).path

    def read_trees(self, run: RunDir) -> Iterator[Tree]:
        """Yield the trees, which must be stored or drawn already."""
        return islice(tree_store.read_trees(self.trees_directory(run)), self.limit if self.trees else None)

    def check(self, root: Path) -> None:
        """Raise UserError where a run directory was begun with another reward model or other solutions."""
        run = RunDir(root)
        if self.trees is None:
            check_inputs(self.samples_stage(run), self.samples_inputs)
        check_inputs(self.scores_stage(run), self.scores_inputs)


def rows_inputs(model: Path, kind: RewardModelKind, source: str, rows: Sequence[ProcessRow]) -> dict[str, Any]:
    """Return what the scores of a file's rows depend on, beyond the config."""
    return {"model": str(model), "kind": str(kind), "rows": f"{len(rows)} of {source}"}
