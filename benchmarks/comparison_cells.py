"""Run comparisons of strategies with the last models of runs, and keep every finished cell as a line of a file.

A line has the commit and the machine, the problems and the seed of the models' run, the contender with the setting that was
fixed before, its costs, and the accuracy of every problem by each reading. Machines and run directories do not last.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.commands import run_raystar
from benchmarks.result_files import append_line
from cluster.config.compare_config import ContenderConfig
from cluster.config.run_config import RunConfig
from cluster.evaluation.cells import CALIBRATION, Cell
from cluster.evaluation.stored_comparison import CELL
from cluster.run import manifest
from cluster.run.directory import DONE, MANIFEST, Stage
from search.problems.config import CURRICULUM
from search.serialization import load_value

DIGITS = 4
OUTCOME = re.compile(r"[01]|\(([\d.]+)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCell:
    """A finished cell with what it was made from. ``seed``: of the run whose models searched, also its number in tables.

    ``overrides``: further fields of the config that the command line set.
    """

    commit: str
    machine: str
    split: str
    problems: int
    seed: int
    contender: Mapping[str, Any]
    cell: Cell
    overrides: tuple[str, ...] = ()

    def covers(self, key: CellKey) -> bool:
        """Return whether the line is what ``key`` names."""
        made_of = (self.split, self.problems, self.seed, self.cell.strategy, dict(self.contender), self.overrides)
        return made_of == (key.split, key.problems, key.seed, key.strategy, key.contender, key.overrides) and (
            key.budget in self.cell.budgets or self.cell.setting.option is None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CellKey:
    """What a cell is made from."""

    split: str
    problems: int
    seed: int
    strategy: str
    contender: dict[str, Any]
    overrides: tuple[str, ...]
    budget: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonRequest:
    """Problems, budgets and config of comparisons.

    ``overrides``: further fields of the config. ``problem_fields``: those that follow from ``split`` and ``limit``.
    """

    config_file: Path
    config: RunConfig
    split: str
    limit: int
    budgets: tuple[int, ...]
    overrides: tuple[str, ...] = ()
    problem_fields: tuple[str, ...] = ()

    def keys(self, seed: int, strategy: str, contender: ContenderConfig) -> list[CellKey]:
        """Return the keys of all cells of one contender."""
        return [
            CellKey(
                split=self.split,
                problems=self.limit,
                seed=seed,
                strategy=strategy,
                contender=contender.model_dump(mode="json"),
                overrides=self.overrides,
                budget=budget,
            )
            for budget in self.budgets
        ]


def last_model(root: Path, role: str) -> Path:
    """Return the last model of a role that a run promoted."""
    model = None
    for done in sorted(root.glob(f"rounds/r*/promote/{DONE}"), key=lambda file: int(file.parts[-3][1:])):
        decisions = json.loads(done.read_text(encoding="utf-8"))["decisions"]
        if any(decision["role"] == role and decision["promoted"] for decision in decisions):
            model = done.parents[1] / f"train_{role}" / "model"
    if model is None:
        sys.exit(f"{root}: no round has promoted a {role}; expected a run directory of raystar evolve")
    return model.resolve()


def measure(
    request: ComparisonRequest,
    contenders: Mapping[str, ContenderConfig],
    sources: Mapping[int, Path],
    folder: Path,
    results: Path,
) -> bool:
    """Run every contender with the models of every source that ``results`` does not have; return whether all are there.

    A contender is a run of `raystar compare` in ``folder``, which continues if it was interrupted; its cells are added to
    ``results`` as soon as it has finished.
    """
    is_complete = True
    folder.mkdir(parents=True, exist_ok=True)
    for seed, source in sources.items():
        for name, contender in contenders.items():
            keys, stored = request.keys(seed, name, contender), read(results)
            if all(any(cell.covers(key) for cell in stored) for key in keys):
                continue
            budgets = "_".join(map(str, request.budgets))
            run_dir = folder.resolve() / f"{request.split}-{request.limit}-{budgets}-{name}-{seed}"
            if run_raystar(command(request, name, contender, source), run_dir, run_dir.with_suffix(".log")):
                is_complete = False
                continue
            for finished in read_run(run_dir, request, seed, contender):
                if not any(cell.covers(key) for cell in stored for key in keys if key.budget in finished.cell.budgets):
                    append(results, finished)
    return is_complete


def command(request: ComparisonRequest, name: str, contender: ContenderConfig, source: Path) -> list[str]:
    """Return the command line that compares one contender with itself: its curve is all that is wanted of it."""
    models = ["--policy", str(last_model(source, "policy")), "--reward-model", str(last_model(source, "reward_model"))]
    fields = {
        "compare.repeats": 1,
        "compare.budgets": list(request.budgets),
        "compare.strategies": {name: contender.model_dump(mode="json")},
        "compare.against": name,
    }
    problems = request.config.problems
    measured = problems.validation if request.split == "validation" else problems.evaluation[request.split]
    others = "train" if request.split == "validation" else "validation"
    if measured.name == CURRICULUM:  # solutions of as many steps cost as much
        fields[f"problems.{others}.levels"] = list(measured.levels)
    options = [f"--{field}={json.dumps(value)}" for field, value in fields.items()]
    where = ["--split", request.split, "--limit", str(request.limit)]
    return ["compare", str(request.config_file), *models, *where, *options, *request.overrides, *request.problem_fields]


def read_run(run_dir: Path, request: ComparisonRequest, seed: int, contender: ContenderConfig) -> list[StoredCell]:
    """Return the finished cells of a run of one contender, each with the models' seed in place of its own."""
    record = manifest.read_manifest(run_dir / MANIFEST)
    start = record.starts[-1]
    directories = sorted(file.parent for file in (run_dir / "rounds" / "compare").glob(f"*/*/{DONE}"))
    cells = [load_value(Cell, Stage(path).facts()[CELL]) for path in directories if path.name != CALIBRATION]
    return [
        StoredCell(
            commit=str(start["commit"])[:7] + ("+" if start["dirty"] else ""),
            machine=f"{record.machine['processor']}, {record.machine['cores']} cores",
            split=request.split,
            problems=request.limit,
            seed=seed,
            contender=contender.model_dump(mode="json"),
            cell=replace(cell, repeat=seed),
            overrides=request.overrides,
        )
        for cell in sorted(cells, key=lambda cell: cell.budget)
    ]


