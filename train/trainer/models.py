"""Load the model that an objective trains from a Hugging Face directory, with its head and in its precision.

A language head gives a logit for each token id. Reward models with a head of their own are
``…ForSequenceClassification`` models, which a vLLM pooling engine serves: task "classify" without activation gives the
raw logits at the last token of a state, "token_classify" those at every token. With one label (PPM, ORM, Q-regression)
the logit is the reward model's only output: tanh(logit) is the value of a PPM and of a Q-regression,
2 * sigmoid(logit) - 1 = tanh(logit / 2) that of an ORM. A PRM has three labels; logsumexp(correct, neutral) - incorrect
is the log-odds of its step score P(correct) + P(neutral), again one number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Literal

import deepspeed
import torch
from torch import Tensor, distributed, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

from search.errors import UserError
from train.config import LONGEST_PLAIN_ATTENTION, TrainConfig
from train.data.batches import TreeRows
from train.data.trainable import reward_outputs
from train.trainer.tree_attention import attention_masks

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16")

Precision = Literal["fp32", "bf16"]


class ModelWithHead(nn.Module):
    """A transformer whose outputs are computed at chosen positions only.

    ``forward(input_ids [R, L], positions [N])`` returns logits, [N, vocabulary] of a language model or [N, C] of a reward
    model with C labels. ``positions`` index the flattened [R * L] hidden states. Sequences are padded on the right: under
    causal attention no real token sees the padding, so no attention mask is needed. Rows of ``trees`` have one.

    What comes after the hidden states is the model's own: its head and whatever it does to the logits (the soft cap of
    Gemma 2, the scale of Cohere and Granite). The model is called on N texts of one token, and hooks on its body replace
    these: the body reads ``input_ids``, and gives back the hidden states at ``positions``.
    """

    def __init__(self, model: nn.Module, dropout: float, *, is_language_model: bool) -> None:
        super().__init__()
        self.model = model
        self.dropout = nn.Dropout(dropout)
        self.is_language_model = is_language_model

    def forward(self, input_ids: Tensor, positions: Tensor, trees: TreeRows | None = None) -> Tensor:
        inputs: dict[str, Any] = {}
        if trees is not None:
            masks = attention_masks(self.model.config.get_text_config(), trees, self.model.dtype)
            inputs = {"position_ids": trees.depths, "attention_mask": masks}

        def read_texts(body: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
            kwargs = {**kwargs, **inputs}
            return ((input_ids, *args[1:]), kwargs) if args else ((), {**kwargs, "input_ids": input_ids})

        def keep_positions(body: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
            selected = output.last_hidden_state.flatten(0, 1).index_select(0, positions)
            output.last_hidden_state = self.dropout(selected).unsqueeze(1)
            return output

        body = self.model.base_model
        with (
            body.register_forward_pre_hook(read_texts, with_kwargs=True),
            body.register_forward_hook(keep_positions),
        ):
            logits = self.model(input_ids=input_ids.new_zeros(len(positions), 1), use_cache=False).logits
        return logits.flatten(0, 1) if self.is_language_model else logits


def attention_kernel(device: torch.device, longest: int) -> AbstractContextManager[Any]:
    """Return the context of the attention kernel to train with, for sequences of at most ``longest`` tokens."""
    if device.type == "cpu" and longest <= LONGEST_PLAIN_ATTENTION:
        return sdpa_kernel(SDPBackend.MATH)  # type: ignore[no-any-return]
    return nullcontext()


def load_model(
    directory: Path,
    head_labels: Sequence[str],
    config: TrainConfig,
    pad_id: int,
    new_tokens: Mapping[int, Sequence[int]] | None = None,
) -> ModelWithHead:
    """Return the model to train, in the config's precision. Under ZeRO-3 its weights are split over the workers.

    ``head_labels``: names of the outputs of its reward head; empty for a language head. A directory without a reward
    head gets a new one. ``new_tokens``: tokens that the model has never seen, each with the tokens that its text was
    made of before. Raises UserError if the architecture has no body apart from its head.
    """
    hf_config = AutoConfig.from_pretrained(directory, trust_remote_code=config.trust_remote_code)
    settings: dict[str, Any] = {
        "config": hf_config,
        "dtype": DTYPES[config.precision],
        "trust_remote_code": config.trust_remote_code,
    }
    if getattr(hf_config.get_text_config(), "attn_logit_softcapping", None) is not None:
        settings["attn_implementation"] = "eager"  # the fused kernel leaves the cap of Gemma 2 out
    if head_labels:
        hf_config.num_labels = len(head_labels)
        hf_config.id2label = dict(enumerate(head_labels))
        hf_config.label2id = {name: index for index, name in enumerate(head_labels)}
        hf_config.pad_token_id = hf_config.get_text_config().pad_token_id = pad_id
        model = AutoModelForSequenceClassification.from_pretrained(directory, **settings)
    else:
        model = AutoModelForCausalLM.from_pretrained(directory, **settings)
    if model.base_model is model:
        raise UserError(f"{directory} cannot be trained: {type(model).__name__} has no body apart from its head")
    _freeze_other_modalities(model)
    if head_labels and not reward_outputs(directory):
        _init_head(model, config.zero_stage)
    if new_tokens:
        _init_new_tokens(model, new_tokens, config.zero_stage)
    if config.gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return ModelWithHead(model, config.head_dropout if head_labels else 0.0, is_language_model=not head_labels)


def _freeze_other_modalities(model: nn.Module) -> None:
    """Leave what reads images or sound in a multimodal model as it is: it takes no part, and weight decay would shrink it."""
    body = model.base_model
    language_model = getattr(body, "language_model", None)
    if language_model is not None:
        body.requires_grad_(False)
        language_model.requires_grad_(True)


def _init_head(model: nn.Module, zero_stage: int) -> None:
    """Draw the weights of a new head: normal with a deviation of 1 / sqrt(width), so that outputs begin at about one in size.

    They are the same on every worker and in every run. A head of zeros would pass no gradient on, and learning starts
    late (docs/LOG.md). The head is every linear layer outside the model's body.
    """
    body = set(model.base_model.modules())
    layers = [module for module in model.modules() if isinstance(module, nn.Linear) and module not in body]
    generator = torch.Generator().manual_seed(0)
    parameters = [parameter for layer in layers for parameter in layer.parameters()]
    with deepspeed.zero.GatheredParameters(parameters, modifier_rank=0, enabled=zero_stage == 3), torch.no_grad():
        for layer in layers:
            shape = layer.weight.shape
            drawn = torch.empty(shape, dtype=torch.float32).normal_(0.0, shape[1] ** -0.5, generator=generator)
            layer.weight.copy_(drawn)
            if layer.bias is not None:
                layer.bias.zero_()


def _init_new_tokens(model: nn.Module, new_tokens: Mapping[int, Sequence[int]], zero_stage: int) -> None:
    """Give each new token the mean of the embeddings, and of the output weights, of the tokens that its text was made of.

    The tables grow if they have no row for a token.
    """
    rows = max(new_tokens) + 1
    if rows > model.config.get_text_config().vocab_size:
        model.resize_token_embeddings(rows, mean_resizing=False)
    modules = (model.get_input_embeddings(), model.get_output_embeddings())
    tables = list({id(module.weight): module.weight for module in modules if module is not None}.values())
    with deepspeed.zero.GatheredParameters(tables, modifier_rank=0, enabled=zero_stage == 3), torch.no_grad():
        for table in tables:
            for token, pieces in new_tokens.items():
                table[token] = table[list(pieces)].mean(0)


def resolve_precision(config: TrainConfig, device: torch.device) -> TrainConfig:
    """Return the config with "auto" replaced by a precision. All workers of a process group get that of rank 0."""
    if config.precision != "auto":
        return config
    precision: list[Precision] = [native_precision(device)]
    if distributed.is_initialized():
        distributed.broadcast_object_list(precision, src=0, device=device)
    return config.model_copy(update={"precision": precision[0]})


def native_precision(device: torch.device) -> Precision:
    """Return bf16 if the device multiplies in it, else fp32: without such instructions bf16 is fifty times slower
    (docs/LOG.md)."""
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    capabilities = torch.cpu.get_capabilities()
    return "bf16" if any(capabilities.get(name) for name in BF16_INSTRUCTIONS) else "fp32"
