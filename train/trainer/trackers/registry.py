"""Trackers by name. A new tracker is one file and one line of ``TRACKERS`` here; modules are imported when they are used."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from train.trainer.trackers.base import Tracker

# Name in the config -> class, made with (directory for files, name of the training, first step).
TRACKERS: dict[str, str] = {
    "tensorboard": "train.trainer.trackers.tensor_board:TensorBoardTracker",
}


def open_trackers(names: tuple[str, ...], directory: Path, name: str, first_step: int) -> list[Tracker]:
    """Return the trackers ``names`` for a training. Their libraries are imported here: a config names them before that."""
    trackers = []
    for tracker in names:
        module, _, cls = TRACKERS[tracker].partition(":")
        trackers.append(getattr(import_module(module), cls)(directory, name, first_step))
    return trackers
