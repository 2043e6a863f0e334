"""How good labels are, counted by hand against a known first wrong step."""

from __future__ import annotations

import json

import pytest

from search.data import Cost, LabelledSolution, LabelScale, Problem, Step, StepLabels
from train.labels.quality import Quality, quality, table

STEPS = tuple(Step(f"s{i}") for i in range(4))


def labelled(*labels: float | None, scale: LabelScale = LabelScale.SIGN, completions: int = 0) -> LabelledSolution:
    record = StepLabels(Problem("p", "?", "7", "made up"), STEPS, labels, scale)
    return LabelledSolution(record, completions, Cost(generated_tokens=10 * completions))


@pytest.mark.parametrize(
    ("labels", "truth", "counted"),
    [
        ((1, 1, -1), 2, {"erroneous": 1, "found": 1, "hits": 1}),
        ((1, 1, -1, -1), 2, {"erroneous": 1, "found": 1, "hits": 1}),  # what comes after does not count
        ((1, -1, -1), 2, {"erroneous": 1, "hits": 1, "false_alarms": 1}),
        ((1, -1), 2, {"erroneous": 1, "misses": 1, "false_alarms": 1}),
        ((1, 1, 1, -1), 2, {"erroneous": 1, "misses": 1}),
        ((1, 1, 1, 1), 2, {"erroneous": 1, "misses": 1}),
        ((None, 1, -1), 2, {"erroneous": 1, "hits": 1, "unsettled": 1}),
        ((), 0, {"erroneous": 1, "misses": 1, "unsettled": 1}),
        ((1, 0, 1, 1), None, {"sound": 1, "cleared": 1}),
        ((1, -1), None, {"sound": 1, "false_alarms": 1}),
        ((1, 1), None, {"sound": 1, "unsettled": 1}),
    ],
)
def test_one_solution(labels: tuple[float | None, ...], truth: int | None, counted: dict[str, int]) -> None:
    assert quality([(labelled(*labels), truth)]) == Quality(**counted)


def test_shares_and_a_threshold() -> None:
    one = labelled(0.75, 0.5, 0.125, 0.0, scale=LabelScale.SHARE)
    assert quality([(one, 2)]) == Quality(erroneous=1, misses=1)
    assert quality([(one, 2)], 0.125) == Quality(erroneous=1, found=1, hits=1)


MEASURED = [
    (labelled(1, 1, -1, completions=24), 2),
    (labelled(1, -1, completions=16), 2),
    (labelled(1, 1, 1, 1), None),
    (labelled(1, 1, 1, 1), None),
    (labelled(1, 1, 1, 1), None),
    (labelled(-1, completions=8), None),
]


def test_rates_by_hand() -> None:
    found = quality(MEASURED)
    assert (found.solutions, found.found, found.cleared) == (6, 1, 3)
    assert (found.hits, found.false_alarms, found.misses) == (1, 2, 1)
    assert found.rates() == {
        "accuracy": 4 / 6,
        "accuracy_erroneous": 0.5,
        "accuracy_sound": 0.75,
        "f1": pytest.approx(0.6),
        "precision": 1 / 3,
        "recall": 0.5,
        "completions_each": 8.0,
        "tokens_each": 80.0,
    }


def test_nothing_to_divide_by_is_no_number() -> None:
    assert set(Quality().rates().values()) == {None}
    only_sound = quality(MEASURED[2:3]).rates()
    assert (only_sound["accuracy"], only_sound["f1"], only_sound["precision"]) == (1.0, None, None)
    assert Quality(erroneous=1, sound=1).rates()["f1"] == 0.0


def test_facts_are_json_and_the_table_is_small() -> None:
    facts = json.loads(json.dumps(quality(MEASURED).facts()))
    assert (facts["solutions"], facts["completions"], facts["completions_each"]) == (6, 48, 8.0)
    assert table({"binary search": quality(MEASURED), "nobody": Quality()}).splitlines() == [
        "| labels | solutions | place right | with error | without | F1 | precision | recall | completions | tokens |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
        "| binary search | 6 | 66.7 % | 50.0 % | 75.0 % | 60.0 % | 33.3 % | 50.0 % | 8.0 | 80 |",
        "| nobody | 0 | – | – | – | – | – | – | – | – |",
    ]
