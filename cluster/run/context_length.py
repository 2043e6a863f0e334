"""Choose the contexts of the engines, and check before anything starts that prompts and solutions fit them.

A search needs room for its longest prompt, worked examples included, and its longest solution. Prompts are tokenised with
the model's own tokenizer: those of the first SAMPLE problems of each set and of its longest one. A model whose tokenizer
is not at hand, such as the built-in one before it is made, is not checked.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from actors.engines.context_limit import context_limit
from cluster.config.model_config import FurtherPolicyConfig
from cluster.config.run_config import RunConfig
from cluster.models.description import load_tokenizer
from cluster.run.checks.used_searches import used_searches
from cluster.run.model_fields import POLICY_PATH, REWARD_MODEL_PATH, RunModels, further_path
from cluster.run.prompting import Prompting
from search.config import SearchConfig
from search.data import Problem, State
from search.errors import UserError
from search.formats.base import StepFormat
from search.formats.model_prompt import AUTO
from search.formats.plain_format import PlainFormat
from search.problems.loading import ProblemSets
from search.tokens import TokenEncoder

SAMPLE = 200  # problems of a set
GRANULARITY = 128  # tokens; contexts that are chosen are multiples of it
UNCHECKED_LENGTH = 4096  # tokens, of a context that is chosen without a tokenizer
REWARD_SHARE = (
    1.5  # tokens of a solution for a reward model, by another tokenizer and with programs' outputs, for one token
)
JUDGE_REQUEST = 256  # tokens of what a judge is asked, without question and solution
LEAST_SOLUTION = 8  # tokens, the least that max_solution_tokens may be


@dataclass(frozen=True, slots=True, kw_only=True)
class LongestPrompt:
    """The longest prompt of a sample: its ``tokens``, its problem, and how many tokens are worked examples."""

    tokens: int
    problem_id: str
    examples: int = 0

    def __str__(self) -> str:
        of_examples = f" ({self.examples} of them worked examples)" if self.examples else ""
        return f"the {self.tokens} tokens of the prompt of problem {self.problem_id}{of_examples}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LongestSolution:
    """The longest solutions of a config's searches.

    ``tokens``: drawn in one go, by the config field ``option``. ``path``: step by step to the depth limit, or in one go.
    """

    tokens: int
    option: str
    path: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """A model that engines serve. ``option`` names it, in messages. ``directory`` is None where it is not at hand.

    Attributes:
        limit: tokens of its context; None if it does not say.
        prompt: its longest prompt; None if there is no tokenizer at hand.
    """

    option: str
    directory: Path | None
    limit: int | None
    prompt: LongestPrompt | None


def with_contexts(
    config: RunConfig,
    problems: ProblemSets,
    prompting: Prompting,
    models: RunModels,
    *,
    trains: bool,
    searches: Mapping[str, SearchConfig] | None = None,
) -> RunConfig:
    """Return the config with a number for each ``max_model_len`` of "auto". Raises UserError, one line, if too little fits.

    ``trains``: whether models are trained on the solutions, so that samples must fit ``max_length`` too. ``searches``: that
    are run, by field; default: all of ``raystar evolve``.
    """
    solution, sample = longest_solution(searches or used_searches(config)), sample_problems(problems)
    policies = list(_policies(config, prompting, models, sample))
    apart = {further_path(place) for place, policy in enumerate(config.policies) if policy.engine is not None}
    reward_model = _reward_model(config, prompting, models, sample, policies[0])
    lengths = {
        "policy": _policy_length(config, [policy for policy in policies if policy.option not in apart], solution),
        "reward_model": _engine_length(
            "reward_model.engine",
            config.reward_model.engine.max_model_len,
            reward_model,
            solution,
            REWARD_SHARE,
            JUDGE_REQUEST + config.reward_model.judge.max_tokens if config.reward_model.kind == "judge" else 0,
        ),
    }
    if trains and policies[0].directory is not None:
        check_samples(config, prompting, policies[0].directory, sample, solution)
    _load_encoder.cache_clear()
    changes: dict[str, Any] = {}
    for role, length in lengths.items():
        section = getattr(config, role)
        engine = section.engine.model_copy(update={"max_model_len": length})
        changes[role] = section.model_copy(update={"engine": engine})
    changes["policies"] = tuple(
        _with_context(place, policy, policies, solution) for place, policy in enumerate(config.policies)
    )
    return config.model_copy(update=changes)


def _with_context(
    place: int, policy: FurtherPolicyConfig, served: Sequence[ServedModel], solution: LongestSolution
) -> FurtherPolicyConfig:
    """Return one of ``policies`` with a number for the ``max_model_len`` of engines of its own, if it has such."""
    if policy.engine is None:
        return policy
    # "base" names no directory here: it is the first policy, or was made like it.
    model = next((model for model in served if model.option == further_path(place)), served[0])
    length = _engine_length(f"policies.{place}.engine", policy.engine.max_model_len, model, solution)
    return policy.model_copy(update={"engine": policy.engine.model_copy(update={"max_model_len": length})})


def check_samples(
    config: RunConfig, prompting: Prompting, start: Path, problems: Sequence[Problem], solution: LongestSolution
) -> None:
    """Raise UserError if a bare prompt and the longest solution are longer than a training's ``max_length``."""
    prompt = longest_prompt(start, prompting.bare_format(start), problems)
    needed = prompt.tokens + solution.tokens if prompt is not None else 0
    for number, entry in enumerate(config.rounds):
        for role in ("policy", "reward_model"):
            length = getattr(config.round_training(entry), role).max_length
            if getattr(config.method_of(entry), role) is not None and needed > length:
                place = f"rounds.{number}.train" if "max_length" in getattr(entry.train, role) else "train"
                raise UserError(
                    f"{place}.{role}.max_length: {length} is less than {prompt} and a solution of up to "
                    f"{solution.tokens} ({solution.option}): set it to at least {needed}"
                )


