"""Every model that a config or a command names is resolved once; a dry run says what it does not know."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from cluster.cli import main
from cluster.config.run_config import RunConfig
from cluster.run import model_fields
from cluster.run.directory import MANIFEST, open_run
from cluster.run.manifest import read_manifest
from search.errors import UserError
from search.problems.hub import absence_of_hub
from tests.fakes.hub import COMMIT, OTHER_COMMIT, lay_out_cache, read_files
from tests.fakes.tiny_model import make_empty_model

NAME = "me/tiny"
SIZE = "{layers: 24, hidden: 896, intermediate: 4864, heads: 14, kv_heads: 2, vocabulary: 151936}"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty Hub cache, and no Hub; the working directory is empty too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub_cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    absence_of_hub.cache_clear()
    yield tmp_path / "hub_cache"
    absence_of_hub.cache_clear()


@pytest.fixture
def files(tmp_path: Path) -> dict[str, bytes]:
    model = make_empty_model(tmp_path / "model", architecture="Qwen2ForCausalLM")
    (model / "generation_config.json").write_text('{"temperature": 0.6, "top_p": 0.95, "top_k": 20}')
    return read_files(model)


def make_config(**fields: Any) -> RunConfig:
    sets = {"name": "curriculum", "count": 2}
    problems = {"train": sets, "validation": sets, "evaluation": {"heldout": sets}}
    return RunConfig.model_validate({"name": "mini", "problems": problems, **fields})


def resolved(config: RunConfig, **options: Any) -> tuple[RunConfig, model_fields.RunModels]:
    models = model_fields.resolve_models(config, options.pop("options", {}), options.pop("recorded", {}), **options)
    return model_fields.with_directories(config, models), models


def test_config_gets_directories_for_names(cache: Path, files: dict[str, bytes], tmp_path: Path) -> None:
    snapshot = lay_out_cache(cache, NAME, files)
    config = make_config(policy={"path": NAME}, reward_model={"path": "model"}, second_policy=f"{NAME}@main")
    found, models = resolved(config)
    assert found.policy.path == found.second_policy == str(snapshot)
    assert found.reward_model.path == str(tmp_path / "model")
    assert config.policy.path == NAME  # what the run directory keeps
    assert [(entry["role"], entry["start"], entry["commit"]) for entry in models.lineage()] == [
        ("policy", f"{NAME}@{COMMIT}", COMMIT),
        ("reward_model", str(tmp_path / "model"), None),
        ("second_policy", f"{NAME}@{COMMIT}", COMMIT),
    ]
    assert resolved(make_config(second_policy="base"))[1].resolved == {}


def test_policy_option_stands_in_for_the_config(files: dict[str, bytes], tmp_path: Path) -> None:
    config = make_config(policy={"path": "me/nowhere"})
    found, models = resolved(config, options={"--policy": "model"})
    assert found.policy.path == str(tmp_path / "model")
    assert list(models.resolved) == ["--policy"]


def test_resumed_run_keeps_its_commit(cache: Path, files: dict[str, bytes], tmp_path: Path) -> None:
    lay_out_cache(cache, NAME, files)
    config = make_config(policy={"path": NAME})
    found, models = resolved(config)
    with open_run(tmp_path / "run", config.resolved(), seed=0, command="raystar", models=models.facts()):
        pass
    recorded = read_manifest(tmp_path / "run" / MANIFEST).models
    assert recorded["policy.path"]["commit"] == COMMIT and recorded["policy.path"]["reference"] == NAME
    moved = files | {"tokenizer.json": b'{"added_tokens": []}'}
    lay_out_cache(cache, NAME, moved, OTHER_COMMIT)  # main has moved on
    assert resolved(config)[1].resolved["policy.path"].commit == OTHER_COMMIT
    assert resolved(config, recorded=recorded)[0].policy.path == found.policy.path
    (cache / "models--me--tiny" / "snapshots" / COMMIT / "tokenizer.json").write_text('{"added_tokens": [1]}')
    with pytest.raises(UserError, match=r"^policy.path: me/tiny at c0ffee00 is another model than .* was started with"):
        resolved(config, recorded=recorded)


def test_sampling_follows_the_model_where_asked(files: dict[str, bytes]) -> None:
    policy = {"path": "model", "sampling_defaults": "generation_config"}
    config, models = resolved(make_config(policy=policy, search={"strategy": "beam", "top_p": 0.5}))
    assert (config.search.temperature, config.search.top_p, config.search.top_k) == (0.6, 0.5, 20)
    assert config.search.strategy == "beam"
    greedy, sampled = config.evaluation.greedy(), config.evaluation.sampled()
    assert (greedy.temperature, sampled.temperature, sampled.top_p) == (0.0, 0.6, 0.95)
    assert any("temperature 0.6, top_p 0.95, top_k 20" in line for line in model_fields.describe_models(config, models))
    assert resolved(make_config(policy={"path": "model"}))[0].search == make_config().search
    Path("model/generation_config.json").write_text('{"temperature": -1}')
    with pytest.raises(UserError, match=r"policy.sampling_defaults: generation_config.json says {'temperature': -1}"):
        resolved(make_config(policy=policy))


def write_config(**policy: Any) -> None:
    rows = [{"id": f"p{n}", "question": f"What is {n} plus {n * n}?", "answer": str(n + n * n)} for n in range(6)]
    Path("train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("mini.yaml").write_text(
        "name: mini\n"
        "problems:\n"
        "  train: {name: train.jsonl}\n"
        "  validation: {name: curriculum, split: validation, count: 5, levels: [3, 6]}\n"
        "  evaluation: {heldout: {name: curriculum, split: heldout, count: 5, levels: [3, 6]}}\n"
        f"policy: {json.dumps(policy)}\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["evolve", "mini.yaml", f"--policy.path={NAME}"],
        ["evolve", "mini.yaml", f"--reward_model.path={NAME}"],
        ["evolve", "mini.yaml", f"--second_policy={NAME}"],
        ["search", "mini.yaml", "--policy", NAME],
        ["evaluate", "mini.yaml", "--reward-model", NAME],
        ["train", "policy", "mini.yaml", "--data", "train.jsonl", "--init", NAME],
        ["eval-reward-model", "mini.yaml", "--model", NAME],
        ["select", "mini.yaml", "--model", NAME],
        ["models", NAME],
    ],
)
def test_unknown_name_is_one_line_in_every_field(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    write_config()
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "HF_HUB_OFFLINE is set, and me/tiny is not in the local cache" in error
    assert sorted(path.name for path in Path().iterdir()) == ["mini.yaml", "train.jsonl"]


@pytest.mark.parametrize("field", ["--policy.path", "--reward_model.path", "--second_policy", "--policy"])
def test_truncated_weights_are_refused_in_every_field(
    field: str, files: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    write_config()
    Path("model/model.safetensors").write_bytes(files["model.safetensors"][:-1])
    assert main(["search", "mini.yaml", f"{field}=model"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "model.safetensors is truncated" in error
    assert not Path("runs").exists()


def test_dry_run_plans_by_the_declared_size(capsys: pytest.CaptureFixture[str]) -> None:
    write_config()
    assert main(["evolve", "mini.yaml", "--dry-run", f"--policy.path={NAME}", f"--policy.size={SIZE}"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "me/tiny is not in the local cache" in text and "planned by the declared size, 494 M parameters" in text
    assert main(["eval-reward-model", "mini.yaml", "--dry-run", "--model", NAME]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "its size, context, template and kind are not known here, the start will check them" in text
    assert not Path("runs").exists()
