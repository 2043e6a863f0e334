"""Requests beside the question, in every format."""

from __future__ import annotations

from dataclasses import replace

import pytest

from search import serialization
from search.data import Candidate, Finish, Problem, Request, State, Step, StepStatus
from search.formats.base import Source, StepFormat
from search.formats.chat_format import ChatFormat
from search.formats.chat_template import ChatTemplate
from search.formats.code_format import CodeFormat
from search.formats.judge_prompts import GENERAL, MATHEMATICS
from search.formats.plain_format import PlainFormat
from search.formats.requests import REFLECT, hint_request, judge_request, reflection_request
from search.formats.turns import lay_out

TEMPLATE = ChatTemplate(
    "{% for message in messages %}<{{ message.role }}>{{ message.content | trim }}</>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
PROBLEM = Problem(id="p", question="How many?", answer="2", source="t")
CHAT, PLAIN, CODE = ChatFormat(TEMPLATE, system=None), PlainFormat(), CodeFormat()
PROSE = (Step("One.\n\n"), Step("Two."))
PROGRAM = (Step("x = 1<end_of_step>", code="x = 1"), Step("print(x)<end_of_code>", code="print(x)", output="1"))
ASK = "Question: How many?\nAnswer step by step, a blank line after each step, the final answer in \\boxed{}.\n\n"
SOLVE = "<|user|>: How many?\n<|assistant|>: <code>\n"


def text(form: StepFormat, state: State) -> str:
    return "".join(segment.text for segment in form.segments(state))


@pytest.mark.parametrize(
    ("form", "steps", "expected"),
    [
        (CHAT, PROSE, "<user>How many?</><assistant>One.\n\n</><user>Go on.</><assistant>Two."),
        (PLAIN, PROSE, f"{ASK}One.\n\nGo on.\n\nTwo."),
        (
            CODE,
            PROGRAM,
            f"{SOLVE}x = 1<end_of_step>\n<|user|>: Go on.\n<|assistant|>: <code>\nprint(x)<end_of_code>\n"
            "<output>1<end_of_output>\n",
        ),
    ],
)
def test_request_stands_after_the_steps_before_it(form: StepFormat, steps: tuple[Step, ...], expected: str) -> None:
    state = State(PROBLEM, steps, Request("Go on.", steps_before=1))
    assert text(form, state) == expected
    assert text(form, state).startswith(text(form, State(PROBLEM, steps[:1])))  # the shared prefix stays one
    assert sum(segment.source is Source.MODEL for segment in form.segments(state)) == len(steps)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (CHAT, "<user>How many?\n\nGo on.</><assistant>"),
        (PLAIN, ASK.replace("many?", "many?\n\nGo on.")),
        (CODE, SOLVE.replace("many?", "many?\n\nGo on.")),
    ],
)
def test_request_before_every_step_is_part_of_the_question(form: StepFormat, expected: str) -> None:
    assert text(form, State(PROBLEM, (), Request("Go on."))) == expected
    assert text(form, State(replace(PROBLEM, request=Request("Go on.")))) == expected


@pytest.mark.parametrize(
    ("form", "steps", "attempt"),
    [
        (CHAT, PROSE, f"<user>How many?</><assistant>One.\n\nTwo.</><user>{REFLECT}</><assistant>"),
        (PLAIN, PROSE, f"{ASK}One.\n\nTwo.\n\n{REFLECT}\n\n"),
        (
            CODE,
            PROGRAM,
            f"{SOLVE}x = 1<end_of_step>\nprint(x)<end_of_code>\n<output>1<end_of_output>\n"
            f"<|user|>: {REFLECT}\n<|assistant|>: <code>\n",
        ),
    ],
)
def test_reflection_follows_the_attempt(form: StepFormat, steps: tuple[Step, ...], attempt: str) -> None:
    state = State(PROBLEM, (Step("New."),), reflection_request(steps))
    assert text(form, state) == f"{attempt}New."
    assert [segment.text for segment in form.segments(state) if segment.source is Source.MODEL] == ["New."]


def test_judgement_is_asked_without_examples_and_code() -> None:
    judged = State(replace(PROBLEM, request=judge_request(PROGRAM)))
    assert text(replace(CODE, shots=("Q A",)), judged) == (
        f"{SOLVE}x = 1<end_of_step>\nprint(x)<end_of_code>\n<output>1<end_of_output>\n<|user|>: {MATHEMATICS}\n<|assistant|>:"
    )
    judged = State(replace(PROBLEM, request=judge_request(PROSE)))
    assert text(replace(PLAIN, shots=("Q A",)), judged) == f"Question: How many?\n\nOne.\n\nTwo.\n\n{MATHEMATICS}\n\n"
    shot = "<|user|>: Q\n<|assistant|>: A"
    assert text(replace(CHAT, shots=(shot,)), judged) == text(CHAT, judged)


def test_hint_and_request_are_both_put() -> None:
    hinted = replace(PROBLEM, request=hint_request("2"))
    turns = lay_out(State(hinted, PROSE, Request("Go on.", steps_before=2)))
    assert (
        turns.question == "How many?\n\n(The answer is 2. Show the steps that lead to it, as if nobody had told you.)"
    )
    assert [(exchange.steps, exchange.request) for exchange in turns.exchanges] == [(PROSE, "Go on.")]
    assert turns.steps == ()


@pytest.mark.parametrize("form", [CHAT, PLAIN])
def test_end_of_a_turn_of_one_step_is_the_end_of_the_step(form: StepFormat) -> None:
    state = State(PROBLEM, (Step("So \\boxed{1}?\n\n"),), Request("One step.", steps_before=1, asks_for_step=True))
    assert form.parse(Candidate("Not 1.", (), Finish.END), state) == (Step("Not 1.\n\n"),)
    assert form.parse(Candidate("", (), Finish.END), state) == ()
    final = Step("It is \\boxed{2}.", status=StepStatus.FINAL, answer="2")
    assert form.parse(Candidate(final.text, (), Finish.END), state) == (final,)


def test_second_request_at_the_same_place_joins_the_first() -> None:
    turns = lay_out(State(replace(PROBLEM, request=reflection_request(PROSE)), (), Request("Go on.")))
    assert [exchange.request for exchange in turns.exchanges] == [f"{REFLECT}\n\nGo on."]


@pytest.mark.parametrize("request_text", [REFLECT, MATHEMATICS, GENERAL, hint_request("2").text])
def test_requests_say_nothing_of_a_step_format(request_text: str) -> None:
    assert not any(mark in request_text for mark in ("boxed", "blank line", "<", "code")) or "<points>" in request_text


def test_problem_with_a_request_survives_its_file() -> None:
    problem = replace(PROBLEM, request=judge_request(PROGRAM))
    assert serialization.load(Problem, serialization.dump(problem)) == problem
    assert State(problem, PROSE, Request("Go on.")).then(Step("x")).request == Request("Go on.")
