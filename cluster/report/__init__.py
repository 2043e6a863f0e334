"""Write a run's ``summary.json`` and self-contained ``report.html``, and print its table."""

from __future__ import annotations

from pathlib import Path

from cluster.report import page, search_result, searches, several_trees, summary
from cluster.report.summary import SUMMARY
from cluster.run import manifest as manifests
from cluster.run.directory import MANIFEST
from cluster.run.progress import Progress
from search.storage.files import write_text

HTML = "report.html"

__all__ = ["HTML", "SUMMARY", "finish", "next_command", "write"]


def write(root: Path) -> dict[str, object]:
    """Write summary and report of the run at ``root`` from its finished stages, and return the summary."""
    content = summary.write(root)
    write_text(root / HTML, page.render(root))
    return content


def finish(root: Path, progress: Progress, config: str = "CONFIG") -> None:
    """Write summary and report, then print the results and the report's path.

    Results are the accuracies by round with the margins of search; of a run without an evaluation its searches.
    ``config``: the config file of the run, for commands that are proposed.
    """
    content, rounds = write(root), summary.read_rounds(root)
    is_measured = any(record.evaluation is not None for record in rounds)
    if not is_measured and any(True for _ in searches.searches(rounds)):
        search_result.show_searches(root, rounds, progress, config)
    else:
        progress.console.print(summary.table(content))
        for line in (*summary.margins(rounds), *several_trees.lines(rounds)):
            progress.log(line)
    if warning := manifests.read_manifest(root / MANIFEST).isolation_warning:
        progress.log(warning)
    progress.log(f"report: {root / HTML}")


def next_command(root: Path, policy: str | None = None) -> str:
    """Return what may follow a measured run: look at its trees, and put a question to its ``policy``."""
    run = search_result.relative(root)
    line = f"next: raystar show {run}"
    return line if policy is None else f'{line}; raystar solve {search_result.relative(Path(policy))} "QUESTION"'
