"""Check model directories, worked examples, problems, trees and the machine before a run starts. Writes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence
from pathlib import Path

from cluster.config.method_config import MethodConfig
from cluster.config.model_config import PolicyConfig
from cluster.config.run_config import RunConfig
from cluster.host import ray_session, requirements
from cluster.models.directory import check_model
from cluster.run import context_length, prompting
from cluster.run.checks.used_searches import used_searches
from cluster.run.model_fields import (
    POLICY_PATH,
    REWARD_MODEL_PATH,
    RunModels,
    check_engines,
    resolve_models,
    with_directories,
)
from cluster.run.prompting import Prompting, check_prompt, load_shots
from cluster.run.reward_models import check_reward_model
from search.data import Problem
from search.errors import UserError
from search.formats.judge_prompts import read_judge_prompt
from search.formats.model_prompt import CHAT, PromptSettings, choose_prompt
from search.formats.registry import step_format
from search.problems import loading
from search.problems.curriculum import is_from_curriculum
from search.problems.loading import ProblemSets
from search.storage import tree_store
from search.strategies.registry import STRATEGIES, entry_of
from train.labels.prm800k import read_rows
from train.rules.base import RuleInput
from train.rules.self_rewarding import SelfRewardingOptions


def check_config(config: RunConfig) -> tuple[RunConfig, ProblemSets]:
    """Return a config with directories in place of its models' names, and its problems, all checked. Raises UserError."""
    sets = loading.load_problem_sets(config.problems)
    models = resolve_models(config, {}, {})
    config = with_directories(config, models)
    check_engines(config, models)
    check_models(config)
    return fit_prompts(config, sets, load_shots(config.policy), models), sets


def check_models(config: RunConfig, missing: Container[str] = ()) -> None:
    """Raise UserError if policy, worked examples or reward model do not fit the config, which names directories.

    ``missing``: fields of models that a dry run goes on without.
    """
    settings = config.policy.prompt_settings(load_shots(config.policy))
    if POLICY_PATH not in missing and "--policy" not in missing and config.policy.endpoint is None:
        check_policy(config.policy, settings)
    if config.reward_model.path is not None and REWARD_MODEL_PATH not in missing:
        check_reward_model(
            REWARD_MODEL_PATH, Path(config.reward_model.path), config.reward_model.kind, config.reward_model
        )


def check_rounds(config: RunConfig, problems: ProblemSets, *, lazy: bool = False) -> None:
    """Raise UserError if a round has no problem to search, or its rule lacks reference solutions or labels.

    ``lazy``: a dry run, which goes on without problems and labels whose numbers the config declares.
    """
    train = problems.train
    for number, entry in enumerate(config.rounds):
        check_reference_solutions(config.method_of(entry), train)
        check_judge_prompt(config.method_of(entry))
        check_labels(config, config.method_of(entry), train, lazy=lazy)
        if "train" not in problems.planned and not any(map(entry.covers, train)):
            levels = sorted({problem.level for problem in train if problem.level is not None})
            raise UserError(
                f"rounds.{number}.levels is {list(entry.levels or ())}, but training problems have "
                f"{f'levels {levels[0]} to {levels[-1]}' if levels else 'no levels'}"
            )


def check_reference_solutions(method: MethodConfig, train: Sequence[Problem]) -> None:
    """Raise UserError if the method needs reference solutions that neither a file nor the curriculum provides."""
    if method.references is not None:
        if not Path(method.references).expanduser().is_file():
            raise UserError(f"method.references: no file {method.references}: JSON lines of Trajectory are needed")
    elif RuleInput.REFERENCES in method.harvest_rule.needs and (
        others := [p for p in train if not is_from_curriculum(p)]
    ):
        raise UserError(
            f"method.rule {method.rule!r} needs reference solutions, and training problem {others[0].id} is of "
            f"{others[0].source}, not of the curriculum: name a file of them in method.references"
        )


def check_judge_prompt(method: MethodConfig) -> None:
    """Raise UserError if the text by which the policy marks its solutions cannot be read."""
    if isinstance(method.options, SelfRewardingOptions):
        read_judge_prompt(method.options.prompt)


