"""Properties of the grader over random text: it never raises, is reflexive, and its vote keys are an equivalence."""

from __future__ import annotations

import asyncio
import string
from fractions import Fraction
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from search.grading import equivalence, extract_answer
from search.grading.kinds import Number
from search.grading.reading.reader import read
from search.grading.values.forms import is_equal
from search.grading.voting import canonical, merged_keys

PIECES = [
    "\\frac", "\\sqrt", "{", "}", "(", ")", "[", "]", "\\{", "\\}", "^", "_", "x", "y", "e", "i", "12", "0.5",
    "1,234", ",", ";", "=", "<", "\\le",
    "\\in", "\\cup", "\\pm", "\\text{", "\\boxed{", "$", "%", "\\%", "°", "!", "|", "+", "-", "*", "/", "\\\\", "&",
    "\\begin{pmatrix}",
    "\\end{pmatrix}", " ", " and ", " or ", "cm", "\\mathrm{m}", "∞", "½", "²", "√", "\\infty", ":", "\\sin",
    "\\log_2", "π", "…", "Interval(",
    "Matrix([[", "]])", "dozen", "²₃", "\\overline{3}", "0.", "base 2", "_2", "\x02", "\u2028", "\ud83d",
]  # fmt: skip
latex = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)
texts = st.one_of(latex, st.text(max_size=40), st.text(string.printable, max_size=40))
values = st.one_of(
    st.integers(-(10**6), 10**6).map(str),
    st.fractions(max_denominator=50).map(str),
    st.decimals(-1000, 1000, places=2).map(str),
    st.sampled_from(
        [
            "x+1",
            "1+x",
            "2(x+1)",
            "\\sqrt{8}",
            "2\\sqrt2",
            "(1,2)",
            "{1,2}",
            "2,1",
            "x=3",
            "25%",
            "25",
            "0.25",
            "60 min",
            "1 h",
            "y=x",
        ]
    ),
)


@settings(max_examples=400, deadline=None)
@given(texts, texts)
def test_exact_comparison_never_raises(gold: str, answer: str) -> None:
    assert equivalence.exact_verdict(gold, answer) in (True, False, None)


@settings(max_examples=60, deadline=None)
@given(latex, latex)
def test_comparison_with_algebra_never_raises(gold: str, answer: str) -> None:
    assert asyncio.run(equivalence.equivalent_async(gold, answer)) in (True, False)


@settings(max_examples=300, deadline=None)
@given(texts)
def test_readable_answer_equals_itself(answer: str) -> None:
    if answer.strip() and read(answer).__class__.__name__ != "Text":
        assert equivalence.exact_verdict(answer, answer) is not False


@settings(max_examples=300, deadline=None)
@given(texts)
def test_key_of_any_text_is_a_text(answer: str) -> None:
    key = canonical(answer)
    assert isinstance(key, str)
    assert canonical(answer) == key
    extract_answer(answer)


@settings(max_examples=300, deadline=None)
@given(st.fractions(max_denominator=10**6), st.fractions(max_denominator=10**6))
def test_numbers_have_equal_keys_only_if_they_are_equal(a: Fraction, b: Fraction) -> None:
    assert (canonical(str(a)) == canonical(str(b))) == (a == b)
    assert (equivalence.exact_verdict(str(a), str(b)) is True) == (a == b)


@settings(max_examples=200, deadline=None)
@given(st.lists(values, min_size=3, max_size=3))
def test_votes_are_an_equivalence_relation(answers: list[str]) -> None:
    a, b, c = map(canonical, answers)
    assert (a == b) == (b == a)
    assert not (a == b and b == c) or a == c


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from([f"\\ln {n}" for n in range(2, 20)] + ["1", "x", "2,1"]), max_size=12),
    st.randoms(use_true_random=False),
    st.sets(st.tuples(st.integers(2, 19), st.integers(2, 19))),
)
def test_merged_votes_are_an_equivalence_whatever_algebra_says(
    answers: list[str], rng: Random, claims: set[tuple[int, int]]
) -> None:
    """Algebra that is not transitive and even wrong: keys still are one text an answer, equal where ``canonical`` is."""

    def same_value(a: str, b: str) -> bool:
        return (int(a[-2:]), int(b[-2:])) in claims if a[0] == b[0] == "\\" else False

    keys = merged_keys(answers, same_value)
    assert set(keys) == set(answers)
    assert all(keys[a] == keys[b] for a in answers for b in answers if canonical(a) == canonical(b))
    assert all(keys[key_of] == keys[a] for a in answers for key_of in answers if canonical(key_of) == keys[a])
    shuffled = rng.sample(answers, len(answers))
    assert merged_keys(shuffled, same_value) == keys


@settings(max_examples=200, deadline=None)
@given(st.integers(-999, 999), st.integers(1, 999), st.integers(-999, 999), st.integers(1, 999))
def test_fraction_in_latex_has_its_value(a: int, b: int, c: int, d: int) -> None:
    kind = read(f"\\frac{{{a}}}{{{b}}} + \\frac{{{c}}}{{{d}}}")
    assert isinstance(kind, Number)
    assert is_equal(kind.value, Fraction(a, b) + Fraction(c, d))
