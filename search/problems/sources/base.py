"""What the registry holds for a source of problems, and how rows of a source become a problem set."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from search.data import Problem
from search.errors import UserError
from search.problems.config import ProblemSetConfig
from search.problems.rows import CollectedProblems, FieldNames, SourceRow, collect_problems
from search.seeds import derive


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedProblems:
    """A problem set. ``skipped`` counts bad rows, ``repeated`` rows that repeat a problem; ``source`` names the set."""

    problems: tuple[Problem, ...]
    skipped: int
    source: str
    repeated: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemSource:
    """A kind of place that problems come from.

    Attributes:
        description: how its ``name`` looks, for messages.
        accepts: whether a set of that ``name`` comes from here; sources are asked in the order of the registry.
        load: returns the problems in a fixed order and with stable ids; bad input is a UserError of one line.
    """

    description: str
    accepts: Callable[[str], bool]
    load: Callable[[ProblemSetConfig], LoadedProblems]


def load_rows(config: ProblemSetConfig, rows: Iterable[SourceRow], source: str) -> LoadedProblems:
    """Return the problems in ``rows`` that ``config`` wants. ``source`` becomes a part of their ids."""
    fields = FieldNames(config.question_field, config.answer_field, config.id_field)
    collected = collect_problems(rows, fields, source, config.skip_bad_lines)
    return LoadedProblems(
        problems=_select(collected, config), skipped=collected.skipped, source=source, repeated=collected.repeated
    )


def _select(collected: CollectedProblems, config: ProblemSetConfig) -> tuple[Problem, ...]:
    """Return the problems of ``config.part``, of these ``config.count`` at random, in the order of the file."""
    if not collected.problems:
        raise UserError(f"{config.name}: no usable problem, {collected.skipped} rows were skipped")
    low, high = config.part
    problems = [p for p in collected.problems if low <= derive("part", p.question) / 2**63 < high]
    if not problems:
        raise UserError(f"{config.name}: no problem in part {list(config.part)} of {len(collected.problems)}")
    if config.count is None or config.count >= len(problems):
        return tuple(problems)
    rng = random.Random(derive("draw", config.seed))
    return tuple(problems[index] for index in sorted(rng.sample(range(len(problems)), config.count)))
