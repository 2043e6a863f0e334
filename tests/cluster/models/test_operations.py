"""Floating-point operations of a model."""

from __future__ import annotations

from cluster.models.operations import FORWARD, TRAINING, operations


def test_operations_are_two_a_parameter_read_and_six_learnt() -> None:
    assert operations(FORWARD, 1000, 7_000_000_000) == 14 * 10**12
    assert operations(TRAINING, 1000, 7_000_000_000) == 42 * 10**12
    assert operations(FORWARD, 1.5, 4) == 12.0


def test_operations_are_unknown_for_a_model_of_unknown_size() -> None:
    assert operations(FORWARD, 10, None) is None
    assert operations(FORWARD, 0, None) == 0
