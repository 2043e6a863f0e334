"""Resolve every model that a config or a command line names, once, before anything starts or is written.

After it only absolute directories travel: ``with_directories`` puts them into the config.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cluster.config.run_config import RunConfig
from cluster.models.architectures import check_architecture
from cluster.models.engine_options import check_engine
from cluster.models.resolve import ResolvedModel, resolve
from cluster.models.sampling import GENERATION_CONFIG, recommended_sampling
from cluster.models.size import ModelSize
from cluster.models.snapshot import ModelUnavailable
from cluster.run.models import POLICY, REWARD_MODEL
from search.errors import UserError
from search.protocols import SECOND_POLICY, policy_role
from search.strategies.registry import revise

# The field second_policy is called like its role.
POLICY_PATH, REWARD_MODEL_PATH, REFERENCE = "policy.path", "reward_model.path", "reward_model.reference"
FURTHER_PATH = re.compile(r"policies\.(\d+)\.path")  # of a policy that draws beside the first
ROLES_OF_THE_RUN = ("policy", "base")  # of second_policy and policies, in place of a model
SERVED_POLICIES = (POLICY_PATH, SECOND_POLICY, "--policy")
SERVED_REWARD_MODELS = (REWARD_MODEL_PATH, "--reward-model", "--model")
# Roles of those that a run works with from its first round on.
ROLES = {
    POLICY_PATH: POLICY,
    "--policy": POLICY,
    REWARD_MODEL_PATH: REWARD_MODEL,
    "--reward-model": REWARD_MODEL,
    SECOND_POLICY: SECOND_POLICY,
}
# Models that all results of a run depend on. Others, such as --init, are for one stage, which keeps its own inputs.
FIXED = (POLICY_PATH, REWARD_MODEL_PATH, REFERENCE, SECOND_POLICY, "--policy", "--reward-model")


def role_of(option: str) -> str | None:
    """Return the role of the model that a field or an option names; None of one that no search or round works with.

    "policies.0.path" → "policy_2".
    """
    match = FURTHER_PATH.fullmatch(option)
    return policy_role(int(match[1]) + 1) if match else ROLES.get(option)


def further_path(place: int) -> str:
    """Return the field that names a policy of ``policies``, which is counted from 0."""
    return f"policies.{place}.path"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunModels:
    """The models that a command works with, by the field or option that names them.

    ``missing``: those that a dry run goes on without, with one line that says what is not known of them.
    """

    resolved: Mapping[str, ResolvedModel] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)

    def directory(self, option: str) -> Path | None:
        """Return the directory of the model that ``option`` names, None if it names none or the model is missing."""
        model = self.resolved.get(option)
        return model.directory if model else None

    @property
    def further_policies(self) -> dict[str, Path]:
        """The directories of the policies beside the first, by the field that names each."""
        options = [option for option in self.resolved if option == SECOND_POLICY or FURTHER_PATH.fullmatch(option)]
        return {option: self.resolved[option].directory for option in options}

    def facts(self) -> dict[str, dict[str, str | None]]:
        """Return what the manifest keeps of each."""
        return {option: model.facts() for option, model in self.resolved.items()}

    def lineage(self) -> Iterator[dict[str, Any]]:
        """Yield an entry of the lineage for each model that is not of a later round: where it comes from."""
        for option, model in self.resolved.items():
            if role := role_of(option):
                facts = model.facts()
                yield {
                    "role": role,
                    "round": 0,
                    "version": 0,
                    "path": facts["directory"],
                    "start": model.pinned,
                    "commit": facts["commit"],
                    "header_digest": facts["header_digest"],
                }


def options_by_role(config: RunConfig, models: RunModels) -> dict[str, str]:
    """Return the field or option that says which model each role has, that of the policy for a role that it has too.

    A reward model is left out where nothing names one. ``is_built_in`` says whether the policy's names a model at all.
    """
    named = {*models.resolved, *models.missing}
    policy = "--policy" if "--policy" in named else POLICY_PATH
    options = {POLICY: policy}
    if config.second_policy is not None:
        options[SECOND_POLICY] = policy if config.second_policy in ROLES_OF_THE_RUN else SECOND_POLICY
    for place, further in enumerate(config.policies):
        options[policy_role(place + 1)] = policy if further.path in ROLES_OF_THE_RUN else further_path(place)
    if option := next((option for option in reversed(SERVED_REWARD_MODELS) if option in named), None):
        options[REWARD_MODEL] = option
    return options


def is_built_in(config: RunConfig, models: RunModels, option: str) -> bool:
    """Return whether the policy that ``option`` stands for is the built-in one: it names none, and no server has it."""
    is_named = option in models.resolved or option in models.missing
    return option == POLICY_PATH and not is_named and config.policy.endpoint is None


def config_references(config: RunConfig) -> dict[str, str]:
    """Return what the config names models by, by field."""
    fields = {
        POLICY_PATH: config.policy.path,
        REWARD_MODEL_PATH: config.reward_model.path,
        REFERENCE: config.reward_model.reference,
    }
    further = {further_path(place): policy.path for place, policy in enumerate(config.policies)}
    fields |= {
        name: reference
        for name, reference in {**further, SECOND_POLICY: config.second_policy}.items()
        if reference not in ROLES_OF_THE_RUN
    }
    return {name: reference for name, reference in fields.items() if reference is not None}


def resolve_models(
    config: RunConfig,
    options: Mapping[str, str],
    recorded: Mapping[str, Mapping[str, Any]],
    *,
    lazy: bool = False,
    unserved: Container[str] = (),
) -> RunModels:
    """Resolve the models of a config and of a command line's ``options``. Raises UserError, one line.

    ``--policy`` stands in for the config's policy, which is then not looked for.

    ``recorded``: what the manifest of a resumed run keeps; a name without a commit stands for the commit that the run was
    started with. ``lazy``: a dry run: weights are not fetched, and a model that is not at hand is left out. ``unserved``:
    fields whose model is only read for its prompt: its weights are not fetched.
    """
    resolved: dict[str, ResolvedModel] = {}
    missing: dict[str, str] = {}
    references = {**config_references(config), **options}
    if "--policy" in references:
        references.pop(POLICY_PATH, None)
    for option, reference in references.items():
        old = recorded.get(option, {})
        commit = old.get("commit") if old.get("reference") == reference else None
        try:
            model = resolve(option, reference, commit=commit, weights=not lazy and option not in unserved)
        except ModelUnavailable as error:
            if not lazy:
                raise
            missing[option] = _describe_missing(error, declared_size(config, option))
            continue
        if (
            (option in FIXED or FURTHER_PATH.fullmatch(option))
            and old
            and old.get("header_digest") != model.header_digest
        ):
            raise UserError(
                f"{option}: {model.describe()} is another model than {old.get('directory')}, which the run was started with: "
                "give that one, or choose another --name"
            )
        resolved[option] = model
    return RunModels(resolved=resolved, missing=missing)


def with_directories(config: RunConfig, models: RunModels) -> RunConfig:
    """Return the config with directories in place of names, and with the sampling that its policy recommends, if wanted.

    A model that a dry run misses keeps its name.
    """
    reward_model, second = models.directory(REWARD_MODEL_PATH), models.directory(SECOND_POLICY)
    policy = models.directory("--policy") or models.directory(POLICY_PATH)
    changes: dict[str, Any] = {}
    if policy is not None:
        changes["policy"] = config.policy.model_copy(update={"path": str(policy)})
    paths = {"path": reward_model, "reference": models.directory(REFERENCE)}
    if updates := {name: str(directory) for name, directory in paths.items() if directory is not None}:
        changes["reward_model"] = config.reward_model.model_copy(update=updates)
    if second is not None:
        changes["second_policy"] = str(second)
    if config.policies:
        directories = [models.directory(further_path(place)) for place in range(len(config.policies))]
        changes["policies"] = tuple(
            policy if directory is None else policy.model_copy(update={"path": str(directory)})
            for policy, directory in zip(config.policies, directories, strict=True)
        )
    return with_recommended_sampling(config.model_copy(update=changes), models)


def with_recommended_sampling(config: RunConfig, models: RunModels) -> RunConfig:
    """Return the config with the policy's own sampling where neither the file nor an option says one.

    It is that of ``search``, of ``evaluation.search`` and of the samples in ``evaluation``. Raises UserError if the model
    recommends something impossible.
    """
    values = sampling_of_policy(config, models)
    if not values:
        return config
    evaluation = config.evaluation
    try:
        searches = [
            revise(search, {name: value for name, value in values.items() if name not in search.model_fields_set})
            for search in (config.search, evaluation.search)
        ]
    except ValidationError as error:
        raise UserError(
            f"policy.sampling_defaults: {GENERATION_CONFIG} says {values}: {error.errors()[0]['msg']}"
        ) from error
    update: dict[str, Any] = {"search": searches[1]}
    if "temperature" in values and "temperature" not in evaluation.model_fields_set:
        update["temperature"] = values["temperature"]
    return config.model_copy(update={"search": searches[0], "evaluation": evaluation.model_copy(update=update)})


def sampling_of_policy(config: RunConfig, models: RunModels) -> dict[str, float]:
    """Return the sampling that the policy's generation_config.json recommends; empty unless the config asks for it."""
    directory = models.directory("--policy") or models.directory(POLICY_PATH)
    if config.policy.sampling_defaults != "generation_config" or directory is None:
        return {}
    return recommended_sampling(directory)


