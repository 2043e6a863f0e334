"""Load the model that an objective trains from a Hugging Face directory, with its head and in its precision.

A language head gives a logit for each token id. Reward models with a head of their own are
``…ForSequenceClassification`` models, which a vLLM pooling engine serves: task "classify" without activation gives the
raw logits at the last token of a state, "token_classify" those at every token. With one label (PPM, ORM, Q-regression)
the logit is the reward model's only output: tanh(logit) is the value of a PPM and of a Q-regression,
2 * sigmoid(logit) - 1 = tanh(logit / 2) that of an ORM. A PRM has three labels; logsumexp(correct, neutral) - incorrect
is the log-odds of its step score P(correct) + P(neutral), again one number.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Literal

import deepspeed
import torch
from torch import Tensor, distributed, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

from train.config import TrainConfig
from train.data.loading import reward_outputs

# On a CPU the backward pass of the fused attention takes half of a step on sequences of a hundred tokens; plain matrix
# products make the whole step 2.4 times faster in bf16 (docs/LOG.md). Their memory grows with the square of the length.
LONGEST_PLAIN_ATTENTION = 512
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16")

Precision = Literal["fp32", "bf16"]


class ModelWithHead(nn.Module):
    """A transformer that applies its head at chosen positions only.

    ``forward(input_ids [S, L], positions [N])`` returns logits, [N, vocabulary] of a language head or [N, C] of a reward
    head with C labels. ``positions`` index the flattened [S * L] hidden states. Sequences are padded on the right: under
    causal attention no real token sees the padding, so no attention mask is needed.
    """

    def __init__(self, model: nn.Module, head: nn.Module, dropout: float) -> None:
        super().__init__()
        self.model = model
        self._head = [head]  # in a list: it is a part of ``model`` already and must not be registered twice
        self.dropout = nn.Dropout(dropout)

    def forward(self, input_ids: Tensor, positions: Tensor) -> Tensor:
        hidden = self.model.base_model(input_ids=input_ids, use_cache=False).last_hidden_state
        selected = hidden.flatten(0, 1).index_select(0, positions)
        return self._head[0](self.dropout(selected))  # type: ignore[no-any-return]


def attention_kernel(device: torch.device, longest: int) -> AbstractContextManager[Any]:
    """Return the context of the attention kernel to train with, for sequences of at most ``longest`` tokens."""
    if device.type == "cpu" and longest <= LONGEST_PLAIN_ATTENTION:
        return sdpa_kernel(SDPBackend.MATH)  # type: ignore[no-any-return]
    return nullcontext()


def load_model(directory: Path, head_labels: Sequence[str], config: TrainConfig, pad_id: int) -> ModelWithHead:
    """Return the model to train, in the config's precision. Under ZeRO-3 its weights are split over the workers.

    ``head_labels``: names of the outputs of its reward head; empty for a language head. A directory without a reward
    head gets a new one.
    """
    settings: dict[str, Any] = {"dtype": DTYPES[config.precision], "attn_implementation": "sdpa"}
    if head_labels:
        hf_config = AutoConfig.from_pretrained(directory, num_labels=len(head_labels), pad_token_id=pad_id)
        hf_config.id2label = dict(enumerate(head_labels))
        hf_config.label2id = {name: index for index, name in enumerate(head_labels)}
        model = AutoModelForSequenceClassification.from_pretrained(directory, config=hf_config, **settings)
        head: nn.Module = model.score
        if not reward_outputs(directory):
            _init_head(head, hf_config.hidden_size, config.zero_stage)
    else:
        model = AutoModelForCausalLM.from_pretrained(directory, **settings)
        head = model.get_output_embeddings()
    if config.gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return ModelWithHead(model, head, config.head_dropout if head_labels else 0.0)


def _init_head(head: nn.Module, width: int, zero_stage: int) -> None:
    """Draw the weights of a new head: normal with a deviation of 1 / sqrt(width), so that outputs begin at about one in size.

    They are the same on every worker and in every run. A head of zeros would pass no gradient on, and learning starts
    late (docs/LOG.md).
    """
    parameters = list(head.parameters())
    generator = torch.Generator().manual_seed(0)
    with deepspeed.zero.GatheredParameters(parameters, modifier_rank=0, enabled=zero_stage == 3), torch.no_grad():
        for parameter in parameters:
            weights = torch.empty(parameter.shape, dtype=torch.float32).normal_(0.0, width**-0.5, generator=generator)
            parameter.copy_(weights)


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
