"""Texts by which a policy marks its solutions: built in, or of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.errors import UserError
from search.formats.judge_prompts import JUDGE_PROMPTS, read_judge_prompt
from search.formats.marks import parse_mark


@pytest.mark.parametrize("name", sorted(JUDGE_PROMPTS))
def test_built_in_text_asks_for_a_line_that_is_read(name: str) -> None:
    text = read_judge_prompt(name)
    assert text == JUDGE_PROMPTS[name] and text.endswith("Score: <points>")
    assert parse_mark(text, 5.0) is None  # a policy that repeats it gives no mark
    assert parse_mark(text.replace("<points>", "3"), 5.0) == 3.0


def test_text_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "judge.txt"
    file.write_text("Is it good? Score: <0 to 5>\n")
    assert read_judge_prompt(str(file)) == "Is it good? Score: <0 to 5>"


def test_text_is_refused_when_it_is_missing_or_asks_for_no_score(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"method\.options\.prompt: harsh is not one of mathematics, general, and no file"
    ):
        read_judge_prompt("harsh")
    file = tmp_path / "judge.txt"
    file.write_text("Is it good?")
    with pytest.raises(UserError, match=r"judge\.txt does not ask for a line 'Score: <0 to 5>'"):
        read_judge_prompt(str(file))
