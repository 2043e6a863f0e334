"""Decide how each model of a run is prompted, and say it in words. Every stage asks here for its formats."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cluster.config.model_config import PolicyConfig
from cluster.config.run_config import RunConfig
from cluster.models.directory import CONFIG, architecture
from cluster.run.endpoints import NO_ENDPOINTS, Endpoints
from cluster.run.model_fields import POLICY_PATH, REWARD_MODEL_PATH, RunModels, role_of
from search.data import Problem, State
from search.errors import UserError
from search.formats.base import StepFormat
from search.formats.chat_template import read_chat_template
from search.formats.model_prompt import (
    CHAT,
    CODE,
    ModelPrompt,
    PromptSettings,
    build_format,
    choose_prompt,
    prompt_format,
    read_model_prompt,
)
from search.formats.prose import Delimiter
from search.serialization import read_json_object

SHOT_SEPARATOR = re.compile(r"^---$", re.MULTILINE)
SHOWN_SYSTEM_TEXT = 60  # characters of a system text in messages
REWARD_ARCHITECTURES = ("Classification", "RewardModel", "PrmModel")  # ends of their names
SAMPLE_PROBLEM = Problem(id="sample", question="What is 3 + 4?", answer="7", source="sample")


@dataclass(frozen=True, slots=True)
class Prompting:
    """How the models of a run are prompted. Policies: by the config's settings, worked examples included.

    A directory of None stands for the built-in base policy before it is made. A policy of ``endpoints`` has its server's
    name in place of a directory.
    """

    settings: PromptSettings
    endpoints: Endpoints = NO_ENDPOINTS

    def policy_format(self, directory: Path | str | None) -> StepFormat:
        """Return the format in which a policy is prompted, with worked examples if it was not trained on it."""
        if self.endpoints.step_format is not None and self.endpoints.serves(directory):
            return self.endpoints.step_format
        return prompt_format(_path(directory), self.settings)

    def bare_format(self, directory: Path | str | None) -> StepFormat:
        """Return the format of a policy's steps without worked examples, for whoever only reads them."""
        if self.endpoints.step_format is not None and self.endpoints.serves(directory):
            return self.endpoints.step_format.for_reward_model()
        return build_format(self.training_prompt(directory), _path(directory))

    def reward_model_format(self, directory: Path | str, policy: Path | str | None) -> StepFormat:
        """Return the format in which a reward model reads the steps of ``policy``; it is shown no worked examples.

        It is the one that the model was trained on by its raystar.json. A model without one reads the policy's.
        """
        prompt = read_model_prompt(Path(directory))
        return build_format(prompt, Path(directory)) if prompt is not None else self.bare_format(policy)

    def training_prompt(self, start: Path | str | None) -> ModelPrompt:
        """Return how a model that is trained from ``start`` is prompted. Samples contain no worked examples."""
        return choose_prompt(_path(start), self.settings)


def load_shots(config: PolicyConfig) -> tuple[str, ...]:
    """Return the worked examples in ``policy.shots``, a text file with a line of three dashes between two of them.

    Raises UserError if the file cannot be read or holds none.
    """
    if config.shots is None:
        return ()
    try:
        text = Path(config.shots).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"policy.shots: cannot read {config.shots}: {error}") from error
    shots = tuple(part.strip("\n") for part in SHOT_SEPARATOR.split(text) if part.strip())
    if not shots:
        raise UserError(f"policy.shots: {config.shots} holds no worked example")
    return shots


def check_prompt(option: str, directory: Path | None, settings: PromptSettings, *, shows_examples: bool = True) -> None:
    """Raise UserError if the policy cannot be prompted as the settings say, or cannot write its format.

    ``option``: field or option that names it. ``shows_examples``: False for a model that is only trained.
    """
    check_language_model(option, directory)
    try:
        prompt, step_format = choose_prompt(directory, settings), prompt_format(directory, settings)
        segments = step_format.segments(State(SAMPLE_PROBLEM))  # some templates refuse some conversations
    except UserError as error:
        raise UserError(f"{option}: {error}") from error
    if not any(SAMPLE_PROBLEM.question in segment.text for segment in segments):
        raise UserError(
            f"{option}: the chat template in {directory} leaves the question out: choose policy.format plain, or copy "
            "the model again"
        )
    has_examples = prompt.trained_on_format or settings.shots
    if shows_examples and step_format.tags and not has_examples:  # nobody guesses a format's own tags
        has_template = directory is not None and read_chat_template(directory) is not None
        chat = "choose policy.format chat (it has a chat template), or " if has_template else ""
        raise UserError(
            f"{option}: the model in {directory} was not trained on the step format {prompt.format!r}: "
            f"{chat}give worked examples in policy.shots"
        )


