"""The generative judge: what it is asked, how its marks are read, what they are worth."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from search.errors import UserError
from search.reward_models import RewardModelKind
from search.reward_models.judge import Judge, read_mark
from tests.fakes.public_models import QUESTION, QWEN_TEMPLATE, STEPS, adapter_for, solution_states, write_files


def make_judge(directory: Path, **options: object) -> Judge:
    adapter = adapter_for(
        write_files(directory, "Qwen2ForCausalLM", QWEN_TEMPLATE), RewardModelKind.JUDGE, judge=options
    )
    assert isinstance(adapter, Judge)
    return adapter


@pytest.mark.parametrize(
    ("judgement", "mark"),
    [
        ("It is fine.\nScore: 8", 0.8),
        ("Score: 4\nno, Score: 7/10", 0.7),
        ("**Score:** 2.5", 0.25),
        ("score = 10", 1.0),
        ("Score: 11", None),
        ("Underscored 3 times", None),
        ("", None),
    ],
)
def test_mark_is_the_last_one_on_the_scale(judgement: str, mark: float | None) -> None:
    assert read_mark(judgement) == mark


def test_marks_become_finite_log_odds_by_hand(tmp_path: Path) -> None:
    judge = make_judge(tmp_path)
    assert judge.to_logit([0.8, 0.6]) == pytest.approx(math.log((1.9 / 3) / (1.1 / 3)))  # (0.8 + 0.6 + 0.5) / 3
    assert judge.to_logit([1.0] * 4) == pytest.approx(math.log(9))  # 4.5 / 5, not infinite
    assert judge.to_logit([]) == 0.0


def test_step_is_judged_by_a_request_of_its_own(tmp_path: Path) -> None:
    judge = make_judge(tmp_path)
    request = judge.request(solution_states()[1])
    assert QUESTION in request
    assert f"Step 1: {STEPS[0]}\n\nStep 2: {STEPS[1]}" in request
    assert "Look at step 2 only" in request
    ((text, *literals),) = judge.render(solution_states()[1]).pieces
    assert text.endswith(f"<|im_start|>user\n{request}<|im_end|>\n<|im_start|>assistant\n")
    assert "Answer step by step" not in text  # nothing of the step format
    assert literals == [QUESTION, *STEPS[:2]]


def test_solution_is_judged_as_a_whole_if_wanted(tmp_path: Path) -> None:
    request = make_judge(tmp_path, scope="solution").request(solution_states()[2])
    assert "or will be once it is finished" in request and STEPS[2] in request


def test_prompt_can_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "prompt.txt"
    file.write_text("{question} | {solution} | {number} | {x}")
    judge = make_judge(tmp_path / "model", prompt=str(file))
    assert judge.request(solution_states()[0]) == f"{QUESTION} | Step 1: {STEPS[0]} | 1 | {{x}}"
    file.write_text("{question}")
    with pytest.raises(UserError, match=r"reward_model.judge.prompt: .*prompt.txt lacks \{solution\}"):
        make_judge(tmp_path / "model", prompt=str(file))
    with pytest.raises(UserError, match="cannot read"):
        make_judge(tmp_path / "model", prompt=str(tmp_path / "missing"))
