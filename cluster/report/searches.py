"""Build the report's table of searches: their work, engine occupancy and prefix cache hits."""

from __future__ import annotations

from html import escape
from typing import Any

from cluster.formatting import cached_share, format_count
from cluster.report import markup
from cluster.report.data import RunData

HEAD = ("round", "stage", "trees", "requests", "programs", "engines", "policy cache", "reward model cache")


def table(run: RunData) -> str:
    """Return a table with a row for each stage that grew trees; empty if none did."""
    rows = [
        (
            "base" if record.round == 0 else str(record.round),
            escape(stage.name.replace("_", " ")),
            *(format_count(stage.facts[name]) for name in ("trees", "requests", "executions")),
            *_engine_shares(stage.facts),
        )
        for record in run.rounds
        for stage in record.stages
        if "trees" in stage.facts
    ]
    note = (
        "engines: time-weighted share of the policy engines' places for sequences that were in use; "
        "cache: share of the prompt tokens that the prefix cache held."
    )
    numbers = range(2, len(HEAD))
    return markup.table(HEAD, rows, numbers=numbers) + f"<p class='note'>{escape(note)}</p>" if rows else ""


def _engine_shares(facts: dict[str, Any]) -> tuple[str, str, str]:
    policy = cached_share(facts.get("cached_tokens", 0), facts.get("prompt_tokens", 0))
    reward_model = cached_share(facts.get("scored_cached_tokens", 0), facts.get("scored_tokens", 0))
    return _percent(facts.get("occupancy")), _percent(policy), _percent(reward_model)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"
