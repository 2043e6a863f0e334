"""Find and read the fields of a row: question, reference answer and id.

A field is a column, or a path into nested ones such as ``extra_info.answer``. A column of chat messages holds the question in
its last user message and the solution in its last assistant message.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from search.grading.extract import boxed_answer, extract_answer
from search.grading.reading.reader import MAX_LENGTH

QUESTIONS = (
    "question",
    "problem",
    "prompt",
    "query",
    "instruction",
    "extra_info.question",
    "messages",
    "conversations",
)
ANSWERS = (
    "answer", "final_answer", "expected_answer", "ground_truth", "reward_model.ground_truth", "extra_info.answer",
    "gt_answer", "target",
)  # fmt: skip
SOLUTIONS = (
    "solution", "extra_info.solution", "rationale", "response", "output", "completion", "messages", "conversations"
)  # fmt: skip
IDS = ("id", "unique_id", "problem_id", "uuid")
GSM8K_MARK = "####"
MAX_QUESTION = 100_000  # characters; a longer one is no question but a fault of the file
QUOTE_LENGTH = 60  # characters of a bad value that a message quotes
USERS, ASSISTANTS = ("user", "human"), ("assistant", "gpt")


class BadRow(ValueError):
    """A fault of a row, in one line without its place."""


class NoReference(BadRow):
    """A row without a usable reference answer."""


@dataclass(frozen=True, slots=True)
class Fields:
    """Names of the fields of a row. ``answers``: the first that holds a usable answer counts. ``id``: None for no id."""

    question: str = "question"
    answers: tuple[str, ...] = ("answer",)
    id: str | None = "id"


def guess_fields(rows: Iterable[Mapping[str, object]]) -> Fields:
    """Return the usual names of fields that ``rows`` have, spelled as there; the defaults where there are none."""
    sample = list(rows)

    def present(candidates: Sequence[str]) -> list[str]:
        spelled = (_spelling(row, name) for name in candidates for row in sample)
        return list(dict.fromkeys(name for name in spelled if name is not None))

    defaults = Fields()
    questions, answers = present(QUESTIONS), present((*ANSWERS, *SOLUTIONS))
    question = questions[0] if questions else defaults.question
    is_chat = any(_is_chat(_find(row, question)) for row in sample)
    answers = [name for name in answers if name != question or is_chat]
    ids = present(IDS)
    return Fields(question, tuple(answers) or defaults.answers, ids[0] if ids else None)


def _spelling(row: Mapping[str, object], name: str) -> str | None:
    """Return the path ``name`` with the row's upper and lower case; None if the row holds nothing there."""
    value: object = row
    spelled = []
    for part in name.split("."):
        if not isinstance(value, Mapping):
            return None
        key = next((key for key in value if isinstance(key, str) and key.lower() == part), None)
        if key is None or value[key] is None:
            return None
        spelled.append(key)
        value = value[key]
    return ".".join(spelled)


def _lookup(row: Mapping[str, object], field: str) -> object:
    """Return the value at a path. Raises KeyError."""
    if field in row:
        return row[field]
    value: object = row
    for part in field.split("."):
        if not isinstance(value, Mapping) or part not in value:
            raise KeyError(field)
        value = value[part]
    return value


def _find(row: Mapping[str, object], field: str) -> object:
    try:
        return _lookup(row, field)
    except KeyError:
        return None


def read_value(row: Mapping[str, object], field: str) -> object:
    """Return the value of a field. Raises BadRow, which names the fields there, if the row does not have it."""
    try:
        return _lookup(row, field)
    except KeyError:
        names = ", ".join(repr(name) for name in list(row)[:8]) or "none"
        raise BadRow(f"field {field!r} is missing; the fields there are {names}") from None


def read_question(row: Mapping[str, object], field: str) -> str:
    """Return the question. Raises BadRow."""
    question = _text(_message(read_value(row, field), USERS), field)
    if len(question) > MAX_QUESTION:
        raise BadRow(f"the question in field {field!r} is {len(question)} characters long, {MAX_QUESTION} at most")
    return question


