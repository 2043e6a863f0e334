"""Trackers by name, and what they write."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from train.config import TrainConfig
from train.trainer.trackers.registry import TRACKERS, open_trackers


def test_unknown_tracker_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValidationError, match="tracker 'paper' is not known: one of tensorboard"):
        TrainConfig(trackers=("paper",))
    assert TrainConfig(trackers=()).trackers == ()


def test_tensorboard_has_the_scalars_of_each_step(tmp_path: Path) -> None:
    (tracker,) = open_trackers(tuple(TRACKERS), tmp_path, "policy", 1)
    for step, loss in ((1, 2.0), (2, 1.5)):
        tracker.write(step, {"train/loss": loss})
    tracker.close()
    events = EventAccumulator(str(tmp_path / "tensorboard" / "policy"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("train/loss")] == [(1, 2.0), (2, 1.5)]
