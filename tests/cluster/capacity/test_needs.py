"""What each stage of each command needs at once."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.capacity.bundles import StageNeed
from cluster.capacity.memory.estimate import ModelShape
from cluster.capacity.needs import Work, needs
from cluster.config.run_config import RunConfig

SHAPE = ModelShape(
    parameters=10**9,
    layers=4,
    hidden=64,
    intermediate=128,
    heads=4,
    kv_heads=4,
    head_dim=16,
    vocabulary=100,
    dtype="bfloat16",
)
ON_GPUS = {
    "policy": {"path": "/models/p", "engine": {"gpus": 2, "replicas": 2, "num_cpus": 1}},
    "reward_model": {"engine": {"gpus": 1, "replicas": 3, "num_cpus": 1}},
    "executor": {"replicas": 4, "num_cpus": 2},
    "workers": {"workers": 2, "num_cpus": 1},
}


def config(**fields: Any) -> RunConfig:
    problems = {
        "train": {"name": "curriculum", "count": 2},
        "evaluation": {"heldout": {"name": "curriculum", "count": 1}},
    }
    return RunConfig.model_validate({"name": "r", "problems": problems, **fields})


def evolve(**fields: Any) -> dict[str, StageNeed]:
    return {stage.stage: stage for stage in needs(config(**fields), Work(command="evolve"))}


def roles(stage: StageNeed) -> dict[str, int]:
    return {group.role: group.replicas for group in stage.groups}


SERVED = {"policy": 2, "executor": 4, "search_worker": 2}


def test_stages_of_all_rounds_are_listed_in_order() -> None:
    stages = evolve(rounds=[{"train_reward_model": False}, {}])
    assert list(stages) == [
        "r0/base",
        "r0/evaluate",
        *(f"r1/{name}" for name in ("search", "train_policy", "promote", "evaluate")),
        *(f"r2/{name}" for name in ("search", "train_policy", "train_reward_model", "promote", "evaluate")),
    ]


def test_named_policy_is_not_made() -> None:
    assert "r0/base" not in evolve(**ON_GPUS, rounds=[{}])


def test_groups_have_the_numbers_of_the_config() -> None:
    search = evolve(**ON_GPUS, rounds=[{}])["r1/search"]
    assert roles(search) == SERVED
    assert (search.gpus, search.cpus) == (2 * 2, 2 * 1 + 4 * 2 + 2 * 1)


def test_reward_model_is_served_once_a_round_has_trained_it() -> None:
    stages = evolve(**ON_GPUS, rounds=[{}, {"values": "reward_model"}])
    with_reward_model = [name for name, stage in stages.items() if "reward_model" in roles(stage)]
    assert with_reward_model == ["r1/promote", "r1/evaluate", "r2/search", "r2/promote", "r2/evaluate"]
    assert stages["r2/search"].gpus == 2 * 2 + 3 * 1


def test_engines_of_an_earlier_stage_run_on_until_a_training() -> None:
    """A named reward model scores the base's evaluation; its engines still run while round 1 searches without it."""
    named = {**ON_GPUS, "reward_model": {**ON_GPUS["reward_model"], "path": "/models/r"}}
    stages = evolve(**named, rounds=[{}])
    assert roles(stages["r1/search"]) == SERVED | {"reward_model": 3}
    assert roles(stages["r1/train_policy"]) == {"training": 1}


def test_engines_stay_while_models_are_trained_when_kept() -> None:
    kept = evolve(**ON_GPUS, rounds=[{}], placement={"keep_engines": True})["r1/train_policy"]
    assert roles(kept) == SERVED | {"training": 1}


def test_trainings_side_by_side_are_one_stage() -> None:
    stages = evolve(rounds=[{}], placement={"train_together": True}, train={"policy": {"workers": 3}})
    assert [group.replicas for group in stages["r1/train"].groups] == [3, 1]
    assert "r1/train_policy" not in stages


def test_training_takes_a_gpu_a_worker() -> None:
    train = {"policy": {"workers": 4, "use_gpu": True, "cpus_per_worker": 3}}
    training = evolve(rounds=[{}], train=train)["r1/train_policy"]
    assert (training.gpus, training.cpus) == (4, 12)


def test_hints_and_marks_are_stages_of_their_own() -> None:
    star = evolve(method={"rule": "star"}, rounds=[{"train_reward_model": False}])
    assert roles(star["r1/search_hinted"]) == roles(star["r1/search"])
    marks = {"rule": "self_rewarding", "policy": {"objective": "dpo"}}
    judging = evolve(method=marks, search={"strategy": "sampling"}, rounds=[{"train_reward_model": False}])
    assert "policy" in roles(judging["r1/self_judgements"])


