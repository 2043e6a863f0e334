"""Every recipe is a config that loads, fits together and can be planned, and says what it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cluster.cli import main
from cluster.config import overrides
from cluster.config import run_config as configs
from cluster.plan import rounds
from cluster.plan.parameters import ModelParameters
from cluster.plan.stages import ProblemCounts
from cluster.run.models import fit_search
from search.data import ModelRef
from search.reward_models import RewardModelKind, resolve_kind
from tests.fakes.public_models import QWEN_TEMPLATE, write_files
from train.objectives import OBJECTIVES
from train.rules.base import POLICY, REWARD_MODEL

CONFIGS = Path(configs.__file__).parents[2] / "configs"
RECIPES = {path.stem: path for path in sorted((CONFIGS / "recipes").glob("*.yaml"))}
# Rule, objective and start of the policy, objective of the reward model: of each round.
METHODS: dict[str, list[tuple[str, str | None, str | None]]] = {
    "expert_iteration": [("expert_iteration", "sft base", None)] * 2,
    "irpo": [("irpo", "dpo_nll previous", None)] * 2,
    "iterative_dpo": [("hard_labels", None, "orm"), *[("iterative_dpo", "dpo previous", None)] * 2],
    "lets_verify": [("checked_labels", None, "prm")],
    "rstar": [("expert_iteration", "sft base", None)],
    "rstar_math": [("rstar_math", "sft base", "ppm")] * 2,
    "self_rewarding": [("self_rewarding", "dpo previous", None)] * 2,
    "sphere": [("rstar_math", None, "ppm"), ("sphere", "dpo previous", None)],
    "spin": [("spin", "dpo previous", None)] * 2,
    "star": [("star", "sft base", None)] * 2,
    "vstar": [("vstar", "sft base", "dpo")] * 2,
}
FEW = ["--problems.train.count=4", "--problems.validation.count=2", "--problems.evaluation.heldout.count=2"]


def test_these_methods_are_recipes() -> None:
    assert set(RECIPES) == set(METHODS)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_recipe_trains_on_records_that_its_rule_writes(name: str) -> None:
    found = configs.load(RECIPES[name])
    rounds = []
    for entry in found.rounds:
        method = found.method_of(entry)
        for role, lesson in ((POLICY, method.policy), (REWARD_MODEL, method.reward_model)):
            assert lesson is None or OBJECTIVES[lesson.objective].records in method.harvest_rule.files[role]
        policy = f"{method.policy.objective} {method.policy.begins}" if method.policy else None
        rounds.append((method.rule, policy, method.reward_model.objective if method.reward_model else None))
    assert rounds == METHODS[name]
    assert found.name == name


@pytest.mark.parametrize("name", sorted(METHODS))
def test_recipe_starts_from_the_demo_base_and_describes_itself(name: str) -> None:
    demo = configs.load(CONFIGS / "arithmetic.yaml")
    found = configs.load(RECIPES[name])
    assert (found.policy.recipe, found.seed) == (demo.policy.recipe, demo.seed)
    head = re.match(r"(#[^\n]*\n)*", RECIPES[name].read_text())
    assert head is not None and head[0].count("\n") == 2 and "# Differs: " in head[0]


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_recipe_measures_a_policy_in_the_same_way(name: str) -> None:
    own, other = configs.load(RECIPES[name]).evaluation, configs.load(RECIPES["irpo"]).evaluation
    for found, expected in ((own.greedy(), other.greedy()), (own.sampled(), other.sampled())):
        same = {"strategy", "candidates", "temperature", "max_depth", "max_step_tokens", "max_solution_tokens"}
        assert found.model_dump(include=same) == expected.model_dump(include=same)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_recipe_can_be_planned(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["evolve", str(RECIPES[name]), "--dry-run", *FEW]) == 0
    text = capsys.readouterr().out
    for number, (rule, policy, reward) in enumerate(METHODS[name], 1):
        assert (f"r{number}/train_policy" in text) == (policy is not None)
        assert (f"r{number}/train_reward_model" in text) == (reward is not None)
        assert (f"r{number}/search_hinted" in text) == (rule == "star")
        assert (f"r{number}/self_judgements" in text) == (rule == "self_rewarding")
        assert f"by rule {rule}: " in text
    assert not list(tmp_path.iterdir())


def test_what_a_plan_says_of_rstars_search_and_of_sampling() -> None:
    rstar, irpo = configs.load(RECIPES["rstar"]), configs.load(RECIPES["irpo"])
    sizes, models = ProblemCounts((100,) * 2, 60, {"heldout": 100}), ModelParameters(policy=1)
    stages = {stage.name: stage for stage in rounds.evolve(rstar, sizes, models)}
    assert "rstar: 4 rollouts x 2 candidates" in stages["r0/evaluate"].description
    assert "best of" not in stages["r0/evaluate"].description
    stages = {stage.name: stage for stage in rounds.evolve(irpo, sizes, models)}
    sampled = stages["r1/search"]
    assert (sampled.cost.requests, sampled.cost.generated) == (100 * 2 * 8, 100 * 8 * 280)
    assert "100 problems, sampling: 8 samples" in sampled.description


def test_sphere_searches_by_a_ready_prm_from_the_first_round(tmp_path: Path) -> None:
    prm = write_files(tmp_path / "Qwen2.5-Math-PRM-7B", "Qwen2ForProcessRewardModel", QWEN_TEMPLATE)
    ready = [f"--reward_model.path={prm}", "--rounds=[{values: reward_model, search: {preset: sphere}}]"]
    found = configs.load(RECIPES["sphere"], overrides.parse(ready))
    (only,) = found.rounds
    search, method = found.round_search(only), found.method_of(only)
    assert (search.strategy, search.temperature, method.rule, method.reward_model) == ("sphere", 0.8, "sphere", None)
    kind = resolve_kind("reward_model.path", prm, found.reward_model.kind)
    fitted = fit_search(search, ModelRef("reward_model", str(prm)), found.reward_model)
    # R = tanh(logit / 2) = 2 P(correct) - 1
    assert (kind, fitted.squash_scale) == (RewardModelKind.QWEN_PRM, 2.0)


def test_vstar_trains_its_verifier_from_the_sft_model() -> None:
    found = configs.load(RECIPES["vstar"])
    starts = [found.method_of(entry).reward_model.start for entry in found.rounds]  # type: ignore[union-attr]
    assert starts == ["sft", "sft"]
