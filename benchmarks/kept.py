"""What finished runs of recipes found, a line each in a file of the project: machines and run directories come and go.

A line has the recipe, its seed and changed fields, the commit and the machine, and for the last round by method the share
of each problem that was got right, in the order of the problems' ids.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from benchmarks.runs import rights
from cluster.report import summary
from cluster.run import directory, manifest
from search.serialization import dump
from train.data.loading import read_records

DIGITS = 4
SIDES = ("chosen_log_probability", "rejected_log_probability")


@dataclass(frozen=True, slots=True)
class Kept:
    """``right``: method -> a share a problem; ``tokens``: method -> generated ones a problem; ``base``: its greedy accuracy.

    ``minutes``: None where the machine did something else beside it. ``preferences``: a round of DPO each, and for both
    sides the log-probability in the first and the last report.
    """

    recipe: str
    seed: int
    fields: tuple[str, ...]
    split: str
    commit: str
    machine: str
    minutes: float | None
    base: float
    right: Mapping[str, Sequence[float]]
    tokens: Mapping[str, float]
    preferences: Sequence[Mapping[str, Sequence[float]]] = ()

    @property
    def name(self) -> tuple[str, int, tuple[str, ...]]:
        """What was run."""
        return self.recipe, self.seed, self.fields


def of_run(root: Path, recipe: str, seed: int, fields: Sequence[str], split: str) -> Kept:
    """What a finished run found."""
    rounds, made = summary.rounds(root), manifest.load(root / directory.MANIFEST)
    first, last = rounds[0].evaluation, rounds[-1].evaluation
    assert first is not None and last is not None
    greedy = first.splits[split]["greedy"]
    assert greedy is not None
    shares = rights([root], {root.name: rounds}, split)
    measured = {method: measure for method, measure in last.splits[split].items() if measure}
    return Kept(
        recipe,
        seed,
        tuple(fields),
        split,
        str(made.starts[-1]["commit"])[:7] + ("+" if made.starts[-1]["dirty"] else ""),
        f"{made.machine['processor']}, {made.machine['cores']} cores",
        round(sum(one.seconds for one in rounds) / 60, 2),
        greedy.accuracy,
        {method: [round(by_id[name], DIGITS) for name in sorted(by_id)] for method, by_id in shares.items()},
        {method: round(measure.tokens / measure.n, 1) for method, measure in measured.items()},
        preferences(root),
    )


def preferences(root: Path) -> list[dict[str, tuple[float, float]]]:
    """For each round that learnt from pairs of solutions, the first and the last report of both log-probabilities."""
    found = []
    for stage in sorted(root.glob("rounds/r*/train_policy")):
        for file in stage.glob("*.progress.jsonl"):
            reports = [json.loads(line)["metrics"] for line in file.read_text(encoding="utf-8").splitlines()]
            if reports and SIDES[0] in reports[0]:
                ends = {side: (reports[0][side], reports[-1][side]) for side in SIDES}
                found.append({side: (round(a, 2), round(b, 2)) for side, (a, b) in ends.items()})
    return found


def pooled(runs: Sequence[Kept]) -> dict[str, list[float]]:
    """Method -> for each problem the mean over runs: seeds are no independent problems."""
    methods = set.intersection(*(set(run.right) for run in runs))
    return {
        method: [fmean(shares) for shares in zip(*(run.right[method] for run in runs), strict=True)]
        for method in runs[0].right
        if method in methods
    }


def read(file: Path) -> list[Kept]:
    return list(read_records(Kept, [file])) if file.exists() else []


def keep(file: Path, run: Kept) -> None:
    """Add a line to the file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as lines:
        lines.write(f"{dump(run)}\n")
