"""Keys under which equal answers meet in a vote."""

from __future__ import annotations

import pytest

from search.grading.voting import canonical


@pytest.mark.parametrize(
    ("answer", "key"),
    [
        ("0.5", "1/2"), ("1/2", "1/2"), ("\\frac{1}{2}", "1/2"), ("$0.50", "1/2"), ("72 apples", "72"), ("25%",
        "25"), ("25", "25"), ("0.25", "1/4"),
        ("1,000", "1000"), ("-0", "0"), ("Blue Car", "blue car"), ("x + 1", "x+1"), ("X", "X"), ("(1, 2)", "(1,2)"),
        ("", ""), ("x=3", "3"), ("60 min", "3600 s"),
    ],
)  # fmt: skip
def test_key_is_the_normal_form(answer: str, key: str) -> None:
    assert canonical(answer) == key


@pytest.mark.parametrize(
    "group",
    [
        ["2\\sqrt{3}", "\\sqrt{12}", "2*sqrt(3)"], ["1, 2", "2 and 1", "\\{1,2\\}", "x=1 or x=2"], ["y=2x+1",
        "2x-y+1=0", "4x + 2 = 2y"],
        ["(x+1)^2", "x^2+2x+1"], ["x > 2", "(2,\\infty)"], ["x=1, y=2", "y=2, x=1", "(1, 2)"], ["1 h", "60 minutes"],
        ["\\pm 3", "3, -3"],
    ],
)  # fmt: skip
def test_equal_answers_share_a_key(group: list[str]) -> None:
    assert len(set(map(canonical, group))) == 1, list(map(canonical, group))


@pytest.mark.parametrize(
    ("a", "b"),
    [("25%", "0.25"), ("(1,2)", "(2,1)"), ("x=1, y=2", "x=2, y=1"), ("1 m", "1 cm"), ("0.333333", "1/3"), ("x<2",
    "x>2"), ("no", "on"), ("x+y<1", "x+y>1")],
)  # fmt: skip
def test_different_answers_have_different_keys(a: str, b: str) -> None:
    assert canonical(a) != canonical(b)
