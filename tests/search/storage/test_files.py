"""Files and directories that appear complete or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from search.storage.files import atomic_directory, atomic_file, open_atomic, publish_directory, write_text


def test_text_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    write_text(path, "new ☃")
    assert path.read_text(encoding="utf-8") == "new ☃"
    assert list(tmp_path.iterdir()) == [path]


def test_old_file_stays_when_the_block_fails(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError), open_atomic(path) as file:
        file.write("half")
        raise RuntimeError("killed")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_file_and_its_directory_are_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.readlink(f"/proc/self/fd/{descriptor}")))
    with atomic_file(tmp_path / "a") as temporary:
        temporary.write_bytes(b"1")
    assert synced == [str(temporary), str(tmp_path)]
    assert (tmp_path / "a").read_bytes() == b"1"


def test_directory_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "new" / "model"
    with atomic_directory(path) as directory:
        (directory / "inner").mkdir()
        (directory / "inner" / "weights").write_text("1")
        assert not path.exists()
    assert (path / "inner" / "weights").read_text() == "1"
    assert list(path.parent.iterdir()) == [path]


def test_directory_is_absent_when_the_block_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), atomic_directory(tmp_path / "model") as directory:
        (directory / "weights").write_text("1")
        raise RuntimeError("killed")
    assert list(tmp_path.iterdir()) == []


def test_directory_is_kept_when_another_process_was_first(tmp_path: Path) -> None:
    path = tmp_path / "model"
    with atomic_directory(path) as directory:
        (directory / "weights").write_text("late")
        path.mkdir()
        (path / "weights").write_text("first")
    assert (path / "weights").read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_directory_is_empty_at_first_when_a_killed_one_is_left(tmp_path: Path) -> None:
    path = tmp_path / "model"
    with atomic_directory(path) as directory:
        left = directory
    left.mkdir()
    (left / "half").write_text("1")
    with atomic_directory(tmp_path / "model") as directory:
        assert directory == left and not list(directory.iterdir())


def test_every_file_is_synced_before_a_directory_is_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, synced = tmp_path / "source", list[str]()
    (source / "inner").mkdir(parents=True)
    (source / "inner" / "a").write_text("1")
    (source / "broken").symlink_to("nowhere")
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.readlink(f"/proc/self/fd/{descriptor}")))
    publish_directory(source, tmp_path / "target")
    assert synced == [str(source), str(source / "inner" / "a"), str(source / "inner"), str(tmp_path)]
    assert (tmp_path / "target" / "inner" / "a").read_text() == "1"
