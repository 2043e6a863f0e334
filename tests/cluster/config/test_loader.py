"""Configs load with overrides; an error is one line with file, line, field, value and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.config import run_config
from cluster.config.loader import config_fields
from cluster.config.overrides import parse
from cluster.config.run_config import RunConfig
from search.errors import UserError

GOOD = "version: 1\nname: mini\nproblems: {}\nsearch:\n  rollouts: 4\n"


def error_line(tmp_path: Path, text: str, *overrides: str) -> str:
    """Return the one-line error of loading a config."""
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        run_config.load(path, parse(list(overrides)))
    line = str(caught.value)
    assert "\n" not in line
    return line.replace(str(tmp_path) + "/", "")


def test_overrides_replace_values_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(GOOD)
    config = run_config.load(path, parse(["--train.policy.learning_rate=1e-5", "--rounds.0.search.rollouts=3"]))
    assert config.search.rollouts == 4
    assert config.train.policy.learning_rate == 1e-5
    assert [dict(entry.search) for entry in config.rounds] == [{"rollouts": 3}, {}, {}, {}]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (GOOD + "  rolouts: 3\n", "c.yaml:6: unknown key search.rolouts: did you mean search.rollouts?"),
        (GOOD + "rollouts: 3\n", "c.yaml:6: unknown key rollouts: did you mean search.rollouts"),
        (GOOD + "serch:\n  rollouts: 3\n", "c.yaml:6: unknown key serch: did you mean search?"),
        (
            GOOD.replace("rollouts: 4", "rollouts: 0"),
            "c.yaml:5: search.rollouts = 0 is not possible: input should be greater than or equal to 1",
        ),
        (
            GOOD + "policy:\n  engine:\n    dtype: fp8\n",
            "c.yaml:8: policy.engine.dtype = 'fp8' is not possible: input should be 'auto', 'float32', 'bfloat16' or 'float16'",
        ),
        (
            GOOD + "policy:\n  format: prose\n",
            "c.yaml:7: policy.format = 'prose' is not possible: one of auto, chat, code",
        ),
        (GOOD.replace("name: mini\n", ""), "name is missing"),
        (GOOD.replace("version: 1", "version: 2"), "c.yaml:1: version = 2 is not possible: input should be 1"),
        (
            GOOD + "rounds: [{values: reward_model}]\n",
            "c.yaml:6: rounds.0.values = 'reward_model' needs an earlier round with train_reward_model: true",
        ),
        (GOOD + "seed: 1\nseed: 2\n", "c.yaml:7: seed is given twice (first in line 6)"),
        (GOOD + "seed: [1\n", "c.yaml:7: not valid YAML"),
        ("- a\n", "c.yaml: a config is a mapping of sections, this file holds list"),
        ("", "c.yaml: a config is a mapping of sections, this file holds NoneType"),
    ],
)
def test_bad_file_is_refused_in_one_line(tmp_path: Path, text: str, line: str) -> None:
    assert line in error_line(tmp_path, text)


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("--search.rolouts=3", "command line: unknown key search.rolouts: did you mean search.rollouts?"),
        ("--rounds.0.values=magic", "command line: rounds.0.values = 'magic' is not possible"),
        ("--rounds.9.rollouts=2", "the list has 4 entries"),
        ("--problems.evaluation.heldout.cont=3", "command line: unknown key problems.evaluation.heldout.cont: did you"),
        ("--seed=-1", "command line: seed = -1 is not possible"),
        ("--name=a/b", "command line: name = 'a/b' is not possible"),
        (
            "--search.temperature=.inf",
            "command line: search.temperature = inf is not possible: input should be a finite",
        ),
        ("--search=beam", "command line: search = 'beam' is not possible: a search is a mapping of options"),
        ("--rounds.0.search={preset: [a]}", "command line: rounds.0.search: preset ['a'] is not known: one of paper"),
        ("--compare.against=x", "command line: compare.against is 'x': one of greedy"),
        (
            "--policy.engine.max_model_len=0",
            "command line: policy.engine.max_model_len = 0 is not possible: "
            "input should be 'auto' or greater than or equal to 32",
        ),
        (
            "--policy.delimiter=foo",
            "policy.delimiter = 'foo' is not possible: input should be 'blank_line', 'line' or 'numbered' or 'auto'",
        ),
    ],
)
def test_error_of_an_override_names_the_command_line(tmp_path: Path, override: str, line: str) -> None:
    assert line in error_line(tmp_path, GOOD, override)


def test_unreadable_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no config file"):
        run_config.load(tmp_path / "none.yaml")
    with pytest.raises(UserError, match="is a directory"):
        run_config.load(tmp_path)


def test_every_config_field_has_a_description() -> None:
    fields = list(config_fields(RunConfig))
    assert [".".join(field.path) for field in fields if not field.description] == []
    by_path = {".".join(field.path): field for field in fields}
    assert by_path["train.reward_model.epochs"].default == 1
    assert by_path["train.policy.epochs"].default == 2
    assert by_path["name"].required
    assert "rounds.N.values" in by_path
    assert "problems.evaluation.NAME.count" in by_path


def test_resolved_config_loads_as_the_same_config(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(GOOD)
    config = run_config.load(path)
    assert RunConfig.model_validate(config.resolved()) == config


def test_later_pass_has_more_rollouts(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(GOOD + "rounds: [{passes: 3, search: {rollouts: 16, candidates: 5}, growth: 2}]\n")
    config = run_config.load(path)
    passes = [config.round_search(config.rounds[0], attempt) for attempt in (1, 2, 3)]
    assert [(search.rollouts, search.candidates) for search in passes] == [(16, 5), (32, 5), (64, 5)]


def test_override_of_a_default_entry_keeps_the_other_entries(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(GOOD, encoding="utf-8")
    fields = ["--compare.strategies.mcts.settings.rollouts=7", "--compare.budgets.0=300"]
    old, new = run_config.load(path, ()).compare, run_config.load(path, parse(fields)).compare
    assert list(new.strategies) == list(old.strategies)
    assert new.strategies["mcts"].settings == {**old.strategies["mcts"].settings, "rollouts": 7}
    assert {**new.strategies, "mcts": None} == {**old.strategies, "mcts": None}
    assert new.budgets == (300, *old.budgets[1:])


def test_mapping_in_the_file_replaces_the_default(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(
        f"{GOOD}compare:\n  strategies: {{best_of_n: {{settings: {{strategy: best_of_n}}}}}}\n", encoding="utf-8"
    )
    strategies = run_config.load(
        path, parse(["--compare.strategies.best_of_n.settings.candidates=9"])
    ).compare.strategies
    assert {name: entry.settings for name, entry in strategies.items()} == {
        "best_of_n": {"strategy": "best_of_n", "candidates": 9}
    }


def test_change_of_strategy_drops_the_options_of_the_other(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(GOOD.replace("  rollouts: 4\n", "  rollouts: 4\n  temperature: 0.5\n"), encoding="utf-8")
    search = run_config.load(path, parse(["--search.strategy=beam", "--search.beam_width=3"])).search
    assert (search.strategy, search.temperature, search.beam_width) == ("beam", 0.5, 3)  # type: ignore[attr-defined]
    assert run_config.load(path, parse(["--search.strategy=mcts"])).search.rollouts == 4  # type: ignore[attr-defined]
    assert "command line: search is not possible: strategy 'beam' has no option rollouts: it belongs to" in error_line(
        tmp_path, GOOD, "--search.strategy=beam", "--search.rollouts=3"
    )


def test_rounds_follow_a_change_of_strategy(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    rounds = "rounds: [{search: {rollouts: 9, temperature: 0.3}}, {search: {strategy: mcts, rollouts: 7}}]\n"
    path.write_text(GOOD + rounds, encoding="utf-8")
    config = run_config.load(path, parse(["--search.strategy=beam"]))
    searches = [config.round_search(entry) for entry in config.rounds]
    assert [(search.strategy, search.temperature) for search in searches] == [("beam", 0.3), ("mcts", 1.0)]
    assert searches[1].rollouts == 7  # type: ignore[attr-defined]


def test_round_with_an_impossible_search_is_refused(tmp_path: Path) -> None:
    line = error_line(tmp_path, GOOD + "rounds: [{search: {beam_width: 2}}]\n")
    assert "rounds.0.search: strategy 'mcts' has no option beam_width: it belongs to beam, sphere" in line
    line = error_line(tmp_path, GOOD + "rounds: [{search: {rollouts: 0}}]\n")
    assert "rounds.0.search.rollouts: input should be greater than or equal to 1" in line
