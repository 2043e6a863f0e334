"""Small tokenizers as each family of models has them: normaliser, pre-tokenizer, decoder, BOS rule and chat template.

Vocabularies are learnt from a few sentences, everything else is as the families publish it. Nothing is downloaded.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast

CORPUS = [
    "Tom has 12 apples and buys 30 more. How many apples does he have now?",
    "First we add the two numbers: 12 + 30 = 42, so the answer is 42.",
    "Step 1: the total is the sum of what he has and what he buys.",
    "system user assistant model Please reason step by step, and put your final answer within the box.",
    "    x = 3\n    y = x + 4\nprint(y)\n\nNow we have the answer.\n",
] * 4
SPACE = "\u2581"  # the mark of a space in SentencePiece's vocabularies
BYTES = [f"<0x{value:02X}>" for value in range(256)]
LEARNT = 500  # tokens that are learnt from CORPUS at most
WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"

QWEN_TEMPLATE = """{%- if messages[0]['role'] == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
{%- else %}
    {{- '<|im_start|>system\\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant") %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""
LLAMA_3_TEMPLATE = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + "
    "message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}"
    "{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)
LLAMA_2_TEMPLATE = (
    "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = "
    "messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}"
    "{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + "
    "'\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}"
    "{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)
MISTRAL_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ '[INST] ' + message['content'] + '[/INST]' }}{% elif message['role'] == 'assistant' %}"
    "{{ ' ' + message['content'] + eos_token }}{% else %}{{ raise_exception('Only user and assistant roles!') }}"
    "{% endif %}{% endfor %}"
)
GEMMA_TEMPLATE = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
    "{% endif %}{% for message in messages %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}"
    "{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\\n' + message['content'] | "
    "trim + '<end_of_turn>\\n' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\\n'}}{% endif %}"
)
PHI_3_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'system' %}{{'<|system|>\\n' + message['content'] + "
    "'<|end|>\\n'}}{% elif message['role'] == 'user' %}{{'<|user|>\\n' + message['content'] + '<|end|>\\n'}}"
    "{% elif message['role'] == 'assistant' %}{{'<|assistant|>\\n' + message['content'] + '<|end|>\\n'}}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A family of tokenizers.

    ``bos`` is what the tokenizer puts before every text. ``controls`` are its special tokens and ``tags`` those that it
    does not call special. ``begins_with_space``: it puts a space before what it encodes.
    """

    name: str
    template: str
    bos: str = ""
    eos: str
    controls: tuple[str, ...]
    tags: tuple[str, ...] = ()
    has_system: bool = True
    begins_with_space: bool = False
    build: Callable[[Family], Tokenizer]

    def save(self, directory: Path) -> Path:
        """Write the tokenizer's files as a model directory has them. Return the directory."""
        names = {"bos_token": self.bos} if self.bos else {}
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=self.build(self), eos_token=self.eos, **names)
        tokenizer.chat_template = self.template
        tokenizer.save_pretrained(directory)
        return directory


def _special(texts: Sequence[str], **options: bool) -> list[AddedToken]:
    return [AddedToken(text, special=True, normalized=False, **options) for text in texts]


def _learn(
    pre_tokenizer: pre_tokenizers.PreTokenizer, alphabet: Sequence[str] = ()
) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Return a vocabulary and merges learnt from CORPUS."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    trainer = trainers.BpeTrainer(vocab_size=LEARNT, initial_alphabet=list(alphabet), show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], [(left, right) for left, right in model["merges"]]


def _byte_level(family: Family, numbers: str, normalizer: normalizers.Normalizer | None) -> Tokenizer:
    pattern = pre_tokenizers.Split(Regex(WORDS + numbers + REST), behavior="isolated")
    pre_tokenizer = pre_tokenizers.Sequence(
        [pattern, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    vocabulary, merges = _learn(pre_tokenizer, pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.add_special_tokens(_special(family.controls))
    tokenizer.add_tokens([AddedToken(tag, special=False, normalized=False) for tag in family.tags])
    if family.bos:
        tokenizer.post_processor = processors.Sequence(
            [processors.ByteLevel(trim_offsets=True), _adds_bos(tokenizer, family)]
        )
    return tokenizer


def _adds_bos(tokenizer: Tokenizer, family: Family) -> processors.TemplateProcessing:
    ids = [(family.bos, tokenizer.token_to_id(family.bos))]
    return processors.TemplateProcessing(single=f"{family.bos} $A", pair=f"{family.bos} $A $B", special_tokens=ids)


def _sentencepiece(family: Family, more: Sequence[str] = ()) -> Tokenizer:
    """A byte-pair encoding of characters, with bytes for those that it has no token for, as SentencePiece exports it."""
    learnt, merges = _learn(pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="always", split=True))
    pieces = [text for text in sorted(learnt, key=learnt.__getitem__) if "\n" not in text]
    merges = [pair for pair in merges if "\n" not in "".join(pair)]
    texts = dict.fromkeys(["<unk>", *family.controls, *BYTES, *more, *pieces])
    vocabulary = {text: index for index, text in enumerate(texts)}
    return Tokenizer(models.BPE(vocab=vocabulary, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))


def _spaces_decoder(strips: bool) -> decoders.Sequence:
    steps = [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    return decoders.Sequence([*steps, decoders.Strip(" ", 1, 0)] if strips else steps)


def _qwen(family: Family) -> Tokenizer:
    return _byte_level(family, r"\p{N}", normalizers.NFC())


def _llama_3(family: Family) -> Tokenizer:
    return _byte_level(family, r"\p{N}{1,3}", None)


def _llama_2(family: Family) -> Tokenizer:
    """Llama 2 and Mistral 7B v0.1: the normaliser puts a space before every text and after every special token."""
    tokenizer = _sentencepiece(family)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)])
    tokenizer.decoder = _spaces_decoder(strips=True)
    tokenizer.add_special_tokens(_special(["<unk>", *family.controls]))
    tokenizer.add_tokens([AddedToken(tag, special=False, normalized=False) for tag in family.tags])
    tokenizer.post_processor = _adds_bos(tokenizer, family)
    return tokenizer


def _mistral(family: Family) -> Tokenizer:
    """Mistral 7B v0.3, and what transformers makes of a SentencePiece model: a space before the first word only."""
    tokenizer = _sentencepiece(family)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="first", split=False)
    tokenizer.decoder = _spaces_decoder(strips=True)
    tokenizer.add_special_tokens(_special(["<unk>", *family.controls]))
    tokenizer.post_processor = _adds_bos(tokenizer, family)
    return tokenizer


