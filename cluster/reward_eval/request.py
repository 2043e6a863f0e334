"""What ``raystar judge`` and ``raystar select`` are asked: which judge, whose solutions. Reads nothing and starts nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from cluster.run.directory import RunDir, Stage, check_inputs
from search.data import Problem
from search.evaluation.process_bench import ProcessRow
from search.evaluation.voting import Aggregation
from search.reward_models import RewardModelKind
from search.storage.tree_store import read_trees
from search.tree import Tree


@dataclass(frozen=True, slots=True)
class RewardEvalRequest:
    """A judge, and solutions to judge: samples that are drawn for ``problems``, or those in stored ``trees``.

    ``command`` names the stages. ``by`` makes one score of a solution's steps, for votes and for what convinces.
    ``limit``: of stored trees only the first so many.
    """

    command: str
    model: Path
    kind: RewardModelKind
    by: Aggregation
    split: str
    problems: tuple[Problem, ...]
    policy: Path | None = None
    trees: Path | None = None
    limit: int | None = None

    @property
    def drawn_from(self) -> dict[str, Any]:
        """What the samples depend on, beyond the config."""
        ids = "\n".join(problem.id for problem in self.problems)
        problems = f"{len(self.problems)} of {self.split}, {hashlib.blake2b(ids.encode(), digest_size=4).hexdigest()}"
        return {"policy": str(self.policy) if self.policy else None, "problems": problems}

    @property
    def scored_from(self) -> dict[str, Any]:
        """What the scores depend on, beyond the config and the samples drawn."""
        trees = {"trees": str(self.trees), "limit": self.limit} if self.trees else {"trees": None}
        return {"model": str(self.model), **trees}

    def samples(self, run: RunDir) -> Stage:
        """Where drawn samples are kept."""
        return run.stage(f"{self.command}/samples")

    def scores(self, run: RunDir) -> Stage:
        """Where the logits of all solutions are kept."""
        return run.stage(f"{self.command}/scores")

    def read(self, run: RunDir) -> Iterator[Tree]:
        """The trees, one at a time, once they are there."""
        return islice(read_trees(self.trees or self.samples(run).path), self.limit if self.trees else None)

    def check(self, root: Path) -> None:
        """Raise UserError where a run directory was begun with another judge or other solutions."""
        run = RunDir(root)
        if self.trees is None:
            check_inputs(self.samples(run), self.drawn_from)
        check_inputs(self.scores(run), self.scored_from)


def rows_given(model: Path, source: str, rows: Sequence[ProcessRow]) -> dict[str, Any]:
    """What the scores of a file's rows depend on, beyond the config."""
    return {"model": str(model), "rows": f"{len(rows)} of {source}"}
