"""docs/cluster.md: every block of commands says what runs it, and what it names is there."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

import pytest
from ray.scripts.scripts import cli as ray_cli

from cluster.cli import main, parse_arguments
from tests.deploy.manifests import ROOT

TEXT = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"([^\n]+)\n\n```sh\n(.*?)```", re.DOTALL)
MARK = re.compile(r"(Run by `[^`]+`|Not run (here|in CI)\b).*:$")
RAY_WORDS = {"up", "down", "submit", "attach", "start", "job", "dashboard"}


@dataclass(frozen=True, slots=True)
class Block:
    """Commands of the document, and the line before them."""

    mark: str
    commands: tuple[str, ...]


BLOCKS = [Block(mark, tuple(text.strip().splitlines())) for mark, text in BLOCK.findall(TEXT)]
COMMANDS = [command for block in BLOCKS for command in block.commands]


def our_commands() -> list[list[str]]:
    """Return the arguments of each ``raystar`` that the document runs, by itself or as the job of ``ray job submit``."""
    found = []
    for command in COMMANDS:
        words = shlex.split(command)
        start = words.index("--") + 1 if "--" in words else 0
        if words[start].rsplit("/", 1)[-1] == "raystar":
            found.append(words[start + 1 :])
    return found


def test_every_block_says_what_runs_it() -> None:
    assert TEXT.count("```sh") == len(BLOCKS) >= 10
    assert [block.mark for block in BLOCKS if not MARK.match(block.mark)] == []


def test_tests_and_files_that_the_document_names_exist() -> None:
    names = set(re.findall(r"(?<![\w/.])((?:tests|deploy|benchmarks|configs)/[\w/.*-]*\w/?)", TEXT))
    assert len(names) > 10
    missing = [name for name in names if not (ROOT / name).exists() and not (ROOT / "tests/deploy" / name).exists()]
    assert missing == []


@pytest.mark.parametrize("arguments", our_commands(), ids=" ".join)
def test_raystar_takes_the_arguments_of_the_document(arguments: list[str]) -> None:
    args = parse_arguments(arguments)
    if hasattr(args, "config") and args.config is not None:
        assert (ROOT / args.config).is_file()


def test_ray_has_the_commands_and_options_of_the_document() -> None:
    checked = 0
    for command in COMMANDS:
        words = shlex.split(command.partition(" -- ")[0], comments=True)
        if words[0] != "ray" or words[1] not in RAY_WORDS:
            continue
        subcommand = ray_cli.commands[words[1]]
        if words[1] == "job":
            subcommand = subcommand.commands[words[2]]
        options = {option for parameter in subcommand.params for option in parameter.opts}
        assert {word.partition("=")[0] for word in words if word.startswith("--")} <= options
        checked += 1
    assert checked >= 5


def test_plan_of_the_document_is_printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("RAY_ADDRESS", "local")
    assert main(["evolve", "configs/gsm8k_qwen_gpu.yaml", "--dry-run"]) == 0
    text = capsys.readouterr().out
    assert "Needs" in text
    assert "FLOPs" in text


@pytest.mark.slow
def test_sizes_of_the_document_are_those_of_the_estimator() -> None:
    from tests.deploy import qwen_sizes  # DeepSpeed, which takes seconds

    header, _, *rows = qwen_sizes.rows()
    assert header in TEXT
    for row in rows:
        model, *estimated = [cell.strip() for cell in row.strip("| ").split("|")]
        (line,) = re.findall(rf"^\| {re.escape(model)} \| ([\d.,| ]+) \|$", TEXT, re.MULTILINE)
        written = [number(cell) for cell in line.split("|")]
        assert written == pytest.approx([number(cell) for cell in estimated], rel=0.1), model


def number(cell: str) -> float:
    return float(cell.replace(",", ""))
