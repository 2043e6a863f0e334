"""What the registry holds for a source of problems, and how rows of a source become a problem set."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

from search.data import Problem
from search.errors import UserError
from search.problems.config import ProblemSetConfig
from search.problems.fields import Fields, guess_fields
from search.problems.rows import CollectedProblems, Reading, SourceRow, collect_problems
from search.seeds import derive

SAMPLE = 200  # rows from which the names of fields are guessed
SMALL_SET = 200  # problems; of fewer, hashes leave shares far from those that the config names


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedProblems:
    """A problem set. ``source`` names it; ``collected`` says how its rows were read and holds all its problems.

    ``selection``: which of these were taken, such as "7 of 8 by part [0.0, 0.9]"; empty if all were.
    """

    problems: tuple[Problem, ...]
    source: str
    collected: CollectedProblems
    selection: str = ""

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
    problems, selection = _select(collected, config)
    return LoadedProblems(problems=problems, source=reading.source, collected=collected, selection=selection)


def _select(collected: CollectedProblems, config: ProblemSetConfig) -> tuple[tuple[Problem, ...], str]:
    """Return the problems of ``config.part``, of these ``config.count`` at random, in the order of the file.

    The text beside them says which were left out by what; it is empty if none was.
    """
    if not collected.problems:
        reason = f", the first because {collected.first_fault}" if collected.first_fault else ""
        raise UserError(f"{config.name}: no usable problem, {collected.skipped} rows were skipped{reason}")
    part, total = list(config.part), len(collected.problems)
    problems = take_part(collected.problems, config.part)
    if not problems:
        raise UserError(
            f"{config.name}: no problem in part {part} of {total}: make the part wider, or name another file"
        )
    selection = [] if len(problems) == total else [f"{len(problems)} of {total} by part {part}"]
    if config.count is not None and config.count < len(problems):
        selection.append(f"{config.count} of {len(problems)} at random by count")
        rng = random.Random(derive("draw", config.seed))
        problems = [problems[index] for index in sorted(rng.sample(range(len(problems)), config.count))]
    return tuple(problems), ", ".join(selection)


def take_part(problems: Sequence[Problem], part: tuple[float, float]) -> list[Problem]:
    """Return the problems of a part, in their order: those whose question's hash lies in it.

    Of fewer than SMALL_SET problems the part is cut by the rank of the hash, so that its size is the share that it
    names: [0, 0.9] of eight problems are seven, [0.9, 1] the eighth. Either way parts that do not meet share no problem.
    """
    low, high = part
    if len(problems) >= SMALL_SET:
        return [problem for problem in problems if low <= derive("part", problem.question) / 2**63 < high]
    ranked = sorted(range(len(problems)), key=lambda index: (derive("part", problems[index].question), index))
    first, end = (math.floor(share * len(problems) + 0.5) for share in part)
    return [problems[index] for index in sorted(ranked[first:end])]
