"""The table of a run's searches: what each did, how full its engines were, what their prefix caches had. Draws nothing."""

from __future__ import annotations

from html import escape
from typing import Any

from cluster.formatting import count, share_cached
from cluster.report import markup
from cluster.report.data import RunData

HEAD = ("round", "stage", "trees", "requests", "programs", "engines", "policy cache", "reward model cache")


def table(run: RunData) -> str:
    """A row for each stage that grew trees; empty where none did."""
    rows = [
        (
            "base" if record.round == 0 else str(record.round),
            escape(stage.name.replace("_", " ")),
            *(count(stage.facts[name]) for name in ("trees", "requests", "executions")),
            *_shares(stage.facts),
        )
        for record in run.rounds
        for stage in record.stages
        if "trees" in stage.facts
    ]
    note = (
        "engines: share of the policy engines' places for sequences that was taken, over the time of the search; "
        "cache: share of the prompt tokens that the prefix cache had already."
    )
    numbers = range(2, len(HEAD))
    return markup.table(HEAD, rows, numbers=numbers) + f"<p class='note'>{escape(note)}</p>" if rows else ""


def _shares(facts: dict[str, Any]) -> tuple[str, str, str]:
    policy = share_cached(facts.get("cached_tokens", 0), facts.get("prompt_tokens", 0))
    reward_model = share_cached(facts.get("scored_cached_tokens", 0), facts.get("scored_tokens", 0))
    return _share(facts.get("occupancy")), _share(policy), _share(reward_model)


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"