def check_labels(config: RunConfig, method: MethodConfig, train: Sequence[Problem], *, lazy: bool = False) -> None:
    """Raise UserError if a rule needs labels by people and there is neither a file of them nor an exact check.

    ``lazy``: a file whose number of solutions the config declares may be missing.
    """
    if method.labels is not None:
        if not Path(method.labels).expanduser().is_file():
            if lazy and method.labelled_solutions is not None:
                return
            raise UserError(f"method.labels: no file {method.labels}: JSON lines in PRM800K's schema are needed")
        for _ in read_rows([Path(method.labels).expanduser()], Counter()):
            pass  # reading all rows refuses a bad line now instead of after the search
    elif RuleInput.CHECKED_LABELS in method.harvest_rule.needs and (
        not _runs_code(config.policy) or any(not is_from_curriculum(problem) for problem in train)
    ):
        raise UserError(
            f"method.rule {method.rule!r} needs step labels by people: only the curriculum's problems, solved in code, can "
            "be checked: name a file of labels in method.labels"
        )


def check_machine(config: RunConfig, address: str | None, root: Path) -> None:
    """Raise UserError if this machine, or the cluster at ``address``, cannot run the config in ``root``."""
    ray_session.check(config.ray, address)
    if address is None:
        on_cpu = config.policy.engine.num_gpus == 0
        folder = next(parent for parent in (root, *root.parents) if parent.exists())
        requirements.require(
            requirements.Need(shared_memory=config.ray.object_store_mib / 1024, vllm_cpu=on_cpu), folder
        )


def check_policy(config: PolicyConfig, settings: PromptSettings) -> None:
    """Raise UserError if the policy is no model, or cannot be prompted as the settings say."""
    directory = Path(config.path) if config.path is not None else None
    if directory is not None:
        check_model(POLICY_PATH, directory, weights=False)  # weights: when it was resolved
    check_prompt(POLICY_PATH, directory, settings)


def fit_prompts(
    config: RunConfig,
    sets: ProblemSets,
    shots: tuple[str, ...],
    models: RunModels,
    *,
    trains: bool = False,
    command: str | None = None,
) -> RunConfig:
    """Return the config with a number for each ``max_model_len`` of "auto".

    Raises UserError if a policy that an option, ``second_policy`` or ``policies`` names cannot be prompted as the config
    says, or if prompts and solutions do not fit a model's context. ``trains``: or not the ``max_length`` of a training.
    ``command``: whose searches are checked; default: all of the config.
    """
    settings = config.policy.prompt_settings(shots)
    for option in ("--policy", "--init"):
        if (directory := models.directory(option)) is not None:
            check_prompt(option, directory, settings, shows_examples=option == "--policy")
    policy = models.directory("--policy") or models.directory(POLICY_PATH)
    for option, directory in models.further_policies.items():
        prompting.check_further_policy(option, directory, policy, settings)
    searches = used_searches(config, command)
    # The format of a policy that a dry run goes on without is not known, nor is that of one behind a server.
    is_built_in = config.policy.path is None and config.policy.endpoint is None and "--policy" not in models.missing
    for search in searches.values() if policy is not None or is_built_in else ():
        entry_of(search).check_format(Prompting(settings).policy_format(policy))
    return context_length.with_contexts(config, sets, Prompting(settings), models, trains=trains, searches=searches)


def _runs_code(config: PolicyConfig) -> bool:
    """Return whether the policy's steps are programs."""
    name = choose_prompt(Path(config.path) if config.path else None, config.prompt_settings()).format
    return name != CHAT and step_format(name).runs_code


def check_trees(field: str, directory: Path, *, independent: bool) -> None:
    """Raise UserError if ``directory`` holds no stored trees with answers.

    ``independent``: the trees' solutions must be independent samples.
    """
    try:
        first = next(tree_store.read_trees(directory), None) if directory.is_dir() else None
    except tree_store.CorruptStore as error:
        raise UserError(f"{field}: {error}") from error
    if first is None:
        raise UserError(f"{field}: no trees in {directory}: a directory with {tree_store.PATTERN} is needed")
    if not first.problem.answer:
        raise UserError(f"{field}: the trees in {directory} have no reference answers")
    if independent and not STRATEGIES[first.strategy].has_independent_samples:
        raise UserError(
            f"{field}: the trees in {directory} were grown by {first.strategy!r}: their solutions are no independent "
            f"samples; those of {' or '.join(name for name, entry in STRATEGIES.items() if entry.has_independent_samples)} are"
        )
