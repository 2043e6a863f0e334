"""``raystar grade``: compare pairs of reference and answer in a file, and show how each was read."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from search.errors import UserError
from search.grading import Explanation, explain

HELP = "compare references and answers in a file, and show where the grader disagrees"
SHOWN = 60  # characters of an answer that a line shows


@dataclass(frozen=True, slots=True)
class Pair:
    """A row of the file. ``equal``: the expected verdict."""

    name: str
    gold: str
    answer: str
    equal: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        metavar="FILE.jsonl",
        type=Path,
        help="a JSON object a line: gold, answer; equal (true or false, the expected verdict; true if it is left out); id",
    )
    parser.add_argument("--explain", action="store_true", help="show how each row was read, not only disagreements")
    parser.epilog = "exit code: 0 all verdicts as expected, 1 some are not, 2 unreadable file"


def run(args: argparse.Namespace) -> int:
    rows = disagreements = 0
    for pair in read_pairs(args.file):
        explanation = explain(pair.gold, pair.answer)
        agrees = explanation.equal == pair.equal
        rows += 1
        disagreements += not agrees
        if args.explain or not agrees:
            print(describe_verdict(pair, explanation))
    print(f"{rows} rows, {rows - disagreements} as expected, {disagreements} disagreements")
    return 1 if disagreements else 0


def describe_verdict(pair: Pair, explanation: Explanation) -> str:
    """Return one line: the verdict, then how reference and answer were read."""
    verdict = "equal" if explanation.equal else "unequal"
    expected = "" if explanation.equal == pair.equal else f" (expected {'equal' if pair.equal else 'unequal'})"
    method = ", by algebra" if explanation.by_algebra else ""
    sides = (
        f"{label} {_shorten(written)} is {kind} {_shorten(value)}"
        for label, written, kind, value in (
            ("reference", repr(pair.gold), explanation.gold_kind, explanation.gold_value),
            ("answer", repr(pair.answer), explanation.answer_kind, explanation.answer_value),
        )
    )
    return f"{pair.name}: {verdict}{expected}{method}: {'; '.join(sides)}"


def _shorten(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def read_pairs(path: Path) -> Iterator[Pair]:
    """Yield the rows of a file. Raises UserError with the line number for one that is no pair."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {error}") from error
    pairs = [_parse(line, f"{path}:{number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not pairs:
        raise UserError(f"{path} has no rows: expected a JSON object a line, with gold and answer")
    yield from pairs


def _parse(line: str, place: str) -> Pair:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise UserError(f"{place} is not JSON: {error}") from error
    if not isinstance(row, dict):
        raise UserError(f"{place} must be a JSON object with gold and answer")
    values: list[str] = []
    for field in ("gold", "answer"):
        value = row.get(field)
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise UserError(f"{place}: field {field!r} must be a text or a number")
        values.append(str(value))
    equal = row.get("equal", True)
    if not isinstance(equal, bool):
        raise UserError(f"{place}: field 'equal' must be true or false")
    return Pair(str(row.get("id", place)), values[0], values[1], equal)
