"""Fields of engines that a config file named before there was one for GPUs."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.config.overrides import parse
from cluster.config.run_config import load
from search.errors import UserError

CONFIG = "name: r\nproblems: {train: {name: curriculum, count: 2}}\npolicy:\n  engine: {num_gpus: 1}\n"


def test_old_fields_are_refused_with_the_new_one(tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    file.write_text(CONFIG)
    with pytest.raises(UserError) as caught:
        load(file)
    assert str(caught.value).startswith(
        f"{file}:4: policy.engine is not possible: num_gpus is no field any more: say gpus"
    )
    file.write_text(CONFIG.replace("num_gpus: 1", "gpus: 1"))
    with pytest.raises(UserError, match=r"^command line: policy.engine is not possible: tensor_parallel is no field"):
        load(file, parse(["--policy.engine.tensor_parallel=2"]))
    assert load(file).policy.engine.gpus == 1
