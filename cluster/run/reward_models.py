"""Check a reward model before anything starts: its kind, what the kind needs, and the tags in its tokenizer."""

from __future__ import annotations

from pathlib import Path

from cluster.config.model_config import RewardModelConfig
from cluster.models.description import load_tokenizer
from cluster.models.directory import check_model
from cluster.run.model_fields import REFERENCE
from cluster.run.models import REWARD_MODEL, model_ref
from search.data import ModelRef
from search.errors import UserError
from search.formats.plain_format import PlainFormat
from search.reward_models import ReadingConfig, RewardAdapter, RewardModelKind, make_adapter, resolve_kind
from search.reward_models.base import tag_id
from search.reward_models.registry import AUTO
from search.tokens import TokenEncoder


def check_reward_model(field: str, directory: Path, wanted: str | None, config: ReadingConfig) -> RewardModelKind:
    """Return the kind of the reward model in ``directory``: ``wanted``, or the one it is recognised as.

    Raises UserError if the kind is unclear or impossible, the model lacks what the kind needs, a tag is not one token of
    its tokenizer, or a reference has another vocabulary. ``field``: config field or option that names the directory.
    """
    check_model(field, directory, weights=False)
    kind = resolve_kind(field, directory, wanted)
    try:
        adapter = make_adapter(directory, kind, PlainFormat(), config)  # checks do not depend on the format
        _check_tags(directory, adapter)
    except UserError as error:
        raise UserError(f"{field}: {error}") from error
    if adapter.reference is not None:
        _check_reference(field, directory, Path(adapter.reference))
    return kind


def first_reward_model(config: RewardModelConfig, path: object = None) -> ModelRef | None:
    """Return the reference of the reward model that the user names, to be read as the config says; None if none is named.

    ``path``: of an option in place of the config's. A judge behind a server is named by the server.
    """
    path = config.path if path is None else path
    if path is not None:
        return model_ref(REWARD_MODEL, path, 0, "" if config.kind == AUTO else config.kind)
    return model_ref(REWARD_MODEL, config.endpoint.reference, 0, RewardModelKind.JUDGE) if config.endpoint else None


def _check_tags(directory: Path, adapter: RewardAdapter) -> None:
    """Raise UserError if a tag is not one token. A model without tokenizer.json is checked when its engine starts."""
    tokenizer = load_tokenizer(directory) if adapter.tags else None
    if tokenizer is not None:
        encoder = TokenEncoder(tokenizer)
        for tag in adapter.tags:
            tag_id(encoder, tag)


def _check_reference(field: str, directory: Path, reference: Path) -> None:
    """Raise UserError if the reference is no model, or the same token id means another token there."""
    if not reference.is_dir():
        return  # a dry run without it
    check_model(REFERENCE, reference, weights=False)
    first, second = load_tokenizer(directory), load_tokenizer(reference)
    if first is not None and second is not None and first.get_vocab() != second.get_vocab():
        raise UserError(
            f"{REFERENCE}: the vocabulary of {reference} is not that of {field} {directory}: "
            "name the model that the reward model was trained against"
        )
