"""What the answer of a solution is."""

from __future__ import annotations

import pytest

from search.grading.extract import boxed_answer, extract_answer, without_thinking


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("First \\boxed{1}, no: \\boxed{\\frac{1}{\\sqrt{2}}}.", "\\frac{1}{\\sqrt{2}}"),
        ("So $$\\boxed{x^{2}+1}$$ holds.", "x^{2}+1"),
        ("Thus \\fbox{7}", "7"),
        ("\\boxed {\\text{No}}", "\\text{No}"),
        ("\\boxed{\\boxed{7}}", "7"),
        ("\\boxed{\\{1, 2\\}}", "\\{1, 2\\}"),
        ("$\\boxed{3}$ and $\\boxed{4}$", "3, 4"),
        ("\\boxed{3}, \\boxed{4}", "3, 4"),
        ("\\boxed{3} at first. In the end \\boxed{4}", "4"),
        ("\\boxed{1", None),
        ("\\boxed{ }", None),
        ("\\boxed{2} then \\boxed{}", None),
    ],
)
def test_last_balanced_box_is_the_answer(text: str, answer: str | None) -> None:
    assert boxed_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("He has 48 + 24 = 72.\n#### 72", "72"),
        ("#### 1,234 ", "1,234"),
        ("So the answer is 72.", "72"),
        ("The final answer is: **3.5**.", "3.5"),
        ("Answer: $x = 2$", "$x = 2$"),
        ("The answer is 12. The check is easy.", "12"),
        ("<think>\\boxed{1}</think>The answer is \\boxed{2}", "2"),
        ("\\boxed{1}</think> so 2.\n#### 2", "2"),
        ("<think>maybe \\boxed{1}", None),
        ("nothing here", None),
        ("", None),
    ],
)
def test_answer_is_extracted(text: str, answer: str | None) -> None:
    assert extract_answer(text) == answer


def test_thinking_is_left_out() -> None:
    assert without_thinking("a<think>b</think>c<think>d") == "ac"
    assert without_thinking("b</think>c") == "c"
