"""Marks in judgements, as models write them."""

from __future__ import annotations

import pytest

from search.formats.marks import parse_mark


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("Score: 4", 4.0),
        ("score:3.5/5", 3.5),
        ("Score: 1\nbut no. Score: 2", 2.0),
        ("**Score:** 4", 4.0),
        ("**Score: 3**/5", 3.0),
        ("Total score = 5 points", 5.0),
        ("I give it a score of 4 out of 5.", 4.0),
        ("Score: \\boxed{3}", 3.0),
        ("Score: <4>", 4.0),
        ("Score:\n4", 4.0),
        ("Score: 8/10", 4.0),  # another scale than the one that was named
        ("Score: 5.", 5.0),
        ("Score: 0", 0.0),
    ],
)
def test_mark_is_the_last_score(text: str, mark: float) -> None:
    assert parse_mark(text, 5.0) == mark


@pytest.mark.parametrize(
    "text",
    [
        "Score: 42",
        "Score: 5.5",
        "4 points",
        "Underscored 3 times",
        "Score: -3",
        "Score: 4.5.2",
        "Score: 3/0",
        "Score: four",
        "So much for the score.\n\n3 steps are right",
        "Score: 4\nNo. Score: 6",  # the last one counts, and is off the scale
        "",
    ],
)
def test_mark_is_none_when_it_cannot_be_read(text: str) -> None:
    assert parse_mark(text, 5.0) is None


def test_mark_is_read_on_the_scale_of_the_request() -> None:
    assert parse_mark("Score: 7", 10.0) == 7.0
    assert parse_mark("Score: 4/5", 10.0) == 8.0
