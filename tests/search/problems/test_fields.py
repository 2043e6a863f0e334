"""Fields of rows: their names are guessed, nested and in chats, and an answer is taken out of a solution."""

from __future__ import annotations

import pytest

from search.problems.fields import (
    MAX_QUESTION,
    BadRow,
    Fields,
    NoReference,
    extract_reference,
    guess_fields,
    read_answer,
    read_id,
    read_question,
)

CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is 1 + 1?"},
    {"role": "assistant", "content": "It is \\boxed{2}."},
]


@pytest.mark.parametrize(
    ("row", "fields"),
    [
        ({"question": "q", "answer": "1"}, Fields("question", ("answer",), None)),
        ({"id": 3, "Problem": "q", "Solution": "s", "Answer": "1"}, Fields("Problem", ("Answer", "Solution"), "id")),
        ({"query": "q", "response": "s"}, Fields("query", ("response",), None)),
        ({"problem": "q", "solution": "s", "final_answer": None}, Fields("problem", ("solution",), None)),
        (
            {"prompt": CHAT[:2], "reward_model": {"ground_truth": "2"}, "extra_info": {"index": "a"}},
            Fields("prompt", ("reward_model.ground_truth",), None),
        ),
        ({"extra_info": {"question": "q", "answer": "2"}}, Fields("extra_info.question", ("extra_info.answer",), None)),
        ({"messages": CHAT}, Fields("messages", ("messages",), None)),
        ({"text": "q", "label": "2"}, Fields("question", ("answer",), None)),
    ],
)
def test_field_names_are_guessed(row: dict[str, object], fields: Fields) -> None:
    assert guess_fields([{}, row]) == fields


def test_chat_holds_question_and_solution() -> None:
    row = {"messages": CHAT, "parts": [{"role": "user", "content": [{"type": "text", "text": "What?"}]}]}
    assert read_question(row, "messages") == "What is 1 + 1?"
    assert read_answer(row, "messages") == "2"
    assert read_question(row, "parts") == "What?"
    shared = {"conversations": [{"from": "human", "value": "Q?"}, {"from": "gpt", "value": "The answer is 4."}]}
    assert (read_question(shared, "conversations"), read_answer(shared, "conversations")) == ("Q?", "4")
    with pytest.raises(NoReference):
        read_answer({"messages": CHAT[:2]}, "messages")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("He sold 24.\nHe sold <<48+24=72>>72.\n#### 72", "72"),
        ("#### 1,234 ", "1,234"),
        ("So \\boxed{1} or rather \\boxed{\\frac{1}{2}}.", "\\frac{1}{2}"),
        ("  x + 1 ", "x + 1"),
        ("First this.\nThen that.", None),
        ("First this.\nThe answer is 5.", "5"),
        ("\\begin{pmatrix} 1 & 2 \\\\\n3 & 4 \\end{pmatrix}", "\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}"),
        ("w" * 1500, None),
        ("####", None),
        ("\\boxed{}", None),
    ],
)
def test_reference_answer_is_extracted(text: str, answer: str | None) -> None:
    assert extract_reference(text) == answer


def test_short_solution_is_no_answer_as_it_stands() -> None:
    assert extract_reference("This is clear.", is_solution=True) is None
    assert extract_reference("So the answer is 7.", is_solution=True) == "7"
    assert read_answer({"solution": "Thus \\boxed{7}."}, "solution") == "7"
    with pytest.raises(NoReference, match="field 'solution' has no answer"):
        read_answer({"solution": "This is clear."}, "solution")


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        (5, "5"),
        (142.0, "142"),
        (-0.5, "-0.5"),
        (1e20, "1e+20"),
        (["$1$", 2], "$1$, 2"),
        (["3"], "3"),
        (2**70, str(2**70)),
    ],
)
def test_numbers_and_lists_are_answers(value: object, answer: str) -> None:
    assert read_answer({"answer": value}, "answer") == answer


@pytest.mark.parametrize("value", [None, "", " ", [], float("nan"), True, {"a": 1}])
def test_value_that_is_no_answer_is_no_reference(value: object) -> None:
    with pytest.raises(NoReference):
        read_answer({"answer": value}, "answer")


def test_multi_line_question_keeps_its_lines() -> None:
    assert read_question({"question": " One.\r\nTwo.\n\nThree. "}, "question") == "One.\nTwo.\n\nThree."


def test_question_that_is_too_long_is_refused() -> None:
    with pytest.raises(BadRow, match=f"is {MAX_QUESTION + 1} characters long, {MAX_QUESTION} at most"):
        read_question({"question": "w" * (MAX_QUESTION + 1)}, "question")


def test_column_whose_name_has_a_dot_is_read() -> None:
    row = {"a.b": "1", "a": {"b": "2", "c": 3}}
    assert (read_answer(row, "a.b"), read_answer(row, "a.c")) == ("1", "3")
    assert (read_id({"x": {"y": 7}}, "x.y"), read_id({}, "x.y"), read_id({}, None)) == ("7", None, None)
