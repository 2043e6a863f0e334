"""What auto stands for on usual clusters, for models of usual sizes. Each expectation says why it is right."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from cluster.capacity.bundles import Supply
from cluster.capacity.choose import choose
from cluster.capacity.compare import shortages
from cluster.capacity.memory.shortage import find_shortage
from cluster.capacity.needs import Work, needs
from cluster.config.run_config import RunConfig
from tests.cluster.capacity.clusters import CLUSTERS, HEAD, MODELS, node, run_config, shapes_of

EVOLVE = Work(command="evolve")


def chosen_on(cluster: str, model: str, **fields: Any) -> RunConfig:
    return choose(run_config(**fields), CLUSTERS[cluster], shapes_of(MODELS[model]), EVOLVE).config


def engines(config: RunConfig) -> dict[str, tuple[int, float, int]]:
    """Return replicas, GPUs of each and sequences at once."""
    sections = {"policy": config.policy.engine, "reward_model": config.reward_model.engine}
    return {role: (engine.replicas, engine.gpus, engine.max_num_seqs) for role, engine in sections.items()}


def layout(config: RunConfig, role: str = "policy") -> tuple[int, bool | str, int, str, bool]:
    """Return workers, whether on GPUs, ZeRO stage, offload and checkpointing."""
    train = getattr(config.train, role)
    return train.workers, train.use_gpu, train.zero_stage, train.offload, train.gradient_checkpointing


def refusals(cluster: str, config: RunConfig, model: str) -> list[str]:
    stages, supply = needs(config, EVOLVE, shapes_of(MODELS[model])), CLUSTERS[cluster]
    fault = find_shortage(stages, supply)
    return [*shortages(stages, supply), *([fault.describe("the cluster")] if fault else [])]


# Replicas, GPUs of each and sequences at once of the policy's and of the reward model's engines.
ENGINES = [
    # No GPU: what the defaults are.
    ("laptop", "5M", (1, 0, 256), (1, 0, 256)),
    ("laptop", "0.5B", (1, 0, 256), (1, 0, 256)),
    # One of each kind a node, so that every host works. 7B in halves, twice, and the executor exceed 24 GiB of a host.
    ("three hosts", "5M", (3, 0, 256), (3, 0, 256)),
    ("three hosts", "7B", (1, 0, 256), (1, 0, 256)),
    # One card, two models: three to one. 0.5B takes 0.9 GiB in halves, but 2 GiB of CUDA and 0.05 GiB a sequence.
    ("1 x 24", "5M", (1, 0.75, 256), (1, 0.25, 64)),
    ("1 x 24", "0.5B", (1, 0.7, 248), (1, 0.3, 64)),
    # 14.2 GiB of weights, twice: on 80 GiB each has room for 64 sequences of 0.22 GiB and more.
    ("1 x 80", "7B", (1, 0.55, 96), (1, 0.45, 64)),
    # Policies get three cards of four. 7B: (72 - 14.2 - 3.1) / 0.22 = 250 sequences.
    ("8 x 80", "5M", (6, 1, 256), (2, 1, 256)),
    ("8 x 80", "0.5B", (6, 1, 256), (2, 1, 256)),
    ("8 x 80", "7B", (6, 1, 248), (2, 1, 248)),
    # 61 GiB of weights leave 7 sequences on one card, so two cards an engine; 70B: 135 GiB need two, 64 sequences four.
    ("8 x 80", "32B", (3, 2, 72), (1, 2, 72)),
    ("8 x 80", "70B", (1, 4, 112), (1, 4, 112)),
    ("2 nodes of 4 x 80", "7B", (6, 1, 248), (2, 1, 248)),
    ("2 nodes of 4 x 80", "70B", (1, 4, 112), (1, 4, 112)),  # one engine a node
    ("64 nodes of 8 x 80", "5M", (384, 1, 256), (128, 1, 256)),
    ("64 nodes of 8 x 80", "32B", (192, 2, 72), (64, 2, 72)),
    ("64 nodes of 8 x 80", "70B", (96, 4, 112), (32, 4, 112)),
    # No node with a GPU is there: those that the cluster may add count.
    ("up to 4 nodes of 8 x 80", "0.5B", (24, 1, 256), (8, 1, 256)),
    ("up to 4 nodes of 8 x 80", "70B", (6, 4, 112), (2, 4, 112)),
    # An engine of one or four cards may land on the small ones, so it is planned for 24 GiB.
    ("4 x 24 and 8 x 80", "0.5B", (9, 1, 256), (3, 1, 256)),
    ("4 x 24 and 8 x 80", "7B", (4, 2, 104), (2, 2, 104)),
    ("4 x 24 and 8 x 80", "32B", (2, 4, 15), (1, 4, 15)),
]


@pytest.mark.parametrize(("cluster", "model", "policy", "reward_model"), ENGINES)
def test_engines_are_as_argued_and_fit(
    cluster: str, model: str, policy: tuple[int, float, int], reward_model: tuple[int, float, int]
) -> None:
    config = chosen_on(cluster, model)
    for role, (replicas, gpus, sequences) in (("policy", policy), ("reward_model", reward_model)):
        assert engines(config)[role][:2] == (replicas, gpus)
        assert engines(config)[role][2] == pytest.approx(sequences, rel=0.15)  # as the estimator is fitted
    if cluster != "three hosts" or model != "7B":  # its training does not fit, see below
        for section in (config.policy.engine, config.reward_model.engine):
            expected = 0.9 * section.gpus if 0 < section.gpus < 1 else 0.9
            assert section.gpu_memory_utilization == pytest.approx(expected, abs=1e-4)


# Workers, on GPUs, ZeRO stage, offload, checkpointing of the policy's training: batches of 128, sequences of 2048 tokens.
LAYOUTS = [
    ("laptop", "5M", (1, False, 1, "none", False)),
    ("three hosts", "5M", (3, False, 1, "none", False)),  # a worker a node
    ("1 x 24", "0.5B", (1, True, 1, "none", False)),
    # 7.6e9 weights: 12 bytes each for AdamW are 85 GiB, so the host holds them.
    ("1 x 80", "7B", (1, True, 2, "optimizer", True)),
    # 6 x 4.7e6 x 128 x 2048 = 7.4e12 FLOP a step: seven workers compute for longer than they wait.
    ("8 x 80", "5M", (7, True, 1, "none", False)),
    ("8 x 80", "0.5B", (8, True, 1, "none", False)),
    ("8 x 80", "7B", (8, True, 1, "none", False)),  # an eighth of AdamW's 85 GiB, and 28 of weights and gradients
    # 16 bytes for each of 32.8e9 weights are 61 GiB on each of 8 cards, activations more than 11; 2 TiB of host hold them.
    ("8 x 80", "32B", (8, True, 2, "optimizer", True)),
    # As many workers as a step has sequences: 128 of 512 GPUs.
    ("64 nodes of 8 x 80", "0.5B", (128, True, 1, "none", False)),
    ("64 nodes of 8 x 80", "32B", (128, True, 3, "none", False)),
    ("64 nodes of 8 x 80", "70B", (128, True, 3, "none", True)),
    ("up to 4 nodes of 8 x 80", "7B", (32, True, 1, "none", False)),
    ("up to 4 nodes of 8 x 80", "70B", (32, True, 3, "none", True)),  # 16 bytes x 72.7e9 / 32 = 34 GiB
    ("4 x 24 and 8 x 80", "0.5B", (12, True, 1, "none", False)),
]


@pytest.mark.parametrize(("cluster", "model", "expected"), LAYOUTS)
def test_trainings_are_laid_out_as_argued_and_fit(
    cluster: str, model: str, expected: tuple[int, bool, int, str, bool]
) -> None:
    config = chosen_on(cluster, model)
    assert layout(config) == expected
    assert refusals(cluster, config, model) == []


REFUSED = [
    ("1 x 24", "7B", "2 GPUs: 1 policy, 1 reward model"),  # two times 15 GiB, and each engine needs its own card
    ("1 x 80", "32B", "2 GPUs: 1 policy, 1 reward model"),
    ("4 x 24 and 8 x 80", "70B", "16 GPUs: 8 policy, 8 reward model"),  # only eight cards together are sure to hold it
    ("three hosts", "70B", "one policy engine needs 1"),
]


@pytest.mark.parametrize(("cluster", "model", "reason"), REFUSED)
def test_model_that_does_not_fit_is_left_to_the_refusal(cluster: str, model: str, reason: str) -> None:
    config = chosen_on(cluster, model)
    assert any(reason in line for line in refusals(cluster, config, model))


@pytest.mark.parametrize("cluster", CLUSTERS)
@pytest.mark.parametrize("model", MODELS)
def test_auto_is_never_a_cpu_where_a_gpu_can_be(cluster: str, model: str) -> None:
    config = chosen_on(cluster, model)
    has_gpus = CLUSTERS[cluster].most_gpus > 0
    for engine in (config.policy.engine, config.reward_model.engine):
        assert (engine.gpus > 0) is has_gpus
    for train in (config.train.policy, config.train.reward_model, config.policy.recipe.train):
        assert train.use_gpu is has_gpus


def test_machine_without_a_gpu_has_defaults_and_no_reasons() -> None:
    config = RunConfig.model_validate({"name": "r", "problems": {"train": {"name": "curriculum", "count": 2}}})
    chosen = choose(config, CLUSTERS["laptop"], shapes_of(MODELS["5M"]))
    assert chosen.reasons == ()
    engine, train, workers = chosen.config.policy.engine, chosen.config.train.policy, chosen.config.workers
    assert (engine.replicas, engine.gpus, engine.max_num_seqs) == (1, 0, 256)
    assert (train.workers, train.zero_stage, train.micro_batch_tokens, train.use_gpu) == (1, 1, 8192, False)
    assert (train.offload, train.gradient_checkpointing, train.cpus_per_worker) == ("none", False, None)
    assert (workers.workers, workers.trees_in_flight, chosen.config.executor.replicas) == (1, 32, 1)


def test_every_auto_becomes_a_number() -> None:
    for cluster in CLUSTERS.values():
        text = choose(run_config(), cluster, shapes_of(MODELS["0.5B"])).config.model_dump()
        sections = (text["policy"]["engine"], text["reward_model"]["engine"], text["train"]["policy"], text["workers"])
        left = [name for section in sections for name, value in section.items() if value == "auto"]
        assert set(left) <= {"dtype", "enforce_eager", "precision"}  # which engines and workers decide where they run


def test_reasons_name_what_was_chosen_and_how_much_it_takes() -> None:
    chosen = choose(run_config(), CLUSTERS["8 x 80"], shapes_of(MODELS["7B"]))
    cards, executor, workers, policy, reward_model, train, *_ = chosen.reasons
    assert cards == "auto: shares out 8 GPUs of 80 GiB"
    assert executor == "executor: 1, one a node (auto: replicas)"
    assert re.match(r"workers: 1 with 5\d\d trees at once in each", workers)
    alone = r"6 engines of 1 GPU \(8 until another model is served\), 2\d\d sequences at once: 7\d"
    assert re.match(f"policy.engine: {alone}", policy)
    assert policy.endswith("(auto: gpus, replicas, max_num_seqs, gpu_memory_utilization)") and "weights 14.2" in policy
    assert reward_model.startswith("reward_model.engine: 2 engines of 1 GPU")
    assert train.startswith("train.policy: 8 workers with a GPU each, ") and "of 80 GiB on each card" in train


def test_reasons_say_what_is_yet_to_come_and_what_is_not_known() -> None:
    unknown = Supply(nodes=(HEAD,), can_add=(node("gpu", 32, 4, memory=256),), is_fixed=False)
    chosen = choose(run_config(), unknown, shapes_of(MODELS["0.5B"]))
    assert chosen.reasons[0] == (
        "auto: shares out 4 GPUs of unknown memory, taken for 24 GiB, 4 of them yet to be added"
    )
    mixed = choose(run_config(), CLUSTERS["4 x 24 and 8 x 80"], shapes_of(MODELS["0.5B"]))
    assert mixed.reasons[0] == (
        "auto: shares out 12 GPUs of 24 to 80 GiB, planned for 24 GiB where an engine may get any of them"
    )


def test_engines_that_run_alone_get_all_gpus() -> None:
    alone = choose(run_config(), CLUSTERS["8 x 80"], shapes_of(MODELS["7B"]), Work(command="search"))
    assert alone.config.policy.engine.replicas == 8
    scoring = choose(
        run_config(),
        CLUSTERS["8 x 80"],
        shapes_of(MODELS["7B"]),
        Work(command="eval-reward-model", names_reward_model=True),
    )
    assert (scoring.config.policy.engine.replicas, scoring.config.reward_model.engine.replicas) == (8, 8)


def test_policy_has_all_gpus_until_a_reward_model_is_served() -> None:
    config, shapes = chosen_on("8 x 80", "7B"), shapes_of(MODELS["7B"])
    assert (config.policy.engine.replicas, config.policy.engine.replicas_alone) == (6, 8)
    gpus = {stage.stage: stage.gpus for stage in needs(config, EVOLVE, shapes)}
    assert gpus["r1/search"] == 8  # 8 of the policy; round 2 is the first with a reward model
    groups = {stage.stage: {g.role: g.replicas for g in stage.groups} for stage in needs(config, EVOLVE, shapes)}
    assert [groups[name].get("policy") for name in ("r0/evaluate", "r1/search", "r2/search")] == [8, 8, 8]
    assert groups["r2/promote"] | {"executor": 0, "search_worker": 0} == {
        "policy": 6,
        "reward_model": 2,
        "executor": 0,
        "search_worker": 0,
    }
    assert groups["r3/search"]["policy"] == groups["r4/evaluate"]["policy"] == 6
    stays = chosen_on("8 x 80", "7B", policy={"path": "/m", "engine": {"max_model_len": 4096, "replicas": 5}})
    assert (stays.policy.engine.replicas, stays.policy.engine.replicas_alone) == (5, 0)
    assert chosen_on("1 x 80", "0.5B").policy.engine.replicas_alone == 0  # a share of a card stays one


def test_gpus_are_left_to_trainings_where_engines_stay() -> None:
    config = chosen_on("8 x 80", "0.5B", placement={"keep_engines": True})
    engines_take = sum(e.replicas * e.gpus for e in (config.policy.engine, config.reward_model.engine))
    assert (engines_take, config.train.policy.workers) == (4, 4)
    assert refusals("8 x 80", config, "0.5B") == []


def test_trainings_side_by_side_share_the_gpus() -> None:
    config = chosen_on("8 x 80", "0.5B", placement={"train_together": True})
    assert (config.train.policy.workers, config.train.reward_model.workers) == (4, 4)
    assert refusals("8 x 80", config, "0.5B") == []


def test_engines_have_only_the_gpus_of_labelled_nodes() -> None:
    plain = node("a", 64, 4, memory=512, card=80)
    supply = Supply(nodes=(plain, replace(plain, name="b", labels={"pool": "engines"})))
    labels = {"engine_labels": {"pool": "engines"}}
    config = choose(run_config(placement=labels), supply, shapes_of(MODELS["0.5B"])).config
    assert (config.policy.engine.replicas, config.reward_model.engine.replicas) == (3, 1)
    assert config.train.policy.workers == 8
    labels = {"engine_labels": {"pool": "none"}}
    config = choose(run_config(placement=labels), supply, shapes_of(MODELS["0.5B"])).config
    assert config.policy.engine.gpus == 1  # and no CPU: the placement refuses it


def test_executors_go_where_cpus_are_to_spare() -> None:
    few = Supply(nodes=(HEAD, *(node(f"g{i}", 16, 8, memory=512, card=80) for i in range(2))))
    assert choose(run_config(), few, shapes_of(MODELS["0.5B"])).config.executor.replicas == 1  # the head's
    more = choose(run_config(placement={"reserved_cpus": 1}), few, shapes_of(MODELS["0.5B"])).config
    assert more.executor.replicas == 2
    only = choose(run_config(placement={"executors": "cpu_only"}), CLUSTERS["up to 4 nodes of 8 x 80"], {}).config
    assert only.executor.replicas == 4  # nodes that are added for it: one for eight engines