def test_server_in_place_of_engines_needs_none() -> None:
    endpoint = {"endpoint": {"url": "http://h/v1", "model": "m"}}
    served = needs(config(policy=endpoint), Work(command="search"))
    assert [roles(stage) for stage in served] == [{"executor": 1, "search_worker": 1}]


RSTAR = {"strategy": "rstar"}


@pytest.mark.parametrize(
    ("second", "first_stage"), [(None, None), ("policy", None), ("base", "r2/search"), ("owner/name", "r1/search")]
)
def test_second_policy_has_engines_when_it_is_another_model(second: str | None, first_stage: str | None) -> None:
    """Only the searches of the rounds ask it here. In round 1 the base still is the policy that searches."""
    rounds = [{"train_reward_model": False}] * 2
    evaluation = {"search": {"strategy": "sampling"}}
    listed = evolve(search=RSTAR, evaluation=evaluation, second_policy=second, rounds=rounds)
    served = [name for name, stage in listed.items() if "second_policy" in roles(stage)]
    assert served[:1] == ([first_stage] if first_stage else [])
    assert not {"r0/evaluate", "r1/train_policy", "r1/promote"} & set(served)


def test_policies_beside_the_first_have_engines_of_their_own() -> None:
    several = config(
        **{**ON_GPUS, "policies": [{"path": "/models/q"}, {"path": "/models/s", "engine": {"gpus": 4, "replicas": 1}}]},
        search={"strategy": "ab_mcts"},
    )
    (search,) = needs(several, Work(command="search"))
    assert roles(search) == SERVED | {"policy_2": 2, "policy_3": 1}
    assert search.gpus == 2 * 2 + 2 * 2 + 4


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        (Work(command="search"), {"search": SERVED}),
        (Work(command="search", names_reward_model=True), {"search": SERVED | {"reward_model": 3}}),
        (Work(command="solve"), {"search": SERVED}),
        (Work(command="evaluate"), {"r0/evaluate": SERVED}),
        (Work(command="evaluate", names_reward_model=True), {"r0/evaluate": SERVED | {"reward_model": 3}}),
        (Work(command="train"), {"train_policy": {"training": 1}}),
        (Work(command="train", trains="reward_model"), {"train_reward_model": {"training": 1}}),
        (
            Work(command="eval-reward-model", names_reward_model=True),
            {"samples": SERVED, "scores": {"reward_model": 3}},
        ),
        (Work(command="select", names_reward_model=True, draws=False), {"scores": {"reward_model": 3}}),
        (Work(command="harvest"), {}),
        (Work(), {}),
    ],
)
def test_command_needs_what_it_starts(work: Work, expected: dict[str, dict[str, int]]) -> None:
    assert {stage.stage: roles(stage) for stage in needs(config(**ON_GPUS), work)} == expected


def test_comparison_serves_a_reward_model_when_one_reads_it() -> None:
    greedy = {"settings": {"strategy": "sampling", "candidates": 1}, "scale": None}
    guided = {"settings": {"strategy": "beam"}, "scale": None}
    named = Work(command="compare", names_reward_model=True)

    def served(**strategies: Any) -> dict[str, int]:
        compare = {"strategies": strategies, "against": "greedy"}
        (stage,) = needs(config(**ON_GPUS, compare=compare), named)
        return roles(stage)

    assert "reward_model" not in served(greedy=greedy, other=greedy)
    assert "reward_model" in served(greedy=greedy, beam=guided)


def test_built_in_policy_is_made_unless_an_option_names_one() -> None:
    assert [stage.stage for stage in needs(config(), Work(command="search"))] == ["r0/base", "search"]
    assert [stage.stage for stage in needs(config(), Work(command="search", names_policy=True))] == ["search"]


def test_memory_follows_from_the_shapes_of_models() -> None:
    known = {stage.stage: stage for stage in needs(config(**ON_GPUS), Work(command="evolve"), {"policy": SHAPE})}
    policy = next(group for group in known["r1/search"].groups if group.role == "policy")
    trained = known["r1/train_policy"].groups[0].bundle
    assert policy.bundle.gpu_memory_gib > 10**9 * 2 / 2**30 / 2  # the weights, over two cards
    assert trained.gpus == 1 and trained.gpu_memory_gib > 10**9 * 16 / 2**30  # weights, gradients, AdamW's states
    assert trained.disk_gib == pytest.approx(10**9 * 28 / 2**30)
    assert all(group.bundle.memory_gib == 0 for group in evolve(**ON_GPUS)["r1/train_policy"].groups)


def test_memory_that_processes_may_share_is_not_sure() -> None:
    search = needs(config(policy={"path": "/m"}), Work(command="search"), {"policy": SHAPE})[-1]
    assert 0 < search.sure_memory_gib < search.memory_gib
    executor = next(group for group in search.groups if group.role == "executor")
    assert executor.bundle.memory_gib > 1 and executor.bundle.sure_memory_gib == 0
