"""Count what a stage takes: requests, tokens, and the models' floating-point operations (cluster/models/operations.py).

Prompts are left out, which the prefix cache reads once a tree.
"""

from __future__ import annotations

from dataclasses import dataclass

from cluster.models.operations import FORWARD, TRAINING, operations


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCost:
    """What a stage takes. The numbers are upper bounds, or expectations, as the holder says.

    Attributes:
        requests: requests to policies.
        generated: tokens that policies write.
        scored: tokens that reward models read, and the reference model of a preference training.
        trained: tokens learnt from, each counted once an epoch.
        flops: floating-point operations of all models; None where the size of one of them is not known.
    """

    requests: int = 0
    generated: int = 0
    scored: int = 0
    trained: int = 0
    flops: int | None = 0

    def __add__(self, other: StageCost) -> StageCost:
        return StageCost(
            requests=self.requests + other.requests,
            generated=self.generated + other.generated,
            scored=self.scored + other.scored,
            trained=self.trained + other.trained,
            flops=None if self.flops is None or other.flops is None else self.flops + other.flops,
        )

    def times(self, share: float) -> StageCost:
        """Return the cost of a share, or of a multiple, of the stage."""
        return StageCost(
            requests=round(self.requests * share),
            generated=round(self.generated * share),
            scored=round(self.scored * share),
            trained=round(self.trained * share),
            flops=None if self.flops is None else round(self.flops * share),
        )


def generation_cost(requests: int, tokens: int, parameters: int | None) -> StageCost:
    """Return the cost of writing ``tokens`` by a policy with so many parameters."""
    return StageCost(requests=requests, generated=tokens, flops=operations(FORWARD, tokens, parameters))


def scoring_cost(tokens: int, parameters: int | None) -> StageCost:
    """Return the cost of reading ``tokens`` by a reward model with so many parameters."""
    return StageCost(scored=tokens, flops=operations(FORWARD, tokens, parameters))


def training_cost(tokens: int, epochs: int, parameters: int | None) -> StageCost:
    """Return the cost of learning from ``tokens`` in each of so many epochs."""
    return StageCost(trained=tokens * epochs, flops=operations(TRAINING, tokens * epochs, parameters))
