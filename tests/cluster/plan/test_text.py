"""Tables of a plan."""

from __future__ import annotations

import pytest

from cluster.config.run_config import RunConfig
from cluster.plan.cost import StageCost
from cluster.plan.stages import PlannedStage
from cluster.plan.text import cost_table, format_flops, placement


def test_table_adds_up_rounds_and_all() -> None:
    stages = [
        PlannedStage("r0/base", "made"),
        PlannedStage("r1/search", "", StageCost(requests=20, generated=3_000_000, flops=6 * 10**12)),
        PlannedStage("r1/train_policy", "", StageCost(trained=500, flops=10**12)),
        PlannedStage("r2/search", "", StageCost(requests=1, generated=1, flops=None)),
    ]
    assert [line.split() for line in cost_table(stages)] == [
        ["requests", "generated", "scored", "trained", "FLOPs"],
        ["r1/search", "20", "3.00M", "–", "–", "6.0e+12"],
        ["r1/train_policy", "–", "–", "–", "500", "1.0e+12"],
        ["r1", "in", "all", "20", "3.00M", "–", "500", "7.0e+12"],
        ["r2/search", "1", "1", "–", "–", "?"],
        ["in", "all", "21", "3.00M", "–", "500", "?"],
    ]


@pytest.mark.parametrize(("second", "lines"), [(None, 0), ("policy", 0), ("base", 1), ("owner/name", 1)])
def test_placement_has_engines_of_a_second_policy(second: str | None, lines: int) -> None:
    config = RunConfig.model_validate(
        {
            "name": "r",
            "problems": {"train": {"name": "curriculum", "count": 2}},
            "policy": {"engine": {"gpus": 1, "replicas": 3}},
            "second_policy": second,
        }
    )
    placed = [line for line in placement(config, None) if line.startswith("second policy engines: 3 x ")]
    assert len(placed) == lines and all("1 GPU" in line for line in placed)


def test_one_stage_has_no_sum() -> None:
    (head, line) = cost_table([PlannedStage("search", "", StageCost(requests=3, generated=9, flops=0))])
    assert line.split() == ["search", "3", "9", "–", "–", "–"] and "FLOPs" in head


def test_unknown_operations_are_a_question_mark() -> None:
    assert [format_flops(number) for number in (None, 0, 1234)] == ["?", "–", "1.2e+03"]
