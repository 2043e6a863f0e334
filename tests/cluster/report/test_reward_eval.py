"""The evaluation of a reward model, as tables and as a page."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from cluster.report import reward_eval
from cluster.reward_eval.evaluate import RewardEvaluation, SampleCurves
from search.evaluation.best_of_n_curves import METHODS, curve_sizes
from search.evaluation.confidence import mean_of_shares, wilson
from search.evaluation.process_bench import ProcessScore


def evaluation(samples: int) -> RewardEvaluation:
    sizes = curve_sizes(samples)
    methods = {
        name: [mean_of_shares([min(1.0, (index + 1) * size / samples / 8)] * 50) for size in sizes]
        for index, name in enumerate(METHODS)
    }
    curves = SampleCurves(
        problems=50,
        samples=samples,
        sizes=sizes,
        aggregation="product",
        methods=methods,
        generated_tokens=12_345.0,
        scored_tokens=67_890.0,
    )
    steps = ProcessScore(threshold=0.4321, erroneous=wilson(30, 60), correct=wilson(45, 50), f1=wilson(70, 110))
    return RewardEvaluation(
        model="/models/<prm>",
        kind="prm",
        source="validation problems",
        curves=curves,
        steps=steps,
        threshold="given",
    )


def printed_lines(samples: int) -> list[str]:
    stream, result = io.StringIO(), evaluation(samples)
    console = Console(file=stream, width=80)
    assert result.curves is not None and result.steps is not None
    console.print(reward_eval.table(result.curves))
    console.print(reward_eval.steps_table(result.steps))
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def test_tables_fit_80_columns_for_any_number_of_samples() -> None:
    for samples in (1, 2, 8, 1860):
        lines = printed_lines(samples)
        assert max(map(len, lines)) <= 80
        assert len(lines) == 8 + 4  # nothing is wrapped
    assert printed_lines(8)[0].split() == ["best", "by", "/", "N", *"123468", "95", "%", "at", "8"]
    assert printed_lines(1860)[0].split()[4:11] == ["1", "4", "12", "41", "151", "500", "1860"]
    assert printed_lines(2)[1].split() == ["product", "6.2", "12.5", "5.9-24.4"]
    assert [line.split()[:3] for line in printed_lines(8) if line.startswith("weighted")] == [
        ["weighted", "(product)", "9.4"]
    ]
    assert printed_lines(8)[-3:] == [
        "in incorrect solutions 50.0 37.7-62.3        60",
        "none in correct ones   90.0 78.6-95.7        50",
        "F1                     63.6 54.3-72.0       110",
    ]


def test_page_is_self_contained(tmp_path: Path) -> None:
    path = reward_eval.write(tmp_path, evaluation(8))
    page = path.read_text()
    assert path.name == "reward_model.html"
    assert page.count("<svg") == 2 and page.count("<polyline") == 9
    assert "/models/&lt;prm&gt;" in page and "http" not in page.replace("xmlns", "")
    assert "12.3k generated and 67.9k scored tokens" in page
    assert "a step counts as incorrect below 0.432 (given)" in page
    long = reward_eval.write(tmp_path, evaluation(1860)).read_text()
    assert "<circle" not in long and long.count("<td class=n>1860</td>") == 1
