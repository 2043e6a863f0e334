"""Checks before a run: model directory, worked examples, problems, machine. Writes and starts nothing."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cluster.config.method_config import MethodConfig
from cluster.config.run_config import PolicyConfig, RunConfig
from cluster.host import ray_session, requirements
from search.config import INDEPENDENT
from search.data import Problem
from search.errors import UserError
from search.formats.registry import END_OF_STEP
from search.problems import loading
from search.problems.curriculum import of_curriculum
from search.problems.loading import ProblemSets
from search.reward_models import CLASSES, HEADS, RewardModelKind, kind_of
from search.storage import tree_store
from train.labels.prm800k import read_rows

HUGGING_FACE_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
SHOT_BREAK = re.compile(r"^---$", re.MULTILINE)
WEIGHTS = ("*.safetensors", "*.bin")
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")


def inputs(config: RunConfig) -> ProblemSets:
    """Check models and examples by looking at them, and load the problems. Raises UserError."""
    policy(config.policy)
    shots(config.policy)
    if config.reward_model.path is not None:
        directory = Path(config.reward_model.path).expanduser()
        judge("reward_model.path", directory, kind_of(directory) or RewardModelKind.PPM)
    if config.second not in (None, "policy", "base"):
        model("second", Path(config.second).expanduser())
    return loading.load_sets(config.problems)


def rounds(config: RunConfig, train: Sequence[Problem]) -> None:
    """Raise UserError where a round has no problem to search, or its rule no reference solutions."""
    for number, entry in enumerate(config.rounds):
        references(config.method_of(entry), train)
        labels(config, config.method_of(entry), train)
        if not any(map(entry.covers, train)):
            known = sorted({problem.level for problem in train if problem.level is not None})
            raise UserError(
                f"rounds.{number}.levels is {list(entry.levels or ())}, but training problems have "
                f"{f'levels {known[0]} to {known[-1]}' if known else 'no levels'}"
            )


def references(method: MethodConfig, train: Sequence[Problem]) -> None:
    """Raise UserError where the reference solutions that the method wants are nowhere to be found."""
    if method.references is not None:
        if not Path(method.references).expanduser().is_file():
            raise UserError(f"method.references: no file {method.references}: JSON lines of Trajectory are needed")
    elif "references" in method.source.needs and (strange := [p for p in train if not of_curriculum(p)]):
        raise UserError(
            f"method.rule {method.rule!r} needs reference solutions, and training problem {strange[0].id} is of "
            f"{strange[0].source}, not of the curriculum: name a file of them in method.references"
        )


def labels(config: RunConfig, method: MethodConfig, train: Sequence[Problem]) -> None:
    """Raise UserError where a rule wants labels by people, and neither a file of them nor an exact check is there."""
    if method.labels is not None:
        if not Path(method.labels).expanduser().is_file():
            raise UserError(f"method.labels: no file {method.labels}: JSON lines in PRM800K's schema are needed")
        for _ in read_rows([Path(method.labels).expanduser()], Counter()):
            pass  # a bad line is refused now, not after the search
    elif "checked" in method.source.needs and (
        config.policy.format != "code" or any(not of_curriculum(problem) for problem in train)
    ):
        raise UserError(
            f"method.rule {method.rule!r} needs step labels by people: only the curriculum's problems, solved in code, can "
            "be checked: name a file of labels in method.labels"
        )


def machine(config: RunConfig, address: str | None, root: Path) -> None:
    """Raise UserError where this machine, or the cluster, cannot do what is asked; ``root`` is written to later."""
    ray_session.check(config.ray, address)
    if address is None:
        on_cpu = config.policy.engine.num_gpus == 0
        folder = next(parent for parent in (root, *root.parents) if parent.exists())
        requirements.require(
            requirements.Need(shared_memory=config.ray.object_store_mib / 1024, vllm_cpu=on_cpu), folder
        )


def policy(config: PolicyConfig) -> None:
    """Raise UserError where the policy cannot be loaded, or neither knows its step format nor is shown it."""
    if config.path is None:
        return
    directory = Path(config.path).expanduser()
    if not directory.exists() and HUGGING_FACE_NAME.fullmatch(config.path):
        return  # a name on Hugging Face: it is fetched, or refused, when the run starts
    model("policy.path", directory)
    if config.shots is None and not _knows_format(directory, config.format):
        wanted = f"its tokenizer has no {END_OF_STEP}" if config.format == "code" else "it has no chat template"
        raise UserError(
            f"policy.path: the model in {directory} does not know the step format {config.format!r} ({wanted}): "
            "give worked examples in policy.shots, or a model that was trained on it"
        )


def shots(config: PolicyConfig) -> tuple[str, ...]:
    """The worked examples in ``policy.shots``: a text file, a line of three dashes between two. Raises UserError."""
    if config.shots is None:
        return ()
    try:
        text = Path(config.shots).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"policy.shots: cannot read {config.shots}: {error}") from error
    found = tuple(part.strip("\n") for part in SHOT_BREAK.split(text) if part.strip())
    if not found:
        raise UserError(f"policy.shots: {config.shots} holds no worked example")
    return found


def model(field: str, directory: Path) -> None:
    """Raise UserError where ``directory`` is no Hugging Face model directory; ``field`` says who asked for it."""
    if not directory.is_dir():
        raise UserError(f"{field}: no model directory {directory}")
    if not (directory / "config.json").is_file():
        raise UserError(f"{field}: {directory} is no model directory: it has no config.json")
    if not any(any(directory.glob(pattern)) for pattern in WEIGHTS):
        raise UserError(f"{field}: {directory} holds no weights ({' or '.join(WEIGHTS)})")
    if not any((directory / name).is_file() for name in TOKENIZERS):
        raise UserError(f"{field}: {directory} holds no tokenizer ({', '.join(TOKENIZERS)})")


def judge(field: str, directory: Path, kind: str | None) -> RewardModelKind:
    """The kind of the reward model in ``directory``, which ``kind`` says where its labels do not. Raises UserError."""
    model(field, directory)
    config = _json(directory / "config.json")
    classifier = str((config.get("architectures") or [""])[0]).endswith("ForSequenceClassification")
    if not classifier and kind_of(directory) is not RewardModelKind.DPO:
        raise UserError(f"{field}: {directory} is no reward model: a ...ForSequenceClassification model is needed")
    # transformers leaves the map out where there are two.
    names = config.get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}
    labels = tuple(str(names[key]) for key in sorted(names, key=int))
    known = HEADS.get(labels)
    if known is not None and kind not in (None, known):
        raise UserError(f"--kind {kind}: the labels of {directory} ({', '.join(labels)}) are those of the kind {known}")
    if known is not None:
        return known
    if len(labels) != 1:
        raise UserError(
            f"{field}: {directory} gives {len(labels)} numbers ({', '.join(labels)}): one is needed, or {', '.join(CLASSES)}"
        )
    if kind is None:
        raise UserError(
            f"{field}: {directory} does not say what it was trained for: give --kind, one of {', '.join(RewardModelKind)}"
        )
    return RewardModelKind(kind)


def trees(field: str, directory: Path, *, independent: bool) -> None:
    """Raise UserError where ``directory`` holds no stored trees with answers; ``independent``: no independent samples."""
    try:
        first = next(tree_store.read_trees(directory), None) if directory.is_dir() else None
    except tree_store.CorruptStore as error:
        raise UserError(f"{field}: {error}") from error
    if first is None:
        raise UserError(f"{field}: no trees in {directory}: a directory with {tree_store.PATTERN} is needed")
    if not first.problem.answer:
        raise UserError(f"{field}: the trees in {directory} have no reference answers")
    if independent and first.strategy not in INDEPENDENT:
        raise UserError(
            f"{field}: the trees in {directory} were grown by {first.strategy!r}: their solutions are no independent "
            f"samples; those of {' or '.join(INDEPENDENT)} are"
        )


def _knows_format(directory: Path, name: str) -> bool:
    if name != "code":
        return (
            "chat_template" in _json(directory / "tokenizer_config.json")
            or (directory / "chat_template.jinja").exists()
        )
    added = _json(directory / "tokenizer.json").get("added_tokens", [])
    return any(token.get("content") == END_OF_STEP for token in added)


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}") from error
    return found if isinstance(found, dict) else {}
