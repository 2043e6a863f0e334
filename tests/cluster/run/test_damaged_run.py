"""Every place of a run directory is damaged in every way: found at resume, named in one line, refused or searched again."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cluster.run import inventory
from cluster.run.inventory import DONE, verify_run, verify_stage
from cluster.searches.result import SearchResult, summarise_trees
from cluster.searches.runner import SearchPlan, SearchRunner
from search.data import Problem
from search.errors import UserError
from search.seeds import derive
from search.storage.tree_store import format_line, read_trees
from search.tree import Tree
from tests.cluster.evolution.scripted_rounds import TRAIN, Script, mixed, run_to_training, running
from tests.cluster.reward_eval.stored_samples import store_trees
from train.config import TrainConfig
from train.trainer.launch import TrainResult, TrainTask

TREES = "rounds/r1/search/trees-0.jsonl"
WEIGHTS = "rounds/r1/train_policy/model/model.safetensors"
Damage = Callable[[Path], None]


def grow(plan: SearchPlan, problem: Problem) -> Tree:
    tree = mixed(plan, problem)
    tree.seed = derive(derive(0, *plan.seed), problem.id)
    return tree


class ResumingScript(Script):
    """Stand-in that searches, as the real runner does, only what has no tree yet, and writes models."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(monkeypatch, grow)
        self.searched: list[str] = []
        monkeypatch.setattr(SearchRunner, "run", self.resume)

    def resume(self, plan: SearchPlan, directory: Path) -> SearchResult:
        runner = SearchRunner(self.context)
        finished = runner.keep_trees(plan, directory)
        missing = [problem for problem in plan.problems if (problem.id, 0) not in finished]
        self.searched += [problem.id for problem in missing]
        store_trees(directory, [self.grow(plan, problem) for problem in missing])
        return summarise_trees(directory, {})

    def fit(self, config: TrainConfig, task: TrainTask, progress: object) -> TrainResult:
        task.output.mkdir(parents=True)
        (task.output / "model.safetensors").write_bytes(b"weights" * 100)
        (task.output / "config.json").write_text('{"hidden_size": 32}')
        return super().fit(config, task, progress)

    def run(self, root: Path) -> list[str]:
        """Run or resume the run; return the log."""
        with running(root, rounds=[{}]) as context:
            self.context = context
            run_to_training(context)
            return context.progress.console.file.getvalue().splitlines()  # type: ignore[attr-defined,no-any-return]


@pytest.fixture(scope="module")
def undamaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("undamaged") / "run"
    with pytest.MonkeyPatch.context() as monkeypatch:
        ResumingScript(monkeypatch).run(root)
    return root


@pytest.fixture
def root(undamaged: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(undamaged, tmp_path / "run"))


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def remove(file: Path) -> None:
    file.unlink()


def repeat_last_line(file: Path) -> None:
    file.write_bytes(file.read_bytes() + file.read_bytes().splitlines(keepends=True)[-1])


def duplicate(file: Path) -> None:
    shutil.copy(file, file.with_name("trees-9.jsonl"))


def edit(file: Path) -> None:
    """Change one digit; the size stays."""
    content = bytearray(file.read_bytes())
    index = max(i for i, byte in enumerate(content) if chr(byte).isalnum())
    content[index] = ord("1") if content[index] != ord("1") else ord("2")
    file.write_bytes(bytes(content))


def edit_facts(file: Path) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), "solved": 3}))


def make_foreign(file: Path) -> None:
    file.write_text('{"of": "another program"}')


