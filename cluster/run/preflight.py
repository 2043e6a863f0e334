"""Check model directories, worked examples, problems, trees and the machine before a run starts. Writes nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from cluster.config.method_config import MethodConfig
from cluster.config.run_config import PolicyConfig, RunConfig
from cluster.host import ray_session, requirements
from search.data import Problem
from search.errors import UserError
from search.problems import loading
from search.problems.curriculum import is_from_curriculum
from search.problems.loading import ProblemSets
from search.reward_models import KIND_BY_LABELS, KINDS, PRM_CLASSES, RewardModelKind, read_kind
from search.serialization import read_json_object
from search.storage import tree_store
from search.storage.schema import SCHEMA_KEY, UNVERSIONED, check_schema
from search.strategies.registry import STRATEGIES
from train.labels.prm800k import read_rows
from train.rules.base import RuleInput
from train.trainer import job

HUGGING_FACE_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
SHOT_SEPARATOR = re.compile(r"^---$", re.MULTILINE)
WEIGHTS = ("*.safetensors", "*.bin")
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")


def check_config(config: RunConfig) -> ProblemSets:
    """Check the models and worked examples of a config, and return its problems. Raises UserError."""
    check_policy(config.policy)
    load_shots(config.policy)
    if config.reward_model.path is not None:
        directory = Path(config.reward_model.path).expanduser()
        reward_model_kind("reward_model.path", directory, read_kind(directory) or RewardModelKind.PPM)
    if config.second_policy not in (None, "policy", "base"):
        check_model("second_policy", Path(config.second_policy).expanduser())
    return loading.load_problem_sets(config.problems)


def check_rounds(config: RunConfig, train: Sequence[Problem]) -> None:
    """Raise UserError if a round has no problem to search, or its rule lacks reference solutions or labels."""
    for number, entry in enumerate(config.rounds):
        check_reference_solutions(config.method_of(entry), train)
        check_labels(config, config.method_of(entry), train)
        if not any(map(entry.covers, train)):
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


def check_labels(config: RunConfig, method: MethodConfig, train: Sequence[Problem]) -> None:
    """Raise UserError if a rule needs labels by people and there is neither a file of them nor an exact check."""
    if method.labels is not None:
        if not Path(method.labels).expanduser().is_file():
            raise UserError(f"method.labels: no file {method.labels}: JSON lines in PRM800K's schema are needed")
        for _ in read_rows([Path(method.labels).expanduser()], Counter()):
            pass  # reading all rows refuses a bad line now instead of after the search
    elif RuleInput.CHECKED_LABELS in method.harvest_rule.needs and (
        not config.policy.step_format().runs_code or any(not is_from_curriculum(problem) for problem in train)
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


def check_policy(config: PolicyConfig) -> None:
    """Raise UserError if the policy is no model, or was neither trained on its step format nor has worked examples."""
    if config.path is None:
        return
    directory = Path(config.path).expanduser()
    if not directory.exists() and HUGGING_FACE_NAME.fullmatch(config.path):
        return  # a name on Hugging Face: downloaded or refused when the run starts
    check_model("policy.path", directory)
    step_format = config.step_format()
    if config.shots is None and not step_format.is_known_to(directory):
        raise UserError(
            f"policy.path: the model in {directory} does not know the step format {config.format!r} "
            f"(its tokenizer has no {step_format.learnt_mark}): "
            "give worked examples in policy.shots, or a model that was trained on it"
        )


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


def check_model(field: str, directory: Path) -> None:
    """Raise UserError if ``directory`` is no Hugging Face model directory, or an exported one of another schema version.

    ``field``: config field or option that names the directory, for the message.
    """
    if not directory.is_dir():
        raise UserError(f"{field}: no model directory {directory}")
    if not (directory / "config.json").is_file():
        raise UserError(f"{field}: {directory} is no model directory: it has no config.json")
    if not any(any(directory.glob(pattern)) for pattern in WEIGHTS):
        raise UserError(f"{field}: {directory} holds no weights ({' or '.join(WEIGHTS)})")
    if not any((directory / name).is_file() for name in TOKENIZERS):
        raise UserError(f"{field}: {directory} holds no tokenizer ({', '.join(TOKENIZERS)})")
    facts = read_json_object(directory / job.SUMMARY)
    if "fingerprint" in facts:  # trained and exported by this project
        check_schema(f"{field}: {directory}", facts.get(SCHEMA_KEY, UNVERSIONED), "train the model again")


def reward_model_kind(field: str, directory: Path, kind: str | None) -> RewardModelKind:
    """Return the kind of the reward model in ``directory``: as its labels say, else ``kind``.

    Raises UserError if it is no reward model, if both disagree or if neither says the kind.
    """
    check_model(field, directory)
    config = read_json_object(directory / "config.json")
    is_classifier = str((config.get("architectures") or [""])[0]).endswith("ForSequenceClassification")
    labelled = read_kind(directory)
    if not is_classifier and not (labelled is not None and KINDS[labelled].is_language_model):
        raise UserError(f"{field}: {directory} is no reward model: a ...ForSequenceClassification model is needed")
    # transformers omits the map for two labels.
    names = config.get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}
    labels = tuple(str(names[key]) for key in sorted(names, key=int))
    known = KIND_BY_LABELS.get(labels)
    if known is not None and kind not in (None, known):
        raise UserError(f"--kind {kind}: the labels of {directory} ({', '.join(labels)}) are those of the kind {known}")
    if known is not None:
        return known
    if len(labels) != 1:
        raise UserError(
            f"{field}: {directory} gives {len(labels)} numbers ({', '.join(labels)}): "
            f"one is needed, or {', '.join(PRM_CLASSES)}"
        )
    if kind is None:
        raise UserError(
            f"{field}: {directory} does not say what it was trained for: "
            f"give --kind, one of {', '.join(RewardModelKind)}"
        )
    return RewardModelKind(kind)


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