def read_answer(row: Mapping[str, object], field: str) -> str:
    """Return the reference answer. Raises NoReference if the field is missing or holds none, BadRow for other faults."""
    try:
        value = read_value(row, field)
    except BadRow as fault:
        raise NoReference(str(fault)) from None
    if value is None:
        raise NoReference(f"field {field!r} must be a text or a number, not None")
    if isinstance(value, Sequence) and not isinstance(value, str) and not _is_chat(value):
        texts = [_text(item, field) for item in value]
        if not texts:
            raise NoReference(f"field {field!r} is empty")
        text = ", ".join(texts) if all(map(is_short, texts)) else "\n".join(texts)
    else:
        text = _text(_message(value, ASSISTANTS), field, NoReference)
    answer = extract_reference(text, is_solution=is_solution(field) or _is_chat(value))
    if answer is None:
        raise NoReference(
            f"field {field!r} has no answer: expected a short text, or a solution with '#### ANSWER' or "
            f"\\boxed{{ANSWER}}, not {quote(text)}"
        )
    if len(answer) > MAX_LENGTH:
        raise NoReference(f"the answer in field {field!r} is {len(answer)} characters long, {MAX_LENGTH} at most")
    return answer


def is_solution(field: str) -> bool:
    """Return whether a field of that name usually holds worked solutions, so that its text is no answer as it stands."""
    return field.lower() in SOLUTIONS


def extract_reference(text: str, is_solution: bool = False) -> str | None:
    r"""Return the answer in a reference: after ``####``, in a ``\boxed{}``, or the whole of a short text; None if none.

    ``is_solution``: a short text counts only if it states an answer ("The answer is 5.").
    """
    text = text.strip()
    if GSM8K_MARK in text:
        return text.rsplit(GSM8K_MARK, 1)[1].strip() or None
    if "\\boxed" in text or "\\fbox" in text:
        return boxed_answer(text)
    if not is_solution and is_short(text):
        return " ".join(text.split("\n"))
    return extract_answer(text)


def is_short(text: str) -> bool:
    r"""Return whether a text can be an answer as it stands: one line, or a LaTeX environment of several (a matrix)."""
    return 0 < len(text) <= MAX_LENGTH and ("\n" not in text or text.lstrip("$[\\( ").startswith("begin{"))


def read_id(row: Mapping[str, object], field: str | None) -> str | None:
    """Return the id, None if the row has none. Raises BadRow."""
    value = None if field is None else _find(row, field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int)) or not str(value).strip():
        raise BadRow(f"field {field!r} must be a text or a whole number, not {quote(value)}")
    return str(value)


def _is_chat(value: object) -> bool:
    return (
        isinstance(value, Sequence)
        and len(value) > 0
        and all(isinstance(item, Mapping) and ("content" in item or "value" in item) for item in value)
    )


def _message(value: object, roles: Sequence[str]) -> object:
    """Return the content of the last message by one of ``roles``; a value that is no chat as it is."""
    if not isinstance(value, Sequence) or not _is_chat(value):
        return value
    contents = [item.get("content", item.get("value")) for item in value if item.get("role", item.get("from")) in roles]
    content = contents[-1] if contents else None
    if isinstance(content, list):  # parts, of which some may be images
        return "\n".join(str(part["text"]) for part in content if isinstance(part, Mapping) and part.get("text"))
    return content


def _text(value: object, field: str, fault: type[BadRow] = BadRow) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        raise fault(f"field {field!r} must be a text or a finite number, not {value}")
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))  # a column of whole numbers with a null somewhere becomes one of decimals
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise fault(f"field {field!r} must be a text or a number, not {quote(value)}")
    if not value.strip():
        raise fault(f"field {field!r} is empty")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise fault(f"field {field!r} holds half a surrogate pair, which is no text")
    return value.strip().replace("\r\n", "\n")


def quote(value: object) -> str:
    """Return a value as a message shows it."""
    text = repr(value)
    return text if len(text) <= QUOTE_LENGTH else text[:QUOTE_LENGTH] + "…"