def _gemma(family: Family) -> Tokenizer:
    """No space before a text; runs of line breaks and of spaces are added tokens that are text."""
    runs = ["\n\n", SPACE * 2]
    tokenizer = _sentencepiece(family, ["\n", *runs])
    tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", behavior="merged_with_previous")
    tokenizer.decoder = _spaces_decoder(strips=False)
    tokenizer.add_special_tokens(_special(["<unk>", *family.controls]))
    tokenizer.add_tokens([AddedToken(run, special=False, normalized=False) for run in runs])
    tokenizer.post_processor = _adds_bos(tokenizer, family)
    return tokenizer


def _phi_3(family: Family) -> Tokenizer:
    """Llama 2's layout without BOS; the special tokens of the template take the line break after them."""
    tokenizer = _sentencepiece(family)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)])
    tokenizer.decoder = _spaces_decoder(strips=True)
    tokenizer.add_special_tokens(_special(["<unk>", family.eos]))
    tokenizer.add_special_tokens(_special([text for text in family.controls if text != family.eos], rstrip=True))
    tokenizer.post_processor = processors.TemplateProcessing(single="$A", pair="$A $B", special_tokens=[])
    return tokenizer


FAMILIES = [
    Family(
        name="qwen2.5",
        template=QWEN_TEMPLATE,
        eos="<|im_end|>",
        controls=("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
        tags=("<tool_call>", "<think>"),
        build=_qwen,
    ),
    Family(
        name="llama-3",
        template=LLAMA_3_TEMPLATE,
        bos="<|begin_of_text|>",
        eos="<|eot_id|>",
        controls=("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        build=_llama_3,
    ),
    Family(
        name="llama-2",
        template=LLAMA_2_TEMPLATE,
        bos="<s>",
        eos="</s>",
        controls=("<s>", "</s>"),
        tags=("<end_of_step>",),
        begins_with_space=True,
        build=_llama_2,
    ),
    Family(
        name="mistral-v0.3",
        template=MISTRAL_TEMPLATE,
        bos="<s>",
        eos="</s>",
        controls=("<s>", "</s>", "[INST]", "[/INST]"),
        has_system=False,
        begins_with_space=True,
        build=_mistral,
    ),
    Family(
        name="gemma",
        template=GEMMA_TEMPLATE,
        bos="<bos>",
        eos="<eos>",
        controls=("<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>"),
        has_system=False,
        build=_gemma,
    ),
    Family(
        name="phi-3",
        template=PHI_3_TEMPLATE,
        eos="<|endoftext|>",
        controls=("<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"),
        begins_with_space=True,
        build=_phi_3,
    ),
]
