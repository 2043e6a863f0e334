"""Show searches: a table for the page with engine occupancy and cache hits, and one for the terminal with what was solved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from rich.table import Table

from cluster.formatting import cached_share, format_count, format_duration
from cluster.report import markup
from cluster.report.data import RunData
from cluster.report.failures import describe_failures
from cluster.report.summary import RoundRecord, StageRecord

HEAD = ("round", "stage", "trees", "requests", "programs", "engines", "policy cache", "reward model cache")


def searches(rounds: Sequence[RoundRecord]) -> Iterator[tuple[RoundRecord, StageRecord]]:
    """Yield the finished stages that grew trees, in their order."""
    for record in rounds:
        for stage in record.stages:
            if "trees" in stage.facts:
                yield record, stage


def table(run: RunData) -> str:
    """Return a table with a row for each stage that grew trees; empty if none did."""
    rows = [
        (
            "base" if record.round == 0 else str(record.round),
            escape(stage.name.replace("_", " ")),
            *(format_count(stage.facts[name]) for name in ("trees", "requests", "executions")),
            *_engine_shares(stage.facts),
        )
        for record, stage in searches(run.rounds)
    ]
    note = (
        "engines: time-weighted share of the policy engines' places for sequences that were in use; "
        "cache: share of the prompt tokens that the prefix cache held."
    )
    numbers = range(2, len(HEAD))
    return markup.table(HEAD, rows, numbers=numbers) + f"<p class='note'>{escape(note)}</p>" if rows else ""


def terminal_table(rounds: Sequence[RoundRecord]) -> Table:
    """Return a table with a row for each search: problems, how many were solved, and the cost. It fits 80 columns.

    A search with several trees a problem counts problems all the same.
    """
    grid = Table(box=None, padding=(0, 1), header_style="bold")
    grid.add_column("search", no_wrap=True, overflow="ellipsis")
    for title in ("problems", "solved", "tokens", "time", "tokens/s", "engines"):
        grid.add_column(title, justify="right", no_wrap=True)
    for record, stage in searches(rounds):
        facts, seconds = stage.facts, stage.seconds
        grid.add_row(
            f"r{record.round}/{stage.name}",
            str(facts.get("problems_searched", facts["trees"] + len(facts.get("quarantined", {})))),
            _solved(facts),
            format_count(stage.tokens),
            format_duration(seconds),
            format_count(stage.tokens / seconds) if seconds else "–",
            _percent(facts.get("occupancy")),
        )
    return grid


def describe(facts: dict[str, Any]) -> Iterator[str]:
    """Yield lines on a search beside its row in the table: failures in words, ties, and what money it cost."""
    if facts.get("steps"):
        yield f"{facts['steps_ran']} of {facts['steps']} steps with code ran"
    yield f"failures: {describe_failures(facts.get('failures', {}))}"
    for problem, reason in list(facts.get("quarantined", {}).items())[:3]:
        yield f"given up: {problem}: {reason}"
    if facts["trees"] > facts.get("problems_searched", facts["trees"]):
        yield f"{facts['trees']} trees, {facts['trees_solved']} of them solved"
    if facts.get("trees_tied"):
        yield f"ties: the answers of {facts['trees_tied']} trees were chosen by order only"
    if facts.get("price") is not None:
        yield f"price: {facts['price']:.4f} by the prices in policy.endpoint"


def _solved(facts: dict[str, Any]) -> str:
    solved = facts.get("problems_solved", facts.get("trees_solved", 0))
    problems = facts.get("problems_searched", facts["trees"])
    return f"{solved} ({100 * solved / problems:.0f} %)" if facts["trees"] else "–"


def _engine_shares(facts: dict[str, Any]) -> tuple[str, str, str]:
    policy = cached_share(facts.get("cached_tokens", 0), facts.get("prompt_tokens", 0))
    reward_model = cached_share(facts.get("scored_cached_tokens", 0), facts.get("scored_tokens", 0))
    return _percent(facts.get("occupancy")), _percent(policy), _percent(reward_model)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"