def sample_problems(sets: ProblemSets) -> tuple[Problem, ...]:
    """Return the first SAMPLE problems of each set and its longest question."""
    sample: list[Problem] = []
    for problems in (sets.train, sets.validation, *sets.evaluation.values()):
        sample += problems[:SAMPLE]
        sample += [max(problems, key=lambda problem: len(problem.question))] if problems else []
    return tuple(dict.fromkeys(sample))


def longest_prompt(directory: Path, step_format: StepFormat, problems: Sequence[Problem]) -> LongestPrompt | None:
    """Return the longest prompt of ``problems``; None without problems or tokenizer.json. Raises UserError if it is damaged."""
    encoder = _load_encoder(directory) if problems else None
    if encoder is None:
        return None
    tokens, longest = max(
        ((_prompt_tokens(encoder, step_format, problem), problem) for problem in problems), key=lambda pair: pair[0]
    )
    examples = sum(len(encoder.ids([shot])) for shot in step_format.shots)
    return LongestPrompt(tokens=tokens, problem_id=longest.id, examples=examples)


def longest_solution(searches: Mapping[str, SearchConfig]) -> LongestSolution:
    """Return the longest solutions that some searches draw. ``searches``: by the field that holds each."""
    option, longest = max(searches.items(), key=lambda item: item[1].max_solution_tokens)
    return LongestSolution(
        tokens=longest.max_solution_tokens,
        option=f"{option}.max_solution_tokens",
        path=max(search.longest_path for search in searches.values()),
    )


@lru_cache(maxsize=2)
def _load_encoder(directory: Path) -> TokenEncoder | None:
    """Return what makes token ids in ``directory``; large vocabularies take seconds to load."""
    tokenizer = load_tokenizer(directory)
    if tokenizer is None:
        return None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return TokenEncoder(tokenizer, cached_pieces=1)


def _prompt_tokens(encoder: TokenEncoder, step_format: StepFormat, problem: Problem) -> int:
    return len(encoder.ids([segment.piece for segment in step_format.segments(State(problem))]))


def _policies(
    config: RunConfig, prompting: Prompting, models: RunModels, problems: Sequence[Problem]
) -> Iterator[ServedModel]:
    """Yield the policy, then each further one that has a directory of its own or is not at hand."""
    option = "--policy" if "--policy" in (*models.resolved, *models.missing) else POLICY_PATH
    directory = models.directory(option) if config.policy.endpoint is None else None
    if directory is None:
        built_in = config.policy.path is None and config.policy.endpoint is None and option not in models.missing
        limit = config.policy.recipe.size.context if built_in else None
        yield ServedModel(option=option, directory=None, limit=limit, prompt=None)
    else:
        yield _served_policy(option, directory, prompting, problems)
    for further, its_directory in models.further_policies.items():
        yield _served_policy(further, its_directory, prompting, problems)
    for further in map(further_path, range(len(config.policies))):
        if further in models.missing:
            yield ServedModel(option=further, directory=None, limit=None, prompt=None)


