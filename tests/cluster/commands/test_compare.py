"""``raystar compare RUN_DIR``: arguments that mean nothing for trees that are read again."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster import cli


@pytest.mark.parametrize(
    "arguments",
    [
        ["--dry-run"],
        ["--policy", "m"],
        ["--reward-model", "m"],
        ["--seed", "0"],
        ["--limit", "3"],
        ["--compare.repeats=2"],
    ],
)
def test_arguments_of_a_search_are_refused_for_a_run_directory(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["compare", str(tmp_path), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and f"whose trees are read as they are: leave out {arguments[0]}" in error
    assert not list(tmp_path.iterdir())


def test_directory_that_is_no_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", str(tmp_path)]) == 2
    assert "is not a RayStar run directory: it has no manifest.json" in capsys.readouterr().err
