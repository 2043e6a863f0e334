"""What an unfinished training left behind is checked before it goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from search.errors import UserError
from train.data.tokenized import TokenizedRow, TokenizedSet, pack
from train.objectives import SampleKind
from train.trainer.saved_state import INDEX, check_checkpoint, check_samples, record_files


@pytest.fixture
def samples() -> TokenizedSet:
    return pack(SampleKind.PREFERENCES, [TokenizedRow([1, 2, 3], [False, True, True])] * 4, pad_id=0)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return the directory of a Ray Train run whose last checkpoint two workers wrote."""
    for rank in (0, 1):
        part = tmp_path / f"rank{rank}"
        (part / "state").mkdir(parents=True)
        (part / "state" / f"optimizer{rank}.pt").write_bytes(b"x" * (100 + rank))
        record_files(part, rank)
        last = tmp_path / "run" / "checkpoint_8"
        for file in (path for path in part.rglob("*") if path.is_file()):
            target = last / file.relative_to(part)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    index = {"latest_checkpoint_result": {"checkpoint_dir_name": "checkpoint_8"}}
    (tmp_path / "run" / INDEX).write_text(json.dumps(index))
    return tmp_path / "run"


def test_whole_checkpoint_is_accepted(run: Path) -> None:
    check_checkpoint(run)


def test_run_without_checkpoint_is_accepted(tmp_path: Path) -> None:
    check_checkpoint(tmp_path)


@pytest.mark.parametrize("damage", ["truncated", "emptied", "missing"])
@pytest.mark.parametrize("rank", [0, 1])
def test_checkpoint_is_refused_when_a_file_is_damaged(damage: str, rank: int, run: Path) -> None:
    file = run / "checkpoint_8" / "state" / f"optimizer{rank}.pt"
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(b"x" * (50 if damage == "truncated" else 0))
    with pytest.raises(UserError, match=f"optimizer{rank}.pt is damaged"):
        check_checkpoint(run)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_checkpoint_is_refused_when_its_index_is_damaged(text: str, run: Path) -> None:
    (run / INDEX).write_text(text)
    with pytest.raises(UserError, match=f"{INDEX} is damaged"):
        check_checkpoint(run)


def test_checkpoint_is_refused_when_its_records_are_gone(run: Path) -> None:
    for record in (run / "checkpoint_8").glob("files-*.json"):
        record.unlink()
    with pytest.raises(UserError, match="checkpoint_8 is damaged"):
        check_checkpoint(run)


def test_samples_are_accepted_with_and_without_reference(samples: TokenizedSet, tmp_path: Path) -> None:
    file = tmp_path / "samples.npz"
    check_samples(file, samples)
    samples.save(file)
    check_samples(file, samples)
    replace(samples, reference=np.zeros(4, dtype=np.float32)).save(file)
    check_samples(file, samples)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_samples_are_refused_when_the_file_is_cut(share: float, samples: TokenizedSet, tmp_path: Path) -> None:
    file = tmp_path / "samples.npz"
    samples.save(file)
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(UserError, match=r"samples\.npz is damaged: it cannot be read"):
        check_samples(file, samples)


def test_samples_are_refused_when_they_are_others(samples: TokenizedSet, tmp_path: Path) -> None:
    file = tmp_path / "samples.npz"
    replace(samples, tokens=samples.tokens + 1).save(file)
    with pytest.raises(UserError, match="it holds other samples"):
        check_samples(file, samples)
