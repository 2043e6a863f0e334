"""A Prometheus scrapes a search with a reward model for two minutes: every query of the dashboard must return values."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.deploy.manifests import ROOT
from tests.deploy.prometheus import Prometheus, fill, find_prometheus, metric_names, prometheus, queries
from tests.deploy.test_grafana import DASHBOARD

pytestmark = [pytest.mark.thorough, pytest.mark.slow, pytest.mark.timeout(1500)]
RAYSTAR = Path(sys.executable).with_name("raystar")
CONFIG = str(ROOT / "configs" / "arithmetic.yaml")
DISCOVERY = "ray/session_latest/prom_metrics_service_discovery.json"  # below RAY_TMPDIR
BEGUN = 'ray_raystar_generated_tokens_per_s{run="arithmetic"} > 0'
SCRAPED_S = 120.0  # of the search, before the queries are asked
BEGIN_S = 900.0  # for the search to begin: the base policy may have to be trained
NEW_REWARD_MODEL = """
import sys
from pathlib import Path
from benchmarks.search_throughput import make_untrained_reward_model
from search.data import ModelRef
make_untrained_reward_model(ModelRef("policy", sys.argv[1]), Path(sys.argv[2]))
"""
ENDLESS = (  # a search that goes on for longer than the test, as the demo's with more rollouts of every tree
    "--search.rollouts=64",
    "--search.trees=8",
    "--search.stop_after_correct=0",
    "--search.stop_after_incorrect=0",
    "--workers.trees_in_flight=24",
    "--policy.engine.metrics=true",
    "--reward_model.engine.metrics=true",
)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = find_prometheus(tmp_path_factory.mktemp("prometheus"))
    if found is None:
        pytest.skip("no Prometheus here, and its Debian package cannot be had")
    return found


@pytest.fixture(scope="module")
def ray_directory() -> Iterator[Path]:
    """A directory for Ray's sessions of this test. Its path is short, because those of sockets must be."""
    directory = Path(tempfile.mkdtemp(prefix="rs", dir="/tmp"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def long_search(work: Path, ray_directory: Path) -> Iterator[Callable[[], None]]:
    """Search with a reward model until the block ends. Yield a check that raises once the search has ended by itself."""
    environment = {**os.environ, "RAY_TMPDIR": str(ray_directory)}
    first = work / "first"
    short = [str(RAYSTAR), "search", CONFIG, "--run-dir", str(first), "--limit=2"]
    subprocess.run(short, check=True, cwd=work, env=environment, stdout=subprocess.DEVNULL)
    reward_model = [sys.executable, "-c", NEW_REWARD_MODEL, str(first / "rounds/r0/base/model"), str(work / "rm")]
    subprocess.run(reward_model, check=True, cwd=ROOT)
    command = [str(RAYSTAR), "search", CONFIG, "--run-dir", str(work / "long"), "--reward-model", str(work / "rm")]
    with (work / "search.log").open("wb") as log:
        process = subprocess.Popen([*command, *ENDLESS], cwd=work, env=environment, stdout=log, stderr=log)

    def check() -> None:
        assert process.poll() is None, f"the search has ended: {(work / 'search.log').read_text()[-2000:]}"

    try:
        yield check
        check()
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=120)


@pytest.fixture(scope="module")
def scraped(program: Path, ray_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A server that has scraped a search for SCRAPED_S, and goes on."""
    work = tmp_path_factory.mktemp("scraped")
    with long_search(work, ray_directory) as check, prometheus(program, work, ray_directory / DISCOVERY) as server:
        end = time.monotonic() + BEGIN_S
        while not server.query(BEGUN):
            check()
            assert time.monotonic() < end, f"no search after {BEGIN_S:g} s: {(work / 'search.log').read_text()[-2000:]}"
            time.sleep(1)
        time.sleep(SCRAPED_S)
        yield server


def without_values(server: Prometheus, asked: list[tuple[str, str]]) -> list[str]:
    """Return the queries that return no number, and metrics in them that nobody exports."""
    missing = [f"{title}: {query}" for title, query in asked if not server.has_values(query)]
    return missing + sorted({name for _, query in asked for name in metric_names(query)} - server.names())


def test_every_query_of_the_dashboard_returns_values(scraped: Prometheus) -> None:
    assert without_values(scraped, queries(DASHBOARD)) == []


def test_query_of_a_missing_name_is_found(scraped: Prometheus) -> None:
    query = fill('sum by (run) (rate(ray_raystar_tress_total{run=~"$run"}[$__rate_interval]))')
    assert without_values(scraped, [("Trees", query)]) == [f"Trees: {query}", "ray_raystar_tress_total"]
