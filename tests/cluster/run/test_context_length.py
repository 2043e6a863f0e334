"""Contexts of engines: chosen by what a search needs, and refused before the start where too little fits.

The tokenizer has one token for each byte, so lengths in tokens are lengths of texts.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers import models as token_models

from cluster.config.run_config import RunConfig
from cluster.models.resolve import ResolvedModel
from cluster.run import context_length, preflight
from cluster.run.context_length import GRANULARITY, UNCHECKED_LENGTH, sample_problems, with_contexts
from cluster.run.model_fields import RunModels
from cluster.run.prompting import Prompting
from search.data import Problem, State
from search.errors import UserError
from search.formats.plain_format import PlainFormat
from search.problems.loading import ProblemSets

PROBLEMS = tuple(
    Problem(id=f"p{number}", question="x" * length, answer="1", source="test")
    for number, length in enumerate((10, 40, 20))
)
PROMPT = len(PlainFormat().segments(State(PROBLEMS[1]))[0].text)  # the longest
SEARCH = {"max_solution_tokens": 100, "max_depth": 4, "max_step_tokens": 50}
SHOT = "y" * 500


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A directory with a tokenizer of bytes and a context of 1000 tokens."""
    return make_model(tmp_path / "model", 1000)


def make_model(path: Path, positions: int) -> Path:
    path.mkdir()
    alphabet = {token: index for index, token in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(token_models.BPE(vocab=alphabet, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.save(str(path / "tokenizer.json"))
    (path / "config.json").write_text(json.dumps({"max_position_embeddings": positions}))
    return path


def contexts(
    policy: Path | None,
    *,
    wanted: Any = "auto",
    reward_model: Path | None = None,
    shots: tuple[str, ...] = (),
    trains: bool = False,
    **fields: Any,
) -> tuple[Any, Any]:
    """Return the contexts of the policy's engines and of the reward model's."""
    paths = {"policy.path": policy, "reward_model.path": reward_model}
    directories = {name: path for name, path in paths.items() if path is not None}
    config = RunConfig.model_validate(
        {
            "name": "r",
            "problems": {"train": {"name": "curriculum", "count": 2}},
            "policy": {"path": str(policy) if policy else None, "engine": {"max_model_len": wanted}},
            "search": SEARCH,
            "evaluation": {"search": SEARCH},
            **fields,
        }
    )
    models = RunModels(
        resolved={name: ResolvedModel(reference=str(path), directory=path) for name, path in directories.items()}
    )
    problems = ProblemSets(train=PROBLEMS, validation=(), evaluation={})
    prompting = Prompting(config.policy.prompt_settings(shots))
    fitted = with_contexts(config, problems, prompting, models, trains=trains)
    return fitted.policy.engine.max_model_len, fitted.reward_model.engine.max_model_len


def rounded(tokens: float) -> int:
    return GRANULARITY * -int(-tokens // GRANULARITY)


def test_auto_is_what_the_search_needs(model: Path) -> None:
    assert contexts(model) == (rounded(PROMPT + 4 * 50), rounded(PROMPT + 1.5 * 4 * 50))
    with_shots = contexts(model, shots=(SHOT,))
    assert with_shots == (rounded(PROMPT + len(SHOT) + 2 + 4 * 50), rounded(PROMPT + 1.5 * 4 * 50))
    deeper = {"search": {**SEARCH, "max_depth": 400}}
    assert contexts(model, **deeper) == (1000, 1000)  # no more than the model's own
    assert contexts(model, wanted=640) == (640, rounded(PROMPT + 1.5 * 4 * 50))


def test_context_of_the_built_in_policy_is_its_recipe_s() -> None:
    assert contexts(None) == (1024, 1024)
    with pytest.raises(UserError, match=r"policy\.engine\.max_model_len: 2048 is more than the 1024 tokens .*built-in"):
        contexts(None, wanted=2048)


def test_model_without_tokenizer_file_is_not_checked(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"max_position_embeddings": 131072}')
    assert contexts(tmp_path) == (UNCHECKED_LENGTH, UNCHECKED_LENGTH)


def test_reward_model_has_a_context_of_its_own(model: Path, tmp_path: Path) -> None:
    small = make_model(tmp_path / "prm", 256)
    assert contexts(model, reward_model=small)[1] == 256
    with pytest.raises(UserError, match=r"reward_model\.path: the .* do not fit the 256 tokens of the context"):
        contexts(model, reward_model=small, search={**SEARCH, "max_solution_tokens": 200})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"wanted": 1001}, r"policy\.engine\.max_model_len: 1001 is more than the 1000 tokens .*: set at most 1000"),
        (
            {"wanted": 200},
            rf"policy\.engine\.max_model_len: 200 is less than the {PROMPT} tokens of the prompt of problem p1 and a solution "
            rf"of up to 100 \(.*max_solution_tokens\): set it to at least {PROMPT + 100}, or to auto",
        ),
        (
            {"search": {**SEARCH, "max_solution_tokens": 900}},
            rf"policy\.path: the {PROMPT} tokens .* do not fit the 1000 .*: set search\.max_solution_tokens to at most "
            rf"{1000 - PROMPT}$",
        ),
        (
            {"shots": (SHOT, SHOT)},
            rf"policy\.path: the {PROMPT + 1004} tokens .* \(1000 of them worked examples\) and .*: give fewer worked examples",
        ),
        (
            {"trains": True, "train": {"policy": {"max_length": PROMPT + 99}}},
            rf"train\.policy\.max_length: {PROMPT + 99} is less than .*: set it to at least {PROMPT + 100}",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_the_smallest_change(
    model: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        contexts(model, **options)


def test_a_search_that_a_command_does_not_run_may_be_too_long(tmp_path: Path) -> None:
    path = make_model(tmp_path / "short", 700)
    fields = {"name": "r", "problems": {"train": {"name": "curriculum", "count": 2}}, "policy": {"path": str(path)}}
    evaluation = {"search": {**SEARCH, "max_solution_tokens": 900}}
    config = RunConfig.model_validate({**fields, "search": SEARCH, "evaluation": evaluation})
    models = RunModels(resolved={"policy.path": ResolvedModel(reference=str(path), directory=path)})
    problems = ProblemSets(train=PROBLEMS, validation=(), evaluation={})
    fitted = preflight.fit_prompts(config, problems, (), models, command="search")
    assert fitted.policy.engine.max_model_len == rounded(PROMPT + 4 * 50)
    for command in ("evaluate", None):
        with pytest.raises(UserError, match=r"set evaluation\.search\.max_solution_tokens to at most"):
            preflight.fit_prompts(config, problems, (), models, command=command)


def test_samples_are_measured_without_worked_examples(model: Path) -> None:
    lengths = {"policy": {"max_length": PROMPT + 100}, "reward_model": {"max_length": PROMPT + 100}}
    assert contexts(model, shots=(SHOT,), trains=True, train=lengths)


def test_damaged_tokenizer_is_refused(model: Path) -> None:
    (model / "tokenizer.json").write_text("{")
    with pytest.raises(UserError, match=r"tokenizer\.json is "):
        contexts(model)


def test_sample_has_the_first_problems_and_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context_length, "SAMPLE", 1)
    sets = ProblemSets(train=PROBLEMS, validation=PROBLEMS[:1], evaluation={"test": PROBLEMS[2:]})
    assert [problem.id for problem in sample_problems(sets)] == ["p0", "p1", "p2"]