def check_language_model(option: str, directory: Path | None) -> None:
    """Raise UserError if the config of a policy is that of a reward model, which writes no text."""
    name = architecture(read_json_object(directory / CONFIG)) if directory is not None else None
    if name is not None and name.endswith(REWARD_ARCHITECTURES):
        raise UserError(
            f"{option}: {directory} is a {name}, which writes no text: name a language model (…ForCausalLM) here, and "
            "reward models in reward_model.path"
        )


def check_further_policy(option: str, directory: Path, policy: Path | None, settings: PromptSettings) -> None:
    """Raise UserError if steps of a further policy cannot stand beside those of the policy: their formats differ."""
    check_prompt(option, directory, settings)
    ours, its = choose_prompt(policy, settings), choose_prompt(directory, settings)
    if (ours.format, ours.delimiter) != (its.format, its.delimiter):
        raise UserError(
            f"{option}: the model in {directory} writes steps of the format {its.format!r}, the policy of {ours.format!r}, and "
            "one tree cannot hold both: name another model, or the format of both in policy.format"
        )


def describe_prompts(config: RunConfig, settings: PromptSettings, models: RunModels) -> Iterator[str]:
    """Yield a line on how each policy of a run is prompted, and a warning for a reward model that reads other steps."""
    option = "--policy" if "--policy" in (*models.resolved, *models.missing) else POLICY_PATH
    directory = models.directory(option)
    if config.policy.endpoint is not None:
        return  # its server decides: ``describe_endpoints``
    if directory is None and (config.policy.path is not None or option != POLICY_PATH):
        return  # a model that a dry run goes on without
    yield f"policy: {_describe_prompt(models, option, settings)}"
    for further in models.further_policies:
        yield f"{str(role_of(further)).replace('_', ' ')}: {_describe_prompt(models, further, settings)}"
    ours = choose_prompt(directory, settings)
    for option in ("--reward-model", "--model", REWARD_MODEL_PATH):
        reward_model = models.directory(option)
        prompt = read_model_prompt(reward_model) if reward_model is not None else None
        if prompt is not None and prompt.format != ours.format:
            yield (
                f"warning: {option} was trained on steps of the format {prompt.format}, the policy writes {ours.format}: "
                "its scores may mean little"
            )


def _describe_prompt(models: RunModels, option: str, settings: PromptSettings) -> str:
    """Return how the policy that ``option`` names is prompted."""
    prompt = choose_prompt(models.directory(option), settings)
    parts = ["its own chat template" if prompt.format == CHAT else f"format {prompt.format}"]
    if prompt.trained_on_format:
        parts.append("trained on it")
    if prompt.format == CHAT:
        parts += [_describe_system(prompt.system), *(["thinking"] if prompt.thinking else [])]
    if prompt.format != CODE and prompt.delimiter is not Delimiter.BLANK_LINE:
        parts.append(f"steps end at {prompt.delimiter}")
    shots = 0 if prompt.trained_on_format else len(settings.shots)
    parts.append(f"{shots} worked example{'s' if shots > 1 else ''}" if shots else "no worked examples")
    return ", ".join(parts)


def _describe_system(system: str | None) -> str:
    if system is None:
        return "the template's own system text"
    text = " ".join(system.split())
    return f'system text "{text if len(text) <= SHOWN_SYSTEM_TEXT else f"{text[: SHOWN_SYSTEM_TEXT - 1]}…"}"'


def _path(directory: Path | str | None) -> Path | None:
    return None if directory is None else Path(directory)
