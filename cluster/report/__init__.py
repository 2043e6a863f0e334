"""Write a run's ``summary.json`` and self-contained ``report.html``, and print its table."""

from __future__ import annotations

from pathlib import Path

from cluster.report import page, summary
from cluster.report.summary import SUMMARY
from cluster.run import manifest as manifests
from cluster.run.directory import MANIFEST
from cluster.run.progress import Progress
from search.storage.files import write_text

HTML = "report.html"

__all__ = ["HTML", "SUMMARY", "finish", "write"]


def write(root: Path) -> dict[str, object]:
    """Write summary and report of the run at ``root`` from its finished stages, and return the summary."""
    content = summary.write(root)
    write_text(root / HTML, page.render(root))
    return content


def finish(root: Path, progress: Progress) -> None:
    """Write summary and report, then print the table, the margins of search and the report's path."""
    progress.console.print(summary.table(write(root)))
    for line in summary.margins(summary.read_rounds(root)):
        progress.log(line)
    if warning := manifests.read_manifest(root / MANIFEST).isolation_warning:
        progress.log(warning)
    progress.log(f"report: {root / HTML}")
