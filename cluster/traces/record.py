"""Keep what the policy engines of a search waited for: the record, and its file beside the spans that it was made from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from search.errors import UserError
from search.storage.files import write_text
from search.storage.trace_folder import FOLDER

WAITING = f"{FOLDER}/waiting.json"


class Use(StrEnum):
    """What a place of the policy engines was used for, or waited for."""

    GENERATING = "in use"
    PROGRAMS = "programs"
    SCORES = "scores"
    GRADES = "grades"
    WORKER = "search worker"
    ROUTER = "room at another engine"
    TREES = "more trees at once"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityTotals:
    """Spans of one activity: how many, their seconds in all, on average and at the 95th percentile."""

    spans: int
    seconds: float
    mean: float
    late: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The use of the policy engines' places in a search.

    Attributes:
        seconds: time in which a recorded tree was growing.
        trees: recorded trees, which are ``share`` of all.
        places: sequences that the policy engines process at once.
        uses: mean share of the places by use; together 1.
        parts: the same for equal parts of ``seconds``.
        reward_model_use: mean share of the reward models' places in use; None without a reward model.
        activities: spans by activity, with "search worker" for the times in which a tree waited for nobody else.
    """

    seconds: float
    trees: int
    share: float
    places: int
    uses: Mapping[str, float]
    parts: tuple[Mapping[str, float], ...]
    reward_model_use: float | None
    activities: Mapping[str, ActivityTotals]


def write_waiting(waiting: Waiting, directory: Path) -> None:
    """Store the waiting of the search in ``directory``."""
    write_text(directory / WAITING, json.dumps(asdict(waiting)) + "\n")


def read_waiting(directory: Path) -> Waiting | None:
    """Return the stored waiting of a search; None without one. Raises UserError if it is damaged."""
    path = directory / WAITING
    if not path.exists():
        return None
    try:
        stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        activities = {name: ActivityTotals(**totals) for name, totals in stored["activities"].items()}
        return Waiting(**{**stored, "activities": activities, "parts": tuple(stored["parts"])})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{path} is damaged: remove it, or search again") from error
