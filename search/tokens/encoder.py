"""Make token ids of pieces of text, and text of token ids: the one way from text to what a model reads.

Policies, reward models, likelihoods and training all use it, so they see the same ids for a state. A prompt is a sequence
of pieces (``Segment.piece``). Pieces are encoded one by one and their ids are concatenated: a piece that many prompts
share is encoded once, and its ids do not depend on what comes after it.

The first piece is the prompt and gets the ids that the tokenizer itself gives the same text, and before them what the
tokenizer puts before every text (BOS), unless the piece begins with it. Every later piece continues a text: a tokenizer
that puts a space before what it encodes (Llama 2, Mistral 7B, Phi-3) would put one between two pieces, so the piece is
encoded after a sentinel character whose ids are dropped.

What comes from outside, the literals of a piece, cannot name a control token: ``<|im_end|>`` in a question is text. Such a
literal is cut after the first character of the control token's text, and the parts are encoded one by one, so that the
tokenizer never sees the whole text of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

from search.errors import UserError
from search.formats.base import Piece
from search.tokens.drawn_ids import unpack_ids

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CACHED_PIECES = 1 << 16  # about 200 bytes each for short steps
# Characters after which a piece is encoded to continue a text. No tokenizer may merge them with what follows. The first is
# of Unicode's private use: a tokenizer with byte fallback makes bytes of it.
SENTINELS = ("\ue000", "\n")
SENTINEL_PROBES = ("a", " a", "\n", "!", "0", "<", "\u00e9")
DECODING_CONTEXT = "a"
GEMMA_BOS, GEMMA_TURN = "<bos>", "<start_of_turn>"
# Added tokens of this shape are structure even where the tokenizer does not call them special: Qwen 3's <think>, the tags of
# the code format. Others are text: Gemma's runs of line breaks, the numbers of the built-in base policy.
TAG = re.compile(r"\s*(<.+>|\[.+\])\s*", re.DOTALL)


class TokenEncoder:
    """A tokenizer of the ``tokenizers`` library, with a cache of the ids of pieces.

    ``leading_ids`` are the ids before every text: by default those that the tokenizer adds itself, usually BOS or none,
    and BOS for Gemma; ``bos_id`` names another. ``eos_ids`` end a text by themselves. ``vocabulary`` is the digest of the
    vocabulary, by which ids that were drawn are read as they are; without it they are not.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        bos_id: int | None = None,
        eos_ids: Iterable[int] = (),
        vocabulary: str = "",
        cached_pieces: int = CACHED_PIECES,
    ) -> None:
        self._tokenizer, self.vocabulary = tokenizer, vocabulary
        self._eos_ids = frozenset(eos_ids)
        added = tokenizer.get_added_tokens_decoder()
        self._added_ids = {token.content: index for index, token in added.items()}
        self._controls = tuple(t.content for t in added.values() if t.content and is_control(t.content, t.special))
        self._control_starts = frozenset(text[0] for text in self._controls)
        self._text_tokens = _any_of(t.content for t in added.values() if t.content and not t.special)
        self.leading_ids = _leading_ids(tokenizer) if bos_id is None else (bos_id,)
        self._sentinel, self._sentinel_ids = _find_sentinel(tokenizer) if _adds_prefix(tokenizer) else ("", [])
        loses_space = self._decode(self._continue_text(" a")) != " a"
        self._context = self._encode(DECODING_CONTEXT) if loses_space else []
        self._opening_ids = lru_cache(maxsize=cached_pieces)(self._encode_opening)
        self._continuation_ids = lru_cache(maxsize=cached_pieces)(self._encode_continuation)
        self.stop_ids = lru_cache(maxsize=256)(self._stop_ids)

    @classmethod
    def of(cls, tokenizer: Any, eos_ids: Iterable[int] = (), vocabulary: str = "") -> Self:
        """Return the encoder of a transformers tokenizer. Raises UserError if it does not stand on ``tokenizers``."""
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None:
            name = getattr(tokenizer, "name_or_path", "") or "the model"
            raise UserError(
                f"the tokenizer of {name} is a {type(tokenizer).__name__} without tokenizer.json: "
                "one that the tokenizers library can load is needed"
            )
        return cls(backend, eos_ids=eos_ids, vocabulary=vocabulary)

    def ids(self, pieces: Sequence[Piece]) -> list[int]:
        """Return the token ids of a prompt: of the first piece with BOS where the tokenizer wants it, then of the others."""
        ids: list[int] = []
        open_prompt, continue_prompt = self._opening_ids, self._continuation_ids
        for piece in pieces:
            ids.extend(continue_prompt(piece) if ids else open_prompt(piece))
        return ids

    def ids_by_piece(self, pieces: Sequence[Piece]) -> list[tuple[int, ...]]:
        """Return the ids of each piece; concatenated they are ``ids(pieces)``."""
        by_piece: list[tuple[int, ...]] = []
        begun = False
        for piece in pieces:
            by_piece.append(self._continuation_ids(piece) if begun else self._opening_ids(piece))
            begun = begun or bool(by_piece[-1])
        return by_piece

    def text(self, ids: Sequence[int]) -> str:
        """Return the text of generated ids, tags included, without an end-of-sequence token at the end.

        They continue a prompt, so a space at their beginning stays.
        """
        if ids and ids[-1] in self._eos_ids:
            ids = ids[:-1]
        if not self._context:
            return self._decode(ids)
        return self._decode([*self._context, *ids])[len(DECODING_CONTEXT) :]

    def _stop_ids(self, stops: tuple[str, ...]) -> tuple[int, ...] | None:
        """Return the ids of the stops where each is one added token, otherwise None.

        An added token is never merged with its neighbours, so the engine can stop on the id and needs no text.
        """
        if not all(stop in self._added_ids for stop in stops):
            return None
        return tuple(self._added_ids[stop] for stop in stops)

    def _encode_opening(self, piece: Piece) -> tuple[int, ...]:
        first, *others = self._cut_literals(piece)
        ids = tuple(self._encode(first))
        for part in others:
            ids += tuple(self._continue_text(part))
        leading = self.leading_ids
        return ids if ids[: len(leading)] == leading else leading + ids

    def _encode_continuation(self, piece: Piece) -> tuple[int, ...]:
        if isinstance(piece, str):
            return tuple(self._continue_part(piece))
        if isinstance(piece[1], tuple):
            text, (drawn_ids, suffix) = piece[0], piece[1]
            drawn = unpack_ids(drawn_ids, self.vocabulary)
            return tuple(self._continue_part(text)) if drawn is None else (*drawn, *self._continue_part(suffix))
        return tuple(index for part in self._cut_literals(piece) for index in self._continue_part(part))

    def _continue_part(self, text: str) -> list[int]:
        """Return the ids of a text within a text.

        Some tokenizers put a space after every added token too. Templates were trained so, after their special tokens.
        After the others, which a model writes within its steps, there is none.
        """
        if not self._sentinel:
            return self._encode(text)
        if self._text_tokens is None:
            return self._continue_text(text)
        ids: list[int] = []
        for part in self._text_tokens.split(text):
            if part in self._added_ids:
                ids.append(self._added_ids[part])
            elif part:
                ids += self._continue_text(part)
        return ids

    def _continue_text(self, text: str) -> list[int]:
        if not self._sentinel:
            return self._encode(text)
        ids = self._encode(self._sentinel + text)
        if ids[: len(self._sentinel_ids)] != self._sentinel_ids:
            raise ValueError(f"the tokenizer merges {self._sentinel!r} with the beginning of {text[:40]!r}")
        return ids[len(self._sentinel_ids) :]

    def _cut_literals(self, piece: Piece) -> list[str]:
        """Return the text of a piece, cut within every control token's text that lies in a literal.

        A literal protects all its occurrences in the text.
        """
        text = piece_text(piece)
        cuts = {0, len(text)}
        literals = [] if isinstance(piece, str) else [literal for literal in piece[1:] if isinstance(literal, str)]
        for literal in literals:
            inside = self._control_offsets(literal)
            if inside:
                begins = [match.start() for match in re.finditer(f"(?={re.escape(literal)})", text)]
                cuts.update(begin + offset + 1 for begin in begins for offset in inside)
        ordered = sorted(cuts)
        return [text[a:b] for a, b in pairwise(ordered)] or [text]

    def _control_offsets(self, text: str) -> list[int]:
        """Return the positions at which the text of a control token begins."""
        starts = [i for i, character in enumerate(text) if character in self._control_starts]
        return [i for i in starts if text.startswith(self._controls, i)]

    def _encode(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False).ids  # type: ignore[no-any-return]

    def _decode(self, ids: Sequence[int]) -> str:
        return self._tokenizer.decode(ids, skip_special_tokens=False)  # type: ignore[no-any-return]


