"""The Grafana dashboard: made by Grafana's own library, over metrics that there are."""

from __future__ import annotations

import json
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from cluster.searches.prometheus import COUNTERS, GAUGES
from tests.deploy.manifests import DEPLOY
from tests.deploy.prometheus import metric_names, queries
from tests.deploy.tool_environments import tool_environment

DASHBOARD = DEPLOY / "grafana" / "raystar.json"
SUFFIXES = ("_total", "_bucket")  # that Prometheus puts behind the names of counters and histograms


def used_names() -> set[str]:
    return {name for _, query in queries(DASHBOARD) for name in metric_names(query)}


def test_dashboard_shows_every_metric_of_a_search() -> None:
    names = [*(f"{name}_total" for name in COUNTERS), *GAUGES, "open_trees", "quarantined"]
    assert {name for name in used_names() if name.startswith("ray_raystar_")} == {f"ray_raystar_{n}" for n in names}


def test_metrics_of_vllm_are_those_of_the_installed_one() -> None:
    spec = find_spec("vllm")
    assert spec is not None and spec.origin is not None
    source = Path(spec.origin).with_name("v1").joinpath("metrics", "loggers.py").read_text(encoding="utf-8")
    unknown = []
    for name in used_names():
        if name.startswith("ray_vllm_"):
            plain = next((name.removesuffix(suffix) for suffix in SUFFIXES if name.endswith(suffix)), name)
            if f'"vllm:{plain.removeprefix("ray_vllm_")}"' not in source:
                unknown.append(name)
    assert unknown == []


def test_every_panel_has_a_query_and_a_unit() -> None:
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    plots = [panel for panel in panels if panel["type"] != "row"]
    assert len(plots) >= 20
    assert [
        panel["title"] for panel in plots if not panel["targets"] or not panel["fieldConfig"]["defaults"]["unit"]
    ] == []
    assert sorted(panel["id"] for panel in panels) == list(range(1, len(panels) + 1))


@pytest.mark.thorough
@pytest.mark.slow
def test_dashboard_is_what_its_script_makes(tmp_path: Path) -> None:
    """The script runs in an environment of its own with Grafana's library, which checks types and fields."""
    python = tool_environment("grafana") / "python"
    script = "import runpy, sys; sys.stdout.write(runpy.run_path(sys.argv[1])['encoded']())"
    made = subprocess.run(
        [str(python), "-c", script, str(DEPLOY / "grafana" / "make_dashboard.py")],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert made.stdout == DASHBOARD.read_text(encoding="utf-8")