FINISHED = [
    (TREES, truncate, r"trees-0\.jsonl is damaged: it holds \d+ bytes, \d+ when"),
    (TREES, empty, r"trees-0\.jsonl is damaged: it is empty"),
    (TREES, remove, r"trees-0\.jsonl is damaged: it is missing"),
    (TREES, repeat_last_line, r"trees-0\.jsonl is damaged: it holds \d+ bytes"),
    (TREES, edit, r"trees-0\.jsonl is damaged: its content was changed"),
    (TREES, duplicate, r"trees-9\.jsonl does not belong to the finished stage"),
    ("rounds/r1/harvest/trajectories.jsonl", truncate, r"trajectories\.jsonl is damaged"),
    ("rounds/r1/harvest/pairs.jsonl", remove, r"pairs\.jsonl is damaged: it is missing"),
    (WEIGHTS, remove, r"model\.safetensors is damaged: it is missing"),
    (WEIGHTS, truncate, r"model\.safetensors is damaged: it holds 350 bytes, 700 when"),
    (WEIGHTS, edit, r"model\.safetensors is damaged: its content was changed"),
    ("rounds/r1/train_reward_model/model/config.json", edit, r"config\.json is damaged: its content was changed"),
    *(
        (f"rounds/r1/{stage}/{DONE}", damage, message)
        for stage in ("search", "harvest", "train_policy", "train_reward_model")
        for damage, message in (
            (truncate, r"done\.json is damaged: not JSON"),
            (empty, r"done\.json is damaged: it is empty"),
            (remove, r"is damaged: it holds .*, but no done\.json"),
            (edit_facts, r"done\.json is damaged: it was changed after the stage was finished"),
            (make_foreign, r"done\.json is damaged"),
        )
    ),
    ("rounds/notes.txt", make_foreign, r"rounds is damaged: it holds notes\.txt, but no done\.json"),
    ("rounds/r1/search/notes.txt", make_foreign, r"notes\.txt does not belong to the finished stage"),
    ("config.yaml", truncate, r"config\.yaml is damaged"),
    ("config.yaml", empty, r"config\.yaml is damaged: it holds no config"),
    ("config.yaml", remove, r"config\.yaml is missing"),
    ("config.yaml", make_foreign, r"config\.yaml is damaged: it was changed"),
    ("manifest.json", truncate, r"manifest\.json is damaged: not JSON"),
    ("manifest.json", empty, r"manifest\.json is damaged: it is empty"),
    ("manifest.json", remove, r"it holds rounds, but no manifest\.json"),
    ("manifest.json", make_foreign, r"belongs to another project"),
    ("manifest.json", edit_facts, r"not a manifest of schema version 3"),
]


def file_contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_undamaged_run_is_resumed_without_work(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, before = ResumingScript(monkeypatch), file_contents(root / "rounds")
    script.run(root)
    assert (script.searched, script.tasks) == ([], {})
    assert file_contents(root / "rounds") == before


@pytest.mark.parametrize(("place", "damage", "message"), FINISHED, ids=lambda value: getattr(value, "__name__", None))
def test_damage_of_a_finished_stage_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch, place: str, damage: Damage, message: str
) -> None:
    script = ResumingScript(monkeypatch)
    damage(root / place)
    before = file_contents(root)
    with pytest.raises(UserError, match=message) as caught:
        script.run(root)
    assert "\n" not in str(caught.value)
    before.pop("lock", None)
    assert (file_contents(root), script.searched, script.tasks) == (before, [], {})


def test_manifest_and_config_of_changed_values_are_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = json.loads((root / "manifest.json").read_text())
    (root / "manifest.json").write_text(json.dumps({**manifest, "seed": 5}))
    with pytest.raises(UserError, match=r"manifest\.json is damaged: it was changed by something else"):
        ResumingScript(monkeypatch).run(root)
    (root / "manifest.json").write_text(json.dumps(manifest))
    config = (root / "config.yaml").read_text()
    (root / "config.yaml").write_text(config.replace("candidates: 3", "candidates: 5", 1))
    with pytest.raises(UserError, match=r"was changed after .* search\.candidates 5 -> 3"):
        ResumingScript(monkeypatch).run(root)


def test_partial_directory_beside_the_finished_stage_is_refused(root: Path) -> None:
    shutil.copytree(root / "rounds/r1/search", root / "rounds/r1/search.partial")
    with pytest.raises(UserError, match=r"search\.partial stands beside the finished stage"):
        verify_run(root)


