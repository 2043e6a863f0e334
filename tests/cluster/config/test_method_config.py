"""Which rules, objectives and searches fit together, what is said where they do not, and what a plan says of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cluster.commands import dry_run
from cluster.config.method_config import POLICY_OBJECTIVES, REWARD_OBJECTIVES, MethodConfig
from cluster.config.run_config import RunConfig
from cluster.run import preflight
from cluster.run.models import in_units
from search.config import SearchConfig
from search.data import ModelRef, Problem
from search.errors import UserError
from search.reward_models import RewardModelKind, kind_of
from train.data.loading import READERS
from train.objectives import OBJECTIVES
from train.rules.registry import LEARNS_FROM, POLICY, REWARD, SOURCES

RECORDS = {
    "trajectories.jsonl": "Trajectory",
    "pairs.jsonl": "PreferencePair",
    "step_labels.jsonl": "StepLabels",
    "outcomes.jsonl": "Trajectory",
}


def config(**fields: Any) -> RunConfig:
    return RunConfig.model_validate({"name": "m", "problems": {"train": {"name": "curriculum", "count": 2}}, **fields})


def refused(**fields: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        config(**fields)
    return str(caught.value)


def test_every_objective_reads_the_records_that_lie_in_its_file() -> None:
    assert set(LEARNS_FROM) == set(OBJECTIVES) == {*POLICY_OBJECTIVES, *REWARD_OBJECTIVES}
    for name, objective in OBJECTIVES.items():
        assert READERS[objective.kind][0].__name__ == RECORDS[LEARNS_FROM[name]]


def test_every_rule_can_teach_somebody() -> None:
    for name, source in SOURCES.items():
        fitting = source.fitting(POLICY, POLICY_OBJECTIVES) + source.fitting(REWARD, REWARD_OBJECTIVES)
        assert fitting, name
    assert SOURCES["rstar_math"].fitting(POLICY, POLICY_OBJECTIVES) == ["sft"]
    assert SOURCES["irpo"].fitting(POLICY, POLICY_OBJECTIVES) == ["dpo", "dpo_nll"]
    assert SOURCES["hard_labels"].fitting(REWARD, REWARD_OBJECTIVES) == ["prm", "orm", "q_regression"]


def test_the_default_is_rstar_math() -> None:
    found = MethodConfig()
    assert found.policy is not None and found.reward is not None
    assert (found.rule, found.policy.objective, found.policy.begins) == ("rstar_math", "sft", "base")
    assert (found.reward.objective, found.reward.start) == ("ppm", "policy")


def test_a_model_that_the_rule_has_nothing_for_is_not_trained() -> None:
    labels = MethodConfig.model_validate({"rule": "hard_labels", "reward": {"objective": "prm"}})
    assert labels.policy is None and labels.reward is not None
    pairs = MethodConfig.model_validate({"rule": "irpo", "policy": {"objective": "dpo_nll"}})
    assert pairs.reward is None and pairs.policy is not None and pairs.policy.begins == "previous"


@pytest.mark.parametrize(
    ("method", "line"),
    [
        ({"rule": "magic"}, "one of rstar_math, hard_labels"),
        (
            {"rule": "irpo"},
            "policy.objective 'sft' learns from trajectories.jsonl, and rule 'irpo' writes pairs.jsonl for that model: "
            "one of dpo, dpo_nll fits",
        ),
        (
            {"rule": "hard_labels"},
            "reward.objective 'ppm' learns from pairs.jsonl, and rule 'hard_labels' writes step_labels.jsonl, "
            "outcomes.jsonl for that model: one of prm, orm, q_regression fits",
        ),
        (
            {"rule": "star", "reward": {"objective": "orm"}},
            "rule 'star' writes nothing for that model: reward: null fits",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_what_does(method: dict[str, Any], line: str) -> None:
    assert line in refused(method=method)


def test_scores_are_asked_for_before_anything_starts() -> None:
    dpo = {"rule": "iterative_dpo", "policy": {"objective": "dpo"}}
    sphere = {"rule": "sphere", "policy": {"objective": "dpo"}}
    assert "rounds.0: rule 'iterative_dpo' needs scores of a reward model: values: reward_model" in refused(
        method=dpo, rounds=[{"strategy": "samples"}]
    )
    assert "rounds.0: strategy 'sphere' needs scores" in refused(rounds=[{"strategy": "sphere"}])
    assert "rounds.0.values = 'reward_model' needs an earlier round" in refused(
        method=dpo, rounds=[{"values": "reward_model"}]
    )
    assert "rule 'sphere' reads trees of strategy 'sphere', not of 'mcts'" in refused(
        method=sphere, reward_model={"path": "/rm"}, rounds=[{"values": "reward_model"}]
    )
    found = config(
        method=sphere, reward_model={"path": "/rm"}, rounds=[{"values": "reward_model", "strategy": "sphere"}]
    )
    assert found.round_search(found.rounds[0]).strategy == "sphere"


def test_a_round_may_have_a_method_of_its_own_and_leave_its_reward_model_out() -> None:
    found = config(
        method={"rule": "iterative_dpo", "policy": {"objective": "dpo"}},
        rounds=[
            {"method": {"rule": "hard_labels", "reward": {"objective": "orm"}}},
            {"values": "reward_model", "strategy": "samples"},
            {"values": "reward_model", "method": {"rule": "rstar_math"}, "train_reward_model": False},
        ],
    )
    methods = [found.method_of(entry) for entry in found.rounds]
    assert [method.rule for method in methods] == ["hard_labels", "iterative_dpo", "rstar_math"]
    assert [method.reward is not None for method in methods] == [True, False, False]
    assert RunConfig.model_validate(found.resolved()) == found


def test_references_are_the_curriculums_or_a_file(tmp_path: Path) -> None:
    spin = MethodConfig.model_validate({"rule": "spin", "policy": {"objective": "dpo"}})
    preflight.references(spin, [Problem("c", "?", "1", "curriculum/train")])
    with pytest.raises(UserError, match=r"'spin' needs reference solutions, and training problem g is of gsm8k"):
        preflight.references(spin, [Problem("g", "?", "1", "gsm8k")])
    file = tmp_path / "worked.jsonl"
    named = spin.model_copy(update={"references": str(file)})
    with pytest.raises(UserError, match=r"method.references: no file .*worked.jsonl"):
        preflight.references(named, [])
    file.touch()
    preflight.references(named, [Problem("g", "?", "1", "gsm8k")])


@pytest.mark.parametrize(
    ("field", "line"),
    [
        ("reward_model", "reward_model.path: no model directory /nowhere"),
        ("second", "second: no model directory /nowhere"),
    ],
)
def test_models_that_are_named_are_looked_at_before_anything_starts(field: str, line: str) -> None:
    named: Any = {"path": "/nowhere"} if field == "reward_model" else "/nowhere"
    with pytest.raises(UserError, match=line):
        preflight.inputs(config(**{field: named}))


def test_a_ready_reward_model_is_measured_from_the_base_on() -> None:
    sizes = dry_run.Sizes((2,), 2, {"heldout": 2})
    for fields, there in (({}, False), ({"reward_model": {"path": "/rm"}}, True)):
        stages = {stage.name: stage.what for stage in dry_run.evolve(config(**fields, rounds=[{}]), sizes)}
        assert ("PPM best of 8" in stages["r0/evaluate"]) is there


@pytest.mark.parametrize(
    ("labels", "kind", "scale"),
    [
        (("reward",), RewardModelKind.PPM, 3.0),
        (("value",), RewardModelKind.Q_REGRESSION, 3.0),
        (("right",), RewardModelKind.ORM, 6.0),  # tanh(x / 2) = 2 sigmoid(x) - 1
        (("right", "neutral", "wrong"), RewardModelKind.PRM, 6.0),
        (("LABEL_0",), None, 3.0),
    ],
)
def test_a_search_squashes_each_kind_in_its_own_units(
    tmp_path: Path, labels: tuple[str, ...], kind: RewardModelKind | None, scale: float
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"id2label": dict(enumerate(labels))}))
    assert kind_of(tmp_path) is kind
    search = SearchConfig(squash_scale=3.0)
    assert in_units(search, ModelRef("reward_model", str(tmp_path))).squash_scale == scale
    assert in_units(search, None) == search
