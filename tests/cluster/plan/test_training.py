"""Upper bounds of records and of the tokens learnt from them, worked out by hand."""

from __future__ import annotations

from pathlib import Path

from cluster.config.method_config import MethodConfig
from cluster.plan.cost import StageCost
from cluster.plan.training import count_records, harvested_records, labelled_solutions, train_cost, tree_size
from search.strategies.registry import search_config
from train.config import TrainConfig
from train.rules.base import TreeSize

MCTS = search_config(rollouts=3, candidates=2, max_depth=5)
SAMPLES = search_config(strategy="sampling", candidates=4, trees=2)


def test_a_tree_has_as_many_expansions_as_requests() -> None:
    assert tree_size(MCTS) == TreeSize(expansions=15, solutions=30)
    assert tree_size(SAMPLES) == TreeSize(expansions=8, solutions=4)


def test_records_of_a_rule_add_up_over_trees_and_problems() -> None:
    """Two trees of 4 solutions: 8 records to imitate; 4 x 4 pairs of V-STaR. Of 10 problems each."""
    star = MethodConfig(rule="expert_iteration")
    assert harvested_records(star, "sft", 10, [SAMPLES]) == 80
    vstar = MethodConfig(rule="vstar")
    assert harvested_records(vstar, "dpo", 10, [SAMPLES]) == 160
    limited = MethodConfig(rule="vstar", options={"max_pairs": 3, "max_solutions": 2})
    assert (harvested_records(limited, "sft", 10, [SAMPLES]), harvested_records(limited, "dpo", 10, [SAMPLES])) == (
        20,
        30,
    )


def test_step_labels_are_of_eight_solutions_a_tree_at_most() -> None:
    labels = MethodConfig(rule="hard_labels", reward_model={"objective": "prm"})
    assert harvested_records(labels, "prm", 10, [MCTS]) == 80
    assert harvested_records(labels, "prm", 10, [SAMPLES]) == 80


def test_a_search_for_labels_labels_what_its_options_say() -> None:
    """12 solutions with 3 completions of up to 16 prefixes each; 2 searches of 4 midpoints each, from 1 + 8 states."""
    shepherd = search_config(strategy="math_shepherd", solutions=12, candidates=3, max_depth=16)
    omega = search_config(strategy="omega_prm", search_limit=2, candidates=3, max_depth=16)
    assert (tree_size(shepherd).solutions, tree_size(shepherd).labelled) == (12 + 12 * 16 * 3, 12)
    assert (tree_size(omega).solutions, tree_size(omega).labelled) == (9 * 3, 3 + 2 * 2)
    method = MethodConfig.model_validate({"rule": "soft_labels", "reward_model": {"objective": "prm"}})
    assert harvested_records(method, "prm", problems=5, searches=[shepherd]) == 5 * 12


def test_a_sequence_is_as_long_as_training_and_context_allow() -> None:
    settings = TrainConfig(epochs=3, max_length=100)
    assert train_cost("sft", 5, settings, 7) == StageCost(trained=1500, flops=6 * 7 * 1500)
    assert train_cost("sft", 5, settings, 7, context=64).trained == 5 * 64 * 3
    assert train_cost("ppm", 5, settings, 7).trained == 3000


def test_labels_are_counted_in_their_file_else_as_declared(tmp_path: Path) -> None:
    method = MethodConfig(
        rule="checked_labels",
        labels=str(tmp_path / "labels.jsonl"),
        labelled_solutions=7,
        reward_model={"objective": "prm"},
    )
    assert labelled_solutions(method) == 7
    (tmp_path / "labels.jsonl").write_text("{}\n\n{}\n")
    assert labelled_solutions(method) == 2
    assert count_records([tmp_path / "labels.jsonl"] * 2) == 4