def test_large_files_are_read_only_by_full_verification(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "DIGEST_BYTES", 100)
    edit(root / WEIGHTS)
    verify_run(root)
    with pytest.raises(UserError, match="its content was changed"):
        verify_stage(root / "rounds/r1/train_policy", full=True)


def test_done_has_size_lines_and_digest_of_every_file(root: Path) -> None:
    files: dict[str, Any] = json.loads((root / "rounds/r1/search/done.json").read_text())["files"]
    assert set(files) == {"trees-0.jsonl"}
    entry = files["trees-0.jsonl"]
    assert (entry["bytes"], entry["lines"], len(entry["sha256"])) == ((root / TREES).stat().st_size, 3, 64)


def unfinish(root: Path) -> Path:
    """Make the search an unfinished stage, and remove the stages after it. Return its tree file."""
    rounds = root / "rounds/r1"
    for stage in ("harvest", "train_policy", "train_reward_model"):
        shutil.rmtree(rounds / stage)
    (rounds / "search").rename(rounds / "search.partial")
    (rounds / "search.partial" / DONE).unlink()
    return rounds / "search.partial/trees-0.jsonl"


def cut_middle_line(file: Path) -> None:
    first, second, third = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(first + second[: len(second) // 2] + b"\n" + third)


def join_middle_line(file: Path) -> None:
    """Lose the middle of the file, line end included."""
    first, second, third = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(first + second[: len(second) // 2] + third)


def reseed_middle_line(file: Path) -> None:
    first, second, third = read_trees(file)
    second.seed += 1
    file.write_text("".join(format_line(tree) for tree in (first, second, third)))


def append_foreign_problem(file: Path) -> None:
    tree = next(iter(read_trees(file)))
    other = Tree(Problem(id="other", question="?", answer="1", source="test"), seed=tree.seed)
    file.write_bytes(file.read_bytes() + format_line(other).encode())


@pytest.mark.parametrize(
    ("damage", "searched", "message"),
    [
        (truncate, (1, 2), None),
        (empty, (0, 1, 2), None),
        (remove, (0, 1, 2), None),
        (cut_middle_line, (1,), r"trees-0\.jsonl:2: dropped: not a tree"),
        (join_middle_line, (1, 2), r"trees-0\.jsonl:2: dropped: not a tree"),
        (repeat_last_line, (), r"trees-0\.jsonl:4: dropped: a second tree of problem"),
        (duplicate, (), r"trees-9\.jsonl:1: dropped: a second tree of problem"),
        (reseed_middle_line, (1,), r"trees-0\.jsonl:2: dropped: the tree of problem .* is of another search"),
        (append_foreign_problem, (), r"trees-0\.jsonl:4: dropped: problem other is not searched here"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_damage_of_an_unfinished_search_is_searched_again(
    root: Path,
    undamaged: Path,
    monkeypatch: pytest.MonkeyPatch,
    damage: Damage,
    searched: tuple[int, ...],
    message: str | None,
) -> None:
    script = ResumingScript(monkeypatch)
    damage(unfinish(root))
    log = "\n".join(script.run(root)).replace("\n", "")
    assert script.searched == [TRAIN[index].id for index in searched]
    if message is not None:
        assert re.search(message, log)
    trees = {tree.problem.id: format_line(tree) for tree in read_trees(root / "rounds/r1/search")}
    assert trees == {tree.problem.id: format_line(tree) for tree in read_trees(undamaged / "rounds/r1/search")}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("notes.txt", "", r"notes\.txt does not belong to a search: remove it"),
        ("seconds", "1 2", r"seconds is damaged: a number of seconds is needed"),
        ("trees-0.jsonl", '{"schema":2,"problem":{"id":"a"}}\n', r"trees-0\.jsonl:1 has schema version 2"),
    ],
)
def test_foreign_file_of_an_unfinished_search_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: str, message: str
) -> None:
    script = ResumingScript(monkeypatch)
    unfinish(root).with_name(name).write_text(content)
    with pytest.raises(UserError, match=message) as caught:
        script.run(root)
    assert "\n" not in str(caught.value) and script.searched == []
