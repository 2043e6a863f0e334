"""Which values of a config may change when a run is resumed, and which are refused by name."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from actors.config import EngineConfig
from cluster.capacity.choose import choose
from cluster.config.model_config import FurtherPolicyConfig
from cluster.config.run_config import RunConfig
from cluster.run.directory import CONFIG, MANIFEST, check_run_dir, open_run
from cluster.run.manifest import read_manifest
from cluster.run.resume import INDEX, MAY_CHANGE, changes, may_change
from search.errors import UserError
from tests.cluster.capacity.clusters import CLUSTERS, MODELS, run_config, shapes_of


def resolved(strategy: str = "mcts") -> dict[str, Any]:
    some = {"name": "curriculum", "count": 2}
    problems = {"train": some, "evaluation": {"heldout": some}}
    served = {"endpoint": {"url": "http://h/v1", "model": "m"}}
    fields = {"name": "x", "problems": problems, "search": {"strategy": strategy}}
    config = RunConfig.model_validate({**fields, "policy": served, "reward_model": served}).resolved()
    policies = (FurtherPolicyConfig(path="/m", engine=EngineConfig()), FurtherPolicyConfig(path="/n"))
    config["policies"] = [policy.model_dump(mode="json") for policy in policies]
    return config


def leaves(tree: Any, at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(tree, dict) and tree:
        for key, value in tree.items():
            yield from leaves(value, (*at, key))
    elif at == ("policies",):
        for place, entry in enumerate(tree):
            yield from leaves(entry, (*at, str(place)))
    else:
        yield at


def changed(config: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    config = copy.deepcopy(config)
    parent = config
    for key in path[:-1]:
        parent = parent[int(key) if isinstance(parent, list) else key]
    parent[path[-1]] = "another value"
    return config


@pytest.mark.parametrize("strategy", ["mcts", "beam", "dvts", "rstar", "sampling"])
def test_every_field_may_change_or_is_refused_by_name(tmp_path: Path, strategy: str) -> None:
    config, root, free = resolved(strategy), tmp_path / "x", set()
    with open_run(root, config, seed=0, command="a"):
        pass
    for path in leaves(config):
        name = ".".join(path)
        if may_change(name):
            free.add(INDEX.sub(".N", name))
            assert check_run_dir(root, changed(config, path)) is True
        else:
            with pytest.raises(UserError) as caught:
                check_run_dir(root, changed(config, path))
            assert name in str(caught.value) and '-> "another value"' in str(caught.value)
            assert "\n" not in str(caught.value)
    assert free == MAY_CHANGE  # the list names no field that does not exist


def test_field_that_decides_results_is_refused_with_both_values(tmp_path: Path) -> None:
    config, root = resolved(), tmp_path / "x"
    with open_run(root, config, seed=0, command="a"):
        pass
    other = copy.deepcopy(config)
    other["search"]["parallel_rollouts"] = 4
    other["workers"]["workers"] = 3
    with pytest.raises(UserError, match=r"another config: search\.parallel_rollouts 1 -> 4\. Choose"):
        check_run_dir(root, other)


def test_engines_of_policies_may_change_but_not_their_models(tmp_path: Path) -> None:
    config, root = resolved(), tmp_path / "x"
    with open_run(root, config, seed=0, command="a"):
        pass
    other = copy.deepcopy(config)
    other["policies"][0]["engine"]["replicas"] = 3
    assert check_run_dir(root, other)
    other["policies"][1]["path"] = "/other"
    with pytest.raises(UserError, match=r'policies\.1\.path "/n" -> "/other"'):
        check_run_dir(root, other)


def test_run_may_go_on_on_any_other_cluster(tmp_path: Path) -> None:
    config, root = run_config(), tmp_path / "x"
    with open_run(root, config.resolved(), seed=0, command="a"):
        pass
    assert yaml.safe_load((root / CONFIG).read_text())["policy"]["engine"]["replicas"] == "auto"  # whatever is chosen
    for cluster in CLUSTERS.values():
        chosen = choose(config, cluster, shapes_of(MODELS["0.5B"])).config.resolved()
        differing = [path for path, _ in changes(config.resolved(), chosen)]
        assert "train.policy.workers" in differing and all(map(may_change, differing))
    assert check_run_dir(root, chosen)  # one may write down the numbers


def test_changed_values_are_stored_and_named_in_the_manifest(tmp_path: Path) -> None:
    config, root = resolved(), tmp_path / "x"
    with open_run(root, config, seed=0, command="a"):
        pass
    other = copy.deepcopy(config)
    other["workers"]["trees_in_flight"] = 7
    other["train"]["policy"]["trackers"] = []
    for expected in (['train.policy.trackers ["tensorboard"] -> []', 'workers.trees_in_flight "auto" -> 7'], []):
        with open_run(root, other, seed=0, command="b"):
            pass
        assert sorted(read_manifest(root / MANIFEST).starts[-1]["changed"]) == expected
    assert yaml.safe_load((root / CONFIG).read_text())["workers"]["trees_in_flight"] == 7