def _served_policy(option: str, directory: Path, prompting: Prompting, problems: Sequence[Problem]) -> ServedModel:
    prompt = longest_prompt(directory, prompting.policy_format(directory), problems)
    return ServedModel(option=option, directory=directory, limit=context_limit(directory), prompt=prompt)


def _reward_model(
    config: RunConfig, prompting: Prompting, models: RunModels, problems: Sequence[Problem], policy: ServedModel
) -> ServedModel:
    """Return the reward model; one that is not trained yet has the policy's tokenizer and context."""
    for option in ("--reward-model", "--model", REWARD_MODEL_PATH):
        directory = models.directory(option)
        if directory is not None:
            served_elsewhere = config.policy.endpoint is not None  # its format is known after it was asked
            step_format = (
                PlainFormat() if served_elsewhere else prompting.reward_model_format(directory, policy.directory)
            )
            prompt = longest_prompt(directory, step_format, problems)
            return ServedModel(option=option, directory=directory, limit=context_limit(directory), prompt=prompt)
    if policy.directory is None:
        return policy
    prompt = longest_prompt(policy.directory, prompting.bare_format(policy.directory), problems)
    return ServedModel(option=policy.option, directory=policy.directory, limit=policy.limit, prompt=prompt)


def _policy_length(config: RunConfig, policies: Sequence[ServedModel], solution: LongestSolution) -> int:
    """Return the context of the policy engines, which every policy must allow."""
    wanted = config.policy.engine.max_model_len
    lengths = [_engine_length("policy.engine", wanted, policy, solution) for policy in policies]
    limits = [policy.limit for policy in policies if policy.limit is not None]
    return min([max(lengths), *limits])


def _engine_length(
    section: str,
    wanted: int | Literal["auto"],
    model: ServedModel,
    solution: LongestSolution,
    share: float = 1.0,
    reserve: int = 0,
) -> int:
    """Return the context of a model's engines. Raises UserError if it is more than the model's, or too little.

    ``share``: tokens of a solution for this model for one of the policy's. ``reserve``: tokens beside prompt and solution.
    """
    option, limit, prompt = f"{section}.max_model_len", model.limit, model.prompt
    name = model.directory or "the built-in base policy (policy.recipe.size.context)"
    if wanted != AUTO and limit is not None and wanted > limit:
        raise UserError(
            f"{option}: {wanted} is more than the {limit} tokens of the context of {name}: set at most {limit}"
        )
    needed = prompt.tokens + solution.tokens if prompt is not None else 0
    if prompt is not None and limit is not None and needed > limit:
        raise UserError(
            f"{model.option}: {prompt} and a solution of up to {solution.tokens} do not fit the {limit} tokens of the "
            f"context of {name}: {_smaller_need(prompt, limit, solution)}"
        )
    if wanted != AUTO:
        if needed > wanted:
            raise UserError(
                f"{option}: {wanted} is less than {prompt} and a solution of up to {solution.tokens} "
                f"({solution.option}): set it to at least {needed}, or to auto"
            )
        return wanted
    if prompt is None:
        return limit if limit is not None and limit < UNCHECKED_LENGTH else UNCHECKED_LENGTH
    rounded = GRANULARITY * math.ceil((prompt.tokens + share * solution.path + reserve) / GRANULARITY)
    return rounded if limit is None else min(rounded, limit)


def _smaller_need(prompt: LongestPrompt, limit: int, solution: LongestSolution) -> str:
    """Return the smallest change after which prompt and solution fit."""
    room = limit - prompt.tokens
    if room >= LEAST_SOLUTION:
        return f"set {solution.option} to at most {room}"
    if limit - (prompt.tokens - prompt.examples) >= LEAST_SOLUTION:
        return "give fewer worked examples in policy.shots"
    return f"leave problem {prompt.problem_id} out, or name a model with a longer context"
