"""A run that only searched: its table, failures in words, a solved and a failed tree, and what to do next."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from cluster import report
from cluster.cli import main
from cluster.run import manifest as manifests
from cluster.run.directory import CONFIG, MANIFEST, Stage
from cluster.run.progress import Progress
from search.data import Cost, Problem, Step, StepStatus
from search.storage.files import write_text
from search.storage.tree_store import TreeWriter, worker_file
from search.tree import Tree

FACTS = {
    "trees": 3,
    "trees_solved": 2,
    "trees_tied": 1,
    "solved": 2,
    "problems": 3,
    "steps": 40,
    "steps_ran": 36,
    "tokens": 1200,
    "seconds": 60.0,
    "requests": 30,
    "executions": 20,
    "occupancy": 0.83,
    "failures": {"exception": 4, "no_answer": 1, "quarantined": 1},
    "quarantined": {"p9": "EngineGaveUp: lost"},
    "price": 0.0125,
}


def make_tree(name: str, *answers: str) -> Tree:
    tree = Tree(
        Problem(id=name, question=f"What is {name}?", answer="7", source="t"),
        strategy="mcts",
        answer=answers[0],
        cost=Cost(generated_tokens=9),
    )
    for answer in answers:
        step = Step(f"It is {answer}.", status=StepStatus.FINAL, answer=answer)
        tree.add(0, step, visits=1, value_sum=1.0, correct=answer == "7")
    return tree


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The directory of a run with one finished search of three trees."""
    root = tmp_path / "searched"
    root.mkdir()
    write_text(root / CONFIG, "version: 1\n")
    write_text(root / MANIFEST, manifests.new_manifest(seed=1).with_start("raystar search c.yaml").dump())
    with Stage(root / "rounds/r1/search").writing() as writer:
        writer.facts.update(FACTS)
        with TreeWriter(worker_file(writer.directory, 0)) as trees:
            for tree in (make_tree("easy", "7"), make_tree("mixed", "7", "8"), make_tree("hard", "9")):
                trees.append(tree)
    return root


def text_of(root: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(root.parent)
    stream = io.StringIO()
    with Progress(stream=stream) as progress:
        report.finish(root, progress, "c.yaml")
    return stream.getvalue()


def test_search_is_reported_without_blanks(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = text_of(run, monkeypatch).splitlines()
    assert lines[0].split() == ["search", "problems", "solved", "tokens", "time", "tokens/s", "engines"]
    assert lines[1].split() == ["r1/search", "4", "2", "(67", "%)", "1200", "1:00", "min", "20", "83", "%"]
    assert lines[2:7] == [
        "36 of 40 steps with code ran",
        "failures: 4 code raised an exception, 1 ended without an answer, 1 problem given up",
        "given up: p9: EngineGaveUp: lost",
        "ties: the answers of 1 trees were chosen by order only",
        "price: 0.0125 by the prices in policy.endpoint",
    ]
    assert max(map(len, lines[:7])) <= 90


def test_one_solved_and_one_failed_tree_are_drawn(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = text_of(run, monkeypatch)
    solved, failed = text.index("One solved problem\nmixed: "), text.index("One that was not solved\nhard: ")
    assert solved < failed
    assert "     1  +1.00  ├ It is 7. → 7, correct\n     1  +1.00  └ It is 8. → 8, incorrect\n" in text
    assert "easy" not in text


def test_next_commands_follow(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = text_of(run, monkeypatch)
    assert "next: raystar show searched --problem ID\n" in text
    assert "      raystar harvest c.yaml --trees searched/rounds/r1/search\n" in text


def test_show_lists_problems_and_draws_one(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["show", str(run)]) == 0
    text = capsys.readouterr().out
    assert "One solved problem" in text and "3 trees in r1/search, 2 solved; --problem ID draws one in full" in text
    assert [line.split()[:3] for line in text.splitlines()[-3:]] == [
        ["easy", "solved", "What"],
        ["mixed", "solved", "What"],
        ["hard", "not", "solved"],
    ]
    assert "\x1b" not in text
    assert main(["show", str(run / "rounds/r1/search"), "--problem", "har"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("hard: What is hard?\nnot solved; reference 7; ")
    assert text.endswith("     1  +1.00  It is 9. → 9, incorrect\n")


def test_show_grades_the_trees_of_a_blind_search(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blind = make_tree("blind", "7.0", "9")
    for node in blind.nodes:
        node.correct = None
    with TreeWriter(worker_file(run / "rounds/r2/search.partial", 0)) as trees:
        trees.append(blind)
    assert main(["show", str(run), "--problem", "blind"]) == 0
    assert "It is 7.0. → 7.0, correct" in capsys.readouterr().out
    assert main(["show", str(run), "--stage", "r1/search", "--problem", "easy", "--depth", "1"]) == 0
    assert "easy: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{run}", "--problem", "nobody"], "--problem: no tree of problem 'nobody' in "),
        (["{run}", "--problem", "a"], "--problem: 2 problems match 'a' in "),
        (["{run}", "--stage", "r7/search"], "has no trees in 'r7/search': one of r1/search"),
        (["{run}/logs"], "no directory "),
        (["{run}/.."], ""),
        (["{run}", "--depth", "0"], "0 is not possible"),
    ],
)
def test_show_refuses_what_is_not_there(
    run: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["show", *(argument.format(run=run) for argument in arguments)])
    captured = capsys.readouterr()
    assert code == (2 if message else 0)
    assert message in captured.err
    assert captured.err.count("\n") == (1 if message else 0)


def test_directory_without_trees_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(tmp_path)]) == 2
    assert f"no trees in {tmp_path}: a run directory whose search has begun is needed" in capsys.readouterr().err
