"""``raystar trace``: show what a search waited for, from the spans that its workers recorded."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from cluster.commands.options import positive_int
from cluster.report.tree_text import printable
from cluster.run import stored_run
from cluster.traces.export import export_spans
from cluster.traces.spans import SearchTrace, read_trace, traced_searches
from cluster.traces.text import plain, slowest_lines, summary_lines
from cluster.traces.waiting import measure_waiting
from cluster.traces.waterfall import waterfall
from search.errors import UserError
from search.tree import tree_name

HELP = "show what a search and its engines waited for, from the spans of its trees"
LINES = 60  # spans of a tree that are drawn


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run_dir",
        metavar="RUN",
        help="run directory, finished or not, or the directory of a search; also s3://… or gs://…",
    )
    parser.add_argument("--stage", metavar="NAME", help="search with spans, such as r1/search (default: the last)")
    parser.add_argument("--problem", metavar="ID", help="problem whose tree is drawn, span by span")
    parser.add_argument("--tree", type=int, default=0, metavar="N", help="number of its tree, from 0 (default: 0)")
    parser.add_argument(
        "--lines",
        type=positive_int,
        default=LINES,
        metavar="N",
        help=f"spans of a tree that are drawn (default: {LINES})",
    )
    parser.add_argument(
        "--export", type=Path, metavar="FILE", help="write the spans as OTLP JSON, for Jaeger or a collector, instead"
    )
    parser.epilog = (
        "Spans are recorded by --workers.trace=SHARE of any command that searches, with\n"
        "the share of the trees, from 0 to 1. An exported file opens in Jaeger\n"
        "(Upload), or: curl -H 'Content-Type: application/json' -d @FILE\n"
        "http://COLLECTOR:4318/v1/traces"
    )


def run(args: argparse.Namespace) -> int:
    root, _ = stored_run.local_copy(args.run_dir)
    name, directory = find_search(root, args.stage)
    trace = read_trace(directory)
    if not trace.trees:
        raise UserError(f"{name} in {args.run_dir} has no finished tree with spans yet: look again later")
    chosen = None if args.problem is None else find_tree(trace, args.problem, args.tree)
    if args.export is not None:
        traces = None if chosen is None else (chosen,)
        count = export_spans(directory, args.export, name=f"{root.resolve().name}/{name}", traces=traces)
        print(f"{count} spans of {name}: {args.export}")
    elif chosen is not None:
        facts = trace.root(chosen).attributes
        tree = printable(tree_name(facts["problem"], facts["number"]))
        print_lines([f"{name}, tree {tree}: {len(trace.trees[chosen])} spans"])
        print_lines(waterfall(trace.trees[chosen], args.lines))
    else:
        print_summary(name, trace)
    return 0


def print_summary(name: str, trace: SearchTrace) -> None:
    """Print how the engines' places were used, what trees spent their time on, and the slowest of them."""
    waiting = measure_waiting(trace)
    if waiting is None:
        raise UserError(f"{name}: no recorded tree has asked a policy: there is nothing to wait for")
    roots = {trace_id: trace.root(trace_id).attributes for trace_id in trace.trees}
    names = {trace_id: printable(tree_name(facts["problem"], facts["number"])) for trace_id, facts in roots.items()}
    print_lines(summary_lines(name, trace, waiting))
    print_lines(["", *slowest_lines(trace, names), "", "--problem ID draws the spans of one tree"])


def print_lines(lines: Iterable[str]) -> None:
    """Print lines, in plain signs where the terminal's encoding lacks others."""
    console = Console(highlight=False)
    is_plain = not console.encoding.lower().replace("-", "").startswith("utf")
    for line in lines:
        console.print(plain(line) if is_plain else line, markup=False, soft_wrap=True)


def find_search(root: Path, stage: str | None) -> tuple[str, Path]:
    """Return the name and the directory of a search with spans, the last one without ``stage``. Raises UserError."""
    if not root.is_dir():
        raise UserError(f"no directory {root}: name a run directory, for example runs/arithmetic")
    searches = dict(traced_searches(root))
    if not searches:
        raise UserError(
            f"no spans in {root}: searches record them with --workers.trace=1, or a smaller share of the trees"
        )
    if stage is None:
        return next(reversed(searches.items()))
    for name in (stage, f"{stage}.partial"):
        if name in searches:
            return name, searches[name]
    raise UserError(f"--stage: {root} has no spans of {stage!r}: one of {', '.join(searches)}")


def find_tree(trace: SearchTrace, problem: str, number: int) -> str:
    """Return the trace of a problem's tree, the last try of it. Raises UserError."""
    roots = {trace_id: trace.root(trace_id) for trace_id in trace.trees}
    matching = {
        trace_id: root
        for trace_id, root in roots.items()
        if (root.attributes["problem"], root.attributes["number"]) == (problem, number)
    }
    if not matching:
        known = sorted({str(root.attributes["problem"]) for root in roots.values()})
        recorded = ", ".join(map(printable, known[:5]))
        raise UserError(f"--problem: tree {number} of {problem!r} has no spans; recorded are trees of {recorded} …")
    return max(matching, key=lambda trace_id: matching[trace_id].start)
