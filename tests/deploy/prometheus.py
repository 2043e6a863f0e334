"""Debian's Prometheus, taken out of its package without installing it, on a free port of this machine."""

from __future__ import annotations

import json
import math
import re
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

VARIABLES = {
    "$run": ".*",
    "$stage": ".*",
    "$__rate_interval": "1m",
}  # of the dashboard, with a value that Grafana may give
START_S = 60.0


def find_prometheus(folder: Path) -> Path | None:
    """Return the program: the installed one, else that of Debian's package, unpacked in ``folder``; None without either."""
    installed = shutil.which("prometheus")
    if installed:
        return Path(installed)
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        return None
    download = subprocess.run(["apt-get", "download", "prometheus"], cwd=folder, capture_output=True, check=False)
    packages = list(folder.glob("prometheus_*.deb"))
    if download.returncode or not packages:
        return None
    subprocess.run(["dpkg", "-x", str(packages[0]), str(folder / "package")], check=True)
    return folder / "package" / "usr" / "bin" / "prometheus"


class Prometheus:
    """A running server."""

    def __init__(self, url: str) -> None:
        self.url = url

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series of a query, now. Raises HTTPError for one that is no PromQL."""
        body = self._get("/api/v1/query", query=expression)
        series: list[dict[str, Any]] = body["data"]["result"]
        return series

    def has_values(self, expression: str) -> bool:
        """Return whether a query gives at least one number."""
        return any(not math.isnan(float(series["value"][1])) for series in self.query(expression))

    def names(self) -> set[str]:
        """Return the names of all metrics that were scraped."""
        body = self._get("/api/v1/label/__name__/values")
        return set(body["data"])

    def _get(self, path: str, **parameters: str) -> dict[str, Any]:
        url = f"{self.url}{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=30) as response:
            body: dict[str, Any] = json.load(response)
        return body


@contextmanager
def prometheus(program: Path, folder: Path, targets: Path) -> Iterator[Prometheus]:
    """Run a server that scrapes the targets in Ray's file every five seconds, until the block ends."""
    port = free_port()
    config = {
        "global": {"scrape_interval": "5s"},
        "scrape_configs": [
            {"job_name": "ray", "file_sd_configs": [{"files": [str(targets)], "refresh_interval": "5s"}]}
        ],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
    command = [str(program), f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    server = Prometheus(f"http://127.0.0.1:{port}")
    try:
        wait_until_ready(server)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=60)


def wait_until_ready(server: Prometheus) -> None:
    """Return once the server answers. Raises TimeoutError."""
    end = time.monotonic() + START_S
    while True:
        try:
            urllib.request.urlopen(f"{server.url}/-/ready", timeout=5).close()
            return
        except OSError as error:
            if time.monotonic() > end:
                raise TimeoutError(f"Prometheus is not ready after {START_S:g} s") from error
            time.sleep(0.2)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def queries(dashboard: Path) -> list[tuple[str, str]]:
    """Return (title of the panel, query) of a dashboard, with values in the place of Grafana's variables."""
    panels = json.loads(dashboard.read_text(encoding="utf-8"))["panels"]
    return [(panel["title"], fill(target["expr"])) for panel in panels for target in panel.get("targets", ())]


def fill(expression: str) -> str:
    """Return a query with values in the place of Grafana's variables."""
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


def metric_names(expression: str) -> set[str]:
    """Return the names of metrics in a query."""
    return set(re.findall(r"\bray_[a-z0-9_]+", expression))
