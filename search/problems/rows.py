"""Rows of any source, and the problems in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from search.data import Problem
from search.errors import UserError
from search.problems.fields import BadRow, Fields, NoReference, quote, read_answer, read_id, read_question

PLACES = 5  # rows without a reference that a report names


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A row and its place for messages, such as ``data.jsonl:7``; ``value`` is a BadRow if it could not be read."""

    place: str
    value: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How rows of a set are read.

    Attributes:
        fields: names of the fields; None for a set of no known schema.
        source: name of the set, a part of problem ids.
        skip_bad: count rows with any fault, instead of refusing the first.
        is_published: the user cannot mend the set: count rows without a usable answer, and rows that repeat an id and its problem.
        unusable: answers that stand for none, in lower case ("proof").
        clean: maps a question to the bare question.
    """

    source: str
    fields: Fields | None = None
    skip_bad: bool = False
    is_published: bool = False
    unusable: frozenset[str] = frozenset()
    clean: Callable[[str], str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedProblems:
    """Problems in their order, and how they were read.

    Attributes:
        rows: number of rows.
        fields: names of the fields that were read.
        answer_fields: by field, the number of problems whose answer it held.
        skipped: number of rows left out; ``first_fault`` says why the first was. Among them are those
            ``without_reference``, of which ``places`` names the first.
        repeated: number of rows that repeat a problem.
    """

    problems: tuple[Problem, ...] = ()
    rows: int = 0
    fields: Fields | None = None
    answer_fields: Mapping[str, int] = field(default_factory=dict)
    skipped: int = 0
    first_fault: str = ""
    without_reference: int = 0
    places: tuple[str, ...] = ()
    repeated: int = 0

    def describe(self) -> str:
        """Return one line: which fields were read, and what was left out."""
        if self.fields is None:
            return f"{len(self.problems)} problems"
        answers = ", ".join(f"{name!r} ({count})" for name, count in self.answer_fields.items())
        parts = [f"{len(self.problems)} problems of {self.rows} rows", f"question from {self.fields.question!r}"]
        parts.append(f"answer from {answers or 'no field'}")
        if self.fields.id is not None:
            parts.append(f"id from {self.fields.id!r}")
        if left_out := self._describe_left_out():
            parts.append(f"left out: {', '.join(left_out)}")
        return "; ".join(parts)

    def _describe_left_out(self) -> list[str]:
        more = ", …" if self.without_reference > len(self.places) else ""
        counts = {
            f"without a usable reference ({', '.join(self.places)}{more})": self.without_reference,
            "bad": self.skipped - self.without_reference,
            "repeated": self.repeated,
        }
        return [f"{count} {fault}" for fault, count in counts.items() if count]


def content_id(source: str, question: str, answer: str) -> str:
    """Return an id that depends on source, question and answer only, not on the place in the file."""
    digest = blake2b(f"{question}\x1f{answer}".encode(errors="surrogatepass"), digest_size=6).hexdigest()
    return f"{source}-{digest}"


def parse_problem(value: object, fields: Fields, reading: Reading) -> tuple[Problem, str]:
    """Return the problem in a row, and the field that held its answer. Raises BadRow."""
    if isinstance(value, BadRow):
        raise value
    if not isinstance(value, dict):
        names = " and ".join(map(repr, (fields.question, fields.answers[0])))
        raise BadRow(f"not an object with the fields {names}: {quote(value)}")
    question = read_question(value, fields.question)
    if reading.clean is not None:
        question = reading.clean(question)
    answer, name = _first_answer(value, fields.answers, reading.unusable)
    problem_id = read_id(value, fields.id) or content_id(reading.source, question, answer)
    return Problem(id=problem_id, question=question, answer=answer, source=reading.source), name


def _first_answer(row: dict[str, object], names: tuple[str, ...], unusable: frozenset[str]) -> tuple[str, str]:
    """Return the answer of the first field that holds one, and its name. Raises the fault of the first, if none does."""
    faults: list[BadRow] = []
    for name in names:
        try:
            answer = read_answer(row, name)
        except BadRow as fault:
            faults.append(fault)
            continue
        if answer.lower() not in unusable:
            return answer, name
        faults.append(NoReference(f"field {name!r} says {answer!r}, which is no answer"))
        break  # the set itself says that there is none
    unreferenced = [fault for fault in faults if isinstance(fault, NoReference)]
    raise (unreferenced or faults)[0]


def collect_problems(rows: Iterable[SourceRow], reading: Reading, fields: Fields) -> CollectedProblems:
    """Return all problems of ``rows``. A bad row, or an id of two problems, is a UserError unless ``reading`` skips it."""
    problems: dict[str, Problem] = {}
    places: dict[str, str] = {}
    answer_fields: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    unreferenced: list[str] = []
    first_fault = ""
    for row in rows:
        counts["rows"] += 1
        try:
            problem, answer_field = parse_problem(row.value, fields, reading)
            if problem.id in problems and not _repeats(problem, problems[problem.id], reading):
                raise BadRow(f"id {problem.id!r} was used before, at {places[problem.id]}; ids must differ")
        except BadRow as fault:
            is_unreferenced = isinstance(fault, NoReference)
            if not reading.skip_bad and not (is_unreferenced and reading.is_published):
                raise UserError(f"{row.place}: {fault}") from fault
            counts["skipped"] += 1
            first_fault = first_fault or f"{row.place}: {fault}"
            if is_unreferenced:
                counts["without_reference"] += 1
                unreferenced += [row.place] * (len(unreferenced) < PLACES)
            continue
        if problem.id in problems:
            counts["repeated"] += 1
            continue
        problems[problem.id] = problem
        places[problem.id] = row.place
        answer_fields[answer_field] += 1
    return CollectedProblems(
        problems=tuple(problems.values()),
        rows=counts["rows"],
        fields=fields,
        answer_fields=dict(answer_fields),
        skipped=counts["skipped"],
        first_fault=first_fault,
        without_reference=counts["without_reference"],
        places=tuple(unreferenced),
        repeated=counts["repeated"],
    )


def _repeats(problem: Problem, earlier: Problem, reading: Reading) -> bool:
    """Return whether a row with the id of an earlier one may repeat it: ids in a file of the user's must differ."""
    made_id = content_id(reading.source, problem.question, problem.answer)
    return problem == earlier and (reading.is_published or problem.id == made_id)
