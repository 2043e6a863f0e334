"""Harvest rules by name, and the union of their options.

A new rule is one file with its entry, one line of ``HARVEST_RULES`` here and one test.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Union

from train.rules import (
    expert_iteration,
    irpo,
    iterative_dpo,
    self_rewarding,
    sphere,
    spin,
    star,
    vstar,
)
from train.rules.base import HarvestRule, RuleInput, RuleOptions
from train.rules.rstar_math import harvest as rstar_math
from train.rules.step_labels import checked_labels, consensus_labels, synthetic_labels, tree_labels

HARVEST_RULES: dict[str, HarvestRule] = {
    rule.name: rule
    for rule in (
        rstar_math.RULE,
        tree_labels.HARD_LABELS,
        tree_labels.SOFT_LABELS,
        tree_labels.Q_LABELS,
        consensus_labels.RULE,
        checked_labels.RULE,
        synthetic_labels.RULE,
        expert_iteration.RULE,
        star.RULE,
        vstar.RULE,
        irpo.RULE,
        iterative_dpo.RULE,
        self_rewarding.RULE,
        spin.RULE,
        sphere.RULE,
    )
}
DEFAULT_RULE = rstar_math.RULE.name

if TYPE_CHECKING:
    AnyRuleOptions = RuleOptions
else:
    AnyRuleOptions = Union[tuple(dict.fromkeys(rule.options for rule in HARVEST_RULES.values()))]  # noqa: UP007


def rule_options(name: str, values: Any) -> RuleOptions:
    """Return the options of the rule ``name``: its defaults with ``values``, a mapping or None.

    Raises:
        ValueError: an option is another rule's.
        pydantic.ValidationError: a value is impossible, or its name is no option's.
    """
    options = HARVEST_RULES[name].options
    for key in values.keys() - options.model_fields.keys() if isinstance(values, Mapping) else ():
        if owners := [other for other, rule in HARVEST_RULES.items() if key in rule.options.model_fields]:
            raise ValueError(f"rule {name!r} has no option {key}: it belongs to {', '.join(owners)}")
    return options() if values is None else options.model_validate(values)


def rules_that_need(needed: RuleInput) -> list[str]:
    """Return the names of the rules that need an input."""
    return [name for name, rule in HARVEST_RULES.items() if needed in rule.needs]
