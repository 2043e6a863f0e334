"""``raystar problems``: show what a data set holds, how it is read and whether it overlaps with the sets of a config."""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cluster.commands.options import positive_int
from cluster.config import overrides, run_config
from search.data import Problem
from search.errors import UserError
from search.grading import explain
from search.problems.config import CURRICULUM, ProblemsConfig, ProblemSetConfig
from search.problems.decontaminate import Overlap, decontaminate, tokenize
from search.problems.hub import Unreachable
from search.problems.loading import are_disjoint
from search.problems.sources.base import LoadedProblems
from search.problems.sources.registry import load_problems

HELP = "show what a data set holds, how it is read, and whether it overlaps with the sets that a config measures on"
UNREAD = "text"  # the grader's kind of an answer that it can only compare letter by letter
EXAMPLES = 10
NGRAM, ANY_SHARE = (
    13,
    1e-9,
)  # the usual rule beside the config's: one common 13-gram (GPT-3, arXiv 2005.14165, appendix C)
CURRICULUM_COUNT = 100
QUOTED = 150  # characters of a question that the table shows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name", metavar="FILE_OR_NAME", help="a file (JSON, JSON lines, parquet, CSV), or a data set by name"
    )
    parser.add_argument(
        "config",
        metavar="CONFIG",
        type=Path,
        nargs="?",
        help="config whose validation and evaluation sets are compared",
    )
    parser.add_argument("--split", metavar="NAME", help="split of a data set (default: train, or its first)")
    parser.add_argument("--subset", metavar="NAME", help="subset of a Hugging Face data set")
    parser.add_argument("--file", metavar="FILE", help="a local copy of the data set that FILE_OR_NAME names")
    parser.add_argument("--question-field", metavar="FIELD", help="field that holds the question (default: guessed)")
    parser.add_argument("--answer-field", metavar="FIELD", help="field that holds the answer (default: guessed)")
    parser.add_argument(
        "--count", type=positive_int, metavar="N", help="at most N problems, drawn at random (default: all)"
    )
    parser.epilog = "Rows that a run would refuse are counted; the first is named with its line."


def run(args: argparse.Namespace) -> int:
    if args.config is None and args.overrides:
        raise UserError(f"without a CONFIG there are no config fields: unexpected {args.overrides[0]!r}")
    config = run_config.load(args.config, overrides.parse(args.overrides)).problems if args.config else None
    source = read_source(args)
    loaded = load_problems(source)
    console = Console(highlight=False, soft_wrap=False)
    for label, line in describe(loaded):
        _print_line(console, label, line)
    if config is not None:
        for line in overlaps(source, loaded.problems, config):
            _print_line(console, "overlap", line)
    console.print()
    console.print(examples(loaded.problems))
    return 0


def read_source(args: argparse.Namespace) -> ProblemSetConfig:
    """Return the config of the set that the command line names."""
    fields: dict[str, Any] = {
        "split": args.split,
        "subset": args.subset,
        "file": args.file,
        "question_field": args.question_field,
        "answer_field": args.answer_field,
        "count": args.count or (CURRICULUM_COUNT if args.name == CURRICULUM else None),
        "skip_bad_lines": True,
    }
    return ProblemSetConfig(name=args.name, **{name: value for name, value in fields.items() if value is not None})


def describe(loaded: LoadedProblems) -> Iterator[tuple[str, str]]:
    """Yield lines with their labels: what the set holds, how it was read, answers by kind, duplicates."""
    problems, collected = loaded.problems, loaded.collected
    lengths = sorted(len(problem.question) for problem in problems)
    yield "set", f"{loaded.source}: {_count(len(problems), 'problem')}"
    yield "questions", f"{lengths[len(lengths) // 2]} characters (median), {lengths[-1]} at most"
    yield "read", collected.describe() if collected.fields is not None else "made by the built-in curriculum"
    kinds = Counter(explain(problem.answer, problem.answer).gold_kind for problem in problems)
    if collected.first_fault:
        yield "left out", f"{_count(collected.skipped, 'row')}, the first because {collected.first_fault}"
    yield "answers", ", ".join(f"{kind} {number}" for kind, number in kinds.most_common())
    readable = len(problems) - kinds[UNREAD]
    unread = [problem.answer for problem in problems if explain(problem.answer, problem.answer).gold_kind == UNREAD]
    others = f"; the others letter by letter, such as {_shorten(unread[0], 40)!r}" if unread else ""
    yield "grader", f"reads {_share(readable, len(problems))} of the answers{others}"
    yield "duplicates", _duplicates(loaded)


def _duplicates(loaded: LoadedProblems) -> str:
    answers: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for problem in loaded.problems:
        answers[tokenize(problem.question)].append(problem.answer)
    repeated = [same for same in answers.values() if len(same) > 1]
    differing = sum(len(set(same)) > 1 for same in repeated)
    parts = [
        f"{_count(loaded.repeated, 'row')} left out that repeat{'s' if loaded.repeated == 1 else ''} another",
        f"{_count(len(repeated), 'question')} more than once in the same words",
    ]
    if differing:
        parts.append(f"{differing} of them with different answers")
    return "; ".join(parts)


def overlaps(source: ProblemSetConfig, problems: Sequence[Problem], config: ProblemsConfig) -> Iterator[str]:
    """Yield a line for each set that ``config`` measures on: problems that repeat one of its, by both rules."""
    measuring = {"validation": config.validation} | {f"evaluation.{n}": entry for n, entry in config.evaluation.items()}
    for name, entry in measuring.items():
        if are_disjoint(source, entry):
            yield f"{name}: none, because splits of the curriculum share no problem"
            continue
        try:
            measured = load_problems(entry).problems
        except Unreachable as error:
            yield f"{name}: not compared: {error}"
            continue
        limits = (config.overlap_ngram, config.overlap_threshold)
        by_config = decontaminate(problems, measured, *limits).dropped
        by_ngram = decontaminate(problems, measured, NGRAM, ANY_SHARE).dropped
        rule = f"by the config's rule ({limits[1]:g} of {limits[0]}-grams)" if limits[0] else "as whole questions"
        example = f", such as {_pair(by_config[0])}" if by_config else ""
        yield (
            f"{name}, {_count(len(measured), 'problem')}: {len(by_config)} {rule}{example}; "
            f"{len(by_ngram)} by one common {NGRAM}-gram"
        )


def _pair(overlap: Overlap) -> str:
    return f"{overlap.id} (there {overlap.evaluation_id})"


def examples(problems: Sequence[Problem]) -> Table:
    """Return a table of EXAMPLES problems, evenly spread over the set, with the kind of each answer."""
    table = Table(box=None, padding=(0, 2, 1, 0), header_style="bold", expand=True, pad_edge=False)
    table.add_column("question", ratio=3, overflow="fold")
    table.add_column("answer", ratio=1, overflow="fold")
    table.add_column("kind", no_wrap=True)
    shown = min(EXAMPLES, len(problems))
    for index in (number * len(problems) // shown for number in range(shown)):
        problem = problems[index]
        kind = explain(problem.answer, problem.answer).gold_kind
        question = " ".join(problem.question.split())
        table.add_row(Text(_shorten(question, QUOTED)), Text(_shorten(problem.answer, QUOTED)), kind)
    return table


def _print_line(console: Console, label: str, line: str) -> None:
    """Print a line whose continuation stands under its beginning."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=10)
    grid.add_column(overflow="fold")
    grid.add_row(Text(label, style="bold"), Text(line))
    console.print(grid)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %"


def _shorten(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
