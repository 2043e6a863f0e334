"""Options of rStar-Math's harvest, and the presets ``paper`` and ``released``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from train.rules.base import RuleOptions

# paper: sections 3.3 and 3.4 of arXiv 2501.04519. All defaults are the paper's, so that the preset names nothing.
# released: microsoft/rStar, branch rStar-math. train/sample_sft_data.py: two best by (average Q, least Q).
#   extra_rm_file.py: `search_all_traces` takes two and two siblings, or up to four where the other side has one; it demands
#   a higher Q and a higher average of the continuation; pairs of whole solutions are not made there.
#   train/sample_rm_data.py: margin of Q at least 0.5 and edit distance at least 20. train/rm.py: each pair's loss times 1 over
#   the product of the numbers of sides, as they were before these two filters.
PRESETS: dict[str, dict[str, Any]] = {
    "paper": {},
    "released": {
        "max_partners": 4,
        "pair_weights": "by_prefix",
        "answer_pairs": False,
        "min_q_margin": 0.5,
        "min_edit_distance": 20,
        "compare_chains": True,
    },
}


class RStarMathOptions(RuleOptions):
    """Which trajectories and pairs are taken from trees. ``preset`` fills in what is not given here."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = PRESETS
    preset: Literal["paper", "released"] | None = Field(
        None, description="rstar_math: settings to start from: of the paper, or of the released code"
    )
    rounds: Literal["latest", "all"] = Field(
        "latest",
        description="rstar_math: trajectories of a problem come from the latest round that solved it, or from all rounds; "
        "all: ranked by the values of rollouts alone, because Q of a search with a reward model holds its score too",
    )
    top_k: int = Field(
        2, ge=1, description="rstar_math: correct trajectories kept a problem, best mean Q first (paper: 2)"
    )
    tie_break: Literal["least_q", "first"] = Field(
        "least_q",
        description="rstar_math: of solutions with equal mean Q first the one whose lowest Q is higher (released code), or "
        "the one that grew first",
    )
    unvisited_leaves: Literal["outcome", "zero"] = Field(
        "outcome",
        description="rstar_math: Q of an end that no rollout entered: 1 if it is correct and -1 if not, or 0",
    )
    rejected: Literal["answered", "any"] = Field(
        "answered",
        description="rstar_math: incorrect ends that a rejected side leads to: incorrect answers, or also failed code and "
        "solutions without an answer (paper: steps that lead to a wrong answer)",
    )
    pairs_from: Literal["all", "reward_model_rounds"] = Field(
        "all",
        description="rstar_math: rounds whose trees give pairs; reward_model_rounds: once a round has searched with a reward "
        "model, none before it",
    )
    max_preferred: int = Field(
        2, ge=1, description="rstar_math: preferred sides a prefix or problem, highest Q first (paper: 2)"
    )
    max_rejected: int = Field(
        2, ge=1, description="rstar_math: rejected sides a prefix or problem, lowest Q first (paper: 2)"
    )
    max_partners: int | None = Field(
        None,
        ge=1,
        description="rstar_math: sides at most that a step is paired with where it is the only one of its side (released "
        "code: 4); default: max_preferred and max_rejected",
    )
    pair_weights: Literal["equal", "by_prefix"] = Field(
        "equal",
        description="rstar_math: weight of a pair in the loss: 1, or 1 over the number of pairs of its prefix or problem, so "
        "that prefixes weigh the same (released code: by_prefix)",
    )
    answer_pairs: bool = Field(
        True,
        description="rstar_math: also pair whole correct solutions with whole incorrect ones (paper: yes, released code: no)",
    )
    min_q_margin: float = Field(
        0.0,
        ge=0.0,
        le=2.0,
        description="rstar_math: least difference of Q within a pair (paper: none stated; released code: 0.5)",
    )
    min_edit_distance: int = Field(
        0,
        ge=0,
        description="rstar_math: least edit distance between the two sides of a pair (characters; released code: 20)",
    )
    compare_chains: bool = Field(
        False,
        description="rstar_math: mean Q of the preferred step and its best continuation must exceed that of the rejected step "
        "and its worst one (released code: yes)",
    )