def piece_text(piece: Piece) -> str:
    """Return the text of a piece."""
    return piece if isinstance(piece, str) else piece[0]


def is_control(content: str, is_special: bool) -> bool:
    """Return whether an added token is structure that text from outside must not name."""
    return is_special or TAG.fullmatch(content) is not None


def _leading_ids(tokenizer: Tokenizer) -> tuple[int, ...]:
    """Return the ids that the tokenizer puts before ordinary text by itself, for Gemma's always BOS.

    transformers loses Gemma's BOS where it makes the tokenizer from a GGUF file, and no Gemma can do without.
    """
    bare = tokenizer.encode("a", add_special_tokens=False).ids
    whole = tokenizer.encode("a").ids
    leading = tuple(whole[: whole.index(bare[0])])
    bos, turn = tokenizer.token_to_id(GEMMA_BOS), tokenizer.token_to_id(GEMMA_TURN)
    return leading if leading or bos is None or turn is None else (bos,)


def _adds_prefix(tokenizer: Tokenizer) -> bool:
    """Return whether the tokenizer puts a space before a text."""
    text = "a"
    if tokenizer.normalizer is not None:
        text = tokenizer.normalizer.normalize_str(text)
    if tokenizer.pre_tokenizer is not None:
        text = "".join(part for part, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text))
    return text != "a"


def _find_sentinel(tokenizer: Tokenizer) -> tuple[str, list[int]]:
    """Return a character that the tokenizer merges with nothing after it, and its ids. Raises UserError if it has none."""
    for sentinel in SENTINELS:
        ids = tokenizer.encode(sentinel, add_special_tokens=False).ids
        if tokenizer.decode(ids, skip_special_tokens=False).endswith(sentinel) and all(
            tokenizer.encode(sentinel + probe, add_special_tokens=False).ids[: len(ids)] == ids
            for probe in SENTINEL_PROBES
        ):
            return sentinel, ids
    raise UserError(
        "the tokenizer puts a space before every text and merges what would hold it off: it cannot continue a text; "
        "a tokenizer with byte fallback is needed"
    )


def _any_of(texts: Iterable[str]) -> re.Pattern[str] | None:
    """Return a pattern of any of the texts, the longest first, in a group; None without texts."""
    longest_first = sorted(set(texts), key=len, reverse=True)
    return re.compile(f"({'|'.join(map(re.escape, longest_first))})") if longest_first else None
