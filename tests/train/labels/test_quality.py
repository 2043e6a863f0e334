"""How good labels are, counted by hand against a known first incorrect step."""

from __future__ import annotations

import json

import pytest

from search.data import Cost, LabelledSolution, LabelScale, Problem, Step, StepLabels
from train.labels.quality import Quality, measure_quality, quality_table

STEPS = tuple(Step(f"s{i}") for i in range(4))


def labelled(*labels: float | None, scale: LabelScale = LabelScale.SIGN, completions: int = 0) -> LabelledSolution:
    record = StepLabels(Problem(id="p", question="?", answer="7", source="made up"), STEPS, labels=labels, scale=scale)
    return LabelledSolution(record, completions, Cost(generated_tokens=10 * completions))


@pytest.mark.parametrize(
    ("labels", "truth", "counted"),
    [
        ((1, 1, -1), 2, {"erroneous": 1, "erroneous_matched": 1, "true_positives": 1}),
        (
            (1, 1, -1, -1),
            2,
            {"erroneous": 1, "erroneous_matched": 1, "true_positives": 1},
        ),  # what comes after does not count
        ((1, -1, -1), 2, {"erroneous": 1, "true_positives": 1, "false_positives": 1}),
        ((1, -1), 2, {"erroneous": 1, "false_negatives": 1, "false_positives": 1}),
        ((1, 1, 1, -1), 2, {"erroneous": 1, "false_negatives": 1}),
        ((1, 1, 1, 1), 2, {"erroneous": 1, "false_negatives": 1}),
        ((None, 1, -1), 2, {"erroneous": 1, "true_positives": 1, "incomplete": 1}),
        ((), 0, {"erroneous": 1, "false_negatives": 1, "incomplete": 1}),
        ((1, 0, 1, 1), None, {"error_free": 1, "error_free_matched": 1}),
        ((1, -1), None, {"error_free": 1, "false_positives": 1}),
        ((1, 1), None, {"error_free": 1, "incomplete": 1}),
    ],
)
def test_one_solution_is_counted(labels: tuple[float | None, ...], truth: int | None, counted: dict[str, int]) -> None:
    assert measure_quality([(labelled(*labels), truth)]) == Quality(**counted)


def test_shares_are_compared_with_the_threshold() -> None:
    solution = labelled(0.75, 0.5, 0.125, 0.0, scale=LabelScale.SHARE)
    assert measure_quality([(solution, 2)]) == Quality(erroneous=1, false_negatives=1)
    assert measure_quality([(solution, 2)], 0.125) == Quality(erroneous=1, erroneous_matched=1, true_positives=1)


MEASURED = [
    (labelled(1, 1, -1, completions=24), 2),
    (labelled(1, -1, completions=16), 2),
    (labelled(1, 1, 1, 1), None),
    (labelled(1, 1, 1, 1), None),
    (labelled(1, 1, 1, 1), None),
    (labelled(-1, completions=8), None),
]


def test_rates_by_hand() -> None:
    measured = measure_quality(MEASURED)
    assert (measured.solutions, measured.erroneous_matched, measured.error_free_matched) == (6, 1, 3)
    assert (measured.true_positives, measured.false_positives, measured.false_negatives) == (1, 2, 1)
    assert measured.rates() == {
        "accuracy": 4 / 6,
        "accuracy_erroneous": 0.5,
        "accuracy_error_free": 0.75,
        "f1": pytest.approx(0.6),
        "precision": 1 / 3,
        "recall": 0.5,
        "completions_each": 8.0,
        "tokens_each": 80.0,
    }


def test_rate_of_nothing_is_none() -> None:
    assert set(Quality().rates().values()) == {None}
    error_free_only = measure_quality(MEASURED[2:3]).rates()
    assert (error_free_only["accuracy"], error_free_only["f1"], error_free_only["precision"]) == (1.0, None, None)
    assert Quality(erroneous=1, error_free=1).rates()["f1"] == 0.0


def test_counts_are_json_and_table_has_a_line_a_kind() -> None:
    facts = json.loads(json.dumps(measure_quality(MEASURED).to_json()))
    assert (facts["solutions"], facts["completions"], facts["completions_each"]) == (6, 48, 8.0)
    assert quality_table({"binary search": measure_quality(MEASURED), "nobody": Quality()}).splitlines() == [
        "| labels | solutions | place exact | with error | without | F1 | precision | recall | completions | tokens |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
        "| binary search | 6 | 66.7 % | 50.0 % | 75.0 % | 60.0 % | 33.3 % | 50.0 % | 8.0 | 80 |",
        "| nobody | 0 | – | – | – | – | – | – | – | – |",
    ]
