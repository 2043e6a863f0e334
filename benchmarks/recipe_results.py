"""Store the results of finished recipe runs, a line each, in a file of the project: machines and run directories do not last.

A line has the recipe, its seed and config overrides, the commit and the machine, and the accuracy of every problem after
the last round by method, in the order of the problem ids.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from benchmarks.runs import mean_accuracies
from cluster.report import summary
from cluster.run import directory, manifest

DIGITS = 4
LOG_PROBABILITIES = ("chosen_log_probability", "rejected_log_probability")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeResult:
    """One finished run.

    ``accuracies``: method -> accuracy of each problem. ``tokens_per_problem``: method -> generated tokens.
    ``base_accuracy``: greedy, of the base policy. ``minutes``: None if another run shared the machine.
    ``log_probabilities``: for each round of DPO and both sides of the pairs, the first and the last report.
    """

    recipe: str
    seed: int
    overrides: tuple[str, ...]
    split: str
    commit: str
    machine: str
    minutes: float | None
    base_accuracy: float
    accuracies: Mapping[str, Sequence[float]]
    tokens_per_problem: Mapping[str, float]
    log_probabilities: Sequence[Mapping[str, Sequence[float]]] = ()

    @property
    def key(self) -> tuple[str, int, tuple[str, ...]]:
        """Return what was run: recipe, seed and overrides."""
        return self.recipe, self.seed, self.overrides


def read_run(root: Path, recipe: str, seed: int, overrides: Sequence[str], split: str) -> RecipeResult:
    """Return the result of a finished run directory."""
    rounds, run_manifest = summary.read_rounds(root), manifest.read_manifest(root / directory.MANIFEST)
    first, last = rounds[0].evaluation, rounds[-1].evaluation
    assert first is not None and last is not None
    greedy = first.splits[split]["greedy"]
    assert greedy is not None
    start = run_manifest.starts[-1]
    accuracies = mean_accuracies([root], {root.name: rounds}, split)
    measures = {method: measure for method, measure in last.splits[split].items() if measure}
    return RecipeResult(
        recipe=recipe,
        seed=seed,
        overrides=tuple(overrides),
        split=split,
        commit=str(start["commit"])[:7] + ("+" if start["dirty"] else ""),
        machine=f"{run_manifest.machine['processor']}, {run_manifest.machine['cores']} cores",
        minutes=round(sum(record.seconds for record in rounds) / 60, 2),
        base_accuracy=greedy.accuracy,
        accuracies={
            method: [round(by_id[problem_id], DIGITS) for problem_id in sorted(by_id)]
            for method, by_id in accuracies.items()
        },
        tokens_per_problem={method: round(measure.tokens / measure.n, 1) for method, measure in measures.items()},
        log_probabilities=read_log_probabilities(root),
    )


def read_log_probabilities(root: Path) -> list[dict[str, tuple[float, float]]]:
    """Return for each round that trained on preference pairs the first and the last report of both log-probabilities."""
    rounds = []
    for stage in sorted(root.glob("rounds/r*/train_policy")):
        for file in stage.glob("*.progress.jsonl"):
            reports = [json.loads(line)["metrics"] for line in file.read_text(encoding="utf-8").splitlines()]
            if reports and LOG_PROBABILITIES[0] in reports[0]:
                rounds.append(
                    {side: (round(reports[0][side], 2), round(reports[-1][side], 2)) for side in LOG_PROBABILITIES}
                )
    return rounds


def mean_over_runs(runs: Sequence[RecipeResult]) -> dict[str, list[float]]:
    """Return by method each problem's mean accuracy over runs, since seeds are no independent problems."""
    methods = set.intersection(*(set(run.accuracies) for run in runs))
    return {
        method: [fmean(by_run) for by_run in zip(*(run.accuracies[method] for run in runs), strict=True)]
        for method in runs[0].accuracies
        if method in methods
    }
