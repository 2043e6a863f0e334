"""Harvest rules by name: what each method learns from the trees of a search. One file a rule, one line here."""

from __future__ import annotations

from search.data import PreferencePair, Trajectory
from search.errors import UserError
from train.rules.base import POLICY, VERIFIER, Harvest, Lesson, Marked, Rule, RuleInputs
from train.rules.config import RulesConfig
from train.rules.expert_iteration import expert_iteration
from train.rules.irpo import irpo
from train.rules.iterative_dpo import iterative_dpo
from train.rules.self_rewarding import self_rewarding
from train.rules.sphere import sphere
from train.rules.spin import spin
from train.rules.star import star
from train.rules.vstar import vstar

__all__ = ["POLICY", "RULES", "VERIFIER", "Harvest", "Lesson", "Marked", "Material", "Rule", "RulesConfig", "harvest"]

IMITATE, PREFER = {POLICY: Trajectory}, {POLICY: PreferencePair}

RULES: dict[str, Rule] = {
    "expert_iteration": Rule(expert_iteration, IMITATE),
    "star": Rule(star, IMITATE, needs=("hinted",)),
    "vstar": Rule(vstar, {POLICY: Trajectory, VERIFIER: PreferencePair}),
    "irpo": Rule(irpo, PREFER),
    "iterative_dpo": Rule(iterative_dpo, PREFER),
    "self_rewarding": Rule(self_rewarding, PREFER, needs=("marked",)),
    "spin": Rule(spin, PREFER, needs=("references",)),
    "sphere": Rule(sphere, PREFER),
}


def harvest(name: str, material: RuleInputs, config: RulesConfig) -> Harvest:
    """What the rule called ``name`` makes of the material. Raises UserError for a name that is none."""
    if name not in RULES:
        raise UserError(f"no harvest rule {name!r}: one of {', '.join(sorted(RULES))}")
    return RULES[name].make(material, config)
