"""Keep the token ids of a step as the policy drew them, so that nobody has to guess them from its text.

A text has many tokenisations. A tokenizer gives the one that its merges make, a model draws any: it may spell a word by
letters, or split an emoji where a step was cut. A step therefore keeps its ids, with a digest of the vocabulary that they
belong to. Models of the same vocabulary and their training read these ids, all others encode the text.

A step has ids only if they say exactly its text. So a step that a format changed, or whose beginning or end lies within a
token, has none.
"""

from __future__ import annotations

import hashlib
import json
import struct
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

from search.data import Candidate, Step
from search.serialization import read_json_object

DIGEST_LENGTH = 12  # hexadecimal digits
SPACE = "\u2581"  # the mark of a space in SentencePiece's vocabularies


class Vocabulary:
    """The tokens of a tokenizer as bytes, and the digest by which two vocabularies are the same."""

    def __init__(self, tokens: dict[int, str], added: dict[int, str], is_byte_level: bool) -> None:
        self._tokens, self._added, self._is_byte_level = tokens, added, is_byte_level
        content = json.dumps([sorted(tokens.items()), sorted(added.items()), is_byte_level])
        self.digest = hashlib.sha256(content.encode()).hexdigest()[:DIGEST_LENGTH]
        self._bytes: dict[int, bytes] = {}  # of the tokens that were met

    def token_bytes(self, index: int) -> bytes:
        """Return what a token says, as UTF-8 or a part of it; empty for an unknown id."""
        known = self._bytes.get(index)
        if known is None:
            known = self._bytes[index] = self._read_token(index)
        return known

    def _parts(self, ids: tuple[int, ...]) -> list[bytes]:
        known = self._bytes
        try:
            return [known[index] for index in ids]
        except KeyError:
            return [self.token_bytes(index) for index in ids]

    def keep_ids(self, steps: tuple[Step, ...], candidate: Candidate) -> tuple[Step, ...]:
        """Return the steps of a candidate, each with its ids where they say exactly its text."""
        text, ids = candidate.text, candidate.token_ids
        parts = self._parts(ids)
        said, written = b"".join(parts), text.encode()
        if said == written and len(steps) == 1 and steps[0].text == text:
            return (replace(steps[0], drawn_ids=pack_ids(self.digest, ids)),) if ids else steps
        if not said.startswith(written):
            return steps
        token_at = {end: index for index, end in enumerate(accumulate(map(len, parts), initial=0))}
        kept: list[Step] = []
        position = offset = 0  # in characters and in bytes
        for step in steps:
            begin = text.find(step.text, position)
            if not step.text or begin < 0:
                kept.append(step)
                continue
            first = offset + len(text[position:begin].encode())
            position, offset = begin + len(step.text), first + len(step.text.encode())
            if first in token_at and offset in token_at:
                step = replace(step, drawn_ids=pack_ids(self.digest, ids[token_at[first] : token_at[offset]]))
            kept.append(step)
        return tuple(kept)

    def _read_token(self, index: int) -> bytes:
        if index in self._added:
            return self._added[index].encode()
        token = self._tokens.get(index, "")
        if self._is_byte_level:
            return bytes(byte_alphabet()[character] for character in token if character in byte_alphabet())
        if len(token) == 6 and token.startswith("<0x") and token.endswith(">"):
            return bytes.fromhex(token[3:5])
        return token.replace(SPACE, " ").encode()


@lru_cache(maxsize=16)
def read_vocabulary(directory: Path) -> Vocabulary | None:
    """Return the vocabulary of the tokenizer in a model directory, None if it has no ``tokenizer.json`` of a known layout.

    Raises UserError if the file is not JSON.
    """
    content = read_json_object(directory / "tokenizer.json")
    model, kinds = content.get("model") or {}, set(_decoder_kinds(content.get("decoder") or {}))
    vocabulary = model.get("vocab")
    if not isinstance(vocabulary, dict) or not kinds & {"ByteLevel", "ByteFallback"}:
        return None
    added = {int(token["id"]): str(token["content"]) for token in content.get("added_tokens") or []}
    return Vocabulary({index: token for token, index in vocabulary.items()}, added, "ByteLevel" in kinds)


def vocabulary_digest(directory: Path) -> str:
    """Return the digest of the vocabulary in a model directory; empty if it has none of a known layout."""
    vocabulary = read_vocabulary(directory)
    return "" if vocabulary is None else vocabulary.digest


def _decoder_kinds(decoder: dict[str, Any]) -> list[str]:
    parts = decoder.get("decoders") or [decoder]
    return [str(part.get("type")) for part in parts]


def pack_ids(digest: str, ids: Sequence[int]) -> str:
    """Return ids of the vocabulary with this digest as a short text."""
    return f"{digest}:{b64encode(struct.pack(f'<{len(ids)}I', *ids)).decode()}"


@lru_cache(maxsize=1 << 14)
def unpack_ids(packed: str, digest: str) -> tuple[int, ...] | None:
    """Return the packed ids if they belong to the vocabulary with this digest, otherwise None."""
    owner, _, content = packed.partition(":")
    if not digest or owner != digest:
        return None
    packed_ids = b64decode(content)
    return struct.unpack(f"<{len(packed_ids) // 4}I", packed_ids)


@lru_cache(maxsize=1)
def byte_alphabet() -> dict[str, int]:
    """Return the byte that each character of a byte-level vocabulary stands for (GPT-2's mapping).

    Printable bytes stand for themselves, the others for the characters from 256 on.
    """
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(others)}