def encode(accuracies: Sequence[float]) -> str:
    """Return accuracies as text: 1, 0, 0.5, 1 → "10(0.5)1"."""
    return "".join(str(int(value)) if value in (0, 1) else f"({round(value, DIGITS)})" for value in accuracies)


def decode(text: str) -> tuple[float, ...]:
    """Return the accuracies that ``encode`` wrote. Raises ValueError for any other text."""
    matches = list(OUTCOME.finditer(text))
    if "".join(match[0] for match in matches) != text:
        raise ValueError(f"no outcomes: {text[:40]!r}")
    return tuple(float(match[1] or match[0]) for match in matches)


def append(file: Path, stored: StoredCell) -> None:
    """Add a line to the file."""
    record = asdict(stored)
    record["cell"]["accuracies"] = {name: encode(values) for name, values in stored.cell.accuracies.items()}
    append_line(file, json.dumps(_rounded(record), ensure_ascii=False))


def _rounded(value: Any) -> Any:
    """Return plain data with floats of at most six significant digits."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {key: _rounded(entry) for key, entry in value.items()}
    return [_rounded(entry) for entry in value] if isinstance(value, list | tuple) else value


def read(file: Path) -> list[StoredCell]:
    """Return the cells in the file, in the order of its lines. Lines that are no cells, such as choices, are left out."""
    return [_stored_cell(record, place) for place, record in read_records(file).items() if "cell" in record]


def read_records(file: Path) -> dict[str, dict[str, Any]]:
    """Return the JSON objects in the file by their places, such as "cells.jsonl:3". Exits with a line for a damaged one."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    records = {}
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
        except ValueError as error:
            sys.exit(f"{file}:{number}: damaged: not JSON ({error}); remove the line to have it measured again")
        if not isinstance(record, dict):
            sys.exit(f"{file}:{number}: damaged: no JSON object; remove the line to have it measured again")
        records[f"{file}:{number}"] = record
    return records


def _stored_cell(record: dict[str, Any], place: str) -> StoredCell:
    try:
        return _decoded_cell(record)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        sys.exit(f"{place}: damaged: no cell ({reason}); remove the line to have it measured again")


def _decoded_cell(record: dict[str, Any]) -> StoredCell:
    accuracies = {name: decode(text) for name, text in record["cell"]["accuracies"].items()}
    return load_value(StoredCell, {**record, "cell": {**record["cell"], "accuracies": accuracies}})


def select(
    stored: Iterable[StoredCell],
    request: ComparisonRequest,
    contenders: Mapping[str, ContenderConfig],
    seeds: Iterable[int],
) -> list[StoredCell]:
    """Return the cells of a request, in the order of the contenders; of a cell that was measured twice the last."""
    keys = [
        key for name, contender in contenders.items() for seed in seeds for key in request.keys(seed, name, contender)
    ]
    lines = list(stored)[::-1]
    chosen = [next((cell for cell in lines if cell.covers(key)), None) for key in keys]
    distinct = {id(cell): cell for cell in chosen if cell is not None}
    return list(distinct.values())
