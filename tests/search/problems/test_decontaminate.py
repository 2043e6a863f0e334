"""Decontamination: a question in other words is dropped, another question is kept."""

from __future__ import annotations

import pytest

from search.data import Problem
from search.problems.decontaminate import Overlap, decontaminate, tokenize

TRAIN = "Amanda got $50 as a gift and plans to buy two tapes that cost $9 each and a headset"


def problem(name: str, question: str) -> Problem:
    return Problem(id=name, question=question, answer="1", source="test")


def test_tokenize_by_hand() -> None:
    assert tokenize("Add 1,000 + 2.") == ("add", "1,000", "+", "2")
    assert tokenize("ＡDD\n1,000  + 2!") == ("add", "1,000", "+", "2")
    assert tokenize("3-4") != tokenize("3+4")


def test_same_words_and_numbers_are_the_same_question() -> None:
    clean = decontaminate(
        [problem("t", "What is  2 + 3?"), problem("u", "What is 2 + 4?")], [problem("e", "what is 2 + 3")]
    )
    assert [p.id for p in clean.kept] == ["u"]
    assert clean.dropped == (Overlap("t", "e", 1.0),)
    assert clean.dropped_ids == ("t",)


def test_share_of_common_ngrams_by_hand() -> None:
    # 19 tokens have 12 8-grams; another first word spoils one of them.
    assert len(tokenize(TRAIN)) == 19
    other = problem("e", TRAIN.replace("Amanda", "Josie"))
    clean = decontaminate([problem("t", TRAIN)], [other], ngram=8, threshold=0.9)
    assert clean.dropped == (Overlap("t", "e", pytest.approx(11 / 12)),)
    assert decontaminate([problem("t", TRAIN)], [other], ngram=8, threshold=0.95).dropped == ()
    assert decontaminate([problem("t", TRAIN)], [other], ngram=0).dropped == ()


def test_other_numbers_make_another_question() -> None:
    other = problem("e", TRAIN.replace("50", "60").replace("9", "7"))
    assert decontaminate([problem("t", TRAIN)], [other]).dropped == ()


def test_question_inside_a_longer_one_is_dropped() -> None:
    longer = (
        "Before the summer holidays began in earnest, this happened to all of us in town: "
        + TRAIN
        + ". How much is left?"
    )
    assert decontaminate([problem("t", TRAIN)], [problem("e", longer)]).dropped == (Overlap("t", "e", 1.0),)
    assert decontaminate([problem("t", longer)], [problem("e", TRAIN)]).dropped == (Overlap("t", "e", 1.0),)


def test_overlap_names_the_closest_evaluation_problem() -> None:
    half = " ".join(TRAIN.split()[:12]) + " some shoes and a very long red winter coat"
    clean = decontaminate(
        [problem("t", TRAIN)], [problem("far", half), problem("near", TRAIN + " today")], threshold=0.2
    )
    assert clean.dropped == (Overlap("t", "near", 1.0),)


def test_nothing_is_dropped_without_evaluation_problems() -> None:
    assert decontaminate([problem("t", "q")], []).kept == (problem("t", "q"),)
