"""The end of a run: the table on the terminal, ``summary.json`` and one self-contained ``report.html``."""

from __future__ import annotations

from pathlib import Path

from cluster.report import page, summary
from cluster.report.summary import SUMMARY
from cluster.run import manifest as manifests
from cluster.run.directory import MANIFEST
from cluster.run.progress import Progress
from search.storage.files import write_atomic

HTML = "report.html"

__all__ = ["HTML", "SUMMARY", "finish", "write"]


def write(root: Path) -> dict[str, object]:
    """Write summary and report of the run at ``root`` from its finished stages; returns the summary."""
    numbers = summary.write(root)
    write_atomic(root / HTML, page.render(root))
    return numbers


def finish(root: Path, progress: Progress) -> None:
    """``write``, then show the table and where the report is."""
    numbers = write(root)
    progress.console.print(summary.table(numbers))
    for line in summary.leads(summary.rounds(root)):
        progress.say(line)
    if warning := manifests.load(root / MANIFEST).isolation_warning:
        progress.say(warning)
    progress.say(f"report: {root / HTML}")
