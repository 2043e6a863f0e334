"""Count what a training keeps of the forward pass until the backward pass has used it.

The counts follow transformers' decoders of gated feed-forward layers and RMS norms (Llama, Qwen, Mistral, Gemma), in which
autograd keeps, of h = hidden, i = intermediate, q = heads * head_dim, k = kv_heads * head_dim, in elements a token and layer:

    each of two norms   h in float32, its normalised value h, its output h; the deviation in float32
    attention           q + 2 k of queries, keys and values after rotation, q of its output; heads in float32
    feed-forward        4 i: gate, its activation, up, their product

``tests/cluster/capacity/memory/test_kept_tensors.py`` counts what autograd really keeps.
"""

from __future__ import annotations

from dataclasses import dataclass

from cluster.capacity.memory.shape import ModelShape
from train.config import TrainConfig
from train.data.plan import pad_length
from train.objectives import OBJECTIVES

FLOAT32 = 4  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class MicroBatch:
    """The largest forward pass of one worker.

    Attributes:
        tokens: of all rows, padding included.
        length: tokens of a row: a sequence, or the tree of a problem where sequences are packed.
        outputs: that a language head gives.
        packed: whether a mask says which token sees which.
    """

    tokens: int
    length: int
    outputs: int
    packed: bool = False


def largest_micro_batch(train: TrainConfig, objective: str, workers: int, longest: int | None) -> MicroBatch:
    """Return the largest micro-batch that a training can have.

    One unit, a sequence or the two of a pair, is never split, so ``micro_batch_tokens`` may be exceeded by it. A step has no
    more than ``batch_size`` units over all workers. A language head may have an output a token.

    Args:
        train: settings.
        objective: a name in ``train.objectives.OBJECTIVES``.
        workers: that share a step.
        longest: tokens of the longest sequence that the model can write; None: ``max_length``.
    """
    samples = OBJECTIVES[objective].samples
    length = pad_length(min(train.max_length, longest or train.max_length))
    unit = length * samples.width
    whole_share = -(-train.batch_size // workers) * unit
    tokens = min(max(train.micro_batch_tokens, unit), whole_share)
    outputs, packed = (tokens if samples.language_head else 0), train.packing != "none"
    return MicroBatch(tokens=tokens, length=tokens if packed else length, outputs=outputs, packed=packed)


@dataclass(frozen=True, slots=True)
class Activations:
    """Bytes of a forward pass that the layers keep, and of what the backward pass computes on top, first for the head."""

    layers: float
    backward: float

    @property
    def total(self) -> float:
        """Bytes at the peak."""
        return self.layers + self.backward


def kept_bytes(shape: ModelShape, batch: MicroBatch, element: int, *, checkpointing: bool, plain: bool) -> Activations:
    """Return the bytes of activations at the beginning of the backward pass.

    Args:
        shape: of the model.
        batch: sizes.
        element: bytes of a weight or an activation.
        checkpointing: whether a layer's activations are computed again in the backward pass, one layer at a time.
        plain: whether attention is computed by plain matrix products, which keep a score for each pair of tokens.
    """
    layer = layer_bytes(shape, element, batch.length if plain else None)
    if batch.packed and not plain:  # keys and values are repeated for the heads that share them
        layer += 2 * element * (shape.heads - shape.kv_heads) * shape.head_dim
    mask = (
        batch.length * (1 + element) if batch.packed else 0
    )  # a flag for each pair of tokens of a row, and its number
    kept = shape.layers * element * shape.hidden + layer if checkpointing else shape.layers * layer
    last_norm = (FLOAT32 + 2 * element) * shape.hidden
    # The head's gradients are gone when those of the layers begin.
    backward = max(batch.outputs * head_bytes(shape, element), batch.tokens * 4 * element * shape.intermediate)
    return Activations(batch.tokens * (kept + last_norm + mask), backward)


def layer_bytes(shape: ModelShape, element: int, plain_length: int | None) -> int:
    """Return the bytes that one layer keeps of one token. ``plain_length``: tokens of a row in plain attention."""
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    norms = 2 * ((FLOAT32 + 2 * element) * shape.hidden + FLOAT32)
    if plain_length is None:
        attention = 2 * element * (queries + keys) + FLOAT32 * shape.heads
    else:  # in float32, keys and values repeated for the heads that share them
        attention = 3 * FLOAT32 * queries + FLOAT32 * shape.heads * plain_length + element * queries
    return norms + attention + 4 * element * shape.intermediate


def head_bytes(shape: ModelShape, element: int) -> int:
    """Return the bytes of one output of a language head at the peak of its loss.

    Logits, their log-softmax and two gradients in float32: of the likelihood and of the log-softmax.
    """
    return shape.vocabulary * (element + 3 * FLOAT32)
