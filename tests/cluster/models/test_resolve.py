"""Names, directories and stages become directories, or one line that says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.models.directory import header_digest
from cluster.models.resolve import resolve
from cluster.models.snapshot import ModelUnavailable
from search.errors import UserError
from tests.fakes.hub import COMMIT, OTHER_COMMIT, lay_out_cache

NAME = "me/tiny"


def test_directory_is_made_absolute(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model.parent)
    monkeypatch.setenv("HOME", str(model.parent))
    for reference in (str(model), "model", "./model", "~/model"):
        resolved = resolve("policy.path", reference)
        assert (resolved.directory, resolved.commit, resolved.reference) == (model, None, reference)
        assert resolved.describe() == resolved.pinned == str(model)


def test_stage_of_a_run_stands_for_its_model(model: Path, tmp_path: Path) -> None:
    stage = tmp_path / "run" / "rounds" / "r2" / "train_policy"
    stage.mkdir(parents=True)
    model.rename(stage / "model")
    assert resolve("--policy", str(stage)).directory == stage / "model"
    with pytest.raises(UserError, match=r"^--policy: .*run is a run with 1 models: .*r2/train_policy$"):
        resolve("--policy", str(tmp_path / "run"))


def test_name_is_found_in_the_cache_without_a_hub(cache: Path, files: dict[str, bytes]) -> None:
    snapshot = lay_out_cache(cache, NAME, files)
    lay_out_cache(cache, NAME, files | {"config.json": b'{"architectures": ["LlamaForCausalLM"]}'}, OTHER_COMMIT, "v2")
    resolved = resolve("policy.path", NAME)
    assert (resolved.directory, resolved.commit) == (snapshot, COMMIT)
    assert (resolved.name, resolved.pinned) == (NAME, f"{NAME}@{COMMIT}")
    assert resolved.describe() == f"{NAME} at c0ffee00"
    for reference in (f"{NAME}@v2", f"{NAME}@{OTHER_COMMIT}"):
        other = resolve("policy.path", reference)
        assert (other.commit, other.name) == (OTHER_COMMIT, NAME)
        assert other.header_digest == header_digest(other.directory) != resolved.header_digest
    assert resolve("policy.path", NAME, commit=OTHER_COMMIT).commit == OTHER_COMMIT  # of a run that is resumed


def test_name_that_is_nowhere_is_one_line(cache: Path) -> None:
    for reference, named in ((NAME, NAME), (f"{NAME}@v9", f"{NAME}@v9")):
        with pytest.raises(ModelUnavailable) as caught:
            resolve("policy.path", reference)
        assert str(caught.value) == (
            f"policy.path: HF_HUB_OFFLINE is set, and {named} is not in the local cache ({cache}): "
            "give a model directory, or fetch it once where the Hub can be reached"
        )
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize(
    "reference", ["nowhere", "./me/tiny", "../me/tiny", "~/tiny", "/me/tiny", "~no_such_user/a", "a/b/c"]
)
def test_missing_directory_is_no_name(reference: str) -> None:
    with pytest.raises(UserError, match=rf"^--init: no model directory {reference}: .* or a Hugging Face name"):
        resolve("--init", reference)


def test_cached_snapshot_without_weights_is_refused(cache: Path, files: dict[str, bytes]) -> None:
    lay_out_cache(cache, NAME, {name: content for name, content in files.items() if name.endswith(".json")})
    with pytest.raises(UserError, match=r"^policy.path: .* holds no weights"):
        resolve("policy.path", NAME)
    assert resolve("policy.path", NAME, weights=False).commit == COMMIT


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("", "the name is empty: a directory, a stage of a run, or a Hugging Face name"),
        ("a\nb/c", "no model directory a b/c: "),
        ("me/tiny.git", "me/tiny.git is no Hugging Face name: "),
        ("me/ti--ny", "me/ti--ny is no Hugging Face name: "),
    ],
)
def test_reference_that_can_be_no_model_is_one_line(reference: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        resolve("--policy", reference)
    assert str(caught.value).startswith(f"--policy: {message}") and "\n" not in str(caught.value)


def test_broken_weights_are_refused_unless_absent(model: Path) -> None:
    whole = (model / "model.safetensors").read_bytes()
    (model / "model.safetensors").write_bytes(whole[:-1])
    with pytest.raises(UserError, match=r"^policy.path: .*model.safetensors is truncated"):
        resolve("policy.path", str(model), weights=False)
    (model / "model.safetensors").unlink()
    assert resolve("policy.path", str(model), weights=False).directory == model
