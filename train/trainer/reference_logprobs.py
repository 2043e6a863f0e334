"""Log-probabilities of solutions under the model that training starts from, which preferences are compared with.

Knows batches and how a model is read; not where the result is kept, and nothing of Ray.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
import torch

from train.data.batches import PlanConfig, collate, plan_epoch
from train.data.tokenized import Floats, TokenizedSet
from train.objectives.dpo import log_probabilities


@torch.no_grad()
def reference(model: Any, samples: TokenizedSet, order: PlanConfig, rank: int, device: torch.device) -> Floats:
    """[sequences] log-probability (nats) of each sequence's target tokens under ``model``, a train.trainer.models.Readout.

    One process (``order.world_size`` 1) computes all. Of several ranks each computes its share and has 0 elsewhere, so
    that their sum is the whole; all take equally many forward passes, as split weights (ZeRO-3) require.
    """
    model.eval()
    found = np.zeros(len(samples.starts) - 1, dtype=np.float32)
    for micro in chain.from_iterable(plan_epoch(samples, order, epoch=0)):
        units = micro[rank]
        batch = collate(samples, units, items=1).to(device)
        sums = log_probabilities(model(batch.input_ids, batch.positions), batch.targets)
        if len(units):
            found[samples.rows(units)] = sums.cpu().numpy()
    return found
