"""Read the results of a run's finished stages, write them as ``summary.json`` and show them as a table.

Reads ``rounds/rN/STAGE/done.json`` and ``evaluation.json``. The facts of a stage that are read here: ``tokens``
(generated), ``seconds``, ``failures`` (counts by name), and for a search ``solved`` and ``problems`` (training problems
solved so far, in all rounds, and all of them).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from cluster.evaluation.records import EVALUATION, METHODS, Evaluation, Measure, TreeCurve
from cluster.formatting import format_count, format_difference, format_duration, format_percent
from cluster.run.directory import DONE, Stage
from search.storage.files import write_text

SUMMARY = "summary.json"
ROUND_FOLDER = re.compile(r"r(\d+)")
METHOD_NAMES = {**METHODS, "best_of_n": "reward model best-of-N"}  # where there is room for more than a column's title


@dataclass(frozen=True, slots=True)
class StageRecord:
    """A finished stage with its facts."""

    name: str
    path: Path
    facts: dict[str, Any]

    @property
    def tokens(self) -> int:
        return int(self.facts.get("tokens", 0))

    @property
    def seconds(self) -> float:
        return float(self.facts.get("seconds", 0.0))


@dataclass(frozen=True, slots=True)
class RoundRecord:
    """A round's finished stages in the order in which they ended. Round 0 is the base policy."""

    round: int
    stages: tuple[StageRecord, ...] = ()
    evaluation: Evaluation | None = None

    @property
    def solved(self) -> float | None:
        """The share of training problems solved so far; None if the round searched none."""
        for stage in reversed(self.stages):
            if stage.facts.get("problems") and "solved" in stage.facts:
                return float(stage.facts["solved"]) / float(stage.facts["problems"])
        return None

    @property
    def tokens(self) -> int:
        return sum(stage.tokens for stage in self.stages)

    @property
    def seconds(self) -> float:
        return sum(stage.seconds for stage in self.stages)

    @property
    def failures(self) -> dict[str, int]:
        """The failures of all stages by name."""
        total: dict[str, int] = {}
        for stage in self.stages:
            for name, failures in stage.facts.get("failures", {}).items():
                total[name] = total.get(name, 0) + int(failures)
        return total


def read_rounds(root: Path) -> tuple[RoundRecord, ...]:
    """Return all rounds of the run at ``root``, base first, with their finished stages."""
    folders = [
        (int(match[1]), path) for path in (root / "rounds").glob("r*") if (match := ROUND_FOLDER.fullmatch(path.name))
    ]
    return tuple(_read_round(number, path) for number, path in sorted(folders))


def _read_round(number: int, folder: Path) -> RoundRecord:
    stages = sorted(_read_stages(folder), key=lambda stage: (stage.facts.get("finished", ""), stage.name))
    files = [stage.path / EVALUATION for stage in stages if (stage.path / EVALUATION).exists()]
    return RoundRecord(number, tuple(stages), Evaluation.read(files[-1]) if files else None)


def _read_stages(folder: Path) -> Iterator[StageRecord]:
    for marker in folder.glob(f"*/{DONE}"):
        if not marker.parent.name.endswith(".partial"):
            yield StageRecord(marker.parent.name, marker.parent, Stage(marker.parent).facts())


def summarise(records: tuple[RoundRecord, ...]) -> dict[str, Any]:
    """Return ``{"base": E, "rounds": [E, …]}``. E has round, solved, tokens, seconds, and for each split its measures.

    A split whose search grew several trees a problem also has "search_4_trees": what all of them answer together.
    """
    entries = {record.round: _entry(record) for record in records}
    return {"base": entries.get(0), "rounds": [entry for number, entry in entries.items() if number > 0]}


def _entry(record: RoundRecord) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "round": record.round,
        "solved": None if record.solved is None else round(record.solved, 6),
        "tokens": record.tokens,
        "seconds": round(record.seconds, 1),
    }
    for split, methods in (record.evaluation.splits if record.evaluation else {}).items():
        entry[split] = {method: _measure(methods.get(method)) for method in METHODS}
    for split, curve in (record.evaluation.trees if record.evaluation else {}).items():
        entry[split][f"search_{curve.trees}_trees"] = _trees(curve)
    return entry


def _trees(curve: TreeCurve) -> dict[str, Any]:
    """Return what all trees of a problem answer together, by reading, and their tokens a problem."""
    point = curve.points[-1]
    accuracies = {
        reading: {"accuracy": round(share.mean, 6), "low": round(share.low, 6), "high": round(share.high, 6)}
        for reading, share in point.accuracies.items()
    }
    return {**accuracies, "tokens_a_problem": round(point.tokens, 1)}


def _measure(measure: Measure | None) -> dict[str, float | int] | None:
    if measure is None:
        return None
    fields = asdict(measure)
    del fields["seconds"]
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in fields.items()}


def write(root: Path) -> dict[str, Any]:
    """Write ``root/summary.json`` from the finished stages, and return its content."""
    summary = summarise(read_rounds(root))
    write_text(root / SUMMARY, json.dumps(summary, indent=1) + "\n")
    return summary


def table(summary: Mapping[str, Any]) -> Table:
    """Return a table with a row for each round: share solved, accuracies in % (split by split) and cost.

    It fits 80 columns.
    """
    entries = [entry for entry in (summary["base"], *summary["rounds"]) if entry]
    splits = [key for key, value in (entries[-1] if entries else {}).items() if isinstance(value, dict)]
    caption = f"accuracy in %: {'/'.join(splits)}; solved: share of the training problems" if splits else None
    grid = Table(box=None, padding=(0, 1), caption=caption, caption_justify="left", header_style="bold")
    grid.add_column("round")
    grid.add_column("solved", justify="right")
    for title in METHODS.values():
        grid.add_column(title, justify="right", no_wrap=True)
    grid.add_column("tokens", justify="right")
    grid.add_column("time", justify="right", no_wrap=True)
    for entry in entries:
        cells = ["/".join(format_percent(_accuracy(entry, split, method)) for split in splits) for method in METHODS]
        name = "base" if entry["round"] == 0 else str(entry["round"])
        grid.add_row(
            name,
            format_percent(entry["solved"]),
            *cells,
            format_count(entry["tokens"]),
            format_duration(entry["seconds"]),
        )
    return grid


def margins(records: Sequence[RoundRecord]) -> list[str]:
    """Return a line for each split of the last evaluation and each method: by how many points search exceeds it."""
    last = next((record.evaluation for record in reversed(records) if record.evaluation), None)
    return [
        f"{split}: search {format_difference(margin)} points over {METHOD_NAMES[method]}"
        for split, methods in (last.margins if last else {}).items()
        for method, margin in methods.items()
    ]


def _accuracy(entry: Mapping[str, Any], split: str, method: str) -> float | None:
    measure = entry.get(split, {}).get(method)
    return measure["accuracy"] if measure else None
