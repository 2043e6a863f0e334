"""What a judge is worth, as tables and as a page."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from cluster.report import reward_eval
from cluster.reward_eval.evaluate import Curves, Judgement
from search.evaluation.best_of_n_curves import METHODS, points
from search.evaluation.confidence import mean_of_shares, wilson
from search.evaluation.process_bench import ProcessScore


def judged(samples: int) -> Judgement:
    sizes = points(samples)
    methods = {
        name: [mean_of_shares([min(1.0, (index + 1) * size / samples / 8)] * 50) for size in sizes]
        for index, name in enumerate(METHODS)
    }
    curves = Curves(50, samples, sizes, "product", methods, 12_345.0, 67_890.0)
    steps = ProcessScore(0.4321, wilson(30, 60), wilson(45, 50), wilson(70, 110))
    return Judgement("/judges/<prm>", "prm", "validation problems", curves, steps, "given")


def shown(samples: int) -> list[str]:
    out, found = io.StringIO(), judged(samples)
    console = Console(file=out, width=80)
    assert found.curves is not None and found.steps is not None
    console.print(reward_eval.table(found.curves))
    console.print(reward_eval.steps_table(found.steps))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_tables_fit_80_columns_whatever_the_number_of_samples() -> None:
    for samples in (1, 2, 8, 1860):
        lines = shown(samples)
        assert max(map(len, lines)) <= 80
        assert len(lines) == 8 + 4  # nothing is wrapped
    assert shown(8)[0].split() == ["best", "by", "/", "N", *"123468", "95", "%", "at", "8"]
    assert shown(1860)[0].split()[4:11] == ["1", "4", "12", "41", "151", "500", "1860"]
    assert shown(2)[1].split() == ["product", "6.2", "12.5", "5.9-24.4"]
    assert [line.split()[:3] for line in shown(8) if line.startswith("weighted")] == [["weighted", "(product)", "9.4"]]
    assert shown(8)[-3:] == [
        "in wrong solutions 50.0 37.7-62.3        60",
        "none in right ones 90.0 78.6-95.7        50",
        "F1                 63.6 54.3-72.0       110",
    ]


def test_the_page_stands_alone(tmp_path: Path) -> None:
    page = reward_eval.write(tmp_path, judged(8)).read_text()
    assert page.count("<svg") == 2 and page.count("<polyline") == 9
    assert "/judges/&lt;prm&gt;" in page and "http" not in page.replace("xmlns", "")
    assert "12.3k generated and 67.9k judged tokens" in page
    assert "a step is called wrong below 0.432 (given)" in page
    long = reward_eval.write(tmp_path, judged(1860)).read_text()
    assert "<circle" not in long and long.count("<td class=n>1860</td>") == 1
