"""The result of a comparison, its file, and how it is read again from the stored trees: without engines and without Ray."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from cluster.evaluation.cells import CALIBRATION, Cell, read_accuracies
from cluster.run.directory import INPUTS_FILE, RunDir, Stage, check_inputs, write_inputs
from cluster.run.inventory import DONE, read_json
from search.data import Aggregation, Problem
from search.errors import UserError
from search.grading.grader import grader
from search.serialization import dump, load, load_value
from search.storage.files import write_text
from search.storage.tree_store import read_trees

COMPARISON, PROBLEMS = "comparison.json", "problems.jsonl"
CELL = "cell"  # fact of a stage
PROBLEM_STAGE = "problems"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonHeader:
    """What all searches of a comparison have in common.

    ``budgets``: generated tokens a problem that strategies are compared at. ``against``: the strategy to which differences
    are taken. ``calibrated_on``: the problem set that strategies were set to their budgets on.
    """

    split: str
    calibrated_on: str
    problems: int
    budgets: tuple[int, ...]
    strategies: tuple[str, ...]
    against: str
    policy: str
    reward_model: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Strategies on the same problems: the cells that are finished."""

    header: ComparisonHeader
    cells: tuple[Cell, ...]


def write_comparison(root: Path, comparison: Comparison) -> None:
    """Write ``comparison.json``."""
    write_text(root / COMPARISON, json.dumps(asdict(comparison)) + "\n")


def write_problems(run: RunDir, problems: Sequence[Problem], header: ComparisonHeader) -> None:
    """Run the stage that keeps the measured problems with their answers: trees of blind searches have none.

    Raises UserError if the comparison was begun with other problems or models.
    """
    stage = run.stage(PROBLEM_STAGE)
    inputs = {"header": json.loads(json.dumps(asdict(header))), "ids": [problem.id for problem in problems]}
    check_inputs(stage, inputs)
    if not stage.is_done:
        with stage.writing() as writer:
            write_inputs(writer.directory, inputs)
            write_text(writer.directory / PROBLEMS, "".join(f"{dump(problem)}\n" for problem in problems))


def read_comparison(root: Path) -> Comparison:
    """Return the comparison of a run directory with all its finished cells, their trees read again.

    Raises UserError if the directory holds none, or a file is damaged.
    """
    problem_stage = Stage(root / "rounds" / PROBLEM_STAGE)
    done = sorted((root / "rounds" / "compare").glob(f"*/*/{DONE}"))
    directories = [file.parent for file in done if file.parent.name != CALIBRATION]
    if not problem_stage.is_done or not directories:
        raise UserError(f"{root} holds no finished search of raystar compare: name the directory of such a run")
    inputs = read_json(problem_stage.path / INPUTS_FILE, f"restore it, or remove {root}")
    header = load_value(ComparisonHeader, inputs["header"])
    lines = (problem_stage.path / PROBLEMS).read_text(encoding="utf-8").splitlines()
    read = partial(read_cell, tuple(load(Problem, line) for line in lines))
    with ProcessPoolExecutor(min(len(directories), os.cpu_count() or 1)) as pool:
        cells = sorted(pool.map(read, directories), key=lambda cell: _place(cell, header))
    return Comparison(header=header, cells=tuple(cells))


def read_cell(problems: Sequence[Problem], directory: Path) -> Cell:
    """Return the cell of a finished stage, its accuracies read from the trees. Raises UserError if it holds none."""
    facts = Stage(directory).facts()
    try:
        cell, aggregation = load_value(Cell, facts[CELL]), Aggregation(facts["aggregation"])
    except (KeyError, ValueError) as error:  # the second: pydantic's, of another version's cell
        raise UserError(
            f"{directory} holds no cell as this RayStar writes it: compare again by another --name"
        ) from error
    return replace(cell, accuracies=read_accuracies(list(read_trees(directory)), problems, aggregation, grader()))


def _place(cell: Cell, header: ComparisonHeader) -> tuple[int, int, int]:
    """Return what cells are ordered by: the strategies as they are configured, then budgets, then seeds."""
    return header.strategies.index(cell.strategy), cell.budget, cell.repeat
