"""Which rules, objectives and searches fit together, what is said where they do not, and what a plan says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cluster.config.method_config import MethodConfig
from cluster.config.run_config import RunConfig
from cluster.plan import rounds
from cluster.plan.parameters import ModelParameters
from cluster.plan.stages import ProblemCounts
from cluster.run import preflight
from cluster.run.models import fit_search
from search.data import Aggregation, ModelRef, Problem
from search.errors import UserError
from search.reward_models import RewardModelKind, read_kind
from search.strategies.registry import search_config
from tests.fakes.tiny_model import make_empty_model
from train.data.loading import ENCODERS
from train.objectives import OBJECTIVES, POLICY_OBJECTIVES, REWARD_MODEL_OBJECTIVES
from train.rules.base import POLICY, REWARD_MODEL
from train.rules.registry import HARVEST_RULES

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
    assert set(OBJECTIVES) == {*POLICY_OBJECTIVES, *REWARD_MODEL_OBJECTIVES}
    for objective in OBJECTIVES.values():
        assert ENCODERS[objective.samples][0].__name__ == RECORDS[objective.records]


def test_every_rule_has_an_objective_that_learns_from_it() -> None:
    for name, rule in HARVEST_RULES.items():
        assert rule.objectives(POLICY) + rule.objectives(REWARD_MODEL), name
    assert HARVEST_RULES["rstar_math"].objectives(POLICY) == ("sft",)
    assert HARVEST_RULES["irpo"].objectives(POLICY) == ("dpo", "dpo_nll")
    assert HARVEST_RULES["hard_labels"].objectives(REWARD_MODEL) == ("prm", "orm", "q_regression")


def test_the_default_is_rstar_math() -> None:
    found = MethodConfig()
    assert found.policy is not None and found.reward_model is not None
    assert (found.rule, found.policy.objective, found.policy.begins) == ("rstar_math", "sft", "base")
    assert (found.reward_model.objective, found.reward_model.start) == ("ppm", "policy")


def test_a_model_that_the_rule_has_nothing_for_is_not_trained() -> None:
    labels = MethodConfig.model_validate({"rule": "hard_labels", "reward_model": {"objective": "prm"}})
    assert labels.policy is None and labels.reward_model is not None
    pairs = MethodConfig.model_validate({"rule": "irpo", "policy": {"objective": "dpo_nll"}})
    assert pairs.reward_model is None and pairs.policy is not None and pairs.policy.begins == "previous"


@pytest.mark.parametrize(
    ("method", "line"),
    [
        ({"rule": "magic"}, "one of rstar_math, hard_labels"),
        ({"rule": ["irpo"]}, "Input should be a valid string"),
        (
            {"rule": "irpo"},
            "policy.objective 'sft' learns from trajectories.jsonl, and rule 'irpo' writes pairs.jsonl for that model: "
            "one of dpo, dpo_nll fits",
        ),
        (
            {"rule": "hard_labels"},
            "reward_model.objective 'ppm' learns from pairs.jsonl, and rule 'hard_labels' writes step_labels.jsonl, "
            "outcomes.jsonl for that model: one of prm, orm, q_regression fits",
        ),
        (
            {"rule": "star", "reward_model": {"objective": "orm"}},
            "rule 'star' writes nothing for that model: reward_model: null fits",
        ),
        (
            {"rule": "vstar", "policy": None, "reward_model": {"objective": "dpo", "start": "sft"}},
            "reward_model.start 'sft' needs a policy that is trained by it: policy: {objective: sft}",
        ),
        (
            {"rule": "irpo", "options": {"max_pairs": 4}, "policy": {"objective": "dpo"}},
            "rule 'irpo' has no option max_pairs: it belongs to vstar",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_what_does(method: dict[str, Any], line: str) -> None:
    assert line in refused(method=method)


def test_scores_are_asked_for_before_anything_starts() -> None:
    dpo = {"rule": "iterative_dpo", "policy": {"objective": "dpo"}}
    sphere = {"rule": "sphere", "policy": {"objective": "dpo"}}
    assert "rounds.0: rule 'iterative_dpo' needs scores of a reward model: values: reward_model" in refused(
        method=dpo, rounds=[{"search": {"strategy": "sampling"}}]
    )
    assert "rounds.0: strategy 'sphere' needs scores" in refused(rounds=[{"search": {"strategy": "sphere"}}])
    assert "rounds.0.values = 'reward_model' needs an earlier round" in refused(
        method=dpo, rounds=[{"values": "reward_model"}]
    )
    assert "rule 'sphere' reads trees of strategy 'sphere', not of 'mcts'" in refused(
        method=sphere, reward_model={"path": "/rm"}, rounds=[{"values": "reward_model"}]
    )
    found = config(
        method=sphere,
        reward_model={"path": "/rm"},
        rounds=[{"values": "reward_model", "search": {"strategy": "sphere"}}],
    )
    assert found.round_search(found.rounds[0]).strategy == "sphere"


def test_round_may_override_the_method_without_a_reward_model() -> None:
    found = config(
        method={"rule": "iterative_dpo", "policy": {"objective": "dpo"}},
        rounds=[
            {"method": {"rule": "hard_labels", "reward_model": {"objective": "orm"}}},
            {"values": "reward_model", "search": {"strategy": "sampling"}},
            {"values": "reward_model", "method": {"rule": "rstar_math"}, "train_reward_model": False},
        ],
    )
    methods = [found.method_of(entry) for entry in found.rounds]
    assert [method.rule for method in methods] == ["hard_labels", "iterative_dpo", "rstar_math"]
    assert [method.reward_model is not None for method in methods] == [True, False, False]
    assert RunConfig.model_validate(found.resolved()) == found


def test_references_are_the_curriculums_or_a_file(tmp_path: Path) -> None:
    spin = MethodConfig.model_validate({"rule": "spin", "policy": {"objective": "dpo"}})
    preflight.check_reference_solutions(spin, [Problem(id="c", question="?", answer="1", source="curriculum/train")])
    with pytest.raises(UserError, match=r"'spin' needs reference solutions, and training problem g is of gsm8k"):
        preflight.check_reference_solutions(spin, [Problem(id="g", question="?", answer="1", source="gsm8k")])
    file = tmp_path / "worked.jsonl"
    named = spin.model_copy(update={"references": str(file)})
    with pytest.raises(UserError, match=r"method.references: no file .*worked.jsonl"):
        preflight.check_reference_solutions(named, [])
    file.touch()
    preflight.check_reference_solutions(named, [Problem(id="g", question="?", answer="1", source="gsm8k")])


@pytest.mark.parametrize(
    ("field", "line"),
    [
        ("reward_model", "reward_model.path: no model directory /nowhere"),
        ("second_policy", "second_policy: no model directory /nowhere"),
    ],
)
def test_named_models_are_checked_before_anything_starts(field: str, line: str) -> None:
    named: Any = {"path": "/nowhere"} if field == "reward_model" else "/nowhere"
    with pytest.raises(UserError, match=line):
        preflight.check_config(config(**{field: named}))


def test_a_ready_reward_model_is_measured_from_the_base_on() -> None:
    sizes, models = ProblemCounts((2,), 2, {"heldout": 2}), ModelParameters(policy=1)
    for fields, there in (({}, False), ({"reward_model": {"path": "/rm"}}, True)):
        stages = {
            stage.name: stage.description for stage in rounds.evolve(config(**fields, rounds=[{}]), sizes, models)
        }
        assert ("best of 8" in stages["r0/evaluate"]) is there


@pytest.mark.parametrize(
    ("labels", "kind", "scale"),
    [
        (("reward",), RewardModelKind.PPM, 3.0),
        (("value",), RewardModelKind.Q_REGRESSION, 3.0),
        (("correct",), RewardModelKind.ORM, 6.0),  # tanh(x / 2) = 2 sigmoid(x) - 1
        (("correct", "neutral", "incorrect"), RewardModelKind.PRM, 6.0),
        (("LABEL_0",), None, 3.0),
    ],
)
def test_a_search_squashes_each_kind_in_its_own_units(
    tmp_path: Path, labels: tuple[str, ...], kind: RewardModelKind | None, scale: float
) -> None:
    make_empty_model(tmp_path, labels=labels)
    assert read_kind(tmp_path) is kind
    search = search_config(squash_scale=3.0)
    fitted = fit_search(search, ModelRef("reward_model", str(tmp_path)))
    assert fitted.squash_scale == scale
    assert fitted.aggregation is (Aggregation.PRODUCT if kind is RewardModelKind.PRM else Aggregation.LAST)
    chosen = search.model_copy(update={"step_aggregation": Aggregation.MIN})
    assert fit_search(chosen, ModelRef("reward_model", str(tmp_path))).aggregation is Aggregation.MIN
    assert fit_search(search, None) == search
    judge = ModelRef("reward_model", "/any", kind="judge")
    assert fit_search(search, judge).squash_scale == 6.0
