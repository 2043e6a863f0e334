"""Run directories: created, continued, refused and locked. Stages: complete or absent."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from cluster.run import manifest as manifests
from cluster.run.directory import MANIFEST, Stage, check_run_dir, differences, open_run
from search.errors import UserError
from search.storage.schema import SCHEMA_VERSION

CONFIG = {"name": "x", "search": {"rollouts": 4}, "rounds": [{"values": "terminal"}]}


def open_and_close(root: Path, config: dict[str, object] = CONFIG) -> None:
    with open_run(root, config, seed=1, command="raystar evolve"):
        pass


def file_contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_run_is_created_and_then_continued(tmp_path: Path) -> None:
    root = tmp_path / "runs" / "x"
    assert check_run_dir(root, CONFIG) is False
    open_and_close(root)
    assert check_run_dir(root, CONFIG) is True
    open_and_close(root)
    manifest = manifests.read_manifest(root / MANIFEST)
    assert (manifest.project, manifest.schema, manifest.seed) == ("raystar", SCHEMA_VERSION, 1)
    assert [start["command"] for start in manifest.starts] == ["raystar evolve"] * 2
    assert manifest.versions["python"].startswith("3.")


def test_changed_config_is_refused_with_its_differences(tmp_path: Path) -> None:
    root = tmp_path / "x"
    open_and_close(root)
    before = file_contents(root)
    changed = {"name": "x", "search": {"rollouts": 8, "c": 2.0}, "rounds": [{"values": "reward_model"}]}
    with pytest.raises(UserError) as caught:
        open_and_close(root, changed)
    message = str(caught.value)
    for part in ("search.rollouts 4 -> 8", "search.c null -> 2.0", 'rounds.0.values "terminal" -> "reward_model"'):
        assert part in message
    assert "\n" not in message
    assert file_contents(root) == before


@pytest.mark.parametrize(("before", "now"), [({"far": "no Hub"}, {}), ({}, {"far": "no Hub"})])
def test_resume_is_refused_when_a_set_became_reachable(
    before: dict[str, str], now: dict[str, str], tmp_path: Path
) -> None:
    root = tmp_path / "x"
    with open_run(root, CONFIG, seed=1, command="a", unreachable=before):
        pass
    with open_run(root, CONFIG, seed=1, command="a", unreachable=before):
        pass
    files = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    with (
        pytest.raises(UserError, match=r"problems\.evaluation\.far can"),
        open_run(root, CONFIG, seed=1, command="a", unreachable=now),
    ):
        pass
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == files


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"project": "other", "schema": 3}, "belongs to another project"),
        ({"schema": 3}, "belongs to another project"),
        ({"project": "raystar", "schema": 1, "seed": 0}, "schema version 1, .* writes version 3: .* the older RayStar"),
        ({"project": "raystar", "schema": 99, "seed": 0}, "schema version 99, .* version 3: .* the newer RayStar"),
        ({"project": "raystar", "schema": 3, "seed": 0, "odd": 1}, "not a manifest of schema version 3"),
        ([], "a JSON object is needed"),
    ],
)
def test_foreign_manifest_is_refused(tmp_path: Path, content: object, message: str) -> None:
    root = tmp_path / "x"
    root.mkdir()
    (root / MANIFEST).write_text(json.dumps(content))
    before = file_contents(root)
    with pytest.raises(UserError, match=message):
        open_and_close(root)
    assert file_contents(root) == before


def test_path_that_is_no_run_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(UserError, match=r"not a RayStar run directory \(it holds thesis.tex, but no manifest.json\)"):
        open_and_close(tmp_path)
    with pytest.raises(UserError, match="is a file"):
        open_and_close(tmp_path / "thesis.tex")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / MANIFEST).write_text('{"project": ')
    with pytest.raises(UserError, match=r"manifest.json is damaged: not JSON"):
        open_and_close(broken)


def test_run_is_created_when_its_creation_was_killed(tmp_path: Path) -> None:
    root = tmp_path / "x"
    open_and_close(root)
    (root / MANIFEST).unlink()
    (root / ".manifest.json.tmp").write_text("{")
    open_and_close(root, {"name": "y"})
    assert check_run_dir(root, {"name": "y"}) is True


def test_run_is_refused_while_another_process_holds_it(tmp_path: Path) -> None:
    root = tmp_path / "x"
    with (
        open_run(root, CONFIG, seed=1, command="a"),
        pytest.raises(UserError, match=f"in use by process {os.getpid()}"),
        open_run(root, CONFIG, seed=1, command="b"),
    ):
        pass
    open_and_close(root)


def test_stage_is_absent_until_it_is_finished(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "r1" / "harvest")
    with pytest.raises(RuntimeError), stage.writing() as writer:
        (writer.directory / "half.jsonl").write_text("{}")
        raise RuntimeError("killed")
    assert not stage.is_done
    assert not stage.path.exists()
    assert stage.facts() == {}
    with stage.writing() as writer:
        assert not (writer.directory / "half.jsonl").exists()
        (writer.directory / "all.jsonl").write_text("{}")
        writer.facts["pairs"] = 7
    assert stage.is_done
    assert stage.facts()["pairs"] == 7
    assert stage.facts()["seconds"] >= 0
    assert sorted(path.name for path in stage.path.iterdir()) == ["all.jsonl", "done.json"]
    assert not stage.partial.exists()


def test_kept_stage_resumes_and_sums_its_seconds(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "search")
    with pytest.raises(KeyboardInterrupt), stage.writing(keep=True) as writer:
        (writer.directory / "trees.jsonl").write_text("one\n")
        raise KeyboardInterrupt
    (stage.partial / "seconds").write_text("100.0")
    with stage.writing(keep=True) as writer:
        assert (writer.directory / "trees.jsonl").read_text() == "one\n"
    assert stage.facts()["seconds"] >= 100.0


def _write_until_killed(path: Path) -> None:
    with Stage(path).writing(keep=True) as writer:
        (writer.directory / "trees.jsonl").write_text("one\n")
        os.kill(os.getpid(), signal.SIGKILL)


def test_stage_can_be_kept_after_sigkill(tmp_path: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=_write_until_killed, args=(tmp_path / "search",))
    process.start()
    process.join(timeout=30)
    assert process.exitcode == -signal.SIGKILL
    stage = Stage(tmp_path / "search")
    assert not stage.is_done
    assert (stage.begin(keep=True) / "trees.jsonl").read_text() == "one\n"


def test_lineage_entry_of_same_model_is_replaced(tmp_path: Path) -> None:
    with open_run(tmp_path / "x", CONFIG, seed=1, command="a") as run:
        run.add_lineage(role="policy", round=1, version=1, path="a")
        run.add_lineage(role="reward_model", round=1, version=1, path="b")
        run.add_lineage(role="policy", round=1, version=1, path="c")
        run.update_manifest(sandbox="strict")
        assert [entry["path"] for entry in run.manifest.lineage] == ["b", "c"]
        assert run.manifest.sandbox == "strict"
        assert run.stage("r1/search").path == tmp_path / "x" / "rounds" / "r1" / "search"


def test_differences_name_the_changed_fields() -> None:
    old, new = {"a": 1, "b": [{"x": 1}], "c": [1]}, {"a": 1, "b": [{"x": 1}, {"x": 2}], "c": [2], "d": 0}
    assert list(differences(old, new)) == ["b has 1 -> 2 entries", "c [1] -> [2]", "d null -> 0"]
