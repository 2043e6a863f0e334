"""Loads the model an objective needs from a Hugging Face directory. Knows architectures' heads; no data and no loss."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import deepspeed
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

from train.config import TrainConfig
from train.objectives import Kind
from train.sources import is_reward_model

# On a CPU the backward pass of the fused attention takes half of a step on sequences of a hundred tokens; plain matrix
# products make the whole step 2.4 times faster in bf16 (docs/LOG.md). Their memory grows with the square of the length.
LONGEST_PLAIN_ATTENTION = 512
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


class Readout(nn.Module):
    """A transformer whose head is read at chosen positions only.

    ``forward(input_ids [S, L], positions [M])`` returns [M, vocabulary] logits or [M, 1] rewards. Sequences are
    padded on the right: under causal attention no real token sees the padding, so no attention mask is needed.
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
    if kind is Kind.PAIRS:
        hf_config = AutoConfig.from_pretrained(directory, num_labels=1, pad_token_id=pad_id)
        model = AutoModelForSequenceClassification.from_pretrained(directory, config=hf_config, **settings)
        head: nn.Module = model.score
        if not is_reward_model(directory):
            _zero(head, config.zero_stage)
    else:
        model = AutoModelForCausalLM.from_pretrained(directory, **settings)
        head = model.get_output_embeddings()
    if config.gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return Readout(model, head, config.head_dropout if kind is Kind.PAIRS else 0.0)


def _zero(head: nn.Module, zero_stage: int) -> None:
    """A new reward head starts at 0: every state has the same reward, on every worker, whatever the seed."""
    parameters = list(head.parameters())
    with deepspeed.zero.GatheredParameters(parameters, modifier_rank=0, enabled=zero_stage == 3), torch.no_grad():
        for parameter in parameters:
            parameter.zero_()
