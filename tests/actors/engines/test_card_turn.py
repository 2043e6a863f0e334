"""Engines that share a card start one after the other."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from actors.config import EngineConfig
from actors.engines import card_turn as module
from actors.engines.card_turn import card_turn

SHARE = EngineConfig(gpus=0.5)


def starts(
    tmp_path: Path, config: EngineConfig, cards: list[str], monkeypatch: pytest.MonkeyPatch, meet_s: float = 60
) -> int:
    """Return how many of two engines on ``cards`` were starting at once. They wait ``meet_s`` for each other."""
    names, both, most = iter(cards), threading.Barrier(2), [0]
    monkeypatch.setattr(module.ray, "get_gpu_ids", list)
    monkeypatch.setattr(module, "_card_name", lambda _: next(names))
    lock, starting = threading.Lock(), [0]

    def start() -> None:
        with card_turn(config, tmp_path):
            with lock:
                starting[0] += 1
                most[0] = max(most[0], starting[0])
            try:
                both.wait(timeout=meet_s)
            except threading.BrokenBarrierError:
                pass
            with lock:
                starting[0] -= 1

    threads = [threading.Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return most[0]


def test_shares_of_one_card_start_in_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert starts(tmp_path, SHARE, ["n-0", "n-0"], monkeypatch, meet_s=0.5) == 1


def test_shares_of_different_cards_start_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert starts(tmp_path, SHARE, ["n-0", "n-1"], monkeypatch) == 2


@pytest.mark.parametrize("gpus", [0, 1, 2])
def test_engines_with_whole_cards_or_none_hold_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpus: float
) -> None:
    assert starts(tmp_path, EngineConfig(gpus=gpus), ["n-0", "n-0"], monkeypatch) == 2
    assert list(tmp_path.iterdir()) == []
