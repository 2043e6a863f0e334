"""The numbers of a run: read from its finished stages, written as ``summary.json``, shown as a table.

Knows the layout ``rounds/rN/STAGE/done.json`` and ``evaluation.json``; measures nothing itself. What a stage may put
into its facts: ``tokens`` (generated), ``seconds``, ``failures`` (counts by name), and for a search ``solved`` and
``problems`` (training problems solved so far, in all rounds, of how many).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from cluster.evaluation.records import EVALUATION, METHODS, Evaluation, Measure
from cluster.formatting import count, duration, percent, points
from cluster.run.directory import DONE, Stage
from search.storage.files import write_atomic

SUMMARY = "summary.json"
ROUND = re.compile(r"r(\d+)")


@dataclass(frozen=True, slots=True)
class StageRecord:
    """A finished stage: its name and the facts it left."""

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
    """A round's finished stages in the order in which they ended; round 0 is the base."""

    round: int
    stages: tuple[StageRecord, ...] = ()
    evaluation: Evaluation | None = None

    @property
    def solved(self) -> float | None:
        """Share of the training problems solved so far; None where the round searched none."""
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
        """Failures of all stages by name."""
        total: dict[str, int] = {}
        for stage in self.stages:
            for name, times in stage.facts.get("failures", {}).items():
                total[name] = total.get(name, 0) + int(times)
        return total


def rounds(root: Path) -> tuple[RoundRecord, ...]:
    """All rounds of the run at ``root``, base first; unfinished stages are passed over."""
    folders = [(int(match[1]), path) for path in (root / "rounds").glob("r*") if (match := ROUND.fullmatch(path.name))]
    return tuple(_round(number, path) for number, path in sorted(folders))


def _round(number: int, folder: Path) -> RoundRecord:
    stages = sorted(_stages(folder), key=lambda stage: (stage.facts.get("finished", ""), stage.name))
    files = [stage.path / EVALUATION for stage in stages if (stage.path / EVALUATION).exists()]
    return RoundRecord(number, tuple(stages), Evaluation.read(files[-1]) if files else None)


def _stages(folder: Path) -> Iterator[StageRecord]:
    for marker in folder.glob(f"*/{DONE}"):
        if not marker.parent.name.endswith(".partial"):
            yield StageRecord(marker.parent.name, marker.parent, Stage(marker.parent).facts())


def summarise(records: tuple[RoundRecord, ...]) -> dict[str, Any]:
    """``{"base": E, "rounds": [E, …]}``, E = round, solved, tokens, seconds and a mapping of measures a split."""
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
    return entry


def _measure(measure: Measure | None) -> dict[str, float | int] | None:
    if measure is None:
        return None
    kept = asdict(measure)
    del kept["seconds"]
    return {key: round(value, 6) if isinstance(value, float) else value for key, value in kept.items()}


def write(root: Path) -> dict[str, Any]:
    """Write ``root/summary.json`` from the finished stages and return its content."""
    summary = summarise(rounds(root))
    write_atomic(root / SUMMARY, json.dumps(summary, indent=1) + "\n")
    return summary


def table(summary: Mapping[str, Any]) -> Table:
    """A line per round: what was solved, the accuracies in % (one number a split) and the cost. Fits 80 columns."""
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
        cells = ["/".join(percent(_accuracy(entry, split, method)) for split in splits) for method in METHODS]
        name = "base" if entry["round"] == 0 else str(entry["round"])
        grid.add_row(name, percent(entry["solved"]), *cells, count(entry["tokens"]), duration(entry["seconds"]))
    return grid


def leads(records: Sequence[RoundRecord]) -> list[str]:
    """A line for each split of the last evaluation and each method that search is compared with, in points."""
    last = next((record.evaluation for record in reversed(records) if record.evaluation), None)
    return [
        f"{split}: search {points(lead)} points over {METHODS[method]}"
        for split, methods in (last.leads if last else {}).items()
        for method, lead in methods.items()
    ]


def _accuracy(entry: Mapping[str, Any], split: str, method: str) -> float | None:
    measure = entry.get(split, {}).get(method)
    return measure["accuracy"] if measure else None
