"""Mask attention over rows of prefix trees: a token sees itself and the tokens before it in its sequences, and no other branch.

By the depth-first order of a row (train/data/prefix_tree.py) query q sees key k if and only if k <= q <= ends[k]. A sliding
window counts positions in the sequence, not in the row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from search.errors import UserError
from train.data.batches import TreeRows
from train.data.prefix_tree import merge

PROBE = ((5, 6, 7, 8), (5, 6, 9, 7), (5, 6, 9, 10))  # token ids that every tokenizer has
TOLERANCE = 0.05  # of the largest output; a wrong mask changes outputs by as much as they are large

FULL, SLIDING = "full_attention", "sliding_attention"


def visible(trees: TreeRows, window: int | None = None) -> Tensor:
    """Return which keys each query sees, [R, L, L] bool, rows of queries. ``window``: tokens back, the query included."""
    length = trees.ends.shape[1]
    index = torch.arange(length, device=trees.ends.device)
    seen = (index[None, None, :] <= index[None, :, None]) & (index[None, :, None] <= trees.ends[:, None, :])
    if window is None:
        return seen
    return seen & (trees.depths[:, :, None] - trees.depths[:, None, :] < window)


@torch.no_grad()
def takes_trees(model: Callable[..., Tensor], device: torch.device) -> bool:
    """Return whether a model gives for a tree what it gives for the sequences in it. ``model``: as ModelWithHead, in eval mode."""
    tree = merge([np.array(tokens, dtype=np.int32) for tokens in PROBE])
    rows = torch.tensor(PROBE, device=device)
    singly = model(rows, torch.arange(rows.numel(), device=device))
    trees = TreeRows(
        depths=torch.from_numpy(tree.depths)[None].to(device), ends=torch.from_numpy(tree.ends)[None].to(device)
    )
    places = torch.from_numpy(np.concatenate(tree.paths)).to(device)
    try:
        together = model(torch.from_numpy(tree.tokens)[None].to(device), places, trees)
    except (UserError, TypeError, ValueError, AttributeError):
        return False
    return bool((together - singly).abs().max() <= TOLERANCE * singly.abs().max())


def attention_masks(config: Any, trees: TreeRows, dtype: torch.dtype) -> Any:
    """Return what a transformers model with this text config takes as ``attention_mask``.

    A mask [R, 1, L, L], or one for each kind of layer by name where the config lists kinds. Raises UserError for kinds of
    layers that are neither full nor sliding attention.
    """
    window = getattr(config, "sliding_window", None)
    kinds = set(getattr(config, "layer_types", None) or ())
    if kinds - {FULL, SLIDING}:
        raise UserError(f"packing: tree cannot train layers of kind {', '.join(sorted(kinds - {FULL, SLIDING}))}")
    if not kinds:
        return _as_mask(visible(trees, window), config, dtype)
    return {kind: _as_mask(visible(trees, window if kind == SLIDING else None), config, dtype) for kind in kinds}


def _as_mask(seen: Tensor, config: Any, dtype: torch.dtype) -> Tensor:
    """Return a mask as the attention implementation takes it: which keys count, or what is added to their scores."""
    seen = seen[:, None]
    if config._attn_implementation != "eager":
        return seen
    return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill(~seen, torch.finfo(dtype).min)
