"""The worked examples of configs/shots are solutions in the format that they are for."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.data import Candidate, Finish
from search.formats.plain_format import HOW, PlainFormat
from search.formats.prose import Delimiter

EXAMPLES = Path(__file__).parents[3] / "configs" / "shots" / "gsm8k_plain.txt"
ANSWERS = ("22", "18", "8", "42")


@pytest.mark.parametrize(("example", "answer"), zip(EXAMPLES.read_text().split("\n---\n"), ANSWERS, strict=True))
def test_plain_example_is_parsed_into_steps_and_its_answer(example: str, answer: str) -> None:
    prompt, _, solution = example.partition("\n\n")
    steps = PlainFormat().parse(Candidate(solution.strip("\n"), (), Finish.END))
    assert prompt.startswith("Question: ") and prompt.endswith(
        f"Answer {HOW[Delimiter.BLANK_LINE]}, the final answer in \\boxed{{}}."
    )
    assert len(steps) >= 3
    assert steps[-1].answer == answer
