"""The step format "chat": prompts of each family's template, byte for byte, and what is read back."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest

from search.data import Candidate, Finish, Problem, Request, State, Step, StepStatus, Until
from search.errors import UserError
from search.formats.base import Source
from search.formats.chat_format import SYSTEM_TEXT, ChatFormat
from search.formats.chat_template import ChatTemplate
from search.formats.prose import Delimiter
from tests.search.formats.chat_templates import TEMPLATES

PROBLEM = Problem(id="p", question="How many?\n", answer="2", source="t")
STEPS = (Step(" One.\n\n"), Step("Two."))
STATE = State(PROBLEM, STEPS, Request("Go on.", steps_before=1))
IM = "<|im_start|>"

# Of each family: the prompt before the question, what stands between question and solution, between a step and the end of
# the request after it, and the end of a turn.
GOLDEN = {
    "qwen2.5": (
        f"{IM}system\n{SYSTEM_TEXT}<|im_end|>\n{IM}user\nHow many?\n<|im_end|>\n{IM}assistant\n",
        f"<|im_end|>\n{IM}user\nGo on.<|im_end|>\n{IM}assistant\n",
        "<|im_end|>",
    ),
    "qwen3": (
        f"{IM}system\n{SYSTEM_TEXT}<|im_end|>\n{IM}user\nHow many?\n<|im_end|>\n{IM}assistant\n<think>\n\n</think>\n\n",
        f"<|im_end|>\n{IM}user\nGo on.<|im_end|>\n{IM}assistant\n<think>\n\n</think>\n\n",
        "<|im_end|>",
    ),
    "smollm2": (
        f"{IM}system\n{SYSTEM_TEXT}<|im_end|>\n{IM}user\nHow many?\n<|im_end|>\n{IM}assistant\n",
        f"<|im_end|>\n{IM}user\nGo on.<|im_end|>\n{IM}assistant\n",
        "<|im_end|>",
    ),
    "llama3": (
        f"<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n{SYSTEM_TEXT}<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nHow many?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nGo on.<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        "<|eot_id|>",
    ),
    "llama3.2": (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\n"
        f"Today Date: 26 Jul 2024\n\n{SYSTEM_TEXT}<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nHow many?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nGo on.<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        "<|eot_id|>",
    ),
    "llama2": (
        f"<s>[INST] <<SYS>>\n{SYSTEM_TEXT}\n<</SYS>>\n\nHow many? [/INST]",
        " </s><s>[INST] Go on. [/INST]",
        "</s>",
    ),
    "mistral": (f"<s>[INST] {SYSTEM_TEXT}\n\nHow many?\n[/INST]", "</s>[INST] Go on.[/INST]", "</s>"),
    "gemma": (
        f"<bos><start_of_turn>user\n{SYSTEM_TEXT}\n\nHow many?<end_of_turn>\n<start_of_turn>model\n",
        "<end_of_turn>\n<start_of_turn>user\nGo on.<end_of_turn>\n<start_of_turn>model\n",
        "<end_of_turn>",
    ),
    "phi3": (
        f"<|system|>\n{SYSTEM_TEXT}<|end|>\n<|user|>\nHow many?\n<|end|>\n<|assistant|>\n",
        "<|end|>\n<|user|>\nGo on.<|end|>\n<|assistant|>\n",
        "<|end|>",
    ),
    "r1": (
        f"<|begin_of_sentence|>{SYSTEM_TEXT}<|User|>How many?\n<|Assistant|><think>\n",
        "<|end_of_sentence|><|User|>Go on.<|Assistant|><think>\n",
        "<|end_of_sentence|>",
    ),
}


def chat(name: str = "qwen2.5") -> ChatFormat:
    return ChatFormat(TEMPLATES[name])


def text(form: ChatFormat, state: State) -> str:
    return "".join(segment.text for segment in form.segments(state))


def parse(
    form: ChatFormat, candidate: str, finish: Finish, state: State | None = None
) -> list[tuple[str, str, str | None]]:
    steps = form.parse(Candidate(candidate, (), finish), state)
    return [(step.text, step.status.value, step.answer) for step in steps]


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_prompt(name: str) -> None:
    prompt, request, turn_end = GOLDEN[name]
    form = chat(name)
    segments = form.segments(STATE)
    assert [segment.text for segment in segments] == [prompt, " One.\n\n", request, "Two."]
    assert [segment.source for segment in segments] == [Source.PROMPT, Source.MODEL, Source.PROMPT, Source.MODEL]
    assert [segment.literals for segment in segments] == [("How many?",), (), ("Go on.",), ()]
    assert form.turn_end == turn_end


@pytest.mark.parametrize("name", GOLDEN)
def test_state_begins_with_the_states_before_it(name: str) -> None:
    form, before = chat(name), ""
    for state in (State(PROBLEM), State(PROBLEM, STEPS[:1]), STATE, STATE.then(Step("\n\nEnd."))):
        assert text(form, state).startswith(before)
        before = text(form, state)


def test_system_text_is_left_to_the_template_without_one() -> None:
    default = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
    assert text(ChatFormat(TEMPLATES["qwen2.5"], system=None), State(PROBLEM)).startswith(f"{IM}system\n{default}")
    assert SYSTEM_TEXT not in text(ChatFormat(TEMPLATES["gemma"], system=None), State(PROBLEM))


def test_examples_are_earlier_turns() -> None:
    form = ChatFormat(TEMPLATES["gemma"], shots=("<|user|>: One?\n\nNo.\n<|assistant|>: It is\n\n\\boxed{1}.\n",))
    assert text(form, State(PROBLEM)) == (
        f"<bos><start_of_turn>user\n{SYSTEM_TEXT}\n\nOne?\n\nNo.<end_of_turn>\n<start_of_turn>model\n"
        "It is\n\n\\boxed{1}.<end_of_turn>\n<start_of_turn>user\nHow many?<end_of_turn>\n<start_of_turn>model\n"
    )
    assert text(form.for_reward_model(), State(PROBLEM)) == text(chat("gemma"), State(PROBLEM))


def test_example_without_turns_is_refused() -> None:
    with pytest.raises(UserError, match=r"policy.shots: a worked example of the format chat is '<\|user\|>: QUESTION'"):
        ChatFormat(TEMPLATES["gemma"], shots=("Question: One?",)).segments(State(PROBLEM))


def test_template_without_earlier_turns_takes_no_request() -> None:
    form = ChatFormat(ChatTemplate("{{ messages[-1].content }}"), system=None)
    assert text(form, State(PROBLEM)) == PROBLEM.question
    with pytest.raises(UserError, match="leaves out what the model said before"):
        form.segments(STATE)


def test_stops_are_the_end_of_a_step_and_of_the_turn() -> None:
    assert chat().stops(State(PROBLEM), Until.STEP) == ("\n\n", "<|im_end|>")
    assert chat().stops(State(PROBLEM), Until.PAUSE) == ("<|im_end|>",)
    assert replace(chat(), delimiter=Delimiter.LINE).stops(State(PROBLEM), Until.STEP) == ("\n", "<|im_end|>")


def test_end_of_the_turn_ends_the_solution() -> None:
    state = State(PROBLEM, (Step("So \\boxed{3}.\n\n"),))
    for candidate, finish in (("", Finish.END), ("<|im_end|>", Finish.STOP), ("\n\n<|im_end|>", Finish.STOP)):
        assert parse(chat(), candidate, finish, state) == [("", "final", "3")]
    assert parse(chat(), "So \\boxed{4}.\n\n", Finish.STOP, state) == [("So \\boxed{4}.\n\n", "open", None)]
    assert parse(chat(), "Or \\boxed{4}.<|im_end|>", Finish.STOP, state) == [("Or \\boxed{4}.", "final", "4")]


def test_thinking_is_one_step() -> None:
    form = ChatFormat(TEMPLATES["qwen3"], thinking=True)
    assert text(form, State(PROBLEM)).endswith(f"{IM}assistant\n")
    assert form.stops(State(PROBLEM), Until.STEP) == ("</think>", "<|im_end|>")
    thought = "<think>\nPerhaps \\boxed{9}.\n\nNo.\n</think>"
    assert parse(form, thought, Finish.STOP) == [(f"{thought}\n\n", "open", None)]
    assert parse(form, f"{thought}\n\nIt is\n\n\\boxed{{2}}.", Finish.END) == [
        (f"{thought}\n\n", "open", None),
        ("It is\n\n", "open", None),
        ("\\boxed{2}.", "final", "2"),
    ]
    after = State(PROBLEM, (Step(f"{thought}\n\n"),))
    assert form.stops(after, Until.STEP) == ("\n\n", "<|im_end|>")
    assert parse(form, "I do not know.", Finish.END, after) == [("I do not know.", "no_answer", None)]
    assert parse(form, "No thoughts.\n\n", Finish.STOP) == [("No thoughts.\n\n", "open", None)]


def test_unfinished_thinking_stays_open() -> None:
    form = chat("r1")  # its prompt begins the thinking
    assert form.stops(State(PROBLEM), Until.STEP) == ("</think>", "<|end_of_sentence|>")
    cut = "So far\n\nnothing\nto s"
    assert parse(form, cut, Finish.LENGTH) == [(cut, "open", None)]
    after = State(PROBLEM, (Step(cut),))
    assert form.stops(after, Until.STEP) == ("</think>", "<|end_of_sentence|>")
    assert parse(form, "ay.\n</think>", Finish.STOP, after) == [("ay.\n</think>\n\n", "open", None)]
    assert parse(form, "ay. \\boxed{1}", Finish.END, after) == [("ay. \\boxed{1}", "no_answer", None)]


def test_reward_model_reads_no_thinking() -> None:
    thinking = (
        Step("So far\n\nnothing\nto s"),
        Step("ay.\n</think>\n\n"),
        Step("\\boxed{2}", status=StepStatus.FINAL, answer="2"),
    )
    segments = chat("r1").for_reward_model().segments(State(PROBLEM, thinking))
    prompt = f"<|begin_of_sentence|>{SYSTEM_TEXT}<|User|>How many?\n<|Assistant|>"
    assert [segment.text for segment in segments] == [prompt, "", "", "\\boxed{2}"]
    form = ChatFormat(TEMPLATES["qwen3"], thinking=True).for_reward_model()
    segments = form.segments(State(PROBLEM, (Step("<think>\nHm.\n</think>\n\n"), Step("One."))))
    assert [segment.text for segment in segments] == [GOLDEN["qwen3"][0], "", "One."]


def test_chat_format_travels_between_processes() -> None:
    form = chat("llama3")
    again = pickle.loads(pickle.dumps(form))
    assert again == form and again.segments(STATE) == form.segments(STATE)
