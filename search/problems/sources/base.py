"""What the registry holds for a source of problems, and how rows of a source become a problem set."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import chain, islice

from search.data import Problem
from search.errors import UserError
from search.problems.config import ProblemSetConfig
from search.problems.fields import Fields, guess_fields
from search.problems.rows import CollectedProblems, Reading, SourceRow, collect_problems
from search.seeds import derive

SAMPLE = 200  # rows from which the names of fields are guessed


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedProblems:
    """A problem set. ``source`` names it; ``collected`` says how its rows were read and holds all its problems."""

    problems: tuple[Problem, ...]
    source: str
    collected: CollectedProblems

    @property
    def skipped(self) -> int:
        """Number of rows left out."""
        return self.collected.skipped

    @property
    def repeated(self) -> int:
        """Number of rows that repeat a problem."""
        return self.collected.repeated


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


def load_rows(config: ProblemSetConfig, rows: Iterable[SourceRow], reading: Reading) -> LoadedProblems:
    """Return the problems in ``rows`` that ``config`` wants; its names of fields and leniency replace those of ``reading``."""
    rows = iter(rows)
    sample = list(islice(rows, SAMPLE))
    fields = reading.fields or guess_fields(row.value for row in sample if isinstance(row.value, dict))
    fields = Fields(
        config.question_field or fields.question,
        (config.answer_field,) if config.answer_field else fields.answers,
        config.id_field or fields.id,
    )
    collected = collect_problems(chain(sample, rows), replace(reading, skip_bad=config.skip_bad_lines), fields)
    return LoadedProblems(problems=_select(collected, config), source=reading.source, collected=collected)


def _select(collected: CollectedProblems, config: ProblemSetConfig) -> tuple[Problem, ...]:
    """Return the problems of ``config.part``, of these ``config.count`` at random, in the order of the file."""
    if not collected.problems:
        reason = f", the first because {collected.first_fault}" if collected.first_fault else ""
        raise UserError(f"{config.name}: no usable problem, {collected.skipped} rows were skipped{reason}")
    low, high = config.part
    problems = [p for p in collected.problems if low <= derive("part", p.question) / 2**63 < high]
    if not problems:
        raise UserError(f"{config.name}: no problem in part {list(config.part)} of {len(collected.problems)}")
    if config.count is None or config.count >= len(problems):
        return tuple(problems)
    rng = random.Random(derive("draw", config.seed))
    return tuple(problems[index] for index in sorted(rng.sample(range(len(problems)), config.count)))
