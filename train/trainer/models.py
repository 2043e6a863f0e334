"""Loads the model an objective needs from a Hugging Face directory. Knows architectures' heads; no data and no loss.

A language head gives a logit a token id. All judges are ``…ForSequenceClassification`` models, which a vLLM pooling
engine serves: task "classify" without activation gives the raw logits at the last token of a state, "token_classify"
those at every token. With one label (PPM, ORM, Q-regression) that is the one number a reward model hands out: tanh(logit) is
the value of a PPM and of a Q-regression, 2 * sigmoid(logit) - 1 = tanh(logit / 2) that of an ORM. A PRM has three
labels; logsumexp(right, neutral) - wrong is the log-odds of its step score P(right) + P(neutral), again one number.
"""

from __future__ import annotations

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
from train.objectives import Kind

# On a CPU the backward pass of the fused attention takes half of a step on sequences of a hundred tokens; plain matrix
# products make the whole step 2.4 times faster in bf16 (docs/LOG.md). Their memory grows with the square of the length.
LONGEST_PLAIN_ATTENTION = 512
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


class Readout(nn.Module):
    """A transformer whose head is read at chosen positions only.

    ``forward(input_ids [S, L], positions [N])`` returns [N, vocabulary] logits, or [N, C] of a judge with C labels.
    Sequences are padded on the right: under causal attention no real token sees the padding, so no attention mask is
    needed.
    """

    def __init__(self, model: nn.Module, head: nn.Module, dropout: float) -> None:
        super().__init__()
        self.model = model
        self._head = [head]  # in a list: it is a part of ``model`` already and must not be registered twice
        self.dropout = nn.Dropout(dropout)

    def forward(self, input_ids: Tensor, positions: Tensor) -> Tensor:
        hidden = self.model.base_model(input_ids=input_ids, use_cache=False).last_hidden_state
        read = hidden.flatten(0, 1).index_select(0, positions)
        return self._head[0](self.dropout(read))  # type: ignore[no-any-return]


def attention(device: torch.device, longest: int) -> AbstractContextManager[Any]:
    """Which attention kernel to train with, for sequences of at most ``longest`` tokens."""
    if device.type == "cpu" and longest <= LONGEST_PLAIN_ATTENTION:
        return sdpa_kernel(SDPBackend.MATH)  # type: ignore[no-any-return]
    return nullcontext()


def load(directory: Path, kind: Kind, config: TrainConfig, pad_id: int) -> Readout:
    """The model to train, in the config's precision. Under ZeRO-3 its weights come out split over the workers."""
    settings: dict[str, Any] = {"dtype": DTYPES[config.precision], "attn_implementation": "sdpa"}
    if kind.head:
        hf_config = AutoConfig.from_pretrained(directory, num_labels=len(kind.head), pad_token_id=pad_id)
        hf_config.id2label = dict(enumerate(kind.head))
        hf_config.label2id = {name: index for index, name in enumerate(kind.head)}
        model = AutoModelForSequenceClassification.from_pretrained(directory, config=hf_config, **settings)
        head: nn.Module = model.score
        if not reward_outputs(directory):
            _begin(head, hf_config.hidden_size, config.zero_stage)
    else:
        model = AutoModelForCausalLM.from_pretrained(directory, **settings)
        head = model.get_output_embeddings()
    if config.gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return Readout(model, head, config.head_dropout if kind.head else 0.0)


def _begin(head: nn.Module, width: int, zero_stage: int) -> None:
    """Weights of a new head: normal with a deviation of 1 / sqrt(width), so that judgements begin at about one in size.

    The same on every worker and in every run. A head of zeros would pass no gradient on, and learning starts late
    (docs/LOG.md).
    """
    parameters = list(head.parameters())
    chance = torch.Generator().manual_seed(0)
    with deepspeed.zero.GatheredParameters(parameters, modifier_rank=0, enabled=zero_stage == 3), torch.no_grad():
        for parameter in parameters:
            drawn = torch.empty(parameter.shape, dtype=torch.float32).normal_(0.0, width**-0.5, generator=chance)
            parameter.copy_(drawn)


Precision = Literal["fp32", "bf16"]


BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16")


def settled(config: TrainConfig, device: torch.device) -> TrainConfig:
    """The config with a precision that is not "auto". All workers of a process group get the same: that of rank 0."""
    if config.precision != "auto":
        return config
    agreed: list[Precision] = [natural(device)]
    if distributed.is_initialized():
        distributed.broadcast_object_list(agreed, src=0, device=device)
    return config.model_copy(update={"precision": agreed[0]})


def natural(device: torch.device) -> Precision:
    """bf16 where the device multiplies in it: elsewhere a product takes fifty times as long as in fp32 (docs/LOG.md)."""
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    capabilities = torch.cpu.get_capabilities()
    return "bf16" if any(capabilities.get(name) for name in BF16_INSTRUCTIONS) else "fp32"
