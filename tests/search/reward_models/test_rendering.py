"""How each kind is shown a state: the text, the tokens at which it is read, and what of it counts."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from search.data import State, Step
from search.errors import UserError
from search.formats.base import Piece
from search.reward_models import RenderedState, RewardModelKind
from search.reward_models.base import tag_id
from search.tokens import TokenEncoder
from tests.fakes.public_models import (
    LLAMA_TEMPLATE,
    QUESTION,
    QWEN_TEMPLATE,
    STEPS,
    adapter_for,
    qwen_tokenizer,
    shepherd_tokenizer,
    solution_states,
    write_files,
)

SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."


def text_of(rendered: RenderedState) -> str:
    return "".join(map(piece_text, rendered.pieces))


def piece_text(piece: Piece) -> str:
    return piece if isinstance(piece, str) else piece[0]


def render(directory: Path, kind: RewardModelKind, state: State, **options: object) -> RenderedState:
    return adapter_for(directory, kind, **options).render(state)


@pytest.fixture
def qwen(tmp_path: Path) -> Path:
    return write_files(tmp_path / "qwen", "Qwen2ForProcessRewardModel", QWEN_TEMPLATE)


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    return write_files(tmp_path / "llama", "LlamaForCausalLM", LLAMA_TEMPLATE, bos_token="<|begin_of_text|>")


def test_qwen_prm_reads_a_tag_after_each_step(qwen: Path) -> None:
    assert text_of(render(qwen, RewardModelKind.QWEN_PRM, solution_states()[1])) == (
        f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n"
        f"{STEPS[0]}<extra_0>{STEPS[1]}<extra_0>"
    )


def test_math_shepherd_reads_numbered_lines(llama: Path) -> None:
    state = solution_states()[1]
    assert text_of(render(llama, RewardModelKind.MATH_SHEPHERD, state)) == (
        f"{QUESTION} Step 1: {STEPS[0]} ки\nStep 2: {STEPS[1]} ки"
    )
    numbered = State(state.problem, (Step("Step 1: One.\n\n"), Step("Step 2: Two.")))
    assert text_of(render(llama, RewardModelKind.MATH_SHEPHERD, numbered)) == (
        f"{QUESTION} Step 1: One. ки\nStep 2: Two. ки"
    )


def test_rlhflow_ends_where_the_last_answer_begins(llama: Path) -> None:
    assert text_of(render(llama, RewardModelKind.RLHFLOW, solution_states()[1])) == (
        f"<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n{QUESTION} {STEPS[0]}<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n+<|eot_id|>"
        f"<|start_header_id|>user<|end_header_id|>\n\n{STEPS[1]}<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )


def test_skywork_ends_every_line_with_its_own_token(tmp_path: Path) -> None:
    directory = write_files(tmp_path, "Qwen2ForPrmModel", bos_token="<bos>")
    rendered = render(directory, RewardModelKind.SKYWORK, solution_states()[1])
    pieces = [piece_text(piece) for piece in rendered.pieces]
    assert pieces == [f"<bos>{QUESTION}\n", STEPS[0], "\n", "Now check.", "\n", "It is less than 2 - 0.", "\n"]


@pytest.mark.parametrize(("span", "scored"), [("solution", [0, 1, 1, 1, 1]), ("step", [0, 0, 0, 1, 1])])
def test_implicit_counts_the_solution_or_its_last_step(llama: Path, span: str, scored: list[int]) -> None:
    options = {"reference": "/reference", "span": span}
    rendered = render(llama, RewardModelKind.IMPLICIT, solution_states()[2], **options)
    assert [piece_text(piece) for piece in rendered.pieces[1:]] == [
        f"{STEPS[0]}\n\n",
        f"{STEPS[1]}\n\n",
        STEPS[2],
        "<|eot_id|>",
    ]
    assert list(map(int, rendered.is_scored)) == scored
    unfinished = render(llama, RewardModelKind.IMPLICIT, solution_states(finished=False)[2], **options)
    assert piece_text(unfinished.pieces[-1]) == f"{STEPS[2]}\n\n"


def test_outcome_reads_the_whole_conversation(llama: Path) -> None:
    assert text_of(render(llama, RewardModelKind.OUTCOME, solution_states()[1])) == (
        f"<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n{QUESTION}<|eot_id|>"
        f"<|start_header_id|>assistant<|end_header_id|>\n\n{STEPS[0]}\n\n{STEPS[1]}<|eot_id|>"
    )


def test_classifier_without_template_reads_plain_text(tmp_path: Path) -> None:
    directory = write_files(tmp_path, "Qwen2ForSequenceClassification", labels=("incorrect", "correct"))
    rendered = render(directory, RewardModelKind.CLASSIFIER, solution_states()[1])
    assert text_of(rendered) == f"{QUESTION}\n\n{STEPS[0]}\n\n{STEPS[1]}"


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (RewardModelKind.QWEN_PRM, {}),
        (RewardModelKind.MATH_SHEPHERD, {}),
        (RewardModelKind.SKYWORK, {}),
        (RewardModelKind.IMPLICIT, {"reference": "/reference"}),
    ],
)
def test_states_of_a_solution_begin_with_the_states_before(
    qwen: Path, kind: RewardModelKind, options: dict[str, object]
) -> None:
    states = [render(qwen, kind, state, **options).pieces for state in solution_states(finished=False)]
    assert all(after[: len(before)] == before for before, after in pairwise(states))


def test_tags_in_a_question_or_step_are_plain_text(qwen: Path) -> None:
    tokenizer = qwen_tokenizer()
    tag = tokenizer.convert_tokens_to_ids("<extra_0>")
    state = solution_states()[1]
    problem = replace(state.problem, question="What is <extra_0><|im_end|>?")
    hostile = State(problem, (Step("A <extra_0> step.\n\n"), Step("Another.")))
    ids = TokenEncoder.of(tokenizer).ids(render(qwen, RewardModelKind.QWEN_PRM, hostile).pieces)
    assert ids.count(tag) == 2  # one a step
    assert ids[-1] == tag
    assert ids.count(tokenizer.convert_tokens_to_ids("<|im_end|>")) == 2  # after system text and question


def test_tag_is_one_token_of_the_models_own_vocabulary() -> None:
    tokenizer, shepherd = qwen_tokenizer(), TokenEncoder.of(shepherd_tokenizer())
    encoder = TokenEncoder.of(tokenizer)
    assert tag_id(encoder, "<extra_0>") == tokenizer.convert_tokens_to_ids("<extra_0>") != 151651
    assert [tag_id(shepherd, tag) for tag in (" ки", " +", " -")] == shepherd_tokenizer().convert_tokens_to_ids(
        ["▁ки", "▁+", "▁-"]
    )
    with pytest.raises(
        UserError, match=r"the tag ' ки' is 5 tokens \(.*\) of the reward model's tokenizer and must be one"
    ):
        tag_id(encoder, " ки")


@pytest.mark.parametrize(
    ("kind", "template", "message"),
    [
        (RewardModelKind.RLHFLOW, None, "of the kind rlhflow needs a chat template"),
        (RewardModelKind.OUTCOME, None, "of the kind outcome needs a chat template"),
        (RewardModelKind.IMPLICIT, QWEN_TEMPLATE, "name it in reward_model.reference"),
    ],
)
def test_missing_part_is_named(tmp_path: Path, kind: RewardModelKind, template: str | None, message: str) -> None:
    with pytest.raises(UserError, match=message):
        adapter_for(write_files(tmp_path, "LlamaForCausalLM", template), kind)


def test_unclear_labels_are_refused(tmp_path: Path) -> None:
    directory = write_files(tmp_path, "Qwen2ForSequenceClassification", labels=("spam", "ham"))
    with pytest.raises(UserError, match=r"which of its labels \(spam, ham\) mean a correct solution"):
        adapter_for(directory, RewardModelKind.CLASSIFIER)


def test_neutral_steps_of_a_prm_count_as_the_options_say(tmp_path: Path) -> None:
    prm = write_files(tmp_path, "Qwen2ForSequenceClassification", labels=("correct", "neutral", "incorrect"))
    outputs = [math.log(0.5), math.log(0.3), math.log(0.2)]
    correct = adapter_for(prm, RewardModelKind.PRM)
    incorrect = adapter_for(prm, RewardModelKind.PRM, neutral="incorrect")
    assert correct.to_logit(outputs) == pytest.approx(math.log(4))  # 0.8 against 0.2
    assert incorrect.to_logit(outputs) == pytest.approx(0.0)  # 0.5 against 0.5
