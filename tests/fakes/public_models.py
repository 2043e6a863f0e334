"""Tiny random models with the architectures, tokenizers and templates of public reward models, made in a second each.

Tags and special tokens have other ids than in the real vocabularies. torch and transformers are imported where they are used.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from search.data import Problem, State, Step, StepStatus
from search.formats.plain_format import PlainFormat
from search.reward_models import ReadingConfig, RewardAdapter, RewardModelKind, make_adapter
from tests.fakes.tiny_model import make_tokenizer

# What Qwen2.5-Math-Instruct's template renders without tools.
QWEN_TEMPLATE = (
    "{%- if messages[0]['role'] == 'system' %}{{- '<|im_start|>system\n' + messages[0]['content'] + '<|im_end|>\n' }}"
    "{%- else %}{{- '<|im_start|>system\nPlease reason step by step, and put your final answer within \\\\boxed{}."
    "<|im_end|>\n' }}{%- endif %}{%- for message in messages %}{%- if message.role != 'system' or not loop.first %}"
    "{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}"
)
# What Llama 3's template renders without tools.
LLAMA_TEMPLATE = (
    "{{- bos_token }}{%- for message in messages %}{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'"
    " + message['content'] | trim + '<|eot_id|>' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif %}"
)
QWEN_TOKENS = ("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<extra_0>")
LLAMA_TOKENS = ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")

QUESTION = "A bag of apples costs 2, how much do half as many cost?"
STEPS = ("Half of a bag: 2 / 2 = 1.", "Now check.\nIt is less than 2 - 0.", "The answer is \\boxed{1}")


def solution_states(finished: bool = True) -> tuple[State, ...]:
    """Return the states after each of STEPS. ``finished``: the last step carries the answer."""
    problem = Problem(id="bag", question=QUESTION, answer="1", source="test")
    steps = tuple(Step(f"{text}\n\n") for text in STEPS[:-1])
    last = Step(STEPS[-1], status=StepStatus.FINAL, answer="1") if finished else Step(STEPS[-1])
    steps = (*steps, last)
    return tuple(State(problem, steps[:end]) for end in range(1, len(steps) + 1))


def adapter_for(directory: Path, kind: RewardModelKind, **options: object) -> RewardAdapter:
    """Return the adapter of a kind for a model directory; ``options`` are those of ReadingConfig."""
    return make_adapter(directory, kind, PlainFormat(), ReadingConfig.model_validate(options))


def write_files(
    directory: Path, architecture: str, template: str | None = None, labels: Sequence[str] = (), **tokens: str
) -> Path:
    """Write what adapters read of a model directory: config.json and tokenizer_config.json. Return the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = {"architectures": [architecture]}
    if labels:
        config["id2label"] = {str(index): label for index, label in enumerate(labels)}
    (directory / "config.json").write_text(json.dumps(config))
    (directory / "tokenizer_config.json").write_text(json.dumps({"chat_template": template, **tokens}))
    return directory


def chat_tokenizer(template: str | None, tokens: Sequence[str], **names: str) -> Any:
    """Return a byte-level tokenizer with special tokens and a chat template. ``names``: bos_token, eos_token, pad_token."""
    tokenizer = make_tokenizer(eos=names.get("eos_token", "<eos>"), pad=names.get("pad_token", "<eos>"))
    tokenizer.add_special_tokens({"additional_special_tokens": list(tokens), **names})
    tokenizer.chat_template = template
    return tokenizer


def qwen_tokenizer(template: str | None = QWEN_TEMPLATE) -> Any:
    return chat_tokenizer(template, QWEN_TOKENS, eos_token="<|im_end|>", pad_token="<|endoftext|>")


def llama_tokenizer() -> Any:
    return chat_tokenizer(
        LLAMA_TEMPLATE, LLAMA_TOKENS, bos_token="<|begin_of_text|>", eos_token="<|eot_id|>", pad_token="<|eot_id|>"
    )


def shepherd_tokenizer() -> Any:
    """Return a tokenizer of Mistral's kind: a space before every text, bytes for unknown characters, BOS."""
    from tokenizers import Tokenizer, decoders, models, normalizers, processors
    from transformers import PreTrainedTokenizerFast

    words = [("▁", "к"), ("▁к", "и"), ("▁", "+"), ("▁", "-"), ("▁", "S"), ("t", "e"), ("h", "e")]
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "к", "и"]
    pieces += [chr(code) for code in range(33, 127)]
    vocabulary = {piece: index for index, piece in enumerate([*pieces, *(a + b for a, b in words)])}
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=words, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    inner.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    inner.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    inner.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", vocabulary["<s>"])])
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="</s>"
    )


def make_model(
    directory: Path, model_class: str, tokenizer: Any, *, seed: int, labels: Sequence[str] = (), scale: float = 3.0
) -> Any:
    """Write a tiny model of a transformers class; return it, in float32. ``scale``: of its head, so that scores differ."""
    import torch
    import transformers

    torch.manual_seed(seed)
    cls = getattr(transformers, model_class)
    config = cls.config_class(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,  # of 32, the smallest that vLLM computes on a CPU
        num_key_value_heads=1,
        max_position_embeddings=1024,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=False,
        initializer_range=0.1,
    )
    if labels:
        config.id2label = dict(enumerate(labels))
        config.label2id = {label: index for index, label in enumerate(labels)}
    model = cls(config).to(torch.float32).eval()
    head = model.score if labels else model.lm_head
    with torch.no_grad():
        head.weight.mul_(scale)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return model


def make_with_head(
    directory: Path, architecture: str, tokenizer: Any, head: Mapping[str, Callable[[], Any]], *, seed: int
) -> tuple[Any, dict[str, Any]]:
    """Write a Qwen2 without its language head but with linear layers ``head``, by name; return the backbone and the layers."""
    import torch
    from safetensors.torch import load_file, save_file

    backbone = make_model(directory, "Qwen2ForCausalLM", tokenizer, seed=seed).model
    weights = load_file(directory / "model.safetensors")
    layers = {name: make().to(torch.float32) for name, make in head.items()}
    for name, layer in layers.items():
        weights |= {f"{name}.{key}": tensor.detach().contiguous() for key, tensor in layer.state_dict().items()}
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps(config | {"architectures": [architecture]}))
    return backbone, layers


def make_chain(directory: Path, tokenizer: Any, successors: Mapping[str, str]) -> Any:
    """Write and return a language model in which ``successors[token]`` follows a token for certain, whatever stands before it.

    Its layers add nothing, so that the next token depends on the last one only.
    """
    import torch

    model = make_model(directory, "LlamaForCausalLM", tokenizer, seed=0)
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        model.lm_head.weight.zero_()
        for column, (token, successor) in enumerate(successors.items()):
            old, new = tokenizer.convert_tokens_to_ids([token, successor])
            model.model.embed_tokens.weight[old] = torch.eye(64)[column]
            model.lm_head.weight[new] = 100 * torch.eye(64)[column]
    model.save_pretrained(directory)
    return model
