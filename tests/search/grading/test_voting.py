"""Keys under which equal answers meet in a vote."""

from __future__ import annotations

import pytest

from search.grading.voting import MAX_COMPARISONS, canonical, merged_keys


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


def test_groups_of_equal_value_are_merged_in_a_vote() -> None:
    answers = [
        r"\ln 6",
        None,
        r"\ln 2 + \ln 3",
        "6",
        "x = \\ln 6",
        r"\ln 7",
        r"\sin^2 t + \cos^2 t",
        "1",
        "0.693147",
        r"\ln 2",
    ]
    keys = merged_keys(answers)
    assert keys[r"\ln 6"] == keys[r"\ln 2 + \ln 3"] == keys["x = \\ln 6"]
    assert keys[r"\sin^2 t + \cos^2 t"] == keys["1"]
    assert len(set(keys.values())) == 6  # 0.693147 is not ln 2: no reference, no rounding
    assert keys == merged_keys(reversed(answers))


def test_one_vote_compares_a_bounded_number_of_pairs() -> None:
    pairs: list[tuple[str, str]] = []

    def differ(a: str, b: str) -> bool:
        pairs.append((a, b))
        return False

    answers = [f"\\ln {n} + \\sin {n}" for n in range(2, 40)]
    assert len(set(merged_keys([*answers, "3", "(1, 2)"], differ).values())) == 40
    assert len(pairs) == MAX_COMPARISONS
    assert merged_keys(["1", "2", r"\sqrt 2", "(1,2)"], lambda *_: pytest.fail("decided without algebra"))
