"""Load the tokenizer of a model that is trained, and make the tags of a step format tokens of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tokenizers import AddedToken
from transformers import AutoTokenizer

from search.errors import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTokenizer:
    """A model's tokenizer and the ids that training needs of it.

    Attributes:
        tokenizer: transformers' tokenizer.
        end_id: the token that ends a solution.
        pad_id: padding.
        new_tokens: tags that were added, each with the tokens that its text was made of before.
    """

    tokenizer: Any
    end_id: int
    pad_id: int
    new_tokens: dict[int, tuple[int, ...]] = field(default_factory=dict)


def load_tokenizer(
    directory: Path, turn_end: str = "", tags: Sequence[str] = (), *, trust_remote_code: bool = False
) -> ModelTokenizer:
    """Return the tokenizer in ``directory``, with every tag as a token of its own.

    ``turn_end``: the token that ends a solution, such as a chat template's end of turn; empty: the end-of-sequence
    token. Padding is the end-of-sequence token if there is no other. Raises UserError if a token is missing.
    """
    tokenizer = AutoTokenizer.from_pretrained(directory, trust_remote_code=trust_remote_code)
    vocabulary = tokenizer.get_vocab()
    if turn_end and turn_end not in vocabulary:
        raise UserError(f"the tokenizer at {directory} has no token {turn_end!r}, which ends a turn of its template")
    if tokenizer.eos_token_id is None:
        raise UserError(f"the tokenizer at {directory} has no end-of-sequence token: set eos_token")
    new = [tag for tag in tags if tag not in vocabulary]
    pieces = [tuple(tokenizer(tag, add_special_tokens=False)["input_ids"]) for tag in new]
    tokenizer.add_tokens([AddedToken(tag, special=False, normalized=False) for tag in new])
    pad_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    return ModelTokenizer(
        tokenizer=tokenizer,
        end_id=int(vocabulary[turn_end] if turn_end else tokenizer.eos_token_id),
        pad_id=int(pad_id),
        new_tokens=dict(zip(tokenizer.convert_tokens_to_ids(new), pieces, strict=True)),
    )
