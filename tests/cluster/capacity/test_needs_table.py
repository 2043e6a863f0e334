from __future__ import annotations

from cluster.capacity.needs_table import WIDTH, needs_table
from tests.cluster.capacity.made_up_nodes import group, stage

ENGINE = group("policy", 2, gpus=1, memory_gib=2, gpu_memory_gib=19.6, memory_parts="weights 14.2, KV cache 0.2")
STAGES = [
    stage("r0/evaluate", ENGINE, group("executor", memory_gib=1.5)),
    stage("r1/search", ENGINE, group("executor", memory_gib=1.5)),
    stage(
        "r1/train_policy", group("training", cpus=1, memory_gib=17.4, memory_parts="optimizer 7.0, " + "x 1.0, " * 30)
    ),
]


def test_table_groups_stages_and_adds_up_what_runs_at_once() -> None:
    lines = [" ".join(line.split()) for line in needs_table(STAGES)]
    assert lines[:6] == [
        "of each process CPUs GPUs GiB of a GPU GiB of a host",
        "r0/evaluate, r1/search",
        "2 x policy engine 0.5 1 19.6 2",
        "weights 14.2, KV cache 0.2",
        "1 x executor 0.5 – – 1.5",
        "at once 1.5 2 5.5",
    ]
    assert lines[6:8] == ["r1/train_policy", "1 x training worker 1 – – 17.4"]


def test_table_is_at_most_80_columns_wide() -> None:
    assert max(map(len, needs_table(STAGES))) <= WIDTH


def test_parts_of_a_memory_are_listed_once() -> None:
    text = "\n".join(needs_table([*STAGES, stage("r2/search", ENGINE)]))
    assert text.count("weights 14.2") == 1


def test_table_is_empty_when_nothing_is_needed() -> None:
    assert list(needs_table([])) == []