def check_engines(config: RunConfig, models: RunModels) -> None:
    """Raise UserError if vLLM has not a model's architecture, or an option of its engine fits neither vLLM nor the device."""
    served = [further_path(place) for place, policy in enumerate(config.policies) if policy.engine is None]
    roles = [
        ("policy.engine", config.policy.engine, (*SERVED_POLICIES, *served)),
        ("reward_model.engine", config.reward_model.engine, SERVED_REWARD_MODELS),
    ]
    for place, policy in enumerate(config.policies):
        if policy.engine is not None:
            roles.append((f"policies.{place}.engine", policy.engine, (further_path(place),)))
    for section, engine, options in roles:
        directories = {option: models.resolved[option].directory for option in options if option in models.resolved}
        for option, directory in directories.items():
            if section != "policy.engine" or config.policy.endpoint is None:
                check_architecture(option, directory, trust_remote_code=engine.trust_remote_code)
        for served_model in directories.values() or [None]:
            check_engine(section, engine, served_model)


def describe_models(config: RunConfig, models: RunModels) -> Iterator[str]:
    """Yield a line for each model, and for what runs or samples otherwise than usual because of it."""
    for option, model in models.resolved.items():
        yield f"{option}: {model.describe()}"
    yield from models.missing.values()
    for place, policy in enumerate(config.policies):
        if policy.path == "base":
            yield f"{further_path(place)}: the policy that the run begins with"
    engines = {"policy": config.policy.engine, "reward_model": config.reward_model.engine}
    engines |= {f"policies.{place}": policy.engine for place, policy in enumerate(config.policies) if policy.engine}
    for section, engine in engines.items():
        if engine.trust_remote_code:
            yield f"{section}.engine.trust_remote_code: Python code that comes with the model runs in its engines"
    if values := sampling_of_policy(config, models):
        settings = ", ".join(f"{name} {value:g}" for name, value in values.items())
        yield f"policy.sampling_defaults: {settings} by {GENERATION_CONFIG}, where search and evaluation say nothing else"


def declared_size(config: RunConfig, option: str) -> ModelSize | None:
    """Return the size that the config declares for the model that ``option`` names."""
    if option in (POLICY_PATH, "--policy", "--init"):
        return config.policy.size
    if option == SECOND_POLICY:
        return config.second_policy_size
    if match := FURTHER_PATH.fullmatch(option):
        return config.policies[int(match[1])].size
    return config.reward_model.size if option in SERVED_REWARD_MODELS else None


def _describe_missing(error: ModelUnavailable, size: ModelSize | None) -> str:
    reason = str(error).rpartition(": ")[0]
    if size is None:
        return f"{reason}: its size, context, template and kind are not known here, the start will check them"
    return f"{reason}: planned by the declared size, {size.parameters() / 1e6:,.0f} M parameters"
