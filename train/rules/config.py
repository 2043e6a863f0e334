"""Settings of the harvest rules, with the papers' values in the descriptions. Knows bounds, no behaviour."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class RulesConfig(BaseModel):
    """How much a rule takes of one problem."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    solutions: int | None = Field(
        default=None,
        ge=1,
        description="star, vstar, expert_iteration: most right solutions of a problem; all without it",
    )
    pairs: int = Field(
        default=10, ge=1, description="irpo: pairs of a problem that has winners and losers (paper: GSM8K 10, MATH 15)"
    )
    verifier_pairs: int | None = Field(
        default=None,
        ge=1,
        description="vstar: most pairs of a problem; every right one over every wrong one without it",
    )
