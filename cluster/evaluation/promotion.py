"""Whether a new model takes the old one's place: it must be no worse on the validation problems. Pure decisions."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from cluster.evaluation.records import Measure


@dataclass(frozen=True, slots=True)
class Decision:
    """What was compared and what came of it; ``old`` is None where there was nothing to replace."""

    role: str
    metric: str
    promoted: bool
    new: Measure
    old: Measure | None
    why: str

    def facts(self) -> dict[str, Any]:
        """As plain data, accuracies beside their intervals."""
        return asdict(self)


def decide(role: str, metric: str, new: Measure, old: Measure | None, tolerance: float) -> Decision:
    """Promote unless the new model is worse by more than ``tolerance`` (a share of the validation problems)."""
    if old is None:
        return Decision(role, metric, True, new, None, "there was none before")
    promoted = new.accuracy >= old.accuracy - tolerance
    verb = "is no worse than" if promoted else "is worse than"
    why = f"{100 * new.accuracy:.1f} % {verb} {100 * old.accuracy:.1f} % on {new.n} validation problems"
    return Decision(role, metric, promoted, new, old, why)
