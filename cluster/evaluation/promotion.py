"""Decide whether a new model replaces the current one: it must be no worse on the validation problems."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from cluster.evaluation.records import Measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The two measures that were compared and the decision. ``old`` is None where there was no model to replace."""

    role: str
    metric: str
    promoted: bool
    new: Measure
    old: Measure | None
    reason: str

    def facts(self) -> dict[str, Any]:
        """Return the decision as plain data for the stage's record."""
        return asdict(self)


def decide(role: str, metric: str, new: Measure, old: Measure | None, tolerance: float) -> Decision:
    """Promote unless ``new`` is below ``old`` by more than ``tolerance`` (a difference of accuracies)."""
    if old is None:
        promoted, reason = True, "there was none before"
    else:
        promoted = new.accuracy >= old.accuracy - tolerance
        verb = "is no worse than" if promoted else "is worse than"
        reason = f"{100 * new.accuracy:.1f} % {verb} {100 * old.accuracy:.1f} % on {new.n} validation problems"
    return Decision(role=role, metric=metric, promoted=promoted, new=new, old=old, reason=reason)
