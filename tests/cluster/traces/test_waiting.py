"""What engines waited for, worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.traces.record import WAITING, Use, read_waiting
from cluster.traces.spans import SearchTrace, read_trace
from cluster.traces.waiting import PARTS, measure_waiting, shared_out, store_waiting, totals_of, worker_times
from search.concurrency.tracing import Activity
from search.errors import UserError
from tests.cluster.traces.made_up_trace import BEGIN, SECOND, Row, execute, generate, queue, score, write_search


def test_free_places_are_shared_out_among_the_causes() -> None:
    assert shared_out(10, 4, {Use.PROGRAMS: 2, Use.SCORES: 2}) == pytest.approx(
        {Use.GENERATING: 0.4, Use.PROGRAMS: 0.2, Use.SCORES: 0.2, Use.TREES: 0.2}
    )
    assert shared_out(10, 4, {Use.PROGRAMS: 9, Use.WORKER: 3}) == pytest.approx(
        {Use.GENERATING: 0.4, Use.PROGRAMS: 0.45, Use.WORKER: 0.15, Use.TREES: 0.0}
    )
    assert shared_out(10, 14, {Use.PROGRAMS: 2}) == pytest.approx(
        {Use.GENERATING: 1.0, Use.PROGRAMS: 0.0, Use.TREES: 0.0}
    )


def test_waiting_of_a_search_by_hand(tmp_path: Path) -> None:
    """Four places, requests of two sequences.

    p1: generate 0-2 s, execute 2-3, worker 3-4. p2: generate 0-1, score 1-4. So of the places are in use: all for 1 s, half
    from 1 to 2, none from 2 to 4; and free are: half for scores (1-2), half for programs and half for scores (2-3), half
    for the worker and half for scores (3-4). In use (4 + 2) / 16, scores 6 / 16, programs 2 / 16, worker 2 / 16.
    """
    write_search(
        tmp_path,
        {"p1": (0, 4, [generate(0, 2), execute(2, 3)]), "p2": (0, 4, [generate(0, 1), score(1, 4)])},
        reward_model_places=4,
    )
    waiting = measure_waiting(read_trace(tmp_path))
    assert waiting is not None
    assert waiting.uses == pytest.approx(
        {"in use": 6 / 16, "programs": 2 / 16, "scores": 6 / 16, "search worker": 2 / 16}
    )
    assert (waiting.seconds, waiting.trees, waiting.places) == (pytest.approx(4), 2, 4)
    assert waiting.reward_model_use == pytest.approx(3 * 2 / (4 * 4))
    assert len(waiting.parts) == PARTS
    assert waiting.parts[0] == pytest.approx({"in use": 1.0})
    assert waiting.parts[PARTS // 2 + 1] == pytest.approx({"programs": 0.5, "scores": 0.5})
    assert waiting.parts[-1] == pytest.approx({"scores": 0.5, "search worker": 0.5})
    generated = waiting.activities["generate"]
    assert (generated.spans, generated.seconds, generated.mean) == (2, pytest.approx(3), pytest.approx(1.5))


def test_places_without_a_rollout_wait_for_more_trees(tmp_path: Path) -> None:
    write_search(tmp_path, {"p1": (0, 1, [generate(0, 1)])}, places=8)
    waiting = measure_waiting(read_trace(tmp_path))
    assert waiting is not None
    assert waiting.uses == pytest.approx({"in use": 0.25, "more trees at once": 0.75})


def test_share_of_the_trees_stands_for_all(tmp_path: Path) -> None:
    write_search(tmp_path, {"p1": (0, 1, [generate(0, 1)])}, places=8, share=0.25)
    waiting = measure_waiting(read_trace(tmp_path))
    assert waiting is not None
    assert waiting.uses == pytest.approx({"in use": 1.0})


@pytest.mark.parametrize(("role", "cause"), [("policy", "room at another engine"), ("reward_model", "scores")])
def test_queue_is_put_down_to_whom_it_waits_for(tmp_path: Path, role: str, cause: str) -> None:
    write_search(tmp_path, {"p1": (0, 2, [queue(0, 1, role), generate(1, 2)])}, places=2)
    waiting = measure_waiting(read_trace(tmp_path))
    assert waiting is not None
    assert waiting.uses == pytest.approx({"in use": 0.5, cause: 0.5})


def test_time_between_two_starts_does_not_count(tmp_path: Path) -> None:
    write_search(tmp_path, {"p1": (0, 1, [generate(0, 1)]), "p2": (9001, 9002, [generate(9001, 9002)])}, places=2)
    waiting = measure_waiting(read_trace(tmp_path))
    assert waiting is not None
    assert (waiting.seconds, waiting.uses) == (pytest.approx(2), pytest.approx({"in use": 1.0}))


def test_worker_has_the_times_in_which_nothing_is_awaited(tmp_path: Path) -> None:
    rows: list[Row] = [generate(1, 3), execute(2, 4), (Activity.EXPAND, 0, 9, {"node": 0}), score(6, 7)]
    write_search(tmp_path, {"p1": (0, 9, rows)})
    (spans,) = read_trace(tmp_path).trees.values()
    times = [((start - BEGIN) / SECOND, (end - BEGIN) / SECOND) for start, end in worker_times(spans)]
    assert times == [(0, 1), (4, 6), (7, 9)]


def test_search_without_a_request_has_no_waiting(tmp_path: Path) -> None:
    assert measure_waiting(SearchTrace()) is None
    write_search(tmp_path, {"p1": (0, 1, [execute(0, 1)])})
    assert store_waiting(tmp_path) is None
    assert read_waiting(tmp_path) is None


def test_totals_by_hand() -> None:
    totals = totals_of([0.02 * number for number in range(1, 101)])
    assert (totals.spans, totals.mean, totals.late) == (100, pytest.approx(1.01), pytest.approx(1.92))
    assert totals_of([3.0]).late == 3.0


def test_stored_waiting_is_read_again(tmp_path: Path) -> None:
    write_search(tmp_path, {"p1": (0, 1, [generate(0, 0.5), execute(0.5, 1)])})
    stored = store_waiting(tmp_path)
    assert stored is not None
    assert read_waiting(tmp_path) == stored


def test_damaged_waiting_is_refused_with_its_file(tmp_path: Path) -> None:
    write_search(tmp_path, {"p1": (0, 1, [generate(0, 1)])})
    store_waiting(tmp_path)
    (tmp_path / WAITING).write_text('{"seconds": 3}')
    with pytest.raises(UserError, match=r"waiting\.json is damaged"):
        read_waiting(tmp_path)
