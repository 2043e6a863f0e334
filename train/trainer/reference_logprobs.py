"""Log-probabilities of solutions under the model that training starts from (the reference of DPO)."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
import torch

from train.data.batches import collate
from train.data.plan import PlanConfig, plan_epoch
from train.data.tokenized import Floats, TokenizedSet
from train.objectives.dpo import sequence_log_probs


@torch.no_grad()
def reference_log_probs(
    model: Any, samples: TokenizedSet, order: PlanConfig, rank: int, device: torch.device
) -> Floats:
    """Return the log-probability of each sequence's target tokens under ``model``, [sequences] in nats.

    ``model`` is a train.trainer.models.ModelWithHead, or an engine around one. One process (``order.world_size`` 1)
    computes all. Of several ranks each computes its share and has 0 elsewhere, so that the sum over ranks is complete.
    All ranks run equally many forward passes, as split weights (ZeRO-3) require.
    """
    model.eval()
    log_probs = np.zeros(len(samples.starts) - 1, dtype=np.float32)
    for micro in chain.from_iterable(plan_epoch(samples, order, epoch=0)):
        units = micro[rank]
        batch = collate(samples, units, items=1, packing=order.packing).to(device)
        sums = sequence_log_probs(model(batch.input_ids, batch.positions, batch.trees), batch.targets)
        if len(units):
            log_probs[samples.rows(units)] = sums.cpu().numpy()
    return log_probs
