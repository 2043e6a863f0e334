"""The problems of the configs never change: digests of ids, questions, answers and worked solutions."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

import pytest

from search import serialization
from search.problems import curriculum
from search.problems.cache_directory import CACHE_VARIABLE
from search.problems.curriculum import cache, make_problems, worked_trajectory

# split, count, seed, levels: what configs/, configs/recipes/ and tests/integration/miniature.yaml ask for
DIGESTS = {
    ("train", 690, 0, (5, 7)): "838147b1ad240ea6",
    ("train", 600, 0, (5, 6)): "e7aada5e9d4b605f",
    ("train", 320, 0, (5, 6)): "a467feba2ff55dc4",
    ("train", 300, 0, (5, 6)): "903ee95cd81c586a",
    ("train", 160, 0, (5, 6)): "369370b688f41bac",
    ("validation", 120, 0, (5, 7)): "73edfe6dec59eab0",
    ("validation", 60, 0, (5, 6)): "8190b59df9ae2c61",
    ("heldout", 300, 0, (5, 6)): "2220409eda908909",
    ("deeper", 300, 0, (7, 8)): "ba3bfd4aad368cff",
    ("deeper", 6, 0, (3, 3)): "f468f169ccc89049",
    ("worked", 24, 11, (1, 2)): "5f1db2aee330102d",
    ("worked", 12, 12, (2, 2)): "5f687f3d20f4f98c",
    ("worked", 12, 13, (2, 2)): "dd1681aa29be8912",
    ("worked", 300, 0, (1, 1)): "057985e82ba29e83",
    ("worked", 300, 0, (2, 2)): "a26745f14d7e99a0",
    ("worked", 2900, 0, (3, 3)): "01f79ddf7b1edd17",
    ("worked", 5800, 0, (4, 4)): "03494259427f559a",
    ("worked", 1300, 0, (2, 2)): "c19d4a4481349df7",
}


@pytest.fixture(scope="module", autouse=True)
def cache_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        root = tmp_path_factory.mktemp("cache")
        patch.setenv(CACHE_VARIABLE, str(root))
        yield root


def digest_of(split: str, count: int, seed: int, levels: tuple[int, int]) -> str:
    digest = blake2b(digest_size=8)
    for problem in make_problems(split, count, seed, levels):
        digest.update(serialization.dump(worked_trajectory(problem)).encode())
    return digest.hexdigest()


@pytest.mark.parametrize("arguments", list(DIGESTS))
def test_problems_and_solutions_are_the_same(arguments: tuple[str, int, int, tuple[int, int]]) -> None:
    assert digest_of(*arguments) == DIGESTS[arguments]  # composed
    assert digest_of(*arguments) == DIGESTS[arguments]  # from the cache, if there are many


def test_kept_problems_are_read_without_composing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    first = make_problems("train", 50, 9, (3, 4))
    (kept,) = tmp_path.iterdir()
    content = kept.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(curriculum, "compose", None)
        assert make_problems("train", 50, 9, (3, 4)) == first
    kept.write_bytes(content[:-9])  # damaged: composed and kept again
    assert make_problems("train", 50, 9, (3, 4)) == first
    assert kept.read_bytes() == content


def test_problems_are_made_where_no_cache_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file"))
    assert len(make_problems("worked", 50, 8, (2, 2))) == 50


def test_kept_problems_are_those_of_one_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ("train", 50, 0, 3, 4)
    path = cache._path(arguments)
    assert path != cache._path(("train", 50, 1, 3, 4))
    monkeypatch.setattr(cache, "_generator_digest", lambda: b"edited")
    assert path != cache._path(arguments)
