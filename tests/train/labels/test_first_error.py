"""The place of the first error by labels of every scale, and what two sources agree on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.data import LabelScale, Problem, Step, StepLabels
from train.labels.consensus import ConsensusCounts, filter_by_consensus
from train.labels.first_error import first_error, infer_correct, labels_complete, to_hard_labels

PROBLEM = Problem(id="p", question="?", answer="7", source="made up")
SIGN, SHARE, VALUE = LabelScale.SIGN, LabelScale.SHARE, LabelScale.VALUE


def record(labels: tuple[float | None, ...], scale: LabelScale = SIGN, steps: int = 3, name: str = "s") -> StepLabels:
    return StepLabels(PROBLEM, tuple(Step(f"{name}{i}") for i in range(steps)), labels=labels, scale=scale)


@pytest.mark.parametrize(
    ("labels", "scale", "threshold", "place", "sure"),
    [
        ((1, 0, 1), SIGN, 0.0, None, True),
        ((1, 0, -1), SIGN, 0.0, 2, True),
        ((1, -1), SIGN, 0.0, 1, True),  # labels stop at the first incorrect step
        ((1, 1), SIGN, 0.0, None, False),  # nobody knows of the third
        ((), SIGN, 0.0, None, False),
        ((None, -1), SIGN, 0.0, 1, False),  # the first may be incorrect already
        ((1, -1, None), SIGN, 0.0, 1, True),
        ((1, None, 1), SIGN, 0.0, None, False),
        ((0.5, 0.125, 0.0), SHARE, 0.0, 2, True),
        ((0.5, 0.125, 0.0), SHARE, 0.125, 1, True),
        ((0.5, 0.0, 0.25), SHARE, 0.0, 1, True),
        ((0.5, 0.25, 1.0), SHARE, 0.0, None, True),
        ((0.5, -0.75, -1.0), VALUE, 0.0, 2, True),
        ((0.5, -0.75, -1.0), VALUE, 0.125, 1, True),  # (1 - 0.75) / 2
    ],
)
def test_first_error_and_completeness_by_hand(
    labels: tuple[float | None, ...], scale: LabelScale, threshold: float, place: int | None, sure: bool
) -> None:
    labelled = record(labels, scale)
    assert first_error(labelled, threshold) == place
    assert labels_complete(labelled, threshold) is sure


def test_labels_of_no_steps_are_incomplete() -> None:
    assert not labels_complete(record((), steps=0))


def test_soft_labels_become_signs() -> None:
    assert to_hard_labels(record((0.5, None, 0.125), SHARE)) == record((1, None, 1))
    assert to_hard_labels(record((0.5, None, 0.125), SHARE), 0.125) == record((1, None, -1))
    assert to_hard_labels(record((1.0, -0.5, -1.0), VALUE)) == record((1, 1, -1))
    assert to_hard_labels(record((1, 0, -1))) == record((1, 0, -1))


shares = st.lists(st.none() | st.floats(0, 1), max_size=4).map(tuple)


@given(shares, st.floats(0, 1))
def test_hard_labels_keep_the_first_error_of_soft_ones(labels: tuple[float | None, ...], at: float) -> None:
    labelled = record(labels, SHARE, steps=4)
    assert first_error(to_hard_labels(labelled, at)) == first_error(labelled, at)
    assert labels_complete(to_hard_labels(labelled, at)) is labels_complete(labelled, at)


def test_consensus_by_hand() -> None:
    ours = [
        record((0.5, 0.25, 1.0), SHARE, name="a"),  # both see no error
        record((0.5, 0.0, 0.0), SHARE, name="b"),  # both at 1
        record((0.5, 0.25, 0.0), SHARE, name="c"),  # 2 here, 1 there
        record((0.5, 0.25, 0.0), SHARE, name="d"),  # 2 here, none there
        record((0.5, None, 0.0), SHARE, name="e"),  # here nobody knows
        record((0.5, 0.25, 0.0), SHARE, name="f"),  # there nobody knows
        record((0.5, 0.25, 0.0), SHARE, name="g"),  # nobody judged it
    ]
    judged = [
        record((1, 1, 1), name="a"),
        record((1, -1), name="b"),
        record((1, -1), name="c"),
        record((1, 1, 0), name="d"),
        record((1, 1, -1), name="e"),
        record((1, 1), name="f"),
        record((1, 1, -1), name="h"),
        record((-1,), name="a"),  # of two judgements the first counts
    ]
    kept, counts = filter_by_consensus(ours, judged)
    assert kept == ours[:2]
    assert counts == ConsensusCounts(
        solutions=7, agreed_error_free=1, agreed_erroneous=1, disagreed=2, incomplete=2, unjudged=1
    )


def test_each_side_has_its_own_threshold() -> None:
    ours, judged = [record((1.0, 0.125, 0.0), SHARE)], [record((0.9, 0.3, 0.1), SHARE)]
    assert filter_by_consensus(ours, judged)[1].disagreed == 1  # 2 here; the judge never says 0
    assert filter_by_consensus(ours, judged, 0.125, 0.5)[1].agreed_erroneous == 1
    assert filter_by_consensus(ours, judged, 0.0, 0.2)[1].agreed_erroneous == 1


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=20))
def test_every_solution_is_kept_or_counted_as_disagreed(places: list[tuple[int, int]]) -> None:
    def signs(error: int) -> tuple[float, ...]:  # 3: no error
        return (1.0,) * error + (-1.0,) * (error < 3)

    ours = [record(signs(here), name=f"n{i}-") for i, (here, _) in enumerate(places)]
    judged = [record(signs(there), name=f"n{i}-") for i, (_, there) in enumerate(places)]
    kept, counts = filter_by_consensus(ours, judged)
    assert kept == [labelled for labelled, (here, there) in zip(ours, places, strict=True) if here == there]
    assert counts.solutions == len(places) == len(kept) + counts.disagreed
    assert counts.agreed_error_free == places.count((3, 3))


@pytest.mark.parametrize(
    ("labels", "inferred"),
    [
        ((None, 1, None, 1, -1, None), (1, 1, 1, 1, -1, None)),
        ((None, None, 1), (1, 1, 1)),
        ((None, -1), (None, -1)),
        ((1, 0, None, 1), (1, 0, 1, 1)),
        ((None, None), (None, None)),
        ((), ()),
    ],
)
def test_step_before_a_correct_one_is_correct(
    labels: tuple[float | None, ...], inferred: tuple[float | None, ...]
) -> None:
    assert infer_correct(record(labels, steps=6)).labels == inferred
